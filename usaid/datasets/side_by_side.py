"""Fetches several sources at once: hosts side by side, of each host a file at a time; one that fails stops no other."""

import shutil
import threading
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path

from usaid.datasets.fetch import bring, missing_items
from usaid.datasets.items import Item, said, shown_size, total, trust_in
from usaid.datasets.meter import Meter, Stopped
from usaid.datasets.mirrors import Download
from usaid.datasets.pins import Pins
from usaid.datasets.records import record_end
from usaid.errors import UsaidError, one_line

Wanted = Mapping[str, Set[str] | None]
"""What is fetched: name of a source -> splits of it; None: all of it."""

GIVE_UP_AFTER = 2
"""Files of a source that fail at a host before the others of it are not asked for there."""


@dataclass
class Parcel:
    """What is fetched of a source, and what became of it.

    Attributes:
        source: its name.
        items: files and archives.
        got: those that came, or were there.
        failures: why others did not.
    """

    source: str
    items: tuple[Item, ...]
    got: dict[Item, Download] = field(default_factory=dict)
    failures: dict[Item, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return len(self.got) == len(self.items)

    @property
    def failure(self) -> str:
        """Why it did not come: its first failure, and how many more there are; empty if it came."""
        reasons = list(self.failures.values())
        more = f" (and {len(reasons) - 1} more of its files)" if len(reasons) > 1 else ""
        return f"{reasons[0]}{more}" if reasons else ""


def parcels_of(wanted: Wanted, root: Path, pins: Pins) -> list[Parcel]:
    """What has to be fetched of some sources; one of which all is there has no items.

    Raises:
        UsaidError: a pin that contradicts what is known, or a source that cannot be read.
    """
    return [Parcel(name, missing_items(name, root, pins, splits)) for name, splits in wanted.items()]


def described(parcels: Iterable[Parcel], root: Path) -> str:
    """What is going to be fetched: sizes, hosts, licences, citations, and what vouches for the bytes."""
    lines = []
    for parcel in parcels:
        if not parcel.items:
            lines.append(f"{parcel.source}: all there")
            continue
        left = total([item.left(root) for item in parcel.items])
        hosts = ", ".join(dict.fromkeys(item.host for item in parcel.items))
        files = f"{len(parcel.items)} file{'s' if len(parcel.items) > 1 else ''}"
        lines += [
            f"{parcel.source}: {files}, {shown_size(left)} to download, from {hosts}",
            f"    licence: {said(parcel.source, 'licence')}",
            f"    cite: {said(parcel.source, 'citation')}",
            f"    checked by: {trust_in(parcel.items, root)}",
        ]
    return "\n".join(lines)


def lack_of_room(parcels: Iterable[Parcel], root: Path) -> str:
    """A sentence if what is to come does not fit on the disk; archives need the room once more, unpacked."""
    known = [item.left(root) or 0 for parcel in parcels for item in parcel.items]
    there = next(folder for folder in (root.resolve(), *root.resolve().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if sum(known) <= free:
        return ""
    needed = f"{shown_size(sum(known))} are to come, {shown_size(free)} are free at {there}"
    return (
        f"{needed}; archives need the room once more when they are unpacked: free the disk or name another --data-root"
    )


def fetch_all(parcels: Iterable[Parcel], root: Path) -> None:
    """Fetch all parcels; each says afterwards what became of it.

    What is interrupted goes on where it was when it is asked for again.

    Args:
        parcels: changed in place.
        root: the data root.

    Raises:
        KeyboardInterrupt: the user's; all downloads have ended, or do so with the process.
    """
    queues: dict[str, list[tuple[Parcel, Item]]] = {}
    left: dict[Item, int | None] = {}
    for parcel in parcels:
        for item in parcel.items:
            queues.setdefault(item.host, []).append((parcel, item))
            left[item] = item.left(root)
    meter = Meter("fetch", total(left.values()))
    threads = [
        threading.Thread(target=_work, args=(queue, root, meter, left), daemon=True, name=f"fetch from {host}")
        for host, queue in queues.items()
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # not for ever: Ctrl-C has to get through
    except BaseException:
        meter.stop()
        for thread in threads:
            thread.join(1.0)
        raise
    finally:
        meter.close()


def _work(queue: list[tuple[Parcel, Item]], root: Path, meter: Meter, left: Mapping[Item, int | None]) -> None:
    """Fetch what a host has, a file after the other."""
    for parcel, item in queue:
        here = [reason for other, reason in parcel.failures.items() if other.host == item.host]
        if len(here) >= GIVE_UP_AFTER and not any(got.url for o, got in parcel.got.items() if o.host == item.host):
            parcel.failures[item] = f"not asked for: {item.host} gave none of the {len(here)} before"
            continue
        try:
            parcel.got[item] = bring(item, root, meter.of(item.place, left[item]))
            if parcel.is_whole:
                record_end(parcel.source, root)
        except Stopped:
            return
        except UsaidError as error:
            parcel.failures[item] = str(error)
        except Exception as error:  # a bug, or what no package foresaw: the others go on
            parcel.failures[item] = f"{item.place}: {one_line(error)}"


def summary(parcels: Iterable[Parcel], root: Path) -> str:
    """What came, where that is recorded, and what did not with its cure."""
    every = list(parcels)
    came = [parcel for parcel in every if parcel.items and parcel.is_whole]
    failed = [parcel for parcel in every if parcel.failure]
    lines = []
    if came:
        names = ", ".join(parcel.source for parcel in came)
        lines.append(f"fetched: {names} (sizes, hashes, licences and citations: {root}/downloads/<name>.json)")
    for parcel in failed:
        lines.append(f"failed: {parcel.source}: {parcel.failure}")
    if failed:
        lines.append("type the same again to go on where it was")
    return "\n".join(lines)
