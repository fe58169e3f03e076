"""Scores taken from an earlier run: only those that scoring again would give, and why not the others."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from evaluators.scoring.borrow import _same_metrics, borrow_to_file, write_failure
from evaluators.scoring.job import score_to_file
from evaluators.scoring.score_job import ScoreJob
from usaid.errors import UsaidError
from usaid.experiment.reading import as_config, checked_experiment
from usaid.report.tables.files import make_table
from usaid.report.tables.render_markdown import render_markdown
from usaid.scores.files import Scores, read_scores, write_scores


def with_changes(job: ScoreJob, **changes: Any) -> ScoreJob:
    """The job of an experiment with other keys, whose score files lie elsewhere."""
    config = as_config(job.experiment) | {"experiment": "later"} | changes
    return replace(job, experiment=checked_experiment(config), output=job.output.parent / "later.parquet")


BORROWS = {"noisy": {"method": "noisy", "scores_from": "earlier"}}


@pytest.fixture
def earlier(job: ScoreJob) -> ScoreJob:
    """The scores of noisy images at two levels, in a results folder."""
    config = as_config(job.experiment)
    config["benchmarks"]["kodak_quality"]["sigmas"] = [15, 25]
    output = Path("results/earlier/scores/kodak_quality/noisy.parquet")
    job = replace(job, experiment=checked_experiment(config), output=output)
    score_to_file(job)
    return job


def test_rows_are_those_that_scoring_again_gives(earlier):
    borrowing = with_changes(earlier, denoisers=BORROWS)
    borrow_to_file(borrowing)
    ours, theirs = (read_scores(one.output) for one in (borrowing, earlier))
    pd.testing.assert_frame_equal(ours.rows, theirs.rows)
    origin = ours.provenance["borrowed_from"]
    assert (origin["folder"], origin["experiment"], origin["is_same_evaluator"]) == ("results/earlier", "x", True)
    assert ours.provenance["experiment"] == "later"
    for key in ("title", "entry", "git", "code_hash", "deviations", "judge"):
        assert ours.provenance[key] == theirs.provenance[key], key


def test_only_the_images_levels_and_draws_of_the_experiment_are_taken(earlier):
    Path("one.txt").write_text("kodim02\n")
    benchmarks = {"kodak_quality": {"sigmas": [25, 50], "draws": 1}}
    borrowing = with_changes(earlier, denoisers=BORROWS, subsets={"kodak/all": "one.txt"}, benchmarks=benchmarks)
    borrow_to_file(borrowing)
    scores = read_scores(borrowing.output)
    assert scores.rows[["image_id", "sigma", "draw"]].values.tolist() == [["kodim02", 25.0, 0]]
    assert scores.provenance["dataset"]["n"] == 1
    reason = "results/earlier has no rows at this sigma"
    assert scores.provenance["failed_levels"] == [{"sigma": 50.0, "told_sigma": 50.0, "reason": reason}]


def test_a_level_that_lacks_draws_is_not_taken(earlier):
    borrowing = with_changes(earlier, denoisers=BORROWS, benchmarks={"kodak_quality": {"sigmas": [25], "draws": 3}})
    borrow_to_file(borrowing)
    assert read_scores(borrowing.output).provenance["failure"] == "results/earlier has 4 of 6 rows at this sigma"


def test_levels_that_the_earlier_scores_lack_are_said_with_their_cause_and_no_others(earlier):
    lost = [{"sigma": 25.0, "told_sigma": None, "reason": "image kodim01: out of memory"}]
    changed(earlier.output, lambda rows: rows[rows["sigma"] != 25], failed_levels=lost)
    reasons = {}
    for sigmas in ([15], [15, 25]):
        borrowing = with_changes(earlier, denoisers=BORROWS, benchmarks={"kodak_quality": {"sigmas": sigmas}})
        borrow_to_file(borrowing)
        levels = read_scores(borrowing.output).provenance.get("failed_levels", [])
        reasons[len(sigmas)] = [level["reason"] for level in levels]
    cause = "results/earlier has no rows at this sigma (image kodim01: out of memory)"
    assert reasons == {1: [], 2: [cause]}


def test_what_was_borrowed_already_says_from_where(earlier):
    first = with_changes(earlier, denoisers=BORROWS)
    borrow_to_file(replace(first, output=Path("results/later/scores/kodak_quality/noisy.parquet")))
    again = {"noisy": {"method": "noisy", "scores_from": "later"}}
    second = with_changes(earlier, experiment="last", denoisers=again)
    borrow_to_file(second)
    origin = read_scores(second.output).provenance["borrowed_from"]
    assert (origin["folder"], origin["borrowed_from"]["folder"]) == ("results/later", "results/earlier")


def changed(path: Path, rows: Any = lambda rows: rows, **provenance: Any) -> None:
    """Write a score file anew with something else in it."""
    scores = read_scores(path)
    write_scores(path, Scores(rows(scores.rows), scores.provenance | provenance))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"failure": "out of memory"}, "they were not scored: out of memory"),
        ({"noise_version": 0}, "their noise_version is 0, not 1"),
        ({"entry": {"method": "mlp"}}, "their method is mlp, not noisy"),
        ({"rows": lambda rows: rows.assign(image_sha256="0")}, "image 'kodim01' has other pixels there"),
        (
            {"rows": lambda rows: rows[rows["image_id"] == "kodim01"]},
            "they are of 1 of the 2 images; not of 'kodim02'",
        ),
    ],
)
def test_what_is_not_the_same_is_a_score_file_without_rows_and_no_failure_of_the_job(earlier, change, reason):
    changed(earlier.output, **change)
    borrowing = with_changes(earlier, denoisers=BORROWS)
    borrow_to_file(borrowing)
    assert read_scores(borrowing.output).provenance["failure"] == reason


def test_of_another_niqe_only_that_column_is_left_out(earlier):
    changed(earlier.output, judge={"niqe": "niqe_fitted", "niqe_model_sha256": "other"})
    borrowing = with_changes(earlier, denoisers=BORROWS)
    borrow_to_file(borrowing)
    provenance = read_scores(borrowing.output).provenance
    assert provenance["metrics"] == ["psnr_rgb_float", "ssim_skimage7"]
    assert [*provenance["borrowed_from"]["lacking"]] == ["niqe_fitted"]
    assert not any("NIQE" in text for text in provenance["deviations"])
    score_to_file(own := replace(borrowing, output=Path("own.parquet")))
    changed(own.output, denoiser="mine", title="Mine")
    text = render_markdown(make_table(6, [borrowing.output, own.output]))
    assert "not taken from earlier scores: their judge's niqe_model_sha256 is" in text
    assert "| NIQE" in text


def test_a_metric_without_a_column_is_left_out():
    """Detections lie in files of their own, though the score file names them among its metrics."""
    metrics = ("psnr_rgb_float", "detections")
    judge = SimpleNamespace(metrics=metrics, record={}, deviations=[])
    record = {"metrics": [*metrics], "judge": {}, "deviations": []}
    taken, lacking = _same_metrics(judge, Scores(pd.DataFrame({"psnr_rgb_float": [30.0]}), record))
    assert (taken, lacking) == (["psnr_rgb_float"], {"detections": "no detections in the earlier scores"})


def test_another_version_of_the_evaluator_is_a_footnote_in_a_table_with_our_own(earlier):
    judge = {key: value for key, value in read_scores(earlier.output).provenance["judge"].items() if key != "code"}
    changed(earlier.output, judge=judge)
    borrowing = with_changes(earlier, denoisers=BORROWS)
    borrow_to_file(borrowing)
    score_to_file(own := replace(borrowing, output=Path("own.parquet")))
    changed(own.output, denoiser="mine", title="Mine")
    text = render_markdown(make_table(6, [own.output, borrowing.output]))
    assert re.search(
        r"Taken from results/earlier \(code .*\), judged by an unknown version of the evaluator: Noisy\.", text
    )
    assert "Scored with different" not in text


def test_scores_that_are_not_there_are_a_dash_and_missing_images_are_a_failure(earlier, tmp_path):
    borrowing = with_changes(earlier, denoisers={"noisy": {"method": "noisy", "scores_from": "nowhere"}})
    borrow_to_file(borrowing)
    assert read_scores(borrowing.output).provenance["failure"] == "nowhere has no scores of noisy on kodak_quality"
    lost = with_changes(earlier, denoisers=BORROWS, data_root="elsewhere", subsets={})
    with pytest.raises(UsaidError, match="elsewhere"):
        borrow_to_file(lost)
    write_failure(lost, "no data")
    assert read_scores(lost.output).provenance["borrowed_from"] == {"folder": "results/earlier"}


def test_a_source_that_cannot_be_read_is_made_again_by_its_own_run(earlier):
    earlier.output.write_bytes(earlier.output.read_bytes()[:-9])
    with pytest.raises(UsaidError, match=r"noisy\.parquet: not a readable .*; delete it; the run that it is of"):
        borrow_to_file(with_changes(earlier, denoisers=BORROWS))
