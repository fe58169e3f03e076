"""The judge of Tables I, II, IV and VI: PSNR, SSIM and NIQE, and what further metrics an experiment asks for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evaluators.judge import Judge
from evaluators.metrics.niqe import PristineModel, load_pristine_model, niqe_of_statistics, niqe_statistics
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.errors import UsaidError, reason_of
from usaid.files import sha256_of_file
from usaid.registries import METRICS, load_object

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment

ImageMetric = Callable[[Tensor, Tensor], Tensor]
"""(denoised, clean), float batches (B, 3, H, W) -> (B,)."""

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


def make_judge(benchmark: str, experiment: "Experiment", judge_file: Path, device: torch.device) -> Judge:
    """The judge of a benchmark of an experiment.

    Args:
        benchmark: whose settings name the further metrics.
        experiment: says which variant of NIQE.
        judge_file: NIQE's pristine model.
        device: where the batches will be.

    Raises:
        UsaidError: the file is missing or wrong, or a further metric cannot be imported.
    """
    conventions = [METRICS[name].conventions[0] for name in experiment.benchmarks[benchmark].further_metrics]
    further = {convention.name: load_object(str(convention.compute)) for convention in conventions}
    return QualityJudge(load_pristine_model(experiment.niqe, judge_file), sha256_of_file(judge_file), further)


class QualityJudge(Judge):
    """PSNR and SSIM against the clean image, NIQE without it (PROTOCOL section 2)."""

    def __init__(
        self, pristine: PristineModel, pristine_sha256: str, further: Mapping[str, ImageMetric] | None = None
    ) -> None:
        """
        Args:
            pristine: what NIQE compares with.
            pristine_sha256: hash of its file, for score files.
            further: metrics by the name of their convention.
        """
        self.pristine = pristine
        self.metrics_of_images: dict[str, ImageMetric] = {
            **{name: _checked(name, metric) for name, metric in (further or {}).items()},
            "psnr_rgb_float": psnr_rgb_float,
            "ssim_skimage7": ssim_skimage7,
            pristine.name: lambda denoised, clean: niqe_statistics(denoised),
        }
        own = ("psnr_rgb_float", "ssim_skimage7", pristine.name)
        self.metrics = (*own, *(name for name in self.metrics_of_images if name not in own))
        self.record = {"niqe": pristine.name, "niqe_model_sha256": pristine_sha256}
        self.deviations = NIQE_DEVIATIONS[pristine.name]

    def score(
        self, seen: None, denoised: Tensor, clean: Tensor, targets: Sequence[Any]
    ) -> dict[str, Tensor | Sequence[Any]]:
        return {name: self.metrics_of_images[name](denoised, clean) for name in self.metrics}

    def finish(self, columns: Mapping[str, Any], targets: Sequence[Any]) -> Mapping[str, Tensor | Sequence[Any]]:
        """Compute NIQE from its statistics."""
        name = self.pristine.name
        return {**columns, name: niqe_of_statistics(columns[name], self.pristine)}


def _checked(name: str, metric: ImageMetric) -> ImageMetric:
    """A further metric, which names itself where it fails or gives something else than a number for each image."""

    def checked(denoised: Tensor, clean: Tensor) -> Tensor:
        try:
            values = metric(denoised, clean)
        except Exception as error:  # a stranger's code raises anything
            raise UsaidError(f"metric {name}: {reason_of(error)}") from error
        if not isinstance(values, Tensor) or values.shape != denoised.shape[:1]:
            given = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise UsaidError(f"metric {name}: returned {given}, not a number for each of {len(denoised)} images")
        return values

    return checked
