"""The paper's Figure 5: Kodak images at three noise levels, as the denoisers leave them, with PSNR and NIQE."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from usaid.paper.figures import COLUMNS
from usaid.report.figures import kodak
from usaid.report.figures.drawing import drawing, save
from usaid.report.figures.panels import Grid, Panel, Row, fitted, panel_of
from usaid.report.figures.sheet import sheet
from usaid.report.figures.shown import GROUND_TRUTH, Number, Shown, csv_of, rows_of
from usaid.report.tables.titles import sigma_name
from usaid.report.text_files import write_texts
from usaid.scores.kept_images import CLEAN

_DIGITS = {"psnr": 2, "niqe": 4}

_DPI = 225
"""Twelve photographs of 300 dots an inch would take four megabytes."""


def write_figure_5(
    archives: Mapping[str, Path], settings: Mapping[str, Any], folder: str | Path, denoisers: Sequence[str] = COLUMNS
) -> None:
    """Write ``figure_5.png``, ``.pdf`` and ``.csv`` (the captions' numbers) to a folder.

    Args:
        archives: denoiser -> its archive of whole images; of ``clean`` too. Where one is missing, failed, or lacks an
            image, an empty frame says so.
        settings: ``images``: sigma -> name of a Kodak image.
        folder: where to write. The same archives give the same bytes.
        denoisers: names, in the order of the columns.

    Raises:
        UsaidError: an archive is damaged, or a file cannot be written.
    """
    shown = Shown(5, kodak.BENCHMARK, archives, denoisers)
    images = rows_of(settings)
    numbers = kodak.numbers_of(shown, images)
    with drawing():
        figure = draw_figure_5(shown, images, numbers)
        save(figure, Path(folder, "figure_5"), figure.dpi)
    write_texts({Path(folder, "figure_5.csv"): csv_of(numbers)})


def draw_figure_5(shown: Shown, images: Mapping[float, str], numbers: Sequence[Number]) -> Figure:
    """Rows of sigmas, columns of denoisers, the clean image last.

    Args:
        shown: the pictures.
        images: sigma -> image of its row.
        numbers: of the captions.
    """
    titles = [*shown.titles.values(), GROUND_TRUTH]
    grid = Grid(len(titles), _DPI)
    box = (grid.width, grid.width)

    def panel(denoiser: str, sigma: float) -> Panel:
        captions = kodak.captions(numbers, sigma_name(sigma), denoiser, _DIGITS)
        picture = shown.picture(denoiser, images[sigma], sigma)
        return panel_of(picture, lambda picture: fitted(picture.pixels, box), *captions)

    rows = [
        Row(f"σ = {sigma:g}", tuple(panel(denoiser, sigma) for denoiser in (*shown.denoisers, CLEAN)))
        for sigma in images
    ]
    shown_images = ", ".join(f"{image_id} (σ = {sigma:g})" for sigma, image_id in images.items())
    about = f"Kodak: {shown_images}, where larger than their panels reduced by a Lanczos filter, {_DPI} dots an inch."
    return sheet(grid, rows, titles, [about, *kodak.notes(shown, numbers)])
