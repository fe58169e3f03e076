"""A failed job says so where its results would be; and a ledger of each job, by which it is tried again."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from usaid.files import written_atomically
from usaid.locks import lock_if_free, opened_to_lock, wait_for_lock

MAGIC = "usaid: this job failed; what stands here is no result"
"""First line of a file that a failed job left in place of a result."""

_FIRST = MAGIC.encode() + b"\n"


@dataclass(frozen=True)
class Failure:
    """Why a job has no result.

    Attributes:
        job: the one that failed first, as :func:`name_of` calls it; others hand its failure on as it is.
        reason: one line that names the file or key and the cure.
        log: its log file, with the traceback.
    """

    job: str
    reason: str
    log: str = ""

    def __str__(self) -> str:
        return f"{self.job} failed: {self.reason}"


def name_of(rule: str, wildcards: Iterable[str]) -> str:
    """What a job is called: ``"score kodak_quality/noisy"``."""
    return " ".join(filter(None, [rule, "/".join(wildcards)]))


# ------------------------------------------------------------------------------------------------ markers


def write_marker(path: str | Path, failure: Failure) -> None:
    """Put a failure where a result would be, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_bytes(_FIRST + json.dumps(asdict(failure), indent=1).encode() + b"\n")


def failure_in(path: str | Path) -> Failure | None:
    """The failure that a file says in place of a result; None: it is no marker, or cannot be read."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_FIRST)) != _FIRST:
                return None
            return Failure(**json.loads(file.read()))
    except (ValueError, TypeError):
        return Failure("a job", f"{path} does not say why; delete it and rerun")
    except OSError:
        return None


def first_failure(paths: Iterable[str | Path]) -> Failure | None:
    """The failure that the first marker among some files says; None: there is none."""
    return next((failure for path in paths if (failure := failure_in(path)) is not None), None)


# ------------------------------------------------------------------------------------------------ ledgers


def ledger_file(results: str | Path, rule: str, wildcards: Iterable[str]) -> Path:
    """Where the ledger of a job of an experiment is; nothing is read."""
    return Path(results, "jobs", rule, *wildcards).with_suffix(".json")


State = Literal["new", "running", "shared", "made", "partial", "failed", "stopped"]


@dataclass
class Ledger:
    """What became of a job: only the job itself writes it, and no rule has it as an output.

    Attributes:
        path: its file.
        failures: how often the job has failed so far. The workflow hands the number to the job, so that a failed job
            differs from the one that was recorded, and is made again; one that was made does not.
        state: ``running`` also after a kill, which leaves no word; so does ``shared``: its process does the work of
            others, too, any of which may have killed it; ``partial``: it has a result that lacks something, which
            counts as a failure; ``stopped``: by an interrupt.
        failure: why it failed the last time, if that was a failure.
        pid: of the process that has it, or had it last.
        seconds: that making it took the last time, by cause (:class:`usaid.stopwatch.Stopwatch`).
    """

    path: Path
    failures: int = 0
    state: State = "new"
    failure: Failure | None = None
    pid: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    _file: int | None = field(default=None, repr=False)

    @classmethod
    def at(cls, results: str | Path, rule: str, wildcards: Iterable[str]) -> "Ledger":
        """The ledger of a job of an experiment as it is now; only looks."""
        ledger = cls(ledger_file(results, rule, wildcards))
        with suppress(OSError):
            ledger._take(ledger.path.read_bytes())
        return ledger

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the ledger for this process alone, to write into it; waits for a process that has it.

        That is one which a killed run left behind, and which still writes the same files.
        """
        with opened_to_lock(self.path) as file:
            if not lock_if_free(file):
                self._take(os.pread(file, 1 << 20, 0))
                print(f"waiting for process {self.pid}, which still writes the same files", file=sys.stderr)
                wait_for_lock(file)
            self._take(os.pread(file, 1 << 20, 0))
            self._file = file
            try:
                yield
            finally:
                self._file = None

    @contextmanager
    def held_if_free(self) -> Iterator[bool]:
        """Keep other processes from the ledger without writing into it; False, at once: a process has it."""
        with opened_to_lock(self.path) as file:
            yield lock_if_free(file)

    def note(self, state: State, failure: Failure | None = None, seconds: Mapping[str, float] | None = None) -> None:
        """Write down what the job is at; a failure is counted."""
        assert self._file is not None
        self.state, self.failure, self.pid = state, failure, os.getpid()
        self.failures += state in ("partial", "failed")
        self.seconds = dict(seconds or {})
        said = asdict(failure) if failure else None
        content = {"failures": self.failures, "state": state, "pid": self.pid, "failure": said, "seconds": self.seconds}
        text = json.dumps(content, indent=1).encode() + b"\n"
        os.pwrite(self._file, text, 0)  # in place: the lock is on this very file
        os.ftruncate(self._file, len(text))

    def _take(self, content: bytes) -> None:
        """What a file says. One that is damaged counts as another number of failures than any, so the job is redone."""
        if not content:
            return
        try:
            said, _ = json.JSONDecoder().raw_decode(content.decode())  # a kill may leave the end of a longer text
            failure = said["failure"]
            self.failures, self.state, self.pid = int(said["failures"]), said["state"], int(said["pid"])
            self.failure = Failure(**failure) if isinstance(failure, Mapping) else None
            seconds = said.get("seconds")
            self.seconds = {cause: float(value) for cause, value in seconds.items()} if seconds else {}
        except (ValueError, KeyError, TypeError, AttributeError):
            self.failures, self.state = -1, "new"

    def as_failure(self) -> Failure | None:
        """Why the job has no result now, or not all of it; None: it has one, or was not run."""
        return self.failure if self.state in ("partial", "failed") else None
