"""Opens a split of a data set by name, or as an experiment names it."""

from pathlib import Path
from typing import TYPE_CHECKING

from usaid.datasets.base import Dataset, View
from usaid.errors import UsaidError
from usaid.registries import DATASETS, load_object

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment


def load(
    name: str,
    data_root: str | Path,
    split: str,
    subset: str | Path | None = None,
    view: View | None = None,
) -> Dataset:
    """Open one split of a data set.

    Args:
        name: one of :data:`usaid.registries.DATASETS`.
        data_root: folder that holds the data set's official folder.
        split: one of its card's ``splits``.
        subset: text file with one id a line (below ``data_root``, else below the working folder, or absolute); None:
            the whole split.
        view: what is made of its images, e.g. one of :mod:`usaid.datasets.views`. None: they stay as stored.

    Raises:
        UsaidError: unknown name or split, missing or damaged files, or a listed id that the split lacks.
    """
    if name not in DATASETS:
        raise UsaidError(f"{name}: no data set of this name; one of {', '.join(DATASETS)}")
    dataset: Dataset = load_object(DATASETS[name].reader)(data_root, split, subset)
    dataset.view = view
    return dataset


def load_for(
    experiment: "Experiment", name: str, split: str, benchmark: str | None = None, of_draws: bool = False
) -> Dataset:
    """Open one split of a data set as an experiment names it: its root folder, and its list of ids if it has one.

    Args:
        experiment: whose data it is.
        name: one of :data:`usaid.registries.DATASETS`.
        split: one of its card's ``splits``.
        benchmark: one of the experiment's, whose view of the split counts; for the split that it scores also whose own
            list of ids. None: images as stored.
        of_draws: for its further noise draws, which may have a list of their own.

    Raises:
        UsaidError: as :func:`load`.
    """
    view = None if benchmark is None else experiment.view_of(benchmark, split)
    return load(name, experiment.data_root, split, experiment.subset_of(name, split, benchmark, of_draws), view)


def load_images(experiment: "Experiment", images: str) -> Dataset:
    """Open what a recipe trains on, ``<data set>/<split>``; as :func:`load_for`."""
    name, split = images.split("/")
    return load_for(experiment, name, split)
