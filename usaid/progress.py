"""How far a work is: a bar on a terminal, elsewhere a line now and then, and in the state of the job it belongs to."""

import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from usaid.job_state import JobReport, current_report

Item = TypeVar("Item")

SECONDS_BETWEEN_LINES = 15.0
"""Where there is no terminal; what takes less time says nothing."""


def progress_of(total: int | None, title: str, unit: str = "image", done: int = 0) -> "Progress":
    """What counts on stderr, with rate and time left, and in the state of the job (:mod:`usaid.job_state`), if any.

    Args:
        total: how many there are; None: nobody knows.
        title: what stands before the numbers.
        unit: of what is counted, in the singular.
        done: how many were done before.
    """
    return shown_progress(current_report(), total=total, desc=title, unit=unit, initial=done)


def shown_progress(report: JobReport | None, **settings: Any) -> "Progress":
    """A bar where stderr is a terminal; elsewhere a line now and then.

    Args:
        report: of the job that it belongs to; None: it tells nobody else.
        settings: of the bar: ``desc``, ``unit``, ``total`` ...
    """
    if sys.stderr is not None and sys.stderr.isatty():
        return Progress(report, **settings, dynamic_ncols=True)
    return _Lines(
        report,
        **settings,
        ncols=0,
        delay=SECONDS_BETWEEN_LINES,
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=math.inf,
        disable=sys.stderr is None,
    )


def stages(items: Sequence[Item]) -> Iterator[Item]:
    """Go through what a job does one after the other, each with a progress of its own: all of it is the job.

    Args:
        items: one a stage.
    """
    report = current_report()
    if report is not None:
        report.split(len(items))
    for item in items:
        yield item
        if report is not None:
            report.end_part()


class Progress(tqdm):
    """A progress bar that tells the job's report, too, if there is one."""

    def __init__(self, report: JobReport | None, **settings: Any) -> None:
        """
        Args:
            report: as :func:`shown_progress` has it.
            settings: of the bar.
        """
        super().__init__(**settings)
        self._report = report
        if report is not None:
            report.begin(settings["desc"], settings["total"], settings["unit"], settings["initial"])

    def update(self, n: float | None = 1) -> bool | None:
        """Count so many more."""
        if self._report is not None and n:
            self._report.advance(int(n))
        return super().update(n)

    def skip(self, n: int) -> None:
        """Count so many that had been done before: they take no time, and are no part of the rate."""
        if self._report is not None:
            self._report.advance(n, is_work=False)
        if not self.disable:
            self.initial += n
            self.last_print_n += n
            self.n += n


class _Lines(Progress):
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
