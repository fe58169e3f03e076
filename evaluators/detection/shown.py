"""What a detector sees in an image, as boxes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evaluators.detection.judge import DetectionJudge
from usaid.datasets.base import Dataset
from usaid.scores.kept_images import Box, Seen

if TYPE_CHECKING:
    from usaid.datasets.coco import Instance

LEAST_SCORE = 0.3
"""Boxes of lower scores count for average precision, but would hide an image that is to be looked at."""


def shown(judge: DetectionJudge, dataset: Dataset, look: Any, target: Sequence["Instance"]) -> tuple[Seen, Seen]:
    """The boxes of an image that score above :data:`LEAST_SCORE`, best first, and the true ones, without crowds.

    As :class:`usaid.cards.Benchmark` has it.
    """
    names: dict[str, str] = judge.record["category_names"]
    (detections,) = look
    found = zip(detections.boxes.tolist(), detections.scores.tolist(), detections.classes.tolist(), strict=True)
    boxes = [
        Box(round(x, 2), round(y, 2), round(w, 2), round(h, 2), names[str(judge.category_ids[index])], round(score, 5))
        for (x, y, w, h), score, index in found
        if round(score, 5) > LEAST_SCORE
    ]
    true = [Box(*each.bbox, names[str(each.category_id)]) for each in target if not each.iscrowd]
    return Seen(boxes=tuple(boxes)), Seen(boxes=tuple(true))
