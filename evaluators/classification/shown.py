"""What a classifier sees in an image, in words."""

from typing import Any, cast

from evaluators.classification.judge import ClassificationJudge
from usaid.datasets.base import Dataset
from usaid.datasets.cifar100 import CIFAR100
from usaid.scores.kept_images import Seen


def shown(judge: ClassificationJudge, dataset: Dataset, look: Any, target: int) -> tuple[Seen, Seen]:
    """The class of an image with its probability, and the true class, as :class:`usaid.cards.Benchmark` has it."""
    names = cast("CIFAR100", dataset).class_names
    probability, index = look[0].softmax(dim=0).max(dim=0)
    return Seen(text=f"{names[int(index)]} ({float(probability):.2f})"), Seen(text=names[target])
