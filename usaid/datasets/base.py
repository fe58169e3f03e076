"""What every data set reader offers: ids in order, and (id, image, target) for each."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from usaid.cards import DataSet
from usaid.errors import UsaidError
from usaid.files import text_of_file
from usaid.images import open_image, read_rgb
from usaid.suite_files import or_of_suite

_CURE = "see `usaid data status`, or name a subset list of the ids that are on disk"


@dataclass(frozen=True)
class Sample:
    """One image of a data set.

    Attributes:
        id: the data set's own name of the image, without folder or suffix.
        image: uint8 (H, W, 3), RGB.
        target: what a judge compares with; its type is the reader's (mask, class index, boxes, or None).
    """

    id: str
    image: np.ndarray
    target: Any


class View(Protocol):
    """What is made of a stored image and its target before noise is added; see :mod:`usaid.datasets.views`."""

    @property
    def record(self) -> dict[str, Any]:
        """What it does, JSON-able, for score files."""
        ...

    def pixels(self, stored: float) -> float:
        """How many pixels it makes of an image of ``stored`` pixels, about."""
        ...

    def __call__(self, sample: Sample) -> Sample:
        """The sample that is scored.

        Raises:
            UsaidError: the target cannot follow what is done to the image.
        """
        ...


class Dataset(ABC):
    """One split of a data set on disk, in its official layout below ``data_root``.

    Attributes:
        card: name, title, official splits and classes.
        folders: where each split's images lie, below ``data_root``.
        view: what is made of stored images; None: nothing.
        official_sizes: (width, height) of the official images, in pixels; empty: they have many.
    """

    card: ClassVar[DataSet]
    folders: ClassVar[dict[str, str]]

    view: View | None = None
    official_sizes: ClassVar[tuple[tuple[int, int], ...]] = ()

    def __init__(self, data_root: str | Path, split: str, subset: str | Path | None = None) -> None:
        """Find the ids of a split.

        Args:
            data_root: folder that holds the data set's official folder.
            split: one of the card's ``splits``.
            subset: text file with one id a line (below ``data_root``, else below the working folder, or absolute);
                None: the whole split.

        Raises:
            UsaidError: unknown split, split list or subset list missing, or a listed id that the split lacks.
        """
        self.data_root = Path(data_root)
        if split not in self.card.splits:
            raise UsaidError(f"{self.name}: no split {split!r}; one of {', '.join(self.card.splits)}")
        self.split = split
        self.subset = str(subset) if subset is not None else None
        ids = self.find_ids()
        if subset is not None:
            below_root = self.data_root / subset
            ids = self.choose(ids, read_id_list(below_root if below_root.is_file() else or_of_suite(subset)))
        self.ids: tuple[str, ...] = tuple(ids)
        if not self.ids:
            raise UsaidError(
                f"{self.name}: split {split!r} has no image below {self.data_root}; how to get it says "
                f"`usaid data status --data-root {self.data_root}`"
            )

    @property
    def name(self) -> str:
        """The data set's name in experiments and in the noise's key, e.g. ``"voc2012"``."""
        return self.card.name

    @property
    def folder(self) -> Path:
        """Folder that holds the split's images."""
        return self.data_root / self.folders[self.split]

    @property
    def n_official(self) -> int:
        """Number of images of the official split: the second number of "n = ... of ..."."""
        return self.card.splits[self.split]

    @abstractmethod
    def find_ids(self) -> Sequence[str]:
        """Ids of the whole split, in official order, as far as lists or folders on disk tell."""

    @abstractmethod
    def read(self, image_id: str) -> Sample:
        """Decode one image and its target, in the size in which they are stored; several threads may ask at once.

        Raises:
            UsaidError: missing or undecodable file, mask of another size than the image, label out of range.
        """

    def __getitem__(self, image_id: str) -> Sample:
        """One image and its target, as the ``view`` shows them.

        Raises:
            UsaidError: as :meth:`read`, or a target that cannot follow its image.
        """
        sample = self.read(image_id)
        return sample if self.view is None else self.view(sample)

    def files(self, image_id: str) -> tuple[Path, ...]:
        """Files that hold one image and then its target; none where a file that ``find_ids`` reads holds them all."""
        return ()

    def ids_on_disk(self) -> list[str]:
        """Those of ``ids`` whose image and target files exist; nothing is decoded."""
        return [image_id for image_id in self.ids if all(path.is_file() for path in self.files(image_id))]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Sample]:
        return (self[image_id] for image_id in self.ids)

    def choose(self, ids: Sequence[str], wanted: Sequence[str]) -> list[str]:
        """The ids of ``wanted``, in the order of the split."""
        unknown = sorted(set(wanted) - set(ids))
        if unknown:
            raise UsaidError(f"{self.subset}: id {unknown[0]!r} is not in split {self.split!r} of {self.name}")
        chosen = set(wanted)
        return [image_id for image_id in ids if image_id in chosen]


def read_id_list(path: Path) -> list[str]:
    """Ids of a text file with one id a line, in UTF-8 or with a byte order mark; blank lines are skipped.

    Raises:
        UsaidError: the list is missing, empty, no text, in another encoding, or names an id twice.
    """
    try:
        text = text_of_file(path)
    except FileNotFoundError:
        raise UsaidError(f"{path}: list of ids is missing; put it there or correct the key that names it") from None
    except UsaidError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise UsaidError(f"{path}: list of ids cannot be read: {reason}") from None
    if "\0" in text:
        raise UsaidError(f"{path}: list of ids cannot be read: it holds NUL characters; save it as UTF-8")
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        image_id = line.strip()
        first = lines.setdefault(image_id, number) if image_id else number
        if first != number:
            raise UsaidError(f"{path}: line {number} repeats id {image_id!r} of line {first}; remove one of the two")
    if not lines:
        raise UsaidError(f"{path}: list of ids is empty; put one id a line there")
    return list(lines)


def read_image(path: Path) -> np.ndarray:
    """Decode an image of a data set to uint8 (H, W, 3), RGB.

    Raises:
        UsaidError: the file is missing or does not decode.
    """
    require_file(path, _CURE)
    return read_rgb(path)


def read_mask(
    path: Path, image: np.ndarray, modes: Collection[str], colours: Mapping[int, tuple[int, int, int]] | None = None
) -> np.ndarray:
    """Decode the mask of an image without converting its values: palette indices stay indices.

    Args:
        path: mask file.
        image: (H, W, 3), the image that the mask labels.
        modes: Pillow modes that the data set's masks are stored in, e.g. ``("P", "L")``.
        colours: official colour of each value of a palette mask. Programs that save images anew may put the palette in
            another order, and the indices with it: such a mask is read by its colours. None: the indices count.

    Returns:
        uint8 (H, W), or (H, W, 3) for mode ``"RGB"``.

    Raises:
        UsaidError: missing or undecodable file, another mode or depth, a colour that is not official, or another size
            than the image.
    """
    require_file(path, _CURE)
    mask = open_image(path)
    if mask.mode not in modes:
        raise UsaidError(f"{path}: mask has mode {mask.mode}, not {' or '.join(modes)}; copy the official mask again")
    if mask.mode != "P" and (bits := _png_bits(path)) not in (None, 8):
        raise UsaidError(f"{path}: mask has {bits} bits a channel, not 8; copy the official mask again")
    height, width = image.shape[:2]
    if mask.size != (width, height):
        raise UsaidError(
            f"{path}: mask is {mask.width}x{mask.height} pixels, its image {width}x{height}; copy both from one release"
        )
    values = np.array(mask)
    return values if mask.mode != "P" or colours is None else _by_colour(path, values, mask.getpalette() or [], colours)


def _by_colour(
    path: Path, indices: np.ndarray, palette: list[int], colours: Mapping[int, tuple[int, int, int]]
) -> np.ndarray:
    """Palette indices as the official values of their colours; as they are where the palette is the official one."""
    value_of = {colour: value for value, colour in colours.items()}
    table = np.arange(256, dtype=np.uint8)
    for index in np.flatnonzero(np.bincount(indices.ravel(), minlength=256)).tolist():
        colour = tuple(palette[3 * index : 3 * index + 3])
        if colours.get(index) == colour:
            continue
        if colour not in value_of:
            shown = f"colour {colour}" if len(colour) == 3 else "no colour"
            reason = f"mask value {index} has {shown} in its palette, which is no class's"
            raise UsaidError(f"{path}: {reason}; copy the official mask again")
        table[index] = value_of[colour]
    return table[indices]


def _png_bits(path: Path) -> int | None:
    """Bits a channel of a PNG file: Pillow scales what is not 8 without a word. None: another format."""
    with open(path, "rb") as file:
        header = file.read(25)
    return header[24] if header.startswith(b"\x89PNG") else None


def require_file(path: Path, cure: str) -> None:
    """Raise a UsaidError that names a missing file of a data set and says how to go on."""
    if not path.is_file():
        raise UsaidError(f"{path}: missing; {cure}")
