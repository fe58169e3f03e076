"""How long jobs take side by side on some cores and GPUs: list scheduling, as Snakemake's, without its chance."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """A job as a scheduler sees it.

    Attributes:
        name: unique.
        seconds: that it takes.
        after: names of those that it waits for; those that are not scheduled are done.
        cores: that it takes.
        gpus: that it takes: 0 or 1.
    """

    name: object
    seconds: float
    after: Sequence[object] = ()
    cores: int = 1
    gpus: int = 0


def wall_time(jobs: Sequence[Timed], cores: int, gpus: int = 0) -> float:
    """Seconds until all jobs are done.

    Whenever something is free, the jobs that can start do, first those behind which the longest chain waits. That is
    never more than twice the best order takes where all jobs need one core (Graham 1966).

    Args:
        jobs: each behind those that it waits for.
        cores: in all; a job that asks for more gets all of them.
        gpus: in all; 0: jobs compute on cores.
    """
    known = {job.name: job for job in jobs}
    waits = {job.name: {name for name in job.after if name in known} for job in jobs}
    followers: dict[object, list[object]] = {name: [] for name in known}
    for name, before in waits.items():
        for earlier in before:
            followers[earlier].append(name)
    chain: dict[object, float] = {}
    for job in reversed(jobs):
        chain[job.name] = job.seconds + max((chain[name] for name in followers[job.name]), default=0.0)
    order = {job.name: place for place, job in enumerate(jobs)}
    ready = [(-chain[name], order[name], name) for name, before in waits.items() if not before]
    heapq.heapify(ready)
    running: list[tuple[float, int, object]] = []
    now, free_cores, free_gpus = 0.0, cores, gpus
    while ready or running:
        held = []
        while ready and free_cores > 0:
            entry = heapq.heappop(ready)
            job = known[entry[2]]
            takes, device = min(job.cores, cores), min(job.gpus, gpus)
            if takes > free_cores or device > free_gpus:
                held.append(entry)
                continue
            free_cores, free_gpus = free_cores - takes, free_gpus - device
            heapq.heappush(running, (now + job.seconds, order[job.name], job.name))
        for entry in held:
            heapq.heappush(ready, entry)
        now, _, name = heapq.heappop(running)
        job = known[name]
        free_cores, free_gpus = free_cores + min(job.cores, cores), free_gpus + min(job.gpus, gpus)
        for follower in followers[name]:
            waits[follower].discard(name)
            if not waits[follower]:
                heapq.heappush(ready, (-chain[follower], order[follower], follower))
    return now
