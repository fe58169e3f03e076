"""A part of a score file's images, which a job of its own works on: its name, where its rows are, which images.

Images are dealt out as they are denoised: in groups of one shape, which stay together. So the batches of all shards are
those of a job that works on all images, and a network that depends on its batch in the last bit gives the same bits.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from usaid.errors import UsaidError

FOLDER = "shards"
"""Beside the score files of a benchmark."""

ANY_SHARD = "[1-9][0-9]*-of-[1-9][0-9]*"
"""A regular expression for what shards are called."""


class Shard(NamedTuple):
    """Which part of the images.

    Attributes:
        number: from 1 to ``of``.
        of: how many parts there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}-of-{self.of}"

    @property
    def is_whole(self) -> bool:
        """Whether it is all images."""
        return self.of == 1


WHOLE = Shard(1, 1)
"""All images."""


def shard_of(text: str) -> Shard:
    """A shard by its name, ``"2-of-4"`` or ``"2/4"``.

    Raises:
        UsaidError: it is none.
    """
    match = re.fullmatch("([0-9]{1,6})(?:-of-|/)([0-9]{1,6})", text)
    number, of = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= of:
        raise UsaidError(f"shard {text!r}: must be i/n with i from 1 to n, as 2/4")
    return Shard(number, of)


def shards_of(number: int) -> list[Shard]:
    """All parts, if there are so many."""
    return [Shard(index + 1, number) for index in range(number)]


def file_of_shard(scores: Path, shard: Shard) -> Path:
    """Where the rows of a shard are kept of a score file; the score file itself, if the shard is all images."""
    return scores if shard.is_whole else scores.parent / FOLDER / scores.stem / f"{shard}{scores.suffix}"


def files_of_other_shards(file: Path, shard: Shard) -> list[Path]:
    """The files, there or not, whose rows may be some of a shard's: of the same scores, split into another number.

    Args:
        file: of the shard, as :func:`file_of_shard` names it; any other has no companions.
        shard: its own.
    """
    if shard.is_whole:
        whole, known = file, []
    else:
        whole = file.parent.parent.parent / f"{file.parent.name}{file.suffix}"
        known = [whole] if file_of_shard(whole, shard) == file else []
    folder = whole.parent / FOLDER / whole.stem
    names = sorted({path.name.partition(".")[0] for path in folder.glob("*-of-*")}) if shard.is_whole or known else []
    shards = [shard_of(name) for name in names if re.fullmatch(ANY_SHARD, name)]
    return [*known, *(file_of_shard(whole, other) for other in shards if other.of != shard.of)]


class HasPixels(Protocol):
    """An image of a known size."""

    @property
    def pixels(self) -> int: ...


T = TypeVar("T", bound=HasPixels)


def dealt(groups: Iterable[list[T]], shard: Shard) -> Iterator[tuple[int, list[T]]]:
    """The groups of images that are a shard's, with their numbers among all.

    Each group goes to the shard that has the fewest pixels so far: large images, which come in a row, are spread.

    Args:
        groups: all groups of a data set, in an order that is the same for all shards.
        shard: whose groups are wanted.
    """
    pixels = [0] * shard.of
    for number, group in enumerate(groups):
        least = pixels.index(min(pixels))
        pixels[least] += sum(image.pixels for image in group)
        if least == shard.number - 1:
            yield number, group
