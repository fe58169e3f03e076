"""The record of a run, ``results/<experiment>/jobs/run.json``: what was started, when and where, and how it ended."""

import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from evaluators.dag.dag import Dag
from evaluators.run.jobs import RunJob, parts_of
from usaid.errors import UsaidError
from usaid.failures import ledger_file
from usaid.files import written_atomically
from usaid.job_state import SUFFIX, is_number
from usaid.processes import birth_of, is_alive

NAME = "run.json"

SILENCE = 180.0
"""Seconds without a word after which a run on another machine counts as dead."""

How = Literal["", "done", "failed", "stopped"]
"""How a run ended: all made; all tried, of which some failed; before all were tried; empty: it has not."""


@dataclass(frozen=True)
class RecordedJob:
    """A job of a run.

    Attributes:
        name: what messages call it.
        rule: its rule.
        log: its log file.
        place: of its state below ``jobs/``, without a suffix.
        parts: the ledger of each of its results, likewise, and when that had been written before the run (nanoseconds
            of its file system's clock; 0: never): one that was written since is of this run.
        seconds: that the plan gives it; None: nobody knows.
    """

    name: str
    rule: str
    log: str
    place: str
    parts: Mapping[str, int]
    seconds: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run.

    Attributes:
        experiment: its name.
        command: what was typed.
        folder: where.
        host: the machine on which Snakemake runs; jobs may run elsewhere.
        pid: of Snakemake's process.
        born: when that process began, in the system's ticks: another may get its number. 0: the system does not say.
        began: seconds of Unix time.
        jobs: those that had to be made when it began.
        how: it ended.
        wall_seconds: of the whole run; None: it has not ended, or nobody saw it end.
    """

    experiment: str
    command: str
    folder: str
    host: str
    pid: int
    born: int
    began: float
    jobs: tuple[RecordedJob, ...] = field(default=())
    how: How = ""
    wall_seconds: float | None = None


def begin_record(dag: Dag, jobs: Iterable[RunJob], seconds: Mapping[str, float] | None = None) -> RunRecord:
    """Write the record of a run that begins; states that a killed run left are removed.

    Args:
        dag: of the experiment.
        jobs: those that are to be made.
        seconds: what the plan gives them, by name.

    Raises:
        UsaidError: it cannot be written.
    """
    recorded = tuple(_recorded(dag, job, seconds or {}) for job in jobs if job.outputs)
    record = RunRecord(
        dag.experiment.experiment, command_line(sys.argv), folder_of(sys.argv), socket.gethostname(), os.getpid(),
        birth_of(os.getpid()), round(time.time(), 1), recorded,
    )  # fmt: skip
    for state in Path(dag.results, "jobs").rglob(f"*{SUFFIX}"):
        with suppress(OSError):
            state.unlink()  # a job that a killed run left behind writes it again
    write_record(dag.results, record)
    return record


def end_record(results: str | Path, record: RunRecord, how: How) -> RunRecord:
    """Write down how a run ended, if that can be written: what there is to say of its end is said all the same.

    Args:
        results: folder of the experiment.
        record: as it began.
        how: it ended.
    """
    ended = replace(record, how=how, wall_seconds=round(time.time() - record.began, 1))
    with suppress(UsaidError):
        write_record(results, ended)
    return ended


def write_record(results: str | Path, record: RunRecord) -> None:
    """Write a record below the experiment's folder, atomically."""
    with written_atomically(Path(results, "jobs", NAME)) as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def read_record(results: str | Path) -> RunRecord:
    """The record of the last run of an experiment.

    Raises:
        UsaidError: there is no such folder, no run, or a file that is none.
    """
    path = Path(results, "jobs", NAME)
    if not Path(results).is_dir():
        raise UsaidError(f"{results}: no such folder; name that of an experiment's results: results/<experiment>")
    try:
        said = json.loads(path.read_bytes())
        jobs = tuple(RecordedJob(**{**job, "parts": _numbers(job["parts"])}) for job in said["jobs"])
        record = RunRecord(**{**said, "jobs": jobs})
        _check(record)
        return record
    except FileNotFoundError:
        raise UsaidError(f"{results}: no run has begun here; start one with: snakemake --cores all") from None
    except OSError as error:
        raise UsaidError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise UsaidError(f"{path}: not the record of a run; delete it, the next run writes it anew") from None


def _check(record: RunRecord) -> None:
    """See that what was read can be shown."""
    texts = [record.experiment, record.command, record.folder, record.host]
    numbers = [record.began, record.pid, record.born, 0 if record.wall_seconds is None else record.wall_seconds]
    for job in record.jobs:
        texts += [job.name, job.rule, job.log, job.place, *job.parts]
        numbers.append(0 if job.seconds is None else job.seconds)
    are_texts = all(isinstance(text, str) and "\0" not in text for text in texts)
    are_counts = isinstance(record.pid, int) and isinstance(record.born, int)
    if not (are_texts and are_counts and all(map(is_number, numbers)) and record.how in get_args(How)):
        raise ValueError


def _numbers(parts: Mapping[str, Any]) -> dict[str, int]:
    return {str(place): int(written) for place, written in parts.items()}


def is_at_work(results: str | Path, record: RunRecord, newest: float = 0.0) -> bool:
    """Whether a run that has not ended is at work: its process lives, or it, or a job of it, said a word lately.

    Args:
        results: folder of the experiment.
        record: of the run.
        newest: when one of its jobs last wrote its state, in seconds of Unix time.
    """
    if record.how:
        return False
    if record.host == socket.gethostname():
        return is_alive(record.pid) and birth_of(record.pid) == record.born
    return time.time() - last_word(results, newest) < SILENCE


def last_word(results: str | Path, newest: float = 0.0) -> float:
    """When a run, or a job of it, last said a word, in seconds of Unix time; as :func:`is_at_work` has it."""
    with suppress(OSError):
        return max(newest, Path(results, "jobs", NAME).stat().st_mtime)
    return newest


def say_a_word(results: str | Path) -> None:
    """Show that a run lives to who looks on from another machine."""
    with suppress(OSError):
        os.utime(Path(results, "jobs", NAME))


def command_line(arguments: Sequence[str]) -> str:
    """What was typed, as far as a process knows its arguments."""
    program = Path(arguments[0])
    first = ["python", "-m", program.parent.name] if program.name == "__main__.py" else [program.name]
    return shlex.join([*first, *arguments[1:]])


def folder_of(arguments: Sequence[str]) -> str:
    """Where a command was typed: Snakemake leaves for the folder that ``--directory`` names."""
    left = any(argument in ("-d", "--directory") or argument.startswith("--directory=") for argument in arguments)
    return (os.environ.get("PWD") if left else None) or os.getcwd()


def go_on_with(record: RunRecord) -> str:
    """What to type to go on with a run that was killed or stopped."""
    return f"cd {shlex.quote(record.folder)} && {record.command}"


def _recorded(dag: Dag, job: RunJob, seconds: Mapping[str, float]) -> RecordedJob:
    ledgers = [ledger_file(dag.results, part.rule, part.wildcards.values()) for part in parts_of(dag, job)]
    parts = {_place(dag.results, ledger): written_at(ledger) for ledger in ledgers}
    own = ledger_file(dag.results, job.rule, job.wildcards.values())
    return RecordedJob(job.name, job.rule, job.log, _place(dag.results, own), parts, seconds.get(job.name))


def _place(results: str | Path, ledger: Path) -> str:
    return str(ledger.relative_to(Path(results, "jobs")).with_suffix(""))


def written_at(path: Path) -> int:
    """When a file was last written, in nanoseconds of its file system's clock; 0: there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
