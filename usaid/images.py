"""Image files as uint8 RGB arrays."""

from pathlib import Path

import numpy as np
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
