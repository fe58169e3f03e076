"""The paper's Figure 4: one Kodak image as the denoisers leave it, whole and a part of it pixel by pixel."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from usaid.errors import UsaidError
from usaid.paper.figures import COLUMNS
from usaid.report.figures import kodak
from usaid.report.figures.drawing import drawing, save
from usaid.report.figures.panels import Grid, Panel, Row, fitted, magnified, panel_of
from usaid.report.figures.sheet import sheet
from usaid.report.figures.shown import GROUND_TRUTH, Number, Shown, csv_of
from usaid.report.tables.titles import sigma_name
from usaid.report.text_files import write_texts
from usaid.scores.kept_images import CLEAN, Picture, Window

_DIGITS = {"psnr": 2, "niqe": 2}

_HIGHEST = 1.5
"""Height of a whole image, in widths of its column: that of Kodak's upright ones."""


def write_figure_4(
    archives: Mapping[str, Path], settings: Mapping[str, Any], folder: str | Path, denoisers: Sequence[str] = COLUMNS
) -> None:
    """Write ``figure_4.png``, ``.pdf`` and ``.csv`` (the captions' numbers) to a folder.

    Args:
        archives: denoiser -> its archive of whole images; of ``clean`` too. Where one is missing, failed, or lacks the
            image, an empty frame says so.
        settings: ``image``: name of a Kodak image; ``sigma``: 0-255 scale; ``zoom``: left, top, width and height of the
            part that is shown pixel by pixel, in pixels.
        folder: where to write. The same archives give the same bytes.
        denoisers: names, in the order of the columns.

    Raises:
        UsaidError: ``zoom`` is not within the image, or too large; an archive is damaged; a file cannot be written.
    """
    shown = Shown(4, kodak.BENCHMARK, archives, denoisers)
    image_id, sigma = str(settings["image"]), float(settings["sigma"])
    numbers = kodak.numbers_of(shown, {sigma: image_id})
    zoom = Window(*settings["zoom"])
    with drawing():
        figure = draw_figure_4(shown, numbers, (image_id, sigma), zoom)
        save(figure, Path(folder, "figure_4"), figure.dpi)
    write_texts({Path(folder, "figure_4.csv"): csv_of(numbers)})


def draw_figure_4(shown: Shown, numbers: Sequence[Number], image: tuple[str, float], zoom: Window) -> Figure:
    """Whole images above, a part of each below; the clean image is in the last column.

    Args:
        shown: the pictures.
        numbers: of the captions.
        image: its name, and sigma.
        zoom: the part that is shown below.
    """
    titles = [*shown.titles.values(), GROUND_TRUTH]
    grid = Grid(len(titles), has_labels=False)
    box = (grid.width, round(grid.width * _HIGHEST))
    factor = min(box[0] // max(1, zoom.width), box[1] // max(1, zoom.height))
    if factor < 1:
        raise UsaidError(f"figure_4: zoom {[*zoom]} is larger than {box[0]} x {box[1]} pixels; name a smaller part")
    image_id, sigma = image
    pictures = {name: shown.picture(name, image_id, sigma) for name in (*shown.denoisers, CLEAN)}
    wholes, parts = [], []
    for name, picture in pictures.items():
        captions = kodak.captions(numbers, sigma_name(sigma), name, _DIGITS)
        wholes.append(_framed(panel_of(picture, lambda it: fitted(it.pixels, box)), picture, zoom))
        parts.append(panel_of(picture, lambda it: magnified(_part(it, zoom), factor), *captions))
    sizes = [picture.size for picture in pictures.values() if isinstance(picture, Picture)]
    is_reduced = any(size[0] > box[0] or size[1] > box[1] for size in sizes)
    about = f"Kodak {image_id}, σ = {sigma:g}. Above: the whole image, "
    about += "reduced by a Lanczos filter. " if is_reduced else "not resampled. "
    about += f"Below: what is in the frame, {zoom.width} x {zoom.height} pixels, each {factor} x {factor} dots."
    return sheet(grid, [Row("", tuple(wholes)), Row("", tuple(parts))], titles, [about, *kodak.notes(shown, numbers)])


def _part(picture: Picture, zoom: Window) -> np.ndarray:
    """The part of an image that ``zoom`` names."""
    left, top, width, height = zoom
    if min(left, top) < 0 or min(width, height) < 1 or left + width > picture.size[0] or top + height > picture.size[1]:
        size = "{} x {}".format(*picture.size)
        raise UsaidError(
            f"figure_4: zoom {[*zoom]} is not within {picture.image_id} ({size} pixels); name a part of it"
        )
    return picture.pixels[top : top + height, left : left + width]


def _framed(panel: Panel, picture: Picture | str, zoom: Window) -> Panel:
    """A whole image with a frame around the part that ``zoom`` names."""
    if isinstance(picture, str) or panel.pixels is None:
        return panel
    scale = panel.pixels.shape[1] / picture.size[0]
    return replace(panel, frame=Window(*(round(value * scale) for value in zoom)))
