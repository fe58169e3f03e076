"""Figures of an experiment, made small enough to travel inside the page."""

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.report.figures import FIGURES
from usaid.report.page.reading import Missing

WIDEST = 1280
"""Pixels of the embedded figure, somewhat more than the page is wide; the PDF beside it has all."""

QUALITY = 75
"""Of WebP, 0-100."""


@dataclass(frozen=True)
class Figure:
    """A figure, or why it is not there.

    Attributes:
        title: what it is called.
        caption: what it shows; also what is read out in its place.
        image: ``data:`` address of a WebP.
        width: pixels of the image.
        height: likewise.
        files: the files beside the page that have all of it: what they are called, and the link.
    """

    title: str
    caption: str
    image: str | Missing
    width: int = 0
    height: int = 0
    files: Sequence[tuple[str, str]] = ()


def figures_of(folder: Path, link: str) -> list[Figure]:
    """The figures in a folder: the paper's by number, then the suite's, then others by name.

    Args:
        folder: ``figures`` of a results folder; need not be there.
        link: the relative path from the page to the results folder.

    Raises:
        UsaidError: a PNG file is none.
    """
    paths = sorted(folder.glob("*.png"), key=lambda path: (_place(path.stem), path.stem))
    return [_figure(path, f"{link}/{folder.name}") for path in paths]


def _place(stem: str) -> int:
    stems = [f"figure_{name}" for name in FIGURES]
    return stems.index(stem) if stem in stems else len(stems)


def _figure(path: Path, link: str) -> Figure:
    spec = FIGURES.get(path.stem.removeprefix("figure_"))
    title, caption = (path.stem.replace("_", " "), f"Figure {path.stem}.") if spec is None else spec[1:]
    if failure := failure_in(path):
        return Figure(title, caption, Missing(f"the figure failed: {failure.reason}"))
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UsaidError(f"{path}: not a PNG file ({error}); delete it and rerun {path.stem}") from None
    small.thumbnail((WIDEST, WIDEST * 2))
    webp = io.BytesIO()
    small.save(webp, "WEBP", quality=QUALITY, method=4)
    files = [
        (suffix.upper(), quote(os.fsencode(f"{link}/{path.stem}.{suffix}")))
        for suffix in ("pdf", "png", "csv")
        if path.with_suffix(f".{suffix}").is_file()
    ]
    address = "data:image/webp;base64," + base64.b64encode(webp.getvalue()).decode("ascii")
    return Figure(title, caption, address, *small.size, files=files)
