"""MS COCO 2017: photographs with boxes of 80 kinds of objects; its 5,000 for validation are judged (Table IX)."""

import json
import math
from collections.abc import Sequence
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
        try:
            self.categories: dict[int, str] = {entry["id"]: entry["name"] for entry in content["categories"]}
            self._sizes = {str(entry["id"]): (entry["width"], entry["height"]) for entry in content["images"]}
            self._instances: dict[str, list[Instance]] = {image_id: [] for image_id in self._sizes}
            for annotation in content["annotations"]:
                self._add(annotation)
            return sorted(self._sizes, key=int)
        except (KeyError, TypeError, ValueError) as error:
            raise UsaidError(
                f"{self.annotation_file}: not a COCO instances file ({error!r}); fetch coco again"
            ) from None

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

    def _add(self, annotation: dict[str, Any]) -> None:
        """Check one annotation of the file and keep what detection needs of it."""
        where = f"{self.annotation_file}: annotation {annotation['id']}"
        image_id, category_id = str(annotation["image_id"]), annotation["category_id"]
        x, y, width, height = (float(value) for value in annotation["bbox"])
        if image_id not in self._instances:
            raise UsaidError(f"{where} names image {image_id}, which the file does not list; fetch coco again")
        if category_id not in self.categories:
            raise UsaidError(f"{where} names category {category_id}, which the file does not list; fetch coco again")
        if not all(map(math.isfinite, (x, y, width, height))) or width < 0 or height < 0:
            raise UsaidError(f"{where} has the impossible box {annotation['bbox']}; fetch coco again")
        instance = Instance(category_id, (x, y, width, height), bool(annotation["iscrowd"]), float(annotation["area"]))
        self._instances[image_id].append(instance)


def _read_json(path: Path) -> Any:
    """Parse a JSON file; a UsaidError where it is missing or damaged."""
    require_file(path, "`usaid data status` says how to get it")
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise UsaidError(f"{path}: is not JSON ({error}); fetch coco again") from None
