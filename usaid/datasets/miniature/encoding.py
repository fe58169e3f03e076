"""What the files of all generated data sets are made of: random numbers by picture, JPEG, PNG, lists of ids."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image

Array = np.ndarray
Files = Iterator[tuple[str, bytes]]
"""Path below the directory, with forward slashes, and content of each file."""

VERSION = 2
"""Changed whenever a pixel or a label changes."""


def generator(seed: int, name: str) -> Generator:
    """Random numbers for one picture: whatever else is drawn, and in whatever order, they are the same."""
    return np.random.Generator(np.random.PCG64([seed, *name.encode()]))


def jpeg(image: Array) -> bytes:
    """A JPEG of quality 95 without chroma subsampling, from uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def png(image: Array, palette: Array | None = None) -> bytes:
    """A PNG from uint8 (H, W, 3), or from (H, W): grey, or indices of a palette of shape (256, 3)."""
    picture, buffer = Image.fromarray(image), io.BytesIO()
    if palette is not None:
        picture.putpalette(palette.tobytes())
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def lines(ids: Sequence[str]) -> bytes:
    """A list of ids, one a line."""
    return "".join(f"{image_id}\n" for image_id in ids).encode()
