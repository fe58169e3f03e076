"""The judge of Tables V and VII: a segmentation network behind the denoiser, its confusions counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from evaluators.judge import Judge, trained_on_a_part
from evaluators.segmentation.networks import Segmenter, load_segmenter
from usaid.checkpoints import stored_record
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.registries import BENCHMARKS, DATASETS
from usaid.tensors import on_device

if TYPE_CHECKING:
    from evaluators.segmentation.settings import SegmentationSettings
    from usaid.experiment.experiment import Experiment

VOID = 255
"""Value of pixels that have no class; they are not counted."""

PAPERS_NETWORKS = {"fpn_plain": "fpn"}
"""What else is a network of the paper's, beside those that cards name: the same as the released code builds it."""

PAPERS_ENCODER = "resnet101"
"""The encoder of all the paper's segmentation networks (section IV-B)."""


def make_judge(benchmark: str, experiment: "Experiment", judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark; classes are those of its data set's card, the paper's network is on its own card.

    Args:
        benchmark: one of the experiment's, with :class:`evaluators.segmentation.settings.SegmentationSettings`.
        experiment: whose settings count.
        judge_file: weights of the segmenter.
        device: where to compute.

    Raises:
        UsaidError: as :func:`evaluators.segmentation.networks.load_segmenter`, or weights of another data set.
    """
    settings = cast("SegmentationSettings", experiment.benchmarks[benchmark])
    card = BENCHMARKS[benchmark]
    segmenter = load_segmenter(judge_file, settings.segmenter.sha256, device, settings.segmenter_size)
    training = stored_record(judge_file)
    network = {key: training[key] for key in ("architecture", "encoder")}
    part = trained_on_a_part(judge_file, f"{card.dataset}/train")
    deviations = [f"segmenter {text}" for text in [*part, *training.get("deviations", ())]]
    if card.network is not None:
        papers = {"architecture": card.network, "encoder": PAPERS_ENCODER}
        replaced = [key for key in papers if PAPERS_NETWORKS.get(network[key], network[key]) != papers[key]]
        deviations += [f"segmenter: {network[key]} in place of {papers[key]}" for key in replaced]
    if (side := settings.longest_side) is not None:
        deviations.append(f"images with a side longer than {side} pixels were made smaller before noise was added")
    if settings.input_size is not None and settings.segmenter_size is None:
        deviations.append("images resized to {}x{} pixels before noise was added".format(*settings.input_size))
    dataset = DATASETS[card.dataset]
    record = {**network, "weights_sha256": sha256_of_file(judge_file)}
    if (size := settings.segmenter_size) is not None:
        record["input_size"] = [*size]
        deviations.append("segmenter sees denoised images resized to {}x{} pixels".format(*size))
    if settings.void == "background":
        record["void"] = settings.void
        deviations.append("pixels without a class count as background")
    return SegmentationJudge(segmenter, dataset.classes, dataset.left_out, record, deviations)


class SegmentationJudge(Judge):
    """Counts how a network trained on clean images confuses the classes of denoised ones (paper, section IV-B).

    Its one column, ``confusion``, holds K * K counts for each image, row by row: pixels of a true class by the class
    they were given. Void pixels are not counted, or as the first class (``void: background``).
    :func:`usaid.scores.confusion.class_iou` makes a score of them.
    """

    metrics = ("confusion",)

    def __init__(
        self,
        segmenter: Segmenter,
        class_names: Sequence[str],
        left_out: Sequence[str],
        record: dict[str, Any],
        deviations: list[str],
    ) -> None:
        """
        Args:
            segmenter: knows as many classes as there are names.
            class_names: of the classes, in the order of their numbers.
            left_out: those that the mean leaves out; their pixels still count against the classes they were taken for.
            record: of the network, for score files; ``void``: what pixels without a class count as; ``input_size``:
                width and height that it resizes denoised images to.
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
        self.record = {**record, "class_names": [*class_names], "left_out": [*left_out]}
        self.deviations = deviations
        self.void_is_background = record.get("void") == "background"

    def look(self, denoised: Tensor) -> Tensor:
        return self.segmenter(denoised)

    def score(
        self, seen: Tensor, denoised: Tensor, clean: Tensor, targets: Sequence[np.ndarray]
    ) -> dict[str, Tensor | Sequence[Any]]:
        labels = np.stack(targets)
        if self.void_is_background:
            labels = np.where(labels == VOID, 0, labels).astype(np.uint8)
        return {"confusion": confusion_counts(seen, labels, self.segmenter.classes)}


def confusion_counts(predicted: Tensor, label_maps: np.ndarray, classes: int) -> Tensor:
    """Count the pixels of each true and each predicted class, image by image.

    Args:
        predicted: int64 (B, H, W), 0 to ``classes - 1``.
        label_maps: uint8 (B, H, W), 0 to ``classes - 1``, or 255: not counted.
        classes: K.

    Returns:
        int64 (B, K * K): of each image, row by row, the pixels of a true class by predicted class.

    Raises:
        UsaidError: a label that is no class.
    """
    if (wrong := label_maps[(label_maps != VOID) & (label_maps >= classes)]).size:
        raise UsaidError(f"label map holds class {int(wrong[0])}, the network knows {classes}; correct the data set")
    labels = on_device(torch.from_numpy(label_maps), predicted.device).long()
    image = torch.arange(len(labels), device=labels.device)[:, None, None].expand_as(labels)
    cells = (image * classes + labels) * classes + predicted
    size = len(labels) * classes**2
    if labels.is_cuda:  # where `bincount` and a mask wait for the GPU
        cells = torch.where(labels == VOID, size, cells).flatten()
        counts = torch.zeros(size + 1, dtype=torch.int64, device=cells.device)
        counts = counts.scatter_add_(0, cells, torch.ones_like(cells))[:size]
    else:
        counts = cells[labels != VOID].bincount(minlength=size)
    return counts.view(len(labels), classes**2)
