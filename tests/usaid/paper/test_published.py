"""Every number of the transcription comes out once, under a name that says where it is printed."""

from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import yaml

from usaid.paper.published import (
    OF_TWO,
    all_published,
    paper_caption,
    paper_denoisers,
    paper_groups,
    paper_notes,
    published,
    published_number,
)

RAW: dict[str, Any] = yaml.safe_load(
    resources.files("usaid.paper").joinpath("published.yaml").read_text(encoding="utf-8")
)


def numeric_leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number or check mark below ``node`` with the keys and list positions that lead to it."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield from numeric_leaves(child, (*path, str(key)))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from numeric_leaves(child, (*path, f"#{index}"))
    elif isinstance(node, (int, float)):
        yield path, float(node)


def printed_numbers() -> list[tuple[tuple[str, ...], float]]:
    """The numeric leaves of the file but Table II's column headings, with list positions read as denoisers."""
    leaves = []
    for path, value in numeric_leaves(RAW):
        if path[1] == "columns":
            continue
        prefix = "u_said_k" if path[0] == "table_2" else ""
        columns = [f"{prefix}{column}" for column in RAW[path[0]].get("columns", [])]
        leaves.append((tuple(columns[int(key[1:])] if key[0] == "#" else key for key in path), value))
    return leaves


def test_as_many_entries_as_numbers_in_the_file() -> None:
    assert len(printed_numbers()) == 226
    assert Counter(entry.table for entry in all_published()) == Counter(
        int(path[0].removeprefix("table_")) for path, _ in printed_numbers()
    )


def test_entries_have_different_names() -> None:
    assert len({entry[:4] for entry in all_published()}) == len(all_published())


@pytest.mark.parametrize("number", range(1, 10))
def test_every_number_comes_out_once_under_the_keys_that_lead_to_it(number: int) -> None:
    entries = [
        (entry.value, {*entry.group.split("/"), entry.metric, entry.denoiser})
        for entry in all_published()
        if entry.table == number
    ]
    for (table, _, *keys), value in printed_numbers():
        if table == f"table_{number}":
            found = [names for printed, names in entries if printed == value and names >= set(keys)]
            assert len(found) == 1, (keys, value)


def test_every_number_of_table_10_comes_out_once() -> None:
    entries = Counter((f"{e.group}_{e.metric}", e.denoiser, e.value) for e in all_published() if e.table == 10)
    expected = Counter(
        (f"{row}_p_value" if part == "p_values" else f"{row.removesuffix('_percent')}_{keys[0]}", keys[-1], value)
        for (table, part, row, *keys), value in printed_numbers()
        if table == "table_10"
    )
    assert entries == expected


@pytest.mark.parametrize(
    ("table", "group", "metric", "denoiser", "value"),
    [
        (1, "25", "niqe", "u_said", 3.8975),
        (2, "25", "psnr", "u_said_k40", 30.98),
        (2, "25", "niqe", "u_said_k15", 3.8320),
        (3, "categories", "segmentation_annotation", "s_said", 1.0),
        (3, "categories", "segmentation_annotation", "u_said", 0.0),
        (4, "median_sigma/35", "niqe", "mc_wnnm", 8.6496),
        (4, "oracle_sigma/15", "psnr", "cbm3d", 34.40),
        (5, "35", "miou", "noisy", 0.3667),
        (6, "25", "psnr", "u_said", 32.17),
        (7, "deepglobe", "miou", "s_said", 0.4198),
        (8, "25", "top1", "u_said", 58.16),
        (9, "15", "map", "cdncnn_b", 0.5573),
        (10, "voc", "miou_mean", "u_said", 40.35),
        (10, "voc", "miou_variance", "cdncnn_b", 3.30e-6),
        (10, "kodak", "niqe_p_value", "s_said_vs_u_said", 6.7845e-3),
        (10, "cifar100", "top5_p_value", "u_said_vs_cdncnn_b", 1.3982e-9),
    ],
)
def test_numbers_of_the_papers_text(table: int, group: str, metric: str, denoiser: str, value: float) -> None:
    assert published(table, group, metric, denoiser) == value


@pytest.mark.parametrize(
    ("table", "group", "metric", "denoiser", "half_unit"),
    [
        (1, "25", "psnr", "u_said", 0.005),
        (2, "25", "psnr", "u_said_k10", 0.005),  # printed 31.00
        (3, "categories", "deep_learning", "u_said", 0),
        (4, "oracle_sigma/15", "niqe", "mlp", 0.0005),  # printed 4.675
        (4, "oracle_sigma/15", "niqe", "cbm3d", 0.00005),  # printed 2.6360
        (10, "voc", "miou_mean", "u_said", 0.005),
        (10, "voc", "miou_variance", "cdncnn_b", 5e-9),  # printed 3.30e-6
        (10, "kodak", "niqe_variance", "u_said", 5e-7),  # printed 6.00e-4
        (10, "cifar100", "top1_variance", "u_said", 0.005),
        (10, "kodak", "niqe_p_value", "u_said_vs_cdncnn_b", 5e-21),  # printed 2.6638e-16
        (10, "voc", "miou_p_value", "u_said_vs_s_said", 5e-5),
    ],
)
def test_half_a_unit_of_the_last_printed_digit(table, group, metric, denoiser, half_unit) -> None:
    number = published_number(table, group, metric, denoiser)
    assert number is not None
    assert number.half_unit == pytest.approx(half_unit, rel=1e-12)


def test_a_metric_of_a_table_is_printed_with_as_many_digits_everywhere() -> None:
    """A trailing zero that the transcription lost would be seen here. Table IV does print 3 digits in places."""
    units: dict[tuple[int, str], set[float]] = {}
    for entry in all_published():
        if entry.table not in (3, 4) and not entry.metric.endswith(OF_TWO):
            units.setdefault((entry.table, f"{entry.group * (entry.table == 10)} {entry.metric}"), set()).add(
                entry.half_unit
            )
    assert {place: found for place, found in units.items() if len(found) > 1} == {}


def test_p_values_are_of_no_denoiser() -> None:
    assert paper_denoisers(10) == ("cdncnn_b", "s_said", "u_said")


def test_no_number_where_the_paper_prints_none() -> None:
    assert published_number(None, "25", "psnr", "u_said") is None
    assert published(6, "25", "psnr", "noisy") is None
    assert published(6, "50", "psnr", "u_said") is None
    assert published(11, "25", "psnr", "u_said") is None


def test_order_of_print() -> None:
    assert paper_denoisers(3) == ("u_said", "s_said", "cdncnn_b", "mlp", "mc_wnnm", "cbm3d")
    assert paper_denoisers(8) == ("noisy", "cdncnn_b", "s_said", "u_said")
    assert paper_groups(2) == ("25",)
    assert paper_denoisers(2) == tuple(f"u_said_k{k}" for k in (10, 15, 20, 21, 22, 25, 40))


def test_21_classes_in_table_2_are_u_said_in_table_1() -> None:
    for metric in ("niqe", "psnr"):
        assert published(2, "25", metric, "u_said_k21") == published(1, "25", metric, "u_said")


def test_text() -> None:
    assert paper_caption(6) == "Average denoising performance on Kodak"
    assert paper_notes(6) is None
    assert "sigma is not printed" in (paper_notes(2) or "")
