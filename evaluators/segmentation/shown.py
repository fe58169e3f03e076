"""What a segmentation network sees in an image, as a label map."""

from typing import Any

import numpy as np

from evaluators.segmentation.judge import SegmentationJudge
from usaid.datasets.base import Dataset
from usaid.scores.kept_images import Seen


def shown(judge: SegmentationJudge, dataset: Dataset, look: Any, target: Any) -> tuple[Seen, Seen]:
    """The predicted label map of an image and the true one, as :class:`usaid.cards.Benchmark` has it."""
    classes = tuple(judge.record["class_names"])
    predicted = look[0].cpu().numpy().astype(np.uint8)
    return Seen(predicted, classes=classes), Seen(np.asarray(target, np.uint8), classes=classes)
