"""How far downloads that run side by side are: a bar on a terminal, elsewhere a line now and then."""

import math
import sys
import threading
from typing import Any

from tqdm import tqdm

from usaid.datasets.transfers import Report

SECONDS_BETWEEN_LINES = 15.0
"""Where there is no terminal; what takes less time says nothing."""


class Stopped(Exception):
    """Raised in a download whose others were interrupted."""


class Meter:
    """Adds up the bytes of several downloads: done of all, rate, time left.

    Resumed bytes count as done, and not for the rate.
    """

    def __init__(self, title: str, total: int | None) -> None:
        """
        Args:
            title: what stands before the numbers.
            total: bytes that are to come and that are known before; None: unknown.
        """
        self._bar = _bar(title)
        self._lock = threading.Lock()
        self._known = total or 0
        self._counted: dict[str, int] = {}
        self._positions: dict[str, int] = {}
        self._is_stopped = False

    def of(self, place: str, left: int | None) -> Report:
        """What one of the downloads reports to.

        Args:
            place: of the file.
            left: bytes of it that ``total`` counts; None: none of it.
        """
        self._counted[place] = left or 0

        def report(position: int, total: int | None) -> None:
            with self._lock:
                if self._is_stopped:
                    raise Stopped
                if not self._bar.disable:
                    self._move(place, position, total)

        return report

    def _move(self, place: str, position: int, total: int | None) -> None:
        """Take a file's position: what lies before its first one, or before a new start, did not come now."""
        if total is not None:
            self._known += total - self._counted[place]
            self._counted[place] = total
        last = self._positions.get(place, position)
        came = max(0, position - last)
        jump = position - self._positions.get(place, 0) - came
        self._positions[place] = position
        self._bar.n += jump
        self._bar.initial += jump
        self._bar.last_print_n += jump
        self._bar.total = max(self._known, self._bar.n + came) or None
        self._bar.update(came)

    def stop(self) -> None:
        """End all downloads that report here, each at its next report."""
        with self._lock:
            self._is_stopped = True

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def _bar(title: str) -> "tqdm[Any]":
    shared: dict[str, Any] = {"desc": title, "unit": "B", "unit_scale": True, "disable": sys.stderr is None}
    if sys.stderr is not None and sys.stderr.isatty():
        return tqdm(**shared, dynamic_ncols=True)
    return _Lines(
        **shared,
        ncols=0,
        miniters=1,
        delay=SECONDS_BETWEEN_LINES,
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=math.inf,
    )


class _Lines(tqdm):
    """A progress bar each of whose states is a line of its own."""

    @staticmethod
    def status_printer(file: Any) -> Any:
        """Write states one below the other."""

        def write(state: str) -> None:
            if state:
                file.write(f"{state}\n")
                file.flush()

        return write

    def close(self) -> None:
        """End as it is: another line would say nothing new."""
        self.delay = math.inf
        super().close()
