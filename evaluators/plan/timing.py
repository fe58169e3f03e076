"""Times calls: the median of some, after one that warms caches up."""

import time
from collections.abc import Callable
from statistics import median

SECONDS = 0.6
"""That a component is timed for, after its first call; at least one call."""


def median_of(call: Callable[[], object], seconds: float = SECONDS, most: int = 1000) -> float:
    """Seconds of a call.

    Args:
        call: what is timed. Its first run is not counted.
        seconds: until which another run begins.
        most: runs that are counted.
    """
    call()
    times: list[float] = []
    while not times or (sum(times) < seconds and len(times) < most):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)
