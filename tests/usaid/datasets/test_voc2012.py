"""PASCAL VOC 2012: ids from the official lists, masks as palette indices."""

from pathlib import Path

import numpy as np
import pytest
from kinds.readers import HEIGHT, WIDTH, ReaderTests, picture, refusal, save, save_text

from usaid.datasets.voc2012 import CARD, VOID

RELEASE = "VOCdevkit/VOC2012"
MASK = f"{RELEASE}/SegmentationClass/2007_000001.png"


class TestVOC2012(ReaderTests):
    card = CARD
    split = "train"
    ids = ("2007_000002", "2007_000001", "2007_000003")
    not_on_disk = ("2007_000003",)
    void = (VOID,)

    def write(self, root: Path) -> None:
        save_text(root / RELEASE / "ImageSets/Segmentation/train.txt", "\n".join(self.ids) + "\n")
        save_text(root / RELEASE / "ImageSets/Segmentation/val.txt", "2007_000009\n")
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        mask[0], mask[1] = 20, VOID
        for number in (1, 2):
            save(root / RELEASE / f"JPEGImages/2007_00000{number}.jpg", picture(number))
            save(root / RELEASE / f"SegmentationClass/2007_00000{number}.png", mask, palette=True)

    def test_its_card_is_of_the_official_release(self) -> None:
        assert sum(CARD.splits.values()) == 1464 + 1449
        assert len(CARD.classes) == 21

    def test_masks_are_palette_indices(self, root: Path) -> None:
        assert self.open(root)["2007_000001"].target[:3, 0].tolist() == [20, VOID, 0]

    def test_an_image_that_is_listed_but_missing_has_two_cures(self, root: Path) -> None:
        message = refusal(lambda: self.open(root)["2007_000003"])
        assert "2007_000003.jpg: missing; see `usaid data status`, or name a subset list" in message

    @pytest.mark.parametrize(
        ("pixels", "reason"),
        [
            (np.full((HEIGHT, WIDTH), 77, np.uint8), "mask value 77 is neither a class (0-20) nor void (255)"),
            (np.full((HEIGHT, WIDTH), 21, np.uint8), "mask value 21 is neither a class (0-20) nor void (255)"),
            (np.zeros((HEIGHT, WIDTH, 3), np.uint8), "mask has mode RGB, not P or L"),
        ],
    )
    def test_labels_out_of_range_are_named(self, root: Path, pixels: np.ndarray, reason: str) -> None:
        save(root / MASK, pixels)
        assert refusal(lambda: self.open(root)["2007_000001"]).startswith(f"{root / MASK}: {reason}")
