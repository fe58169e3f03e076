"""What a job of the workflow is at, in a small file beside its ledger, for who looks on from wherever."""

import json
import os
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from usaid.processes import is_alive

SUFFIX = ".progress"
"""Of the files; that of a job is named as its ledger is."""

SECONDS_BETWEEN_STATES = 1.0
"""At most so often a job writes its state."""

WINDOW = 30.0
"""Seconds over which the rate is measured."""

LONGEST = 1 << 16
"""Bytes of a file that can be a state."""

LARGEST = 1e15
"""Of a number in such a file; those beyond are damage."""


@dataclass(frozen=True)
class JobState:
    """What a job is at.

    Attributes:
        name: of the job, as :func:`usaid.failures.name_of` has it.
        title: of what it is at; empty: it has not said.
        done: of ``total``, in ``unit``.
        total: how many there are; None: nobody knows.
        unit: ``image``, ``step`` ...
        rate: of the last half minute, in units a second; None: not known yet.
        parts_done: results of the job that are made or failed, or stages of its only result.
        parts: how many it makes, or goes through.
        since: when its process began with it, in seconds of Unix time.
        updated: when this was written, likewise.
        pid: of its process.
        host: where that runs.
        log: the job's log file.
    """

    name: str
    title: str
    done: int
    total: int | None
    unit: str
    rate: float | None
    parts_done: int
    parts: int
    since: float
    updated: float
    pid: int
    host: str
    log: str

    @property
    def fraction(self) -> float:
        """How much of the job is done, 0 to 1."""
        of_part = min(self.done / self.total, 1.0) if self.total else 0.0
        return min((self.parts_done + of_part) / max(self.parts, 1), 1.0)

    @property
    def seconds_left(self) -> float | None:
        """How long the job still takes, as far as it has gone on by itself; None: nobody knows."""
        if self.parts <= 1:
            return (self.total - self.done) / self.rate if self.total and self.rate else None
        spent = self.updated - self.since
        return spent * (1 - self.fraction) / self.fraction if self.fraction > 0 else None

    @property
    def may_live(self) -> bool:
        """Whether its process lives; of another host's nobody knows, so it may."""
        return self.host != socket.gethostname() or is_alive(self.pid)


def states_below(folder: str | Path) -> dict[str, JobState]:
    """The states of jobs below the folder of their ledgers, by their paths there without the suffix.

    Foreign, damaged and half-written files are passed over.
    """
    found = {}
    for path in sorted(Path(folder).rglob(f"*{SUFFIX}")):
        if (state := read_state(path)) is not None:
            found[str(path.relative_to(folder).with_suffix(""))] = state
    return found


def read_state(path: str | Path) -> JobState | None:
    """The state in a file; None: there is none."""
    try:
        with open(path, "rb") as file:
            said = json.loads(file.read(LONGEST))
        kinds = {field.name: field.type for field in fields(JobState)}
        if not isinstance(said, dict) or not all(_is(said[name], kind) for name, kind in kinds.items()):
            return None
        return JobState(**{name: said[name] for name in kinds})
    except (OSError, ValueError, KeyError, RecursionError):
        return None


def _is(value: object, kind: object) -> bool:
    """Whether a value out of JSON has the type of a field."""
    if kind is str:
        return isinstance(value, str)
    if value is None:
        return kind in (int | None, float | None)
    return is_number(value) and (isinstance(value, int) or kind in (float, float | None))


def is_number(value: object) -> bool:
    """Whether a value out of JSON is a number that can be reckoned with: neither endless nor beyond all measure."""
    is_one = isinstance(value, float | int) and not isinstance(value, bool)
    return is_one and (value == 0 or 1 / LARGEST <= abs(value) <= LARGEST)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ who writes


class JobReport:
    """Counts what a job does, and writes its state; neither a full disk nor a folder that is read-only fails a job.

    Attributes:
        counts: what this process has done, by unit; what it was spared does not count.
        parts_done: as :class:`JobState` has it.
    """

    def __init__(self, path: str | Path, name: str, log: str = "", parts: int = 1) -> None:
        """
        Args:
            path: of the state's file.
            name, log, parts: as :class:`JobState` has them.
        """
        self.counts: Counter[str] = Counter()
        self.parts_done = 0
        self._path, self._name, self._log, self._parts = Path(path), name, log, parts
        self._since, self._host, self._lock = time.time(), socket.gethostname(), threading.Lock()
        self._seen: deque[tuple[float, int]] = deque()
        self._written = 0.0
        self._begin("", None, "image", 0)

    def begin(self, title: str, total: int | None, unit: str, done: int) -> None:
        """Say what comes now.

        Args:
            title: what it is called.
            total: how many there are; None: nobody knows.
            unit: in the singular.
            done: how many of them were done before.
        """
        with self._lock:
            self._begin(title, total, unit, done)

    def advance(self, number: int, is_work: bool = True) -> None:
        """Say that so many more are done.

        Args:
            number: how many.
            is_work: False: they had been done before.
        """
        with self._lock:
            self._done += number
            if is_work:
                self.counts[self._unit] += number
                self._worked += number
            if (now := time.monotonic()) - self._written >= SECONDS_BETWEEN_STATES:
                self._write(now)

    def split(self, parts: int) -> None:
        """Say that the job's only result is made in so many stages.

        Args:
            parts: how many; each ends with :meth:`end_part`.
        """
        with self._lock:
            if self._parts == 1:
                self._parts = parts

    def end_part(self) -> None:
        """Say that one of the job's results is made, or has failed; or that a stage of its only one has ended."""
        with self._lock:
            self.parts_done += 1
            self._begin("", None, self._unit, 0)

    def remove(self) -> None:
        """The job has ended: its ledger says how."""
        with self._lock, suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _begin(self, title: str, total: int | None, unit: str, done: int) -> None:
        self._title, self._total, self._unit, self._done, self._worked = title, total, unit, done, 0
        self._seen.clear()
        now = time.monotonic()
        if now - self._written >= SECONDS_BETWEEN_STATES or not self._written:
            self._write(now)
        else:
            self._seen.append((now, 0))

    def _write(self, now: float) -> None:
        """Write the state, atomically; it is not synced, since it is worth nothing after a crash."""
        self._written = now
        rate = self._rate(now)
        state = JobState(
            self._name, self._title, self._done, self._total, self._unit, rate, self.parts_done, self._parts,
            round(self._since, 1), round(time.time(), 1), os.getpid(), self._host, self._log,
        )  # fmt: skip
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(asdict(state)) + "\n", encoding="utf-8")
            os.replace(temporary, self._path)
        except OSError:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _rate(self, now: float) -> float | None:
        """Units a second, over the window."""
        self._seen.append((now, self._worked))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        (since, before), (_, worked) = self._seen[0], self._seen[-1]
        return round((worked - before) / (now - since), 3) if now > since and worked > before else None


_reports: list[JobReport] = []
"""That of this process's job, if it is one."""


def current_report() -> JobReport | None:
    """The report of this process's job; None: it is no job of the workflow."""
    return _reports[-1] if _reports else None


@contextmanager
def reported(report: JobReport) -> Iterator[JobReport]:
    """A block whose progress goes into a report; its file is gone at the end."""
    _reports.append(report)
    try:
        yield report
    finally:
        _reports.remove(report)
        report.remove()
