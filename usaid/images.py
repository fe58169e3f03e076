"""Images as the suite passes them on: uint8 RGB arrays on disk and in memory, float32 tensors in networks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from usaid.errors import UsaidError
from usaid.files import written_atomically

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm"}


def open_image(path: str | Path) -> Image.Image:
    """Decode a whole image file, in whatever mode it is stored.

    Raises:
        UsaidError: the file is missing, is no image, or ends too early.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise UsaidError(f"{path}: no such image file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsaidError(f"{path}: does not decode as an image ({error}); fetch or copy this file again") from None


def read_rgb(path: str | Path) -> np.ndarray:
    """Decode an image file to a uint8 array of shape (H, W, 3), RGB, values 0-255.

    Raises:
        UsaidError: as :func:`open_image`.
    """
    return np.asarray(open_image(path).convert("RGB"))


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write a uint8 array of shape (H, W, 3) as a PNG, atomically."""
    with written_atomically(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")


def to_unit_range(image: np.ndarray) -> torch.Tensor:
    """uint8 (H, W, 3) or (B, H, W, 3) -> float32 (1 or B, 3, H, W), values in [0, 1]."""
    batch = torch.from_numpy(np.array(image if image.ndim == 4 else image[None]))
    return batch.permute(0, 3, 1, 2).to(torch.float32).div_(255)


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
