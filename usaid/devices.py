"""The device a run uses, and the number formats that it computes in."""

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""What experiments and recipes call a number format."""


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: the GPU if there is one, else the CPU; any other name as torch takes it."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def device_description(device: torch.device) -> str:
    """Human-readable name of the device, for provenance."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
