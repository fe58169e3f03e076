"""COCO 2017: boxes from the annotation file, which is checked."""

import json
from pathlib import Path
from typing import Any

import pytest
from kinds.readers import HEIGHT, WIDTH, ReaderTests, picture, refusal, save, save_json, save_text

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
            ({"image_id": 140}, "image_id is 140, which the file does not list among its images"),
            ({"image_id": "139"}, 'image_id is "139", not an integer'),
            ({"category_id": 2}, "category_id is 2, which the file does not list among its categories"),
            ({"category_id": "90"}, 'category_id is "90", not an integer'),
            ({"category_id": 90.0}, "category_id is 90.0, not an integer"),
            ({"iscrowd": "0"}, 'iscrowd is "0", not an integer'),
            ({"iscrowd": False}, "iscrowd is false, not an integer"),
            ({"iscrowd": 0.0}, "iscrowd is 0.0, not an integer"),
            ({"iscrowd": 2}, "iscrowd is 2, neither 0 nor 1"),
            ({"iscrowd": None}, "iscrowd is null, not an integer"),
            ({"id": "5"}, 'id is "5", not an integer'),
            ({"id": True}, "id is true, not an integer"),
            ({"bbox": [0, 0, -1, 2]}, "bbox is .*, an impossible box: its width or height is negative"),
            ({"bbox": [0, 0, float("nan"), 2]}, "bbox is .*, not four finite numbers"),
            ({"bbox": [0, 0, 10**400, 2]}, "bbox is .*, not four finite numbers"),
            ({"bbox": [0, 0, "3", 2]}, "bbox is .*, not four finite numbers"),
            ({"bbox": [0, 0, True, 2]}, "bbox is .*, not four finite numbers"),
            ({"bbox": [0, 0, 1]}, "bbox is .*, not four finite numbers"),
            ({"bbox": "0 0 1 1"}, "bbox is .*, not four finite numbers"),
            ({"bbox": [WIDTH + 1, 0, 1, 1]}, "bbox is .*, an impossible box: it lies outside of its image of 8x6"),
            ({"area": None}, "area is null, not a finite number"),
            ({"area": "4.5"}, 'area is "4.5", not a finite number'),
            ({"area": float("inf")}, "area is Infinity, not a finite number"),
            ({"area": -1}, "area is -1, no area"),
        ],
    )
    def test_wrong_annotations_are_named(self, root: Path, change: dict[str, Any], reason: str) -> None:
        content = coco_content()
        content["annotations"][0] |= change
        save_json(root / ANNOTATIONS, content)
        with pytest.raises(UsaidError, match=rf"instances_val2017\.json: annotations\[0\]: {reason}"):
            self.open(root)

    @pytest.mark.parametrize(
        ("key", "number", "change", "reason"),
        [
            ("annotations", 1, {"id": 5}, "annotations[1]: id is 5, which an entry before it has"),
            ("images", 2, {"id": 139}, "images[2]: id is 139, which an entry before it has"),
            ("categories", 1, {"id": 1}, "categories[1]: id is 1, which an entry before it has"),
            ("categories", 0, {"id": "1"}, 'categories[0]: id is "1", not an integer'),
            ("categories", 0, {"name": None}, "categories[0]: name is null, not text"),
            ("images", 0, {"id": "1000"}, 'images[0]: id is "1000", not an integer'),
            ("images", 0, {"id": -1}, "images[0]: id is -1, not an integer from 0 on"),
            ("images", 0, {"width": 0}, "images[0]: width is 0, not an integer from 1 on"),
            ("images", 0, {"height": 6.0}, "images[0]: height is 6.0, not an integer"),
        ],
    )
    def test_entries_have_integers_and_ids_of_their_own(
        self, root: Path, key: str, number: int, change: dict[str, Any], reason: str
    ) -> None:
        content = coco_content()
        content[key][number] |= change
        save_json(root / ANNOTATIONS, content)
        assert reason in refusal(lambda: self.open(root))

    def test_keys_that_are_missing_and_entries_that_are_none_are_named(self, root: Path) -> None:
        for key in ("id", "image_id", "category_id", "bbox", "iscrowd", "area"):
            content = coco_content()
            del content["annotations"][1][key]
            save_json(root / ANNOTATIONS, content)
            assert f"annotations[1]: has no {key!r}" in refusal(lambda: self.open(root))
        save_json(root / ANNOTATIONS, coco_content() | {"images": [7]})
        assert "images[0]: is 7, no object" in refusal(lambda: self.open(root))

    def test_a_byte_order_mark_does_not_matter(self, root: Path) -> None:
        expected = [sample.target for sample in (self.open(root)[name] for name in ("139", "1000"))]
        for encoding in ("utf-8-sig", "utf-16"):
            (root / ANNOTATIONS).write_bytes(json.dumps(coco_content()).encode(encoding))
            assert [self.open(root)[name].target for name in ("139", "1000")] == expected
        (root / ANNOTATIONS).write_bytes(json.dumps({"name": "K\xe4se"}, ensure_ascii=False).encode("latin-1"))
        assert "save it as UTF-8" in refusal(lambda: self.open(root))
        save_text(root / ANNOTATIONS, "[" * 100_000)
        assert "is not JSON" in refusal(lambda: self.open(root))

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
