"""Where scores lie that an experiment takes from an earlier run, or from one that comes with the suite."""

import os
from pathlib import Path
from typing import NamedTuple

from usaid.experiment.model import recorded
from usaid.suite_files import suite_folder

COMPARED = ("noisy", "cdncnn_b", "s_said", "u_said", "clean")
"""The columns that ``compare_with`` adds, each of the method of its name: the paper's three, and what frames them."""

_FOLDERS = ("", "results", "results/reference")
_SHOWN = 3
"""Folders that a name from elsewhere ends with."""


class EarlierScores(NamedTuple):
    """A results folder of another run.

    Attributes:
        name: what records and summaries call it, without a machine's path: ``"results/reference/released"``, below the
            working folder or the suite's; of a folder elsewhere its end, ``".../results/reference/released"``.
        path: where it is.
    """

    name: str
    path: Path

    def file(self, benchmark: str, denoiser: str) -> Path:
        """The score file of a denoiser, whether or not it is there."""
        return self.path / "scores" / benchmark / f"{denoiser}.parquet"


def earlier_scores(named: str, own_results: str) -> EarlierScores:
    """The results folder that an experiment names.

    Args:
        named: as :func:`results_named` has it; the first folder with scores counts.
        own_results: results folder of the experiment itself, whose scores it cannot take.

    Returns:
        The folder; where none of them has scores, what would be the first.
    """
    own = Path(own_results).resolve()
    others = (place for place in results_named(named) if place.path.resolve() != own)
    return next(others, EarlierScores(recorded(named), Path(named)))


def results_named(named: str) -> list[EarlierScores]:
    """The results folders that a person may mean and that have scores, the likeliest first.

    Args:
        named: a folder, or ``released`` for ``results/released`` or ``results/reference/released``, below the working
            folder or among the suite's files.
    """
    names = [os.path.normpath(os.path.join(folder, named)) for folder in _FOLDERS]
    places = [EarlierScores(_name_of(name), Path(root, name)) for root in ("", suite_folder()) for name in names]
    there = {place.path.resolve(): place for place in reversed(places) if place.path.joinpath("scores").is_dir()}
    return [*reversed(there.values())]


def _name_of(folder: str) -> str:
    """What a folder is called, as :class:`EarlierScores` has it."""
    path = Path(folder)
    if not path.is_absolute():
        return folder
    for root in (Path.cwd(), suite_folder()):
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return "/".join(["...", *path.parts[1:][-_SHOWN:]])
