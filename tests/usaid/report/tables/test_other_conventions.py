"""Further conventions of a printed metric: rows right below it, beside its print, apart in verdicts and families."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from score_files import made_scores

from usaid.cards import Convention, Metric
from usaid.paper.layouts import TABLES, table_of
from usaid.registries import BENCHMARKS, METRICS
from usaid.report.statistics.families import comparisons_of_table
from usaid.report.statistics.pages import write_statistics
from usaid.report.statistics.sections import ScoreFiles, sections_of
from usaid.report.tables.build import build_table, panels_of
from usaid.report.tables.cells import Cell, Table
from usaid.report.tables.files import write_table
from usaid.report.tables.render_csv import render_csv
from usaid.report.tables.render_json import render_json
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex
from usaid.report.tables.verdict_list import judged
from usaid.scores.files import Scores, write_scores

HALF = Metric("psnr_half", "PSNR of halves", "dB", "higher", 2, (Convention("psnr_of_halves"),), printed_as="psnr")
WHOLE = Metric(
    "miou_again", "mIoU again", "", "higher", 4, printed_as="miou",
    conventions=(Convention("miou_again", "usaid.scores.whole_set:MIOU_DATASET", of_whole_set=True),),
)  # fmt: skip


@pytest.fixture(autouse=True)
def conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A convention of PSNR that is a column of its own, and one of mIoU from the counts that every file has."""
    for metric, name in ((HALF, "kodak_quality"), (WHOLE, "voc_segmentation"), (WHOLE, "isic_segmentation")):
        card = BENCHMARKS[name]
        monkeypatch.setitem(METRICS.all, metric.name, metric)
        monkeypatch.setitem(BENCHMARKS.all, name, replace(card, metrics=(*card.metrics, metric.name)))


def kodak(denoiser: str, psnr: Sequence[float], half: Sequence[float] | None = None, **changed: Any) -> Scores:
    """Scores of a denoiser on Kodak images at sigma 25."""
    columns: dict[str, Any] = {"psnr_rgb_float": [psnr], "ssim_skimage7": [[0.9] * len(psnr)]}
    columns |= {"niqe_live": [[3.0] * len(psnr)]} | ({} if half is None else {"psnr_of_halves": [half]})
    return made_scores(denoiser, columns, **changed)


def segmented(denoiser: str, counts: Sequence[Sequence[int]] = ((8, 2, 0, 0), (0, 0, 5, 5)), **changed: Any) -> Scores:
    return made_scores(denoiser, {"confusion": [counts]}, **({"benchmark": "voc_segmentation"} | changed))


def cells_of(table: Table, metric: str) -> dict[tuple[str, str], Cell]:
    return {(cell.place.group, cell.place.denoiser): cell for cell in table.cells if cell.place.metric == metric}


def both() -> Mapping[str, Scores]:
    of = {"cdncnn_b": ([30.0, 30.5, 31.0], [40.0, 40.5, 41.0]), "u_said": ([30.1, 30.7, 31.3], [40.9, 41.7, 42.3])}
    return {name: kodak(name, *numbers) for name, numbers in of.items()}


def test_stands_right_below_its_metric_beside_the_same_print():
    table = build_table(6, both())
    assert [metric.name for metric in table.layout.metrics] == ["psnr", "psnr_half", "ssim", "niqe"]
    printed, other = cells_of(table, "psnr")["25", "u_said"], cells_of(table, "psnr_half")["25", "u_said"]
    assert (printed.paper, other.paper) == (32.17, 32.17)
    assert other.ours == pytest.approx(41.633, abs=1e-3)
    assert other.low is not None
    assert other.convention == "psnr_of_halves"
    assert cells_of(table, "psnr_half")["25", "s_said"].paper == cells_of(table, "psnr")["25", "s_said"].paper


def test_every_format_has_the_row():
    table = build_table(6, both())
    rows = [line for line in render_markdown(table).splitlines() if line.startswith("| σ = 25")]
    assert [row.split(" | ")[1].partition("<")[0] for row in rows] == [
        "PSNR (dB)",
        "PSNR of halves (dB)",
        "SSIM",
        "NIQE",
    ]
    assert "41.63" in rows[1]
    assert "(32.17, +9.46)" in rows[1]
    assert "PSNR of halves (dB)" in render_tex(table)
    assert '"psnr_half"' in render_json(table)
    lines = [*csv.DictReader(io.StringIO(render_csv(table)))]
    (own,) = (
        line for line in lines if (line["group"], line["denoiser"], line["metric"]) == ("25", "u_said", "psnr_half")
    )
    assert (own["ours"], own["paper"], own["delta"], own["verdict"], own["reason"]) == (
        "41.63",
        "32.17",
        "9.46",
        "",
        "",
    )


def test_has_no_verdict_scored_or_not_and_a_footnote_says_so():
    table = build_table(6, both())
    assert {(cell.verdict, cell.why) for cell in cells_of(table, "psnr_half").values()} == {("", "")}
    assert {cell.verdict for cell in cells_of(table, "psnr").values() if cell.paper is not None} != {""}
    (note,) = (note for note in table.footnotes if "another convention" in note.text)
    assert note.text == "PSNR in another convention, psnr_of_halves, beside the same print: without verdicts"
    assert [tuple(mark) for mark in note.marks] == [(None, None, "psnr_half")]


def test_files_that_were_made_before_have_no_such_row():
    before = {name: kodak(name, [30.0, 31.0]) for name in ("cdncnn_b", "u_said")}
    table = build_table(6, before)
    assert [*table.metrics] == ["psnr", "ssim", "niqe"]
    assert not any("another convention" in note.text for note in table.footnotes)
    failed = build_table(6, {"u_said": kodak("u_said", [30.0], [40.0], failure="no GPU")})
    assert "psnr_half" not in failed.metrics


def test_where_some_files_have_it_the_others_have_a_dash():
    table = build_table(6, {"cdncnn_b": kodak("cdncnn_b", [30.0, 31.0]), "u_said": both()["u_said"]} | {
        "u_said": kodak("u_said", [30.1, 31.3], [40.9, 42.3])})  # fmt: skip
    cells = cells_of(table, "psnr_half")
    assert cells["25", "cdncnn_b"].ours is None
    assert cells["25", "cdncnn_b"].note == "no psnr_of_halves in its score file"
    assert cells["25", "cdncnn_b"].verdict == ""
    assert cells["25", "u_said"].ours == pytest.approx(41.6)


def test_of_a_whole_data_set_it_comes_from_what_every_file_has():
    table = build_table(5, {"u_said": segmented("u_said")})
    assert [*table.metrics] == ["miou", "miou_per_image", "miou_foreground_21", "miou_again"]
    own, other = (cells_of(table, name)["25", "u_said"] for name in ("miou", "miou_again"))
    assert own.ours == other.ours == pytest.approx(0.475)
    assert (other.paper, other.convention, other.verdict) == (0.4047, "miou_again", "")


def test_of_one_of_two_data_sets_the_other_has_a_dash():
    isic = {"u_said": segmented("u_said", benchmark="isic_segmentation")}
    table = build_table(7, isic, {"u_said": segmented("u_said", benchmark="deepglobe_segmentation")})
    cells = cells_of(table, "miou_again")
    assert cells["isic2018", "u_said"].ours == pytest.approx(0.475)
    assert cells["isic2018", "u_said"].paper == 0.8095


def test_table_4_has_it_as_a_column():
    table = build_table(4, both())
    assert [heading.text for heading in table.columns()[3:6]] == [
        "σ = 25, NIQE", "σ = 25, PSNR (dB)", "σ = 25, PSNR of halves (dB)",
    ]  # fmt: skip


def test_table_10_does_not_show_it():
    counts = [[[8, 2, 0, 0], [0, 0, 5, 5]], [[9, 1, 0, 0], [0, 0, 5, 5]]]
    files = {
        name: made_scores(name, {"confusion": counts}, benchmark="voc_segmentation") for name in ("cdncnn_b", "u_said")
    }
    table = build_table(10, files, {}, {})
    assert not any("again" in name for name in table.metrics)


def test_a_benchmark_of_its_own_table_has_it_below_too(monkeypatch):
    card = replace(BENCHMARKS["kodak_quality"], name="dots", metrics=("psnr_half", "psnr", "ssim"))
    monkeypatch.setitem(BENCHMARKS.all, "dots", card)
    spec = table_of(card)
    assert spec is not None
    own = {name: kodak(name, [30.0, 31.0], [40.0, 41.5], benchmark="dots") for name in ("a", "b")}
    assert [*build_table("dots", own).metrics] == ["psnr", "psnr_half", "ssim", "niqe"]
    alone = replace(card, metrics=("psnr_half",))
    monkeypatch.setitem(BENCHMARKS.all, "dots", alone)
    assert next(iter(build_table("dots", own).metrics)) == "psnr_half", "what is not shown has nothing below it"


class TestFamilies:
    def test_its_tests_are_apart(self):
        spec = TABLES[6]
        found = comparisons_of_table(spec, panels_of(spec, [both()]), with_scores=True)
        assert [one.metric.name for one in found if one.other is not None] == ["psnr", "psnr_half", "ssim", "niqe"]
        families = {one.metric.name: (one.family, one.family_size) for one in found if one.other is not None}
        assert families["psnr"] == families["ssim"]
        assert families["psnr"][0] == "Table VI, over images"
        assert families["psnr_half"] == ("Table VI, other conventions, over images", 1)

    def test_it_changes_no_p_value_of_the_table(self):
        spec = TABLES[6]
        without = {
            name: Scores(own.rows.drop(columns="psnr_of_halves"), own.provenance) for name, own in both().items()
        }
        before, after = (comparisons_of_table(spec, panels_of(spec, [files])) for files in (without, both()))
        assert [one for one in after if one.metric.printed_as is None] == before

    def test_a_legend_names_both(self):
        psnr = [30.0, 30.6, 31.1, 29.7, 30.3, 31.6]
        files = {
            name: kodak(
                name,
                [own + far * (1 + 0.01 * n) for n, own in enumerate(psnr)],
                [own + far * (1 + 0.01 * n) for n, own in enumerate(psnr)],
            )
            for name, far in (("cdncnn_b", 0.0), ("u_said", 1.0))
        }
        page = render_markdown(build_table(6, files))
        assert (
            "for the 1 comparison of Table VI and for the 1 comparison of Table VI, other conventions, at the" in page
        )

    def test_a_page_of_statistics_has_a_section_of_its_own(self, tmp_path):
        sections, _ = sections_of("kodak_quality", ScoreFiles({"kodak_quality": both()}))
        assert [own.title for own in sections][:2] == [
            "Table IV, over images", "Table IV, other conventions, over images",
        ]  # fmt: skip
        alone, _ = sections_of("kodak_quality", ScoreFiles({"kodak_quality": {"u_said": both()["u_said"]}}))
        assert "Table VI, other conventions, over images" in [own.title for own in alone]
        paths = [write_file(tmp_path, own) for own in both().values()]
        write_statistics("kodak_quality", paths, tmp_path / "statistics")
        page = (tmp_path / "statistics/kodak_quality.md").read_text(encoding="utf-8")
        assert "## Table IV, other conventions, over images" in page


def write_file(folder, scores: Scores):
    path = folder / f"{scores.provenance['benchmark']}/{scores.provenance['denoiser']}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scores(path, scores)
    return path


def test_the_list_of_verdicts_is_the_same_without_it(tmp_path):
    paths = [write_file(tmp_path, own) for own in both().values()]
    write_table(6, paths, tmp_path / "with")
    bare = [kodak(name, own.rows["psnr_rgb_float"]) for name, own in both().items()]
    write_table(6, [write_file(tmp_path / "bare", own) for own in bare], tmp_path / "without")
    lists = [judged([tmp_path / name / "table_6.csv"]) for name in ("with", "without")]
    assert lists[0] == lists[1]
    assert any(one.ours for one in lists[0])
