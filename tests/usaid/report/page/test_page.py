import base64
import hashlib
import itertools
import json
import os
import re
from pathlib import Path

import html5lib
import pytest
from results_folders import DENOISERS, write_csv, write_json, write_results

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.report.figures.drawing import VERDICTS
from usaid.report.page.embedding import as_script
from usaid.report.page.experiments import experiments_of
from usaid.report.page.viewing import archives_of
from usaid.report.page.write import LARGEST, write_report
from usaid.report.tables.verdict_list import Judged
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS

ROOT = Path(__file__).parents[4]
REFERENCE = ROOT / "results/reference"
HTML = "{http://www.w3.org/1999/xhtml}"
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&amp;${x}\\input{y} \u202eevil\u2028\x07\ud800 {{ 7*7 }}"


def page_of(*folders: Path, output: Path | None = None) -> str:
    output = output or folders[0] / "report/index.html"
    write_report(folders, output)
    return output.read_text(encoding="utf-8")


def parsed(page: str):
    return html5lib.HTMLParser(strict=True).parse(page)


def text_of(element) -> str:
    return " ".join("".join(element.itertext()).split())


def by_id(tree, name: str):
    return next(element for element in tree.iter() if element.get("id") == name)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write_results(tmp_path / "results/mine")


# ------------------------------------------------------------------------------------------------ what is in it


def test_everything_is_in_its_place(results):
    tree = parsed(page_of(results))
    assert [text_of(one) for one in tree.iter(f"{HTML}h1")] == ["U-SAID, made again"]
    sections = [one.get("id") for one in tree.iter(f"{HTML}section") if one.get("id")]
    assert sections == ["verdict", "claims", "tables", "comparison", "figures", "images", "protocol", "cite"]
    assert text_of(by_id(tree, "table_6-25-u_said-psnr")) == "34.25 34.00 −0.25 33.25 to 35.25"
    assert text_of(by_id(tree, "table_6-25-noisy-psnr")) == "1st 34.50 33.50 to 35.50"
    links = {one.get("href") for one in tree.iter(f"{HTML}a")}
    assert {
        "../tables/table_6.csv",
        "../figures/figure_2.pdf",
        "../statistics/kodak_quality.md",
        "../claims.csv",
    } <= links


def test_the_verdict_in_three_sentences(results):
    verdict = text_of(by_id(parsed(page_of(results)), "verdict"))
    assert "1 of the 2 numbers that could be compared holds (1 in Table VI)." in verdict
    assert (
        "1 does not hold: the PSNR of CDnCNN-B (Table VI, σ = 15), 34.25 here and 34.75 in print, 0.50 apart where "
        "0.05 is allowed."
    ) in verdict
    assert "Of the other 1 nothing can be told: 1 because other images" in verdict


def test_every_id_is_there_once_and_every_link_inside_leads_somewhere(results, tmp_path):
    tree = parsed(page_of(results, write_results(tmp_path / "results/other", "other")))
    ids = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(ids) == len({*ids})
    inside = {one.get("href")[1:] for one in tree.iter(f"{HTML}a") if one.get("href", "").startswith("#")}
    assert inside - {*ids} == set()
    assert "other.table_6-25-u_said-psnr" in ids


def test_headings_go_down_one_step_at_a_time_and_tables_have_captions(results):
    tree = parsed(page_of(results))
    main = next(tree.iter(f"{HTML}main"))
    levels = [int(one.tag[-1]) for one in main.iter() if re.fullmatch(f"{HTML}h[1-6]", str(one.tag))]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for table in tree.iter(f"{HTML}table"):
        assert table.find(f"{HTML}caption") is not None
        assert all(one.get("scope") for one in table.iter(f"{HTML}th"))


def test_verdicts_have_the_colours_of_the_figures(results):
    page = page_of(results)
    for name, verdict in (("holds", HOLDS), ("miss-fill", DOES_NOT_HOLD)):
        assert f"--{name}: light-dark({VERDICTS[verdict].colour.lower()}," in page


def test_a_number_s_provenance_is_in_the_page(results):
    (script,) = (one for one in parsed(page_of(results)).iter(f"{HTML}script") if one.get("data-numbers"))
    data = json.loads(script.text)
    own = {data["texts"][row[0]]: dict(zip(data["fields"], row, strict=True)) for row in data["tables"]["table_6"]}
    number = own["table_6-25-u_said-psnr"]
    assert data["texts"][number["value"]] == "34.25"
    (name,) = (data["texts"][index] for index in number["scores"])
    said = [data["texts"][index] for index in data["scores"][name]]
    lines = dict(zip(said[::2], said[1::2], strict=True))
    assert lines["Commit"] == f"{'c0ffee' * 6} (with changes that were not committed)"
    assert lines["SHA-256 of weights"] == "ab" * 32
    assert lines["Entry"] == "method: u_said, train.steps: 1000"
    assert lines["Images"] == "24 of 24 of kodak, split all"
    assert lines["Seconds"] == "total 82.7"


def test_each_deviation_is_named_once(results):
    protocol = by_id(parsed(page_of(results)), "protocol")
    named = {text_of(one[0]): text_of(one[1]) for one in protocol.find(f".//{HTML}dl")}
    assert named["trained on 3 images"] == "Table IV (U-SAID); Table VI (U-SAID)"
    assert named["other images"] == "sentences about Table VI"
    assert len(list(protocol.iter(f"{HTML}dt"))) == 2


def test_a_deviation_with_a_semicolon_is_one(results):
    for path in (*(results / "tables").glob("table_*.json"), results / "claims.csv"):
        text = path.read_text(encoding="utf-8").replace("trained on 3 images", "trained on 3 images; not on 5")
        path.write_text(text.replace("other images", "trained on 3 images; not on 5; other images"), encoding="utf-8")
    protocol = by_id(parsed(page_of(results)), "protocol")
    assert [text_of(one) for one in protocol.iter(f"{HTML}dt")] == ["trained on 3 images; not on 5", "other images"]


def test_check_marks_are_yes_or_no_so_that_signs_are_verdicts_only(results, tmp_path):
    path = results / "tables/table_6.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell, paper, verdict in zip(content["cells"], ("✓", "✗"), (HOLDS, DOES_NOT_HOLD), strict=False):
        cell.update(ours="✓", paper=paper, verdict=verdict, difference=None, low=None, rank=None, letters="")
    write_json(path, content)
    page = page_of(results)
    tree = parsed(page)
    cells = [one for one in tree.iter(f"{HTML}td") if "fact" in one.get("class", "").split()]
    assert sorted(map(text_of, cells)) == ["yes no, does not hold", "yes yes, holds"]
    (script,) = (one for one in tree.iter(f"{HTML}script") if one.get("data-numbers"))
    assert {"yes", "no"} < {*json.loads(script.text)["texts"]}
    page = page_of(REFERENCE / "released", output=tmp_path / "index.html")
    lines = text_of(by_id(parsed(page), "comparison"))
    assert "segmentation annotation, U-SAID no no ✓ holds" in lines.lower().replace("u-said", "U-SAID")


def test_experiments_side_by_side_are_told_where_they_disagree(results, tmp_path):
    numbers = [
        Judged(6, "15", "psnr", "u_said", "34.62", "34.1", "-0.5", "0.05", "", "", "4", "does not hold", ""),
        Judged(6, "15", "psnr", "cdncnn_b", "34.75", "", "", "0.05", "", "", "", "not tested", ""),
    ]
    other = write_results(tmp_path / "results/other", "other", verdicts=numbers)
    comparison = by_id(parsed(page_of(results, other)), "comparison")
    rows = [one for one in comparison.iter(f"{HTML}tr") if one.find(f"{HTML}td") is not None][1:]
    assert [one.get("data-disagree") is not None for one in rows] == [True, False, False]
    assert text_of(rows[0]) == "σ = 15, PSNR (dB), U-SAID 34.62 34.63 ✓ holds 34.1 ✗ does not hold"


def test_the_committed_runs_say_how_they_are_made_again(tmp_path):
    cite = text_of(by_id(parsed(page_of(REFERENCE / "released", output=tmp_path / "index.html")), "cite"))
    assert "make reference DATA=/folder/with/the/data" in cite
    assert "snakemake --cores all table_6 --configfile config/released.yaml config/reference_released.yaml" in cite


# ------------------------------------------------------------------------------------------------ safe, small, the same


def test_nothing_is_asked_of_a_network_and_no_script_runs_but_the_page_s_own(results):
    page = page_of(results)
    tree = parsed(page)
    (policy,) = (one.get("content") for one in tree.iter(f"{HTML}meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'sha256-")
    scripts = [one.text for one in tree.iter(f"{HTML}script") if one.get("type") == "module"]
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall("'sha256-([^']+)'", policy) == hashes
    sources = [one.get(name) for one in tree.iter() for name in ("src", "srcset", "data") if one.get(name)]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not list(tree.iter(f"{HTML}link"))
    assert "@import" not in page
    assert "url(" not in page


def test_the_same_results_give_the_same_bytes(results, tmp_path):
    assert page_of(results) == page_of(results)


def test_hostile_texts_are_harmless(tmp_path):
    results = write_results(tmp_path / "mine", "mine", {**DENOISERS, "u_said": HOSTILE}, says=HOSTILE)
    page = page_of(results)
    tree = parsed(page)
    assert [one.get("src")[:5] for one in tree.iter(f"{HTML}img")] == ["data:"]
    assert not [name for one in tree.iter() for name in one.attrib if str(name).startswith("on")]
    assert "{{ 7*7 }}" in text_of(by_id(tree, "claims"))
    assert "\x07" not in page
    assert "\u2028" not in "".join(re.findall("<script.*?</script>", page, re.DOTALL))
    (script,) = (one for one in tree.iter(f"{HTML}script") if one.get("data-numbers"))
    assert any("</script><img" in text for text in json.loads(script.text)["texts"])


def test_data_in_a_script_cannot_end_it():
    text = as_script({"a": "</script><!--&\u2028"})
    assert not {"<", ">", "&", "\u2028"} & {*text}
    assert json.loads(text) == {"a": "</script><!--&\u2028"}


def test_the_committed_runs_fit_well_below_the_limit(tmp_path):
    folders = [REFERENCE / name for name in ("released", "subset", "table_4")]
    page = page_of(*folders, output=tmp_path / "index.html")
    parsed(page)
    assert len(page.encode()) < LARGEST


# ------------------------------------------------------------------------------------------------ what is not there


def test_two_hundred_denoisers(tmp_path):
    denoisers = {**DENOISERS, **{f"mine_{n}": f"My denoiser {n}" for n in range(197)}}
    page = page_of(write_results(tmp_path / "mine", denoisers=denoisers))
    assert len(page.encode()) < 5_000_000
    assert len(list(by_id(parsed(page), "table_6").iter(f"{HTML}button"))) == 4 * 200 + 4


def test_one_denoiser_only(tmp_path):
    tree = parsed(page_of(write_results(tmp_path / "mine", denoisers={"u_said": "U-SAID"})))
    assert text_of(by_id(tree, "table_6-15-u_said-psnr")).startswith("1st 34.50")


def test_a_table_that_failed_says_why(results):
    write_marker(results / "tables/table_6.json", Failure("table 6", "kodak_quality failed: no such <image>"))
    table = text_of(by_id(parsed(page_of(results)), "table_6"))
    assert "Table VI Not here: table_6.json failed: kodak_quality failed: no such <image>." in table


def test_a_variant_stands_behind_its_table_and_counts_nowhere(results, tmp_path):
    before = text_of(by_id(parsed(page_of(results)), "verdict"))
    content = json.loads((results / "tables/table_6.json").read_text(encoding="utf-8"))
    content |= {"name": "6_small", "title": "Table VI, small", "is_made_again": False}
    write_json(results / "tables/table_6_small.json", content)
    for name in ("10_print", "9"):
        write_json(results / f"tables/table_{name}.json", content | {"name": name})
    (experiment,) = experiments_of([results], tmp_path / "index.html")
    assert experiment.table_names == ["4", "6", "6_small", "9", "10_print"]
    page = parsed(page_of(results))
    assert "Table VI, small" in text_of(by_id(page, "table_6_small-title"))
    assert by_id(page, "table_6_small-25-u_said-psnr") is not None
    assert text_of(by_id(page, "verdict")) == before


def test_a_figure_that_failed_says_why(results):
    write_marker(results / "figures/figure_2.png", Failure("figure_2", "no encoder"))
    assert "the figure failed: no encoder" in text_of(by_id(parsed(page_of(results)), "figures"))


def test_only_tables_are_there(results):
    for name in ("claims.csv", "tables/verdicts.csv", "tables/provenance.json", "figures/figure_2.png"):
        (results / name).unlink()
    (results / "tables/table_4.json").unlink()
    tree = parsed(page_of(results))
    assert "there is no verdicts.csv in this experiment's results" in text_of(by_id(tree, "verdict"))
    assert "there is no claims.csv" in text_of(by_id(tree, "claims"))
    assert "There are no figures" in text_of(by_id(tree, "figures"))
    assert "there is no table_4.json" in text_of(by_id(tree, "table_4"))
    assert by_id(tree, "table_6-15-u_said-psnr") is not None


def test_a_folder_without_tables_in_it_makes_a_page_that_says_so(results):
    for path in (results / "tables").glob("table_*"):
        path.unlink()
    assert "This experiment made no table." in text_of(by_id(parsed(page_of(results)), "tables"))


def test_two_folders_of_one_name_are_told_apart(results, tmp_path):
    other = write_results(tmp_path / "elsewhere/mine")
    tree = parsed(page_of(results, other))
    options = [text_of(one) for one in by_id(tree, "experiment")]
    assert options == ["mine (..)", "mine (../../../elsewhere/mine)"]
    assert by_id(tree, "mine-2.table_6-15-u_said-psnr") is not None


# ------------------------------------------------------------------------------------------------ refused


def test_what_is_no_results_folder_is_refused(results, tmp_path):
    for folders, message in (
        ([], "no results folder for the report"),
        ([tmp_path], "no results of an experiment, since it has no tables/"),
        ([results, results / ".." / "mine"], "given twice"),
    ):
        with pytest.raises(UsaidError, match=message) as error:
            write_report(folders, tmp_path / "index.html")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tables/table_6.json", "{}"),
        ("tables/table_6.json", "["),
        ("tables/table_6.json", "[]"),
        ("tables/table_6.json", '{"name": "6", "cells": [{"letters": "", "group": "", "denoiser": "", "metric": ""}]}'),
        ("tables/provenance.json", "no"),
        ("tables/verdicts.csv", "table,group\n6,15\n"),
        ("claims.csv", "claim\nx\n"),
        ("figures/figure_2.png", "no"),
    ],
)
def test_a_file_of_another_kind_is_named(results, name, content):
    (results / name).write_text(content, encoding="utf-8")
    with pytest.raises(UsaidError, match=re.escape(Path(name).name)) as error:
        page_of(results)
    assert "\n" not in str(error.value)


def test_cells_that_are_not_there_are_found_while_the_file_is_known(results):
    path = results / "tables/table_6.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["blocks"][0][0]["cells"][0] = 999
    write_json(path, content)
    with pytest.raises(UsaidError, match=r"table_6\.json: not a file of this version"):
        page_of(results)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("rows",), None),
        (("groups", 0, "title"), True),
        (("denoisers", 0), {}),
        (("denoisers", 0, "letters"), 3),
        (("cells", 0, "metric"), "no such metric"),
        (("cells", 0, "rank"), 7),
        (("cells", 0, "scores"), None),
    ],
)
def test_values_of_other_kinds_are_found_while_the_file_is_known(keys, value, results):
    path = results / "tables/table_6.json"
    content = place = json.loads(path.read_text(encoding="utf-8"))
    *before, last = keys
    for key in before:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    write_json(path, content)
    with pytest.raises(UsaidError, match=r"table_6\.json: not a file of this version"):
        page_of(results)


def test_a_reason_that_is_no_text_is_shown_all_the_same(results):
    write_marker(results / "claims.csv", Failure("claims", "half of a letter \ud800"))
    assert "half of a letter \ufffd" in page_of(results)


def test_a_folder_whose_name_is_not_utf_8(results, tmp_path):
    folder = tmp_path / os.fsdecode(b"na\xefve")
    results.rename(folder)
    (folder / "tables/provenance.json").unlink()
    assert "na%EFve/tables/table_6.csv" in page_of(folder, output=tmp_path / "index.html")


def test_a_provenance_of_any_kind_is_shown_as_far_as_it_goes(results):
    odd = {"git": "x", "packages": [], "dataset": {"n": "many"}, "seconds": {"total": "long"}, "entry": None}
    write_json(results / "tables/provenance.json", {"kodak_quality/noisy": odd, "kodak_quality/u_said": 7})
    (script,) = (one for one in parsed(page_of(results)).iter(f"{HTML}script") if one.get("data-numbers"))
    assert "not known: provenance.json does not name this file" in json.loads(script.text)["texts"]


def test_archives_of_images_stand_in_the_order_of_the_tables(results, tmp_path):
    (results / "images").mkdir()
    for name in ("a", "clean", "u_said", "cdncnn_b", "noisy"):
        (results / f"images/{name}.zip").touch()
    (experiment,) = experiments_of([results], tmp_path / "index.html")
    assert [path.stem for path in archives_of(experiment)] == ["noisy", "cdncnn_b", "u_said", "a", "clean"]


def test_verdicts_with_an_unknown_word_are_shown_as_they_are(results):
    row = Judged(6, "15", "psnr", "u_said", "34.62", "34.6", "", "", "", "", "24", "maybe", "")
    write_csv(results / "tables/verdicts.csv", Judged._fields, [row])
    assert "maybe" in text_of(by_id(parsed(page_of(results)), "verdict"))
