"""Make a score file of the files of its shards; the failure of one becomes a score file that says why."""

from pathlib import Path

from usaid.failures import Failure
from usaid.jobs import Part, job_of_parts, leave

(TOLD,) = snakemake.params.parts
SHARDS = [*snakemake.input.shards]
PART = Part.told(TOLD, SHARDS)


def job():
    """The score file as the scorer knows it."""
    from evaluators.scoring.score_job import score_job
    from usaid.experiment.reading import checked_experiment

    return score_job(checked_experiment(snakemake.config), TOLD)


def write_failure(part: Part, failure: Failure) -> None:
    """Write a score file that says why it is empty; of a failure elsewhere than in its shards it also says where."""
    from evaluators.scoring.job import write_failure
    from evaluators.scoring.merge import is_of_shard

    is_own = failure.job == part.name or is_of_shard(part.name, failure.job)
    write_failure(job(), failure.reason if is_own else str(failure))


with job_of_parts(snakemake, [PART], uses_torch=True, write_failure=write_failure) as parts:
    if parts.waiting:
        from evaluators.scoring.merge import merge_to_file

        parts.end(PART, merge_to_file(job(), [Path(shard) for shard in SHARDS]))
leave()
