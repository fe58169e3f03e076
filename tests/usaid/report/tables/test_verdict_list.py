"""The list of all printed numbers with their verdicts, and the counts on top of the page of the tables."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.paper.published import all_published
from usaid.report.tables.files import write_index, write_table, write_verdicts
from usaid.report.tables.render_csv import COLUMNS
from usaid.report.tables.verdict_list import KINDS, Judged, judged, render_counts
from usaid.report.tables.verdicts import WORDS


def table_file(folder: Path, table: int, *rows: dict[str, str]) -> Path:
    """A table's CSV file with some columns of some rows."""
    path = folder / f"table_{table}.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({"table": str(table), **row} for row in rows)
    return path


ROW = {
    **{"group": "25", "denoiser": "u_said", "metric": "psnr", "ours": "32.19", "low": "31.41", "high": "32.97"},
    **{"paper": "32.17", "delta": "0.02", "n": "24", "verdict": "holds", "reason": "off by 0.02, tolerance 0.05"},
}


def number(table: int, group: str, metric: str, denoiser: str, tables: list[Path]) -> Judged:
    (found,) = (one for one in judged(tables) if one[:4] == (table, group, metric, denoiser))
    return found


def test_every_printed_number_is_there_once_in_the_order_of_print(tmp_path: Path) -> None:
    found = judged([table_file(tmp_path, 6, ROW)])
    assert [one[:4] for one in found] == [entry[:4] for entry in all_published()]
    assert len(found) == 226
    assert {one.verdict for one in found} <= {*WORDS}


def test_a_number_has_what_its_table_says(tmp_path: Path) -> None:
    assert number(6, "25", "psnr", "u_said", [table_file(tmp_path, 6, ROW)]) == Judged(
        *(6, "25", "psnr", "u_said", "32.17", "32.19", "0.02", "0.05", "31.41", "32.97", "24"),
        *("holds", "off by 0.02, tolerance 0.05"),
    )


def test_a_number_of_a_table_that_the_experiment_lacks_is_not_tested_and_stands_as_in_print(tmp_path: Path) -> None:
    found = number(6, "25", "psnr", "u_said", [])
    assert found == Judged(
        6, "25", "psnr", "u_said", "32.17", "", "", "0.05", "", "", "", "not tested", "not in this experiment"
    )
    papers = {one[:4]: one.paper for one in judged([])}
    assert papers[2, "25", "psnr", "u_said_k10"] == "31.00"
    assert papers[4, "oracle_sigma/15", "niqe", "mlp"] == "4.675"
    assert papers[10, "voc", "miou_variance", "cdncnn_b"] == "3.30e-6"
    assert papers[10, "kodak", "niqe_p_value", "s_said_vs_u_said"] == "6.7845e-3"
    assert papers[10, "voc", "miou_p_value", "u_said_vs_s_said"] == "0.0744"
    assert papers[3, "categories", "deep_learning", "u_said"] == "1"


def test_numbers_of_a_failed_table_say_why(tmp_path: Path) -> None:
    path = tmp_path / "table_6.csv"
    write_marker(path, Failure("table 6", "scores are damaged; delete them"))
    found = number(6, "25", "psnr", "u_said", [path.with_suffix(".md")])
    assert (found.verdict, found.reason) == ("not tested", "the table failed: scores are damaged; delete them")


def test_a_number_that_a_table_does_not_show_is_not_tested(tmp_path: Path) -> None:
    path = table_file(tmp_path, 6, ROW, {**ROW, "denoiser": "mine", "verdict": ""})
    assert number(6, "25", "psnr", "s_said", [path]).reason == "not in our table"


def test_p_values_stand_in_the_column_of_the_denoiser_that_is_compared_with_u_said(tmp_path: Path) -> None:
    cell = {**ROW, "group": "kodak", "metric": "niqe_p_value", "ours": "0.2", "delta": "", "verdict": "does not hold"}
    path = table_file(tmp_path, 10, {**cell, "denoiser": "s_said"}, {**cell, "denoiser": "cdncnn_b", "ours": "0.3"})
    assert number(10, "kodak", "niqe_p_value", "s_said_vs_u_said", [path]).ours == "0.2"
    assert number(10, "kodak", "niqe_p_value", "u_said_vs_cdncnn_b", [path]).ours == "0.3"
    assert number(10, "kodak", "niqe_p_value", "u_said_vs_cdncnn_b", [path]).tolerance == ""


def test_other_tables_than_those_of_print_do_not_count(tmp_path: Path) -> None:
    other = table_file(tmp_path, 6, ROW).rename(tmp_path / "table_dots_brightness.csv")
    of_print = table_file(tmp_path, 10, ROW).rename(tmp_path / "table_10_print.csv")
    assert {one.verdict for one in judged([other, of_print])} == {"not tested"}


@pytest.mark.parametrize("content", [b"table,group,ours\n6,25,1\n", b"\xff\xfe", None])
def test_a_file_that_is_no_table_of_this_version_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "table_6.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        UsaidError, match=r"table_6\.csv: not a table of this version \(.*; delete it and rerun"
    ) as caught:
        judged([path])
    assert "\n" not in str(caught.value)


def test_counts_add_up_and_tell_tolerance_and_interval_apart(tmp_path: Path) -> None:
    by_interval = {
        **ROW,
        "denoiser": "s_said",
        "reason": "off by 0.11, tolerance 0.05, but inside our 95 % interval over noise draws",
    }
    other = {**ROW, "denoiser": "cdncnn_b", "verdict": "not comparable", "reason": "4 of 24 images"}
    wrong = {**ROW, "metric": "ssim", "verdict": "does not hold"}
    lines = render_counts(judged([table_file(tmp_path, 6, ROW, by_interval, other, wrong)])).splitlines()
    head = "|  | Holds | Holds by interval alone | Does not hold | Not comparable | Not tested | Printed |"
    assert head in lines
    assert "| Table VI | 1 | 1 | 1 | 1 | 23 | 27 |" in lines
    assert lines[-1] == "| All | 1 | 1 | 1 | 1 | 222 | 226 |"
    assert len(lines) == lines.index(head) + 2 + 11
    assert len(KINDS) == 5


def test_the_page_says_how_to_read_the_words_with_the_tolerances_of_the_cards(tmp_path: Path) -> None:
    sentence = render_counts(judged([])).splitlines()[2]
    assert (
        "PSNR 0.05 dB; SSIM 0.001; NIQE 0.05; mIoU, mAP (AP50), AP50-95 0.005; Top-1 Acc, Top-5 Acc 0.5 points"
        in sentence
    )
    assert sentence.endswith("[Each number with its reason](verdicts.csv).")


def test_list_and_counts_lie_beside_the_tables(tmp_path: Path) -> None:
    write_table(3, [], tmp_path)
    write_verdicts(tmp_path / "verdicts.csv", [tmp_path / "table_3.csv"])
    write_index(tmp_path / "index.md", [tmp_path / "table_3.md"], "x")
    with open(tmp_path / "verdicts.csv", encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert tuple(rows[0]) == (
        *("table", "group", "metric", "denoiser", "paper", "ours", "difference", "tolerance", "low", "high", "n"),
        *("verdict", "reason"),
    )
    assert Counter(row["verdict"] for row in rows) == {"holds": 18, "not tested": 226 - 18}
    page = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert page.index("| Table III | 18 | 0 | 0 | 0 | 0 | 18 |") < page.index("**Table III, made again.**")
