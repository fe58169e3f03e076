"""What a run is at: which of its jobs are done, run, failed or wait, how fast, and for how long still."""

import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluators.run.record import RecordedJob, RunRecord, written_at
from usaid.failures import Failure, Ledger, ledger_file, name_of
from usaid.job_state import JobState, states_below

ENOUGH, ENOUGH_OF_UNKNOWN = 0.02, 0.2
"""Share of a run that has to be done before its time left is said; where no plan says how long jobs take, the latter:
the first ones tell little of the others."""


@dataclass(frozen=True)
class JobSight:
    """What a job is at.

    Attributes:
        job: which.
        how: ``failed``: it, or one of its results, ended without a result or with a part of it.
        fraction: how much of it is done, 0 to 1.
        state: what it says itself; None: it says nothing.
        failures: of its results, by name.
    """

    job: RecordedJob
    how: Literal["waiting", "running", "made", "failed"]
    fraction: float = 0.0
    state: JobState | None = None
    failures: tuple[tuple[str, Failure], ...] = ()


@dataclass(frozen=True)
class Sight:
    """What a run is at.

    Attributes:
        jobs: all that it had to make, in the order of its record.
        elapsed: seconds since it began.
    """

    jobs: tuple[JobSight, ...]
    elapsed: float

    def of(self, *how: str) -> list[JobSight]:
        """The jobs that are at something."""
        return [job for job in self.jobs if job.how in how]

    @property
    def failures(self) -> dict[Failure, list[str]]:
        """Root causes so far, and the names of what is not made for each."""
        causes: dict[Failure, list[str]] = {}
        for job in self.jobs:
            for name, failure in job.failures:
                causes.setdefault(failure, []).append(name)
        return causes

    @property
    def newest(self) -> float:
        """When a job last wrote its state, in seconds of Unix time; 0: none has."""
        return max((job.state.updated for job in self.jobs if job.state is not None), default=0.0)

    @property
    def rates(self) -> dict[str, float]:
        """Units a second over all running jobs, by unit; images first."""
        rates: dict[str, float] = {}
        for job in self.of("running"):
            if job.state is not None and job.state.rate:
                rates[job.state.unit] = rates.get(job.state.unit, 0.0) + job.state.rate
        return dict(sorted(rates.items(), key=lambda rate: rate[0] != "image"))

    @property
    def seconds_left(self) -> float | None:
        """About how long the run still takes, if it goes on as so far; None: too little is done to say.

        Jobs weigh what the plan gives them, and are alike as far as it does not.
        """
        known = [job.job.seconds for job in self.jobs if job.job.seconds]
        usual = sum(known) / len(known) if known else 1.0
        weights = [job.job.seconds or usual for job in self.jobs]
        done = sum(weight * job.fraction for weight, job in zip(weights, self.jobs, strict=True))
        share = done / sum(weights) if weights else 1.0
        if share < (ENOUGH if known else ENOUGH_OF_UNKNOWN):
            return None
        at_least = [job.state.seconds_left or 0.0 for job in self.of("running") if job.state is not None]
        return max([self.elapsed * (1 - share) / share, *at_least])


class Looker:
    """Looks at a run again and again; what has ended is not looked at twice."""

    def __init__(self, results: str | Path, record: RunRecord) -> None:
        """
        Args:
            results: folder of the experiment.
            record: of the run.
        """
        self._results, self._record = Path(results), record
        self._ended: dict[str, tuple[str, Failure | None]] = {}

    def look(self) -> Sight:
        """What the run is at now; reads only."""
        states = states_below(self._results / "jobs")
        jobs = tuple(self._job(job, states.get(job.place)) for job in self._record.jobs)
        seconds = self._record.wall_seconds
        return Sight(jobs, max(time.time() - self._record.began, 0.0) if seconds is None else seconds)

    def _job(self, job: RecordedJob, state: JobState | None) -> JobSight:
        began = {place: how for place, written in job.parts.items() if (how := self._part(place, written)) is not None}
        ended = [how for how in began.values() if how[0] == "ended"]
        failures = tuple((name_of(*_job_at(place)), how[1]) for place, how in began.items() if how[1] is not None)
        if len(ended) == len(job.parts):
            return JobSight(job, "failed" if failures else "made", 1.0, None, failures)
        if state is not None and not state.may_live:
            state = None
        elif state is None and any(how[0] == "running" for how in began.values()):
            return JobSight(job, "running", len(ended) / len(job.parts), None, failures)
        share = 0.0 if state is None else state.fraction
        return JobSight(
            job, "waiting" if state is None else "running", max(share, len(ended) / len(job.parts)), state, failures
        )

    def _part(self, place: str, written: int) -> tuple[str, Failure | None] | None:
        """Whether a result of a job has ended or is being made in this run, and why it failed; None: neither."""
        if place in self._ended:
            return self._ended[place]
        rule, wildcards = _job_at(place)
        if written_at(ledger_file(self._results, rule, wildcards)) == written:
            return None
        ledger = Ledger.at(self._results, rule, wildcards)
        if ledger.state in ("made", "partial", "failed"):
            self._ended[place] = ("ended", ledger.as_failure())
            return self._ended[place]
        return ("running", None) if ledger.state in ("running", "shared") else None


def _job_at(place: str) -> tuple[str, list[str]]:
    """Rule and wildcards of a ledger's place."""
    rule, *wildcards = place.split("/")
    return rule, wildcards


# ------------------------------------------------------------------------------------------------ in words


def first_line(results: str | Path, record: RunRecord) -> str:
    """What is said before the first job: how many there are, and how to see them.

    Args:
        results: folder of the experiment.
        record: of the run.
    """
    number = len(record.jobs)
    jobs = "1 job; see it" if number == 1 else f"{number} jobs; see them"
    return f"{jobs} from another terminal with: {_usaid()} progress {results}"


def _usaid() -> str:
    """The command as it can be typed: where no environment is activated, as in ``make demo``, with its folder."""
    beside = Path(sys.executable).with_name("usaid")
    if shutil.which("usaid") is not None or not beside.is_file():
        return "usaid"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def line_of_sight(sight: Sight, width: int | None = None) -> str:
    """One line: jobs done of all, images a second, time left, and what runs.

    Args:
        sight: what to say.
        width: characters; None: any number.
    """
    done, failed = sight.of("made", "failed"), sight.of("failed")
    parts = [f"{len(done)} of {len(sight.jobs)} jobs" + (f" ({len(failed)} failed)" if failed else "")]
    parts += in_rates(sight.rates)
    if (seconds := sight.seconds_left) is not None and len(done) < len(sight.jobs):
        parts.append(f"about {in_words(seconds)} left")
    running = ", ".join(short_words(job) for job in sight.of("running"))
    line = ", ".join(parts) + (f": {running}" if running else "")
    return line if width is None or len(line) <= width else f"{line[: max(width - 3, 0)]}..."[:width]


def in_rates(rates: dict[str, float]) -> list[str]:
    """Rates as a person reads them: ``"41 images/s"``."""
    return [f"{rate:.3g} {unit}s/s" for unit, rate in rates.items()]


def short_words(job: JobSight) -> str:
    """A running job in a few words."""
    state = job.state
    if state is None or (not state.total and state.parts <= 1):
        return job.job.name
    return f"{job.job.name} {job.fraction:.0%}"


def in_words(seconds: float) -> str:
    """A time as a person says it: ``"3 min"``."""
    if seconds < 99.5:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} hours" if hours < 72 else f"{round(hours / 24)} days"


def lines_of_failures(causes: dict[Failure, list[str]]) -> Iterable[str]:
    """Root causes, each with its log, and what is not made for it."""
    for failure, names in causes.items():
        yield f"  {failure}" + (f" (log: {failure.log})" if failure.log else "")
        others = [name for name in names if name != failure.job]
        if others:
            yield f"    so these are not made: {', '.join(others)}"
