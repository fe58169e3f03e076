"""The device a run uses, and the number formats that it computes in."""

import re

import torch

from usaid.errors import UsaidError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""What experiments and recipes call a number format."""


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
