"""A judge, and the benchmark that it judges."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from evaluators.judge import Judge
from usaid.cards import Benchmark
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.model import Positive

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment

CARDS = (
    Benchmark(
        "dots_brightness",
        dataset="dots",
        split="test",
        judge="added_judge:make_judge",
        settings="added_judge:BrightnessSettings",
        metrics=("brightness",),
    ),
)


class BrightnessSettings(BenchmarkSettings):
    """How brightness is judged."""

    exposure: Positive = 1.0
    """Factor of the brightness."""


class Brightness(Judge):
    """Sees how bright an image is."""

    metrics = ("brightness_mean",)

    def __init__(self, exposure: float) -> None:
        self.exposure, self.record = exposure, {"exposure": exposure}

    def score(self, seen: None, denoised: Tensor, clean: Tensor, targets: Any) -> dict[str, Tensor]:
        return {"brightness_mean": self.exposure * denoised.mean(dim=(1, 2, 3))}


def make_judge(benchmark: str, experiment: "Experiment", judge_file: Path | None, device: torch.device) -> Judge:
    """The judge of an experiment's benchmark."""
    settings = cast(BrightnessSettings, experiment.benchmarks[benchmark])
    return Brightness(settings.exposure)
