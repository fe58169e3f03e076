"""Average precision of a detector over any set of images, from what was kept of each image (Table IX)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

IOU_THRESHOLDS = 10
"""0.50, 0.55 ... 0.95: how far a detection has to overlap an object to count; COCO's 0.50:0.05:0.95."""

_RECALLS = np.linspace(0, 1, 101)


class AveragePrecision(NamedTuple):
    """How well a detector finds the objects of each category.

    Attributes:
        category_ids: int64 (K,), ascending: the categories with objects or detections in the images.
        precision: float64 (10, K) in [0, 1], by IoU threshold and category; NaN for a category without objects.
    """

    category_ids: np.ndarray
    precision: np.ndarray

    @property
    def ap50(self) -> float:
        """Mean over the categories with objects at IoU 0.50 (COCO's AP50); NaN without any object."""
        return _mean_of_defined(self.precision[:1])

    @property
    def ap50_95(self) -> float:
        """Mean over the categories with objects and over the ten thresholds (COCO's AP); NaN without any object."""
        return _mean_of_defined(self.precision)


def average_precision(matches: Sequence[Any], objects: Sequence[Any]) -> AveragePrecision:
    """Average precision as COCO's ``COCOeval.accumulate`` computes it, for all areas.

    It depends on the images only through these statistics, so it can be had for any subset or resample of the images
    (an image may come twice). Detections of equal score rank in the order of their images, which in COCO is that of
    ascending image ids.

    T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and its evaluation code. What comes after
    its matching is written anew here, so that tables do not need that code and bootstraps do not wait for its loops.

    Args:
        matches: for each image a (D, 4) list or array, one row a detection, best first: category id, score, and two
            sets of IoU thresholds as :func:`as_bits` writes them: those at which it is matched to an object, and those
            at which it is ignored because that object is a crowd.
        objects: for each image a (G, 2) list or array, one row a category: its id, and how many objects of it are in
            the image, crowds not counted.
    """
    category, score, matched, ignored = _columns(matches, 4)
    object_category, count = _columns(objects, 2)
    category_ids = np.unique(np.concatenate([category, object_category])).astype(np.int64)
    order = np.lexsort((-score, category))  # stable: equal scores stay in the order of images
    starts, ends = (np.searchsorted(category[order], category_ids, side=side) for side in ("left", "right"))
    precision = np.full((IOU_THRESHOLDS, len(category_ids)), np.nan)
    for column, category_id in enumerate(category_ids):
        found = order[starts[column] : ends[column]]
        total = count[object_category == category_id].sum()
        if total > 0:
            precision[:, column] = _of_category(_from_bits(matched[found]), _from_bits(ignored[found]), total)
    return AveragePrecision(category_ids, precision)


def as_bits(flags: np.ndarray) -> np.ndarray:
    """Sets of IoU thresholds as numbers: flags (10, N) -> int64 (N,), whose bit t is the flag of the t-th threshold."""
    return (flags.astype(np.int64) << np.arange(IOU_THRESHOLDS)[:, None]).sum(axis=0)


def _from_bits(bits: np.ndarray) -> np.ndarray:
    """The flags, bool (10, N), that :func:`as_bits` packed."""
    return (bits.astype(np.int64) >> np.arange(IOU_THRESHOLDS)[:, None]) % 2 == 1


def _of_category(matched: np.ndarray, ignored: np.ndarray, total: float) -> np.ndarray:
    """Average precision (10,) of detections with flags (10, D), best first, where there are ``total`` objects."""
    right = np.cumsum(matched & ~ignored, axis=1)
    wrong = np.cumsum(~matched & ~ignored, axis=1)
    precision = right / (right + wrong + np.spacing(1))
    best_from_here = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    at_recalls = np.stack([np.searchsorted(recall, _RECALLS) for recall in right / total])
    never_reached = np.zeros((IOU_THRESHOLDS, 1))
    return np.take_along_axis(np.hstack([best_from_here, never_reached]), at_recalls, axis=1).mean(axis=1)


def _columns(rows_of_images: Sequence[Any], width: int) -> np.ndarray:
    """float64 (width, N): the rows of all images, one after the other, as columns."""
    tables = (np.array([*rows], dtype=np.float64).reshape(-1, width) for rows in rows_of_images)
    return np.concatenate([np.empty((0, width)), *tables]).T


def _mean_of_defined(precision: np.ndarray) -> float:
    defined = precision[~np.isnan(precision)]
    return float(defined.mean()) if len(defined) else float("nan")
