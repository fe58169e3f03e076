"""Makes of the files of its shards the score file that one job would have written."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from evaluators.judge import Judge
from evaluators.scoring.score_job import ScoreJob
from evaluators.scoring.shard_files import ReadShard, check_same, read_shard, scores_of
from usaid.errors import UsaidError
from usaid.registries import load_object
from usaid.scores.failed_levels import reason_of_levels
from usaid.scores.files import write_scores

OF_MACHINE = ("git", "python", "platform", "device", "inference")
"""Provenance that may differ, and is then recorded of each shard."""


def merge_to_file(job: ScoreJob, files: Sequence[Path]) -> str | None:
    """Write a score file from its shards, as one job of all images would have written it.

    Nothing is denoised, and no image read. The judge is only asked where it writes files of its own.

    Args:
        job: of the whole file.
        files: of all its shards.

    Returns:
        The one line that says why the file lacks levels; None: it lacks none.

    Raises:
        UsaidError: a shard is missing or damaged; they are not of one code, network, set of images or device; no level
            is left.
    """
    shards = [read_shard(file) for file in files]
    check_same(shards)
    rows, provenance = merged(shards)
    if any(shard.record.has_findings for shard in shards):
        judge: Judge = load_object(job.card.judge)(job.benchmark, job.experiment, job.judge_file, torch.device("cpu"))
        judge.write_findings(rows, job.output.with_suffix(""))
    whole = provenance | {"experiment": job.experiment.experiment, "config_sha256": job.experiment.sha256}
    write_scores(job.output, scores_of(rows, whole))
    return reason_of_levels(levels) if (levels := provenance.get("failed_levels")) else None


def is_of_shard(score: str, job: str) -> bool:
    """Whether a job is that of a shard of a score file.

    Args:
        score: the name of the score file's job, ``"score kodak_quality/noisy"``.
        job: another's, ``"score_shard kodak_quality/noisy/1-of-4"``.
    """
    rule, wildcards = score.split()
    return job.startswith(f"{rule}_shard {wildcards}/")


# ------------------------------------------------------------------------------------------------ rows and provenance


def merged(shards: Sequence[ReadShard]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and the provenance that the score file of one job would have.

    Args:
        shards: all of one score file (:func:`check_same`), in any order.

    Returns:
        rows in the order of the data set, without the levels that one of the shards lacks; and their provenance, with
        the sums of the shards' times and pixels.

    Raises:
        UsaidError: no level is left.
    """
    shards = sorted(shards, key=lambda shard: shard.record.number)
    lacking = _failed_levels(shards)
    lost = {(level["sigma"], level["told_sigma"]) for level in lacking}
    by_place: dict[int, list[dict[str, Any]]] = {}
    for shard in shards:
        by_place |= _by_place(shard, lost)
    rows = [row for place in sorted(by_place) for row in by_place[place]]
    if not rows:
        raise UsaidError(lacking[0]["reason"] if lacking else f"{shards[0].path.parent}: shards without rows")
    return rows, _provenance(shards) | ({"failed_levels": lacking} if lacking else {})


def _by_place(shard: ReadShard, lost: Iterable[tuple[float, float | None]]) -> dict[int, list[dict[str, Any]]]:
    """The rows of a shard, but for those of some levels, by the place of their image."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in shard.rows:
        rows.setdefault(row["image_id"], []).append(row)
    if len(rows) != len(shard.record.images):
        raise UsaidError(f"{shard.path}: lacks rows of an image; delete it and run again")
    return {
        place: [row for row in of_image if (row["sigma"], row.get("told_sigma")) not in lost]
        for place, of_image in zip(shard.record.images, rows.values(), strict=True)
    }


def _failed_levels(shards: Iterable[ReadShard]) -> list[dict[str, Any]]:
    """The levels that a shard lacks, each with what failed first in the order of a job of all images."""
    lost = [
        (at, level)
        for shard in shards
        for at, level in zip(shard.record.failed_at, shard.provenance.get("failed_levels", ()), strict=True)
    ]
    levels: dict[tuple[float, float | None], dict[str, Any]] = {}
    for _, level in sorted(lost, key=lambda one: one[0]):
        levels.setdefault((level["sigma"], level["told_sigma"]), level)
    return [*levels.values()]


def _provenance(shards: Sequence[ReadShard]) -> dict[str, Any]:
    """That of the first of some shards, with the sums of all, and of each its machine if they differ."""
    known = [shard.provenance for shard in shards]
    stages = dict.fromkeys(stage for one in known for stage in one["seconds"])
    seconds = {stage: round(sum(one["seconds"].get(stage, 0.0) for one in known), 3) for stage in stages}
    rates = [(one["pixels"], rate) for one in known if (rate := one["pixels_per_second"])]
    spent = sum(pixels / rate for pixels, rate in rates)
    machines = [{name: one[name] for name in OF_MACHINE if name in one} for one in known]
    differ = any(machine != machines[0] for machine in machines)
    return known[0] | {
        "seconds": seconds,
        "pixels": sum(one["pixels"] for one in known),
        "pixels_per_second": round(sum(pixels for pixels, _ in rates) / spent) if spent else None,
        "shards": {"n": len(shards)} | ({"machines": machines} if differ else {}),
    }
