"""A variant of a benchmark: a table of its own beside the same print, that no list of verdicts and no claim reads."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from score_files import made_scores

from usaid.errors import UsaidError
from usaid.paper.layouts import TABLES
from usaid.paper.published import published
from usaid.registries import BENCHMARKS
from usaid.report.claims.files import judge_claims
from usaid.report.figures.differences import read_differences
from usaid.report.figures.drawing import name_of_dataset
from usaid.report.figures.sigma_curves import read_curves
from usaid.report.row.collect import collect_rows
from usaid.report.statistics.sections import ScoreFiles, sections_of
from usaid.report.tables.build import build_table
from usaid.report.tables.files import write_index, write_table
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex
from usaid.report.tables.specs import spec_of, spec_of_file, tables_with
from usaid.report.tables.verdict_list import judged
from usaid.scores.files import Scores, write_scores

STORED, MAIN = "coco_detection_stored", "coco_detection"


def detected(denoiser: str, psnr: float, benchmark: str = STORED, **changed: Any) -> Scores:
    """Scores of two images at the paper's sigmas, whose objects are all found."""
    dataset = {"name": "coco", "split": "val", "n": 2, "n_official": 5000, "subset": None, "ids_sha256": "0"}
    columns = {
        "psnr_rgb_float": [[psnr, psnr + 1]], "ssim_skimage7": [[0.9, 0.8]],
        "matches": [[[[1, 0.9, 1023, 0]], [[1, 0.8, 1, 0]]]], "objects": [[[[1, 1]], [[1, 1]]]],
    }  # fmt: skip
    keys = {"benchmark": benchmark, "dataset": dataset, "sigmas": (15.0, 25.0, 35.0)}
    return made_scores(denoiser, columns, **(keys | changed))


def files_of(benchmark: str, by: float = 0.0) -> dict[str, Scores]:
    psnr_of = {"cdncnn_b": 31.0, "u_said": 32.0}
    return {name: detected(name, psnr + by, benchmark) for name, psnr in psnr_of.items()}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with Table IX and that of its variant, whose PSNR is 5 dB higher."""
    for table, benchmark, by in (("9", MAIN, 0.0), ("9_stored", STORED, 5.0)):
        paths = []
        for name, own in files_of(benchmark, by).items():
            paths.append(tmp_path / f"scores/{benchmark}/{name}.parquet")
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            write_scores(paths[-1], own)
        write_table(table, paths, tmp_path / "tables")
    return tmp_path


def tables_in(results: Path) -> list[Path]:
    return sorted((results / "tables").glob("table_*.csv"), reverse=True)


def test_is_found_by_its_name():
    spec = spec_of("9_stored")
    assert spec == spec_of_file("9_stored")
    assert (spec.number, [*spec.benchmarks], spec.metrics) == (9, [STORED], TABLES[9].metrics)
    assert spec_of("9") == TABLES[9]
    assert tables_with(STORED) == [spec]
    assert tables_with(MAIN) == [TABLES[9]]
    with pytest.raises(UsaidError, match=r"^table 9_other: the paper has tables 1 to 10"):
        spec_of("9_other")
    assert spec_of_file("9_other").number is None, "of a package that is not installed here"


def test_the_printed_numbers_stand_beside_ours():
    table = build_table("9_stored", files_of(STORED))
    cells = {(cell.place.group, cell.place.denoiser, cell.place.metric): cell for cell in table.cells}
    own = cells["25", "u_said", "psnr"]
    assert own.ours == 32.5
    assert own.paper == published(9, "25", "psnr", "u_said") is not None
    assert own.files == (f"{STORED}/u_said",)
    assert (own.verdict, own.why) == ("not comparable", "2 of 5,000 images")
    assert [*table.layout.groups] == ["15", "25", "35"]
    assert "s_said" in table.layout.denoisers, "the paper's columns are there"


def test_it_says_what_it_is():
    table = build_table("9_stored", files_of(STORED))
    page, tex = render_markdown(table), render_tex(table)
    assert page.startswith("**Table IX, stored.** ")
    assert f"; benchmark {STORED}, with settings of its own." in page.splitlines()[0]
    assert "The printed numbers are Table IX's, which alone judges them: no verdict here is counted." in page
    assert "made again" not in page
    assert r"\label{tab:usaid-9_stored}" in tex
    assert r"\caption{Table IX, stored. " in tex
    assert "no verdict here" not in render_markdown(build_table(9, files_of(MAIN)))


def test_scores_of_the_one_are_none_of_the_other(results):
    with pytest.raises(UsaidError, match=f"scores of {MAIN}; Table IX, stored is made from {STORED}"):
        write_table("9_stored", [results / f"scores/{MAIN}/u_said.parquet"], results)
    with pytest.raises(UsaidError, match=f"scores of {STORED}; Table IX is made from {MAIN}"):
        write_table(9, [results / f"scores/{STORED}/u_said.parquet"], results)


def test_a_variant_of_one_of_two_data_sets_shows_that_one(monkeypatch):
    card = replace(BENCHMARKS["isic_segmentation"], name="isic_small", variant_of="isic_segmentation")
    monkeypatch.setitem(BENCHMARKS.all, card.name, card)
    counts = [[[8, 2, 0, 0], [0, 0, 5, 5]]]
    table = build_table("7_isic_small", {"u_said": made_scores("u_said", {"confusion": counts}, benchmark=card.name)})
    assert [*table.layout.groups] == ["isic2018"]
    (cell,) = (cell for cell in table.cells if cell.place[1:] == ("u_said", "miou"))
    assert (cell.ours, cell.paper) == (pytest.approx(0.475), 0.8095)


class TestWhatCounts:
    def test_its_verdicts_are_in_no_list(self, results):
        both, main = judged(tables_in(results)), judged([results / "tables/table_9.csv"])
        assert both == main
        assert len(both) == 226
        alone = judged([results / "tables/table_9_stored.csv"])
        assert {one.verdict for one in alone if one.table == 9} == {"not tested"}

    def test_the_index_has_it_below_its_table(self, results):
        page = results / "tables/index.md"
        write_index(page, tables_in(results), "made")
        text = page.read_text(encoding="utf-8")
        assert text.index("**Table IX, made again.**") < text.index("**Table IX, stored.**")
        assert "[CSV](table_9_stored.csv)" in text
        counts = [line for line in text.splitlines() if line.startswith("| Table IX")]
        assert len(counts) == 1

    def test_claims_are_those_of_the_main_benchmark(self):
        main = {MAIN: files_of(MAIN)}
        assert judge_claims(ScoreFiles(main)) == judge_claims(ScoreFiles(main | {STORED: files_of(STORED, -9.0)}))

    def test_its_comparisons_are_a_family_of_its_own(self):
        files = ScoreFiles({MAIN: files_of(MAIN), STORED: files_of(STORED)})
        for benchmark, title in ((MAIN, "Table IX, over images"), (STORED, "Table IX, stored, over images")):
            sections, left_out = sections_of(benchmark, files)
            assert [own.title for own in sections] == [title]
            assert {row.benchmark for own in sections for row in own.comparisons} == {benchmark}
            assert left_out == []


class TestPages:
    def test_a_row_tells_the_two_apart(self, results):
        rows = collect_rows(results, ["u_said"], sigmas=(25.0,))
        heads = {column.benchmark: head.data_set for column, head in rows.columns.items()}
        assert heads == {MAIN: f"MS COCO ({MAIN})", STORED: f"MS COCO ({STORED})"}
        psnr = [n.ours for c, n in zip(rows.columns, rows.lines[0].numbers, strict=True) if c.metric == "psnr"]
        assert psnr == ["32.50", "37.50"]

    def test_curves_are_drawn_by_themselves(self, results):
        panels = read_curves(tables_in(results)).panels
        names = {panel.spec.name for panel in panels}
        assert names == {"9", "9_stored"}
        (own,) = (p for p in panels if (p.spec.name, p.metric.name) == ("9_stored", "psnr"))
        assert [point.ours for point in own.curves["u_said"]] == [37.5] * 3
        assert own.curves["u_said"][1].paper == published(9, "25", "psnr", "u_said")

    def test_figures_name_it(self):
        assert name_of_dataset(STORED) == f"{name_of_dataset(MAIN)}, stored"
        assert name_of_dataset("voc_segmentation_released_code") == "VOC 2012, released code"

    def test_differences_have_print_beside_them(self, results):
        found = read_differences((results / f"scores/{STORED}").glob("*.parquet"))
        (own,) = (panel for panel in found.panels if panel.metric.name == "psnr")
        printed = [published(9, "25", "psnr", name) for name in ("u_said", "cdncnn_b")]
        assert own.differences[0].printed == pytest.approx(printed[0] - printed[1])

    def test_the_json_file_says_it_is_not_the_table_made_again(self, results):
        content = json.loads((results / "tables/table_9_stored.json").read_text(encoding="utf-8"))
        assert (content["name"], content["title"]) == ("9_stored", "Table IX, stored")
        assert content["is_made_again"] is False


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("coco_detection_stored", "coco_detection_stored is in 9_stored"),
        ("voc_segmentation", "voc_segmentation is in 5, 10"),
        ("9_Stored", "others: 10_print, 5_released_code, 9_stored"),
    ],
)
def test_a_wrong_name_of_a_table_is_told_the_right_one(name: str, cure: str) -> None:
    with pytest.raises(UsaidError, match=f"^table {name}: the paper has tables 1 to 10; {cure}$"):
        spec_of(name)
