"""What a source consists of: its files and archives, where they are put, what is still to come, and what vouches."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from usaid.datasets.mirrors import part_of, recorded_sha256
from usaid.datasets.sources import source_of
from usaid.errors import UsaidError

DOWNLOADS = "downloads"
"""Folder of archives, below the data root."""

NONE_GIVEN = "none given"
"""What is said of a licence or a citation that a source does not name."""

WHOLE_HASH = "known SHA-256"
FIRST_DIGITS = "first digits of its SHA-256, in its publisher's file name"
FIRST_USE = "trust on first use: its publisher gives no hash"
RECORDED = "trust on first use: the hash of the first download is recorded"
PINNED = "pinned by you"
BY_HAND = "trust in whoever placed it: no hash is known"


@dataclass(frozen=True)
class Item:
    """A file or an archive of a source.

    Attributes:
        source: name of the data set or of the weights.
        urls: mirrors.
        place: where its bytes are put, below the data root: ``"downloads/x.tar"``, ``"kodak/kodim01.png"``.
        sha256: of the whole file, or its first digits; None: none is known.
        size: in bytes; None: unknown.
        entry: the source's own keys of it.
        pinned_in: file and line where a user vouches for ``sha256``; empty: nobody does.
    """

    source: str
    urls: tuple[str, ...]
    place: str
    sha256: str | None
    size: int | None
    entry: dict[str, Any] = field(compare=False)
    pinned_in: str = ""

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked."""
        return "unpack_to" in self.entry

    @property
    def host(self) -> str:
        """The host of its first mirror."""
        return urlsplit(self.urls[0]).netloc

    def left(self, root: Path) -> int | None:
        """Bytes that are still to come, about as many where its size is not known; None: nobody says."""
        if (root / self.place).is_file():
            return 0
        size, part = self.size or self.entry.get("about"), part_of(root / self.place)
        return None if size is None else max(0, size - (part.stat().st_size if part.is_file() else 0))

    def trust(self, root: Path) -> str:
        """What vouches for its bytes."""
        if self.pinned_in:
            return f"{PINNED} ({self.pinned_in})"
        if self.sha256 is not None:
            return WHOLE_HASH if len(self.sha256) == 64 else FIRST_DIGITS
        return FIRST_USE if recorded_sha256(root / self.place) is None else RECORDED


def items_of(name: str, splits: Collection[str] | None = None) -> tuple[Item, ...]:
    """The files and archives of a source, those that some splits need alone.

    Args:
        name: of a data set or of weights.
        splits: of the data set; None: all.

    Raises:
        UsaidError: the source cannot be read, or an archive's address ends in no file name.
    """
    source = source_of(name)
    entries = [*source.get("files", ()), *source.get("archives", ())]
    wanted = [e for e in entries if splits is None or "splits" not in e or set(e["splits"]) & set(splits)]
    return tuple(
        Item(name, tuple(entry["urls"]), _place_of(entry), entry["sha256"], entry["size"], entry) for entry in wanted
    )


def _place_of(entry: dict[str, Any]) -> str:
    if "place_at" in entry:
        return str(entry["place_at"])
    file = urlsplit(entry["urls"][0]).path.rpartition("/")[2]
    if not re.fullmatch(r"[\w+-][\w.+-]*", file):
        raise UsaidError(
            f"{entry['urls'][0]}: the address must end in the archive's file name; name another in its source"
        )
    return f"{DOWNLOADS}/{file}"


def total(sizes: Collection[int | None]) -> int | None:
    """Their sum; None if one of them is not known."""
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def said(name: str, key: Literal["licence", "citation"]) -> str:
    """What a source says of licence or citation."""
    return str(source_of(name).get(key) or NONE_GIVEN)


def trust_in(items: Iterable[Item], root: Path) -> str:
    """What vouches for some items: each kind once."""
    return "; ".join(dict.fromkeys(item.trust(root) for item in items)) or BY_HAND


def shown_size(size: int | None) -> str:
    """A number of bytes as people read it: ``"2.0 GB"``."""
    if size is None:
        return "an unknown number of bytes"
    if size < 1000:
        return f"{size} bytes"
    value, unit = next((size / 1000**n, u) for n, u in ((3, "GB"), (2, "MB"), (1, "kB")) if size >= 1000**n)
    return f"{value:.1f} {unit}"
