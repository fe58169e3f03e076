"""What a job asks a cluster, or a machine, for: time, memory, threads and a GPU."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from evaluators.dag.dag import Dag
from evaluators.plan.rates import DEFAULT, Rates, rates_of
from evaluators.plan.work import work_of

MARGIN, LEAST_MINUTES = 2, 10
MOST = 4
"""Times as much as planned: a process that lacks even that would not be helped by more."""

GPU = "h100"
"""Whose rates a job with a GPU has."""


@dataclass(frozen=True)
class Resources:
    """Of a job, rounded up and with a margin.

    Attributes:
        minutes: wall time, twice the plan's and at least 10.
        memory_mb: at its peak, half more than the plan's.
        gpus: 1 if it computes on a torch device, unless the experiment's ``device`` is ``cpu``.
        threads: that it can use.
    """

    minutes: int
    memory_mb: int
    gpus: int
    threads: int


def resources_of(dag: Dag, rule: str, wildcards: Mapping[str, str], attempt: int = 1) -> Resources:
    """What a job asks for, from the committed rates of the device that it runs on: of a GPU where it asks for one.

    Whoever has none to give says so in the experiment: ``device: cpu``.

    Args:
        dag: of the experiment.
        rule, wildcards: which job.
        attempt: 1 for its first process; each that follows has twice the time and memory, up to :data:`MOST` times.
    """
    times = min(2 ** (attempt - 1), MOST)
    work = work_of(dag, rule, wildcards)
    seconds = _rates(GPU if work.uses_device else DEFAULT).seconds(work.work, work.threads, work.uses_device)
    return Resources(
        minutes=times * max(LEAST_MINUTES, math.ceil(MARGIN * seconds / 60)),
        memory_mb=times * 100 * math.ceil(1.5 * work.memory / 1e8),
        gpus=int(work.uses_device),
        threads=work.threads,
    )


@cache
def _rates(device: str) -> Rates:
    return rates_of(device)
