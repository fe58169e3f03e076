"""Average precision as the area under all points of the precision-recall curve, at IoU 0.5 (Table IX).

So a public PyTorch code of the paper's time has it, and PASCAL VOC since 2010, where COCO takes the mean of 101 recall
levels. Only tables read this module: an edit here makes no score file anew.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from usaid.scores.average_precision import _columns
from usaid.scores.resampled_precision import resampled_precision
from usaid.scores.whole_set import Statistic, _mean, _recorded

if TYPE_CHECKING:
    import pandas as pd

_AT_050 = slice(0, 1)


def all_points_precision(matches: Sequence[Any], objects: Sequence[Any]) -> dict[int, float]:
    """Area under the precision-recall curve, whose precision is the best one from a recall on, for each category.

    Detections of equal score rank in the order of their images.

    Args:
        matches: for each image a (D, 4) list or array, one row a detection, best first: category id, score, whether it
            is matched to an object at IoU 0.5 (1 or 0), and 0.
        objects: for each image a (G, 2) list or array, one row a category: its id, and how many objects of it are in
            the image, crowds not counted.

    Returns:
        Category id -> area in [0, 1], for the categories with objects, ascending.
    """
    category, score, matched, _ = _columns(matches, 4)
    object_category, count = _columns(objects, 2)
    areas = {}
    for category_id in np.unique(object_category[count > 0]).tolist():
        own = category == category_id
        right = matched[own][np.argsort(-score[own], kind="stable")] == 1
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
        areas[int(category_id)] = float(best_from_here[right].sum() / count[object_category == category_id].sum())
    return areas


def _of_classes(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> dict[str, float]:
    names = _recorded(judge, "category_names")
    areas = all_points_precision([*rows["matches_2019"]], [*rows["objects"]])
    return {names[str(category_id)]: area for category_id, area in areas.items()}


def _resampled(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    whole = _mean(_of_classes(rows, judge))
    precision = resampled_precision([*rows["matches_2019"]], [*rows["objects"]], _AT_050, all_points=True)

    def scores(weights: np.ndarray) -> np.ndarray:
        everyone_once = (weights == 1).all(axis=1)
        return np.where(everyone_once, whole, precision(weights))  # sums in another order differ in the last digit

    return scores


AP50_PYTORCH_YOLOV3_2019 = Statistic(("matches_2019", "objects"), _of_classes, _resampled)
"""A public PyTorch code's average precision of April 2019 (PROTOCOL section 5): detections with an objectness of at
least 0.5, ranked by it, area under all points of the curve at IoU 0.50, mean over the categories with objects."""
