"""DeepGlobe: GLNet's splits where all images are on disk, colours as class indices."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from kinds.readers import HEIGHT, WIDTH, ReaderTests, picture, refusal, save, save_text
from PIL import Image

from usaid.datasets.base import read_id_list
from usaid.datasets.deepglobe import CARD, SPLIT_LISTS, UNKNOWN, DeepGlobe, classes_of_colours

LAND = "deepglobe/land-train"
MASK = f"{LAND}/119_mask.png"


class TestDeepGlobe(ReaderTests):
    card = CARD
    split = "train"
    ids = ("119", "855")

    def write(self, root: Path) -> None:
        mask = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        mask[0], mask[1] = (3, 250, 130), (255, 255, 127)
        for number in (119, 855):
            save(root / LAND / f"{number}_sat.jpg", picture(number))
            save(root / LAND / f"{number}_mask.png", mask)

    def test_its_card_is_of_the_official_release(self) -> None:
        assert sum(CARD.splits.values()) == 803
        assert CARD.classes[UNKNOWN] == "unknown"
        assert CARD.left_out == ("unknown",)

    def test_its_card_names_the_lists_that_it_reads(self) -> None:
        assert [Path(place).name for place in CARD.package_data] == [path.name for path in SPLIT_LISTS.values()]

    def test_colours_are_binarised_at_128(self, root: Path) -> None:
        assert self.open(root)["119"].target[:3, 0].tolist() == [0, 1, UNKNOWN]

    def test_colours_of_the_challenge(self) -> None:
        colours = [[0, 255, 255], [255, 255, 0], [255, 0, 255], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0]]
        assert classes_of_colours(np.array([colours], dtype=np.uint8)).tolist() == [[0, 1, 2, 3, 4, 5, 6]]

    @pytest.mark.parametrize(
        ("pixels", "reason"),
        [
            (np.full((HEIGHT, WIDTH, 3), (255, 0, 0), np.uint8), "mask colour red (255, 0, 0) is no class; "),
            (np.zeros((HEIGHT, WIDTH), np.uint8), "mask has mode L, not RGB; "),
        ],
    )
    def test_labels_out_of_range_are_named(self, root: Path, pixels: np.ndarray, reason: str) -> None:
        save(root / MASK, pixels)
        assert refusal(lambda: self.open(root)["119"]).startswith(f"{root / MASK}: {reason}")

    def test_masks_that_were_saved_anew_with_16_bits_or_a_palette_are_refused(self, root: Path) -> None:
        """Pillow keeps the upper 8 of 16 bits: values of 0-255 would all be "unknown"."""
        with Image.open(root / MASK) as mask:
            rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.asarray(mask))
            mask.convert("P").save(root / MASK)
        assert "mask has mode P, not RGB" in refusal(lambda: self.open(root)["119"])
        header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
        chunks = [b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"]
        content = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
        (root / MASK).write_bytes(b"\x89PNG\r\n\x1a\n" + content)
        assert "mask has 16 bits a channel, not 8" in refusal(lambda: self.open(root)["119"])

    def test_a_suffix_in_capitals_is_the_same_suffix(self, root: Path) -> None:
        image = root / LAND / "855_sat.jpg"
        expected = self.open(root)["855"].image
        image.rename(image.with_suffix(".JPG"))
        (root / LAND / "._855_sat.jpg").write_bytes(b"Mac OS X")
        dataset = self.open(root)
        assert tuple(dataset.ids_on_disk()) == dataset.ids == self.ids
        assert np.array_equal(dataset["855"].image, expected)

    def test_splits_come_from_lists_where_there_are_any(self, root: Path) -> None:
        save_text(root / "deepglobe/val.txt", "855\n")
        assert DeepGlobe(root, "val").ids == ("855",)
        assert DeepGlobe(root, "train").ids == ("119", "855")

    def test_it_has_the_published_splits_where_all_images_are_on_disk(self, tmp_path: Path) -> None:
        lists = {split: read_id_list(path) for split, path in SPLIT_LISTS.items()}
        assert {split: len(set(ids)) for split, ids in lists.items()} == {"train": 454, "test": 142}
        assert not set(lists["train"]) & set(lists["test"])
        (tmp_path / LAND).mkdir(parents=True)
        for image_id in [*lists["train"], *lists["test"], *(str(n) for n in range(2_000_000, 2_000_207))]:
            (tmp_path / LAND / f"{image_id}_sat.jpg").touch()
        splits = {split: DeepGlobe(tmp_path, split).ids for split in CARD.splits}
        assert {split: len(ids) for split, ids in splits.items()} == CARD.splits
        assert len({image_id for ids in splits.values() for image_id in ids}) == 803
        assert set(splits["test"]) == set(lists["test"])
        (tmp_path / LAND / f"{lists['test'][0]}_sat.jpg").unlink()
        assert len(DeepGlobe(tmp_path, "val").ids) == 802
