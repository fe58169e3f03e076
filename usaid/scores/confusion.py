"""Intersection over union from confusion counts that were kept image by image (Tables V, VII)."""

from collections.abc import Sequence

import numpy as np


def class_iou(confusions: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Intersection over union of each class, over all images together (PROTOCOL section 2).

    The counts are added up before anything is divided. Means over images or batches of their own IoU are another
    number, up to half of this one.

    Args:
        confusions: for each of N images K * K counts, row by row: pixels of a true class by the class they were given.

    Returns:
        float64 (K,) in [0, 1]; NaN for a class that occurs neither in truth nor in what was predicted.
    """
    total = np.asarray(confusions, dtype=np.float64).sum(axis=0)
    classes = round(len(total) ** 0.5)
    matrix = total.reshape(classes, classes)
    right = matrix.diagonal()
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - right
    return np.divide(right, union, out=np.full(classes, np.nan), where=union > 0)
