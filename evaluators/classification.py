"""The judge of Table VIII: a CIFAR-100 classifier behind the denoiser, with PSNR and SSIM."""

from collections.abc import Sequence

import torch
from torch import Tensor

from evaluators.cifar_resnet import Classifier
from evaluators.image_quality import psnr_rgb_float, ssim_skimage7
from evaluators.judges import Judge


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

    def __call__(self, denoised: Tensor, clean: Tensor, targets: Sequence[int]) -> dict[str, Tensor]:
        labels = torch.as_tensor(targets, device=denoised.device)
        five_best = self.classifier(denoised).topk(5, dim=1).indices
        hits = five_best == labels[:, None]
        return {
            "psnr_rgb_float": psnr_rgb_float(denoised, clean),
            "ssim_skimage7": ssim_skimage7(denoised, clean),
            "top1": hits[:, 0].double(),
            "top5": hits.any(dim=1).double(),
        }
