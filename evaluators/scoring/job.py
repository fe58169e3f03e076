"""Makes score files: each holds one denoiser on one benchmark, with all its sigmas and draws, and says what it is.

The further noise draws of Table X are a job and a score file of their own. Jobs of one denoiser on the same images
share the work: an image is decoded and denoised once for all of them.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from evaluators.judge import Judge
from evaluators.scoring.batches import Judging
from evaluators.scoring.conditions import failed_levels, refused
from evaluators.scoring.record import Made, fingerprint, provenance, provenance_of_failure
from evaluators.scoring.score_job import ScoreJob
from evaluators.scoring.scorer import Scorer
from evaluators.scoring.shard import files_of_other_shards
from evaluators.scoring.shard_files import ShardRecord, scores_of, write_shard
from usaid.checkpoints import require_weights
from usaid.datasets.loading import load_for
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.devices import pick_device
from usaid.errors import UsaidError, is_signal, reason_of
from usaid.registries import METHODS, load_object
from usaid.scores.failed_levels import reason_of_levels
from usaid.scores.files import ABOUT, Scores, write_scores
from usaid.scores.journal import Journal
from usaid.time_limit import watched


def score_to_file(job: ScoreJob) -> None:
    """Score one denoiser of an experiment on one of its benchmarks and write the score file, or a shard of one.

    Rows are journalled in ``<output>.rows.jsonl`` as they come, so a killed job goes on where it was.

    Raises:
        UsaidError: bad data, weights or judge file, a denoiser or judge that fails, or a full disk. Where they fail at
            some levels only (sigma, as told), the file is written with the others, and says so.
    """
    failures: list[Exception | None] = []
    _score_group([_Part(job, failures.append)])
    if (error := failures[0]) is not None:
        raise error


def score_together(
    jobs: Sequence[ScoreJob],
    companions: Sequence[ScoreJob] = (),
    begins: Callable[[Sequence[ScoreJob]], None] = lambda group: None,
    ends: Callable[[ScoreJob, str | None], None] = lambda job, reason: None,
) -> None:
    """Score several jobs of an experiment, one denoiser after another; an image is denoised once for all that miss it.

    Those of one denoiser on the same images (data set, split, list of ids, view, shard) are worked on together.
    Failures stay apart: a judge that fails costs its own job, a denoiser or an image those jobs that need it.

    Args:
        jobs: whose score files are written.
        companions: further ones of the same images and denoiser as one of ``jobs``, whose rows are only journalled, so
            that their own jobs find them there. Their failures are not told.
        begins: called with the jobs of a group before it is worked on.
        ends: called with each job when its file is written (None), or with the one line that says why it is not, or
            lacks levels; its traceback is printed before.
    """
    groups: dict[tuple[Any, ...], list[_Part]] = {}
    for job in jobs:
        groups.setdefault(_shared_by(job), []).append(_Part(job, partial(_tell, ends, job)))
    for job in companions:
        if (group := groups.get(_shared_by(job))) is not None:
            group.append(_Part(job, lambda error: None, is_written=False))
    for parts in groups.values():
        begins([part.job for part in parts if part.is_written])
        with _as_it_was():
            _score_group(parts)


def _tell(ends: Callable[[ScoreJob, str | None], None], job: ScoreJob, error: Exception | None) -> None:
    if error is not None:
        traceback.print_exception(error)
    ends(job, None if error is None else reason_of(error))


@contextmanager
def _as_it_was() -> Iterator[None]:
    """A block whose denoiser, a stranger's perhaps, leaves the next one the process as it was."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    with chdir("."):
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)


def _shared_by(job: ScoreJob) -> tuple[Any, ...]:
    """What jobs have to have in common to share their work."""
    images = job.experiment.images_of(job.benchmark, of_draws=job.draws is not None)
    return job.denoiser, job.weights, job.shard, images


def write_failure(job: ScoreJob, reason: str) -> None:
    """Write a score file without rows that says why: its cells show a dash and this reason as a footnote."""
    rows = pd.DataFrame({name: [] for name in ABOUT})
    write_scores(job.output, Scores(rows, provenance_of_failure(job, reason)))


# ------------------------------------------------------------------------------------------------ a group of jobs


@dataclass
class _Part:
    """One job of a group.

    Attributes:
        job: which.
        end: told once how it ended: well (None), or why not.
        is_written: it gets a score file; False: only its rows are journalled.
        is_over: whether ``end`` was called.
    """

    job: ScoreJob
    end: Callable[[Exception | None], None]
    is_written: bool = True
    is_over: bool = False

    def over(self, error: Exception | None = None) -> None:
        """End the job."""
        self.is_over = True
        self.end(error)

    @contextmanager
    def own(self) -> Iterator[None]:
        """A block whose failure is that of this job alone."""
        try:
            yield
        except Exception as error:
            self.over(error)
        except SystemExit as error:  # a stranger's judge raises anything
            if is_signal(error):
                raise
            self.over(UsaidError(reason_of(error)))


@contextmanager
def _shared(parts: Sequence[_Part]) -> Iterator[None]:
    """A block whose failure is that of all jobs that are not over."""
    try:
        yield
    except Exception as error:
        for part in _going_on(parts):
            part.over(error)


def _going_on(parts: Sequence[_Part]) -> list[_Part]:
    return [part for part in parts if not part.is_over]


def _score_group(parts: Sequence[_Part]) -> None:
    """Make the score files of jobs of one denoiser on the same images."""
    start, job, judges = time.perf_counter(), parts[0].job, list[tuple[_Part, Judge]]()
    with _shared(parts):
        device = pick_device(job.experiment.device)
        dataset = load_for(
            job.experiment, job.card.dataset, job.card.split, job.benchmark, of_draws=job.draws is not None
        )
        for part in parts:
            with part.own():
                judges.append((part, _judge_of(part.job, device)))
        if not any(part.is_written for part, _ in judges):  # nobody waits for the companions
            return
        denoiser = _denoiser_of(job, device)
        running: list[tuple[_Part, Made, Judging]] = []
        try:
            for part, judge in judges:
                with part.own():
                    made = Made(part.job, dataset, denoiser, judge, device)
                    running.append((part, made, _judging_of(made, Path(f"{part.job.output}.rows.jsonl"))))
            judgings = [judging for *_, judging in running]
            if not any(part.is_written for part, *_ in running):
                return
            given_clean = is_given_clean(job.entry.method)
            scorer = Scorer(job.denoiser, denoiser, dataset, judgings, device, given_clean, shard=job.shard)
            scorer.run()
        finally:
            for part, _, judging in running:
                with part.own():
                    judging.journal.close()
        for part, made, judging in running:
            if not part.is_over:
                with part.own():
                    rows = scorer.rows(judging)
                    lacking = failed_levels(judging.failed)
                    if part.is_written:
                        told = _speed(scorer, judging, start) | _lacking(lacking)
                        if job.shard.is_whole:
                            _write(made, rows, told)
                        else:
                            record = _record_of_shard(made, scorer, judging)
                            write_shard(part.job.output, rows, provenance(made) | told, record)
            if not part.is_over:
                part.over(UsaidError(reason_of_levels(lacking)) if lacking else None)


def _judge_of(job: ScoreJob, device: torch.device) -> Judge:
    judge: Judge = load_object(job.card.judge)(job.benchmark, job.experiment, job.judge_file, device)
    return judge


def _denoiser_of(job: ScoreJob, device: torch.device) -> Denoiser:
    experiment, entry = job.experiment, job.entry
    if job.weights is not None:
        require_weights(job.weights, entry.sha256 if entry.card.importer is None else None)
    with watched(f"{job.denoiser}: being made"):
        return build_denoiser(entry.method, job.weights, device, experiment.precision, entry.options, entry.adapt)


def _judging_of(made: Made, journal: Path, needs_all: bool = False) -> Judging:
    """What a job brings to the scoring: its journal is opened, or started; what cannot be told is given up."""
    conditions = made.job.conditions(made.denoiser)
    others = [f"{file}.rows.jsonl" for file in files_of_other_shards(made.job.output, made.job.shard)]
    rows = Journal(journal, fingerprint(made), made.judge.metrics, others)
    judging = Judging(made.judge, conditions, rows, needs_all)
    for condition, error in refused(made.denoiser, conditions):
        judging.fail(error, [condition])
    return judging


def scored(made: Made, journal: Path) -> Scores:
    """Score a job whose images, denoiser and judge are there; no score file is written.

    Args:
        made: the job.
        journal: file for rows as they come.

    Raises:
        UsaidError: an image that does not decode; a denoiser or judge that fails on one, which it names; a full disk.
    """
    start, job = time.perf_counter(), made.job
    judging = _judging_of(made, journal, needs_all=True)
    scorer = Scorer(job.denoiser, made.denoiser, made.dataset, [judging], made.device, is_given_clean(job.entry.method))
    try:
        with _as_it_was():
            scorer.run()
    finally:
        judging.journal.close()
    return _scores_of(made, scorer.rows(judging), _speed(scorer, judging, start))


def _write(made: Made, rows: list[dict[str, Any]], speed: dict[str, Any]) -> None:
    """Write the score file of a job whose rows are there."""
    write_scores(made.job.output, _scores_of(made, rows, speed))


def _scores_of(made: Made, rows: list[dict[str, Any]], speed: dict[str, Any]) -> Scores:
    of_file = provenance(made) | speed
    made.judge.write_findings(rows, made.job.output.with_suffix(""))
    return scores_of(rows, of_file)


def _record_of_shard(made: Made, scorer: Scorer, judging: Judging) -> ShardRecord:
    own, shard = {*scorer.ids}, made.job.shard
    on = [judging.failed_on.get(level) for level in judging.failed for _ in level[1]]  # as `failed_levels` counts them
    return ShardRecord(
        *(shard.number, shard.of, made.device.type),
        images=[place for place, name in enumerate(made.dataset.ids) if name in own],
        failed_at=[-1 if image_id is None else scorer.numbers[image_id] for image_id in on],
        has_findings=type(made.judge).write_findings is not Judge.write_findings,
    )


def _lacking(levels: list[dict[str, Any]]) -> dict[str, Any]:
    return {"failed_levels": levels} if levels else {}


def _speed(scorer: Scorer, judging: Judging, start: float) -> dict[str, Any]:
    """Where the time went since ``start``; what jobs share is said of each."""
    seconds = scorer.clock.seconds | judging.clock.seconds | {"total": time.perf_counter() - start}
    denoising = seconds.get("denoiser", 0.0)
    return {
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "pixels": judging.pixels,
        "pixels_per_second": round(scorer.pixels / denoising) if denoising and judging.pixels else None,
    }


def is_given_clean(method: str) -> bool:
    """Whether a method is handed the clean images: only cards of the suite's own may say so."""
    card = METHODS.own.get(method)
    return card is not None and card.given_clean
