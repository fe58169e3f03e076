"""Kodak: 24 uncompressed photographs without labels (Tables IV, VI, X)."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_image

CARD = DataSet(
    "kodak",
    "Kodak",
    reader="usaid.datasets.kodak:Kodak",
    splits={"all": 24},
    sources="usaid.datasets.sources:kodak.yaml",
    pixels=768 * 512,  # all of its images have this size
)
CARDS = (CARD,)


class Kodak(Dataset):
    """Reads ``kodak/kodim01.png`` to ``kodim24.png``, as many of them as are on disk.

    There is one split, ``"all"``; ``Sample.target`` is None. The paper's numbers are those of the full 768x512
    images: the 500x500 crops in circulation read 0.11 dB lower.

    Source: Kodak Lossless True Color Image Suite, r0k.us/graphics/kodak.
    """

    card = CARD
    folders: ClassVar[dict[str, str]] = {"all": "kodak"}
    official_sizes = ((768, 512), (512, 768))

    def find_ids(self) -> Sequence[str]:
        ids = [f"kodim{number:02d}" for number in range(1, self.n_official + 1)]
        return [image_id for image_id in ids if all(path.is_file() for path in self.files(image_id))]

    def files(self, image_id: str) -> tuple[Path, ...]:
        return (self.folder / f"{image_id}.png",)

    def read(self, image_id: str) -> Sample:
        (path,) = self.files(image_id)
        return Sample(image_id, read_image(path), None)
