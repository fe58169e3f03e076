"""What ``usaid progress`` says of a run, for people and as JSON."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluators.run.look import JobSight, Looker, Sight, in_rates, in_words, lines_of_failures
from evaluators.run.record import RunRecord, go_on_with, is_at_work, last_word, read_record


@dataclass(frozen=True)
class SeenRun:
    """A run, as somebody else sees it.

    Attributes:
        results: folder of the experiment.
        record: what was started.
        sight: what it is at.
        is_at_work: it runs, as far as can be seen from here.
    """

    results: Path
    record: RunRecord
    sight: Sight
    is_at_work: bool

    @property
    def how(self) -> str:
        """``running``, ``killed``: it is gone and did not say how it ended; or how it ended."""
        return self.record.how or ("running" if self.is_at_work else "killed")


def seen_run(results: str | Path) -> SeenRun:
    """Look at the last run of an experiment.

    Args:
        results: folder of the experiment.

    Raises:
        UsaidError: there is no such folder, no run, or a record that is none.
    """
    record = read_record(results)
    sight = Looker(results, record).look()
    return SeenRun(Path(results), record, sight, is_at_work(results, record, sight.newest))


def text_of_run(seen: SeenRun) -> str:
    """What a person reads."""
    return "\n".join(_without_controls(line) for line in _lines(seen))


def _without_controls(line: str) -> str:
    """A line as a terminal may be given it: what files say may be anybody's."""
    return "".join(character if character.isprintable() else "?" for character in line)


def _lines(seen: SeenRun) -> Iterator[str]:
    record, sight = seen.record, seen.sight
    yield f"{seen.results}: {_state(seen)}"
    yield f"  begun {_when(record.began)} on {record.host}: {record.command}"
    counts = {
        "running": len(sight.of("running")),
        "failed": len(sight.of("failed")),
        "waiting" if seen.is_at_work else "not made": len(sight.of("waiting")),
    }
    done = f"{len(sight.of('made'))} of {len(sight.jobs)} jobs made"
    parts = [done, *(f"{number} {how}" for how, number in counts.items() if number), *in_rates(sight.rates)]
    if seen.is_at_work and (seconds := sight.seconds_left) is not None:
        parts.append(f"about {in_words(seconds)} left")
    yield ", ".join(parts)
    if running := sight.of("running"):
        yield "Running:" if seen.is_at_work else "Left behind by the run, and still at work or killed with it:"
        yield from (_line_of_job(job, record.host) for job in running)
    if causes := sight.failures:
        yield "Failed:"
        yield from lines_of_failures(causes)
    if seen.how in ("killed", "stopped"):
        yield f"Go on with: {go_on_with(record)}"
    elif seen.how == "failed":
        yield f"Mend the causes, then: {go_on_with(record)}"


def _state(seen: SeenRun) -> str:
    record = seen.record
    took = "" if record.wall_seconds is None else f" after {in_words(record.wall_seconds)}"
    if seen.how == "running":
        return f"running for {in_words(seen.sight.elapsed)}, process {record.pid}"
    if seen.how == "killed":
        silence = in_words(time.time() - last_word(seen.results, seen.sight.newest))
        return f"killed: process {record.pid} on {record.host} is gone; its last word was {silence} ago"
    return {"done": f"done{took}", "failed": f"ended{took}, with failures", "stopped": f"stopped{took}"}[seen.how]


def _line_of_job(job: JobSight, host: str) -> str:
    """What a running job is at.

    Args:
        job: which.
        host: that of Snakemake, which is not said.
    """
    state = job.state
    if state is None:
        return f"  {job.job.name} (log: {job.job.log})"
    of_all = "" if state.total is None else f" of {state.total:,}"
    title = "" if state.title in job.job.name else f"{state.title} "
    said = [f"part {min(state.parts_done + 1, state.parts)} of {state.parts}"] if state.parts > 1 else []
    said += [f"{title}{state.done:,}{of_all} {state.unit}s"] if state.title else ["starting"]
    said += in_rates({state.unit: state.rate} if state.rate else {})
    said += [f"about {in_words(left)} left"] if (left := state.seconds_left) is not None else []
    said += [f"on {state.host}"] if state.host != host else []
    said += [f"last word {in_words(silence)} ago"] if (silence := time.time() - state.updated) > 60 else []
    return f"  {job.job.name}: {', '.join(said)} (log: {state.log})"


def content_of_run(seen: SeenRun) -> dict[str, Any]:
    """The same as JSON-able values; times are seconds of Unix time."""
    record, sight = seen.record, seen.sight
    return {
        "results": str(seen.results),
        "how": seen.how,
        **{key: value for key, value in asdict(record).items() if key not in ("jobs", "how", "born")},
        "elapsed": round(sight.elapsed, 1),
        "seconds_left": sight.seconds_left if seen.is_at_work else None,
        "counts": {how: len(sight.of(how)) for how in ("made", "running", "failed", "waiting")},
        "rates": sight.rates,
        "jobs": [_content_of_job(job) for job in sight.jobs],
        "failures": [{**asdict(failure), "not_made": names} for failure, names in sight.failures.items()],
    }


def _content_of_job(job: JobSight) -> dict[str, Any]:
    state = None if job.state is None else {**asdict(job.state), "seconds_left": job.state.seconds_left}
    return {"name": job.job.name, "rule": job.job.rule, "how": job.how, "log": job.job.log, "state": state}


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
