"""MS COCO 2017: photographs with boxes of 80 kinds of objects; its 5,000 for validation are judged (Table IX)."""

import json
import textwrap
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_image, require_file
from usaid.errors import UsaidError


@dataclass(frozen=True)
class Instance:
    """One annotated object.

    Attributes:
        category_id: COCO's own number of the category: 80 of the numbers 1-90.
        bbox: x, y of the upper left corner, width, height, in pixels.
        iscrowd: the box holds a group that detections are not held against.
        area: of the object's outline, in square pixels; COCO's small, medium and large.
    """

    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: bool
    area: float


CARD = DataSet(
    "coco",
    "MS COCO",
    reader="usaid.datasets.coco:COCO",
    splits={"train": 118_287, "val": 5000},
    sources="usaid.datasets.sources:coco.yaml",
    pixels=275_300,  # mean of the sizes that instances_val2017.json gives for 177 of the 5,000 images
)
CARDS = (CARD,)


class COCO(Dataset):
    """Reads ``coco/{train,val}2017`` and ``coco/annotations/instances_{train,val}2017.json``.

    An id is the image's integer id as text, e.g. ``"139"`` for ``000000000139.jpg``; ids are those of the annotation
    file, sorted as integers, whether or not all images are on disk. ``Sample.target`` is a list of
    :class:`Instance`, empty for an image without objects.

    Attributes:
        annotation_file: path of the JSON file, for evaluators that read it themselves.
        categories: name of each category id.

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, cocodataset.org.
    """

    card = CARD
    folders: ClassVar[dict[str, str]] = {"train": "coco/train2017", "val": "coco/val2017"}

    def find_ids(self) -> Sequence[str]:
        self.annotation_file = self.data_root / "coco" / "annotations" / f"instances_{self.split}2017.json"
        content = _read_json(self.annotation_file)
        self.categories: dict[int, str] = {}
        for entry in self._entries(content, "categories"):
            self.categories[entry.new_id(self.categories)] = entry.text("name")
        self._sizes: dict[str, tuple[int, int]] = {}
        numbers: set[int] = set()
        for entry in self._entries(content, "images"):
            numbers.add(number := entry.new_id(numbers))
            self._sizes[str(number)] = entry.integer("width", least=1), entry.integer("height", least=1)
        self._instances: dict[str, list[Instance]] = {image_id: [] for image_id in self._sizes}
        seen: set[int] = set()
        for entry in self._entries(content, "annotations"):
            seen.add(entry.new_id(seen))
            self._add(entry)
        return [str(number) for number in sorted(numbers)]

    def files(self, image_id: str) -> tuple[Path, ...]:
        return (self.folder / f"{int(image_id):012d}.jpg",)

    def read(self, image_id: str) -> Sample:
        if image_id not in self._sizes:
            raise UsaidError(f"{self.annotation_file}: names no image {image_id!r}; ids read like {self.ids[0]!r}")
        (path,) = self.files(image_id)
        image = read_image(path)
        (width, height), (rows, columns) = self._sizes[image_id], image.shape[:2]
        if (columns, rows) != (width, height):
            raise UsaidError(
                f"{path}: image is {columns}x{rows} pixels, its boxes were drawn on {width}x{height}; "
                "copy the official image again"
            )
        return Sample(image_id, image, list(self._instances[image_id]))

    def _entries(self, content: Any, key: str) -> "Iterator[_Entry]":
        """The entries of one of the file's lists, each with its name for errors."""
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise UsaidError(f"{self.annotation_file}: holds no list {key!r}; {_CURE}")
        return (_Entry(f"{self.annotation_file}: {key}[{number}]", entry) for number, entry in enumerate(entries))

    def _add(self, annotation: "_Entry") -> None:
        """Check one annotation of the file and keep what detection needs of it."""
        image_id, category_id = str(annotation.integer("image_id")), annotation.integer("category_id")
        if image_id not in self._instances:
            raise annotation.error("image_id", "which the file does not list among its images")
        if category_id not in self.categories:
            raise annotation.error("category_id", "which the file does not list among its categories")
        crowd, area = annotation.integer("iscrowd", least=0), annotation.number("area")
        if crowd > 1:
            raise annotation.error("iscrowd", "neither 0 nor 1")
        if area < 0:
            raise annotation.error("area", "no area")
        box = annotation.box(*self._sizes[image_id])
        self._instances[image_id].append(Instance(category_id, box, crowd == 1, area))


_CURE = "fetch coco again, or correct the file"


class _Entry:
    """One entry of a list of the annotation file. A number that is written as text, say, would match no other."""

    def __init__(self, where: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise UsaidError(f"{where}: is {_shown(content)}, no object with keys; {_CURE}")
        self.where, self.content = where, content

    def error(self, key: str, complaint: str) -> UsaidError:
        """The error to raise about one key."""
        return UsaidError(f"{self.where}: {key} is {_shown(self.content[key])}, {complaint}; {_CURE}")

    def value(self, key: str) -> Any:
        if key not in self.content:
            raise UsaidError(f"{self.where}: has no {key!r}; {_CURE}")
        return self.content[key]

    def integer(self, key: str, least: int | None = None) -> int:
        """A whole number: no text, no 1.0, no true."""
        value = self.value(key)
        if type(value) is not int or (least is not None and value < least):
            raise self.error(key, "not an integer" + ("" if least is None else f" from {least} on"))
        return value

    def new_id(self, known: Container[int]) -> int:
        """The entry's own number, which no entry before it has."""
        if (number := self.integer("id", least=0)) in known:
            raise self.error("id", "which an entry before it has, too")
        return number

    def text(self, key: str) -> str:
        if not isinstance(value := self.value(key), str):
            raise self.error(key, "not text")
        return value

    def number(self, key: str) -> float:
        if (number := _as_number(self.value(key))) is None:
            raise self.error(key, "not a finite number")
        return number

    def box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The entry's box, which has to lie in an image of this size, at least with a part of it."""
        value = self.value("bbox")
        numbers = [_as_number(number) for number in value] if isinstance(value, list) else []
        if len(numbers) != 4 or None in numbers:
            raise self.error("bbox", "not four finite numbers (x, y, width, height)")
        left, top, across, down = (number or 0.0 for number in numbers)
        if across < 0 or down < 0:
            raise self.error("bbox", "an impossible box: its width or height is negative")
        if left > width or top > height or left + across < 0 or top + down < 0:
            raise self.error("bbox", f"an impossible box: it lies outside of its image of {width}x{height} pixels")
        return left, top, across, down


def _as_number(value: Any) -> float | None:
    """A finite number as such; None for anything else (true is no number here)."""
    if type(value) not in (int, float) or not abs(value) < 1e300:
        return None
    return float(value)


def _shown(value: Any) -> str:
    return textwrap.shorten(json.dumps(value), 60, placeholder=" ...") or "..."


def _read_json(path: Path) -> Any:
    """Parse a JSON file, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        UsaidError: it is missing or damaged.
    """
    require_file(path, "`usaid data status` says how to get it")
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UsaidError(f"{path}: cannot be read ({error.strerror}); make it a readable file") from None
    except UnicodeDecodeError as error:
        raise UsaidError(f"{path}: is not JSON in UTF-8 (byte {error.start}); save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise UsaidError(f"{path}: is not JSON ({error}); fetch coco again") from None
