"""The judge of Table VIII: a CIFAR-100 classifier behind the denoiser, with PSNR and SSIM."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from evaluators.classification.network import Classifier, load_classifier
from evaluators.judge import Judge, trained_on_a_part
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.files import sha256_of_file
from usaid.registries import BENCHMARKS
from usaid.tensors import on_device

if TYPE_CHECKING:
    from evaluators.classification.settings import ClassificationSettings
    from usaid.experiment.experiment import Experiment


def make_judge(benchmark: str, experiment: "Experiment", judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark of an experiment.

    Args:
        benchmark: whose settings name the network.
        experiment: that it is part of.
        judge_file: the network's weights.
        device: where to compute.

    Raises:
        UsaidError: the file is missing or wrong.
    """
    card = BENCHMARKS[benchmark]
    network = cast("ClassificationSettings", experiment.benchmarks[benchmark]).classifier
    classifier = load_classifier(network.depth, judge_file, network.sha256, network.mean, network.std, device)
    record = {"network": network.network, "weights_sha256": sha256_of_file(judge_file)}
    deviations = [f"classifier {text}" for text in trained_on_a_part(judge_file, f"{card.dataset}/train")]
    if network.network != card.network:
        deviations.insert(0, f"classifier: ResNet-{network.depth} stands in for the paper's ResNet-110")
    return ClassificationJudge(classifier, record, deviations)


class ClassificationJudge(Judge):
    """Top-1 and top-5 accuracy of a classifier trained on clean images (paper, section IV-C)."""

    metrics = ("psnr_rgb_float", "ssim_skimage7", "top1", "top5")

    def __init__(self, classifier: Classifier, record: dict[str, Any], deviations: list[str]) -> None:
        """
        Args:
            classifier: takes a denoised batch in [0, 1], normalises it and returns logits (B, classes).
            record: of the classifier (network, checkpoint hash), for score files.
            deviations: how it differs from the paper's.
        """
        self.classifier = classifier
        self.record = record
        self.deviations = deviations

    def look(self, denoised: Tensor) -> Tensor:
        return self.classifier(denoised)

    def score(
        self, seen: Tensor, denoised: Tensor, clean: Tensor, targets: Sequence[int]
    ) -> dict[str, Tensor | Sequence[Any]]:
        labels = on_device(torch.as_tensor(targets), denoised.device)
        hits = seen.topk(5, dim=1).indices == labels[:, None]
        return {
            "psnr_rgb_float": psnr_rgb_float(denoised, clean),
            "ssim_skimage7": ssim_skimage7(denoised, clean),
            "top1": hits[:, 0].double(),
            "top5": hits.any(dim=1).double(),
        }
