"""Score one denoiser on one benchmark, or its further noise draws; a failure becomes a score file that says why."""

from pathlib import Path

from usaid.failures import Failure, name_of
from usaid.jobs import job


def path_of(name: str | None) -> Path | None:
    """A path that may be missing."""
    return None if name is None else Path(name)


def score_job():
    """What is scored."""
    from evaluators.scoring.job import ScoreJob
    from usaid.experiment.reading import checked_experiment

    settings = snakemake.params.settings
    return ScoreJob(
        checked_experiment(snakemake.config),
        snakemake.wildcards.benchmark,
        snakemake.wildcards.denoiser,
        output=Path(snakemake.output[0]),
        judge_file=path_of(settings["judge_file"]),
        weights=path_of(settings["weights"]),
        code_hash=snakemake.params.code,
        draws=range(*settings["draws"]) if "draws" in settings else None,
    )


def fail(failure: Failure) -> None:
    """Write a score file that says why it is empty; of a failure elsewhere it also says where."""
    from evaluators.scoring.job import write_failure

    own = failure.job == name_of(snakemake.rule, snakemake.wildcards)
    write_failure(score_job(), failure.reason if own else str(failure))


with job(snakemake, uses_torch=True, on_failure=fail):
    from evaluators.scoring.job import score_to_file

    score_to_file(score_job())
