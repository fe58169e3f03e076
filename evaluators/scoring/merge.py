"""Makes a score file of the files of its shards."""

from collections.abc import Sequence
from pathlib import Path

import torch

from evaluators.judge import Judge
from evaluators.scoring.score_job import ScoreJob
from evaluators.scoring.shards import check_same, merged, read_shard, scores_of
from usaid.registries import load_object
from usaid.scores.failed_levels import reason_of_levels
from usaid.scores.files import write_scores


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
