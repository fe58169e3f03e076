"""PASCAL VOC 2012 segmentation: 1,464 training and 1,449 validation images with 21 classes (Tables I, II, V, X)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_id_list, read_image, read_mask
from usaid.errors import UsaidError

VOID = 255
"""Mask value of object borders and of pixels that no annotator could tell: left out of every score."""

CARD = DataSet(
    "voc2012",
    "PASCAL VOC 2012",
    reader="usaid.datasets.voc2012:VOC2012",
    splits={"train": 1464, "val": 1449},
    classes=(
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
    sources="usaid.datasets.sources:voc2012.yaml",
    pixels=178_600,  # mean of 321 of the 1,449 images of val
)
CARDS = (CARD,)


def _colour(value: int) -> tuple[int, int, int]:
    """The release's colour of a mask value: its bits, spread from the top over R, G, B, R, ..."""
    channels = [0, 0, 0]
    for bit in range(8):
        channels[bit % 3] |= (value >> bit & 1) << (7 - bit // 3)
    return channels[0], channels[1], channels[2]


COLOURS = {value: _colour(value) for value in (*range(len(CARD.classes)), VOID)}
"""Of the classes and of void, in the masks' palette."""


class VOC2012(Dataset):
    """Reads ``VOCdevkit/VOC2012`` as the release unpacks it.

    The ids are those of the official list ``ImageSets/Segmentation/<split>.txt``, whether or not all images are on
    disk: an experiment on part of the images names a subset list. ``Sample.target`` is the uint8 (H, W) mask of
    palette indices, 0-20 in the order of the card's ``classes`` and 255 for void. A mask whose palette is in another
    order is read by its colours.

    Source: Everingham et al., "The PASCAL Visual Object Classes Challenge 2012", VOCtrainval_11-May-2012.tar.
    """

    card = CARD
    folders: ClassVar[dict[str, str]] = dict.fromkeys(("train", "val"), "VOCdevkit/VOC2012/JPEGImages")

    def find_ids(self) -> Sequence[str]:
        return read_id_list(self.folder.parent / "ImageSets" / "Segmentation" / f"{self.split}.txt")

    def files(self, image_id: str) -> tuple[Path, ...]:
        release = self.folder.parent
        return release / "JPEGImages" / f"{image_id}.jpg", release / "SegmentationClass" / f"{image_id}.png"

    def read(self, image_id: str) -> Sample:
        image_path, mask_path = self.files(image_id)
        image = read_image(image_path)
        mask = read_mask(mask_path, image, modes=("P", "L"), colours=COLOURS)
        unknown = mask[(mask >= len(self.card.classes)) & (mask != VOID)]
        if unknown.size:
            raise UsaidError(
                f"{mask_path}: mask value {unknown[0]} is neither a class (0-20) nor void (255); "
                "copy the official mask again"
            )
        return Sample(image_id, image, mask)
