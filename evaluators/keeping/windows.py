"""Which part of an image is kept: the same for all denoisers, since the clean image alone decides."""

import numpy as np
from PIL import Image

from usaid.scores.kept_images import Window

LONGEST_SIDE = 192
"""Of an overview, in pixels."""


def window_of(clean: np.ndarray, side: int | None, centre: tuple[int, int] | None = None) -> Window:
    """The square of an image that is kept.

    Without a centre it is where the image has the most texture: where the squared differences between neighbouring
    pixels have the largest sum; of several such places the uppermost, and of these the leftmost.

    Args:
        clean: uint8 (H, W, 3).
        side: in pixels, cut to the image's own sides; None: the whole image.
        centre: x and y of its middle, as far as the image's edges allow.
    """
    height, width = clean.shape[:2]
    wide, high = (width, height) if side is None else (min(side, width), min(side, height))
    if centre is not None:
        x, y = centre
        return Window(min(max(x - wide // 2, 0), width - wide), min(max(y - high // 2, 0), height - high), wide, high)
    grey = clean.sum(axis=2, dtype=np.int64)
    texture = np.zeros_like(grey)
    texture[:, 1:] += np.diff(grey, axis=1) ** 2
    texture[1:] += np.diff(grey, axis=0) ** 2
    sums = np.pad(texture.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    in_windows = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = np.unravel_index(in_windows.argmax(), in_windows.shape)
    return Window(int(left), int(top), wide, high)


def cut(pixels: np.ndarray, window: Window) -> np.ndarray:
    """The part of an image (H, W, ...) in a window, a copy."""
    left, top, width, height = window
    return pixels[top : top + height, left : left + width].copy()


def overview_of(clean: np.ndarray) -> np.ndarray:
    """A small version of a whole image, uint8 (h, w, 3), at most :data:`LONGEST_SIDE` pixels wide and high."""
    image = Image.fromarray(clean)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
    return np.asarray(image)
