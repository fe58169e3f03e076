"""The six data sets of the paper: a registry of their readers, and what of them is on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from usaid.datasets.base import Dataset, Sample
from usaid.datasets.cifar100 import CIFAR100
from usaid.datasets.coco import COCO
from usaid.datasets.deepglobe import DeepGlobe
from usaid.datasets.isic2018 import ISIC2018
from usaid.datasets.kodak import Kodak
from usaid.datasets.voc2012 import VOC2012
from usaid.errors import UsaidError

__all__ = ["DATASETS", "Dataset", "Sample", "SplitStatus", "format_status", "load", "read_sources", "status"]

DATASETS: dict[str, type[Dataset]] = {
    reader.name: reader for reader in (VOC2012, Kodak, ISIC2018, DeepGlobe, CIFAR100, COCO)
}


def load(
    name: str,
    data_root: str | Path,
    split: str,
    subset: str | Path | None = None,
    longest_side: int | None = None,
) -> Dataset:
    """Open one split of a data set.

    Args:
        name: one of ``DATASETS``.
        data_root: folder that holds the data set's official folder.
        split: one of the reader's ``official_counts``.
        subset: text file with one id a line (below ``data_root``, else below the working folder, or absolute); None:
            the whole split.
        longest_side: in pixels; larger images are made smaller. None: as stored.

    Raises:
        UsaidError: unknown name or split, missing or damaged files, or a listed id that the split lacks.
    """
    if name not in DATASETS:
        raise UsaidError(f"{name}: no data set of this name; one of {', '.join(DATASETS)}")
    dataset = DATASETS[name](data_root, split, subset)
    dataset.longest_side = longest_side
    return dataset


def load_for(experiment: Mapping[str, Any], name: str, split: str, benchmark: str | None = None) -> Dataset:
    """Open one split of a data set as an experiment names it: its root folder, and its list of ids if it has one.

    Args:
        experiment: as :func:`usaid.experiment.checked_experiment` returns it.
        name: one of ``DATASETS``.
        split: one of the reader's ``official_counts``.
        benchmark: one of the experiment's, whose own size of images counts; for the split that it scores also
            whose own list of ids (:func:`subset_for`). None: images as stored.

    Raises:
        UsaidError: as :func:`load`.
    """
    longest_side = experiment["benchmarks"][benchmark].get("longest_side") if benchmark else None
    return load(name, experiment["data_root"], split, subset_for(experiment, name, split, benchmark), longest_side)


def subset_for(experiment: Mapping[str, Any], name: str, split: str, benchmark: str | None = None) -> str | None:
    """The list of ids that an experiment names for a split, or a benchmark of it for what it scores; None: all."""
    own: str | None = experiment["benchmarks"][benchmark].get("subset") if benchmark and split != "train" else None
    return own or experiment["subsets"].get(f"{name}/{split}")


@dataclass(frozen=True)
class SplitStatus:
    """How much of one official split is on disk.

    Attributes:
        name: the data set's name.
        split: the split's name.
        folder: where its images were looked for.
        found: images on disk that have their targets.
        official: images of the official split.
        problem: why the folder that is there cannot be read; empty if it can, or if there is none.
        cure: how to get what is missing; empty for a complete split.
    """

    name: str
    split: str
    folder: Path
    found: int
    official: int
    problem: str
    cure: str

    @property
    def complete(self) -> bool:
        """Whether the official split is on disk, no more and no less."""
        return self.found == self.official


def status(data_root: str | Path) -> list[SplitStatus]:
    """Count the images of every split of every data set below a folder, without decoding any."""
    root = Path(data_root)
    return [split_status(reader, root, split) for reader in DATASETS.values() for split in reader.official_counts]


def split_status(reader: type[Dataset], data_root: Path, split: str) -> SplitStatus:
    """Count the images of one split of a data set, without decoding any."""
    folder, official = data_root / reader.folders[split], reader.official_counts[split]
    found, problem = 0, ""
    if folder.is_dir():
        try:
            found = len(reader(data_root, split).ids_on_disk())
        except UsaidError as error:
            problem = str(error)
    cure = "" if found == official else cure_for(reader.name, data_root, split)
    return SplitStatus(reader.name, split, folder, found, official, problem, cure)


def cure_for(name: str, data_root: Path, split: str | None = None) -> str:
    """How to get a data set, or a split of it: the command that fetches it, or what to do by hand."""
    source = read_sources()[name]
    fetched = split is None or split in source.get("splits", [split])
    by_hand: str = source.get("by_hand", "") if fetched else source["other_splits"]
    return by_hand.replace("DATA_ROOT", str(data_root)) or f"usaid data fetch {name} --data-root {data_root}"


def format_status(rows: Sequence[SplitStatus]) -> str:
    """The result of :func:`status` as a table; below each data set its problems and the cure."""
    lines = [f"{'data set':<10} {'split':<6} {'found':>6} {'official':>8}  looked in"]
    for _, group in groupby(rows, key=lambda row: row.name):
        splits = list(group)
        lines += [f"{row.name:<10} {row.split:<6} {row.found:>6} {row.official:>8}  {row.folder}" for row in splits]
        lines += [f"    {row.problem}" for row in splits if row.problem]
        lines += [f"    -> {cure}" for cure in dict.fromkeys(row.cure for row in splits if row.cure)]
    return "\n".join(lines)


@cache
def read_sources() -> dict[str, Any]:
    """Where each data set and each set of weights comes from: ``sources.yaml``, which explains its keys."""
    content: dict[str, Any] = yaml.safe_load(files(__name__).joinpath("sources.yaml").read_text())
    return content
