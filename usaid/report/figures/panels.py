"""Panels of a figure of photographs: each pixel is a dot of the PNG, so that nothing is resampled when it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from usaid.report.figures.drawing import PAGE
from usaid.scores.kept_images import Picture, Window

MARGIN, LABEL, GAP = 1.5, 11.0, 4.5
"""In points: around everything, left of the panels for the rows' labels, between two panels."""


class Grid(NamedTuple):
    """Columns of panels on a page.

    Attributes:
        n_columns: how many.
        dpi: dots an inch.
        has_labels: there is room for the rows' labels.
    """

    n_columns: int
    dpi: int = 300
    has_labels: bool = True

    def dots(self, points: float) -> int:
        """A length in dots."""
        return round(points * self.dpi / 72)

    @property
    def page(self) -> int:
        """Width of the page, in dots."""
        return round(PAGE * self.dpi)

    @property
    def width(self) -> int:
        """Of a column, in dots."""
        gaps = (self.n_columns - 1) * self.dots(GAP)
        return (self.page - self._first - self.dots(MARGIN) - gaps) // self.n_columns

    def left(self, column: int) -> int:
        """Where a column begins, in dots."""
        return self._first + column * (self.width + self.dots(GAP))

    @property
    def _first(self) -> int:
        return self.dots(MARGIN + LABEL * self.has_labels)


class Word(NamedTuple):
    """A word on a picture: in the middle of ``x`` and ``y``, in the picture's pixels."""

    text: str
    x: float
    y: float
    colour: str


@dataclass(frozen=True)
class Panel:
    """A picture, or what stands in its place.

    Attributes:
        pixels: uint8 (h, w, 3), each pixel a dot of the PNG; None: there is none.
        reason: why there is none.
        caption: below it.
        in_print: what the paper says there, below the caption.
        frame: part of ``pixels`` that a frame is drawn around.
        words: on it.
    """

    pixels: np.ndarray | None
    reason: str = ""
    caption: str = ""
    in_print: str = ""
    frame: Window | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Row:
    """Panels side by side; ``label`` stands left of them."""

    label: str
    panels: tuple[Panel, ...]


def panel_of(
    picture: Picture | str, drawn: Callable[[Picture], np.ndarray], caption: str = "", in_print: str = ""
) -> Panel:
    """The panel of a picture, or of the reason why there is none.

    Args:
        picture: one or the other.
        drawn: what is drawn of a picture, uint8 (h, w, 3).
        caption: below a picture.
        in_print: what the paper says there.
    """
    if isinstance(picture, str):
        return Panel(None, picture, "", in_print)
    return Panel(drawn(picture), "", caption, in_print)


def fitted(pixels: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    """A photograph reduced to a box by a Lanczos filter; of a small one each pixel becomes a square of dots.

    Args:
        pixels: uint8 (H, W, 3).
        box: width and height, in dots.
    """
    return _fitted(pixels, box, Image.Resampling.LANCZOS)


def fitted_labels(labels: np.ndarray, box: tuple[int, int]) -> np.ndarray:
    """A label map, uint8 (H, W), that fits into a box as a photograph does: each of its values is one of the map's."""
    return _fitted(labels, box, Image.Resampling.NEAREST)


def magnified(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel as a square of ``factor`` x ``factor``."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _fitted(pixels: np.ndarray, box: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    height, width = pixels.shape[:2]
    factor = min(box[0] / width, box[1] / height)
    if factor >= 1:
        return magnified(pixels, int(factor))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(pixels).resize(size, how))
