"""Before a run: a line that says how many jobs there are and about how long they take here, and the time of each."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from evaluators.dag.dag import Dag
from evaluators.plan.jobs import Planned, all_jobs, jobs_of
from evaluators.plan.pages import gigabytes, hours
from evaluators.plan.plan import UNPACKED, needs_of_jobs, planned_job, wall_of
from evaluators.plan.rates import rates_of
from usaid.errors import UsaidError

if TYPE_CHECKING:
    from evaluators.run import RunJob


class Forecast(NamedTuple):
    """What a run is about to do.

    Attributes:
        line: in one line; empty if there is nothing to do.
        seconds: of each job, by its name.
    """

    line: str
    seconds: dict[str, float]


def forecast_of(dag: Dag, jobs: "Iterable[RunJob]") -> Forecast:
    """What a run is about to do, as far as it can be said.

    Args:
        dag: of the experiment.
        jobs: those that will run, as the workflow has them or each result of them by itself.
    """
    makers = {output: job for job in all_jobs(dag) for output in job.outputs}
    chosen: dict[tuple[str, ...], Planned] = {}
    names: dict[tuple[str, ...], str] = {}
    for job in jobs:
        for output in job.outputs:
            if output in makers:
                chosen.setdefault(makers[output].key, makers[output])
                names.setdefault(makers[output].key, job.name)
    if not chosen:
        return Forecast("", {})
    try:
        rates = rates_of()
    except UsaidError as error:  # a damaged table stops no run
        return Forecast(f"{len(chosen)} jobs; no estimate of their time: {error}", {})
    ordered = [job for job in jobs_of(dag, [job.outputs[0] for job in chosen.values()]) if job.key in chosen]
    planned = [replace(planned_job(dag, rates, job), is_done=False) for job in ordered]
    download = sum(
        need.size or 0 for need in needs_of_jobs(dag, ordered) if need.state != "there" and need.can_be_fetched
    )
    disk = UNPACKED * download + sum(job.work.disk for job in planned)
    where = f"{rates.cores} cores" + (f", {rates.gpus} GPU" if rates.gpus else "")
    slower = "" if rates.scaled == (1, 1) else f", {max(rates.scaled):.1f} x the time that {rates.device} takes"
    line = (
        f"{len(planned)} jobs, about {hours(wall_of(planned, rates, rates.gpus))} on this machine ({where}{slower}), "
        f"{gigabytes(download)} to download, {gigabytes(disk)} on disk"
    )
    return Forecast(line, {names[job.job.key]: job.seconds for job in planned})
