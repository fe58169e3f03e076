"""Figures of an experiment, made small enough to travel inside the page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image, UnidentifiedImageError

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.report.page.reading import Missing

WIDEST = 1280
"""Pixels of the embedded figure, somewhat more than the page is wide; the PDF beside it has all."""

QUALITY = 75
"""Of WebP, 0-100."""

CAPTIONS = {
    "figure_2": (
        "Figure 2, made again",
        "The segmentation loss while the network learns true label maps, maps whose quarters are permuted, and maps "
        "whose pixels are permuted.",
    ),
    "figure_3": (
        "Figure 3, made again",
        "VOC images and their segmentations after each denoiser at three noise levels, with the IoU of each image.",
    ),
    "figure_4": (
        "Figure 4, made again",
        "A Kodak image after each denoiser, whole and enlarged, with PSNR and NIQE.",
    ),
    "figure_5": ("Figure 5, made again", "Three Kodak images after each denoiser, each at another noise level."),
    "figure_reproduction": (
        "Ours against print",
        "Every printed number of the tables against ours, marked by its verdict.",
    ),
    "figure_sigma": ("Scores against the noise level", "The score of each denoiser at each noise level."),
    "figure_differences": (
        "Differences image by image",
        "Paired differences between U-SAID and the others, image by image, with 95 % intervals of their means.",
    ),
}
"""Title and sentence of the figures that the suite makes; others go by their file's name."""

_ORDER = list(CAPTIONS)


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
    return _ORDER.index(stem) if stem in _ORDER else len(_ORDER)


def _figure(path: Path, link: str) -> Figure:
    title, caption = CAPTIONS.get(path.stem, (path.stem.replace("_", " "), f"Figure {path.stem}."))
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
        (suffix.upper(), quote(f"{link}/{path.stem}.{suffix}"))
        for suffix in ("pdf", "png", "csv")
        if path.with_suffix(f".{suffix}").is_file()
    ]
    address = "data:image/webp;base64," + base64.b64encode(webp.getvalue()).decode("ascii")
    return Figure(title, caption, address, *small.size, files=files)
