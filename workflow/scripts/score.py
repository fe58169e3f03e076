"""Score denoisers on benchmarks, each into a file of its own; a failure becomes a score file that says why.

That of a shard is a marker: what merges it says why in the score file.
"""

from contextlib import ExitStack
from functools import cache
from pathlib import Path

from usaid.failures import Failure, Ledger
from usaid.jobs import Part, job_of_parts, leave
from usaid.locks import locked
from usaid.time_limit import time_limit

RESULTS = f"results/{snakemake.config['experiment']}"


@cache
def experiment():
    """What is run."""
    from usaid.experiment.reading import checked_experiment

    return checked_experiment(snakemake.config)


def job_of(told):
    """A score file as the scorer knows it."""
    from evaluators.scoring.score_job import score_job

    return score_job(experiment(), told)


def write_failure(part: Part, failure: Failure) -> None:
    """Write a score file that says why it is empty; of a failure elsewhere it also says where."""
    from evaluators.scoring.job import write_failure

    write_failure(job_of(PARTS[part]), failure.reason if failure.job == part.name else str(failure))


def keep_images(told, stack: ExitStack) -> None:
    """Let nobody else denoise the same images with the same denoiser, or wait for who does.

    No two jobs wait for each other. A job waits for this lock while it has none, then for the ledger of its own score
    file, and for nothing after that: ledgers of companions are taken if they are free. Who has this lock, or a ledger,
    is therefore at work, or waits for a ledger whose holder, a process of an earlier run, is at work.
    """
    images, (_, denoiser, *shard) = told["images"].replace("/", "_"), told["wildcards"]
    path = Path(RESULTS, "jobs", told["rule"], ".".join([images, denoiser, *shard, "lock"]))
    stack.enter_context(locked(path, f"waiting for a job that denoises {told['images']} with {denoiser}, too"))


def free_companions(told, stack: ExitStack):
    """Score files that gain from this one and that nobody is at work on; their own jobs find their rows.

    A process whose predecessor was killed takes none along: it may have been one of them.
    """
    if snakemake.resources.get("attempt", 1) > 1:
        return
    from evaluators.dag.dag import Dag

    for companion in Dag(experiment()).companions(told["rule"], *told["wildcards"]):
        ledger = Ledger.at(RESULTS, companion["rule"], companion["wildcards"])
        if stack.enter_context(ledger.held_if_free()):
            yield companion


PARTS = {Part.told(told): told for told in snakemake.params.parts}
IS_SHARD = snakemake.rule in ("score_shard", "score_draws_shard")
IS_BATCH = not IS_SHARD and snakemake.rule not in ("score", "score_draws")
OF_FAILURE = None if IS_SHARD else write_failure

with ExitStack() as stack:
    if not IS_BATCH:
        keep_images(*PARTS.values(), stack)
    parts = stack.enter_context(job_of_parts(snakemake, [*PARTS], uses_torch=True, write_failure=OF_FAILURE))
    if parts.waiting:
        from evaluators.scoring.job import score_together

        jobs = {part: job_of(PARTS[part]) for part in parts.waiting}
        names = {id(job): part for part, job in jobs.items()}
        companions = [] if IS_BATCH else [job_of(told) for told in free_companions(*PARTS.values(), stack)]
        with time_limit(experiment().time_limit * 60, parts.give_up):
            score_together(
                [*jobs.values()],
                companions,
                begins=lambda group: parts.begin([names[id(job)] for job in group], is_shared=bool(companions)),
                ends=lambda job, reason: parts.end(names[id(job)], reason),
            )
leave()
