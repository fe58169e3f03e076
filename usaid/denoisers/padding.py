"""Sides that a network takes: images are continued to them, and its output is cropped again."""

import torch
import torch.nn.functional as F
from torch import Tensor


def repeated(images: Tensor, divisor: int) -> Tensor:
    """Repeat the last row and column of a batch until both sides are divisible, as FFDNet's and DRUNet's authors do.

    Args:
        images: (B, C, H, W), of any size.
        divisor: of the sides.
    """
    below, right = (-side % divisor for side in images.shape[2:])
    return F.pad(images, (0, right, 0, below), mode="replicate") if below or right else images


def reflected(images: Tensor, height: int, width: int) -> Tensor:
    """Continue a batch downwards and to the right by reflection, again and again if need be.

    What a network of which nothing is known sees beyond its image is then like the image, however far it looks.

    Args:
        images: (B, C, H, W), of any size.
        height: at least that of the images, in pixels.
        width: likewise.
    """
    for dim, side in ((2, height), (3, width)):
        length = images.shape[dim]
        if side > length:
            positions = torch.arange(side, device=images.device) % max(2 * (length - 1), 1)
            images = images.index_select(dim, torch.minimum(positions, 2 * (length - 1) - positions).clamp(min=0))
    return images
