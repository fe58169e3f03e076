"""The judge of Table VIII: a CIFAR-100 classifier behind the denoiser, with PSNR and SSIM."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evaluators.benchmarks import trained_on_a_part
from evaluators.classification.network import Classifier, load_classifier
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from evaluators.judge import Judge
from usaid.files import sha256_of_file


def make_judge(benchmark: str, experiment: Mapping[str, Any], judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark of an experiment; as :func:`evaluators.benchmarks.make_judge`."""
    config = experiment["benchmarks"][benchmark]["classifier"]
    depth = int(config["network"].removeprefix("resnet"))
    hashed, mean, std = (config.get(key) for key in ("sha256", "mean", "std"))
    classifier = load_classifier(depth, judge_file, hashed, mean, std, device)
    facts = {"network": config["network"], "weights_sha256": sha256_of_file(judge_file)}
    stand_in = [] if depth == 110 else [f"classifier: ResNet-{depth} stands in for the paper's ResNet-110"]
    partly = trained_on_a_part(judge_file, "cifar100/train")
    return ClassificationJudge(classifier, facts, stand_in + [f"classifier {text}" for text in partly])


class ClassificationJudge(Judge):
    """Top-1 and top-5 accuracy of a classifier trained on clean images (paper, section IV-C)."""

    metrics = ("psnr_rgb_float", "ssim_skimage7", "top1", "top5")

    def __init__(self, classifier: Classifier, facts: dict[str, object], deviations: list[str]) -> None:
        """
        Args:
            classifier: takes a denoised batch in [0, 1], normalises it and returns logits (B, classes).
            facts: of the classifier (network, checkpoint hash), for score files.
            deviations: how it differs from the paper's.
        """
        self.classifier = classifier
        self.facts = facts
        self.deviations = deviations

    def look(self, denoised: Tensor) -> Tensor:
        return self.classifier(denoised)

    def score(
        self, seen: Tensor, denoised: Tensor, clean: Tensor, targets: Sequence[int]
    ) -> dict[str, Tensor | Sequence[Any]]:
        labels = torch.as_tensor(targets, device=denoised.device)
        hits = seen.topk(5, dim=1).indices == labels[:, None]
        return {
            "psnr_rgb_float": psnr_rgb_float(denoised, clean),
            "ssim_skimage7": ssim_skimage7(denoised, clean),
            "top1": hits[:, 0].double(),
            "top5": hits.any(dim=1).double(),
        }
