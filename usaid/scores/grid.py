"""The rows of one noise level as a grid of noise draws and images: which row stands where is found once."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class Grid:
    """Score rows of one denoiser and noise level, as it was told.

    Attributes:
        rows: columns ``image_id``, ``draw``, and one per metric; each image and draw once at most.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        self.rows = rows

    @cached_property
    def draws(self) -> tuple[int, ...]:
        """D noise draws, ascending."""
        return tuple(sorted(self.rows["draw"].unique().tolist()))

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Ids of N images, ascending."""
        return self._images_of_rows[0]

    @cached_property
    def image_set(self) -> frozenset[str]:
        """The images."""
        return frozenset(self.images)

    def values(self, column: str) -> np.ndarray:
        """A column of numbers: float64 (D, N), NaN where there is no row."""
        values = np.full((len(self.draws), len(self.images)), np.nan)
        values.ravel()[self._places] = self.rows[column].to_numpy(dtype=np.float64)
        return values

    @cached_property
    def _images_of_rows(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The images, ascending, and the index among them of each row's."""
        index, found = self.rows["image_id"].factorize()
        ids = [*map(str, found.tolist())]
        order = sorted(range(len(ids)), key=lambda place: ids[place])
        rank = np.empty(len(ids), dtype=np.int64)
        rank[order] = np.arange(len(ids))
        return tuple(ids[place] for place in order), rank[index]

    @cached_property
    def _places(self) -> np.ndarray:
        """Where each row stands in a flat grid."""
        draw = np.searchsorted(self.draws, self.rows["draw"].to_numpy())
        return draw * len(self.images) + self._images_of_rows[1]
