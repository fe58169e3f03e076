"""ISIC 2018 Task 1: skin lesions and their outlines, 2,594 training and 100 validation images (Table VII)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_image, read_mask
from usaid.errors import UsaidError

CARD = DataSet(
    "isic2018",
    "ISIC 2018",
    reader="usaid.datasets.isic2018:ISIC2018",
    splits={"train": 2594, "val": 100},
    classes=("background", "lesion"),
    sources="usaid.datasets.sources:isic2018.yaml",
    pixels=512
    * 384,  # as config/paper.yaml scores them, with a longest side of 512; most are 4:3, and larger as released
)
CARDS = (CARD,)


class ISIC2018(Dataset):
    """Reads the four folders of ``isic2018`` as the challenge's archives unpack them.

    The ids are those of the JPEG files on disk (``.jpg`` or ``.JPG``), sorted. ``Sample.target`` is the uint8
    (H, W) mask, 1 on the lesion and 0 elsewhere (stored as 255 and 0).

    Source: Codella et al., "Skin Lesion Analysis Toward Melanoma Detection 2018", challenge.isic-archive.com.
    """

    card = CARD
    folders: ClassVar[dict[str, str]] = {
        "train": "isic2018/ISIC2018_Task1-2_Training_Input",
        "val": "isic2018/ISIC2018_Task1-2_Validation_Input",
    }
    mask_folders: ClassVar[dict[str, str]] = {
        "train": "isic2018/ISIC2018_Task1_Training_GroundTruth",
        "val": "isic2018/ISIC2018_Task1_Validation_GroundTruth",
    }

    def find_ids(self) -> Sequence[str]:
        self._images = {path.stem: path for path in sorted(self.folder.glob("ISIC_*")) if path.suffix.lower() == ".jpg"}
        return sorted(self._images)

    def files(self, image_id: str) -> tuple[Path, ...]:
        masks = self.data_root / self.mask_folders[self.split]
        return self._images.get(image_id, self.folder / f"{image_id}.jpg"), masks / f"{image_id}_segmentation.png"

    def read(self, image_id: str) -> Sample:
        image_path, mask_path = self.files(image_id)
        image = read_image(image_path)
        mask = read_mask(mask_path, image, modes=("L",))
        unknown = mask[(mask != 0) & (mask != 255)]
        if unknown.size:
            raise UsaidError(f"{mask_path}: mask value {unknown[0]} is neither 0 nor 255; copy the official mask again")
        return Sample(image_id, image, (mask == 255).astype(np.uint8))
