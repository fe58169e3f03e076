"""Take the score file of a denoiser from an earlier run; a failure becomes a score file that says why."""

from usaid.failures import Failure
from usaid.jobs import Part, job_of_parts, leave

(TOLD,) = snakemake.params.parts
PART = Part.told(TOLD)


def job():
    """The score file as the scorer knows it."""
    from evaluators.scoring.score_job import score_job
    from usaid.experiment.reading import checked_experiment

    return score_job(checked_experiment(snakemake.config), TOLD)


def write_failure(part: Part, failure: Failure) -> None:
    """Write a score file that says why it is empty; of a failure elsewhere it also says where."""
    from evaluators.scoring.borrow import write_failure

    write_failure(job(), failure.reason if failure.job == part.name else str(failure))


with job_of_parts(snakemake, [PART], uses_torch=True, write_failure=write_failure) as parts:
    if parts.waiting:
        from evaluators.scoring.borrow import borrow_to_file

        borrow_to_file(job())
        parts.end(PART)
leave()
