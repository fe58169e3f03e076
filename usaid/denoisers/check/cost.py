"""What a denoiser costs: time and memory for an image of Kodak's size, hours for every benchmark."""

import os
import resource
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from usaid.denoisers.check.finding import Finding
from usaid.denoisers.check.subject import SIDE, Subject, noisy_pictures
from usaid.denoisers.contract import cure_by_adapt
from usaid.paper.layouts import TABLES
from usaid.registries import BENCHMARKS, DATASETS

HEIGHT, WIDTH = 512, 768
"""An image of Kodak, in pixels."""
SHRINKS = (8, 4, 2, 1)
"""An image's sides are so many times as small; the largest that time allows is measured."""
BUDGET = 6.0
"""Seconds: an image that is expected to take longer is not tried."""
PAPERS_SIGMAS = 3
GB = 1e9


@dataclass(frozen=True)
class Cost:
    """What the largest image cost that was tried.

    Attributes:
        height, width: of that image.
        seconds: for it.
        before, peak: bytes of memory before, and the most during it; on a GPU those of its own.
    """

    height: int
    width: int
    seconds: float
    before: int
    peak: int

    @property
    def factor(self) -> float:
        """By how much an image of Kodak is larger."""
        return HEIGHT * WIDTH / (self.height * self.width)

    @property
    def is_extrapolated(self) -> bool:
        """That of Kodak's size would have taken too long."""
        return self.factor > 1

    def bytes_for(self, pixels: float) -> float:
        """Memory for an image, if it grows with the pixels."""
        return self.before + (self.peak - self.before) * pixels / (self.height * self.width)

    @property
    def seconds_a_pixel(self) -> float:
        """Of denoising."""
        return self.seconds / (self.height * self.width)

    @property
    def measured_on(self) -> str:
        """Which image was measured, where it is not of Kodak's size."""
        size = f"{self.width}x{self.height}"
        return f" (extrapolated from {size})" if self.is_extrapolated else ""


@lru_cache(maxsize=1)
def cost_of(subject: Subject) -> Cost:
    """Measured once for a subject: ever larger images, until the next would take longer than :data:`BUDGET`."""
    for shrink in SHRINKS:
        height, width = HEIGHT // shrink, WIDTH // shrink
        tile = noisy_pictures(1, SIDE, SIDE)
        noisy = tile.repeat(1, 1, -(-height // SIDE), -(-width // SIDE))[:, :, :height, :width].contiguous()
        before = _memory_in_use(subject.device)
        seconds = subject.timed(noisy)
        cost = Cost(height, width, seconds, before, max(_peak_memory(subject.device), before))
        if 4 * seconds > BUDGET:
            break
    return cost


def check_time(subject: Subject) -> Finding:
    """Seconds for an image of Kodak's size."""
    cost = cost_of(subject)
    seconds = cost.seconds * cost.factor
    threads = f"{torch.get_num_threads()} threads" if subject.device.type == "cpu" else str(subject.device)
    what = f"{_seconds(seconds)} for {WIDTH}x{HEIGHT} pixels, {threads}{cost.measured_on}"
    return Finding("time", "ok", what, values={"seconds": seconds})


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def check_memory(subject: Subject) -> Finding:
    """Memory for an image of Kodak's size, and whether the largest benchmark's fit."""
    cost = cost_of(subject)
    kodak = cost.bytes_for(HEIGHT * WIDTH)
    kind = "peak of the process" if subject.device.type == "cpu" else "peak on the GPU"
    what = f"{kodak / GB:.2g} GB {kind} for {WIDTH}x{HEIGHT} pixels, {cost.before / GB:.2g} GB of it before"
    what += cost.measured_on
    values = {"bytes": kodak, "bytes_before": float(cost.before)}
    title, pixels = max(((card.title, card.pixels or 0) for card in DATASETS.values()), key=lambda each: each[1])
    largest, there = cost.bytes_for(pixels), _memory_there(subject.device)
    if there is not None and largest > there:
        what += (
            f"; if it grows with the pixels, {largest / GB:.0f} GB for an image of {title}: {there / GB:.0f} are there"
        )
        return Finding("memory", "warning", what, cure_by_adapt("tile", 512), values)
    return Finding("memory", "ok", what, values=values)


def check_hours(subject: Subject) -> Finding:
    """Hours for every benchmark: denoising alone, one noise draw, the paper's noise levels, all images."""
    pace = cost_of(subject).seconds_a_pixel
    hours = {}
    for name, card in BENCHMARKS.items():
        dataset = DATASETS[card.dataset]
        if dataset.pixels is not None and card.split in dataset.splits and card.variant_of is None:
            images = dataset.splits[card.split] * _sigmas(name)
            hours[name] = pace * dataset.pixels * images / 3600
    shown = ", ".join(f"{name} {_hours(time)}" for name, time in hours.items())
    what = f"{shown}; {_hours(sum(hours.values()))} in all (denoising alone, 1 draw, at the paper's sigmas)"
    return Finding("hours", "ok", what, values=hours)


def _hours(hours: float) -> str:
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    return f"{hours * 60:.0f} min" if hours < 1.5 else f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h"


def _sigmas(benchmark: str) -> int:
    """At how many noise levels the paper shows a benchmark."""
    specs = [spec for spec in TABLES.values() if benchmark in spec.benchmarks]
    return 1 if specs and all(spec.sigma is not None for spec in specs) else PAPERS_SIGMAS


# ------------------------------------------------------------------------------------------------ memory, in bytes


def _memory_in_use(device: torch.device) -> int:
    """Now; what is measured next by :func:`_peak_memory` starts here where the system can be told so."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    return _of_status("VmRSS") or _peak_memory(device)


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = _of_status("VmHWM")  # Linux lets ru_maxrss start at that of the process that started this one
    unit = 1 if sys.platform == "darwin" else 1024
    return most or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _of_status(key: str) -> int:
    """What Linux says of the memory of this process, in bytes; 0: it is no Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = (line.partition(":") for line in status.read_text(encoding="ascii", errors="replace").splitlines())
    return next((1024 * int(value.split()[0]) for name, _, value in lines if name == key), 0)


def _memory_there(device: torch.device) -> int | None:
    """Of the machine or of the GPU; None: it does not say."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
