"""The images of a page: each once, encoded without loss, as base64."""

import base64
import io
from hashlib import sha256
from typing import Any

import numpy as np
from PIL import Image

from usaid.scores.kept_images import Picture, Seen

_PIXELS = {"format": "WEBP", "lossless": True, "quality": 100, "method": 2}
_LABELS = {"format": "PNG", "optimize": True}
_OVERVIEW = {"format": "WEBP", "quality": 60, "method": 6}


class PixelStore:
    """Images by their pixels; equal ones are one.

    Attributes:
        images: media type and base64 of each image, in the order of their numbers.
    """

    def __init__(self) -> None:
        self.images: list[tuple[str, str]] = []
        self._encoded: dict[bytes, tuple[str, str]] = {}
        self._numbers: dict[bytes, int] = {}

    @property
    def size(self) -> int:
        """Bytes of base64."""
        return sum(len(text) for _, text in self.images)

    def add_within(self, budget: int, *pictures: Picture) -> bool:
        """Add all images of some pictures, or none of them if they do not fit.

        Args:
            budget: for all images of this store, in bytes of base64.
            pictures: what is to be added.

        Returns:
            Whether they fit.
        """
        wanted = {}
        for array, options in (image for picture in pictures for image in _images_of(picture)):
            wanted[self._key(array, options)] = self._encode(array, options)
        new = {key: image for key, image in wanted.items() if key not in self._numbers}
        if self.size + sum(len(text) for _, text in new.values()) > budget:
            return False
        for key, image in new.items():
            self._numbers[key] = len(self.images)
            self.images.append(image)
        return True

    def pixels(self, array: np.ndarray) -> int:
        """The number of pixels that were added."""
        return self._numbers[self._key(array, _PIXELS)]

    def labels(self, array: np.ndarray | None) -> int | None:
        """The number of a label map that was added."""
        return None if array is None else self._numbers[self._key(array, _LABELS)]

    def overview(self, array: np.ndarray | None) -> int | None:
        """The number of an overview that was added."""
        return None if array is None else self._numbers[self._key(array, _OVERVIEW)]

    def _encode(self, array: np.ndarray, options: dict[str, Any]) -> tuple[str, str]:
        key = self._key(array, options)
        if key not in self._encoded:
            stream = io.BytesIO()
            Image.fromarray(array).save(stream, **options)
            media_type = f"image/{options['format'].lower()}"
            self._encoded[key] = media_type, base64.b64encode(stream.getvalue()).decode("ascii")
        return self._encoded[key]

    @staticmethod
    def _key(array: np.ndarray, options: dict[str, Any]) -> bytes:
        return sha256(f"{options}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).digest()


def _images_of(picture: Picture) -> list[tuple[np.ndarray, dict[str, Any]]]:
    images = [(picture.pixels, _PIXELS)]
    images += [(seen.labels, _LABELS) for seen in _seen(picture) if seen.labels is not None]
    return images if picture.overview is None else [*images, (picture.overview, _OVERVIEW)]


def _seen(picture: Picture) -> list[Seen]:
    return [seen for seen in (picture.seen, picture.truth) if seen is not None]
