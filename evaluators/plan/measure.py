"""Measures what this machine takes for each kind of work, on the suite's own components; about a minute if it is idle.

What needs a package that is not installed is taken from the table ``2cores``, by the speed of this machine's
interpreter or products; its source says so.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import torch
import yaml

from evaluators.plan.components import COMPONENTS
from evaluators.plan.kinds import KINDS
from evaluators.plan.made_files import COMPONENTS_OF_FILES
from evaluators.plan.rates import (
    DEFAULT,
    NOT_MEASURED,
    Rate,
    calibrated,
    cores_here,
    rates_of,
    scaled_to_this_machine,
)
from evaluators.plan.timing import SECONDS, median_of
from usaid.errors import UsaidError
from usaid.files import written_atomically
from usaid.memory import keep_freed_memory

IMPORTS = {
    "process": "import usaid.jobs, usaid.datasets.fetch",
    "process with pandas": "import usaid.jobs, pandas, pyarrow.parquet, usaid.report.tables.files",
    "process with matplotlib": "import usaid.jobs, matplotlib.figure, usaid.report.figures.figure_sigma",
    "process with torch": "import usaid.jobs, usaid.experiment.reading, evaluators.scoring.score_job, "
    "evaluators.scoring.job, evaluators.quality.judge, pandas",
    "workflow": "import snakemake.cli, evaluators.dag.dag, evaluators.plan, evaluators.run",
}
"""What processes of each kind import, as the jobs' scripts do."""

RUNS, SECONDS_OF_PROCESSES = 3, 6.0
"""A process runs once uncounted, then so often, or for so long."""


def measure(path: Path, say: Callable[[str], None] = print) -> None:
    """Measure all kinds of work and write the table.

    Args:
        path: of the table.
        say: gets a line for each kind.

    Raises:
        UsaidError: the file cannot be written.
    """
    keep_freed_memory()
    load, began = os.getloadavg()[0], time.perf_counter()
    with _all_cores() as threads:
        rates, calibration = _rates(threads, say), calibrated()
    content = {
        "machine": f"{threads} cores, {_processor()}, torch {torch.__version__}",
        "cores": threads,
        "calibration": [_rounded(value) for value in calibration],
        "note": f"measured at a load of {load:.1f}" if load > 0.5 * threads else "",
        "rates": {
            kind: {"seconds": _rounded(rate.seconds), "threads": rate.threads, "from": rate.source}
            for kind, rate in rates.items()
        },
    }
    took = time.perf_counter() - began
    head = f"# Written by usaid plan --measure on {date.today()}, in {took:.0f} s; units: evaluators/plan/kinds.py\n"
    try:
        with written_atomically(path) as temporary:
            temporary.write_text(head + yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8")
    except OSError as error:
        raise UsaidError(f"{path}: cannot be written ({error.strerror}); name another with --output") from None


@contextmanager
def _all_cores() -> Iterator[int]:
    """A block in which torch has all cores, whose number it gets; afterwards it has as many as before."""
    before, threads = torch.get_num_threads(), cores_here()
    torch.set_num_threads(threads)
    try:
        yield threads
    finally:
        torch.set_num_threads(before)


def _rates(threads: int, say: Callable[[str], None]) -> dict[str, Rate]:
    """The rate of each kind of work; ``say`` gets a line for each."""
    known, rates = scaled_to_this_machine(rates_of(DEFAULT)), {}
    for kind in KINDS:
        rate = _measured(kind, threads)
        if rate is None:
            rate = Rate(
                known.seconds({kind: 1}, threads),
                threads if KINDS[kind].scales else 1,
                f"{NOT_MEASURED}: as {DEFAULT}, by this machine's speed",
            )
        rates[kind] = rate
        lent = f" ({NOT_MEASURED})" if rate.is_of_another_machine else ""
        say(f"{kind:<26}{rate.seconds:>12.3g} s / {KINDS[kind].unit}{lent}")
    return rates


def _measured(kind: str, threads: int) -> Rate | None:
    """A rate of this machine; None: a package is not installed."""
    components = {**COMPONENTS, **COMPONENTS_OF_FILES}
    try:
        if kind in IMPORTS:
            return Rate(_process(IMPORTS[kind]), 1, f"the process: median of {RUNS} at most, caches warm")
        seconds = components[kind]()
    except ImportError:
        return None
    except UsaidError as error:
        if isinstance(error.__context__, ImportError):
            return None
        raise
    how = "once" if kind == "generated" else f"median within {SECONDS:g} s, caches warm"
    return Rate(seconds, threads if KINDS[kind].scales else 1, f"the component: {how}")


def _process(code: str) -> float:
    """Seconds of a process that imports, from its start to its end."""

    def run() -> None:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UsaidError(f"{code!r}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")

    return median_of(run, SECONDS_OF_PROCESSES, RUNS)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = "unknown processor"
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
