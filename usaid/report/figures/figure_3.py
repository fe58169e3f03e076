"""The paper's Figure 3: what a judge sees in VOC images after denoising, at three noise levels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from usaid.paper.figures import COLUMNS, figure_notes, how_told, printed_rows
from usaid.report.figures.drawing import drawing, save
from usaid.report.figures.label_maps import legend_of, panel_of_labels
from usaid.report.figures.panels import Grid, Panel, Row, fitted, panel_of
from usaid.report.figures.sheet import sheet
from usaid.report.figures.shown import Number, Shown, as_text, csv_of, rows_of
from usaid.report.tables.titles import sigma_name
from usaid.report.text_files import write_texts
from usaid.scores.kept_images import CLEAN, Seen

BENCHMARK = "voc_segmentation"

CONVENTION = "miou_per_image"
"""The score of one image."""


def write_figure_3(
    archives: Mapping[str, Path], settings: Mapping[str, Any], folder: str | Path, denoisers: Sequence[str] = COLUMNS
) -> None:
    """Write ``figure_3.png``, ``.pdf`` and ``.csv`` (the captions' numbers) to a folder.

    Args:
        archives: denoiser -> its archive of whole images; of ``clean`` too. Where one is missing, failed, or lacks an
            image or its label map, an empty frame says so.
        settings: ``images``: sigma -> name of an image of PASCAL VOC 2012.
        folder: where to write. The same archives give the same bytes.
        denoisers: names, in the order of the columns.

    Raises:
        UsaidError: an archive is damaged, or a file cannot be written.
    """
    shown = Shown(3, BENCHMARK, archives, denoisers)
    images = rows_of(settings)
    numbers = shown.numbers(images, {"miou": (CONVENTION,)})
    with drawing():
        figure = draw_figure_3(shown, images, numbers)
        save(figure, Path(folder, "figure_3"), figure.dpi)
    write_texts({Path(folder, "figure_3.csv"): csv_of(numbers)})


def draw_figure_3(shown: Shown, images: Mapping[float, str], numbers: Sequence[Number]) -> Figure:
    """Rows of sigmas; columns are the clean image, what is true of it, and what is seen in each denoiser's output.

    Args:
        shown: the pictures.
        images: sigma -> image of its row.
        numbers: of the captions.
    """
    titles = ["Original image", "True segmentation", *shown.titles.values()]
    grid = Grid(len(titles))
    box = (grid.width, grid.width)
    captions = {(n.row, n.denoiser): f"IoU: {as_text(n.ours, 4)}" for n in numbers}
    rows, maps = [], []
    for sigma, image_id in images.items():
        clean = shown.picture(CLEAN, image_id, sigma)
        seen = [(clean, None if isinstance(clean, str) else clean.truth, "")]
        for denoiser in shown.denoisers:
            picture = shown.picture(denoiser, image_id, sigma)
            own = None if isinstance(picture, str) else picture.seen
            seen.append((picture, own, captions[sigma_name(sigma), denoiser]))
        panels = [_panel(*one, grid) for one in seen]
        photograph = panel_of(clean, lambda picture: fitted(picture.pixels, box))
        rows.append(Row(f"σ = {sigma:g}", (photograph, *panels)))
        maps += [own for _, own, _ in seen]
    return sheet(grid, rows, titles, _notes(shown, images), legend_of(maps))


def _panel(picture: object, seen: Seen | None, caption: str, grid: Grid) -> Panel:
    return Panel(None, picture) if isinstance(picture, str) else panel_of_labels(seen, grid, caption)


def _notes(shown: Shown, images: Mapping[float, str]) -> list[str]:
    names = ", ".join(f"{image_id} (σ = {sigma:g})" for sigma, image_id in images.items())
    printed = "; ".join(f"σ = {row.sigma:g}: {', '.join(row.numbers['miou'].values())}" for row in printed_rows(3))
    return [
        f"PASCAL VOC 2012: {names}; where larger than their panels reduced, photographs by a Lanczos filter.",
        f"IoU: mean over the classes that occur in the true map or in the judge's ({CONVENTION}), of the whole image.",
        *shown.deviations,
        f"The paper's figure prints {printed}; {how_told(3)}, and {figure_notes(3)}",
    ]
