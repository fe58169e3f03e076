"""Sides that a network can divide: images are padded for it, and its output is cropped again."""

import torch.nn.functional as F
from torch import Tensor


def padded(images: Tensor, divisor: int) -> Tensor:
    """Repeat the last row and column of a batch until both sides are divisible.

    Args:
        images: (B, C, H, W), of any size.
        divisor: of the sides.
    """
    below, right = (-side % divisor for side in images.shape[2:])
    return F.pad(images, (0, right, 0, below), mode="replicate") if below or right else images
