"""Fetches data sets and weights from where their sources say, and puts them into their official places."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from usaid.datasets.archives import unpack
from usaid.datasets.mirrors import download
from usaid.datasets.sources import source_names, source_of
from usaid.datasets.status import cure_for, split_status, status_of
from usaid.errors import UsaidError
from usaid.registries import DATASETS


def fetchable_names() -> list[str]:
    """Names that :func:`fetch` takes: data sets that need no account, and weights."""
    return [name for name in source_names() if "by_hand" not in source_of(name)]


def fetch(name: str, data_root: str | Path) -> list[Path]:
    """Download what is missing of a data set or of a set of weights and put it into its official place.

    Archives stay in ``data_root/downloads``; nothing is deleted, and no file that is there is written over. What is on
    disk in full is not fetched again.

    Args:
        name: one of :func:`fetchable_names`.
        data_root: folder that holds, or will hold, the data sets' official folders.

    Returns:
        The archives and files that were asked for and are now there; empty if the data set was complete.

    Raises:
        UsaidError: unknown name, a data set that needs an account, no mirror that gives the right file, a damaged
            archive, other files in the place of its files, or a disk that cannot be written.
    """
    root = Path(data_root)
    if name not in (*DATASETS, *source_names()):
        raise UsaidError(f"{name}: nothing of this name can be fetched; one of {', '.join(fetchable_names())}")
    source = source_of(name)
    if not source or "by_hand" in source:
        raise UsaidError(f"{name}: {cure_for(name, root)}")
    if name in DATASETS and is_complete(name, root):
        return []
    files = [_download_entry(entry, root / entry["place_at"]) for entry in source.get("files", ())]
    return files + [_fetch_archive(entry, root) for entry in source.get("archives", ())]


def find_or_fetch(source: str, data_root: str | Path) -> dict[str, str]:
    """See that a data set or a set of weights is there; what nothing is there of is fetched first.

    Args:
        source: name of a data set, or one of :data:`usaid.datasets.sources.WEIGHTS`.
        data_root: as for :func:`fetch`.

    Returns:
        What there is of it: ``"<n> of <n>"`` by split, or ``"there"`` by name of each file of weights.

    Raises:
        UsaidError: as :func:`fetch`.
    """
    if source not in DATASETS:
        return {path.name: "there" for path in fetch(source, data_root)}
    card, root = DATASETS[source], Path(data_root)
    splits = status_of(card, root)
    if not any(row.found for row in splits):
        fetch(source, root)
        splits = status_of(card, root)
    return {row.split: f"{row.found} of {row.official}" for row in splits}


def is_complete(name: str, data_root: Path) -> bool:
    """Whether all official splits of a data set that its archives bring are on disk in full."""
    card = DATASETS[name]
    splits = source_of(name).get("splits", card.splits)
    return all(split_status(card, data_root, split).complete for split in splits)


def _fetch_archive(entry: dict[str, Any], root: Path) -> Path:
    name = urlsplit(entry["urls"][0]).path.rpartition("/")[2]
    if not re.fullmatch(r"[\w+-][\w.+-]*", name):
        raise UsaidError(
            f"{entry['urls'][0]}: the address must end in the archive's file name; name another in its source"
        )
    archive = _download_entry(entry, root / "downloads" / name)
    unpack(archive, root / entry["unpack_to"], entry.get("only"), entry.get("unpacked_at_most"))
    return archive


def _download_entry(entry: dict[str, Any], destination: Path) -> Path:
    return download(entry["urls"], destination, entry["sha256"], entry["size"], entry.get("at_most"))
