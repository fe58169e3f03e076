"""Score one denoiser on one benchmark; a failure becomes a score file that says why."""

import sys
import traceback
from pathlib import Path

from evaluators.scoring import ScoreJob, score_to_file, write_failure
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.jobs import job


def path_of(name: str | None) -> Path | None:
    """A path that may be missing."""
    return None if name is None else Path(name)


with job(snakemake.log[0], snakemake.threads):
    settings = snakemake.params.settings
    benchmark, denoiser = snakemake.wildcards.benchmark, snakemake.wildcards.denoiser
    score_job = ScoreJob(
        checked_experiment(snakemake.config),
        benchmark,
        denoiser,
        output=Path(snakemake.output[0]),
        judge_file=path_of(settings["judge_file"]),
        weights=path_of(settings["weights"]),
        code_hash=snakemake.params.code,
    )
    try:
        score_to_file(score_job)
    except Exception as error:
        traceback.print_exc()
        reason = str(error) if isinstance(error, UsaidError) else f"{type(error).__name__}: {error}"
        write_failure(score_job, reason)
        print(f"error: {benchmark} x {denoiser}: {reason}", file=sys.__stderr__)
