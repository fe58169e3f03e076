"""Views: what is made of a stored image and its target before noise is added, such as the input of a network.

Which pixels noise is added to moves PSNR and SSIM by a decibel and more (PROTOCOL section 5), so that a score file
records its view, and a benchmark has one of its own.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from PIL import Image

from usaid.datasets.base import Sample
from usaid.datasets.coco import Instance
from usaid.errors import UsaidError

LetterboxResampling = Literal["pytorch_yolov3_2019", "darknet"]
"""How an image is fitted into a square; :class:`Letterboxed` says what the two do."""

GREY = {"pytorch_yolov3_2019": 128, "darknet": 127.5}
"""What lies around a letterboxed image, on the 0-255 scale."""


@dataclass(frozen=True)
class _View(ABC):
    """What all views share; views that do the same are equal."""

    @property
    def record(self) -> dict[str, Any]:
        """Kind and parameters, JSON-able, for score files."""
        return {"kind": type(self).__name__.lower(), **asdict(self)}

    @abstractmethod
    def pixels(self, stored: float) -> float:
        """How many pixels it makes of an image of ``stored`` pixels, about."""

    @abstractmethod
    def __call__(self, sample: Sample) -> Sample:
        """The sample that is scored; one that needs no change as it is.

        Raises:
            UsaidError: the target cannot follow what is done to the image (names the image).
        """


@dataclass(frozen=True)
class Shrunk(_View):
    """Larger images are made smaller, until their longer side has ``longest_side`` pixels; their shape stays.

    The image is resampled with Lanczos' filter, its label map by nearest neighbour.
    """

    longest_side: int

    def pixels(self, stored: float) -> float:
        return min(stored, 0.75 * self.longest_side**2)

    def __call__(self, sample: Sample) -> Sample:
        height, width = sample.image.shape[:2]
        scale = self.longest_side / max(height, width)
        if scale >= 1:
            return sample
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return _resampled(sample, size, Image.Resampling.LANCZOS, "drop 'longest_side'")


@dataclass(frozen=True)
class Resized(_View):
    """All images are made ``width`` x ``height`` pixels large, whatever their shape.

    The image is resampled bilinearly by Pillow (without aliases where it shrinks), its label map by nearest neighbour,
    as in the authors' test of segmenters (PROTOCOL section 5).
    """

    width: int
    height: int

    def pixels(self, stored: float) -> float:
        return self.width * self.height

    def __call__(self, sample: Sample) -> Sample:
        return _resampled(sample, (self.width, self.height), Image.Resampling.BILINEAR, "score them as stored")


@dataclass(frozen=True)
class Letterboxed(_View):
    """Images with boxes are fitted into a grey square of ``side`` pixels, as the input of a detector.

    Shape is kept, the image is centred, interpolation is bilinear without antialiasing, and boxes move with the pixels.
    ``resampling`` names whose way it is (PROTOCOL section 5):

    * ``pytorch_yolov3_2019``: a public PyTorch code of the paper's time pads the stored image with grey 128 first, then
      resizes the square; pixels are areas, as in scikit-image's ``resize(order=1)`` of the time.
    * ``darknet``: Redmon's Darknet resizes first, with the corners of both grids on each other, then pads with 127.5.

    That code and Darknet keep fractions. Here pixels are rounded to 8 bits, as every image of the suite has them; it
    costs 0.009 dB and 0.0004 in SSIM (28 images, CDnCNN-B, sigma 25; ``benchmarks/table_9_settings.py``).
    """

    side: int
    resampling: LetterboxResampling = "pytorch_yolov3_2019"

    def pixels(self, stored: float) -> float:
        return self.side**2

    def __call__(self, sample: Sample) -> Sample:
        fitted, moved = letterboxed(sample.image, self.side, self.resampling)
        boxes = sample.target
        if not isinstance(boxes, list) or not all(isinstance(instance, Instance) for instance in boxes):
            raise UsaidError(f"image {sample.id!r}: only images with boxes can be letterboxed; score them as stored")
        return Sample(sample.id, np.rint(fitted).astype(np.uint8), [moved.instance(instance) for instance in boxes])


@dataclass(frozen=True)
class Moved:
    """Where a letterboxed image lies: x in it is at ``left + scale_x * x``, and likewise y.

    Attributes:
        left, top: of its upper left corner, in pixels of the square.
        scale_x, scale_y: pixels of the square for each of the image.
    """

    left: float
    top: float
    scale_x: float
    scale_y: float

    def instance(self, instance: Instance) -> Instance:
        """An object's annotation in the square; its area shrinks with the pixels."""
        x, y, width, height = instance.bbox
        box = (
            self.left + self.scale_x * x,
            self.top + self.scale_y * y,
            self.scale_x * width,
            self.scale_y * height,
        )
        return replace(instance, bbox=box, area=instance.area * self.scale_x * self.scale_y)


def letterboxed(image: np.ndarray, side: int, resampling: LetterboxResampling) -> tuple[np.ndarray, Moved]:
    """Fit an image into a square, as :class:`Letterboxed` says.

    Args:
        image: uint8 (H, W, 3).
        side: of the square, in pixels.
        resampling: whose way.

    Returns:
        float32 (side, side, 3) on the 0-255 scale, not rounded, and where the image lies in it.
    """
    height, width = image.shape[:2]
    if resampling == "pytorch_yolov3_2019":
        square, left, top = padded_to_square(image.astype(np.float32), GREY[resampling])
        scale = side / len(square)
        return _interpolated(square, (side, side), aligned=False), Moved(left * scale, top * scale, scale, scale)
    longer = max(height, width)
    rows, columns = max(1, height * side // longer), max(1, width * side // longer)
    inner = _interpolated(image.astype(np.float32), (rows, columns), aligned=True)
    square, left, top = padded_to_square(inner, GREY[resampling])
    return square, Moved(left, top, columns / width, rows / height)


def padded_to_square(image: np.ndarray, grey: float) -> tuple[np.ndarray, int, int]:
    """Centre an image (H, W, 3) on a grey square as long as its longer side; also its left and top in it, in pixels."""
    height, width = image.shape[:2]
    longer = max(height, width)
    top, left = (longer - height) // 2, (longer - width) // 2
    square = np.full((longer, longer, *image.shape[2:]), grey, image.dtype)
    square[top : top + height, left : left + width] = image
    return square, left, top


def _interpolated(image: np.ndarray, size: tuple[int, int], aligned: bool) -> np.ndarray:
    """Bilinear interpolation of float32 (H, W, C) at (rows, columns), without antialiasing.

    Args:
        image: what to resample.
        size: rows and columns of the result.
        aligned: the centres of the corner pixels lie on each other; else the corners of the images do.
    """
    for axis, length in enumerate(size):
        image = _interpolated_along(axis, image, length, aligned)
    return image


def _interpolated_along(axis: int, image: np.ndarray, length: int, aligned: bool) -> np.ndarray:
    before = image.shape[axis]
    if length == before:
        return image
    places = np.arange(length)
    where = places * ((before - 1) / max(1, length - 1)) if aligned else (places + 0.5) * (before / length) - 0.5
    where = where.clip(0, before - 1)
    low = np.floor(where).astype(np.intp)
    high = np.minimum(low + 1, before - 1)
    share = (where - low).astype(np.float32).reshape([-1 if axis == each else 1 for each in range(image.ndim)])
    return np.asarray(image.take(low, axis) * (1 - share) + image.take(high, axis) * share)


def _resampled(sample: Sample, size: tuple[int, int], filter_: Image.Resampling, cure: str) -> Sample:
    """A sample with a label map at another size (width, height)."""
    if not isinstance(sample.target, np.ndarray):
        raise UsaidError(f"image {sample.id!r}: only images with label maps can be resized; {cure}")
    image = Image.fromarray(sample.image).resize(size, filter_)
    labels = Image.fromarray(sample.target).resize(size, Image.Resampling.NEAREST)
    return Sample(sample.id, np.array(image), np.array(labels))
