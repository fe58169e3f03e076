"""Images as networks take them: float32 tensors, from uint8 RGB arrays and back."""

from collections.abc import Sequence

import numpy as np
import torch


def to_unit_range(image: np.ndarray) -> torch.Tensor:
    """uint8 (H, W, 3) or (B, H, W, 3) -> float32 (1 or B, 3, H, W), values in [0, 1]."""
    return in_unit_range(torch.from_numpy(np.array(image if image.ndim == 4 else image[None])))


def in_unit_range(images: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, 3, H, W), values in [0, 1]: on its device, with the same bits on any."""
    white = torch.full((), 255.0, device=images.device)  # by a number of Python's a GPU would not divide, but multiply
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(white)


def on_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on a device; a GPU is not waited for."""
    if device.type == "cuda" and torch.cuda.is_available():  # not on the fake GPU of the tests
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


class Normalisation:
    """``(images - mean) / std`` for each channel; both live on the device, so that no call copies them there."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.mean, self.std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (mean, std))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise float (B, 3, H, W)."""
        return (images - self.mean) / self.std


def to_uint8(batch: torch.Tensor) -> np.ndarray:
    """float (B, 3, H, W) -> uint8 (B, H, W, 3): clamped to [0, 1], scaled to 255 and rounded."""
    return batch.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
