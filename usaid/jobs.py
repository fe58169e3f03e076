"""What every job of the workflow does: its log and threads, and a failure that is said in place of its results."""

import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol, TextIO

from usaid.bounded_log import BoundedLog
from usaid.errors import reason_of
from usaid.failures import Failure, Ledger, first_failure, ledger_file, name_of, write_marker
from usaid.gpu_lease import card_alone
from usaid.job_state import SUFFIX, JobReport, reported
from usaid.memory import keep_freed_memory
from usaid.stopwatch import Stopwatch


class WorkflowJob(Protocol):
    """What a script is told of its job: Snakemake's object ``snakemake``."""

    rule: str
    wildcards: Any
    input: Sequence[str]
    output: Sequence[str]
    log: Sequence[str]
    threads: int
    resources: Any
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """A result of a job that has a ledger of its own: all that the job makes, or one of several score files.

    Attributes:
        rule: with ``wildcards`` its name, which does not depend on how many parts a job has.
        wildcards: their values.
        inputs: the files that it is made from. A failure's marker among them fails it.
        outputs: its files.
        failures: how often it had failed when the run was planned; None: nobody knows.
    """

    rule: str
    wildcards: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    failures: int | None = None

    @classmethod
    def told(cls, said: Mapping[str, Any], further: Sequence[str] = ()) -> "Part":
        """A result as the workflow tells a job of it.

        Args:
            said: ``rule``, ``wildcards``, ``inputs``, ``output`` or ``outputs``, ``failures``.
            further: inputs beside those.
        """
        outputs = said["outputs"] if "outputs" in said else [said["output"]]
        inputs = (*said["inputs"], *further)
        return cls(said["rule"], tuple(said["wildcards"]), inputs, tuple(outputs), said["failures"])

    @property
    def name(self) -> str:
        """What messages call it."""
        return name_of(self.rule, self.wildcards)


WriteFailure = Callable[[Part, Failure], None]


@contextmanager
def job(of: WorkflowJob, *, uses_torch: bool = False, takes_failures: bool = False) -> Iterator[None]:
    """Run a block as a job of the workflow that makes one result, with what it prints in its log file.

    An exception ends the job well for the workflow, which goes on with all that does not need it: its traceback is in
    the log, its one line on the terminal, and a marker (:mod:`usaid.failures`) in place of each output. A job one of
    whose inputs is such a marker fails with the same root cause, and one whose first process died without a word fails
    for that, both before the block is entered. An interrupt is no failure.

    Args:
        of: the job.
        uses_torch: torch gets the job's threads, and a job with the resource ``gpu`` a card of its own, whose wait
            for it no clock counts; torch is not imported otherwise.
        takes_failures: inputs may be markers, which the block knows.
    """
    whole = Part(of.rule, tuple(of.wildcards), () if takes_failures else tuple(of.input), tuple(of.output))
    with job_of_parts(of, [whole], uses_torch=uses_torch) as parts:
        if not parts.waiting:
            sys.exit(0)
        yield
        parts.end(whole)


@contextmanager
def job_of_parts(
    of: WorkflowJob, parts: Sequence[Part], *, uses_torch: bool = False, write_failure: WriteFailure | None = None
) -> Iterator["Parts"]:
    """As :func:`job`, of several results, each with a ledger and failures of its own.

    The block makes those that are :attr:`Parts.waiting` and says of each when it begins and ends; a single one has
    begun. Those that had begun when a process died without a word fail for that in the next one; the others are made.
    Meanwhile a file beside the job's ledger says what it is at (:mod:`usaid.job_state`); the log's last line says how
    it ended.

    Args:
        of: the job.
        parts: its results.
        uses_torch: as :func:`job` has it.
        write_failure: writes the outputs of a part in place of markers: score files have a way of their own to say why.
    """
    clock = Stopwatch()
    place = ledger_file(f"results/{of.config['experiment']}", of.rule, of.wildcards)
    attempt = of.resources.get("attempt", 1)
    with ExitStack() as stack:
        ledgers = {part: _ledger(of, part) for part in parts}
        for ledger in ledgers.values():
            stack.enter_context(ledger.held())
        stack.enter_context(_terminated_as_interrupt())
        stack.enter_context(_printing_to(stack.enter_context(_log(of.log[0], place.with_suffix(".log"), attempt > 1))))
        stack.enter_context(clock.running())
        name = name_of(of.rule, of.wildcards)
        report = stack.enter_context(reported(JobReport(place.with_suffix(SUFFIX), name, of.log[0], len(parts))))
        states = Parts(ledgers, of.log[0], write_failure, clock, report)
        states.sort_out(attempt)
        try:
            if uses_torch and states.waiting:
                if of.resources.get("gpu", 0):
                    with clock.paused():
                        stack.enter_context(card_alone(of.config.get("device", "auto")))
                _give_threads(of.threads)
            yield states
            states.end_all("the job ended without making it")
        except Exception as error:
            traceback.print_exc()
            states.end_all(reason_of(error))
        except BaseException:
            if states.waiting:  # else :func:`job` leaves, with nothing to make
                traceback.print_exc()
                states.stop()
            raise
        finally:
            with suppress(OSError):
                print(states.ending())


def _ledger(of: WorkflowJob, part: Part) -> Ledger:
    return Ledger.at(f"results/{of.config['experiment']}", part.rule, part.wildcards)


class Parts:
    """What the parts of a job are at."""

    def __init__(
        self,
        ledgers: Mapping[Part, Ledger],
        log: str,
        write_failure: WriteFailure | None,
        clock: Stopwatch,
        report: JobReport,
    ) -> None:
        """
        Args:
            ledgers: of each part, held by this process.
            log: the job's log file.
            write_failure: as :func:`job_of_parts` has it.
            clock: the process's.
            report: what the job does is told to it.
        """
        self._ledgers, self._log, self._write_failure = ledgers, log, write_failure
        self._clock, self._report, self._spent = clock, report, 0.0
        self._begun: list[Part] = []
        self._failed: dict[Part, Failure] = {}
        self.waiting = [*ledgers]
        """Those that are neither made nor failed."""

    def sort_out(self, attempt: int) -> None:
        """Fail those that cannot be made: for a marker among the inputs, or for a process that died.

        Args:
            attempt: 1, or more where processes of this job died in this run.
        """
        deaths = attempt - 1
        died = [part for part, ledger in self._ledgers.items() if ledger.state == "running"] if deaths else []
        standing = {part: said for part in self.waiting if deaths and (said := self._of_this_run(part))}
        if deaths > len(died) + len(standing) + 1:  # twice of no part's doing
            died = [part for part in self.waiting if part not in standing]
        for part in [*self.waiting]:
            if self._ledgers[part].state == "running" and not deaths:
                self._ledgers[part].note("stopped")  # by a kill of an earlier run
            if part in standing:
                self._take_off(part, standing[part])
                self._write(part, standing[part])
            elif part in died:
                why = f"the process died without a word: killed, or out of memory; see {self._log}"
                self._fail(part, Failure(part.name, why, self._log))
            elif (failure := first_failure(part.inputs)) is not None:
                self._fail(part, failure)
        if len(self._ledgers) == 1:
            self.begin(self.waiting)

    def _of_this_run(self, part: Part) -> Failure | None:
        """Why a part failed in an earlier process of this run: it is not tried again, and not counted again."""
        ledger = self._ledgers[part]
        is_of_it = part.failures is not None and ledger.failures != part.failures
        return ledger.failure if ledger.state == "failed" and is_of_it else None

    def begin(self, parts: Sequence[Part], is_shared: bool = False) -> None:
        """Say which parts are worked on: it is theirs if the process dies.

        Args:
            parts: they.
            is_shared: it may also be that of others, which the process takes along: the next one is to make the parts
                alone.
        """
        for part in parts:
            self._ledgers[part].note("shared" if is_shared else "running")
        self._begun += parts
        if len(self._ledgers) > 1:
            print(f"---- {', '.join(part.name for part in parts)}")

    def end(self, part: Part, reason: str | None = None) -> None:
        """Say that a part has its outputs, or failed for a reason, one line; outputs that are there lack something."""
        missing = next((output for output in part.outputs if not Path(output).exists()), None)
        if reason is None and missing is not None:
            reason = f"{missing}: the job ended without writing it"
        if reason is not None and missing is None:
            failure = Failure(part.name, reason, self._log)
            self._take_off(part, failure)
            self._ledgers[part].note("partial", failure, self._lap())
            print(said := f"error: {part.name}: {reason}")
            _say(said)
        elif reason is not None:
            self._fail(part, Failure(part.name, reason, self._log))
        else:
            self._take_off(part)
            self._ledgers[part].note("made", seconds=self._lap())

    def end_all(self, reason: str) -> None:
        """Say of all that have not ended that they failed."""
        for part in [*self.waiting]:
            self._fail(part, Failure(part.name, reason, self._log))

    def give_up(self, reason: str) -> NoReturn:
        """Fail those that are worked on, which never end, and end the process: the next one makes the others.

        Args:
            reason: one line.
        """
        for part in self._begun:
            if part in self.waiting:
                self._fail(part, Failure(part.name, reason, self._log))
        print(self.ending())
        if isinstance(sys.stdout, BoundedLog):
            sys.stdout.finish()
        self._report.remove()
        os._exit(1)

    def stop(self) -> None:
        """Say of those that are worked on that they were stopped."""
        for part in self._begun:
            if part in self.waiting:
                self._ledgers[part].note("stopped")

    def ending(self) -> str:
        """How the job ended, in how many seconds, and what it did in them: one line."""
        self._lap()
        seconds, of_all = f"{self._spent:.1f} s", len(self._ledgers)
        rates = (
            f"{number:,} {unit}{'s' * (number != 1)}, {number / self._spent:.3g} {unit}s/s"
            for unit, number in self._report.counts.items()
            if number and self._spent
        )
        done = ": ".join(filter(None, [f"in {seconds}", "; ".join(rates)]))
        why = "; ".join(dict.fromkeys(f.reason if f.job == part.name else str(f) for part, f in self._failed.items()))
        if self.waiting:
            return f"stopped after {seconds}: {len(self.waiting)} of {of_all} not made"
        if len(self._failed) == of_all:
            return f"failed after {seconds}: {why}"
        if self._failed:
            return f"made {of_all - len(self._failed)} of {of_all} {done}; failed: {why}"
        return f"made {done}"

    def _lap(self) -> dict[str, float]:
        seconds = self._clock.lap()
        self._spent += sum(seconds.values())
        return seconds

    def _take_off(self, part: Part, failure: Failure | None = None) -> None:
        self.waiting.remove(part)
        if failure is not None:
            self._failed[part] = failure
        self._report.end_part()

    def _fail(self, part: Part, failure: Failure) -> None:
        """Say a failure in place of the outputs, on the terminal and in the ledger."""
        own = failure.job == part.name
        said = f"error: {part.name}: {failure.reason}"
        print(said if own else f"error: {part.name}: not made, since {failure}")
        self._take_off(part, failure)
        try:
            self._write(part, failure)
            self._ledgers[part].note("failed", failure, self._lap())
        except OSError as error:
            _give_up(f"{said}; nor can that be written down ({error.strerror})")
        if own:
            _say(said)

    def _write(self, part: Part, failure: Failure) -> None:
        """Write the outputs in a way of their own, or as markers."""
        if self._write_failure is not None:
            try:
                self._write_failure(part, failure)
                return
            except Exception:
                traceback.print_exc()
        for output in part.outputs:
            write_marker(output, failure)


def leave() -> NoReturn:
    """End the process of a job that has ended well: an interpreter with torch takes itself apart for most of a second.

    Files are closed and threads joined by then; only what is printed may still wait.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _say(line: str) -> None:
    """Say a line where a person looks; on a terminal it takes the place of the run's status line."""
    erased = "\r\x1b[K" if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
    print(f"{erased}{line}", file=sys.__stderr__, flush=True)


def _give_up(line: str) -> NoReturn:
    _say(line)
    sys.exit(1)


def _give_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()


@contextmanager
def _log(path: str, kept: Path, is_second: bool) -> Iterator[TextIO]:
    """A log file, open. Snakemake deletes it before a second attempt: a link to it is kept until the job ends."""
    before = ""
    if is_second:
        with suppress(OSError):
            before = kept.read_text(encoding="utf-8", errors="replace")
    with open(path, "w", buffering=1, encoding="utf-8") as file:
        file.write(before)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.unlink(missing_ok=True)
        with suppress(OSError):  # a file system without links
            os.link(path, kept)
        try:
            yield file
        finally:
            kept.unlink(missing_ok=True)


@contextmanager
def _printing_to(log: TextIO) -> Iterator[None]:
    """What is printed goes to a log, within bounds, and so does the place where the process crashes."""
    was_enabled, bounded = faulthandler.is_enabled(), BoundedLog(log)
    faulthandler.enable(log)
    try:
        with redirect_stdout(bounded), redirect_stderr(bounded):
            yield
    finally:
        bounded.finish()
        faulthandler.disable()
        if was_enabled:
            faulthandler.enable()


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """A polite request to end leaves the block as an interrupt does: temporary files are removed."""

    def end(number: int, _: Any) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
