"""One line that says what a run is at, while it runs: redrawn in place on a terminal, elsewhere a line now and then."""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from evaluators.run.look import Looker, Sight, line_of_sight
from evaluators.run.record import RunRecord, say_a_word

SECONDS_BETWEEN_LINES = 30.0
"""Where there is no terminal; nothing is said before that, and nothing twice."""

SECONDS_BETWEEN_LOOKS = 1.0
"""At least; and what a look takes, this many times over:"""
LOOKS_TAKE_AT_MOST = 20

SECONDS_BETWEEN_WORDS = 20.0
"""So often a run shows that it lives, to who looks on from another machine."""

ERASE = "\r\x1b[K"

WIDEST = 200
"""Characters of a line where there is no terminal."""


class StatusLine(threading.Thread):
    """Looks at a run and says what it is at, until it is stopped; it dies with the process."""

    def __init__(self, results: str | Path, record: RunRecord, stream: TextIO | None = None) -> None:
        """
        Args:
            results: folder of the experiment.
            record: of the run.
            stream: where it is said; default: stderr.
        """
        super().__init__(name="status line", daemon=True)
        self._results, self._looker = results, Looker(results, record)
        self._ended = threading.Event()
        self._stream = sys.stderr if stream is None else stream
        self._terminal = Terminal(self._stream) if can_redraw(self._stream) else None
        self._said, self._saw = time.monotonic(), ""

    def start(self) -> None:
        """Begin; on a terminal, what is logged there stands above the line from now on."""
        if self._terminal is not None:
            self._terminal.take()
        atexit.register(self.stop)
        super().start()

    def run(self) -> None:
        """Look and say, again and again."""
        spoke, seconds = time.monotonic(), SECONDS_BETWEEN_LOOKS
        while not self._ended.wait(seconds):
            began = time.monotonic()
            with suppress(OSError):
                self.say(self._looker.look())
            if began - spoke > SECONDS_BETWEEN_WORDS:
                say_a_word(self._results)
                spoke = began
            seconds = max(SECONDS_BETWEEN_LOOKS, LOOKS_TAKE_AT_MOST * (time.monotonic() - began))

    def say(self, sight: Sight) -> None:
        """Say what the run is at, if it is time for that."""
        if self._terminal is not None:
            self._terminal.draw(line_of_sight(sight, self._terminal.width - 1))
            return
        line, now = line_of_sight(sight, WIDEST), time.monotonic()
        if now - self._said >= SECONDS_BETWEEN_LINES and (saw := str(sight.jobs)) != self._saw:
            self._said, self._saw = now, saw
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def stop(self) -> None:
        """End it, and leave the terminal as it was."""
        self._ended.set()
        if self.is_alive():
            self.join(timeout=5)
        if self._terminal is not None:
            self._terminal.leave()
        atexit.unregister(self.stop)


# ------------------------------------------------------------------------------------------------ the terminal


def can_redraw(stream: TextIO) -> bool:
    """Whether a line can be redrawn: on a terminal that knows how, whose other lines are those of plain handlers."""
    return bool(stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and handlers_on_terminals())


def handlers_on_terminals() -> list["logging.StreamHandler[Any]"]:
    """The handlers of all loggers, Snakemake's among them, that write to a terminal."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.Logger.manager.loggerDict)]
    handlers = dict.fromkeys(handler for logger in loggers for handler in logger.handlers)
    return [h for h in handlers if isinstance(h, logging.StreamHandler) and is_terminal(h.stream)]


def is_terminal(stream: object) -> bool:
    """Whether a stream is a terminal; one that is closed is not."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


class Terminal:
    """The last line of a terminal, below all that is logged there.

    The cursor waits at the line's beginning, so that what other processes write replaces it.
    """

    def __init__(self, stream: TextIO) -> None:
        """
        Args:
            stream: to the terminal.
        """
        self._stream, self._lock = stream, threading.RLock()
        self._is_drawn, self._is_at_start = False, True
        self._before: Mapping[Any, TextIO] = {}

    @property
    def width(self) -> int:
        """Characters in a line."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def take(self) -> None:
        """Let what is logged on terminals, and written to stderr, be written above the line."""
        self._before = {handler: handler.stream for handler in handlers_on_terminals()}
        for handler, stream in self._before.items():
            handler.setStream(Above(stream, self))

    def leave(self) -> None:
        """Erase the line, and let all be written as before."""
        with self._lock:
            for handler, stream in self._before.items():
                if isinstance(handler.stream, Above):
                    handler.setStream(stream)
            self._before = {}
            self._write("")

    def draw(self, line: str) -> None:
        """Put a line in the place of the last one, unless a log line has only begun."""
        with self._lock:
            if self._is_at_start:
                self._write(line)

    def write_above(self, stream: TextIO, text: str) -> int:
        """Write what is logged, in the place of the line."""
        with self._lock:
            if self._is_drawn:
                self._write("")
            if text:
                self._is_at_start = text.endswith("\n")
            return stream.write(text)

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):  # the terminal is gone
            if self._is_drawn or line:
                self._stream.write(f"{ERASE}{line}\r" if line else ERASE)
                self._stream.flush()
            self._is_drawn = bool(line)


class Above:
    """A stream whose text stands above the line."""

    def __init__(self, stream: TextIO, terminal: Terminal) -> None:
        self._stream, self._terminal = stream, terminal

    def write(self, text: str) -> int:
        """Write a text."""
        return self._terminal.write_above(self._stream, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
