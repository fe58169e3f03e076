"""README's table of what holds is that of the committed run."""

import re
from collections import Counter

import pandas as pd
import pytest
from doc_pages import ROOT

TABLES = ROOT / "results/reference/released/tables"
ROMAN = {"I": 1, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}
METRICS = {"PSNR": "psnr", "SSIM": "ssim", "NIQE": "niqe", "mIoU": "miou", "AP50": "map", "top-1": "top1"}
DENOISERS = ("cdncnn_b", "s_said", "u_said")
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\| [IVX]+ \|.*$", TEXT, re.MULTILINE)
]


def cells_of(table: int, metric: str) -> pd.DataFrame:
    """The three denoisers' cells of a table at sigma 25, in order; of Table VII those of ISIC."""
    cells = pd.read_csv(TABLES / f"table_{table}.csv", dtype=str, keep_default_na=False)
    group = "isic2018" if table == 7 else "25"
    return (
        cells.query("metric == @metric and group == @group", local_dict={"metric": metric, "group": group})
        .set_index("denoiser")
        .loc[[*DENOISERS]]
    )


def test_there_is_a_row_of_every_table_that_has_numbers_of_the_three():
    assert {ROMAN[row[0]] for row in ROWS} == {*ROMAN.values()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_has_the_committed_numbers(row):
    roman, what, n, *numbers, verdict = row
    cells = cells_of(ROMAN[roman], METRICS[what.rpartition(", ")[2]])
    assert numbers == [f"{cell.ours} ({cell.paper})" for cell in cells.itertuples()]
    assert {n.partition(" of ")[0].replace(",", "")} == {*cells["n"]}
    for reason in cells["reason"]:
        if match := re.match(r"[\d,]+ of [\d,]+ images", reason):
            assert f"{n} images" == match[0]
    holds = [*cells["verdict"]].count("holds")
    words = {*cells["verdict"]}
    assert verdict.partition(":")[0] == (words.pop() if len(words) == 1 else f"{holds} of 3 hold")


def test_the_verdicts_are_counted_right():
    counts = Counter(pd.read_csv(TABLES / "verdicts.csv")["verdict"])
    sentence = f"the {counts.total()} printed numbers {counts['holds']} hold, {counts['does not hold']} do not, "
    sentence += f"{counts['not comparable']} are not comparable and {counts['not tested']} are not tested"
    assert sentence in " ".join(TEXT.split())


def test_readme_can_be_read_in_a_minute():
    assert len(TEXT.splitlines()) <= 120
