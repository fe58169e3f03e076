"""Jobs of one denoiser on the same images: denoised once, files as if each had been alone, failures apart."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators.judge import Judge
from evaluators.metrics.niqe import PristineModel, save_pristine_model
from evaluators.scoring import batches, job
from evaluators.scoring.job import score_to_file, score_together, write_failure
from evaluators.scoring.score_job import ScoreJob
from evaluators.scoring.scorer import Batch, Judged, Scorer
from evaluators.segmentation.networks import _network
from usaid.checkpoints import write_weights
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.experiment.reading import checked_experiment
from usaid.scores.files import read_scores

SIZES = {"2007_000001": (40, 64), "2007_000002": (64, 40), "2007_000003": (40, 64), "2007_000004": (33, 47)}
SIGMAS = {"voc_quality": [15, 25], "voc_segmentation": [25, 35]}
COMPUTED = len(SIZES) * 3
"""Images by different sigmas."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images of VOC's with masks, a pristine model and a segmenter of random weights."""
    folder = tmp_path_factory.mktemp("voc")
    release, generator = folder / "VOCdevkit/VOC2012", np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (release / name).mkdir(parents=True)
    for image_id, size in SIZES.items():
        Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(release / f"JPEGImages/{image_id}.jpg")
        mask = Image.fromarray(generator.integers(0, 21, size, np.uint8))
        mask.save(release / f"SegmentationClass/{image_id}.png")
    (release / "ImageSets/Segmentation/val.txt").write_text("\n".join(SIZES))
    save_pristine_model(folder / "voc_quality", PristineModel("niqe_fitted", torch.zeros(36), torch.eye(36)))
    torch.manual_seed(0)
    record = {"architecture": "fpn", "encoder": "efficientnet_lite0", "classes": 21}
    record |= {"mean": [0.5] * 3, "std": [0.25] * 3}
    write_weights(_network("fpn", "efficientnet_lite0", 21), folder / "voc_segmentation", record)
    return folder


@pytest.fixture
def jobs(folder: Path, tmp_path: Path) -> list[ScoreJob]:
    """Both benchmarks for two denoisers."""
    benchmarks: dict[str, Any] = {name: {"sigmas": sigmas} for name, sigmas in SIGMAS.items()}
    benchmarks["voc_segmentation"]["segmenter"] = {"checkpoint": "voc_segmentation"}
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": str(folder),
            "niqe": "niqe_fitted",
            "device": "cpu",
            "denoisers": {name: {"method": name} for name in ("noisy", "clean")},
            "benchmarks": benchmarks,
        }
    )
    return [
        ScoreJob(experiment, benchmark, denoiser, tmp_path / benchmark / f"{denoiser}.parquet", folder / benchmark)
        for denoiser in ("noisy", "clean")
        for benchmark in SIGMAS
    ]


class Counting(Denoiser):
    """Counts the images that it denoises; fails from a call on if it is told to."""

    def __init__(self, denoiser: Denoiser, fails_at: int | None = None) -> None:
        self.denoiser, self.facts, self.fails_at = denoiser, denoiser.facts, fails_at
        self.images, self.calls = 0, itertools.count(1)

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        if self.fails_at is not None and next(self.calls) >= self.fails_at:
            raise ValueError("no more")
        self.images += len(noisy)
        return self.denoiser(noisy)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counting]:
    """The denoisers that jobs make from here on, by method."""
    made: dict[str, Counting] = {}

    def build(method: str, *_: Any) -> Counting:
        made[method] = made.get(method) or Counting(build_denoiser(method))
        return made[method]

    monkeypatch.setattr(job, "build_denoiser", build)
    return made


class Ends:
    """Notes what begins and how it ends."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.reasons: dict[str, str | None] = {}

    def begins(self, group: Sequence[ScoreJob]) -> None:
        self.groups.append([job.benchmark for job in group])

    def ends(self, job: ScoreJob, reason: str | None) -> None:
        assert f"{job.benchmark}/{job.denoiser}" not in self.reasons
        self.reasons[f"{job.benchmark}/{job.denoiser}"] = reason
        assert job.output.exists() == (reason is None or reason.startswith("sigma"))


def judge_that(monkeypatch: pytest.MonkeyPatch, benchmark: str, act: Callable[[Judge], None]) -> None:
    """Do something to each judge of a benchmark that is made from here on."""
    judge_of = job._judge_of

    def changed(of: ScoreJob, device: torch.device) -> Judge:
        judge = judge_of(of, device)
        if of.benchmark == benchmark:
            act(judge)
        return judge

    monkeypatch.setattr(job, "_judge_of", changed)


def journal_of(job: ScoreJob) -> list[str]:
    header, *rows = Path(f"{job.output}.rows.jsonl").read_text().splitlines()
    return [header, *sorted(rows)]


def alone(jobs: Sequence[ScoreJob], folder: Path) -> list[ScoreJob]:
    """The same jobs with other outputs, each done by itself."""
    others = [replace(job, output=folder / "alone" / job.benchmark / job.output.name) for job in jobs]
    for other in others:
        score_to_file(other)
    return others


def test_files_and_journals_are_those_of_jobs_alone(jobs, tmp_path, counted):
    note = Ends()
    score_together(jobs, begins=note.begins, ends=note.ends)
    assert note.groups == [[*SIGMAS]] * 2
    assert [*note.reasons.values()] == [None] * 4
    assert {method: denoiser.images for method, denoiser in counted.items()} == {"noisy": COMPUTED, "clean": COMPUTED}
    for together, other in zip(jobs, alone(jobs, tmp_path), strict=True):
        first, second = read_scores(together.output), read_scores(other.output)
        assert first.rows.to_json(double_precision=15) == second.rows.to_json(double_precision=15)
        assert first.rows.equals(second.rows)
        assert journal_of(together) == journal_of(other)
        timed = ("seconds", "pixels_per_second")
        assert {k: v for k, v in first.provenance.items() if k not in timed} == {
            k: v for k, v in second.provenance.items() if k not in timed
        }
    assert counted["noisy"].images == COMPUTED + 2 * 2 * len(SIZES)


def test_what_a_journal_holds_is_denoised_for_the_others_alone(jobs, counted):
    score_to_file(jobs[0])
    assert counted["noisy"].images == 2 * len(SIZES)
    score_together(jobs[:2])
    assert counted["noisy"].images == 2 * len(SIZES) + 2 * len(SIZES), "sigma 25 and 35 for the segmentation"
    assert read_scores(jobs[0].output).provenance["pixels"] == 0
    score_together(jobs[:2])
    assert counted["noisy"].images == 4 * len(SIZES)


def test_a_companion_gets_a_journal_and_no_file(jobs, counted):
    note = Ends()
    score_together(jobs[:1], jobs[1:], note.begins, note.ends)
    assert note.groups == [["voc_quality"]]
    assert note.reasons == {"voc_quality/noisy": None}
    assert [job.output.exists() for job in jobs] == [True, False, False, False]
    assert "clean" not in counted, "no job of its denoiser is written"
    score_to_file(jobs[1])
    assert counted["noisy"].images == COMPUTED
    assert read_scores(jobs[1].output).provenance["pixels"] == 0, "all of it was in the journal"


def test_a_judge_that_fails_midway_leaves_the_others_whole(jobs, monkeypatch, tmp_path, capfd):
    monkeypatch.setitem(batches.PIXELS_PER_BATCH, "cpu", 1)
    whole = [read_scores(other.output).rows for other in alone(jobs[:2], tmp_path)]
    score_calls = itertools.count(1)

    def fail_at_third(judge: Judge) -> None:
        score = judge.score
        judge.score = lambda *batch: score(*batch) if next(score_calls) != 3 else 1 / 0

    judge_that(monkeypatch, "voc_quality", fail_at_third)
    note = Ends()
    score_together(jobs, begins=note.begins, ends=note.ends)
    assert note.reasons == {
        "voc_quality/noisy": "sigma 15: image 2007_000002: ZeroDivisionError: division by zero",
        "voc_segmentation/noisy": None,
        "voc_quality/clean": None,
        "voc_segmentation/clean": None,
    }
    assert "image 2007_000002: ZeroDivisionError: division by zero" in capfd.readouterr().err
    assert read_scores(jobs[1].output).rows.equals(whole[1])
    assert len(journal_of(jobs[0])) == 1 + 1 + 4, "one image of the level that fails, all of the other"
    at_25 = whole[0][whole[0]["sigma"] == 25].reset_index(drop=True)
    partial = read_scores(jobs[0].output)
    assert partial.rows.equals(at_25)
    reason = "image 2007_000002: ZeroDivisionError: division by zero"
    assert partial.provenance["failed_levels"] == [{"sigma": 15.0, "told_sigma": None, "reason": reason}]
    assert partial.provenance["failure"] is None
    score_to_file(jobs[0])
    assert read_scores(jobs[0].output).rows.equals(whole[0])


@pytest.mark.parametrize("phase", ["look", "finish"])
def test_a_judge_fails_alone_on_the_device_and_behind_it(jobs, monkeypatch, phase):
    judge_that(monkeypatch, "voc_segmentation", lambda judge: setattr(judge, phase, lambda *_: 1 / 0))
    note = Ends()
    score_together(jobs[:2], ends=note.ends)
    assert note.reasons["voc_quality/noisy"] is None
    assert note.reasons["voc_segmentation/noisy"].endswith("ZeroDivisionError: division by zero")


def test_a_judge_that_cannot_be_made_fails_alone(jobs, tmp_path):
    note = Ends()
    jobs[1] = replace(jobs[1], judge_file=tmp_path / "missing.safetensors")
    score_together(jobs, ends=lambda job, reason: (note.ends(job, reason), reason and write_failure(job, reason)))
    assert [reason is None for reason in note.reasons.values()] == [False, True, True, True]
    assert "missing.safetensors" in note.reasons["voc_segmentation/noisy"]
    assert "missing.safetensors" in read_scores(jobs[1].output).provenance["failure"]


def test_a_failing_denoiser_costs_its_own_jobs(jobs, counted):
    counted["noisy"] = Counting(build_denoiser("noisy"), fails_at=2)
    note = Ends()
    score_together(jobs, ends=note.ends)
    assert [reason is None for reason in note.reasons.values()] == [False, False, True, True]
    assert note.reasons["voc_quality/noisy"].endswith(": noisy: ValueError: no more (test_together.py, line 84)")
    assert note.reasons["voc_quality/noisy"].startswith("image 2007_00000")


def test_an_image_that_does_not_decode_costs_the_jobs_of_its_group(jobs, tmp_path, folder):
    name = "VOCdevkit/VOC2012/SegmentationClass/2007_000004.png"
    content = (folder / name).read_bytes()
    note = Ends()
    try:
        (folder / name).write_bytes(content[:40])
        score_together(jobs[:2], ends=note.ends)
    finally:
        (folder / name).write_bytes(content)
    assert all("2007_000004.png: does not decode" in str(reason) for reason in note.reasons.values())


def test_an_interrupted_run_goes_on(jobs, monkeypatch, tmp_path, counted):
    monkeypatch.setitem(batches.PIXELS_PER_BATCH, "cpu", 1)
    scored, score = [], Scorer._score

    def interrupted(scorer: Scorer, batch: Batch) -> list[Judged]:
        if len(scored) == 5:
            raise SystemExit(143)
        scored.append(batch)
        return score(scorer, batch)

    monkeypatch.setattr(Scorer, "_score", interrupted)
    note = Ends()
    with pytest.raises(SystemExit):
        score_together(jobs[:2], ends=note.ends)
    assert note.reasons == {}
    assert counted["noisy"].images == 5
    monkeypatch.setattr(Scorer, "_score", score)
    score_together(jobs[:2], ends=note.ends)
    assert counted["noisy"].images == COMPUTED
    for together, other in zip(jobs[:2], alone(jobs[:2], tmp_path), strict=True):
        assert read_scores(together.output).rows.equals(read_scores(other.output).rows)


def test_a_denoiser_leaves_the_next_one_the_process_as_it_was(jobs, counted, monkeypatch, tmp_path):
    was, here = (torch.get_default_dtype(), torch.get_num_threads()), Path.cwd()

    class Careless(Counting):
        def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
            monkeypatch.chdir(tmp_path)
            torch.set_default_dtype(torch.float64)
            torch.set_num_threads(was[1] + 1)
            return super().__call__(noisy)

    counted["noisy"] = Careless(build_denoiser("noisy"))
    seen = []

    def begins(group: Sequence[ScoreJob]) -> None:
        seen.append(((torch.get_default_dtype(), torch.get_num_threads()), Path.cwd()))

    score_together(jobs, begins=begins)
    assert counted["noisy"].images
    assert seen == [(was, here)] * 2


def test_where_its_own_job_cannot_begin_a_companion_waits_for_another(jobs, counted, tmp_path):
    note = Ends()
    jobs[0].output.parent.mkdir(parents=True)
    Path(f"{jobs[0].output}.rows.jsonl").mkdir()
    score_together(jobs[:1], jobs[1:2], ends=note.ends)
    assert "is no file" in str(note.reasons["voc_quality/noisy"])
    assert counted["noisy"].images == 0
