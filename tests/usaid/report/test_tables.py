"""Tables from score files that were worked out by hand, and LaTeX through a real TeX."""

import csv
import errno
import io
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from usaid.cards import Convention, Facts, Metric
from usaid.errors import UsaidError
from usaid.paper.layouts import TABLES
from usaid.registries import BENCHMARKS, METRICS
from usaid.report.tables.build import build_table
from usaid.report.tables.categories import build_facts_table
from usaid.report.tables.cells import Table
from usaid.report.tables.files import make_table, write_index, write_table
from usaid.report.tables.render_csv import COLUMNS, render_csv
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex, standalone_document
from usaid.scores.comparable import ScoresLike
from usaid.scores.files import Scores, write_scores

KODAK = {"name": "kodak", "split": "all", "n": 2, "n_official": 24, "subset": "two.txt"}
LIVE = "NIQE with the parameters of the LIVE release (niqe_live)"


def scores(columns: Mapping[str, Sequence[Any]], title: str = "Title", sigma: float = 25, **provenance: Any) -> Scores:
    """Scores of two Kodak images, one draw; a keyword replaces that key of the provenance."""
    rows = pd.DataFrame({"image_id": ["a", "b"], "sigma": sigma, "draw": 0, **columns})
    return Scores(rows, provenance_of(title) | provenance)


def provenance_of(title: str) -> dict[str, Any]:
    return {
        "benchmark": "kodak_quality",
        "title": title,
        "dataset": KODAK,
        "deviations": [],
        "failure": None,
        "weights_sha256": None,
    }


def failed(reason: str, **provenance: Any) -> Scores:
    rows = pd.DataFrame({"image_id": [], "sigma": [], "draw": []})
    return Scores(rows, provenance_of("Broken") | {"failure": reason, "dataset": KODAK | {"n": 0}} | provenance)


def quality(psnr: Sequence[float], ssim: Sequence[float], niqe: Sequence[float]) -> dict[str, Sequence[float]]:
    return {"psnr_rgb_float": psnr, "ssim_skimage7": ssim, "niqe_live": niqe}


def small_table() -> Table:
    """Table VI of two images at sigma 25: means are 32.296, 32.1 and 31.9 dB for the denoisers."""
    return build_table(
        6,
        {
            "cdncnn_b": scores(
                quality([32.290, 32.302], [0.88, 0.89], [3.0, 3.2]), "CDnCNN-B", weights_sha256="ab" * 32
            ),
            "u_said": scores(quality([32.0, 32.2], [0.87, 0.88], [2.9, 3.1]), "U-SAID", weights_sha256="cd" * 32),
            "mine_1": scores(quality([31.8, 32.0], [0.88, 0.89], [2.5, 2.7]), "Mine | *1*", deviations=["mine: B&W."]),
            "clean": scores(quality([math.inf, math.inf], [1.0, 1.0], [2.0, 2.2]), "Clean"),
        },
    )


def u_said(classes: int, psnr: float, niqe: float, sigmas: Sequence[float] = (25,), **train: Any) -> Scores:
    """Scores of two images by a U-SAID trained for ``classes`` classes; at another sigma than 25, 99 dB."""
    rows = pd.DataFrame([{"image_id": i, "sigma": float(s), "draw": 0} for s in sigmas for i in "ab"])
    rows["psnr_rgb_float"] = rows["sigma"].map(lambda sigma: psnr if sigma == 25 else 99)
    entry = {"method": "u_said", "train": {"classes": classes, "seed": 0} | train}
    return Scores(rows.assign(niqe_live=niqe), provenance_of("U-SAID") | {"benchmark": "voc_quality", "entry": entry})


def ablation() -> dict[str, ScoresLike]:
    """U-SAIDs of K = 30, 10, 20 (failed) and 21; the last was scored at three sigmas."""
    return {
        "more": u_said(30, 30.0, 3.5),
        "less": u_said(10, 30.5, 3.9),
        "broken": failed(
            "no GPU", benchmark="voc_quality", entry={"method": "u_said", "train": {"classes": 20, "seed": 0}}
        ),
        "u_said": u_said(21, 31.0, 4.0, sigmas=(15, 25, 35)),
    }


def csv_lines(table: Table) -> list[str]:
    """The lines of the CSV file without intervals and verdicts."""
    shown = [name for name in COLUMNS if name not in ("low", "high", "verdict", "reason")]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, shown, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(csv.DictReader(io.StringIO(render_csv(table))))
    return stream.getvalue().splitlines()


def ranks(table: Table) -> dict[tuple[str, str], int | None]:
    return {(cell.place.denoiser, cell.place.metric): cell.rank for cell in table.cells if cell.ours is not None}


def test_csv() -> None:
    lines = csv_lines(small_table())
    assert lines[0] == "table,group,denoiser,metric,ours,paper,delta,n,note"
    assert len(lines) == 1 + 3 * 5 * 3  # the paper's three sigmas, its three methods and two more, three metrics
    live = "niqe_live (the paper's is niqe_matlab)"
    assert [line for line in lines if line.startswith("6,25,")] == [
        "6,25,cdncnn_b,psnr,32.30,32.27,0.03,2,psnr_rgb_float; n = 2 of 24",
        "6,25,cdncnn_b,ssim,0.8850,0.8812,0.0038,2,ssim_skimage7; n = 2 of 24",
        f"6,25,cdncnn_b,niqe,3.1000,2.8493,0.2507,2,{live}; n = 2 of 24",
        "6,25,s_said,psnr,,32.07,,,not in this experiment",
        "6,25,s_said,ssim,,0.8770,,,not in this experiment",
        "6,25,s_said,niqe,,2.6006,,,not in this experiment",
        "6,25,u_said,psnr,32.10,32.17,-0.07,2,psnr_rgb_float; n = 2 of 24",
        "6,25,u_said,ssim,0.8750,0.8790,-0.0040,2,ssim_skimage7; n = 2 of 24",
        f"6,25,u_said,niqe,3.0000,2.6355,0.3645,2,{live}; n = 2 of 24",
        "6,25,mine_1,psnr,31.90,,,2,psnr_rgb_float; not in the paper; n = 2 of 24; mine: B&W",
        "6,25,mine_1,ssim,0.8850,,,2,ssim_skimage7; not in the paper; n = 2 of 24; mine: B&W",
        f"6,25,mine_1,niqe,2.6000,,,2,{live}; not in the paper; n = 2 of 24; mine: B&W",
        "6,25,clean,psnr,inf,,,2,psnr_rgb_float; not in the paper; n = 2 of 24",
        "6,25,clean,ssim,1.0000,,,2,ssim_skimage7; not in the paper; n = 2 of 24",
        f"6,25,clean,niqe,2.1000,,,2,{live}; not in the paper; n = 2 of 24",
    ]
    assert "6,35,u_said,psnr,,30.50,,,sigma not in this experiment" in lines


def test_markdown() -> None:
    lines = render_markdown(small_table()).splitlines()
    assert lines[0] == "**Table VI, made again.** Average denoising performance on Kodak."
    assert lines[2].startswith(
        r"|  |  | CDnCNN-B | S-SAID<sup>a</sup> | U-SAID | Mine \| \*1\*<sup>b</sup> | Clean | n |"
    )
    assert lines[7:10] == [
        "| σ = 25 | PSNR (dB) | 32.30 =1st (32.27, +0.03) | – (32.07) | 32.10 =1st (32.17, -0.07) | 31.90 =1st "
        "| ∞ | 2 |",
        "| σ = 25 | SSIM | 0.8850 (0.8812, +0.0038) | – (0.8770) | 0.8750 (0.8790, -0.0040) | 0.8850 | 1.0000 | 2 |",
        "| σ = 25 | NIQE<sup>c</sup> | 3.1000 (2.8493, +0.2507) | – (2.6006) | 3.0000 (2.6355, +0.3645) | 2.6000 "
        "| 2.1000 | 2 |",
    ]
    assert [line.rstrip() for line in lines[14:]] == [
        "Ours (the paper's, ours minus the paper's). **Best** and <u>second best</u> of the compared denoisers by "
        "differences that survive a paired t-test over images, corrected by Holm for the 2 comparisons of Table VI, "
        "at the 5 % level. =1st: ties, by differences that do not survive, equal as printed, or between two such "
        "numbers. Not ranked where "
        "differences are not testable (all differences are equal).",
        "n = 2 of 24 images of kodak, split all (subset two.txt); 1 noise draw; "
        "means of psnr_rgb_float, ssim_skimage7, niqe_live.",
        "<sup>a</sup> not in this experiment.",
        "<sup>b</sup> Deviation from the paper: mine: B&W.",
        "<sup>c</sup> niqe_live (the paper's is niqe_matlab).",
        "<sup>d</sup> sigma not in this experiment.",
        "SHA-256 of the weights: CDnCNN-B abababababab, U-SAID cdcdcdcdcdcd.",
    ]


def test_a_denoiser_without_a_rival_is_not_the_best() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    assert set(ranks(build_table(6, {"u_said": scores(columns), "clean": scores(columns)})).values()) == {None}


def test_mean_is_over_images_and_draws() -> None:
    rows = pd.DataFrame({"image_id": ["a", "a", "b", "b"], "sigma": 25.0, "draw": [0, 1, 0, 1]})
    rows["psnr_rgb_float"] = [30.0, 31.0, 32.0, 35.0]
    table = build_table(6, {"u_said": Scores(rows, provenance_of("U-SAID"))})
    (cell,) = [cell for cell in table.cells if cell.ours is not None]
    assert (cell.ours, cell.n) == (32.0, 2)
    assert "2 noise draws" in table.footnotes[0].text


def test_failed_evaluator_leaves_the_others() -> None:
    good = scores(quality([30.0] * 2, [0.9] * 2, [3.0] * 2))
    table = build_table(6, {"cdncnn_b": good, "s_said": good, "u_said": good, "mine": failed("out of\nmemory.")})
    lines = csv_lines(table)
    assert "6,25,mine,psnr,,,,,not scored: out of memory; not in the paper" in lines
    assert any(line.startswith("6,25,u_said,psnr,30.00,32.17,-2.17,2,") for line in lines)
    text = render_markdown(table)
    assert "Broken<sup>a</sup>" in text
    assert "<sup>a</sup> not scored: out of memory." in text


def test_all_evaluators_failed() -> None:
    lines = csv_lines(build_table(6, {"u_said": failed("no GPU")}))
    assert "6,25,u_said,psnr,,32.17,,,not scored: no GPU" in lines


def test_undefined_values_are_counted_not_hidden() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0, math.nan]) | {"top1": [math.nan] * 2}
    table = build_table(6, {"u_said": scores(columns)})
    line = next(line for line in csv_lines(table) if line.startswith("6,25,u_said,niqe"))
    assert line.startswith("6,25,u_said,niqe,3.0000,2.6355,0.3645,1,")
    assert "niqe_live is undefined for 1 of 2 images" in line
    nothing = build_table(6, {"u_said": scores(quality([30.0] * 2, [0.9] * 2, [math.nan] * 2))})
    lines = csv_lines(nothing)
    assert "6,25,u_said,niqe,,2.6355,,,niqe_live is undefined for every image" in lines


# Means over other images than the neighbours'


def nan_on_some(second: float = math.nan, **others: Sequence[float]) -> Table:
    """Table VI of two images, on the second of which one denoiser has no values, though the best on the first."""
    columns = {name: scores(quality(psnr, [0.9] * 2, [3.0] * 2), name) for name, psnr in others.items()}
    lucky = scores(quality([40.0, second], [0.99, 0.99], [2.0, math.nan]), "Lucky")
    return build_table(6, {"lucky": lucky, **columns})


def test_a_mean_over_fewer_images_is_not_ranked_and_says_so_beside_the_number() -> None:
    table = nan_on_some(u_said=(31.0, 29.0), s_said=(30.0, 28.01), clean=(math.inf, math.inf))
    rank = ranks(table)
    assert [rank[name, "psnr"] for name in ("lucky", "u_said", "s_said")] == [None, 1, 2]
    assert {cell.place for cell in table.cells if cell.apart} == {("25", "lucky", "psnr"), ("25", "lucky", "niqe")}
    text = render_markdown(table)
    assert "| 40.00 (n = 1)<sup>" in text
    assert "A number with its own n averages fewer images than its neighbours and is not ranked against them." in text
    tex = render_tex(table)
    assert r"& 40.00 (n\,=\,1)\textsuperscript" in tex
    assert "A number with its own n averages" in tex
    line = next(line for line in csv_lines(table) if line.startswith("6,25,lucky,psnr"))
    assert line.startswith("6,25,lucky,psnr,40.00,,,1,")
    assert "n = 1: fewer images than its neighbours, not ranked against them" in line


def test_the_best_of_one_is_nothing() -> None:
    table = nan_on_some(u_said=(31.0, 29.0))
    assert ranks(table)["u_said", "psnr"] is None
    assert ranks(table)["lucky", "psnr"] is None


def test_as_many_but_other_images_are_not_ranked() -> None:
    table = nan_on_some(u_said=(math.nan, 29.0))
    (cell,) = (cell for cell in table.cells if cell.place == ("25", "u_said", "psnr"))
    assert (cell.n, cell.apart, cell.rank) == (1, True, None)
    assert ranks(table)["lucky", "psnr"] is None


def test_denoisers_that_lack_the_same_images_are_apart_where_the_clean_image_has_more() -> None:
    table = nan_on_some(u_said=(31.0, math.nan), clean=(math.inf, math.inf))
    assert [cell.apart for cell in table.cells if cell.place.metric == "psnr" and cell.ours] == [True, True, False]


def test_where_all_lack_the_same_images_nothing_stands_beside_the_numbers() -> None:
    table = nan_on_some(u_said=(31.0, math.nan))
    assert not any(cell.apart for cell in table.cells if cell.place.metric == "psnr")


def test_a_lost_row_is_refused() -> None:
    rows = pd.DataFrame({"image_id": ["a", "b", "a"], "sigma": [25.0, 25.0, 35.0], "draw": 0, "psnr_rgb_float": 30.0})
    with pytest.raises(UsaidError, match=r"u_said\.parquet: has 1 of its 2 images at some noise level; delete it"):
        build_table(6, {"u_said": Scores(rows, provenance_of("U-SAID"))})


def test_counts_that_do_not_fit_together_are_refused() -> None:
    columns = {"confusion": [[1, 2, 3, 4], [1, 2]]}
    judge = {"class_names": ["a", "b"], "left_out": []}
    with pytest.raises(
        UsaidError, match=r"u_said\.parquet: no miou_dataset comes out of its rows \(ValueError"
    ) as caught:
        build_table(5, {"u_said": scores(columns, benchmark="voc_segmentation", judge=judge)})
    assert "\n" not in str(caught.value)


def test_metric_that_no_or_only_some_files_have() -> None:
    only_psnr, both = {"psnr_rgb_float": [30.0] * 2}, {"psnr_rgb_float": [30.0] * 2, "ssim_skimage7": [0.9] * 2}
    table = build_table(6, {"cdncnn_b": scores(only_psnr), "u_said": scores(both)})
    lines = csv_lines(table)
    assert "6,25,u_said,niqe,,2.6355,,,no niqe_matlab or niqe_live or niqe_fitted in the score files" in lines
    assert "6,25,cdncnn_b,ssim,,0.8812,,,no ssim_skimage7 in its score file" in lines


def test_niqe_convention_is_one_for_the_whole_table() -> None:
    live = {"niqe_live": [3.0] * 2}
    matlab = {"niqe_matlab": [2.0] * 2}

    def niqe_of_u_said(cdncnn_b: dict[str, list[float]], u_said: dict[str, list[float]]) -> float | None:
        table = build_table(6, {"cdncnn_b": scores(cdncnn_b), "u_said": scores(u_said)})
        return next(cell.ours for cell in table.cells if cell.place == ("25", "u_said", "niqe"))

    assert niqe_of_u_said(live, live | matlab) == 3.0
    assert niqe_of_u_said(live | matlab, live | matlab) == 2.0
    with pytest.raises(
        UsaidError, match=r"kodak_quality/cdncnn_b\.parquet and kodak_quality/u_said\.parquet: niqe_live"
    ):
        niqe_of_u_said(live, matlab)


def test_deviation_about_a_convention_is_about_its_metric_alone() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    table = build_table(6, {name: scores(columns, deviations=[LIVE, "toy data"]) for name in ("s_said", "u_said")})
    lines = [line for line in csv_lines(table) if line.startswith("6,25,u_said")]
    assert [LIVE in line for line in lines] == [False, False, True]
    assert all(line.rstrip('"').endswith("toy data") for line in lines)
    texts = [footnote.text for footnote in table.footnotes]
    assert texts.count(LIVE) == texts.count("Deviation from the paper: toy data") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": KODAK | {"subset": "other.txt"}}, r"dataset\.subset is 'two\.txt' in the first and 'other\.txt'"),
        ({"judge": {"network": "resnet20"}}, "judge"),
        ({"noise_version": 2}, "noise_version is None in the first and 2 in the second"),
    ],
)
def test_other_provenance_is_refused(change: dict[str, Any], message: str) -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    with pytest.raises(
        UsaidError, match=rf"kodak_quality/s_said\.parquet and kodak_quality/u_said\.parquet: {message}"
    ):
        build_table(6, {"s_said": scores(columns), "u_said": scores(columns, **change)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": ["a", "c"]}, r"image '[bc]' at sigma 25, draw 0 is only in the (first|second)"),
        ({"sigma": [25.0, 15.0]}, r"image 'b' at sigma \d+, draw 0 is only in the (first|second)"),
        ({"draw": [0, 1]}, r"image 'b' at sigma 25, draw [01] is only in the (first|second)"),
        ({"image_sha256": ["1", "3"]}, "image 'b' has not the same pixels"),
    ],
)
def test_other_rows_are_refused(change: dict[str, Any], message: str) -> None:
    columns = {**quality([30.0] * 2, [0.9] * 2, [3.0] * 2), "image_sha256": ["1", "2"]}
    with pytest.raises(UsaidError, match=message):
        build_table(6, {"s_said": scores(columns), "u_said": scores(columns | change)})


def test_incomplete_double_and_foreign_files_are_refused() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    with pytest.raises(UsaidError, match=r"kodak_quality/u_said\.parquet: has rows of 2 images, its provenance says 3"):
        build_table(6, {"u_said": scores(columns, dataset=KODAK | {"n": 3})})
    with pytest.raises(UsaidError, match="image 'a' at sigma 25, draw 0 is there twice"):
        build_table(6, {"u_said": scores(columns | {"image_id": ["a", "a"]})})
    with pytest.raises(UsaidError, match="scores of 'u_said' are of benchmark 'voc_quality'"):
        build_table(6, {"u_said": scores(columns, benchmark="voc_quality")})


def test_differences_in_origin_are_told() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    old, new = (scores(columns, title, git={"commit": title * 40}) for title in ("e", "f"))
    texts = [footnote.text for footnote in build_table(6, {"s_said": old, "u_said": new}).footnotes]
    assert f"Scored with different code: {'e' * 12}: e; {'f' * 12}: f" in texts
    assert not any("different devices" in text for text in texts)


def test_many_images_are_written_with_a_separator() -> None:
    dataset = KODAK | {"n": 1200, "n_official": 10_000}
    columns = quality([30.0] * 1200, [0.9] * 1200, [3.0] * 1200) | {"image_id": [f"i{n}" for n in range(1200)]}
    table = build_table(6, {"u_said": scores(columns, dataset=dataset)})
    text = render_markdown(table)
    assert "n = 1,200 of 10,000 images of" in text
    assert "| 1,200 |" in text
    assert '6,25,u_said,psnr,30.00,32.17,-2.17,1200,"psnr_rgb_float; n = 1,200 of 10,000"' in csv_lines(table)


def test_deviations_of_several_tables_are_listed_once(tmp_path: Path) -> None:
    shared, own = "Deviation from the paper: fewer steps.", "Deviation from the paper: half the images."
    for name, lines in {"6": [shared, "note."], "4": ["first.", shared, own]}.items():
        (tmp_path / f"table_{name}.md").write_text("  \n".join(["**Table**", *lines]) + "\n")
        (tmp_path / f"table_{name}.csv").write_text("table\n")
    write_index(tmp_path / "index.md", [tmp_path / "table_6.csv", tmp_path / "table_4.csv"], "x")
    page = (tmp_path / "index.md").read_text()
    assert page.count("fewer steps") == 1
    assert page.count("Deviations from the paper, numbers of the list below the tables: 1.") == 2
    assert "## Deviations of several tables\n\n1. fewer steps.\n" in page
    assert own in page


def test_devices_are_told_one_by_one_with_their_denoisers() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    devices = {"noisy": "cpu, 1 threads, AVX2", "s_said": "cpu, 2 threads, AVX2", "u_said": "cpu, 1 threads, AVX2"}
    table = build_table(6, {name: scores(columns, name, device=device) for name, device in devices.items()})
    text = "Scored with different devices: cpu, 1 thread, AVX2: noisy, u_said; cpu, 2 threads, AVX2: s_said"
    assert text in [footnote.text for footnote in table.footnotes]


def test_table_1_shows_sigmas_that_the_paper_lacks() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    table = build_table(1, {"u_said": scores(columns, sigma=50, benchmark="voc_quality")})
    assert list(table.layout.groups) == ["15", "25", "35", "50"]


def test_table_8_is_sigma_25_in_percent() -> None:
    rows = pd.DataFrame({"image_id": ["a", "b", "a", "b"], "sigma": [15.0, 15.0, 25.0, 25.0], "draw": 0})
    rows = rows.assign(psnr_rgb_float=29.0, ssim_skimage7=math.nan, top1=[1, 1, 1, 0], top5=[1, 1, 1, 1])
    table = build_table(8, {"u_said": Scores(rows, provenance_of("U-SAID") | {"benchmark": "cifar100_classification"})})
    lines = csv_lines(table)
    assert "8,25,u_said,top1,50.00,58.16,-8.16,2,top1; n = 2 of 24" in lines
    assert "8,25,noisy,top5,,29.83,,,not in this experiment" in lines
    assert len(lines) == 1 + 4 * 4
    line = "| Top-1 Acc (%) | – (11.99) | – (56.86) | – (57.87) | 50.00 (58.16, -8.16) | 2 |"
    assert line in render_markdown(table).splitlines()


def test_table_2_has_a_column_for_each_number_of_classes() -> None:
    table = build_table(2, ablation())
    lines = csv_lines(table)
    assert len(lines) == 1 + 8 * 2
    assert "2,25,u_said_k21,psnr,31.00,31.13,-0.13,2,psnr_rgb_float; n = 2 of 24" in lines
    assert "2,25,u_said_k20,niqe,,4.0783,,,not scored: no GPU" in lines
    assert "2,25,u_said_k40,niqe,,3.9746,,,not in this experiment" in lines
    assert "2,25,u_said_k30,psnr,30.00,,,2,psnr_rgb_float; not in the paper; n = 2 of 24" in lines
    text = render_markdown(table).splitlines()
    assert text[2] == (
        "|  | K = 10 | K = 15<sup>a</sup> | K = 20<sup>b</sup> | K = 21 | K = 22<sup>a</sup> | K = 25<sup>a</sup> "
        "| K = 30 | K = 40<sup>a</sup> | n |"
    )
    assert text[4] == (
        "| NIQE<sup>c</sup> | 3.9000 (3.9878, -0.0878) | – (3.8320) | – (4.0783) | 4.0000 (3.8975, +0.1025) "
        "| – (3.8455) | – (4.1139) | 3.5000 | – (3.9746) | 2 |"
    )
    assert text[5].startswith("| PSNR (dB) | 30.50 (31.00, -0.50) | – (31.06) | – (30.99) | 31.00 (31.13,")
    assert text[8].startswith("n = 2 of 24 images of kodak, split all (subset two.txt); sigma 25; 1 noise draw; ")
    assert not any("Trained with different" in line for line in text)
    tex = render_tex(table)
    assert r" & 3.9000 \usaidpaper{3.9878}" in tex
    assert r" & 3.5000 & -- \usaidpaper{3.9746} \\" in tex


def test_table_2_from_score_files(tmp_path: Path) -> None:
    files = []
    for denoiser, one in ablation().items():
        everything = {
            **one.provenance, "experiment": "ablation", "denoiser": denoiser, "metrics": [], "code_hash": "0",
            "dataset": {**one.provenance["dataset"], "ids_sha256": "0"}, "config_sha256": "0", "noise_version": 1,
            "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p", "device": "cpu",
            "seconds": {}, "pixels": 0, "pixels_per_second": None,
        }  # fmt: skip
        files.append(tmp_path / f"{denoiser}.parquet")
        write_scores(files[-1], Scores(one.rows, everything))
    wanted = {name: Scores(one.rows, {**one.provenance, "denoiser": name}) for name, one in ablation().items()}
    assert make_table(2, files).cells == build_table(2, wanted).cells
    with pytest.raises(UsaidError, match=r"less\.parquet: a second score file of less"):
        make_table(2, [*files, files[1]])
    with pytest.raises(UsaidError, match=r"more\.parquet: scores of voc_quality; Table VI is made from kodak_quality"):
        make_table(6, files)


def test_table_2_tells_what_else_than_the_number_of_classes_differs() -> None:
    found = build_table(2, {"k_10": u_said(10, 30, 4), "k_15": u_said(15, 30, 4), "u_said": u_said(21, 30, 4, seed=1)})
    texts = [footnote.text for footnote in found.footnotes if "Trained" in footnote.text]
    assert texts == ["Trained with different seed: 0 (K = 10, K = 15), 1 (K = 21)"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"method": "u_said", "weights": "released/USAID.pth"}, "mine is no U-SAID trained for a number of classes K"),
        ({"method": "u_said", "train": {"seed": 0}}, "mine is no U-SAID trained for a number of classes K"),
        ({"method": "s_said", "train": {"classes": 22}}, "mine is no U-SAID trained for a number of classes K"),
        ({"method": "u_said", "train": {"classes": 10}}, r"K = 10, as voc_quality/less\.parquet; give one for each K"),
    ],
)
def test_what_is_no_column_of_table_2(entry: dict[str, Any], message: str) -> None:
    mine = u_said(22, 30, 4)
    with pytest.raises(UsaidError, match=rf"^voc_quality/mine\.parquet: {message}"):
        build_table(2, ablation() | {"mine": Scores(mine.rows, mine.provenance | {"entry": entry})})


def test_a_table_of_one_sigma_compares_the_rows_of_that_sigma() -> None:
    with pytest.raises(UsaidError, match=r"less\.parquet and .*u_said\.parquet: image 'a' at sigma 25, draw 0 is only"):
        build_table(2, {"less": u_said(10, 30, 4), "u_said": u_said(21, 30, 4, sigmas=(15, 35))})
    table = build_table(2, {"u_said": u_said(21, 30, 4, sigmas=(15, 35))})
    assert {cell.ours for cell in table.cells} == {None}
    assert "sigma not in this experiment" in [footnote.text for footnote in table.footnotes]


CONFUSIONS = [[8, 2, 0, 0], [0, 0, 5, 5]]
"""Of two images: 10 pixels of class 0, 8 of them right; 10 of class 1, 5 of them right. Together, class 0 has 8 of
15 pixels (8 right, 2 missed, 5 wrong), class 1 has 5 of 12: mIoU 0.475. Means over images would be 0.4 and 0.25."""


def segmentation(benchmark: str, confusions: Sequence[Sequence[int]] = CONFUSIONS, **provenance: Any) -> Scores:
    judge = {"class_names": ["background", "lesion"], "left_out": []}
    return scores({"confusion": confusions}, benchmark=benchmark, **({"judge": judge} | provenance))


def test_table_5_is_the_miou_of_the_data_set() -> None:
    better = segmentation("voc_segmentation", [[10, 0, 0, 0], [0, 0, 0, 10]])
    table = build_table(5, {"cdncnn_b": segmentation("voc_segmentation"), "u_said": better})
    lines = csv_lines(table)
    assert "5,25,cdncnn_b,miou,0.4750,0.4003,0.0747,2,miou_dataset; n = 2 of 24" in lines
    assert "5,25,noisy,miou,,0.4007,,,not in this experiment" in lines
    metrics = [metric.name for metric in table.layout.metrics]
    assert metrics == ["miou", "miou_per_image", "miou_foreground_21"]
    by_all = {(name, metric): 1 for name in ("cdncnn_b", "u_said") for metric in metrics}
    assert ranks(table) == by_all, "two images cannot tell them apart"
    assert "; 1 noise draw; miou_dataset of all images together" in table.footnotes[0].text


def test_classes_that_are_left_out_or_do_not_occur_are_not_in_the_mean() -> None:
    three = [[8, 2, 0] + [0] * 6, [0, 0, 0, 5, 5, 0] + [0] * 3]
    judge = {"class_names": ["a", "b", "c"], "left_out": []}

    def miou(**changes: Any) -> float | None:
        found = segmentation("voc_segmentation", three, judge=judge | changes)
        cells = build_table(5, {"u_said": found}).cells
        return next(cell.ours for cell in cells if cell.ours is not None and cell.place.metric == "miou")

    assert miou() == pytest.approx((8 / 15 + 5 / 12) / 2)
    assert miou(left_out=["b"]) == pytest.approx(8 / 15)


def test_table_7_has_a_group_for_each_data_set() -> None:
    isic = {"cdncnn_b": segmentation("isic_segmentation"), "u_said": segmentation("isic_segmentation")}
    deepglobe = {
        "cdncnn_b": segmentation("deepglobe_segmentation", deviations=["a small encoder"]),
        "u_said": failed("out of memory", benchmark="deepglobe_segmentation"),
    }
    table = build_table(7, isic, deepglobe)
    assert [*table.layout.groups.values()] == ["ISIC 2018", "DeepGlobe"]
    lines = csv_lines(table)
    assert "7,isic2018,u_said,miou,0.4750,0.8095,-0.3345,2,miou_dataset; n = 2 of 24" in lines
    assert "7,deepglobe,u_said,miou,,0.4263,,,not scored: out of memory" in lines
    text = render_markdown(table).splitlines()
    rows = [line for line in text if line.startswith(("| ISIC", "| DeepGlobe"))]
    assert [row.count("<sup>") for row in rows] == [
        2,
        3,
        4,
        5,
    ]  # below each a convention of its own; what holds for one data set marks its cells only
    notes = [footnote for footnote in table.footnotes if footnote.text == "not scored: out of memory"]
    assert [tuple(mark) for mark in notes[0].marks] == [
        ("deepglobe", "u_said", metric) for metric in ("miou", "miou_per_image")
    ]


def test_table_7_of_one_data_set() -> None:
    table = build_table(7, {"u_said": segmentation("isic_segmentation")}, {})
    lines = csv_lines(table)
    assert "7,deepglobe,u_said,miou,,0.4263,,,not in this experiment" in lines
    assert any(line.startswith("7,isic2018,u_said,miou,0.4750,") for line in lines)
    dashes = [footnote for footnote in table.footnotes if footnote.text == "not in this experiment"]
    assert ("deepglobe", None, None) in [tuple(mark) for mark in dashes[0].marks]


def test_table_9_is_average_precision_over_all_images() -> None:
    """Category 1 has one object in each image: found at IoU 0.50 first of all, missed, and one false alarm between.

    Category 3 has one object, found at all thresholds. AP50 of category 1: recall 0.5 at precision 1 (51 of 101
    recall levels), never more: 51/101.
    """
    everywhere = 2**10 - 1
    matches = [[[1, 0.9, 1, 0], [3, 0.8, everywhere, 0]], [[1, 0.7, 0, 0]]]
    columns = {
        "psnr_rgb_float": [30.0, 31.0], "ssim_skimage7": [0.9, 0.9],
        "matches": matches, "objects": [[[1, 1], [3, 1]], [[1, 1]]],
    }  # fmt: skip
    judge = {"category_names": {"1": "person", "3": "car"}}
    table = build_table(9, {"u_said": scores(columns, benchmark="coco_detection", judge=judge)})
    found = {cell.place.metric: cell.ours for cell in table.cells if cell.ours is not None}
    assert found["psnr"] == 30.5
    assert found["map"] == pytest.approx((51 / 101 + 1) / 2)
    assert found["ap"] == pytest.approx((51 / 101 / 10 + 1) / 2)
    lines = csv_lines(table)
    assert "9,25,u_said,map,0.7525,0.5330,0.2195,2,ap50_coco; n = 2 of 24" in lines
    assert "9,25,u_said,ap,0.5252,,,2,ap50_95_coco; not in the paper; n = 2 of 24" in lines


def test_a_score_of_the_data_set_is_averaged_over_draws() -> None:
    rows = pd.DataFrame({"image_id": ["a", "b"] * 2, "sigma": 25.0, "draw": [0, 0, 1, 1]})
    rows["confusion"] = [*CONFUSIONS, [10, 0, 0, 0], [0, 0, 0, 10]]
    one = segmentation("voc_segmentation")
    cells = build_table(5, {"u_said": Scores(rows, one.provenance)}).cells
    cell = next(cell for cell in cells if cell.ours is not None and cell.place.metric == "miou")
    assert cell.ours == pytest.approx((0.475 + 1) / 2)
    assert cell.n == 2


def test_directions_are_those_of_the_paper() -> None:
    text = (resources.files("usaid.paper") / "published.yaml").read_text(encoding="utf-8")
    printed = {name: table.get("better", {}) for name, table in yaml.safe_load(text).items()}
    directions = [
        (printed[f"table_{number}"][name], METRICS[name].better)
        for number, spec in TABLES.items()
        for name in spec.metrics
        if name in printed[f"table_{number}"]
    ]
    assert len(directions) >= 17
    assert all(direction == better for direction, better in directions)


def test_table_3() -> None:
    u_said = Facts("U-SAID", True, True, True, True, "MIT", "Wang et al.")
    mine = Facts("Mine", True, False, False, False, "GPL-3.0-only", "none")
    table = build_facts_table({"clean": mine, "mine": mine, "u_said": u_said})
    lines = csv_lines(table)
    assert lines[1:5] == [
        "3,categories,u_said,deep_learning,1,1,0,,",
        "3,categories,u_said,semantic_aware,1,1,0,,",
        "3,categories,u_said,segmentation_annotation,1,0,1,,",
        "3,categories,s_said,deep_learning,,1,,,not in this experiment",
    ]
    assert lines[-1] == "3,categories,mine,segmentation_annotation,0,,,,not in the paper"
    assert len(lines) == 1 + 7 * 3
    text = render_markdown(table).splitlines()
    assert text[2] == "|  | Deep learning | Semantic-aware | Segmentation annotation |"
    assert text[4:6] == [
        "| U-SAID<sup>a</sup> | ✓ (✓) | ✓ (✓) | ✓ (✗) |",
        "| S-SAID<sup>b</sup> | – (✓) | – (✓) | – (✓) |",
    ]
    assert "<sup>c</sup> none; our implementation: GPL-3.0-only." in [line.rstrip() for line in text]


def test_more_footnotes_than_letters() -> None:
    methods = {f"m{i}": Facts(f"M{i}", True, True, False, False, "MIT", f"citation {i}") for i in range(30)}
    letters = [letter for letter, _ in build_facts_table(methods).lettered_footnotes if letter]
    assert letters[:2] == ["a", "b"]
    assert letters[25:28] == ["z", "aa", "bb"]


def test_a_users_own_denoiser_is_a_row_of_table_3_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows_of_table_3.py").write_text(
        "from usaid.cards import Facts\n"
        'class Mine:\n    facts = Facts("Mine", True, False, True, False, "MIT", "me")\n'
        "class Silent: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = {"first": "rows_of_table_3:Mine", "other": "rows_of_table_3:Silent", "gone": "rows_of_table_3:Gone"}
    table = make_table(3, [], own)
    assert [*table.layout.denoisers] == ["u_said", "s_said", "cdncnn_b", "mlp", "mc_wnnm", "cbm3d", "first"]
    ours = {cell.place.metric: cell.ours for cell in table.cells if cell.place.denoiser == "first"}
    assert ours == {"deep_learning": 0, "semantic_aware": 1, "segmentation_annotation": 0}
    assert all(cell.ours == cell.paper for cell in table.cells if cell.place.denoiser != "first")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Table III has no row for other: Silent: is a class whose objects cannot be called")
    assert said[1].startswith("Table III has no row for gone: rows_of_table_3:Gone cannot be imported")


def test_the_loss_of_a_training_tells_the_categories_that_the_code_does_not_state(tmp_path, monkeypatch) -> None:
    (tmp_path / "trained_rows.py").write_text(
        "from torch import nn\nfrom usaid.cards import Facts\n"
        "class Net(nn.Module): ...\n"
        'class Stated(nn.Module):\n    facts = Facts("Stated", deep_learning=True)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    losses = {"mse": "mse", "supervised": "supervised", "unsupervised": "unsupervised", "stated": "supervised"}
    own = dict.fromkeys(losses, "trained_rows:Net") | {"stated": "trained_rows:Stated", "other": "trained_rows:Net"}
    table = make_table(3, [], own, titles={"mse": "Mine"}, losses=losses)
    cells = {cell.place[1:]: cell.ours for cell in table.cells}
    found = {name: (cells[name, "semantic_aware"], cells[name, "segmentation_annotation"]) for name in own}
    none, both = (0, 0), (1, 1)
    assert found == {"mse": none, "supervised": both, "unsupervised": (1, 0), "stated": none, "other": none}
    assert {table.layout.denoisers[name] for name in own} == {"Mine", "supervised", "unsupervised", "Stated", "other"}


def test_titles_that_denoisers_share_are_told_apart() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    table = build_table(6, {"u_said": scores(columns, "U-SAID"), "u_said_2": scores(columns, "U-SAID")})
    assert [*table.layout.denoisers.values()][2:] == ["U-SAID (u_said)", "U-SAID (u_said_2)"]


# Metrics that the experiment asked for and the paper does not print

SHARPNESS = Metric("sharpness", "Sharpness", "bits", "lower", digits=1, conventions=(Convention("sharp_v2"),))


@pytest.fixture
def sharpness(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of an installed package."""
    monkeypatch.setitem(METRICS.all, "sharpness", SHARPNESS)


def sharp(name: str, value: float, held: Sequence[str] = ("psnr_rgb_float", "sharp_v2"), **provenance: Any) -> Scores:
    """Scores that hold the metric's column, and say so unless ``held`` lacks it."""
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2) | {"sharp_v2": [value, value + 1]}
    return scores(columns, name, metrics=list(held), **provenance)


@pytest.mark.usefixtures("sharpness")
def test_a_further_metric_is_a_row_below_the_papers() -> None:
    table = build_table(6, {"s_said": sharp("S", 5), "u_said": sharp("U", 4), "noisy": sharp("N", 1)})
    assert [metric.name for metric in table.layout.metrics] == ["psnr", "ssim", "niqe", "sharpness"]
    lines = csv_lines(table)
    assert "6,25,u_said,sharpness,4.5,,,2,sharp_v2; not in the paper; n = 2 of 24" in lines
    assert "6,15,u_said,sharpness,,,,,sigma not in this experiment; not in the paper" in lines
    (note,) = [footnote for footnote in table.footnotes if footnote.text == "not in the paper"]
    assert [tuple(mark) for mark in note.marks] == [(None, None, "sharpness")]
    (letter,) = [letter for letter, footnote in table.lettered_footnotes if footnote is note]
    assert f"| σ = 25 | Sharpness (bits)<sup>{letter}</sup> | 1.5 |" in render_markdown(table)


@pytest.mark.usefixtures("sharpness")
def test_a_further_metric_is_a_column_of_table_4() -> None:
    table = build_table(4, {"u_said": sharp("U", 4)})
    assert [heading.text for heading in table.columns()[:3]] == [
        "σ = 15, NIQE",
        "σ = 15, PSNR (dB)",
        "σ = 15, Sharpness (bits)",
    ]
    assert [row.cells[5].ours for row in table.blocks()[1]] == [None, None, None, 4.5]


@pytest.mark.usefixtures("sharpness")
def test_only_what_provenance_names_is_a_further_metric() -> None:
    silent = build_table(6, {"u_said": sharp("U", 4, held=["psnr_rgb_float"])})
    assert "sharpness" not in silent.metrics
    one_of_two = {"s_said": scores(quality([30.0] * 2, [0.9] * 2, [3.0] * 2)), "u_said": sharp("U", 4)}
    assert "6,25,s_said,sharpness,,,,,no sharp_v2 in its score file; not in the paper" in csv_lines(
        build_table(6, one_of_two)
    )
    broken = failed("no GPU", metrics=["sharp_v2"])
    assert "sharpness" not in build_table(6, {"u_said": broken}).metrics
    ours = build_table(6, {"u_said": scores(quality([30.0] * 2, [0.9] * 2, [3.0] * 2), metrics=["niqe_matlab"])})
    assert [*ours.metrics] == ["psnr", "ssim", "niqe"], "another convention of a metric of the paper is none"


@pytest.mark.usefixtures("sharpness")
def test_a_further_metric_that_could_not_be_computed_is_a_dash_that_says_why() -> None:
    judge = {"unavailable": {"sharp_v2": "place sharp/model.pth below data_root"}}
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    names = ("s_said", "u_said")
    table = build_table(6, {name: scores(columns, name, metrics=["psnr_rgb_float"], judge=judge) for name in names})
    reason = "no sharp_v2: place sharp/model.pth below data_root"
    assert f"6,25,u_said,sharpness,,,,,{reason}; not in the paper" in csv_lines(table)
    (note,) = [footnote for footnote in table.footnotes if footnote.text == reason]
    assert [tuple(mark) for mark in note.marks] == [(None, None, "sharpness")]
    assert [row.cells[0].ours for row in table.blocks()[1]][-1] is None


def test_without_a_pristine_model_niqe_is_a_dash_that_says_why() -> None:
    columns = {"psnr_rgb_float": [30.0] * 2, "ssim_skimage7": [0.9] * 2}
    judge = {"unavailable": {"niqe_live": "no pristine model was given"}}
    table = build_table(6, {"u_said": scores(columns, "U-SAID", metrics=[*columns], judge=judge)})
    assert [*table.metrics] == ["psnr", "ssim", "niqe"]
    assert any(footnote.text == "no niqe_live: no pristine model was given" for footnote in table.footnotes)


def test_a_metric_that_is_undefined_says_what_size_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    sized = replace(SHARPNESS, conventions=(Convention("sharp_v2", smallest_side=161),))
    monkeypatch.setitem(METRICS.all, "sharpness", sized)
    table = build_table(6, {"s_said": sharp("S", float("nan")), "u_said": sharp("U", 4)})
    texts = [footnote.text for footnote in table.footnotes]
    assert "sharp_v2 is undefined for every image (it needs sides of 161 pixels)" in texts
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2) | {"sharp_v2": [float("nan"), 1.0]}
    part = build_table(6, {"u_said": scores(columns, "U", metrics=["sharp_v2"])})
    expected = "sharp_v2 is undefined for 1 of 2 images (it needs sides of 161 pixels)"
    assert any(expected in footnote.text for footnote in part.footnotes)


@pytest.mark.usefixtures("sharpness")
def test_a_further_metric_of_one_data_set_leaves_the_other_alone() -> None:
    both = {"confusion": CONFUSIONS, "sharp_v2": [4.0, 5.0]}
    judge = {"class_names": ["background", "lesion"], "left_out": []}
    isic = {"u_said": scores(both, benchmark="isic_segmentation", judge=judge, metrics=["confusion", "sharp_v2"])}
    table = build_table(7, isic, {"u_said": segmentation("deepglobe_segmentation")})
    lines = csv_lines(table)
    assert "7,isic2018,u_said,sharpness,4.5,,,2,sharp_v2; not in the paper; n = 2 of 24" in lines
    assert "7,deepglobe,u_said,sharpness,,,,,no sharp_v2 in the score files; not in the paper" in lines
    (note,) = [footnote for footnote in table.footnotes if footnote.text == "no sharp_v2 in the score files"]
    assert [tuple(mark) for mark in note.marks] == [("deepglobe", "u_said", "sharpness")]


# Table IV: non-blind methods in two settings


def told(psnr_of: Mapping[tuple[float, float], float], title: str = "CBM3D", method: str = "cbm3d") -> Scores:
    """Scores of a non-blind method: (sigma, told sigma) -> PSNR of both images."""
    rows = [
        {"image_id": i, "sigma": s, "draw": 0, "told_sigma": t, "psnr_rgb_float": psnr, "niqe_live": 3.0}
        for (s, t), psnr in psnr_of.items()
        for i in "ab"
    ]
    return Scores(pd.DataFrame(rows), provenance_of(title) | {"entry": {"method": method}})


def blind(psnr_of: Mapping[float, float]) -> Scores:
    rows = [
        {"image_id": i, "sigma": s, "draw": 0, "psnr_rgb_float": psnr, "niqe_live": 3.5, "ssim_skimage7": 0.9}
        for s, psnr in psnr_of.items()
        for i in "ab"
    ]
    return Scores(pd.DataFrame(rows), provenance_of("U-SAID") | {"entry": {"method": "u_said"}})


CBM3D = {(15.0, 15.0): 34.0, (15.0, 25.0): 32.0, (25.0, 25.0): 31.0, (35.0, 35.0): 30.0, (35.0, 25.0): 25.0}


def test_table_4_shows_both_settings_and_shares_sigma_25() -> None:
    table = build_table(4, {"cbm3d": told(CBM3D), "u_said": blind({15: 34.5, 25: 32.5, 35: 30.5})})
    ours = {(cell.place.group, cell.place.denoiser): cell.ours for cell in table.cells if cell.place.metric == "psnr"}
    groups = [f"{setting}/{sigma}" for setting in ("median_sigma", "oracle_sigma") for sigma in (15, 25, 35)]
    assert [ours[group, "cbm3d"] for group in groups] == [32, 31, 25, 34, 31, 30]
    assert [ours[group, "u_said"] for group in groups] == [34.5, 32.5, 30.5] * 2
    paper = {(cell.place.group, cell.place.denoiser): cell.paper for cell in table.cells if cell.place.metric == "psnr"}
    assert [paper[group, "cbm3d"] for group in groups] == [32.60, 31.81, 25.29, 34.40, 31.81, 30.04]
    assert [*table.layout.denoisers] == ["mlp", "mc_wnnm", "cbm3d", "u_said"]
    assert table.layout.groups["median_sigma/15"] == "Told σ = 25; σ = 15"
    assert table.layout.groups["oracle_sigma/15"] == "Told true σ; σ = 15"


def test_a_level_that_was_not_run_marks_its_columns_and_a_setting_its_rows() -> None:
    table = build_table(4, {"u_said": blind({25: 32.5})})
    (letter,) = (letter for letter, note in table.lettered_footnotes if note.text == "sigma not in this experiment")
    assert [letter in column.letters for column in table.columns()] == [True, True, False, False, True, True]
    assert not any(row.group.letters for block in table.blocks() for row in block)
    nothing = build_table(4, {})
    assert not any(column.letters for column in nothing.columns())


def test_table_4_has_the_papers_layout() -> None:
    table = build_table(4, {"cbm3d": told(CBM3D), "u_said": blind({15: 34.5, 25: 32.5, 35: 30.5})})
    heads = [f"σ = {sigma}, {metric}" for sigma in (15, 25, 35) for metric in ("NIQE", "PSNR (dB)")]
    assert [column.text for column in table.columns()] == heads
    blocks = table.blocks()
    assert [[row.label.text for row in block] for block in blocks] == [["MLP", "MC-WNNM", "CBM3D", "U-SAID"]] * 2
    assert [block[0].group.text for block in blocks] == ["Told σ = 25", "Told true σ"]
    assert [cell.ours for cell in blocks[0][2].cells] == [3, 32, 3, 31, 3, 25]
    assert [cell.place.group for cell in blocks[1][2].cells[::2]] == [f"oracle_sigma/{sigma}" for sigma in (15, 25, 35)]
    line = next(line for line in render_markdown(table).splitlines() if "| CBM3D" in line)
    assert "| 32.00 (32.60, -0.60)" in line


def test_table_4_says_which_methods_are_blind_and_where_print_contradicts_itself() -> None:
    table = build_table(4, {"cbm3d": told(CBM3D), "u_said": blind({15: 34.5, 25: 32.5, 35: 30.5})})
    marks = {footnote.text: footnote.marks for footnote in table.footnotes}
    assert [mark.denoiser for mark in marks["blind: not told any sigma, so the settings do not differ"]] == ["u_said"]
    twice = "the paper prints two values of this one experiment (the true σ is told): "
    found = {text.removeprefix(twice): [m.denoiser for m in marks[text]] for text in marks if text.startswith(twice)}
    assert found == {"3.0205 and 3.008": ["mlp"] * 2, "2.6152 and 2.662": ["cbm3d"] * 2}  # not 3.6731 and 3.673
    assert {mark.group for text in marks if twice in text for mark in marks[text]} == {
        "median_sigma/25",
        "oracle_sigma/25",
    }


def test_a_method_that_was_not_scored_in_all_cells_has_dashes_with_the_reason() -> None:
    slow = told({(25.0, 25.0): 31.4}, "MC-WNNM", "mc_wnnm")
    table = build_table(4, {"mc_wnnm": slow, "cbm3d": told(CBM3D)})
    cells = {cell.place: cell for cell in table.cells}
    assert cells["oracle_sigma/25", "mc_wnnm", "psnr"].ours == pytest.approx(31.4)
    assert cells["oracle_sigma/15", "mc_wnnm", "psnr"].ours is None
    assert "not scored at this sigma, as told, in this experiment" in cells["oracle_sigma/15", "mc_wnnm", "psnr"].note


def test_an_absent_package_leaves_the_rest_of_table_4() -> None:
    reason = "method 'cbm3d' needs the package bm3d"
    table = build_table(
        4,
        {
            "cbm3d": failed(reason, title="CBM3D", entry={"method": "cbm3d"}),
            "u_said": blind({15: 34.5, 25: 32.5, 35: 30.5}),
        },
    )
    cells = {cell.place: cell for cell in table.cells}
    assert cells["oracle_sigma/15", "cbm3d", "psnr"].ours is None
    assert reason in cells["oracle_sigma/15", "cbm3d", "psnr"].note
    assert cells["oracle_sigma/15", "u_said", "psnr"].ours == pytest.approx(34.5)
    assert any(reason in footnote.text for footnote in table.footnotes)


def test_other_tables_tell_non_blind_methods_the_truth_and_say_so() -> None:
    mine = told(CBM3D, "Mine", "mine:Mine")
    mine.rows["ssim_skimage7"] = 0.9
    found = {"cbm3d": told(CBM3D), "mine": mine, "u_said": blind({15: 34.5, 25: 32.5, 35: 30.5})}
    table = build_table(6, found)
    ours = {(cell.place.group, cell.place.denoiser): cell.ours for cell in table.cells if cell.place.metric == "psnr"}
    assert [ours[sigma, "mine"] for sigma in ("15", "25", "35")] == [34, 31, 30]
    assert "cbm3d" not in table.layout.denoisers, "it stands in Table IV"
    (mark,) = (f.marks for f in table.footnotes if f.text == "non-blind: told the true sigma")
    assert [one.denoiser for one in mark] == ["mine"]


def test_the_same_row_twice_is_refused_but_two_told_levels_are_not() -> None:
    scores = told(CBM3D)
    doubled = Scores(pd.concat([scores.rows, scores.rows.iloc[:1]]), scores.provenance)
    with pytest.raises(UsaidError, match="is there twice"):
        build_table(4, {"cbm3d": doubled})


def test_tables_that_are_not_made_from_scores() -> None:
    assert sorted(TABLES) == list(range(1, 11))
    with pytest.raises(UsaidError, match="table 3 is not made from scores"):
        build_table(3, {})


def test_a_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table_3.csv"
    path.write_text("old")

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(UsaidError, match=r"table_3\.csv: cannot be written \(No space left on device\); make room"):
        write_table(3, [], tmp_path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_a_disk_on_which_only_some_files_fit_gets_none(tmp_path: Path) -> None:
    write_table(3, [], tmp_path / "whole")
    sizes = {path.suffix: path.stat().st_size for path in (tmp_path / "whole").iterdir()}
    code = f"""
import resource
from usaid.errors import UsaidError
from usaid.report.tables.files import write_index, write_table
resource.setrlimit(resource.RLIMIT_FSIZE, ({max(sizes.values()) - 1},) * 2)
try:
    write_table(3, [], {str(tmp_path / "t")!r})
except UsaidError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (20,) * 2)
try:
    write_index({str(tmp_path / "t/index.md")!r}, [], "x")
except UsaidError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    table, index = done.stdout.splitlines()
    assert re.search(r"table_3\.\w+: cannot be written \(File too large\); make room there", table), done.stderr
    assert "index.md: cannot be written (File too large); make room there" in index
    assert list((tmp_path / "t").iterdir()) == []


AWKWARD = r"50% _net_ & #1 {σλο=é} ~^\ $x$ <a|b> 网 İ \"q\""


def test_tex_marks_and_escapes() -> None:
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    better = quality([math.inf] * 2, [0.95, 0.95002], [2.0] * 2)
    mine = scores(better, "Mine with a long title", deviations=[AWKWARD])
    table = build_table(6, {"u_said": scores(columns), "mine": mine})
    text = render_tex(table)
    assert text.startswith(r"% Table VI of U-SAID, made again. Needs \usepackage{amssymb,booktabs,graphicx,xcolor}.")
    assert r"\usaidsecond{0.9000} \usaidpaper{0.8790} & \usaidbest{0.9500}" in text
    assert r"& $\infty$ \\" in text
    assert (
        r"50\% \_net\_ \& \#1 \{$\sigma$$\lambda$[U+03BF]=\'{e}\} \textasciitilde{}\textasciicircum{}\textbackslash{}"
        in text
    )
    assert "[U+7F51]" in text
    assert r"& \shortstack{Mine with a long \\ title\textsuperscript{b}} \\" in text


@dataclass(frozen=True)
class Other:
    """Scores of another class than the suite's own are as good."""

    rows: pd.DataFrame
    provenance: dict[str, Any]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_tables_compile_without_overfull_boxes(tmp_path: Path) -> None:
    for name, table in awkward_tables().items():
        (tmp_path / name).write_text(render_tex(table), encoding="utf-8")
    (tmp_path / "all.tex").write_text(standalone_document(sorted(awkward_tables())), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")
    assert [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(points) > 10] == []


def awkward_tables() -> dict[str, Table]:
    """File name -> table: a usual one, one with eight denoisers and names to break LaTeX, a failed one, Table III."""
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    own: dict[str, ScoresLike] = {
        f"own_{i}": Other(scores(columns).rows, provenance_of(f"{AWKWARD} {i}")) for i in range(6)
    }
    path = scores(columns, deviations=["weights from /a/very/long/path/" + "without_any_blank/" * 12])
    method = Facts(AWKWARD, True, True, False, False, AWKWARD, AWKWARD)
    return {
        "small.tex": small_table(),
        "wide.tex": build_table(6, own | {"u_said": path, "broken": failed(AWKWARD)}),
        "failed.tex": build_table(6, {"u_said": failed("no GPU")}),
        "classes.tex": build_table(2, ablation()),
        "facts.tex": build_facts_table({"u_said": method, "mine": method}),
    }


# Benchmarks that the paper does not have


@pytest.fixture
def brightness(monkeypatch: pytest.MonkeyPatch) -> str:
    """A benchmark of an installed package: name."""
    metric = Metric("brightness", "Brightness", "", "higher", digits=3, conventions=(Convention("brightness_mean"),))
    card = replace(BENCHMARKS["kodak_quality"], name="kodak_brightness", metrics=("brightness",))
    monkeypatch.setitem(METRICS.all, metric.name, metric)
    monkeypatch.setitem(BENCHMARKS.all, card.name, card)
    return card.name


def test_a_benchmark_that_the_paper_lacks_has_a_table_of_its_own(brightness):
    rows = pd.DataFrame({"image_id": [*"abab"], "sigma": [15.0] * 2 + [25.0] * 2, "draw": 0})
    own = {
        name: Scores(
            rows.assign(brightness_mean=[0.1, 0.3, value, 1.01 * value]),
            provenance_of(title) | {"benchmark": brightness},
        )
        for name, title, value in (("clean", "Clean", 0.5), ("mine", "Mine", 0.25), ("other", "Other", 0.75))
    }
    table = build_table(brightness, own)
    assert [line.split(",")[:5] for line in csv_lines(table)[1:4]] == [
        [brightness, "15", "mine", "brightness", "0.200"],
        [brightness, "15", "other", "brightness", "0.200"],
        [brightness, "15", "clean", "brightness", "0.200"],
    ]
    assert {(c.place.group, c.place.denoiser): c.rank for c in table.cells}["25", "other"] == 1
    page, tex = render_markdown(table), render_tex(table)
    assert page.startswith("**Benchmark kodak_brightness.** Kodak, split all; not in the paper.")
    assert "made again" not in page
    assert r"\label{tab:usaid-kodak_brightness}" in tex
    assert r"\caption{Benchmark kodak\_brightness. Kodak, split all; not in the paper.}" in tex


def test_where_nothing_was_scored_the_reasons_stand_below_all_the_same(brightness):
    table = build_table(brightness, {"mine": failed("no GPU", benchmark=brightness)})
    assert "not scored: no GPU" in render_markdown(table)


def test_a_benchmark_of_the_paper_has_no_second_table():
    with pytest.raises(
        UsaidError, match=r"^table kodak_quality: the paper has tables 1 to 10; kodak_quality is in 4, 6, 10"
    ):
        build_table("kodak_quality", {})


# Levels that are lacking, columns that are not wanted, and more columns than a page has room for


def test_a_level_that_an_image_is_missing_of_is_a_dash_with_the_reason_and_the_others_stand():
    lost = [{"sigma": 15.0, "told_sigma": None, "reason": "image a: boom"}]
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    table = build_table(6, {"mine": scores(columns, "Mine", failed_levels=lost), "u_said": scores(columns)})
    notes = {(cell.place.group, cell.place.denoiser): cell.note for cell in table.cells}
    numbers = {(cell.place.group, cell.place.denoiser): cell.ours for cell in table.cells}
    assert notes["15", "mine"].startswith("not scored: image a: boom")
    assert notes["15", "u_said"].startswith("not scored at this sigma")
    assert numbers["15", "mine"] is None
    assert numbers["25", "mine"] is not None


def test_a_table_of_one_sigma_shows_the_others_where_one_lacks_it() -> None:
    """The others are compared with each other, past the one that lacks it."""
    lost = [{"sigma": 25.0, "told_sigma": None, "reason": "image a: boom"}]
    broken = u_said(22, 30, 4, sigmas=(15, 35))
    columns = {"less": u_said(10, 30, 4), "mine": Scores(broken.rows, broken.provenance | {"failed_levels": lost})}
    table = build_table(2, columns | {"u_said": u_said(21, 31, 4)})
    notes = {cell.place.denoiser: (cell.ours, cell.note) for cell in table.cells if cell.place.metric == "psnr"}
    assert (notes["u_said_k10"][0], notes["u_said_k21"][0]) == (30, 31)
    assert notes["u_said_k22"] == (None, "not scored: image a: boom")
    other = u_said(21, 31, 4)
    other = Scores(other.rows.assign(draw=1), other.provenance)
    with pytest.raises(UsaidError, match=r"less\.parquet and .*u_said\.parquet: image 'a' at sigma 25, draw 0 is only"):
        build_table(2, columns | {"u_said": other})


def test_columns_of_the_paper_may_be_left_out_of_all_tables_but_not_those_with_scores():
    own = {"u_said": scores(quality([30.0] * 2, [0.9] * 2, [3.0] * 2), "U-SAID")}
    table = build_table(6, own, left_out=["s_said", "noisy", "u_said"])
    assert [*table.layout.denoisers] == ["cdncnn_b", "u_said"]
    assert "mlp" not in build_facts_table({}, left_out=["mlp"]).layout.denoisers
    facts = {"mine": Facts("Its class", True, False, False, False, "MIT", "none")}
    assert build_facts_table(facts).layout.denoisers["mine"] == "Its class"


def test_more_columns_than_fit_a_page_stand_in_parts_the_papers_first(tmp_path):
    columns = quality([30.0] * 2, [0.9] * 2, [3.0] * 2)
    many = {f"mine_{number}": scores(columns, f"Mine {number}") for number in range(28)}
    tex = render_tex(build_table(6, many))
    parts = tex.split(r"\begin{tabular}")[1:]
    assert [part.partition("\n")[0].count("c") for part in parts] == [8, 8, 7, 8]
    assert "CDnCNN-B" in parts[0]
    assert [part.count("PSNR") for part in parts] == [3] * 4, "each has the labels of the rows"
    assert tex.count(r"\caption") == 1
    assert render_tex(build_table(6, {})).count(r"\begin{tabular}") == 1
    if shutil.which("pdflatex"):
        (tmp_path / "table.tex").write_text(tex, encoding="utf-8")
        (tmp_path / "all.tex").write_text(standalone_document(["table.tex"]), encoding="utf-8")
        arguments = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
        assert subprocess.run(arguments, cwd=tmp_path, capture_output=True).returncode == 0
