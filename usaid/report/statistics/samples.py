"""From score files to what a test needs: numbers of images and draws, or the scores that weighted images give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from usaid.errors import UsaidError, reason_of
from usaid.report.tables.cells import Place
from usaid.report.tables.means import Means
from usaid.scores.whole_set import Statistic, statistic_of

if TYPE_CHECKING:
    import pandas as pd

Resampled = Callable[[np.ndarray], np.ndarray]
"""Weights of N images, (B, N) -> the score that each row of weights gives in every draw, (B, D)."""


@dataclass(frozen=True)
class ImageSample:
    """The numbers that a mean over images is made of.

    Attributes:
        images: ids of N images, ascending.
        draws: D noise draws, ascending.
        values: float64 (D, N), in the paper's unit; NaN: undefined for the image.
    """

    images: tuple[str, ...]
    draws: tuple[int, ...]
    values: np.ndarray

    @cached_property
    def defined(self) -> frozenset[str]:
        """The images that have a value in every draw."""
        return frozenset(np.array(self.images, dtype=object)[~np.isnan(self.values).any(axis=0)])

    def of(self, images: frozenset[str]) -> "ImageSample":
        """The same of some of these images only."""
        if len(images) == len(self.images):
            return self
        kept = np.array([image in images for image in self.images], dtype=bool)
        return ImageSample(tuple(sorted(images)), self.draws, self.values[:, kept])

    @cached_property
    def scores(self) -> np.ndarray:
        """Mean over images of each draw, (D,)."""
        return np.asarray(self.values.mean(axis=1))

    @property
    def can_be_resampled(self) -> bool:
        """Any mean can."""
        return True

    @property
    def resampled(self) -> Resampled:
        """Means of weighted images."""
        return lambda weights: weights @ self.values.T / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class DataSetSample:
    """What a score of a whole data set is made of.

    Attributes:
        images: ids of N images, ascending.
        draws: D noise draws, ascending.
        rows: score rows of each draw, in the order of ``images``.
        statistic: how the score is made from the rows of a draw.
        judge: the judge's record.
        scale: factor to the paper's unit.
        name: of the statistic, as messages call it.
    """

    images: tuple[str, ...]
    draws: tuple[int, ...]
    rows: "tuple[pd.DataFrame, ...]"
    statistic: Statistic
    judge: Mapping[str, Any]
    scale: float
    name: str

    @property
    def defined(self) -> frozenset[str]:
        """All images: the score is one of them together."""
        return frozenset(self.images)

    def of(self, images: frozenset[str]) -> "DataSetSample":
        """Itself: the score is one of all images."""
        return self

    @cached_property
    def scores(self) -> np.ndarray:
        """Score of each draw, (D,)."""
        return self.scale * np.array([self.statistic.of_data_set(rows, self.judge) for rows in self.rows])

    @cached_property
    def resampled(self) -> Resampled:
        """Scores of weighted images, if it :attr:`can_be_resampled`."""
        return self._resampled(self.rows)

    def swapped(self, other: "DataSetSample") -> Resampled:
        """Flags of N images (B, N) -> this score minus the other one where flagged images are swapped, (B, D).

        Both scores are made from the rows of both, of which each has the weight 1 in one of the two and 0 in the other.
        The two rows of an image stand side by side, so that detections of equal score rank as they do unswapped.
        """
        import pandas as pd

        pairs = zip(self.rows, other.rows, strict=True)
        together = self._resampled(tuple(pd.concat(pair).sort_index(kind="stable") for pair in pairs))

        def difference(flags: np.ndarray) -> np.ndarray:
            ours = np.stack([~flags, flags], axis=2).reshape(len(flags), -1).astype(np.float64)
            return together(ours) - together(1 - ours)

        return difference

    @property
    def can_be_resampled(self) -> bool:
        """Whether its statistic says what weighted images give."""
        return self.statistic.resampled is not None

    def _resampled(self, rows_of_draws: "tuple[pd.DataFrame, ...]") -> Resampled:
        of_draws = [self._prepared(rows) for rows in rows_of_draws]
        return lambda weights: self.scale * np.stack([self._scores(score, weights) for score in of_draws], axis=1)

    def _prepared(self, rows: "pd.DataFrame") -> Callable[[np.ndarray], np.ndarray]:
        """What gives the scores of a draw for weights; a statistic may be anybody's, and raise anything."""
        assert self.statistic.resampled is not None
        try:
            return self.statistic.resampled(rows, self.judge)
        except Exception as error:
            raise self._faulty(reason_of(error)) from error

    def _scores(self, of_weights: Callable[[np.ndarray], np.ndarray], weights: np.ndarray) -> np.ndarray:
        """Scores of weights (B, N), float64 (B,)."""
        try:
            scores = np.asarray(of_weights(weights), dtype=np.float64)
        except Exception as error:
            raise self._faulty(reason_of(error)) from error
        if scores.shape != weights.shape[:1]:
            raise self._faulty(f"scores of shape {scores.shape} for weights of shape {weights.shape}")
        return scores

    def _faulty(self, fault: str) -> UsaidError:
        return UsaidError(f"statistic {self.name}: `resampled`: {fault}; it must give one score a row of weights")


ROUNDING = 1e-12
"""Of the largest score: below it differences are what rounding leaves of equal scores, whatever their pattern is."""

Sample = ImageSample | DataSetSample


def difference_of(first: np.ndarray, other: np.ndarray) -> np.ndarray:
    """First minus other, of one shape; 0 throughout if nothing but rounding tells the two apart."""
    largest = max(float(np.abs(scores).max(initial=0.0)) for scores in (first, other))
    differences = first - other
    equal = np.isfinite(largest) and bool((np.abs(differences) <= ROUNDING * largest).all())
    return np.zeros_like(differences) if equal else differences


def sample_of(means: Means, place: Place) -> Sample:
    """What the number of a cell is made of.

    Args:
        means: the score files of a benchmark.
        place: a cell that has a number: ``means.why_missing(place)`` is None.
    """
    metric, convention = means.metrics[place.metric], means.conventions[place.metric]
    assert convention is not None
    grid = means.grid(place.group, place.denoiser)
    rows, draws, images = grid.rows, grid.draws, grid.images
    if not convention.of_whole_set:
        return ImageSample(images, draws, metric.scale * grid.values(convention.name))
    by_draw = [rows[rows["draw"] == draw].sort_values("image_id").reset_index(drop=True) for draw in draws]
    judge = means.judged[place.denoiser].provenance.get("judge", {})
    return DataSetSample(images, draws, tuple(by_draw), statistic_of(convention), judge, metric.scale, convention.name)
