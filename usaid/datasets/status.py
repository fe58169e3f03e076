"""What of each data set is on disk, and the cure for what is missing."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from usaid.cards import DataSet
from usaid.datasets.base import Dataset
from usaid.datasets.items import items_of, said, trust_in
from usaid.datasets.pins import Pins
from usaid.datasets.sources import source_of
from usaid.errors import UsaidError
from usaid.registries import DATASETS, load_object


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
    return [row for card in DATASETS.values() for row in status_of(card, root)]


def status_of(card: DataSet, data_root: Path) -> list[SplitStatus]:
    """Count the images of every split of one data set, without decoding any."""
    return [split_status(card, data_root, split) for split in card.splits]


def split_status(card: DataSet, data_root: Path, split: str) -> SplitStatus:
    """Count the images of one split of a data set, without decoding any."""
    folder, official = data_root, card.splits[split]
    found, problem = 0, ""
    try:
        reader: type[Dataset] = load_object(card.reader)
        folder = data_root / reader.folders[split]
        if folder.is_dir():
            found = len(reader(data_root, split).ids_on_disk())
    except UsaidError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{folder}: cannot be read ({error.strerror or error}); look at its permissions"
    cure = "" if found == official else cure_for(card.name, data_root, split)
    return SplitStatus(card.name, split, folder, found, official, problem, cure)


def cure_for(name: str, data_root: Path, split: str | None = None) -> str:
    """How to get a data set, or a split of it: the command that fetches it, or what to do by hand."""
    source = source_of(name)
    if not source:
        return f"nothing fetches it: put it below {data_root}, where its reader looks ({DATASETS[name].reader})"
    fetched = split is None or split in source.get("splits", [split])
    by_hand: str = source.get("by_hand", "") if fetched else source["other_splits"]
    return (
        by_hand.replace("DATA_ROOT", str(data_root))
        or f"usaid data fetch {name} --data-root {shlex.quote(str(data_root))}"
    )


def checks(data_root: Path, pins: Pins) -> dict[str, str]:
    """What vouches for the bytes of each data set, and its licence, by its name."""
    return {
        name: f"licence: {said(name, 'licence')}; checked by: {trust_in(items, data_root)}"
        for name in DATASETS
        for items in [[pins.of(item, data_root) for item in items_of(name)]]
    }


def format_status(rows: Sequence[SplitStatus], checked: Mapping[str, str] = MappingProxyType({})) -> str:
    """The result of :func:`status` as a table; below each data set its problems, what is said of it, and the cure.

    Args:
        rows: of the table.
        checked: what is said of a data set that is not complete, by name, as :func:`checks` has it.
    """
    lines = [f"{'data set':<10} {'split':<6} {'found':>6} {'official':>8}  looked in"]
    for name, group in groupby(rows, key=lambda row: row.name):
        splits = list(group)
        lines += [f"{row.name:<10} {row.split:<6} {row.found:>6} {row.official:>8}  {row.folder}" for row in splits]
        lines += [f"    {row.problem}" for row in splits if row.problem]
        cures = dict.fromkeys(row.cure for row in splits if row.cure)
        lines += [f"    {checked[name]}"] if cures and name in checked else []
        lines += [f"    -> {cure}" for cure in cures]
    return "\n".join(lines)
