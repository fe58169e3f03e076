"""One job: images of one shape go together, rows come out in order, and whatever fails names its image."""

import errno
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from evaluators import scoring
from evaluators.judge import Judge
from evaluators.judge_code import code_of_judge
from evaluators.metrics.niqe import PristineModel, save_pristine_model
from evaluators.scoring.job import (
    Condition,
    ScoreJob,
    Scorer,
    conditions_of,
    is_given_clean,
    score_to_file,
    write_failure,
)
from usaid import provenance
from usaid.cards import DataSet, Facts
from usaid.datasets.base import Dataset, Sample
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.images import read_rgb
from usaid.paper.layouts import TABLES
from usaid.registries import BENCHMARKS, METHODS
from usaid.scores.draws import with_further_draws
from usaid.scores.files import read_scores
from usaid.scores.journal import Journal

SHAPES = {"a": (8, 12), "b": (12, 8), "c": (8, 12), "d": (8, 12), "e": (4, 4)}


class Shapes(Dataset):
    """Five images of three shapes; the target is the image's name."""

    card = DataSet("shapes", "Shapes", "test_scoring:Shapes", {"all": 5})

    def find_ids(self) -> Sequence[str]:
        return [*SHAPES]

    def read(self, image_id: str) -> Sample:
        return Sample(image_id, np.full((*SHAPES[image_id], 3), 128, np.uint8), image_id)


class Recording(Judge):
    """Notes the batches that it sees; its statistic is a list of numbers."""

    metrics = ("counts", "width")

    def __init__(self, fails_on: str = "") -> None:
        self.batches: list[str] = []
        self.fails_on = fails_on

    def look(self, denoised: torch.Tensor) -> int:
        return denoised.shape[3]

    def score(self, seen: int, denoised: torch.Tensor, clean: torch.Tensor, targets: Sequence[Any]) -> dict[str, Any]:
        self.batches.append("".join(targets))
        if self.fails_on in targets:
            raise ValueError("no such\nthing")
        return {"counts": torch.arange(2 * len(targets)).reshape(-1, 2), "width": [seen] * len(targets)}


class Told(Denoiser):
    """Non-blind; works in steps of ten, and adds to its images what it was told."""

    facts = Facts("Told", False, False, False, False, "MIT", "none")

    def __init__(self) -> None:
        self.calls: list[float | None] = []

    def hears(self, told_sigma: float) -> float:
        return round(told_sigma, -1)

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        self.calls.append(told_sigma)
        return noisy


def run(
    judge: Judge,
    folder: Path,
    sigmas: Sequence[float] = (25,),
    draws: int = 1,
    denoiser: Denoiser | None = None,
    told_sigmas: Sequence[float | str] = ("oracle",),
) -> list[dict[str, Any]]:
    denoiser = denoiser or build_denoiser("noisy")
    conditions = conditions_of(denoiser, sigmas, range(draws), told_sigmas)
    scorer = Scorer("mine", denoiser, Shapes(folder, "all"), judge, denoiser.device)
    journal = Journal(folder / "journal", {})
    try:
        rows = scorer.rows(conditions, journal)
    finally:
        journal.close()
    assert {"decode", "noise", "denoiser", "network", "metric"} >= scorer.clock.seconds.keys()
    return rows


def test_images_of_one_shape_are_denoised_together_and_rows_come_in_order(tmp_path, monkeypatch):
    monkeypatch.setitem(scoring.PIXELS_PER_BATCH, "cpu", 2 * 8 * 12)
    judge = Recording()
    rows = run(judge, tmp_path, sigmas=(15, 25), draws=2)
    assert list(dict.fromkeys(judge.batches)) == ["ac", "b", "d", "e"]
    assert [(row["image_id"], row["sigma"], row["draw"]) for row in rows] == [
        (image_id, sigma, draw) for image_id in "abcde" for sigma in (15.0, 25.0) for draw in (0, 1)
    ]
    assert {(row["image_id"], row["width"]) for row in rows} == {(i, SHAPES[i][1]) for i in SHAPES}
    assert [row["counts"] for row in rows if row["image_id"] in "ac"] == [[0, 1]] * 4 + [[2, 3]] * 4


def test_few_images_wait_for_others_of_their_shape(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "WAITING", 1)
    judge = Recording()
    rows = run(judge, tmp_path)
    assert judge.batches == ["a", "b", "cd", "e"]
    assert [row["image_id"] for row in rows] == [*SHAPES]


def test_a_failing_judge_names_the_image_and_the_others_stay_scored(tmp_path, monkeypatch):
    monkeypatch.setitem(scoring.PIXELS_PER_BATCH, "cpu", 1)
    with pytest.raises(UsaidError, match=r"^image c: ValueError: no such thing$"):
        run(Recording(fails_on="c"), tmp_path)
    judge = Recording()
    assert [row["image_id"] for row in run(judge, tmp_path)] == [*SHAPES]
    assert judge.batches == ["c", "d", "e"]  # what was scored before is not scored again


def test_non_blind_methods_are_told_each_level_and_equal_cells_are_computed_once(tmp_path):
    """Settings I and II of Table IV: at sigma 25 both are one experiment."""
    told = Told()
    told.hears = lambda level: level
    rows = run(Recording(), tmp_path, (15, 25, 35), 1, told, ("oracle", 25))
    assert [(row["sigma"], row["told_sigma"]) for row in rows if row["image_id"] == "a"] == [
        (15, 15),
        (15, 25),
        (25, 25),
        (35, 35),
        (35, 25),
    ]
    batches = 3  # of images of one shape
    assert sorted(told.calls) == sorted([15, 25, 25, 35, 25] * batches)


def test_levels_that_come_to_the_same_share_one_computation_and_have_a_row_each(tmp_path):
    told, judge = Told(), Recording()
    rows = run(judge, tmp_path, (35,), 1, told, ("oracle", 38, 12))
    assert [row["told_sigma"] for row in rows if row["image_id"] == "e"] == [35, 38, 12]
    assert told.calls == [35, 12] * 3
    assert len({str(row["counts"]) for row in rows if row["image_id"] == "a" and row["told_sigma"] != 12}) == 1
    judge.batches.clear()
    assert run(judge, tmp_path, (35,), 1, told, ("oracle", 38, 12)) == rows
    assert judge.batches == [], "all of it was in the journal"


def test_blind_methods_ignore_what_they_are_told(tmp_path):
    judge = Recording()
    rows = run(judge, tmp_path, (15, 25), 1, None, ("oracle", 25))
    assert {row["told_sigma"] for row in rows} == {None}
    assert len(rows) == 2 * len(SHAPES)


def test_a_class_without_facts_is_refused():
    class Unknown(Told):
        facts = None

        def hears(self, told_sigma: float) -> float | None:
            return Denoiser.hears(self, told_sigma)

    with pytest.raises(UsaidError, match="Unknown: has no attribute 'facts'"):
        conditions_of(Unknown(), [25], [0], ["oracle"])


def test_a_told_sigma_of_zero_is_refused():
    told = Told()
    told.hears = lambda level: Denoiser.hears(told, level)
    with pytest.raises(UsaidError, match="told sigma = 0: must be a finite number > 0"):
        conditions_of(told, [0, 25], [0], ["oracle"])


def test_each_benchmark_of_the_suite_is_in_a_table():
    assert {name for spec in TABLES.values() for name in spec.benchmarks} == BENCHMARKS.own.keys()


def test_pixels_that_do_not_decode_fail_the_job_with_the_file(tmp_path):
    class Files(Shapes):
        def read(self, image_id: str) -> Sample:
            return Sample(image_id, read_rgb(self.data_root / f"{image_id}.png"), image_id)

    for image_id in SHAPES:
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{image_id}.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:40])
    journal = Journal(tmp_path / "journal", {})
    denoiser = build_denoiser("noisy")
    scorer = Scorer("noisy", denoiser, Files(tmp_path, "all"), Recording(), denoiser.device)
    with pytest.raises(UsaidError, match=r"c\.png: does not decode"):
        scorer.rows([Condition(25, 0, (None,))], journal)
    journal.close()


# What a denoiser may do


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda noisy: noisy[:, :, 1:], r"^image a, c, d: mine: returned shape \(3, 3, 7, 12\)"),
        (lambda noisy: torch.full_like(noisy, torch.nan), "^image a, c, d: mine: returned values that are not finite"),
        (lambda noisy: noisy.numpy(), "^image a, c, d: mine: returned ndarray"),
        (lambda noisy: 1 / 0, "^image a, c, d: .*ZeroDivisionError: division by zero"),
    ],
)
def test_a_denoiser_that_breaks_its_contract_is_named_with_the_image(tmp_path, answer, complaint):
    class Wrong(Told):
        def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
            return answer(noisy)

    with pytest.raises(UsaidError, match=complaint):
        run(Recording(), tmp_path, denoiser=Wrong())


def test_only_cards_of_the_suites_own_are_given_the_clean_image(monkeypatch):
    assert [name for name in METHODS if is_given_clean(name)] == ["clean"]
    stranger = replace(METHODS["clean"], name="peeking", denoiser="strangers:Peeking")
    monkeypatch.setitem(METHODS.__dict__, "all", {**METHODS.own, "peeking": stranger})
    assert METHODS["peeking"].given_clean
    assert not is_given_clean("peeking")
    assert not is_given_clean("usaid.denoisers.identity.denoiser:Clean")


# The job and its file


@pytest.fixture
def job(tmp_path, monkeypatch) -> ScoreJob:
    """Two images of Kodak's, 24x32 pixels, on the quality benchmark."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/kodak").mkdir(parents=True)
    for name in ("kodim01", "kodim02"):
        pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/kodak/{name}.png")
    (tmp_path / "data/ids.txt").write_text("kodim01\nkodim02\n")
    save_pristine_model(tmp_path / "niqe.npz", PristineModel("niqe_fitted", torch.zeros(36), torch.eye(36)))
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": "data",
            "niqe": "niqe_fitted",
            "device": "cpu",
            "subsets": {"kodak/all": "ids.txt"},
            "denoisers": {name: {"method": name} for name in ("noisy", "clean", "cbm3d")},
            "benchmarks": {"kodak_quality": {"sigmas": [25], "draws": 2, "notes": ["a trial"]}},
        }
    )
    output = tmp_path / "scores/noisy.parquet"
    return ScoreJob(experiment, "kodak_quality", "noisy", output, tmp_path / "niqe.npz", code_hash="c0de")


def test_a_score_file_holds_rows_and_where_they_come_from(job):
    score_to_file(job)
    scores = read_scores(job.output)
    assert scores.rows["image_id"].tolist() == ["kodim01"] * 2 + ["kodim02"] * 2
    assert scores.rows["psnr_rgb_float"].between(19, 22).all()
    recorded = scores.provenance
    wanted = {"experiment": "x", "benchmark": "kodak_quality", "denoiser": "noisy", "title": "Noisy"}
    wanted |= {"entry": {"method": "noisy"}, "code_hash": "c0de", "config_sha256": job.experiment.sha256}
    wanted |= {"pixels": 4 * 24 * 32, "failure": None, "weights_sha256": None, "draws": None}
    assert {key: recorded[key] for key in wanted} == wanted
    assert recorded["judge"]["niqe"] == "niqe_fitted"
    assert recorded["deviations"][0] == "a trial"
    assert "2 of 2 images of kodak are not" in recorded["deviations"][1]
    assert "NIQE with a pristine model fitted" in recorded["deviations"][2]
    assert recorded["dataset"] | {"ids_sha256": ""} == {
        **{"name": "kodak", "split": "all", "n": 2, "n_official": 24},
        **{"subset": "ids.txt", "longest_side": None, "ids_sha256": ""},
    }


def test_images_that_are_not_official_are_a_deviation_unless_they_are_called_generated(job):
    score_to_file(job)
    assert any(
        "2 of 2 images of kodak are not 768x512" in text for text in read_scores(job.output).provenance["deviations"]
    )
    generated = job.experiment.model_copy(update={"data_source": "miniature"})
    score_to_file(replace(job, experiment=generated))
    deviations = read_scores(job.output).provenance["deviations"]
    assert not any("pixels" in text for text in deviations)
    assert any("images generated by code" in text for text in deviations)


def test_a_damaged_journal_costs_its_own_rows(job, capsys):
    score_to_file(job)
    rows = read_scores(job.output).rows
    journal = Path(f"{job.output}.rows.jsonl")
    header, first, *others = journal.read_bytes().splitlines(keepends=True)
    without_psnr = {key: value for key, value in json.loads(first).items() if key != "psnr_rgb_float"}
    journal.write_bytes(b"".join([header, b"\0" * 99 + b"\n", json.dumps(without_psnr).encode() + b"\n", *others[:-1]]))
    score_to_file(job)
    assert "2 lines that cannot be read passed over" in capsys.readouterr().out
    again = read_scores(job.output)
    pd.testing.assert_frame_equal(again.rows, rows)
    assert again.provenance["pixels"] == 2 * 24 * 32


def test_a_disk_that_fills_up_is_no_score_and_the_next_run_goes_on(job, monkeypatch):
    real, limit = os.write, 900

    def write(file: int, content: bytes) -> int:
        if os.fstat(file).st_size + len(content) > limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, content)

    monkeypatch.setattr(os, "write", write)
    for _ in range(2):
        with pytest.raises(UsaidError, match=r"rows\.jsonl: cannot be written \(No space left on device\); make room"):
            score_to_file(job)
        assert not job.output.exists()
    monkeypatch.setattr(os, "write", real)
    score_to_file(job)
    assert len(read_scores(job.output).rows) == 4


def test_the_clean_images_are_scored_as_such(job):
    score_to_file(replace(job, denoiser="clean"))
    assert np.isposinf(read_scores(job.output).rows["psnr_rgb_float"]).all()


def test_rows_of_the_same_code_are_kept_and_those_of_other_code_are_not(job):
    score_to_file(job)
    score_to_file(job)
    assert read_scores(job.output).provenance["pixels"] == 0, "all of it was in the journal"
    score_to_file(replace(job, code_hash="other"))
    assert read_scores(job.output).provenance["pixels"] == 4 * 24 * 32


def with_settings(job: ScoreJob, **changes: object) -> ScoreJob:
    """The job with other settings of its benchmark."""
    experiment = job.experiment
    settings = experiment.benchmarks[job.benchmark].model_copy(update=changes)
    return replace(job, experiment=experiment.model_copy(update={"benchmarks": {job.benchmark: settings}}))


def test_rows_of_other_settings_of_the_judge_are_not_kept_and_those_of_other_sigmas_are(job):
    score_to_file(job)
    score_to_file(with_settings(job, sigmas=(25.0, 15.0)))
    scores = read_scores(job.output)
    assert len(scores.rows) == 8
    assert scores.provenance["pixels"] == 4 * 24 * 32, "sigma 25 was in the journal"
    score_to_file(with_settings(job, longest_side=4096))
    assert read_scores(job.output).provenance["pixels"] == 4 * 24 * 32, "the judge's settings are others"


# The further noise draws of Table X


def of_draws(job: ScoreJob, *draws: int) -> ScoreJob:
    """The job of some further draws."""
    return replace(job, output=job.output.parent / "draws/noisy.parquet", draws=range(*draws))


def test_further_draws_are_scored_at_table_x_s_sigma_and_told_the_truth(job):
    job = replace(with_settings(job, sigmas=(15.0, 25.0), told_sigmas=(40.0, "oracle")), denoiser="cbm3d")
    told = [(sigma, draw, level) for sigma, draw, (level,) in of_draws(job, 2, 4).conditions(Told())]
    assert told == [(25, 2, 25), (25, 3, 25)]
    assert len(job.conditions(Told())) == 2 * 2 * 2, "the main file has all sigmas, its own draws and all told levels"


def test_further_draws_are_those_that_a_main_file_of_more_draws_would_have(job):
    score_to_file(with_settings(job, draws=4))
    whole = read_scores(job.output).rows
    score_to_file(of_draws(with_settings(job, sigmas=(15.0, 25.0)), 2, 4))
    further = read_scores(job.output.parent / "draws/noisy.parquet")
    assert further.provenance["draws"] == [2, 3]
    pd.testing.assert_frame_equal(further.rows, whole[whole["draw"] >= 2].reset_index(drop=True))


def test_more_draws_go_on_from_the_journal_of_fewer(job):
    score_to_file(of_draws(job, 2, 4))
    score_to_file(of_draws(job, 2, 7))
    more = read_scores(of_draws(job, 2, 7).output)
    assert sorted(more.rows["draw"].unique()) == [2, 3, 4, 5, 6]
    assert more.provenance["pixels"] == 2 * 3 * 24 * 32, "draws 2 and 3 were in the journal"


def test_killed_further_draws_go_on_where_they_were(job, monkeypatch):
    scored, score_batch = [], Scorer._score_batch

    def killed(scorer: Scorer, batch: Sequence[Any], condition: Condition) -> list[dict[str, Any]]:
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(condition.draw)
        return score_batch(scorer, batch, condition)

    monkeypatch.setattr(Scorer, "_score_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        score_to_file(of_draws(job, 2, 6))
    assert not of_draws(job, 2, 6).output.exists()
    monkeypatch.setattr(Scorer, "_score_batch", score_batch)
    score_to_file(of_draws(job, 2, 6))
    whole = read_scores(of_draws(job, 2, 6).output)
    assert sorted(whole.rows["draw"].unique()) == [2, 3, 4, 5]
    assert whole.provenance["pixels"] == 2 * 2 * 24 * 32, "two draws were in the journal"


def test_further_draws_join_the_main_file(job):
    score_to_file(with_settings(job, sigmas=(15.0, 25.0)))
    score_to_file(of_draws(job, 2, 4))
    joined = with_further_draws(read_scores(job.output), read_scores(of_draws(job, 2, 4).output))
    assert joined.rows.groupby("image_id")["draw"].apply(sorted).tolist() == [[0, 1, 2, 3]] * 2
    assert len(set(joined.rows["psnr_rgb_float"])) == 2 * 4, "each draw is other noise"


def test_failed_further_draws_say_which_they_are(job):
    write_failure(of_draws(job, 2, 4), "it broke")
    provenance = read_scores(of_draws(job, 2, 4).output).provenance
    assert (provenance["draws"], provenance["failure"]) == ([2, 3], "it broke")


# The version of the evaluator


def test_the_code_that_judges_is_recorded_whatever_the_denoiser(job):
    codes = {}
    for denoiser in ("noisy", "clean"):
        score_to_file(replace(job, denoiser=denoiser, code_hash=denoiser))
        codes[denoiser] = read_scores(job.output).provenance["judge"]["code"]
    assert codes["noisy"] == codes["clean"] == code_of_judge(job.card, job.settings)
    assert re.fullmatch("[0-9a-f]{16}", codes["noisy"])


def test_rows_that_another_evaluator_judged_are_not_kept(job, monkeypatch):
    score_to_file(job)
    monkeypatch.setattr(scoring, "code_of_judge", lambda card, settings: "another")
    score_to_file(job)
    recorded = read_scores(job.output).provenance
    assert recorded["judge"]["code"] == "another"
    assert recorded["pixels"] == 4 * 24 * 32


def test_a_failure_has_no_rows_and_says_why(job):
    write_failure(job, "it\nbroke")
    scores = read_scores(job.output)
    assert len(scores.rows) == 0
    assert scores.provenance["failure"] == "it broke"
    assert scores.provenance["code_hash"] == "c0de"
    assert (scores.provenance["dataset"]["n_official"], scores.provenance["dataset"]["subset"]) == (24, "ids.txt")


def test_the_packages_of_a_method_are_recorded_with_its_scores_alone(job, monkeypatch):
    monkeypatch.setattr(provenance, "_version", lambda name: f"1.0 of {name}")
    recorded = {}
    for denoiser in ("noisy", "cbm3d"):
        write_failure(replace(job, denoiser=denoiser), "not tried")
        recorded[denoiser] = read_scores(job.output).provenance["packages"]
    assert recorded["cbm3d"].keys() - recorded["noisy"].keys() == {"bm3d", "bm4d"}
    assert recorded["cbm3d"]["bm3d"] == "1.0 of bm3d"
