"""ISIC 2018, Task 1: ids from the images on disk, masks of 0 and 1."""

from pathlib import Path

import numpy as np
import pytest
from kinds.readers import HEIGHT, WIDTH, ReaderTests, picture, refusal, save, save_text
from PIL import Image

from usaid.datasets.isic2018 import CARD

IMAGES, MASKS = "isic2018/ISIC2018_Task1-2_Training_Input", "isic2018/ISIC2018_Task1_Training_GroundTruth"
MASK = f"{MASKS}/ISIC_0000005_segmentation.png"


class TestISIC2018(ReaderTests):
    card = CARD
    split = "train"
    ids = ("ISIC_0000005", "ISIC_0000007")

    def write(self, root: Path) -> None:
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        mask[2:4] = 255
        for number in (7, 5):
            save(root / IMAGES / f"ISIC_000000{number}.jpg", picture(number))
            save(root / MASKS / f"ISIC_000000{number}_segmentation.png", mask)
        save_text(root / IMAGES / "LICENSE.txt", "CC-0")

    def test_its_card_is_of_the_official_release(self) -> None:
        assert sum(CARD.splits.values()) == 2594 + 100

    def test_masks_become_0_and_1(self, root: Path) -> None:
        assert self.open(root)["ISIC_0000005"].target[:, 0].tolist() == [0, 0, 1, 1, 0, 0]

    @pytest.mark.parametrize("value", [254, 1])
    def test_labels_out_of_range_are_named(self, root: Path, value: int) -> None:
        save(root / MASK, np.full((HEIGHT, WIDTH), value, np.uint8))
        message = refusal(lambda: self.open(root)["ISIC_0000005"])
        assert message.startswith(f"{root / MASK}: mask value {value} is neither 0 nor 255; ")

    def test_a_suffix_in_capitals_is_the_same_suffix(self, root: Path) -> None:
        image = root / IMAGES / "ISIC_0000007.jpg"
        expected = self.open(root)["ISIC_0000007"].image
        image.rename(image.with_suffix(".JPG"))
        (root / IMAGES / "._ISIC_0000007.jpg").write_bytes(b"Mac OS X")
        dataset = self.open(root)
        assert tuple(dataset.ids_on_disk()) == dataset.ids == self.ids
        assert np.array_equal(dataset["ISIC_0000007"].image, expected)

    @pytest.mark.parametrize("mode", ["P", "1", "I;16", "RGB", "LA"])
    def test_masks_that_were_saved_anew_in_another_mode_are_refused(self, root: Path, mode: str) -> None:
        with Image.open(root / MASK) as mask:
            other = Image.fromarray(np.asarray(mask).astype(np.uint16) * 257) if mode == "I;16" else mask.convert(mode)
        other.save(root / MASK)
        message = refusal(lambda: self.open(root)["ISIC_0000005"])
        assert message.startswith(f"{root / MASK}: mask has mode {mode}, not L; copy the official mask again")
