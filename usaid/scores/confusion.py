"""Intersection over union from confusion counts that were kept image by image (Tables V, VII)."""

from collections.abc import Callable, Sequence

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


def image_iou(confusions: Sequence[Sequence[int]] | np.ndarray) -> np.ndarray:
    """Intersection over union of each class in each image by itself.

    Args:
        confusions: of N images, as :func:`class_iou` has them.

    Returns:
        float64 (N, K) in [0, 1]; NaN for a class that occurs neither in an image's truth nor in what was predicted.
    """
    right, union = _right_and_union(confusions)
    return np.divide(right, union, out=np.full_like(union, np.nan), where=union > 0)


def miou_per_image(confusions: Sequence[Sequence[int]] | np.ndarray, left_out: Sequence[int] = ()) -> np.ndarray:
    """Mean intersection over union of each image by itself: a convention of the released code (PROTOCOL section 5).

    The mean of these over images is another number than a data set's: a class that is predicted in an image that does
    not have it counts with 0, whether it is one pixel or half of them.

    Args:
        confusions: of N images, as :func:`class_iou` has them.
        left_out: numbers of the classes that the mean leaves out.

    Returns:
        float64 (N,) in [0, 1]: the mean over the classes that occur in truth or in what was predicted; NaN: none does.
    """
    values = image_iou(confusions)
    values[:, [*left_out]] = np.nan
    occurs = ~np.isnan(values)
    n_classes = occurs.sum(axis=1)
    sums = np.where(occurs, values, 0).sum(axis=1)
    return np.divide(sums, n_classes, out=np.full(len(sums), np.nan), where=n_classes > 0)


def resampled_iou(confusions: Sequence[Sequence[int]] | np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Intersection over union of each class in resamples of the images.

    Args:
        confusions: of N images, as :func:`class_iou` has them. Their sums stay exact below 2**53 pixels.

    Returns:
        (B, N) whole numbers, how often an image is in each of B resamples -> float64 (B, K) in [0, 1], what
        ``class_iou`` has for the images repeated by them; NaN for a class that does not occur in a resample.
    """
    right, union = _right_and_union(confusions)

    def iou(weights: np.ndarray) -> np.ndarray:
        of_resamples = np.asarray(weights, dtype=np.float64)
        unions = of_resamples @ union
        return np.divide(of_resamples @ right, unions, out=np.full_like(unions, np.nan), where=unions > 0)

    return iou


def _right_and_union(confusions: Sequence[Sequence[int]] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each class that were told right, and those of it or told to be: float64 (N, K) each."""
    counts = np.asarray(confusions, dtype=np.float64)
    classes = round(counts.shape[1] ** 0.5)
    matrices = counts.reshape(-1, classes, classes)
    right = matrices.diagonal(axis1=1, axis2=2)
    return right, matrices.sum(axis=1) + matrices.sum(axis=2) - right
