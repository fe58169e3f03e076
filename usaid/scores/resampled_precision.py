"""Average precision of many resamples of the same images: weights on detections that are sorted once (Table IX).

A module of its own beside :mod:`usaid.scores.average_precision`, which Table IX's judge imports: an edit here makes no
score file anew.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from usaid.scores.average_precision import _RECALLS, _columns, _from_bits

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_RESAMPLES = 4096
"""At a time, at most: a few rows of numbers, one for each, stay in a cache of the core."""

_NUMBERS = 1 << 24
"""In a table, at most, unless one resample has more: 128 MB."""


class _Ranking(NamedTuple):
    """D detections, category by category, best first, with their flags at T IoU thresholds.

    Attributes:
        category: float64 (D,), ascending.
        image: int64 (D,), index of the image.
        run: int64 (D,), ascending: the same for detections of one category, score and image.
        right: bool (T, D): matched to an object.
        ignored: bool (T, D): matched to a crowd.
    """

    category: np.ndarray
    image: np.ndarray
    run: np.ndarray
    right: np.ndarray
    ignored: np.ndarray

    def at(self, which: np.ndarray | slice) -> "_Ranking":
        """Some of them."""
        return _Ranking(*(field[..., which] for field in self))


class _Ladder(NamedTuple):
    """The true positives of a category, at IoU thresholds that ignore the same detections.

    A rung is a detection that is a true positive at some of these thresholds. It is weighed, as all detections are, by
    one of V columns.

    Attributes:
        category: index of the category.
        steps: (R, V), for each of R rungs: how many detections there are of each column after the rung before, up to
            this one.
        right: (T, V), for each threshold: how many true positives there are of each column.
        climbs: for each threshold: column and rung of its true positives, best first.
    """

    category: int
    steps: "csr_array"
    right: "csr_array"
    climbs: list[list[tuple[int, int]]]


def resampled_precision(
    matches: Sequence[Any], objects: Sequence[Any], thresholds: slice = slice(None), all_points: bool = False
) -> Callable[[np.ndarray], np.ndarray]:
    """Average precision of resamples of the images, for which nothing is matched or sorted again.

    A detection counts as often as its image was drawn. Precision has its maxima at true positives and is needed there
    alone: the weight of the true positives so far over that of all detections so far. Weights are whole numbers, so
    that these sums are exact in float64 (below 2**53), whatever their order and the machine.

    Args:
        matches: of N images, as :func:`usaid.scores.average_precision.average_precision` has them.
        objects: likewise.
        thresholds: the IoU thresholds, of all ten, that the score is the mean over.
        all_points: the score is the area under all points of the curve (:mod:`usaid.scores.all_points`), in place of
            COCO's mean of 101 recall levels.

    Returns:
        (B, N) whole numbers, how often an image is in each of B resamples -> float64 (B,) in [0, 1], the mean over
        thresholds and over the categories with objects in the resample, NaN without any object: what
        ``average_precision`` has for the list of images where each is repeated in its place (to rounding, 1e-12).
    """
    ranking = _ranking(matches, thresholds)
    category_ids, counts = _objects(objects)
    mixed = _in_mixed_runs(ranking)
    copied = np.unique(ranking.image[mixed])

    @cache
    def ladders_of(copies: int) -> list[_Ladder]:
        columns, ranked = _with_copies(ranking, mixed, len(matches), copies)
        return [*_ladders(ranked, columns, len(matches) + copies * len(copied), category_ids)]

    def of_resamples(weights: np.ndarray) -> np.ndarray:
        copies = int(weights.max(axis=0, initial=0)[copied].max(initial=0))
        ladders = ladders_of(copies)
        rows = max([len(matches) + copies * len(copied), *(ladder.steps.shape[0] for ladder in ladders)])
        batch = min(_RESAMPLES, max(1, _NUMBERS // max(1, rows)))
        scores = np.empty(len(weights))
        for start in range(0, len(weights), batch):
            drawn = np.ascontiguousarray(weights[start : start + batch].T, dtype=np.float64)
            of_copies = [drawn[copied] >= copy for copy in range(1, copies + 1)]
            scores[start : start + batch] = _of_batch(
                np.concatenate([drawn, *of_copies]), counts @ drawn, ladders, all_points
            )
        return scores / len(ranking.right)

    return of_resamples


def _ranking(matches: Sequence[Any], thresholds: slice) -> _Ranking:
    """All detections of the images; those of equal score in the order of images."""
    category, score, matched, ignored = _columns(matches, 4)
    image = np.repeat(np.arange(len(matches)), [len(rows) for rows in matches])
    order = np.lexsort((-score, category))
    keys = np.stack([category, score, image])[:, order]
    run = np.cumsum((np.diff(keys, axis=1, prepend=keys[:, :1]) != 0).any(axis=0))
    crowd = _from_bits(ignored[order])[thresholds]
    return _Ranking(category[order], image[order], run, _from_bits(matched[order])[thresholds] & ~crowd, crowd)


def _objects(objects: Sequence[Any]) -> "tuple[np.ndarray, csr_array]":
    """The K categories with objects, float64 (K,), ascending, and how many each image has, (K, N)."""
    from scipy.sparse import csr_array

    category, count = _columns(objects, 2)
    image = np.repeat(np.arange(len(objects)), [len(rows) for rows in objects])
    some = count > 0
    category_ids, index = np.unique(category[some], return_inverse=True)
    return category_ids, csr_array((count[some], (index, image[some])), (len(category_ids), len(objects)))


def _in_mixed_runs(ranking: _Ranking) -> np.ndarray:
    """Which detections have copies that have to be told apart, bool (D,).

    Copies of one detection stand next to each other: precision rises over those of a true positive, so that only the
    last one counts. Of several detections of one image, category and score, the first copy of each comes before the
    second of any: where a true positive is among them, each copy is a detection of its own.
    """
    length, right = np.bincount(ranking.run), np.bincount(ranking.run, ranking.right.any(axis=0))
    return ((length > 1) & (right > 0))[ranking.run]


def _with_copies(ranking: _Ranking, mixed: np.ndarray, n_images: int, copies: int) -> tuple[np.ndarray, _Ranking]:
    """The ranking with all copies of detections in mixed runs, and each detection's column of weights.

    The columns are those of all images, then the first copies of the images with such detections, the second ones...
    """
    copied, position = np.unique(ranking.image[mixed], return_inverse=True)
    columns = ranking.image.copy()
    columns[mixed] = n_images + position
    which = np.repeat(np.arange(len(mixed)), np.where(mixed, copies, 1))
    copy = np.arange(len(which)) - np.searchsorted(which, which)
    order = np.lexsort((copy, ranking.run[which]))  # stable: within a copy they stay as they are
    return (columns[which] + len(copied) * copy)[order], ranking.at(which[order])


def _ladders(ranking: _Ranking, columns: np.ndarray, n_columns: int, category_ids: np.ndarray) -> Iterator[_Ladder]:
    """The ladders that have rungs."""
    starts, ends = (np.searchsorted(ranking.category, category_ids, side=side) for side in ("left", "right"))
    for category, found in enumerate(map(slice, starts, ends)):
        own = ranking.at(found)
        for ignored in {flags.tobytes(): flags for flags in own.ignored}.values():
            right = own.right[(own.ignored == ignored).all(axis=1)]
            if right.any():
                yield _ladder(category, right, ignored, columns[found], n_columns)


def _ladder(category: int, right: np.ndarray, ignored: np.ndarray, columns: np.ndarray, n_columns: int) -> _Ladder:
    """A ladder from flags, ``right`` bool (T, D) and ``ignored`` bool (D,), and columns of D detections, best first."""
    threshold, found = np.nonzero(right)
    rungs = np.unique(found)
    counted = np.flatnonzero(~ignored[: rungs[-1] + 1])
    steps = _counts(np.searchsorted(rungs, counted), columns[counted], (len(rungs), n_columns))
    of_thresholds = _counts(threshold, columns[found], (len(right), n_columns))
    pairs = [*zip(columns[found].tolist(), np.searchsorted(rungs, found).tolist(), strict=True)]
    ends = np.cumsum(right.sum(axis=1)).tolist()
    return _Ladder(category, steps, of_thresholds, [pairs[start:end] for start, end in pairwise([0, *ends])])


def _counts(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> "csr_array":
    """How often each cell comes."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(rows)), (rows, columns)), shape)


def _of_batch(weights: np.ndarray, objects: np.ndarray, ladders: Sequence[_Ladder], all_points: bool) -> np.ndarray:
    """Average precision, summed over thresholds: weights (V, B) and numbers of objects (K, B) -> (B,)."""
    precision = np.zeros(weights.shape[1])
    for ladder in ladders:
        seen = ladder.steps @ weights
        for rung in range(1, len(seen)):  # np.cumsum along the first axis takes ten times as long
            seen[rung] += seen[rung - 1]
        np.maximum(seen, 1, out=seen)  # 0 of 0 is a precision of 0
        of_thresholds = ladder.right @ weights
        counts = np.maximum(objects[ladder.category], 1)
        levels = _points_of(counts) if all_points else _levels_of(counts, of_thresholds.max())
        for climb, right in zip(ladder.climbs, of_thresholds, strict=True):
            precision += _of_climb(climb, right, seen, weights, levels)
    n_categories = (objects > 0).sum(axis=0)
    return np.divide(precision, n_categories, out=np.full(len(precision), np.nan), where=n_categories > 0)


def _of_climb(
    climb: Sequence[tuple[int, int]],
    right: np.ndarray,
    seen: np.ndarray,
    weights: np.ndarray,
    levels: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Average precision of a category at a threshold, (B,), from its last true positive up to its first.

    Precision at a recall is the best one from there on: a sum of rises, each of them shared by all levels up to a true
    positive's recall. A true positive of weight 0 changes nothing: it has the recall of the one before, and no more
    precision.

    Args:
        climb: column and rung of the true positives, best first.
        right: (B,), weight of all true positives; it is used up.
        seen: (R, B), weight of all detections up to a rung.
        weights: (V, B).
        levels: as :func:`_levels_of` makes it.
    """
    total, best, better, rise = np.zeros((4, len(right)))  # made once, not at each step
    for column, rung in reversed(climb):
        np.divide(right, seen[rung], out=better)
        np.maximum(best, better, out=better)
        np.subtract(better, best, out=rise)
        rise *= levels(right)
        total += rise
        best, better = better, best
        right -= weights[column]
    return total / len(_RECALLS)


def _points_of(objects: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """As :func:`_levels_of` for infinitely many levels: the recall itself, in parts of as many as there are."""
    return lambda right: right / objects * len(_RECALLS)


def _levels_of(objects: np.ndarray, most: float) -> Callable[[np.ndarray], np.ndarray]:
    """How many recall levels numbers of true positives reach, (B,) -> (B,).

    Args:
        objects: (B,), number of objects, at least 1; where images are swapped they are the same in all B.
        most: no number of true positives is larger.
    """
    if (objects != objects[0]).any():
        return lambda right: _levels_up_to(right / objects)
    of_each = _levels_up_to(np.arange(most + 1) / objects[0])
    return lambda right: of_each[right.astype(np.intp)]


def _levels_up_to(recall: np.ndarray) -> np.ndarray:
    """How many recall levels are reached: ``np.searchsorted(_RECALLS, recall, side="right")``, ten times as fast.

    Recalls are fractions of whole numbers below 1e8. Floating point puts some levels above their fraction: 35 / 100
    does not reach 0.35.
    """
    percent = recall * 100
    percent += 1e-9
    np.floor(percent, out=percent)
    not_reached = percent * _RECALLS[1] > recall
    percent += 1
    percent -= not_reached
    return percent
