"""A data set: its card and its reader."""

from pathlib import Path
from typing import ClassVar

from usaid.cards import DataSet
from usaid.datasets.base import Dataset, Sample, read_image

CARD = DataSet("dots", "Dots", reader="added_data_set:Dots", splits={"train": 2, "test": 2})
CARDS = (CARD,)


class Dots(Dataset):
    """Reads ``dots/<split>/*.png``."""

    card = CARD
    folders: ClassVar[dict[str, str]] = {"train": "dots/train", "test": "dots/test"}

    def find_ids(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.png"))

    def files(self, image_id: str) -> tuple[Path, ...]:
        return (self.folder / f"{image_id}.png",)

    def read(self, image_id: str) -> Sample:
        return Sample(image_id, read_image(self.files(image_id)[0]), target=None)
