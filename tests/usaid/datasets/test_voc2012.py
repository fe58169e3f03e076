"""PASCAL VOC 2012: ids from the official lists, masks as palette indices."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from kinds.readers import HEIGHT, WIDTH, ReaderTests, picture, refusal, save, save_text
from PIL import Image

from usaid.datasets.voc2012 import CARD, VOID

RELEASE = "VOCdevkit/VOC2012"
MASK = f"{RELEASE}/SegmentationClass/2007_000001.png"

# Of the development kit (VOClabelcolormap): the colours that these tests use, in their places.
OFFICIAL = [0] * 768
for _value, _colour in {1: (128, 0, 0), 12: (64, 0, 128), 15: (192, 128, 128), 20: (0, 64, 128)}.items():
    OFFICIAL[3 * _value : 3 * _value + 3] = _colour
OFFICIAL[3 * VOID :] = (224, 224, 192)


def save_indices(path: Path, indices: np.ndarray, palette: list[int]) -> None:
    """Write a palette image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(indices)
    image.putpalette(palette)
    image.save(path)


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
            save_indices(root / RELEASE / f"SegmentationClass/2007_00000{number}.png", mask, OFFICIAL)

    def test_its_card_is_of_the_official_release(self) -> None:
        assert sum(CARD.splits.values()) == 1464 + 1449
        assert len(CARD.classes) == 21

    def test_masks_are_palette_indices(self, root: Path) -> None:
        assert self.open(root)["2007_000001"].target[:3, 0].tolist() == [20, VOID, 0]

    def test_a_palette_in_another_order_is_read_by_its_colours(self, root: Path) -> None:
        """As programs save a mask anew: only the colours that occur, the most frequent first."""
        values = np.zeros((HEIGHT, WIDTH), np.uint8)
        values[1], values[2], values[3, :4] = 12, 15, VOID
        save_indices(root / MASK, values, OFFICIAL)
        assert np.array_equal(self.open(root)["2007_000001"].target, values)
        order = [VOID, 15, 12, 0]
        indices = np.select([values == value for value in order], range(4)).astype(np.uint8)
        palette = [channel for value in order for channel in OFFICIAL[3 * value : 3 * value + 3]]
        save_indices(root / MASK, indices, palette)
        with Image.open(root / MASK) as image:
            assert np.unique(image).tolist() == [0, 1, 2, 3]
        assert np.array_equal(self.open(root)["2007_000001"].target, values)

    def test_a_colour_that_is_no_class_is_named(self, root: Path) -> None:
        grey = [value // 3 for value in range(768)]
        save_indices(root / MASK, np.full((HEIGHT, WIDTH), 3, np.uint8), grey)
        message = refusal(lambda: self.open(root)["2007_000001"])
        assert message.startswith(f"{root / MASK}: mask value 3 has colour (3, 3, 3) in its palette, which is no class")

    def test_grey_values_of_fewer_bits_are_refused(self, root: Path) -> None:
        """Pillow would multiply them: 1 of 4 bits would be class 17."""
        rows = b"".join(b"\0" + b"\x01" * (WIDTH // 2) for _ in range(HEIGHT))
        header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 0, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        (root / MASK).write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + b"".join(
                struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
                for kind, data in chunks
            )
        )
        assert "mask has 4 bits a channel, not 8" in refusal(lambda: self.open(root)["2007_000001"])

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
