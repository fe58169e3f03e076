"""Image files as uint8 RGB arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from usaid.errors import UsaidError

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
"""Pillow's names of the formats that are read; it knows others, some of which start programs (EPS)."""


@contextmanager
def decoding(path: str | Path) -> Iterator[None]:
    """Turn whatever Pillow raises inside the block into one line that names the file and the cure.

    Raises:
        UsaidError: the file is missing or not readable, is no image, ends too early, or is too large.
    """
    try:
        yield
    except UsaidError:
        raise
    except FileNotFoundError:
        raise UsaidError(f"{path}: no such image file") from None
    except (PermissionError, IsADirectoryError) as error:
        raise UsaidError(f"{path}: cannot be read ({error.strerror}); make it a readable file") from None
    except (Image.DecompressionBombError, MemoryError) as error:
        reason = " ".join(str(error).split()) or "it does not fit in memory"
        raise UsaidError(f"{path}: image is too large ({reason}); cut it into parts") from None
    except UnidentifiedImageError:
        reason = "an empty file" if Path(path).stat().st_size == 0 else f"no {', '.join(FORMATS)} that Pillow knows"
        raise UsaidError(f"{path}: does not decode as an image ({reason}); fetch or copy this file again") from None
    except Exception as error:  # Pillow lets any exception of its parsers through
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsaidError(f"{path}: does not decode as an image ({reason}); fetch or copy this file again") from None


def open_image(path: str | Path) -> Image.Image:
    """Decode a whole image file, in whatever mode it is stored.

    Raises:
        UsaidError: the file is missing, is no image, or ends too early.
    """
    with decoding(path), Image.open(path, formats=FORMATS) as image:
        image.load()
        return image


def read_rgb(path: str | Path) -> np.ndarray:
    """Decode an image file to a uint8 array of shape (H, W, 3), RGB, values 0-255, as its pixels are stored.

    This is how images of data sets are read: an EXIF orientation is not applied, since labels are drawn on stored
    pixels; alpha is dropped; of 16 bits a channel of an RGB file the upper 8 are kept.

    Raises:
        UsaidError: as :func:`open_image`, or grey values of more than 8 bits, which Pillow would clip to 0 and 255.
    """
    image = open_image(path)
    if image.mode[0] in "IF":
        raise UsaidError(f"{path}: mode {image.mode}: grey values of more than 8 bits; save it as an 8-bit image")
    return np.asarray(image.convert("RGB"))
