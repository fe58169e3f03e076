"""Where the time of a job goes, on the CPU and on a GPU, without ever waiting for the GPU."""

import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch


class StageClock:
    """Wall time by stage. Several threads may measure at once; a GPU is asked for the time of what it was given.

    Attributes:
        seconds: by stage; complete after :meth:`settle`.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = Lock()
        self._queued: deque[tuple[str, torch.cuda.Event, torch.cuda.Event]] = deque()

    @contextmanager
    def stage(self, name: str, device: torch.device | None = None) -> Iterator[None]:
        """Add the time of the block to stage ``name``.

        Args:
            name: of the stage.
            device: that the block gives work to; of a GPU the time is measured between the first and the last of it.
        """
        if device is None or device.type != "cuda":
            start = time.perf_counter()
            yield
            self._add(name, time.perf_counter() - start)
            return
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record(torch.cuda.current_stream(device))
        yield
        end.record(torch.cuda.current_stream(device))
        self._queued.append((name, begin, end))

    def settle(self) -> None:
        """Add up what a GPU has done so far; called by one thread at a time."""
        while self._queued and self._queued[0][2].query():
            name, begin, end = self._queued.popleft()
            self._add(name, begin.elapsed_time(end) / 1000)

    def _add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name] += seconds
