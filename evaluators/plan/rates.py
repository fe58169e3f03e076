"""What a machine takes for a unit of each kind of work: a committed table, the user's own, or one that is scaled."""

import math
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from evaluators.plan.kinds import KINDS
from usaid.costs import Work
from usaid.errors import UsaidError
from usaid.files import text_of_file

MEASURED = "measured"
"""The device whose table is the user's own."""

DEFAULT = "2cores"
"""The table that is scaled to a machine without a table of its own."""

NOT_MEASURED = "not measured here"
"""How the source of a rate begins that another machine's table lends."""

CORES_BESIDE_A_GPU = 16
"""Of a machine whose table says nothing else."""


@dataclass(frozen=True)
class Rate:
    """What a unit of a kind of work takes.

    Attributes:
        seconds: of a unit, with ``threads``.
        threads: that it was measured with.
        source: where the number comes from.
    """

    seconds: float
    threads: int = 1
    source: str = ""

    @property
    def is_of_another_machine(self) -> bool:
        """Whether it could not be measured where the others of its table were."""
        return self.source.startswith(NOT_MEASURED)


@dataclass(frozen=True)
class Rates:
    """The rates of a machine.

    Attributes:
        device: name of the table.
        machine: in words.
        is_estimate: nobody has measured them.
        cores: of the machine; with GPUs of each of them.
        gpus: of the machine; 0: it has none.
        on_cpu: by kind.
        on_gpu: by kind; of the others a GPU's machine has its CPU's.
        calibration: what :func:`calibrated` gave there: seconds of products, and of the interpreter.
        scaled: by how much slower than in the table this machine is, in both.
        note: what a reader must know of them.
    """

    device: str
    machine: str
    is_estimate: bool
    cores: int
    gpus: int
    on_cpu: Mapping[str, Rate]
    on_gpu: Mapping[str, Rate] = field(default_factory=dict)
    calibration: tuple[float, float] | None = None
    scaled: tuple[float, float] = (1.0, 1.0)
    note: str = ""

    def seconds(self, work: Work, threads: int = 1, on_gpu: bool = False) -> float:
        """How long some work takes; kinds that nobody has a rate for count nothing (:meth:`unknown` names them).

        Args:
            work: amounts by kind.
            threads: of the job.
            on_gpu: it has a GPU.
        """
        return sum(amount * self._of_unit(kind, threads, on_gpu) for kind, amount in work.items())

    def unknown(self, works: Iterable[Work]) -> list[str]:
        """The kinds of some work that have no rate."""
        return sorted({kind for work in works for kind in work if kind not in self.on_cpu})

    def _of_unit(self, kind: str, threads: int, on_gpu: bool) -> float:
        if on_gpu and kind in self.on_gpu:
            return self.on_gpu[kind].seconds
        rate = self.on_cpu.get(kind)
        if rate is None:
            return 0.0
        if kind in KINDS and not KINDS[kind].scales:
            return rate.seconds * self.scaled[1]
        return rate.seconds * self.scaled[0] * rate.threads / max(1, min(threads, self.cores))

    @property
    def title(self) -> str:
        """The machine, and how its rates are known."""
        lent = [kind for kind, rate in self.on_cpu.items() if rate.is_of_another_machine]
        known = "estimated, never measured" if self.is_estimate else "measured"
        if lent and not self.is_estimate:
            known += f", but for {', '.join(lent)}"
        products, interpreter = self.scaled
        scaled = "" if self.scaled == (1, 1) else f"; here x {products:.2g} (products) and x {interpreter:.2g} (Python)"
        return f"{self.device} ({self.machine}; {known}{scaled})"

    @property
    def summary(self) -> str:
        """How they are known, in a few words."""
        if self.is_estimate:
            return "estimated, never measured"
        return "by measured rates" if self.scaled == (1, 1) else "by another machine's rates, scaled to this one"


# ------------------------------------------------------------------------------------------------ tables


def known_devices() -> list[str]:
    """The devices that have a committed table."""
    folder = resources.files("evaluators.plan").joinpath("rates")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def own_table() -> Path:
    """Where the user's own table is: ``~/.cache/usaid/rates.yaml``."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache, "usaid", "rates.yaml")


def rates_of(device: str | None = None) -> Rates:
    """The rates of a device.

    Args:
        device: name of a table, or ``measured``; None: ``measured`` if it is there, else ``2cores``, scaled.

    Raises:
        UsaidError: no such table, or one that is damaged.
    """
    if device == MEASURED or (device is None and own_table().is_file()):
        if not own_table().is_file():
            raise UsaidError(f"{own_table()}: no rates were measured on this machine; usaid plan --measure (1 minute)")
        return read_rates(own_table(), MEASURED)
    if device is None:
        return scaled_to_this_machine(rates_of(DEFAULT))
    if device not in known_devices():
        raise UsaidError(f"device {device!r}: has no rates; one of {', '.join([*known_devices(), MEASURED])}")
    return read_rates(Path(str(resources.files("evaluators.plan").joinpath("rates", f"{device}.yaml"))), device)


def read_rates(path: Path, device: str) -> Rates:
    """Read a table.

    Raises:
        UsaidError: it is no YAML, lacks a key, or a rate is no number.
    """
    try:
        content = _mapping(yaml.safe_load(text_of_file(path)), "it")
        base = content.get("based_on")
        if base == device:
            raise ValueError("it is based on itself")
        rates = {kind: _rate(entry) for kind, entry in _mapping(content["rates"], "rates").items()}
        cores, gpus = int(content["cores"]), int(content.get("gpus", 0))
        if cores < 1 or gpus < 0:
            raise ValueError(f"{cores} cores, {gpus} GPUs")
        calibration = content.get("calibration")
        table = Rates(
            device,
            str(content["machine"]),
            bool(content.get("estimated", False)),
            cores,
            gpus,
            on_cpu=rates_of(base).on_cpu if base else rates,
            on_gpu=rates if base else {},
            calibration=None if calibration is None else (float(calibration[0]), float(calibration[1])),
            note=str(content.get("note", "")),
        )
    except UsaidError:
        raise
    except KeyError as error:
        raise _unreadable(path, device, f"it lacks {error}") from None
    except (yaml.YAMLError, TypeError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise _unreadable(path, device, " ".join(str(error).split()) or type(error).__name__) from None
    missing = [kind for kind in KINDS if kind not in table.on_cpu]
    if missing and device == MEASURED:
        raise UsaidError(f"{path}: rates of {missing[0]!r} are missing; type usaid plan --measure again")
    return table


def _unreadable(path: Path, device: str, reason: str) -> UsaidError:
    cure = "delete it and type usaid plan --measure" if device == MEASURED else "install the suite again"
    return UsaidError(f"{path}: rates cannot be read ({reason}); {cure}")


def _mapping(content: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise TypeError(f"{name} must be keys with values")
    return content


def _rate(entry: Any) -> Rate:
    entry = _mapping(entry, "a rate")
    seconds, threads = float(entry["seconds"]), int(entry.get("threads", 1))
    if not (math.isfinite(seconds) and seconds >= 0 and threads >= 1):
        raise ValueError(f"{entry}: seconds must be a number >= 0, and threads at least 1")
    return Rate(seconds, threads, str(entry.get("from", "")))


# ------------------------------------------------------------------------------------------------ this machine


def cores_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def calibrated() -> tuple[float, float]:
    """A look at this machine, 0.3 s: core-seconds of a product of matrices, and seconds of the interpreter.

    Products are computed on all cores at once, each its own: what cores share counts. Both are the best of several
    short ones, so that a moment's load counts little.
    """
    matrix, cores = np.ones((192, 192), np.float32), cores_here()
    with ThreadPoolExecutor(cores) as pool:  # einsum lets other threads compute, and has none of its own
        each = [pool.submit(_best_of, lambda: np.einsum("ij,jk->ik", matrix, matrix), 0.15) for _ in range(cores)]
    products = sum(core.result() for core in each) / cores
    return products, _best_of(lambda: sum(number % 7 for number in range(5_000)), 0.15)


def _best_of(call: Any, seconds: float) -> float:
    best, end = math.inf, time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        call()
        best = min(best, time.perf_counter() - start)
    return best


def scaled_to_this_machine(rates: Rates) -> Rates:
    """The rates as this machine would have them, by :func:`calibrated`; its cores in place of theirs."""
    if rates.calibration is None:
        return replace(rates, cores=cores_here())
    here = calibrated()
    factors = (here[0] / rates.calibration[0], here[1] / rates.calibration[1])
    return replace(rates, cores=cores_here(), scaled=factors)


def load_here() -> str:
    """What to know of a busy machine; empty: it is idle enough."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5 * cores_here():
        return ""
    return f"this machine is busy (load {load:.1f} on {cores_here()} cores): longer"
