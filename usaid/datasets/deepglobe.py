"""DeepGlobe Land Cover: satellite images with 7 classes of land (Table VII)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_id_list, read_image, read_mask
from usaid.errors import UsaidError

UNKNOWN = 6
"""Class index of pixels of no known land cover: a class of the masks, left out of the mean IoU."""

SPLIT_LISTS = {split: Path(__file__).parent / "deepglobe_split" / f"{split}.txt" for split in ("train", "test")}
"""Ids of two of GLNet's three splits, as its authors published them (VITA-Group/GLNet: ``train.txt``, 454 ids;
``crossvali.txt``, 142 ids, by its size the paper's test split)."""

_UNDEFINED = 255
_COLOURS = {
    "urban": (0, 255, 255),
    "agriculture": (255, 255, 0),
    "rangeland": (255, 0, 255),
    "forest": (0, 255, 0),
    "water": (0, 0, 255),
    "barren": (255, 255, 255),
    "unknown": (0, 0, 0),
}

CARD = DataSet(
    "deepglobe",
    "DeepGlobe",
    reader="usaid.datasets.deepglobe:DeepGlobe",
    splits={"train": 454, "val": 207, "test": 142},
    classes=tuple(_COLOURS),
    left_out=("unknown",),
    sources="usaid.datasets.sources:deepglobe.yaml",
    package_data=tuple(f"usaid.datasets:deepglobe_split/{path.name}" for path in SPLIT_LISTS.values()),
    pixels=2448 * 2448,  # all of its images have this size
)
CARDS = (CARD,)


class DeepGlobe(Dataset):
    """Reads the image and mask pairs of ``deepglobe/land-train``.

    ``Sample.target`` is the uint8 (H, W) mask of class indices 0-6 in the order of the card's ``classes``; 6 is
    "unknown". The colour channels of the stored masks are binarised at 128 first, as the challenge prescribes.

    The official validation masks were never released. The suite's splits are GLNet's 454/207/142 of the 803 training
    images: its authors published the ids of the 454 and of the 142 (``deepglobe_split/`` has them), and the 207 are
    the others. Your own ``deepglobe/{train,val,test}.txt``, one id a line, take precedence. **Where the published 596
    images are not all on disk and there are no such lists, each split holds every image**, and an experiment has to
    name a subset list for each to keep them apart.

    Source: Demir et al., "DeepGlobe 2018", CVPR Workshops 2018; splits: Chen et al., "Collaborative Global-Local
    Networks", CVPR 2019.
    """

    card = CARD
    folders: ClassVar[dict[str, str]] = dict.fromkeys(("train", "val", "test"), "deepglobe/land-train")

    def find_ids(self) -> Sequence[str]:
        images = (path for path in self.folder.glob("*_sat.*") if path.suffix.lower() == ".jpg")
        self._images = {path.stem.removesuffix("_sat"): path for path in images if not path.name.startswith("._")}
        own_list = self.folder.parent / f"{self.split}.txt"
        if own_list.is_file():
            return read_id_list(own_list)
        on_disk = sorted(self._images)
        published = {split: read_id_list(path) for split, path in SPLIT_LISTS.items()}
        named = {image_id for ids in published.values() for image_id in ids}
        if not named <= set(on_disk):
            return on_disk
        return published.get(self.split) or [image_id for image_id in on_disk if image_id not in named]

    def files(self, image_id: str) -> tuple[Path, ...]:
        image = self._images.get(image_id, self.folder / f"{image_id}_sat.jpg")
        return image, self.folder / f"{image_id}_mask.png"

    def read(self, image_id: str) -> Sample:
        image_path, mask_path = self.files(image_id)
        image = read_image(image_path)
        classes = classes_of_colours(read_mask(mask_path, image, modes=("RGB",)))
        if (classes == _UNDEFINED).any():
            raise UsaidError(f"{mask_path}: mask colour red (255, 0, 0) is no class; copy the official mask again")
        return Sample(image_id, image, classes)


def classes_of_colours(mask: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) mask colours -> uint8 (H, W) class indices, 255 where the colour is of no class."""
    return _CLASS_OF_CODE[_code(mask)]


def _code(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3), each channel binarised at 128, as the numbers 0-7 that their bits R, G, B spell."""
    return (colours >= 128) @ np.array([4, 2, 1])


_CLASS_OF_CODE = np.full(8, _UNDEFINED, dtype=np.uint8)
_CLASS_OF_CODE[_code(np.array(list(_COLOURS.values())))] = np.arange(len(_COLOURS))
