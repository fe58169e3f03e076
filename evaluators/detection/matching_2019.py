"""Which detections a public PyTorch code of April 2019 counts as right: the statistics of ``map_2019`` (Table IX)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evaluators.detection.detector import Confident

if TYPE_CHECKING:
    from usaid.datasets.coco import Instance

LEAST_IOU = 0.5


def match_2019(confident: Confident, instances: Sequence["Instance"], category_ids: Sequence[int]) -> list[list[float]]:
    """Match the confident detections of an image to its objects (PROTOCOL section 5).

    A detection is right if the object of its class that it overlaps most does so by an IoU of 0.5 or more, and no
    better detection took this object. That code's annotations have no crowds; here they are left out. IoU is the same
    in the letterboxed image, where that code compares boxes, as in the stored one, so that both can be scored.

    Args:
        confident: of the image.
        instances: its objects.
        category_ids: of the detector's classes.

    Returns:
        For each detection, best first: category id, objectness (five decimals), 1 if it is right, else 0, and 0: as
        :func:`usaid.scores.all_points.all_points_precision` reads them.
    """
    boxes, classes = confident.boxes.double().cpu().numpy().round(2), confident.classes.tolist()
    objectness = confident.objectness.double().cpu().numpy().round(5).tolist()
    objects: dict[int, np.ndarray] = {}
    for category_id in {category_ids[label] for label in classes}:
        own = [one.bbox for one in instances if one.category_id == category_id and not one.iscrowd]
        objects[category_id] = np.array(own, dtype=np.float64).reshape(-1, 4)
    taken: set[tuple[int, int]] = set()
    rows = []
    for box, label, score in zip(boxes, classes, objectness, strict=True):
        category_id = category_ids[label]
        overlaps = _iou(box, objects[category_id])
        nearest = category_id, int(overlaps.argmax()) if len(overlaps) else -1
        is_right = len(overlaps) > 0 and overlaps[nearest[1]] >= LEAST_IOU and nearest not in taken
        if is_right:
            taken.add(nearest)
        rows.append([category_id, score, int(is_right), 0])
    return rows


def _iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of a box with (N, 4) others, all as x, y, width, height; 0 where both are empty."""
    starts = np.maximum(box[:2], others[:, :2])
    ends = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    common = (ends - starts).clip(min=0).prod(axis=1)
    union = box[2:].prod() + others[:, 2:].prod(axis=1) - common
    return np.asarray(np.divide(common, union, out=np.zeros(len(others)), where=union > 0))
