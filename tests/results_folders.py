"""Small results folders, written by hand, as the page takes them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from usaid.report.page.experiments import CLAIM_COLUMNS
from usaid.report.tables.verdict_list import Judged

DENOISERS = {"noisy": "Noisy", "cdncnn_b": "CDnCNN-B", "u_said": "U-SAID"}
METRICS = {"psnr": ("PSNR", "dB", "higher"), "niqe": ("NIQE", "", "lower")}
NOTE = "NIQE with other parameters."
DEVIATION = "Deviation from the paper: trained on 3 images."


def write_results(
    folder: Path,
    name: str = "mine",
    denoisers: Mapping[str, str] = DENOISERS,
    says: str = "as it should",
    verdicts: Sequence[Judged] | None = None,
) -> Path:
    """A results folder with a table of metrics (6), one of denoisers (4), verdicts, sentences, provenance and a figure.

    Args:
        folder: made with all its parents.
        name: of the experiment.
        denoisers: name -> title.
        says: stands wherever a text is free.
        verdicts: of the printed numbers; None: three of Table VI.
    """
    for part in ("tables", "figures", "statistics"):
        (folder / part).mkdir(parents=True)
    for number, rows in ((6, "metrics"), (4, "denoisers")):
        write_json(folder / f"tables/table_{number}.json", table(number, rows, denoisers, says))
        (folder / f"tables/table_{number}.csv").write_text("table\n", encoding="utf-8")
    write_json(folder / "tables/provenance.json", {f"kodak_quality/{own}": provenance(own, name) for own in denoisers})
    write_csv(folder / "tables/verdicts.csv", Judged._fields, judged(says) if verdicts is None else verdicts)
    write_csv(folder / "claims.csv", CLAIM_COLUMNS, claims(says))
    (folder / "statistics/kodak_quality.md").write_text("# Statistics\n", encoding="utf-8")
    Image.new("RGB", (60, 40), "white").save(folder / "figures/figure_2.png")
    (folder / "figures/figure_2.pdf").write_bytes(b"%PDF")
    return folder


def table(number: int, rows: str, denoisers: Mapping[str, str], says: str) -> dict[str, Any]:
    """A table over two sigmas; PSNR falls from denoiser to denoiser, NIQE rises."""
    places = [(group, denoiser, metric) for group in ("15", "25") for denoiser in denoisers for metric in METRICS]
    index = {place: i for i, place in enumerate(places)}
    heads = [{"text": title, "letters": "b" if one == "u_said" else ""} for one, title in denoisers.items()]
    metrics = [{"text": f"{title} ({unit})" if unit else title, "letters": ""} for title, unit, _ in METRICS.values()]
    metrics[1]["letters"] = "a"
    blocks = []
    for group in ("15", "25"):
        head = {"text": f"σ = {group}", "letters": ""}
        outer, inner = (METRICS, denoisers) if rows == "metrics" else (denoisers, METRICS)
        cells = [
            [index[(group, *((one, other) if rows == "denoisers" else (other, one)))] for other in inner]
            for one in outer
        ]
        labels = metrics if rows == "metrics" else heads
        blocks.append([{"group": head, "label": la, "cells": own} for la, own in zip(labels, cells, strict=True)])
    return {
        "version": 1,
        "name": str(number),
        "number": number,
        "title": {4: "Table IV", 6: "Table VI"}[number],
        "is_made_again": True,
        "caption": says,
        "legend": "Ours (the paper's, ours minus the paper's).",
        "ranks": "",
        "rows": rows,
        "groups": [{"name": group, "title": f"σ = {group}", "letters": ""} for group in ("15", "25")],
        "metrics": [
            {"name": name, "title": title, "unit": unit, "better": better, "letters": "a" if name == "niqe" else ""}
            for name, (title, unit, better) in METRICS.items()
        ],
        "denoisers": [
            {"name": name, "title": title, "letters": "b" if name == "u_said" else ""}
            for name, title in denoisers.items()
        ],
        "columns": heads if rows == "metrics" else metrics,
        "blocks": blocks,
        "cells": [cell(*place, [*denoisers].index(place[1]), says) for place in places],
        "footnotes": [
            {"letter": "", "text": f"n = 24 of 24 images; {says}.", "is_deviation": False},
            {"letter": "a", "text": NOTE, "is_deviation": False},
            {"letter": "b", "text": DEVIATION, "is_deviation": True},
        ],
    }


def cell(group: str, denoiser: str, metric: str, place: int, says: str) -> dict[str, Any]:
    """A number; the paper prints those of U-SAID."""
    value = {"psnr": 34.5 - place / 8, "niqe": 3.0 + place / 16}[metric]
    digits = {"psnr": 2, "niqe": 4}[metric]
    in_print = denoiser == "u_said"
    return {
        **{"group": group, "denoiser": denoiser, "metric": metric, "value": value, "ours": f"{value:.{digits}f}"},
        **{"low": f"{value - 1:.{digits}f}", "high": f"{value + 1:.{digits}f}", "n": 24, "apart": False},
        **{"paper": "34.00" if in_print else None, "difference": "-0.25" if in_print else None},
        **{"rank": {0: 1, 1: 2}.get(place), "tied": False, "verdict": "does not hold" if in_print else ""},
        **{"reason": says if in_print else "", "note": says, "convention": "psnr_rgb_float", "letters": ""},
        "scores": [f"kodak_quality/{denoiser}"],
    }


def provenance(denoiser: str, experiment: str) -> dict[str, Any]:
    """What a score file says of itself."""
    return {
        **{"experiment": experiment, "benchmark": "kodak_quality", "denoiser": denoiser, "title": denoiser.upper()},
        **{"git": {"commit": "c0ffee" * 6, "dirty": True}, "weights_sha256": "ab" * 32, "device": "cpu, 1 threads"},
        **{"entry": {"method": "u_said", "train": {"steps": 1000}}, "packages": {"numpy": "2.4.6"}, "python": "3.11"},
        **{"dataset": {"name": "kodak", "split": "all", "n": 24, "n_official": 24, "subset": None}},
        **{"judge": {"niqe": "niqe_live"}, "seconds": {"total": 82.727}, "deviations": [], "metrics": ["psnr"]},
    }


def judged(says: str) -> list[Judged]:
    """Three numbers of Table VI: one holds, one does not, one is not comparable."""
    return [
        number("u_said", "psnr", "34.62", "34.63", "0.01", "holds", "off by 0.01"),
        number("cdncnn_b", "psnr", "34.75", "34.25", "-0.50", "does not hold", "off by 0.5"),
        number("u_said", "niqe", "2.5690", "2.9", "0.3", "not comparable", says),
    ]


def number(denoiser: str, metric: str, paper: str, ours: str, difference: str, verdict: str, reason: str) -> Judged:
    """A judged number of Table VI at sigma 15."""
    return Judged(6, "15", metric, denoiser, paper, ours, difference, "0.05", "", "", "24", verdict, reason)


def claims(says: str) -> list[Sequence[str]]:
    """Three sentences."""
    quotes = [("first", "holds", "follows"), ("second", "not tested", "does not follow"), ("third", "holds", "follows")]
    return [
        (
            name,
            "abstract",
            f"{name} {says}",
            says,
            verdict,
            says,
            "other images; trained on 3 images",
            follows,
            says,
            "6",
        )
        for name, verdict, follows in quotes
    ]


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
