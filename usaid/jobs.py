"""What every job of the workflow does: its log and threads, and a failure that is said in place of its results."""

import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

from usaid.errors import UsaidError, reason_of
from usaid.failures import Failure, Ledger, first_failure, name_of, write_marker
from usaid.memory import keep_freed_memory


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


@contextmanager
def job(
    of: WorkflowJob,
    *,
    uses_torch: bool = False,
    takes_failures: bool = False,
    on_failure: Callable[[Failure], None] | None = None,
) -> Iterator[None]:
    """Run a block as a job of the workflow, with what it prints in its log file.

    An exception ends the job well for the workflow, which goes on with all that does not need it: its traceback is in
    the log, its one line on the terminal, and a marker (:mod:`usaid.failures`) in place of each output. A job one of
    whose inputs is such a marker fails with the same root cause, and one whose first process died without a word fails
    for that, both before the block is entered. An interrupt is no failure.

    Args:
        of: the job.
        uses_torch: torch gets the job's threads; it is not imported otherwise.
        takes_failures: inputs may be markers, which the block knows.
        on_failure: writes the outputs in place of markers: score files have a way of their own to say why.
    """
    name, log = name_of(of.rule, of.wildcards), of.log[0]
    ledger = Ledger.at(f"results/{of.config['experiment']}", of.rule, of.wildcards)
    is_second = of.resources.get("attempt", 1) > 1
    with ExitStack() as stack:
        stack.enter_context(ledger.held())
        stack.enter_context(_terminated_as_interrupt())
        file = stack.enter_context(_log(log, ledger.path.with_suffix(".log"), is_second))
        stack.enter_context(_printing_to(file))
        failure = None if takes_failures else first_failure(of.input)
        if is_second and ledger.state == "running":
            failure = Failure(name, f"the process died without a word: killed, or out of memory; see {log}", log)
        ledger.note("running")
        if failure is not None:
            _end_failed(of, ledger, failure, on_failure)
            sys.exit(0)
        try:
            if uses_torch:
                _give_threads(of.threads)
            yield
            _check_outputs(of)
        except Exception as error:
            traceback.print_exc()
            _end_failed(of, ledger, Failure(name, reason_of(error), log), on_failure)
        except BaseException:
            traceback.print_exc()
            ledger.note("stopped")
            raise
        else:
            ledger.note("made")


def _end_failed(
    of: WorkflowJob, ledger: Ledger, failure: Failure, on_failure: Callable[[Failure], None] | None
) -> None:
    """Say a failure in place of the outputs, on the terminal and in the ledger."""
    name = name_of(of.rule, of.wildcards)
    own = failure.job == name
    print(f"error: {name}: {failure.reason}" if own else f"error: {name}: not made, since {failure}")
    try:
        _write_in_place_of_outputs(of, failure, on_failure)
        ledger.note("failed", failure)
    except OSError as error:
        _give_up(f"error: {name}: {failure.reason}; nor can that be written down ({error.strerror})")
    if own:
        print(f"error: {name}: {failure.reason}", file=sys.__stderr__, flush=True)


def _give_up(line: str) -> NoReturn:
    print(line, file=sys.__stderr__, flush=True)
    sys.exit(1)


def _write_in_place_of_outputs(of: WorkflowJob, failure: Failure, on_failure: Callable[[Failure], None] | None) -> None:
    if on_failure is not None:
        try:
            on_failure(failure)
            return
        except Exception:
            traceback.print_exc()
    for output in of.output:
        write_marker(output, failure)


def _check_outputs(of: WorkflowJob) -> None:
    for output in of.output:
        if not Path(output).exists():
            raise UsaidError(f"{output}: the job ended without writing it")


def _give_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()


@contextmanager
def _log(path: str, kept: Path, is_second: bool) -> Iterator[IO[str]]:
    """A log file, open. Snakemake deletes it before a second attempt: a link to it is kept until the job ends."""
    before = ""
    if is_second:
        with suppress(OSError):
            before = kept.read_text(encoding="utf-8", errors="replace")
    with open(path, "w", buffering=1, encoding="utf-8") as file:
        file.write(before)
        kept.unlink(missing_ok=True)
        with suppress(OSError):  # a file system without links
            os.link(path, kept)
        try:
            yield file
        finally:
            kept.unlink(missing_ok=True)


@contextmanager
def _printing_to(log: IO[str]) -> Iterator[None]:
    """What is printed goes to a log, and so does the place where the process crashes."""
    was_enabled = faulthandler.is_enabled()
    faulthandler.enable(log)
    try:
        with redirect_stdout(log), redirect_stderr(log):
            yield
    finally:
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
