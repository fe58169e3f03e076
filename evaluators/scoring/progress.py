"""How far a scoring is: a bar on a terminal, elsewhere a line now and then, both with rate and time left."""

import math
import sys
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 15.0
"""Where there is no terminal; what takes less time says nothing."""


def progress_of(total: int, title: str) -> "tqdm[Any]":
    """What counts images on stderr.

    Args:
        total: how many there are.
        title: what stands before the numbers.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        return tqdm(total=total, desc=title, unit="image", dynamic_ncols=True)
    return _Lines(
        total=total,
        desc=title,
        unit="image",
        ncols=0,
        delay=SECONDS_BETWEEN_LINES,
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=math.inf,
        disable=sys.stderr is None,
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
