"""Hashes that a user vouches for: ``DATA_ROOT/pins.sha256``, as ``sha256sum`` writes it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from usaid.datasets.items import Item, items_of
from usaid.datasets.mirrors import recorded_sha256
from usaid.datasets.sources import source_names
from usaid.errors import UsaidError
from usaid.files import text_of_file

NAME = "pins.sha256"
"""The file below the data root that is read unless another is named."""

_LONGEST = 1_000_000
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


@dataclass(frozen=True)
class Pins:
    """Hashes by the places of what they are of.

    Attributes:
        file: where they stand; None: there are none.
        lines: place below the data root, as :attr:`usaid.datasets.items.Item.place` has it -> (hash, its line).
    """

    file: Path | None = None
    lines: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def of(self, item: Item, data_root: Path) -> Item:
        """An item with the hash that is pinned for it, if one is.

        Raises:
            UsaidError: the hash is not that of its source, or not the recorded one of the first download.
        """
        if item.place not in self.lines:
            return item
        digest, number = self.lines[item.place]
        pinned = f"{self.file}: line {number}: pins {item.place} to {digest}"
        if item.sha256 is not None and not digest.startswith(item.sha256.lower()):
            raise UsaidError(f"{pinned}, but the suite knows {item.sha256} of it; delete the line, or correct it")
        recorded = recorded_sha256(data_root / item.place) if item.sha256 is None else None
        if recorded not in (None, digest):
            record = data_root / f"{item.place}.sha256"
            cure = f"correct the line, or delete {record} and the file to fetch it again"
            raise UsaidError(f"{pinned}, but the first download had {recorded} ({record}); {cure}")
        return replace(item, sha256=digest, pinned_in=f"{self.file}, line {number}")


def read_pins(data_root: Path, file: Path | None = None) -> Pins:
    """The pins of a data root.

    Args:
        data_root: below which the pinned files lie.
        file: where they stand; None: ``pins.sha256`` below ``data_root``, if it is there.

    Raises:
        UsaidError: a file that is named and not there, a line that is no hash with a path, a path that stands twice or
            that no source has.
    """
    path = data_root / NAME if file is None else file
    try:
        text = text_of_file(path, _LONGEST)
    except FileNotFoundError:
        if file is None:
            return Pins()
        raise UsaidError(f"{path}: is missing; it holds lines of sha256sum: <64 digits>  downloads/x.tar") from None
    known = {item.place for name in source_names() for item in items_of(name)}
    lines: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise UsaidError(f"{path}: line {number} is not '<64 hexadecimal digits>  <path below the data root>'")
        digest, place = match[1].lower(), match[2].removeprefix("./")
        if place not in known:
            raise UsaidError(f"{path}: line {number} pins {place!r}, which nothing is fetched to; correct or delete it")
        if place in lines:
            raise UsaidError(f"{path}: line {number} pins {place} again, after line {lines[place][1]}; delete one")
        lines[place] = digest, number
    return Pins(path, lines)
