"""Where the time of a process goes: imports are told from work, those of an import with it."""

import importlib
import sys
import textwrap
import time
from pathlib import Path

import pytest

from usaid.stopwatch import Stopwatch


@pytest.fixture
def slow(tmp_path, monkeypatch) -> None:
    """Modules that take a while to import, one by the other."""
    for name, code in (("slow_outer", "import slow_inner"), ("slow_inner", "")):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(f"import time\n{code}\ntime.sleep(0.05)\n"))
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("how", ["statement", "call"])
def test_imports_are_told_from_work_and_counted_once(slow, how):
    clock = Stopwatch()
    with clock.running():
        if how == "statement":
            import slow_outer  # noqa: F401
        else:
            importlib.import_module("slow_outer")
        seconds = clock.lap()
    assert seconds["imports"] >= 0.1
    assert seconds["imports"] + seconds["work"] >= seconds["imports"]
    assert clock.lap()["imports"] == 0, "the next lap has its own"


def test_only_the_first_lap_has_the_start_of_the_process():
    clock = Stopwatch()
    first, second = clock.lap(), clock.lap()
    assert (first["start"] > 0) == Path("/proc/self/stat").exists()
    assert second["start"] == 0


def test_nothing_is_left_of_it():
    before = __import__, importlib.import_module
    with Stopwatch().running():
        time.sleep(0)
    assert (__import__, importlib.import_module) == before
