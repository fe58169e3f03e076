"""Where the time of a process goes: imports are told from work, those of an import with it."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from usaid import stopwatch
from usaid.stopwatch import Stopwatch


@pytest.fixture
def now(tmp_path, monkeypatch) -> SimpleNamespace:
    """The time, which only the test changes, and modules of 2 and 3 seconds, of which one imports the other."""
    now = SimpleNamespace(seconds=100.0)
    clock = SimpleNamespace(perf_counter=lambda: now.seconds, clock_gettime=lambda _: 0.0, CLOCK_BOOTTIME=0)
    monkeypatch.setattr(stopwatch, "time", clock)
    monkeypatch.setitem(sys.modules, "now_of_the_test", now)
    for name, code in (("slow_outer", "import slow_inner; now.seconds += 2"), ("slow_inner", "now.seconds += 3")):
        (tmp_path / f"{name}.py").write_text(f"import now_of_the_test as now\n{code}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return now


@pytest.mark.parametrize("how", ["statement", "call"])
def test_imports_are_told_from_work_and_counted_once(now, how):
    clock = Stopwatch()
    with clock.running():
        now.seconds += 1
        if how == "statement":
            import slow_outer  # noqa: F401
        else:
            importlib.import_module("slow_outer")
        seconds = clock.lap()
        assert (seconds["imports"], seconds["work"]) == (5, 1)
        now.seconds += 4
        assert clock.lap() == {"start": 0, "imports": 0, "work": 4}, "the next lap has its own"


def test_only_the_first_lap_has_the_start_of_the_process():
    clock = Stopwatch()
    first, second = clock.lap(), clock.lap()
    assert (first["start"] > 0) == Path("/proc/self/stat").exists()
    assert second["start"] == 0


def test_nothing_is_left_of_it():
    before = __import__, importlib.import_module
    with Stopwatch().running():
        assert (__import__, importlib.import_module) != before
    assert (__import__, importlib.import_module) == before


def test_a_wait_for_others_counts_for_nothing(now):
    clock = Stopwatch()
    now.seconds += 1
    with clock.paused():
        now.seconds += 100
    now.seconds += 2
    assert clock.lap()["work"] == 3
