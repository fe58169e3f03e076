"""Draws a figure by its name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from usaid.registries import load_object
from usaid.report.figures import FIGURES

CODE = "usaid.report.figures"
"""Where the code of each figure is: ``figure_<name>.py``."""


def draw_figure(name: str, files: Mapping[str, Sequence[str]], settings: Mapping[str, Any], folder: str | Path) -> None:
    """Write ``figure_<name>.png``, ``.pdf`` and ``.csv`` to a folder.

    Args:
        name: one of :data:`usaid.report.figures.FIGURES`, but not Figure 2, which is drawn from trainings.
        files: what it reads, by the name of its kind: ``archives`` (named after their denoisers), ``tables`` or
            ``scores``.
        settings: of Figures 3 to 5: what :meth:`usaid.experiment.sight.Figures.of` says of it.
        folder: made if it is not there.

    Raises:
        UsaidError: a file is damaged, or one cannot be written.
    """
    reads = FIGURES[name].reads
    draw, read = load_object(f"{CODE}.figure_{name}:write_figure_{name}"), files[reads]
    if reads == "archives":
        draw({Path(path).stem: Path(path) for path in read}, settings, folder, settings["denoisers"])
    else:
        draw(read, folder)
