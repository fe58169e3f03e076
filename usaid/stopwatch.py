"""Where the time of a job's process goes: its start, its imports, and the rest, which is its work."""

import builtins
import gc
import importlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from usaid.processes import birth_of


class Stopwatch:
    """Wall time of this process in laps; the first one has its start. Imports of other threads count as work."""

    def __init__(self) -> None:
        self._start = _age_of_process()
        self._imports = 0.0
        self._is_importing = False
        self._thread = threading.get_ident()
        self._lap = time.perf_counter()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the imports of the block, those that an import does itself with it."""
        before = builtins.__import__, importlib.import_module
        builtins.__import__ = self._timed(builtins.__import__)
        importlib.import_module = self._timed(importlib.import_module)
        try:
            yield
        finally:
            builtins.__import__, importlib.import_module = before

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time of the block: a wait for others."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._lap += time.perf_counter() - began

    def lap(self) -> dict[str, float]:
        """The seconds since the last lap, or since the process began: ``start``, ``imports`` and ``work``."""
        now = time.perf_counter()
        work = max(now - self._lap - self._imports, 0.0)
        seconds = {"start": self._start, "imports": self._imports, "work": work}
        self._start, self._imports, self._lap = 0.0, 0.0, now
        return {cause: round(value, 3) for cause, value in seconds.items()}

    def _timed(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **keywords: Any) -> Any:
            if self._is_importing or threading.get_ident() != self._thread:
                return load(*arguments, **keywords)
            self._is_importing, begin = True, time.perf_counter()
            collects = gc.isenabled()
            gc.disable()  # what an import makes stays: to look for garbage in it takes a fifth of its time
            try:
                return load(*arguments, **keywords)
            finally:
                if collects:
                    gc.enable()
                self._is_importing = False
                self._imports += time.perf_counter() - begin

        return timed


def _age_of_process() -> float:
    """Seconds since this process began; 0 where the system does not say."""
    try:
        began = birth_of("self") / os.sysconf("SC_CLK_TCK")
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - began, 0.0) if began else 0.0
    except (OSError, ValueError, AttributeError):
        return 0.0
