"""The device a run uses, and the number formats that it computes in."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from usaid.errors import UsaidError

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16}
"""What experiments and recipes call a number format, the most exact one first. ``tf32``: float32, but a GPU may round
the factors of matrix products and convolutions to 10 bits; on the CPU it is float32."""

CLEARLY_FASTER = 1.1
"""What is less exact, or in less common use, has to be so many times as fast to be chosen."""


def pick_device(name: str = "auto") -> torch.device:
    """The device that a name stands for.

    Args:
        name: ``auto`` (the GPU if there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsaidError: another name, or a GPU that is not there.
    """
    if not re.fullmatch("auto|cpu|cuda(:[0-9]{1,4})?", name):
        raise UsaidError(f"device {name!r}: must be auto, cpu, cuda or cuda:N")
    there = torch.cuda.is_available()
    if name == "auto":
        name = "cuda" if there else "cpu"
    if name == "cpu":
        return torch.device(name)
    if not there:
        reason = "torch finds no GPU" if torch.backends.cuda.is_built() else "this build of torch knows no GPUs"
        raise UsaidError(f"device {name!r}: {reason}; take cpu or auto")
    count = torch.cuda.device_count()
    if (torch.device(name).index or 0) >= count:
        raise UsaidError(f"device {name!r}: there is only {', '.join(f'cuda:{n}' for n in range(count))}; take one")
    return torch.device(name)


def device_description(device: torch.device) -> str:
    """Human-readable name of the device, for provenance."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


@contextmanager
def float32_products(precision: str, device: torch.device) -> Iterator[None]:
    """Where a GPU's float32 matrix products and convolutions are what ``precision`` says: TF32 only if it is ``tf32``.

    torch by itself lets convolutions be TF32. Its setting holds for the process and is as before when this ends.
    """
    if device.type != "cuda":
        yield
        return
    cudnn: Any = torch.backends.cudnn
    settings = (torch.backends.cuda.matmul, cudnn.conv)
    before = [setting.fp32_precision for setting in settings]
    try:
        for setting in settings:
            setting.fp32_precision = "tf32" if precision == "tf32" else "ieee"
        yield
    finally:
        for setting, was in zip(settings, before, strict=True):
            setting.fp32_precision = was


def resolved_precision(precision: str, device: torch.device, fastest: Callable[[], str] = lambda: "float32") -> str:
    """The number format that a name of an experiment stands for on a device.

    Args:
        precision: a name of :data:`PRECISIONS`, or ``auto``.
        device: where to compute.
        fastest: what ``auto`` stands for; called for it alone.

    Returns:
        A name of :data:`PRECISIONS`; on the CPU never ``tf32``.

    Raises:
        UsaidError: another name.
    """
    if precision == "auto":
        return fastest()
    if precision not in PRECISIONS:
        raise UsaidError(f"precision {precision!r}: must be one of {', '.join(PRECISIONS)}, auto")
    return precision if precision in precisions_of(device) else "float32"


def precisions_of(device: torch.device) -> list[str]:
    """Those of :data:`PRECISIONS` that are apart on a device."""
    return [name for name in PRECISIONS if name != "tf32" or device.type == "cuda"]


def clearly_fastest(names: Iterable[str], seconds: Callable[[str], float]) -> str:
    """The first of these that none behind it is :data:`CLEARLY_FASTER` than.

    Args:
        names: of ways to do the same, at least one; the one that is preferred where times are alike comes first.
        seconds: measures one.
    """
    times = {name: seconds(name) for name in names}
    chosen = next(iter(times))
    for name, time in times.items():
        if time * CLEARLY_FASTER < times[chosen]:
            chosen = name
    return chosen
