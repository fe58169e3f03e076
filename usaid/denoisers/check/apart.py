"""Checks in a process of their own: a crash, a hang or a flood of prints of a denoiser is a finding, not the end."""

import faulthandler
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from usaid.denoisers.base import Denoiser
from usaid.denoisers.check.checks import run_check
from usaid.denoisers.check.finding import Finding, dumped_place, reason
from usaid.denoisers.check.subject import Subject
from usaid.denoisers.facts import name_of
from usaid.errors import UsaidError, is_signal, one_line

GRACE = 1.0
"""Seconds that a process which is late gets to say where it hangs."""
ENDING = 10.0
"""Seconds that a process which hears no more gets to end by itself, so that its exit status is known."""
START = 120.0
"""Seconds that a process has to import torch."""
KEPT = 1 << 16
"""Bytes kept of what is printed: the first of stdout, the last of stderr."""


@dataclass
class Printed:
    """What a denoiser printed, as bytes."""

    lines: int = 0
    first: bytes = b""
    errors: bytes = b""
    """The last of stderr."""


class Ended(Exception):
    """The process has crashed or took too long, and is no more; the message says which and where."""


class Late(Ended):
    """It took too long."""


@dataclass
class Apart:
    """A process that makes a denoiser and checks it.

    Attributes:
        make: makes the denoiser; it is sent to the process by pickle.
        wanted: name of the device that was asked for.
        printed: what the denoiser printed so far.
    """

    make: Callable[[], Denoiser]
    wanted: str
    printed: Printed = field(default_factory=Printed)

    def start(self) -> None:
        """Start it, and wait until torch is imported.

        Raises:
            UsaidError: ``make`` cannot be sent to a process, or is not there.
        """
        context = multiprocessing.get_context("spawn")
        self._answers, answers = context.Pipe()
        self._out, out = context.Pipe(duplex=False)
        self._errors, errors = context.Pipe(duplex=False)
        arguments = (answers, out, errors, self.make, self.wanted)
        self._process = context.Process(target=_serve, args=arguments)
        try:
            self._process.start()
        except Exception as error:  # pickling raises anything
            raise UsaidError(f"{_NOT_SENT} ({reason(error)}); {_ELSE}") from error
        finally:
            for end in (answers, out, errors):
                end.close()
        self._heard = [self._answers, self._out, self._errors]
        try:
            self._answer(START)
        except Ended as error:  # what makes it was written at a prompt or in a notebook, say
            raise UsaidError(f"{_NOT_SENT} (that {error}); {_ELSE}") from None

    def ask(self, name: str, seconds: float) -> Finding:
        """Let it run a check by name; ``made`` makes the denoiser, and has to be the first.

        Raises:
            Ended: it crashed.
            Late: it took longer than so many seconds.
        """
        self.printed.errors = b""
        try:
            self._answers.send((name, seconds))
        except OSError:
            raise Ended(self._why_it_ended()) from None
        return self._answer(seconds)

    def _answer(self, seconds: float) -> Any:
        end = time.monotonic() + seconds + GRACE
        while True:
            left = end - time.monotonic()
            if left <= 0:
                self.stop()
                where = _at(dumped_place(self._text_of_errors()))
                raise Late(f"takes longer than {seconds:.0f} s and was stopped{where}")
            ready = wait(self._heard, left)
            self._read_prints(ready)
            if self._answers in ready:
                try:
                    answer = self._answers.recv()
                except (EOFError, OSError):
                    raise Ended(self._why_it_ended()) from None
                self._read_prints(wait(self._heard, 0))
                return answer

    def _read_prints(self, ready: list[Any]) -> None:
        """Take what was printed, so that nobody has to wait for it to be read."""
        while pipes := [pipe for pipe in ready if pipe is self._out or pipe is self._errors]:
            for pipe in pipes:
                content = os.read(pipe.fileno(), KEPT)
                if not content:
                    self._heard.remove(pipe)
                elif pipe is self._out:
                    self.printed.lines += content.count(b"\n")
                    self.printed.first = (self.printed.first + content)[:KEPT]
                else:
                    self.printed.errors = (self.printed.errors + content)[-KEPT:]
            if any(pipe is self._answers for pipe in ready):  # a flood must not keep an answer waiting
                return
            ready = [pipe for pipe in wait(self._heard, 0) if isinstance(pipe, Connection)]

    def _why_it_ended(self) -> str:
        self._process.join(ENDING)
        self._read_prints(wait(self._heard, 0))
        code = self._process.exitcode
        text = self._text_of_errors()
        where = _at(dumped_place(text))
        self.stop()
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            known = {"SIGSEGV": "segmentation fault", "SIGKILL": "killed, maybe for want of memory"}
            return f"ends its process ({known.get(name, name)}){where}"
        last = one_line(text.strip().splitlines()[-1])[:200] if text.strip() else ""
        return f"ends its process (exit status {code}){where}{f': {last}' if last else ''}"

    def _text_of_errors(self) -> str:
        return self.printed.errors.decode("utf-8", "replace")

    def stop(self) -> None:
        """End it, whatever it does, with the processes that it started."""
        if self._process.pid is not None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        with suppress(OSError, ValueError):
            while ready := [pipe for pipe in wait(self._heard, 0) if pipe is not self._answers]:
                self._read_prints(ready)


_NOT_SENT = "the denoiser cannot be sent to a process of its own"
_ELSE = (
    "make it by a function of a module, in a script below `if __name__ == '__main__':`, "
    "or check it in this process: apart=False"
)


def _at(place: str) -> str:
    return f" at {place}" if place else ""


# ------------------------------------------------------------------------------------------------ in the process


def _serve(answers: Any, out: Any, errors: Any, make: Callable[[], Denoiser], wanted: str) -> None:
    """Answer what :meth:`Apart.ask` asks."""
    os.setsid()
    os.dup2(out.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    out.close()
    errors.close()
    faulthandler.enable(file=2)
    answers.send(None)
    subject: Subject | None = None
    while True:
        try:
            name, seconds = answers.recv()
        except EOFError:
            return
        faulthandler.dump_traceback_later(seconds, file=2)
        if subject is None:
            subject, finding = made(make, wanted)
        else:
            finding = run_check(name, subject)
        faulthandler.cancel_dump_traceback_later()
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        answers.send(finding)


def made(make: Callable[[], Denoiser], wanted: str) -> tuple[Subject | None, Finding]:
    """Make a denoiser, and say whether that worked; None: it did not."""
    try:
        subject = Subject(make, wanted)
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        if is_signal(error):
            raise
        return None, Finding("made", "failed", reason(error), "mend what the message names; nothing else was tried")
    seconds = subject.seconds_to_make
    what = f"{name_of(subject.code)} was imported and made in {seconds:.1f} s"
    return subject, Finding("made", "ok", what, values={"seconds": seconds})
