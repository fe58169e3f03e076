"""What is denoised together: images of one shape, under as many conditions as there is room for."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from evaluators.judge import Judge
from evaluators.scoring.conditions import Condition
from evaluators.scoring.stage_clock import StageClock
from usaid.datasets.base import Sample
from usaid.scores.journal import Journal, row_key

PIXELS_PER_BATCH = {"cpu": 1 << 18, "cuda": 1 << 22}
"""Images of one shape are denoised together up to this many pixels (and at least one image)."""

WAITING = 16
"""Shapes of which a batch may wait to be filled: data sets have a few frequent shapes and many rare ones."""


def sha256_of_pixels(image: np.ndarray) -> str:
    """What rows know an image by: the hash of its decoded pixels, uint8 (H, W, 3)."""
    return hashlib.sha256(image.tobytes()).hexdigest()


@dataclass(frozen=True)
class HashedSample:
    """A sample with the SHA-256 of its pixels, by which journalled rows are recognised."""

    sample: Sample
    sha256: str

    @property
    def pixels(self) -> int:
        """Number of its pixels."""
        return self.sample.image.shape[0] * self.sample.image.shape[1]

    def row_name(self, condition: Condition, told: float | None) -> dict[str, Any]:
        """What its row of the score file is called under a condition."""
        return row_name(self.sample.id, self.sha256, condition, told)


def row_name(image_id: str, sha256: str, condition: Condition, told: float | None) -> dict[str, Any]:
    """The columns of a row that say what it is about."""
    name = {"image_id": image_id, "image_sha256": sha256}
    return name | {"sigma": condition.sigma, "draw": condition.draw, "told_sigma": told}


@dataclass(eq=False)
class Judging:
    """One job's part in a run that it shares with others: who judges, under which conditions, and what is there.

    Attributes:
        judge: scores the images.
        conditions: those that its score file has.
        journal: its rows.
        needs_all: it is of no use without one of its levels.
        clock: wall time of the judge by stage.
        pixels: how many were denoised for it so far.
        failure: why it takes part no longer.
        failed: levels that an image is missing of, which are not worked on any more: why.
        failed_on: the image that each of these failed on first, by id; none of those that cannot be told.
    """

    judge: Judge
    conditions: Sequence[Condition]
    journal: Journal
    needs_all: bool = False
    clock: StageClock = field(default_factory=StageClock)
    pixels: int = 0
    failure: Exception | None = None
    failed: dict[tuple[float, tuple[float | None, ...]], Exception] = field(default_factory=dict)
    failed_on: dict[tuple[float, tuple[float | None, ...]], str] = field(default_factory=dict)

    def wants(self, condition: Condition) -> bool:
        """Whether rows of a condition are still of use."""
        return self.failure is None and condition.level not in self.failed

    def fail(self, error: Exception, conditions: Iterable[Condition], image_id: str | None = None) -> None:
        """Give up the levels of some conditions, and the whole once none is left, or all are needed."""
        for condition in conditions:
            if image_id is not None and condition.level not in self.failed:
                self.failed_on[condition.level] = image_id
            self.failed.setdefault(condition.level, error)
        if self.failed and (self.needs_all or all(condition.level in self.failed for condition in self.conditions)):
            self.failure = self.failure or next(iter(self.failed.values()))

    def misses(self, image: HashedSample, condition: Condition) -> bool:
        """Whether a row of an image has yet to be computed."""
        return any(row_key(image.row_name(condition, told)) not in self.journal.rows for told in condition.told)

    def rows(self, sha256: Mapping[str, str], ids: Iterable[str]) -> list[dict[str, Any]]:
        """Its rows of some images in the order (image, condition), but for those of failed levels.

        Args:
            sha256: of images by id.
            ids: which images.
        """
        return [
            self.journal.rows[row_key(row_name(image_id, sha256[image_id], condition, told))]
            for image_id in ids
            for condition in self.conditions
            if condition.level not in self.failed
            for told in condition.told
        ]


class Cell(NamedTuple):
    """One image under one condition, to be denoised once for all who miss it.

    Attributes:
        image: to be denoised.
        sigma: noise level, 0-255 scale.
        draw: index of the noise realisation.
        told: what the denoiser is told, 0-255 scale; None: it is blind.
        missed_by: those who miss it, with their own condition, which names their rows.
    """

    image: HashedSample
    sigma: float
    draw: int
    told: float | None
    missed_by: tuple[tuple[Judging, Condition], ...]

    def is_missed_by(self, judging: Judging) -> bool:
        """Whether one of those is it, and still wants it."""
        return any(by is judging and by.wants(condition) for by, condition in self.missed_by)

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still wants it."""
        return any(by.wants(condition) for by, condition in self.missed_by)


def missing_cells(images: Iterable[HashedSample], judgings: Sequence[Judging]) -> list[Cell]:
    """What of some images somebody misses, those that are told the same one after another."""
    cells: dict[float | None, dict[tuple[float, int], list[Cell]]] = {}
    for image in images:
        missed: dict[tuple[float, int, float | None], list[tuple[Judging, Condition]]] = {}
        for judging in judgings:
            for condition in judging.conditions:
                if judging.wants(condition) and judging.misses(image, condition):
                    missed.setdefault(condition.computed, []).append((judging, condition))
        for (sigma, draw, told), by in missed.items():
            alike = cells.setdefault(told, {}).setdefault((sigma, draw), [])
            alike.append(Cell(image, sigma, draw, told, tuple(by)))
    return [cell for of_told in cells.values() for alike in of_told.values() for cell in alike]


def groups_of_one_shape(images: Iterable[HashedSample], most: int) -> Iterator[list[HashedSample]]:
    """The images in groups of one shape of at most so many pixels; some of them wait for others of their shape."""
    waiting: dict[tuple[int, ...], list[HashedSample]] = {}
    for image in images:
        shape = image.sample.image.shape
        waiting.setdefault(shape, []).append(image)
        if (len(waiting[shape]) + 1) * image.pixels > most:
            yield waiting.pop(shape)
        elif len(waiting) > WAITING:
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


def batches_of(cells: Sequence[Cell], most: int) -> Iterator[Sequence[Cell]]:
    """Cells of one shape in batches of at most so many pixels; in a batch all are told the same."""
    start = 0
    for index in range(1, len(cells) + 1):
        is_full = index - start >= max(1, most // cells[start].image.pixels)
        if is_full or index == len(cells) or cells[index].told != cells[start].told:
            yield cells[start:index]
            start = index


def stacked(cells: Sequence[Cell]) -> np.ndarray:
    """The images of a batch, uint8 (B, H, W, 3)."""
    return np.stack([cell.image.sample.image for cell in cells])
