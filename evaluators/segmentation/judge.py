"""The judge of Tables V and VII: a segmentation network behind the denoiser, its confusions counted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluators.benchmarks import BENCHMARKS, trained_on_a_part
from evaluators.judge import Judge
from evaluators.segmentation.networks import Segmenter, load_segmenter
from usaid.checkpoints import stored_facts
from usaid.datasets import DATASETS
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

VOID = 255
"""Value of pixels that have no class; they are not counted."""

NETWORKS = {"voc_segmentation": "fpn", "isic_segmentation": "pspnet", "deepglobe_segmentation": "pspnet"}
"""The paper's networks (section IV-B)."""

LEFT_OUT = {"deepglobe_segmentation": ("unknown",)}
"""Classes that a benchmark's mean leaves out."""


def make_judge(benchmark: str, experiment: Mapping[str, Any], judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark of an experiment; as :func:`evaluators.benchmarks.make_judge`."""
    config = experiment["benchmarks"][benchmark]
    segmenter = load_segmenter(judge_file, config["segmenter"].get("sha256"), device)
    network = {key: stored_facts(judge_file)[key] for key in ("architecture", "encoder")}
    facts = {**network, "weights_sha256": sha256_of_file(judge_file)}
    reader = DATASETS[BENCHMARKS[benchmark].dataset]
    deviations = [f"segmenter {text}" for text in trained_on_a_part(judge_file, f"{reader.name}/train")]
    for found, wanted in zip(network.values(), (NETWORKS[benchmark], "resnet101"), strict=True):
        deviations += [f"segmenter: {found} in place of {wanted}"] * (found != wanted)
    if (side := config["longest_side"]) is not None:
        deviations.append(f"images with a side longer than {side} pixels were made smaller before noise was added")
    class_names: Sequence[str] = reader.class_names  # type: ignore[attr-defined]
    return SegmentationJudge(segmenter, class_names, LEFT_OUT.get(benchmark, ()), facts, deviations)


class SegmentationJudge(Judge):
    """Counts how a network trained on clean images confuses the classes of denoised ones (paper, section IV-B).

    Its one column, ``confusion``, holds K * K counts for each image, row by row: pixels of a true class by the class
    they were given. Void pixels are not counted. :func:`usaid.scores.confusion.class_iou` makes a score of them.
    """

    metrics = ("confusion",)

    def __init__(
        self,
        segmenter: Segmenter,
        class_names: Sequence[str],
        left_out: Sequence[str],
        facts: dict[str, Any],
        deviations: list[str],
    ) -> None:
        """
        Args:
            segmenter: knows as many classes as there are names.
            class_names: of the classes, in the order of their numbers.
            left_out: those that the mean leaves out; their pixels still count against the classes they were taken for.
            facts: of the network, for score files.
            deviations: how it differs from the paper's.

        Raises:
            UsaidError: the network knows another number of classes.
        """
        if segmenter.classes != len(class_names):
            raise UsaidError(
                f"segmenter: knows {segmenter.classes} classes, the data set has {len(class_names)}; "
                "give weights that were trained on this data set"
            )
        self.segmenter = segmenter
        self.facts = {**facts, "class_names": [*class_names], "left_out": [*left_out]}
        self.deviations = deviations

    def look(self, denoised: Tensor) -> Tensor:
        return self.segmenter(denoised)

    def score(
        self, seen: Tensor, denoised: Tensor, clean: Tensor, targets: Sequence[np.ndarray]
    ) -> dict[str, Tensor | Sequence[Any]]:
        labels = torch.from_numpy(np.stack(targets)).to(seen.device)
        return {"confusion": confusion_counts(seen, labels, self.segmenter.classes)}


def confusion_counts(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count the pixels of each true and each predicted class, image by image.

    Args:
        predicted: int64 (B, H, W), 0 to ``classes - 1``.
        labels: uint8 or int64 (B, H, W), 0 to ``classes - 1``, or 255: not counted.
        classes: K.

    Returns:
        int64 (B, K * K): of each image, row by row, the pixels of a true class by predicted class.

    Raises:
        UsaidError: a label that is no class.
    """
    labels = labels.long()
    counted = labels != VOID
    if (wrong := labels[counted & (labels >= classes)]).numel():
        raise UsaidError(f"label map holds class {int(wrong[0])}, the network knows {classes}; correct the data set")
    image = torch.arange(len(labels), device=labels.device)[:, None, None].expand_as(labels)
    cells = (image * classes + labels) * classes + predicted
    return cells[counted].bincount(minlength=len(labels) * classes**2).view(len(labels), classes**2)
