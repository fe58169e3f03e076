"""The paper's figures made again, and three that it lacks: pictures, and what was drawn as CSV."""

from collections.abc import Mapping
from typing import Literal, NamedTuple


class FigureSpec(NamedTuple):
    """A figure that is drawn from what other jobs made.

    Attributes:
        draw: ``"module:function"``; it is given what the figure reads, settings if there are any, and a folder.
        reads: archives of whole images, tables, or score files.
        caption: what it shows, without a final stop.
    """

    draw: str
    reads: Literal["archives", "tables", "scores"]
    caption: str


FIGURES: Mapping[str, FigureSpec] = {
    name: FigureSpec(f"usaid.report.figures.figure_{name}:write_figure_{name}", reads, caption)
    for name, reads, caption in (
        ("3", "archives", "Segmentations of three denoised images of VOC 2012"),
        ("4", "archives", "A Kodak image, denoised, full and zoomed"),
        ("5", "archives", "Three Kodak images, denoised at three noise levels"),
        ("reproduction", "tables", "Every printed number, and how far ours is from it"),
        ("differences", "scores", "U-SAID minus other denoisers, image by image"),
        ("sigma", "tables", "Scores against the noise level"),
    )
}
"""By name. Figure 2 stands apart: it is drawn from trainings of its own."""

DENOISERS = ("cdncnn_b", "s_said", "u_said")
"""The columns of Figures 3 to 5."""
