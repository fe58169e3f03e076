"""COCO 2017: boxes from the annotation file, which is checked."""

from pathlib import Path
from typing import Any

import pytest
from kinds.readers import HEIGHT, WIDTH, ReaderTests, picture, save, save_json, save_text

from usaid.datasets.base import Sample
from usaid.datasets.coco import CARD, COCO, Instance
from usaid.datasets.status import format_status, status_of
from usaid.errors import UsaidError

ANNOTATIONS = "coco/annotations/instances_val2017.json"


def coco_content() -> dict[str, Any]:
    return {
        "images": [{"id": number, "width": WIDTH, "height": HEIGHT} for number in (1000, 139, 285)],
        "categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}],
        "annotations": [
            {"id": 5, "image_id": 139, "category_id": 90, "bbox": [1, 2.5, 3, 2], "iscrowd": 0, "area": 4.5},
            {"id": 6, "image_id": 139, "category_id": 1, "bbox": [0, 0, 8, 6], "iscrowd": 1, "area": 48},
        ],
    }


class TestCOCO(ReaderTests):
    card = CARD
    split = "val"
    ids = ("139", "285", "1000")
    not_on_disk = ("285",)

    def write(self, root: Path) -> None:
        save_json(root / ANNOTATIONS, coco_content())
        for number in (139, 1000):
            save(root / f"coco/val2017/{number:012d}.jpg", picture(number))

    def check_target(self, sample: Sample) -> None:
        height, width = sample.image.shape[:2]
        assert isinstance(sample.target, list)
        for instance in sample.target:
            assert isinstance(instance, Instance)
            x, y, box_width, box_height = instance.bbox
            assert 0 <= x <= x + box_width <= width
            assert 0 <= y <= y + box_height <= height

    def test_its_card_is_of_the_official_release(self) -> None:
        assert sum(CARD.splits.values()) == 118_287 + 5000

    def test_targets_are_instances(self, root: Path) -> None:
        dataset = COCO(root, "val")
        assert dataset["139"].target == [
            Instance(category_id=90, bbox=(1.0, 2.5, 3.0, 2.0), iscrowd=False, area=4.5),
            Instance(category_id=1, bbox=(0.0, 0.0, 8.0, 6.0), iscrowd=True, area=48.0),
        ]
        assert dataset["1000"].target == []
        assert dataset.annotation_file == root / ANNOTATIONS
        assert dataset.categories == {1: "person", 90: "toothbrush"}

    def test_fetching_is_about_its_validation_split(self, root: Path) -> None:
        cures = {row.split: row.cure for row in status_of(CARD, root)}
        assert cures["val"] == f"usaid data fetch coco --data-root {root}"
        assert cures["train"].startswith("only training a detector needs it: unpack annotations_trainval2017.zip")
        assert cures["train"].endswith(f"{root}/coco")

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"image_id": 140}, "annotation 5 names image 140"),
            ({"category_id": 2}, "annotation 5 names category 2"),
            ({"bbox": [0, 0, -1, 2]}, "annotation 5 has the impossible box"),
            ({"bbox": [0, 0, float("nan"), 2]}, "annotation 5 has the impossible box"),
            ({"bbox": [0, 0, 1]}, "not a COCO instances file"),
            ({"area": None}, "not a COCO instances file"),
        ],
    )
    def test_wrong_annotations_are_named(self, root: Path, change: dict[str, Any], reason: str) -> None:
        content = coco_content()
        content["annotations"][0] |= change
        save_json(root / ANNOTATIONS, content)
        with pytest.raises(UsaidError, match=rf"instances_val2017\.json: {reason}"):
            self.open(root)

    @pytest.mark.parametrize("text", ['{"images": [', "[]", '{"images": []}'])
    def test_a_damaged_annotation_file_is_named(self, root: Path, text: str) -> None:
        save_text(root / ANNOTATIONS, text)
        with pytest.raises(UsaidError, match=r"instances_val2017\.json: .*fetch coco again"):
            self.open(root)

    def test_an_image_of_another_size_than_its_boxes_is_named(self, root: Path) -> None:
        save(root / "coco/val2017/000000000139.jpg", picture()[:4])
        with pytest.raises(UsaidError, match=r"139\.jpg: image is 8x4 pixels, its boxes were drawn on 8x6"):
            self.open(root)["139"]

    def test_status_tells_why_a_folder_cannot_be_read(self, root: Path) -> None:
        save_text(root / ANNOTATIONS, "{")
        assert f"{root / ANNOTATIONS}: is not JSON" in format_status(status_of(CARD, root))
