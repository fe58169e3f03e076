"""The judge of Tables I, II, IV and VI: PSNR, SSIM and NIQE, and what further metrics an experiment asks for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from evaluators.judge import Judge
from evaluators.metrics.niqe import PristineModel, load_pristine_model, niqe_of_statistics, niqe_statistics
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from evaluators.quality.further import Further, ImageMetric, further_metrics
from usaid.files import sha256_of_file
from usaid.registries import METRICS

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment

NO_PRISTINE_MODEL = "no pristine model was given"

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


def make_judge(benchmark: str, experiment: "Experiment", judge_file: Path | None, device: torch.device) -> Judge:
    """The judge of a benchmark of an experiment.

    Args:
        benchmark: whose settings name the further metrics.
        experiment: says which variant of NIQE, and where the files of metrics lie.
        judge_file: NIQE's pristine model; None: no NIQE.
        device: where the batches will be.

    Raises:
        UsaidError: the file is missing or wrong.
    """
    conventions = [METRICS[name].conventions[0] for name in experiment.benchmarks[benchmark].further_metrics]
    further = further_metrics(conventions, Path(experiment.data_root), device)
    if judge_file is None:
        without = further._replace(unavailable={experiment.niqe: NO_PRISTINE_MODEL, **further.unavailable})
        return QualityJudge(None, None, without)
    return QualityJudge(load_pristine_model(experiment.niqe, judge_file), sha256_of_file(judge_file), further)


class QualityJudge(Judge):
    """PSNR and SSIM against the clean image, NIQE without it (PROTOCOL section 2), and further metrics."""

    def __init__(
        self, pristine: PristineModel | None, pristine_sha256: str | None, further: Further | None = None
    ) -> None:
        """
        Args:
            pristine: what NIQE compares with; None: no NIQE.
            pristine_sha256: hash of its file, for score files.
            further: metrics that an experiment asks for.
        """
        further = further or Further()
        self.pristine = pristine
        self.metrics_of_images: dict[str, ImageMetric] = {
            "psnr_rgb_float": psnr_rgb_float,
            "ssim_skimage7": ssim_skimage7,
        }
        self.record = further.record
        if pristine is not None:
            self.metrics_of_images[pristine.name] = lambda denoised, clean: niqe_statistics(denoised)
            self.record = {"niqe": pristine.name, "niqe_model_sha256": pristine_sha256, **further.record}
            self.deviations = NIQE_DEVIATIONS[pristine.name]
        own = frozenset(self.metrics_of_images)
        self.metrics_of_images |= {name: metric for name, metric in further.metrics.items() if name not in own}
        self.metrics = tuple(self.metrics_of_images)

    def score(
        self, seen: None, denoised: Tensor, clean: Tensor, targets: Sequence[Any]
    ) -> dict[str, Tensor | Sequence[Any]]:
        return {name: metric(denoised, clean) for name, metric in self.metrics_of_images.items()}

    def finish(self, columns: Mapping[str, Any], targets: Sequence[Any]) -> Mapping[str, Tensor | Sequence[Any]]:
        """Compute NIQE from its statistics."""
        if self.pristine is None:
            return columns
        name = self.pristine.name
        return {**columns, name: niqe_of_statistics(columns[name], self.pristine)}
