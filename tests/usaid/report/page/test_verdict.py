from pathlib import Path

import pytest
from results_folders import write_results

from usaid.report.page.claims import claims_of, folds_of
from usaid.report.page.experiments import experiments_of
from usaid.report.page.tables import Table
from usaid.report.page.verdict import verdict_of
from usaid.report.page.words import words_of
from usaid.report.tables.verdict_list import Judged
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE

REFERENCE = Path(__file__).parents[4] / "results/reference"


def verdict(folder: Path, output: Path):
    (experiment,) = experiments_of([folder], output)
    words = words_of(table for _, table in experiment.tables if isinstance(table, Table))
    return verdict_of(experiment, words)


def number(table: int, verdict: str, ours: str = "1", paper: str = "1") -> Judged:
    metric = "semantic_aware" if table == 3 else "psnr"
    return Judged(table, "categories", metric, "u_said", paper, ours, "", "", "", "", "", verdict, "")


def test_numbers_are_counted_apart_from_check_marks(tmp_path):
    holds, misses, untold = verdict(REFERENCE / "released", tmp_path / "index.html").sentences
    assert holds == (
        "23 of the 30 numbers that could be compared hold (14 in Table VI, 5 in Table VIII, 4 in Table IV); "
        "18 of 18 check marks agree."
    )
    assert misses.startswith("7 do not hold; the largest miss is the PSNR of CBM3D (Table IV, σ = 15, told 25), ")
    assert "(most often: NIQE by other parameters than the paper's)" in untold
    assert "(most often: not part of this experiment)" in untold


def test_where_nothing_could_be_compared_no_sentence_is_about_misses(tmp_path):
    none, untold = verdict(REFERENCE / "subset", tmp_path / "index.html").sentences
    assert none == "None of the paper's 208 numbers could be compared; 18 of 18 check marks agree."
    assert untold.startswith("Of these 208 nothing can be told: ")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (
            [number(3, DOES_NOT_HOLD, paper="0"), number(3, HOLDS), number(6, NOT_COMPARABLE)],
            [
                "None of the paper's 1 number could be compared; 1 of 2 check marks agrees.",
                "1 does not hold: the semantic aware of U-SAID (Table III), yes here and no in print.",
                "Of these 1 nothing can be told: 1 because other images, networks, trainings or conventions made ours.",
            ],
        ),
        (
            [number(6, HOLDS)],
            ["1 of the 1 number that could be compared holds (1 in Table VI).", "Nothing is left open."],
        ),
    ],
)
def test_few_numbers(tmp_path, numbers, said):
    assert verdict(write_results(tmp_path / "mine", verdicts=numbers), tmp_path / "index.html").sentences == said


def test_reasons_of_sentences_do_not_repeat_the_verdict(tmp_path):
    (experiment,) = experiments_of([REFERENCE / "subset"], tmp_path / "index.html")
    claims = claims_of(experiment)
    assert any(claim.verdict == NOT_COMPARABLE for claim in claims)
    assert not [claim.reason for claim in claims if claim.reason.startswith(f"{claim.verdict}: ")]
    assert sum(len(own) for _, own in folds_of(claims)) == len(claims)
