"""Rows for a leaderboard, from tables that were made by hand."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from score_files import PSNR, made_scores

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.registries import BENCHMARKS
from usaid.report.row.collect import Column, collect_rows
from usaid.report.row.render import CSV_COLUMNS, render_rows
from usaid.report.tables.build import build_table
from usaid.report.tables.render_json import render_json

HOSTILE = '[=1+1] | <script>x</script> \\end{tabular} 100% & $x_1$ "שלום" *'


def quality(psnr, niqe=(3.0, 3.2)):
    return {PSNR: [[psnr, psnr + 0.5]], "ssim_skimage7": [[0.9, 0.91]], "niqe_live": [[*niqe]]}


def write(folder, number, *scores):
    path = Path(folder, "tables", f"table_{number}.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(render_json(build_table(number, *scores)), encoding="utf-8")


@pytest.fixture
def results(tmp_path):
    """Kodak at three sigmas, ISIC at the only one of its table; deviations of the segmenter and of one denoiser."""
    all_sigmas = (15, 25, 35)
    kodak = {
        "mine": made_scores("mine", quality(32.0), sigmas=all_sigmas, title=HOSTILE, deviations=["mine: B&W"]),
        "u_said": made_scores("u_said", quality(31.0), sigmas=all_sigmas, title="U-SAID"),
    }
    miou = {"confusion": [[[9, 1, 1, 9], [8, 2, 2, 8], [7, 3, 3, 7]]]}
    isic = {
        name: made_scores(name, miou, benchmark="isic_segmentation", deviations=["small segmenter"], **own)
        for name, own in {"mine": {"title": HOSTILE}, "u_said": {"failure": "out of memory"}}.items()
    }
    write(tmp_path, 6, kodak)
    write(tmp_path, 7, isic, {})
    size = {"kodak_quality/mine": 24, "kodak_quality/u_said": 24, "isic_segmentation/mine": 100}
    provenance = {name: {"dataset": {"n_official": n}} for name, n in size.items()}
    (tmp_path / "tables/provenance.json").write_text(json.dumps(provenance))
    return tmp_path


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_columns_are_benchmark_metric_and_sigma_and_25_where_there_is_a_choice(results):
    rows = collect_rows(results, ["mine"])
    kodak = [Column("kodak_quality", metric, "25") for metric in ("psnr", "ssim", "niqe")]
    assert [*rows.columns] == [*kodak, Column("isic_segmentation", "miou", "25")]
    assert [line.denoiser for line in rows.lines] == ["mine"]
    assert (rows.lines[0].numbers[0].ours, rows.lines[0].numbers[3].ours) == ("32.25", "0.6667")


def test_other_sigmas_and_all(results):
    assert {c.sigma for c in collect_rows(results, ["mine"], [15]).columns if c.benchmark == "kodak_quality"} == {"15"}
    levels = [column.sigma for column in collect_rows(results, ["mine"], None).columns]
    assert levels == ["15"] * 3 + ["25"] * 3 + ["35"] * 3 + ["25"]
    with pytest.raises(
        UsaidError, match=r"--sigma 17: no benchmark was scored at it; must be among 15, 25, 35, or all"
    ):
        collect_rows(results, ["mine"], [25, 17])


def test_what_the_experiment_lacks_has_no_column(results):
    assert not any(column.benchmark == "deepglobe_segmentation" for column in collect_rows(results, ["mine"]).columns)


def test_columns_do_not_depend_on_the_denoiser(results):
    assert collect_rows(results, ["mine"]).columns == collect_rows(results, ["u_said"]).columns


def test_markdown(results):
    lines = render_rows(collect_rows(results, ["mine", "u_said"])).splitlines()
    assert lines[0].startswith(
        "| Denoiser | Kodak<br>PSNR (dB) ↑<br>σ = 25 | Kodak<br>SSIM ↑<br>σ = 25 | Kodak<br>NIQE ↓"
    )
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines[:4]} == {6}
    assert re.match(r"\| U-SAID \| 31\.25 \[[\d.]+, [\d.]+\] \| 0\.9050 \[", lines[3])
    assert lines[3].endswith("| – |")
    notes = [line.rstrip() for line in lines[5:]]
    assert lines[4] == ""
    assert notes[:3] == [
        r"Scores \[95 % interval over images\]; ↑: higher is better, ↓: lower is better.",
        "Kodak: psnr_rgb_float, ssim_skimage7, niqe_live; n = 2 of 24.",
        "ISIC 2018: miou_dataset; n = 3 of 100.",
    ]
    assert "Deviation from the paper: mine: B&W (Kodak)." in notes
    assert "Deviation from the paper: small segmenter (ISIC 2018)." in notes
    assert notes[-1] == "– U-SAID, ISIC 2018: not scored: out of memory."


def test_without_a_header_it_goes_below_the_rows_of_others(results):
    first, second = collect_rows(results, ["mine"]), collect_rows(results, ["u_said"])
    both = render_rows(collect_rows(results, ["mine", "u_said"])).splitlines()[:4]
    alone = render_rows(second, with_header=False).splitlines()[0]
    assert [*render_rows(first).splitlines()[:3], alone] == both
    assert render_rows(second, "latex", with_header=False).splitlines()[0].startswith("U-SAID & ")
    assert all(line.startswith("% ") for line in render_rows(second, "latex", with_header=False).splitlines()[1:])
    assert render_rows(second, "csv", with_header=False).startswith("u_said,U-SAID,kodak_quality,psnr,")


def test_csv_has_a_number_a_line(results):
    found = rows_of(render_rows(collect_rows(results, ["u_said"]), "csv"))
    assert [*found[0]] == [*CSV_COLUMNS]
    assert [(row["benchmark"], row["metric"], row["value"]) for row in found] == [
        ("kodak_quality", "psnr", "31.25"),
        ("kodak_quality", "ssim", "0.9050"),
        ("kodak_quality", "niqe", "3.1000"),
        ("isic_segmentation", "miou", ""),
    ]
    assert (found[0]["convention"], found[0]["sigma"], found[0]["n"], found[0]["n_official"]) == (PSNR, "25", "2", "24")
    assert found[3]["note"] == "not scored: out of memory"


def test_an_infinite_psnr_is_said_in_each_format(tmp_path):
    write(tmp_path, 6, {"clean": made_scores("clean", {PSNR: [[float("inf")] * 2]}, title="Clean")})
    rows = collect_rows(tmp_path, ["clean"])
    assert "| Clean | ∞ |" in render_rows(rows)
    assert r"Clean & $\infty$" in render_rows(rows, "latex")
    assert rows_of(render_rows(rows, "csv"))[0]["value"] == "inf"


def test_without_the_file_of_provenance_n_stands_alone(results):
    (results / "tables/provenance.json").write_text("[")
    assert "niqe_live; n = 2." in render_rows(collect_rows(results, ["mine"]))


def test_a_non_blind_method_has_the_numbers_of_table_4_told_the_truth(tmp_path):
    def told(sigma, told_sigma, psnr):
        one = made_scores("cbm3d", quality(psnr), sigmas=[sigma])
        one.rows["told_sigma"] = float(told_sigma)
        return one

    write(tmp_path, 6, {"u_said": made_scores("u_said", quality(31.0))})
    write(tmp_path, 4, {"u_said": made_scores("u_said", quality(31.0)), "cbm3d": told(25, 25, 33.0)})
    rows = collect_rows(tmp_path, ["cbm3d", "u_said"])
    assert [number.ours for number in rows.lines[0].numbers] == ["33.25", None, "3.1000"]
    assert [number.ours for number in rows.lines[1].numbers] == ["31.25", "0.9050", "3.1000"]


# What may be wrong


def test_a_failed_table_has_dashes_and_its_reason(results):
    write_marker(results / "tables/table_6.json", Failure("table 6", "kodak_quality/mine.parquet: is damaged"))
    rows = collect_rows(results, ["mine"])
    assert [column.metric for column in rows.columns] == ["miou", "psnr", "ssim", "niqe"]
    text = render_rows(rows)
    assert "| – | – | – |" in text
    assert "– Kodak: Table VI failed: kodak_quality/mine.parquet: is damaged." in text
    assert "-- & -- & --" in render_rows(rows, "latex")


def test_an_unknown_denoiser_is_told_the_known_ones(results):
    with pytest.raises(UsaidError, match=r"denoiser 'yours': has no scores in .*; must be one of u_said, mine$"):
        collect_rows(results, ["mine", "yours"])
    with pytest.raises(UsaidError, match="must be one of u_said, mine"):
        collect_rows(results, ["s_said"])  # a column of the paper's that this experiment lacks


def test_where_all_tables_failed_nothing_is_a_row(tmp_path):
    (tmp_path / "tables").mkdir()
    write_marker(tmp_path / "tables/table_6.json", Failure("table 6", "no"))
    with pytest.raises(UsaidError, match="no table of the experiment could be made"):
        collect_rows(tmp_path, ["mine"])


def test_no_tables(tmp_path):
    with pytest.raises(UsaidError, match=r"has no tables/table_\*\.json"):
        collect_rows(tmp_path / "absent", ["mine"])


def test_a_table_of_another_version_is_named(results):
    (results / "tables/table_6.json").write_text("{}")
    with pytest.raises(UsaidError, match=r"table_6\.json: not a table of this version"):
        collect_rows(results, ["mine"])


def test_another_format(results):
    with pytest.raises(UsaidError, match="--format html: must be one of markdown, latex, csv"):
        render_rows(collect_rows(results, ["mine"]), "html")


def test_a_benchmark_that_was_not_scored_at_that_sigma_is_named(results):
    table = json.loads((results / "tables/table_6.json").read_text(encoding="utf-8"))
    cells = [
        cell | {"group": {"15": "10", "35": "30"}[cell["group"]]} for cell in table["cells"] if cell["group"] != "25"
    ]
    groups = [{"name": name, "title": name, "letters": ""} for name in ("10", "30")]
    own = table | {"name": "dots_quality", "number": None, "title": "Dots", "cells": cells, "groups": groups}
    (results / "tables/table_dots_quality.json").write_text(json.dumps(own))
    rows = collect_rows(results, ["mine"])
    assert not any(column.benchmark == "dots_quality" for column in rows.columns)
    assert "dots_quality was scored at σ = 10, 30 only." in render_rows(rows)
    assert Column("dots_quality", "psnr", "30") in collect_rows(results, ["mine"], [30]).columns


def test_two_benchmarks_of_one_data_set_are_told_apart(results, monkeypatch):
    card = replace(BENCHMARKS["kodak_quality"], name="kodak_other")
    monkeypatch.setattr(BENCHMARKS, "all", BENCHMARKS.all | {"kodak_other": card})
    table = json.loads((results / "tables/table_6.json").read_text(encoding="utf-8"))
    own = table | {"name": "kodak_other", "number": None}
    (results / "tables/table_kodak_other.json").write_text(json.dumps(own))
    heads = collect_rows(results, ["mine"]).columns
    names = [heads[Column(benchmark, "psnr", "25")].data_set for benchmark in ("kodak_quality", "kodak_other")]
    assert names == ["Kodak (kodak_quality)", "Kodak (kodak_other)"]


# Titles that would break a page


def test_a_hostile_title_breaks_no_markdown(results):
    line = render_rows(collect_rows(results, ["mine"])).splitlines()[2]
    assert len(re.findall(r"(?<!\\)\|", line)) == 6
    assert "<script" not in line.replace(r"\<script", "")


def test_a_hostile_title_is_no_formula_in_a_spreadsheet(tmp_path):
    write(tmp_path, 6, {"mine": made_scores("mine", quality(30.0), title='=HYPERLINK("x"), "y"')})
    assert rows_of(render_rows(collect_rows(tmp_path, ["mine"]), "csv"))[0]["title"] == '\'=HYPERLINK("x"), "y"'


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles_with_hostile_titles(results, tmp_path):
    rows = render_rows(collect_rows(results, ["u_said", "mine"], None), "latex")
    assert r"\textbackslash{}end\{tabular\}" in rows
    more = render_rows(collect_rows(results, ["mine"], None), "latex", with_header=False)
    both = rows.replace(r"\bottomrule", f"{more}\n\\bottomrule")
    packages = r"\usepackage{amssymb,booktabs,graphicx}"
    document = rf"\documentclass{{article}}{packages}\begin{{document}}{both}\end{{document}}"
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")


def compared(folder, *lines):
    """A page of statistics with differences of PSNR at sigma 25: denoiser, other, value and interval."""
    path = folder / "statistics/kodak_quality.csv"
    path.parent.mkdir(exist_ok=True)
    head = "table,group,metric,denoiser,other,over,value,low,high"
    path.write_text("\n".join([head, *(f"6,25,psnr,{line}" for line in lines), ""]))


@pytest.mark.parametrize(
    "line", ["mine,u_said,images,1.2345,1.0000,1.5000", "u_said,mine,images,-1.2345,-1.5000,-1.0000"]
)
def test_below_a_row_stands_its_paired_difference_to_u_said(results, line):
    compared(results, line, "mine,u_said,draws,7,7,7", "mine,noisy,images,9,9,9")
    rows = collect_rows(results, ["mine", "u_said"], with_differences=True)
    assert [one.denoiser for one in rows.lines] == ["mine", "u_said", "mine-u_said"]
    difference = rows.lines[-1].numbers[0]
    assert (difference.ours, difference.low, difference.high) == ("+1.23", "1.00", "1.50")
    assert [number.reason for number in rows.lines[-1].numbers[1:]] == ["not compared"] * 2 + [
        "not scored: out of memory"
    ]
    text = render_rows(rows)
    assert " − U-SAID | +1.23 [1.00, 1.50] | – | – | – |" in text
    assert "paired differences over images" in text


def test_without_statistics_there_are_no_differences(results):
    rows = collect_rows(results, ["mine"], with_differences=True)
    assert [one.denoiser for one in rows.lines] == ["mine"]
    compared(results, "mine,u_said,images,1,1,1")
    write_marker(results / "statistics/kodak_quality.csv", Failure("statistics_page", "no disk"))
    assert len(collect_rows(results, ["mine"], with_differences=True).lines) == 1


def test_the_time_of_an_image_is_said_with_the_device(results):
    path = results / "tables/provenance.json"
    known = json.loads(path.read_text())
    known["kodak_quality/mine"] |= {"pixels_per_second": 768 * 512 * 4, "device": "cpu, 2 threads"}
    path.write_text(json.dumps(known))
    rows = collect_rows(results, ["mine", "u_said"])
    assert "the denoiser alone: " in render_rows(rows)
    assert "0.25 (cpu, 2 threads)." in render_rows(rows)
    (line,) = [line for line in rows_of(render_rows(rows, "csv")) if line["metric"] == "seconds"]
    assert (line["denoiser"], line["value"], line["note"]) == ("mine", "0.25", "cpu, 2 threads")
