"""The paper's figures made again, and three that it lacks: pictures, and what was drawn as CSV."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Reads = Literal["curves", "archives", "tables", "scores"]


class FigureSpec(NamedTuple):
    """A figure.

    Attributes:
        reads: what it is drawn from: learning curves of its own trainings, archives of whole images, tables, or score
            files.
        title: what it is called.
        caption: what it shows; also what is read out in its place.
    """

    reads: Reads
    title: str
    caption: str


FIGURES: Mapping[str, FigureSpec] = {
    "reproduction": FigureSpec(
        "tables", "Ours against print", "Every printed number of the tables against ours, marked by its verdict."
    ),
    "differences": FigureSpec(
        "scores",
        "Differences image by image",
        "Paired differences between U-SAID and the others, image by image, with 95 % intervals of their means.",
    ),
    "sigma": FigureSpec(
        "tables", "Scores against the noise level", "The score of each denoiser at each noise level, ours and printed."
    ),
    "2": FigureSpec(
        "curves",
        "Figure 2, made again",
        "The segmentation loss while the network learns true label maps, maps whose quarters are permuted, and maps "
        "whose pixels are permuted.",
    ),
    "3": FigureSpec(
        "archives",
        "Figure 3, made again",
        "VOC images and their segmentations after each denoiser at three noise levels, with the IoU of each image.",
    ),
    "4": FigureSpec(
        "archives",
        "Figure 4, made again",
        "A Kodak image after each denoiser, whole and enlarged, with PSNR and NIQE.",
    ),
    "5": FigureSpec(
        "archives",
        "Figure 5, made again",
        "Three Kodak images after each denoiser, each at another noise level.",
    ),
}
"""By name, ``figure_<name>``, in the order in which they are looked at."""
