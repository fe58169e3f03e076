"""How far downloads that run side by side are: a bar on a terminal, elsewhere a line now and then."""

import threading

from usaid.datasets.transfers import Report
from usaid.progress import shown_progress


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
        self._bar = shown_progress(None, desc=title, unit="B", unit_scale=True, miniters=1)
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
        self._bar.skip(jump)
        self._bar.total = max(self._known, self._bar.n + came) or None
        self._bar.update(came)

    def stop(self) -> None:
        """End all downloads that report here, each at its next report."""
        with self._lock:
            self._is_stopped = True

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()
