"""``table_*.json``: what a page about a table is made from."""

import json
import math
from dataclasses import replace

import pytest
from score_files import PSNR, made_scores

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.report.tables.build import build_table
from usaid.report.tables.files import make_table
from usaid.report.tables.render_json import read_table, render_json
from usaid.report.tables.render_markdown import render_markdown
from usaid.scores.draws import with_further_draws

HOSTILE = '</script><b>"B&W" \\ $x_1$ | *' + "\u202eevitcelfer"


def columns(psnr, ssim=0.9, niqe=3.0):
    return {PSNR: [psnr], "ssim_skimage7": [[ssim] * len(psnr)], "niqe_live": [[niqe] * len(psnr)]}


@pytest.fixture
def table():
    """Table VI of three denoisers at sigma 25, whose second has a deviation, and all of them another."""
    shared = ["trained for a minute"]
    return build_table(
        6,
        {
            "u_said": made_scores("u_said", columns([32.04, 32.16, 32.0], niqe=2.9), deviations=shared),
            "mine": made_scores("mine", columns([31.0, 31.2, 31.4]), title=HOSTILE, deviations=[*shared, "mine: B&W"]),
            "clean": made_scores("clean", columns([math.inf] * 3), title="Clean", deviations=shared),
        },
    )


def parsed(table, **settings):
    return json.loads(render_json(table), **settings)


def cell_of(content, *place):
    (cell,) = (c for c in content["cells"] if (c["group"], c["denoiser"], c["metric"]) == place)
    return cell


def test_a_cell_has_ours_the_papers_the_interval_and_where_it_comes_from(table):
    cell = cell_of(parsed(table), "25", "u_said", "psnr")
    assert cell.pop("value") == 32.07
    assert float(cell.pop("low")) < 32.07 < float(cell.pop("high"))
    assert cell == {
        "group": "25", "denoiser": "u_said", "metric": "psnr", "ours": "32.07", "paper": "32.17",
        "difference": "-0.10", "n": 3, "apart": False, "rank": 1, "tied": False, "verdict": "not comparable",
        "reason": "3 of 24 images; trained for a minute", "note": "psnr_rgb_float; n = 3 of 24",
        "convention": "psnr_rgb_float", "letters": "", "scores": ["kodak_quality/u_said"],
    }  # fmt: skip


def test_what_is_not_there_is_null_and_says_why(table):
    cell = cell_of(parsed(table), "25", "s_said", "niqe")
    assert [cell[key] for key in ("value", "ours", "low", "high", "difference", "n", "rank")] == [None] * 7
    assert (cell["paper"], cell["note"], cell["scores"]) == ("2.6006", "not in this experiment", [])


def test_an_infinite_number_is_json(table):
    def refuse(name):
        pytest.fail(f"{name} is no JSON")

    cell = cell_of(parsed(table, parse_constant=refuse), "25", "clean", "psnr")
    assert (cell["value"], cell["ours"], cell["low"], cell["high"]) == ("inf", "∞", None, None)


def test_layout_and_numbers_are_those_of_the_page(table):
    content = parsed(table)
    lines = [line for line in render_markdown(table).splitlines() if line.startswith("| σ")]
    rows = [row for block in content["blocks"] for row in block]
    assert len(lines) == len(rows) == 9
    for line, row in zip(lines, rows, strict=True):
        heads = [
            one["text"] + f"<sup>{one['letters']}</sup>" * bool(one["letters"]) for one in (row["group"], row["label"])
        ]
        assert line.startswith(f"| {heads[0]} | {heads[1]} |")
        cells = [content["cells"][index] for index in row["cells"]]
        assert len(cells) == len(content["columns"])
        assert all((cell["ours"] or "–") in line for cell in cells)
        assert all(f"({cell['paper']}" in line for cell in cells if cell["paper"])
    assert [column["text"] for column in content["columns"]] == [one["title"] for one in content["denoisers"]]
    assert (content["rows"], content["name"], content["number"], content["is_made_again"]) == ("metrics", "6", 6, True)


def test_texts_are_plain(table):
    content = parsed(table)
    assert {one["name"]: one["title"] for one in content["denoisers"]}["mine"] == HOSTILE
    assert content["legend"] == "Ours (the paper's, ours minus the paper's)."
    assert content["ranks"].startswith("Best and second best of the compared denoisers by differences that survive")
    psnr = {"name": "psnr", "title": "PSNR", "letters": "", "unit": "dB", "better": "higher"}
    assert content["metrics"][0] == psnr


def test_deviations_of_all_are_footnotes_and_not_repeated_in_every_cell(table):
    content = parsed(table)
    notes = {note["text"]: note for note in content["footnotes"]}
    assert notes["Deviation from the paper: trained for a minute."]["is_deviation"]
    assert not any("trained for a minute" in cell["note"] for cell in content["cells"])
    own = notes["Deviation from the paper: mine: B&W."]
    assert cell_of(content, "25", "mine", "psnr")["note"].endswith("; mine: B&W")
    assert own["letter"] in {one["name"]: one["letters"] for one in content["denoisers"]}["mine"].split(",")
    assert not notes[next(text for text in notes if text.startswith("n = 3 of 24"))]["is_deviation"]


def test_a_deviation_that_begins_as_another_does_stays_whole(table):
    cells = [replace(cell, note=f"psnr; trained for a minute or two; {cell.note}") for cell in table.cells]
    assert all(
        "; trained for a minute or two; " in cell["note"] for cell in parsed(replace(table, cells=cells))["cells"]
    )


# Which score files a number comes from


def test_table_2_names_the_denoisers_behind_its_columns():
    def one(name, classes):
        train = {"entry": {"method": "u_said", "train": {"classes": classes}}}
        return made_scores(name, columns([30.0, 31.0]), benchmark="voc_quality", **train)

    content = parsed(build_table(2, {"more": one("more", 30), "u_said": one("u_said", 21)}))
    found = {cell["denoiser"]: cell["scores"] for cell in content["cells"] if cell["metric"] == "niqe"}
    assert found["u_said_k30"] == ["voc_quality/more"]
    assert found["u_said_k21"] == ["voc_quality/u_said"]
    assert found["u_said_k10"] == []


def test_table_4_names_one_file_in_both_settings():
    content = parsed(build_table(4, {"u_said": made_scores("u_said", columns([30.0, 31.0]), sigmas=(15, 25, 35))}))
    cells = [cell for cell in content["cells"] if cell["denoiser"] == "u_said"]
    assert {cell["group"] for cell in cells} == {f"{s}_sigma/{n}" for s in ("median", "oracle") for n in (15, 25, 35)}
    assert all(cell["scores"] == ["kodak_quality/u_said"] for cell in cells)
    assert (content["rows"], len(content["blocks"]), len(content["columns"])) == ("denoisers", 2, 6)


def test_table_7_names_the_file_of_the_data_set_also_of_one_that_failed():
    confusion = {"confusion": [[[1, 0, 0, 1]] * 2]}
    isic = {"u_said": made_scores("u_said", confusion, benchmark="isic_segmentation")}
    earth = made_scores("u_said", confusion, benchmark="deepglobe_segmentation", failure="out of memory")
    content = parsed(build_table(7, isic, {"u_said": earth}))
    assert cell_of(content, "isic2018", "u_said", "miou")["scores"] == ["isic_segmentation/u_said"]
    failed = cell_of(content, "deepglobe", "u_said", "miou")
    assert (failed["scores"], failed["note"]) == (["deepglobe_segmentation/u_said"], "not scored: out of memory")


def test_table_10_names_the_files_of_further_draws_and_of_both_sides_of_a_p_value():
    def drawn(name, niqe, joined):
        draws = [{"niqe_live": [[value - 0.5, value + 0.5]]} for value in niqe]
        main, more = (made_scores(name, own) for own in draws)
        more.rows["draw"] = 1
        return with_further_draws(main, more) if joined else made_scores(name, {"niqe_live": [[3.0, 4.0], [2.0, 3.0]]})

    kodak = {"s_said": drawn("s_said", [3.0, 3.2], True), "u_said": drawn("u_said", [2.9, 3.0], False)}
    content = parsed(build_table(10, {}, kodak, {}))
    own = ["kodak_quality/s_said", "kodak_quality/draws/s_said"]
    assert cell_of(content, "kodak", "s_said", "niqe_mean")["scores"] == own
    assert cell_of(content, "kodak", "s_said", "niqe_p_value")["scores"] == [*own, "kodak_quality/u_said"]
    assert cell_of(content, "kodak", "u_said", "niqe_variance")["scores"] == ["kodak_quality/u_said"]


@pytest.mark.parametrize("name", [3, "10_print"])
def test_what_is_made_from_no_scores_names_none(name):
    content = parsed(make_table(name, []))
    assert content["cells"]
    assert {tuple(cell["scores"]) for cell in content["cells"]} == {()}
    assert content["name"] == str(name)
    assert content["number"] == int(str(name).removesuffix("_print"))


def test_check_marks_have_no_difference():
    cell = cell_of(parsed(make_table(3, [])), "categories", "u_said", "deep_learning")
    assert (cell["ours"], cell["paper"], cell["difference"]) == ("✓", "✓", None)


# Reading


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    (tmp_path / "table_6.json").write_text(render_json(table), encoding="utf-8")
    assert read_table(tmp_path / "table_6.json") == parsed(table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "not a table of this version"),
        (b"{}", "not a table of this version"),
        (b'{"version": 1}', "not a table of this version"),
        (b"\xff\xfe\x00", "UTF-16"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(content, message, tmp_path):
    path = tmp_path / "table_6.json"
    path.write_bytes(content)
    with pytest.raises(UsaidError, match=rf"table_6\.json: .*{message}") as refusal:
        read_table(path)
    assert "\n" not in str(refusal.value)


def test_a_table_of_another_version_is_refused(table, tmp_path):
    path = tmp_path / "table_6.json"
    path.write_text(json.dumps(parsed(table) | {"version": 2}), encoding="utf-8")
    with pytest.raises(UsaidError, match="not a table of this version"):
        read_table(path)


def test_a_failed_and_an_absent_table_say_so(tmp_path):
    with pytest.raises(UsaidError, match="there is no such file"):
        read_table(tmp_path / "table_6.json")
    write_marker(tmp_path / "table_6.json", Failure("table 6", "no scores"))
    with pytest.raises(UsaidError, match="the table failed: no scores"):
        read_table(tmp_path / "table_6.json")
