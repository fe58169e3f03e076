"""The plan of a run: its jobs with their hours, what is missing, what is done, and how long all of it takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.dag.dag import Dag
from evaluators.dag.needs import Need, lacking, needs_of, to_download
from evaluators.dag.scores import MERGED
from evaluators.plan.jobs import Planned, jobs_of
from evaluators.plan.networks import count_networks
from evaluators.plan.rates import CORES_BESIDE_A_GPU, Rates, load_here
from evaluators.plan.simulate import Timed, wall_time
from evaluators.plan.work import JobWork, work_of
from usaid.failures import Ledger, first_failure

UNPACKED = 2.0
"""Bytes on disk for each that is downloaded: archives are kept, and what they hold is as large."""


@dataclass(frozen=True)
class PlannedJob:
    """A job with what it costs.

    Attributes:
        job: of the target.
        work: amounts.
        seconds: by the rates, on the machine that they are of.
        on_gpu: it has a GPU.
        is_done: its outputs are there, and it has not failed.
    """

    job: Planned
    work: JobWork
    seconds: float
    on_gpu: bool
    is_done: bool


@dataclass(frozen=True)
class RuleRow:
    """The jobs of a rule; the rules that score are one.

    Attributes:
        rule: its name.
        jobs: to be done.
        done: that are there.
        seconds: of those to be done, one after another.
        memory: bytes of the largest.
        disk: bytes that all leave.
        on_gpu: how many have a GPU.
    """

    rule: str
    jobs: int
    done: int
    seconds: float
    memory: float
    disk: float
    on_gpu: int


@dataclass(frozen=True)
class Plan:
    """All of it.

    Attributes:
        experiment: its name.
        targets: what was asked for.
        rates: of the machine.
        jobs: each behind those that it waits for.
        needs: what the jobs read from outside.
        cores: of the machine.
        walls: number of GPUs (0: none) -> seconds from start to end.
        load: what to know of this machine; empty: nothing.
    """

    experiment: str
    targets: tuple[str, ...]
    rates: Rates
    jobs: Sequence[PlannedJob]
    needs: Sequence[Need]
    cores: int
    walls: dict[int, float]
    load: str = ""

    @property
    def to_do(self) -> list[PlannedJob]:
        """The jobs that are not done."""
        return [job for job in self.jobs if not job.is_done]

    @property
    def seconds(self) -> float:
        """Of all jobs that are not done, one after another."""
        return sum(job.seconds for job in self.to_do)

    @property
    def download(self) -> float:
        """Bytes, as far as sizes are known."""
        return to_download(self.needs)

    @property
    def disk(self) -> float:
        """Bytes of data and results."""
        return UNPACKED * self.download + sum(job.work.disk for job in self.to_do)

    @property
    def memory(self) -> float:
        """Bytes of the largest job."""
        return max((job.work.memory for job in self.to_do), default=0.0)

    @property
    def missing(self) -> list[Need]:
        """What is not there, or not all of it."""
        return lacking(self.needs)

    @property
    def guessed(self) -> list[str]:
        """What nobody says the cost of."""
        return list(dict.fromkeys(name for job in self.to_do for name in job.work.guessed))

    def rows(self) -> list[RuleRow]:
        """By rule, in the order in which the first job of each comes."""
        by_rule: dict[str, list[PlannedJob]] = {}
        for job in self.jobs:
            by_rule.setdefault(of_one_kind(job.job.rule), []).append(job)
        return [_row(rule, jobs) for rule, jobs in by_rule.items()]


def of_one_kind(rule: str) -> str:
    """The rules that score, and merge what shards scored, are one, and so are those that keep images."""
    if rule.startswith(("score", "merge")):
        return "score"
    return "keep_images" if rule == "keep_all_images" else rule


def _row(rule: str, jobs: Sequence[PlannedJob]) -> RuleRow:
    left = [job for job in jobs if not job.is_done]
    return RuleRow(
        rule,
        len(left),
        len(jobs) - len(left),
        sum(job.seconds for job in left),
        max((job.work.memory for job in left), default=0.0),
        sum(job.work.disk for job in left),
        sum(job.on_gpu for job in left),
    )


def plan_of(dag: Dag, rates: Rates, targets: Sequence[str] = ("all",), gpus: Sequence[int] = ()) -> Plan:
    """The plan of some targets.

    Args:
        dag: of the experiment.
        rates: of the machine.
        targets: names of rules, or files.
        gpus: numbers of GPUs to say the wall time for, if the machine has one.

    Raises:
        UsaidError: no such target.
    """
    jobs = planned_jobs(dag, rates, jobs_of(dag, targets))
    needs = needs_of_jobs(dag, [job.job for job in jobs])
    numbers = (*dict.fromkeys([rates.gpus, *gpus]),) if rates.gpus else (0,)
    walls = {number: wall_of(jobs, rates, number) for number in numbers}
    load = "" if rates.is_estimate else load_here()
    return Plan(dag.experiment.experiment, tuple(targets), rates, jobs, needs, rates.cores, walls, load)


def needs_of_jobs(dag: Dag, jobs: Iterable[Planned]) -> list[Need]:
    """What some jobs read from outside: of data sets and weights those that they wait for; all files of the user's."""
    waited_for = {path for job in jobs for path in (*job.inputs, *job.outputs)}
    others = {source for source in dag.sources if dag.record(source) not in waited_for}
    return [need for need in needs_of(dag) if (need.source or need.name.partition("/")[0]) not in others]


def planned_jobs(dag: Dag, rates: Rates, jobs: Sequence[Planned]) -> list[PlannedJob]:
    """Jobs with their seconds, once their own networks are counted."""
    count_networks(dag, dict.fromkeys(name for job in jobs for name in _denoisers_of(dag, job)))
    return [planned_job(dag, rates, job) for job in jobs]


def _denoisers_of(dag: Dag, job: Planned) -> list[str]:
    if job.rule in dag.batches:
        return [denoiser for *_, denoiser in dag.batches[job.rule].files]
    return dag.denoisers_with_images if job.rule == "keep_all_images" else [job.wildcards.get("denoiser", "")]


def planned_job(dag: Dag, rates: Rates, job: Planned) -> PlannedJob:
    """A job with its seconds."""
    work = work_of(dag, job.rule, job.wildcards)
    on_gpu = work.uses_device and rates.gpus > 0
    return PlannedJob(job, work, rates.seconds(work.work, work.threads, on_gpu), on_gpu, is_done(dag, job))


def is_done(dag: Dag, job: Planned) -> bool:
    """Whether a job's outputs are there and its ledger knows no failure; what is out of date, Snakemake says.

    A shard is done, too, where its score file is merged: the shards may be deleted then.
    """
    ledgers = [(job.rule, [*job.wildcards.values()])]
    if job.rule in dag.batches:
        ledgers = [(rule, names) for rule, *names in dag.batches[job.rule].files]
    elif job.rule in MERGED:
        ledgers = [(MERGED[job.rule], ledgers[0][1])]
    elif "shard" in job.wildcards:
        whole = Path(job.outputs[0]).parents[2] / f"{job.wildcards['denoiser']}.parquet"
        of_whole = [job.wildcards["benchmark"], job.wildcards["denoiser"]]
        if _is_made(dag, [str(whole)], [(job.rule.removesuffix("_shard"), of_whole)]):
            return True
    return _is_made(dag, job.outputs, ledgers)


def _is_made(dag: Dag, outputs: Sequence[str], ledgers: Iterable[tuple[str, list[str]]]) -> bool:
    if not all(Path(output).exists() for output in outputs) or first_failure(outputs) is not None:
        return False
    return all(Ledger.at(dag.results, rule, names).as_failure() is None for rule, names in ledgers)


def wall_of(jobs: Iterable[PlannedJob], rates: Rates, gpus: int = 0) -> float:
    """Seconds from start to end of those that are not done, on the machine, or on so many GPUs with their cores."""
    jobs = [job for job in jobs if not job.is_done]
    cores = gpus * max(rates.cores, CORES_BESIDE_A_GPU) if gpus else rates.cores
    makers = {output: job.job.key for job in jobs for output in job.job.outputs}
    timed = [
        Timed(
            job.job.key,
            job.seconds,
            tuple(dict.fromkeys(makers[path] for path in job.job.inputs if path in makers)),
            1 if job.on_gpu else min(job.work.threads, cores),
            int(job.on_gpu),
        )
        for job in jobs
    ]
    return rates.seconds({"workflow": 1}) + wall_time(timed, cores, gpus) if timed else 0.0
