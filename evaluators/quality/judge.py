"""The judge of Tables I and VI: PSNR, SSIM and NIQE."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from evaluators.judge import Judge
from evaluators.metrics.niqe import PristineModel, load_pristine_model, niqe
from usaid.files import sha256_of_file

NIQE_DEVIATIONS = {
    "niqe_matlab": [],
    "niqe_live": [
        "NIQE with the parameters of the LIVE release (niqe_live); the paper used MATLAB's, which read lower: "
        "compare the order of the methods, not the values"
    ],
    "niqe_fitted": [
        "NIQE with a pristine model fitted to this experiment's own clean images (niqe_fitted): "
        "compare the order of the methods, not the values"
    ],
}


def make_judge(benchmark: str, experiment: Mapping[str, Any], judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark of an experiment; as :func:`evaluators.benchmarks.make_judge`."""
    return QualityJudge(load_pristine_model(experiment["niqe"], judge_file), sha256_of_file(judge_file))


class QualityJudge(Judge):
    """PSNR and SSIM against the clean image, NIQE without it (PROTOCOL section 2)."""

    def __init__(self, pristine: PristineModel, pristine_sha256: str) -> None:
        """
        Args:
            pristine: what NIQE compares with.
            pristine_sha256: hash of its file, for score files.
        """
        self.pristine = pristine
        self.metrics = ("psnr_rgb_float", "ssim_skimage7", pristine.name)
        self.facts = {"niqe": pristine.name, "niqe_model_sha256": pristine_sha256}
        self.deviations = NIQE_DEVIATIONS[pristine.name]

    def score(
        self, seen: None, denoised: Tensor, clean: Tensor, targets: Sequence[Any]
    ) -> dict[str, Tensor | Sequence[Any]]:
        return {
            "psnr_rgb_float": psnr_rgb_float(denoised, clean),
            "ssim_skimage7": ssim_skimage7(denoised, clean),
            self.pristine.name: niqe(denoised, self.pristine),
        }
