"""Large batches and images in parts of bounded memory, with the result of the whole."""

from collections.abc import Callable

import torch
from torch import Tensor

PIXELS_AT_ONCE = 1 << 21
"""Most of a batch or image that is convolved at once (2 Mpixel hold 0.5 GB in each 64-channel float32 activation)."""


def in_strips(convolve: Callable[[Tensor], Tensor], batch: Tensor, halo: int) -> Tensor:
    """Apply convolutions to a batch, a few images or strips of rows at a time; the size of its images alone says how.

    Args:
        convolve: keeps height and width.
        batch: (B, C, H, W).
        halo: rows that a result depends on beyond its own: one for each 3x3 convolution. A strip sees so many on either
            side, so that this is exact.

    Returns:
        What ``convolve`` makes of the whole batch.
    """
    height, width = batch.shape[2:]
    images = max(1, PIXELS_AT_ONCE // (height * width))
    rows = max(halo, PIXELS_AT_ONCE // width)
    return torch.cat(
        [
            torch.cat([_strip(convolve, some, top, top + rows, halo) for top in range(0, height, rows)], dim=2)
            for some in batch.split(images)
        ]
    )


def _strip(convolve: Callable[[Tensor], Tensor], batch: Tensor, top: int, bottom: int, halo: int) -> Tensor:
    start = max(0, top - halo)
    return convolve(batch[:, :, start : bottom + halo])[:, :, top - start : bottom - start]
