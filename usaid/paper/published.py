"""Every number that the paper prints in Tables I-X, in the words of our own tables."""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from usaid.package_data import read_yaml

COLUMN_OF_K = "u_said_k"
"""Table II's columns: this and the number of classes, ``"u_said_k21"``."""

OF_TWO = "_p_value"
"""What the metrics of Table X end with that are about two denoisers."""


class Published(NamedTuple):
    """One number of the paper.

    Attributes:
        table: number of the table, 1 to 10.
        group: the sigma (``"25"``; in Table II, which does not print it, see its notes), data set (``"isic2018"``, in
            Table X ``"voc"``, ``"kodak"``, ``"cifar100"``) or setting and sigma (``"median_sigma/25"``);
            ``"categories"`` in Table III.
        metric: ``"psnr"``, ``"miou"``, ...; a category in Table III; ``"miou_mean"``, ``"miou_variance"``,
            ``"miou_p_value"``, ... in Table X.
        denoiser: ``"noisy"``, ``"cdncnn_b"``, ...; in Table II the number of classes, ``"u_said_k21"``; in Table III a
            method; for a p-value the two, ``"u_said_vs_cdncnn_b"``.
        value: as printed: dB, percent for accuracies and Table X's mIoU, a fraction for the other mIoU and mAP. Table
            X's mIoU variances are of the fraction. A category is 1.0 or 0.0.
        half_unit: half a unit of the last printed digit: what was rounded lies within ``value`` +- this; of a category
            0.
    """

    table: int
    group: str
    metric: str
    denoiser: str
    value: float
    half_unit: float


def all_published() -> list[Published]:
    """Every number of Tables I-X, each once, in the order of print (as transcribed in ``published.yaml``)."""
    return list(_entries())


def hash_of_published() -> str:
    """SHA-256 of ``published.yaml``: what a table depends on besides code and scores."""
    return hashlib.sha256(resources.files("usaid.paper").joinpath("published.yaml").read_bytes()).hexdigest()


def published(table: int | None, group: str, metric: str, denoiser: str) -> float | None:
    """The number that the paper prints in a cell, in the vocabulary of :class:`Published`; None: no such cell."""
    number = published_number(table, group, metric, denoiser)
    return None if number is None else number.value


def published_number(table: int | None, group: str, metric: str, denoiser: str) -> Published | None:
    """As :func:`published`, with what is known of its rounding."""
    return None if table is None else _by_name().get((table, group, metric, denoiser))


def paper_denoisers(table: int | None) -> tuple[str, ...]:
    """The denoisers of a table, in the order of its columns (of its rows in Tables III and IV); none: no such table."""
    of_denoisers = (e for e in _entries() if e.table == table and not e.metric.endswith(OF_TWO))
    return tuple(dict.fromkeys(entry.denoiser for entry in of_denoisers))


def paper_groups(table: int | None) -> tuple[str, ...]:
    """The groups of a table, in the order of print; none: no such table."""
    return tuple(dict.fromkeys(entry.group for entry in _entries() if entry.table == table))


def paper_caption(table: int) -> str:
    """What a table shows, in one phrase without a final stop."""
    return _tables()[table]["caption"]


def paper_notes(table: int | None) -> str | None:
    """Where the print of a table is ambiguous or contradicts itself; None: nowhere that we know."""
    return None if table is None else _tables()[table].get("notes")


@cache
def _tables() -> dict[int, dict[str, Any]]:
    """The transcription: number of the table -> its caption, columns, rows, notes; numbers as text, digit by digit."""
    transcription = read_yaml("usaid.paper", "published.yaml", as_text=True)
    return {int(name.removeprefix("table_")): table for name, table in transcription.items()}


@cache
def _entries() -> tuple[Published, ...]:
    return tuple(entry for number, table in _tables().items() for entry in _read_table(number, table))


@cache
def _by_name() -> dict[tuple[int, str, str, str], Published]:
    return {entry[:4]: entry for entry in _entries()}


def _read_table(number: int, table: Mapping[str, Any]) -> Iterator[Published]:
    """The entries of one table of ``published.yaml``."""
    cells = {
        2: _cells_by_k,
        3: _cells_by_category,
        4: _cells_by_setting,
        8: _cells_at_sigma_25,
        10: _cells_over_draws,
    }.get(number, _cells_by_group)
    for group, metric, denoiser, text in cells(table):
        yield Published(number, group, metric, denoiser, *_read_number(text))


def _read_number(text: str) -> tuple[float, float]:
    """Value, and half a unit of its last digit: ``"3.30e-6"`` -> 3.3e-6, 5e-9; ``"true"`` -> 1, 0."""
    if text in _CATEGORIES:
        return _CATEGORIES[text], 0.0
    number = Decimal(text)
    return float(number), float(Decimal((0, (5,), int(number.as_tuple().exponent) - 1)))


_CATEGORIES = {"true": 1.0, "false": 0.0}

_Cells = Iterator[tuple[str, str, str, str]]
"""(group, metric, denoiser, number as printed) of each cell of one table."""


def _cells_by_group(table: Mapping[str, Any]) -> _Cells:
    """Tables I, V, VI, VII and IX: rows are sigma or data set, then metric; columns are denoisers."""
    for group, metrics in table["rows"].items():
        for metric, values in metrics.items():
            for denoiser, value in zip(table["columns"], values, strict=True):
                yield group, metric, denoiser, value


def _cells_by_k(table: Mapping[str, Any]) -> _Cells:
    """Table II: rows are metrics, columns are numbers of classes K; K = 21 is Table I's U-SAID at sigma 25."""
    for metric, values in table["rows"].items():
        for k, value in zip(table["columns"], values, strict=True):
            yield "25", metric, f"{COLUMN_OF_K}{k}", value


def _cells_by_category(table: Mapping[str, Any]) -> _Cells:
    """Table III: rows are methods, columns are categories."""
    for method, values in table["rows"].items():
        for category, value in zip(table["columns"], values, strict=True):
            yield "categories", category, method, value


def _cells_by_setting(table: Mapping[str, Any]) -> _Cells:
    """Table IV: rows are setting, then denoiser; columns are sigmas with two metrics each."""
    for setting, denoisers in table["rows"].items():
        for denoiser, sigmas in denoisers.items():
            for sigma, metrics in sigmas.items():
                for metric, value in metrics.items():
                    yield f"{setting}/{sigma}", metric, denoiser, value


def _cells_at_sigma_25(table: Mapping[str, Any]) -> _Cells:
    """Table VIII: rows are metrics, columns are denoisers; the sigma stands in the caption."""
    for metric, values in table["rows"].items():
        for denoiser, value in zip(table["columns"], values, strict=True):
            yield "25", metric, denoiser, value


def _cells_over_draws(table: Mapping[str, Any]) -> _Cells:
    """Table X: rows are data set and metric, then mean or variance; p-values stand in the text."""
    for row, statistics in table["rows"].items():
        group, metric = row.removesuffix("_percent").split("_", 1)
        for statistic, values in statistics.items():
            for denoiser, value in zip(table["columns"], values, strict=True):
                yield group, f"{metric}_{statistic}", denoiser, value
    for row, p_values in table["p_values"].items():
        group, metric = row.split("_", 1)
        for pair, value in p_values.items():
            yield group, f"{metric}{OF_TWO}", pair, value
