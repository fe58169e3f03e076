"""Label maps in the colours of PASCAL VOC, with the names of classes on them: these can be read without colour."""

from collections.abc import Iterable

import numpy as np
from matplotlib.patches import Patch

from usaid.datasets.voc2012 import COLOURS, VOID
from usaid.report.figures.drawing import GREY, plain
from usaid.report.figures.panels import Grid, Panel, Word, fitted_labels
from usaid.report.figures.sheet import SMALL
from usaid.report.figures.texts import LINE, width_of
from usaid.scores.kept_images import Seen

_BACKGROUND = 0
_WHITE = (255, 255, 255)
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_BRIGHT = 110
"""From this luminance on, of 255, a word on a colour is black."""


def panel_of_labels(seen: Seen | None, grid: Grid, caption: str = "") -> Panel:
    """A label map, fitted into a column's width and as much in height, with names where these have room."""
    if seen is None or seen.labels is None:
        return Panel(None, "no label map kept", caption)
    labels = fitted_labels(seen.labels, (grid.width, grid.width))
    words = []
    for value in sorted({*np.unique(labels).tolist()} - {_BACKGROUND, VOID}):
        name = name_of(value, seen.classes)
        place = room_for(labels == value, (grid.dots(width_of(name, SMALL) + 2), grid.dots(SMALL * LINE)))
        if place is not None:
            colour = "black" if _palette()[value] @ _LUMINANCE >= _BRIGHT else "white"
            words.append(Word(name, *place, colour))
    return Panel(colours_of(labels), caption=caption, words=tuple(words))


def colours_of(labels: np.ndarray) -> np.ndarray:
    """A label map in VOC's colours: uint8 (H, W) -> uint8 (H, W, 3). What is no class is white."""
    return _palette()[labels]


def name_of(value: int, classes: tuple[str, ...]) -> str:
    """What a value of a label map is called."""
    if value == VOID:
        return "void (not scored)"
    return classes[value] if value < len(classes) else str(value)


def legend_of(seen: Iterable[Seen | None]) -> list[Patch]:
    """The classes that occur in some label map, by number."""
    names: dict[int, str] = {}
    for it in seen:
        if it is not None and it.labels is not None:
            names |= {value: name_of(value, it.classes) for value in np.unique(it.labels).tolist()}
    return [
        Patch(facecolor=_palette()[value] / 255, edgecolor=GREY, linewidth=0.5, label=plain(names[value]))
        for value in sorted(names)
    ]


def room_for(mask: np.ndarray, size: tuple[int, int]) -> tuple[float, float] | None:
    """The middle of a rectangle that lies in a mask, as near as possible to the mask's centre; None: none does.

    Args:
        mask: bool (H, W).
        size: width and height of the rectangle.
    """
    width, height = size
    if mask.shape[0] < height or mask.shape[1] < width:
        return None
    sums = np.pad(mask.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    covered = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    corners = np.argwhere(covered == width * height)
    if not len(corners):
        return None
    middles = corners + np.array([height, width]) / 2
    y, x = middles[np.square(middles - np.argwhere(mask).mean(axis=0)).sum(axis=1).argmin()]
    return float(x), float(y)


def _palette() -> np.ndarray:
    """Colour of each value of a label map, uint8 (256, 3)."""
    palette = np.full((256, 3), _WHITE, np.uint8)
    for value, colour in COLOURS.items():
        palette[value] = _WHITE if value == VOID else colour
    return palette
