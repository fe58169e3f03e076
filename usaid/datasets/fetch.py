"""Fetches data sets and weights from where their sources say, and puts them into their official places."""

import logging
import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from usaid.datasets.archives import unpack
from usaid.datasets.items import DOWNLOADS, Item, items_of, total
from usaid.datasets.locks import held_file
from usaid.datasets.meter import Meter
from usaid.datasets.mirrors import Conduct, Download, download
from usaid.datasets.pins import Pins, read_pins
from usaid.datasets.records import is_unfinished, record_download, record_end
from usaid.datasets.sources import is_fetchable, source_names, source_of
from usaid.datasets.status import cure_for, split_status, status_of
from usaid.datasets.transfers import Report
from usaid.errors import UsaidError
from usaid.registries import DATASETS

_log = logging.getLogger(__name__)


def fetchable_names() -> list[str]:
    """Names that :func:`fetch` takes: data sets that need no account, and weights."""
    return [name for name in source_names() if is_fetchable(name)]


def require_source(name: str) -> None:
    """See that a name is that of a data set or of weights.

    Raises:
        UsaidError: it is not.
    """
    if name not in (*DATASETS, *source_names()):
        raise UsaidError(f"{name}: nothing of this name can be fetched; one of {', '.join(fetchable_names())}")


def fetch(name: str, data_root: str | Path) -> list[Path]:
    """Download what is missing of a data set or of a set of weights and put it into its official place.

    Archives stay in ``data_root/downloads``, beside a record of what came from where; nothing is deleted, and no file
    that is there is written over. What is on disk in full is not fetched again.

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
    require_source(name)
    if not is_fetchable(name):
        raise UsaidError(f"{name}: {cure_for(name, root)}")
    items = missing_items(name, root, read_pins(root))
    if not items:
        return []
    left = {item: item.left(root) for item in items}
    meter = Meter(f"fetch {name}", total(left.values()))
    try:
        got = {item: bring(item, root, meter.of(item.place, left[item])) for item in items}
    finally:
        meter.close()
    record_end(name, root)
    return [download.path for download in got.values()]


def missing_items(name: str, root: Path, pins: Pins, splits: Collection[str] | None = None) -> tuple[Item, ...]:
    """The files and archives that are asked for where something of a source is missing; none if all is there.

    Args:
        name: of a data set that needs no account, or of weights.
        root: the data root.
        pins: hashes that a user vouches for.
        splits: those of the data set that are wanted; None: all that its archives bring.

    Raises:
        UsaidError: a pin that contradicts what is known.
    """
    if name in DATASETS and is_complete(name, root, splits):
        return ()
    return tuple(pins.of(item, root) for item in items_of(name, splits))


def find_or_fetch(source: str, data_root: str | Path) -> dict[str, str]:
    """See that a data set or a set of weights is there; what nothing is there of, or was begun, is fetched first.

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
    has_some = any(row.found for row in splits)
    if not has_some or is_unfinished(source, root):
        try:
            fetch(source, root)
        except UsaidError as error:
            if not has_some:
                raise
            _log.warning("%s; going on with what is there", error)
        splits = status_of(card, root)
    return {row.split: f"{row.found} of {row.official}" for row in splits}


def is_complete(name: str, data_root: Path, splits: Collection[str] | None = None) -> bool:
    """Whether splits of a data set are on disk in full: some, or all official ones that its archives bring."""
    card = DATASETS[name]
    wanted = source_of(name).get("splits", card.splits) if splits is None else splits
    return all(split_status(card, data_root, split).complete for split in wanted)


def bring(item: Item, root: Path, report: Report) -> Download:
    """Download a file or an archive to its place, while no other download asks the same host; unpack an archive.

    Args:
        item: what is wanted.
        root: the data root.
        report: is told where its bytes stand.

    Raises:
        UsaidError: as :func:`fetch`.
    """
    entry, conduct = item.entry, Conduct(partial(_turn, root), report)
    try:
        got = download(item.urls, root / item.place, item.sha256, item.size, entry.get("at_most"), conduct)
    except UsaidError as error:
        pinned = f"; its hash is pinned in {item.pinned_in}" if item.pinned_in else ""
        raise UsaidError(f"{error}{pinned}") from None
    if got.url is not None:
        record_download(item, got, root)
    if item.is_archive:
        unpack(got.path, root / entry["unpack_to"], entry.get("only"), entry.get("unpacked_at_most"))
    return got


def _turn(root: Path, url: str) -> AbstractContextManager[object]:
    """Be the only one below a data root that asks a host: of all threads and processes of a machine."""
    host = re.sub(r"[^\w.-]", "_", urlsplit(url).netloc.rpartition("@")[2])[:100]
    (root / DOWNLOADS).mkdir(parents=True, exist_ok=True)
    return held_file(root / DOWNLOADS / f".{host}.lock")
