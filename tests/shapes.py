"""A data set of a few small images in memory, for tests of what scores images."""

from collections.abc import Sequence

import numpy as np

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample

SHAPES = {"a": (8, 12), "b": (12, 8), "c": (8, 12), "d": (8, 12), "e": (4, 4)}
"""Image id -> height and width."""


class Shapes(Dataset):
    """Five grey images of three shapes; the target is the image's name."""

    card = DataSet("shapes", "Shapes", "shapes:Shapes", {"all": 5})

    def find_ids(self) -> Sequence[str]:
        return [*SHAPES]

    def read(self, image_id: str) -> Sample:
        return Sample(image_id, np.full((*SHAPES[image_id], 3), 128, np.uint8), image_id)
