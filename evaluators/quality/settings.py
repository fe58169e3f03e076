"""A quality benchmark's entry in an experiment."""

from typing import Annotated

from usaid.experiment.benchmark import BenchmarkSettings, Places
from usaid.experiment.model import OneOf, Unique
from usaid.registries import METRICS

PRISTINE_FILES = {"niqe_live": "niqe/niqe_live_pris_params.npz", "niqe_matlab": "niqe/niqe_matlab_params.mat"}
"""Where the pristine model of a variant of NIQE lies, below ``data_root``."""


def metrics_of_single_images() -> list[str]:
    """Names of the metrics that are functions of a denoised and its clean image."""
    first = {name: card.conventions[0] for name, card in METRICS.items() if card.conventions}
    return [name for name, convention in first.items() if convention.compute and not convention.of_whole_set]


MetricName = Annotated[str, OneOf(metrics_of_single_images)]


class QualitySettings(BenchmarkSettings):
    """How image quality is measured."""

    metrics: Annotated[tuple[MetricName, ...], Unique()] = ()
    """Further metrics of single images, each a row of the tables below the paper's: of the suite (many by the package
    pyiqa, `pip install 'usaid[pyiqa]'`) and of installed packages. What cannot be had is a dash that says why: pyiqa is
    not installed, or files that it would fetch are not below `data_root`."""

    def judge_file(self, benchmark: str, places: Places) -> str:
        if places.niqe == "niqe_fitted":
            return f"{places.results}/weights/niqe_fitted.npz"
        return f"{places.data_root}/{PRISTINE_FILES[places.niqe]}"

    @property
    def user_files(self) -> tuple[str, ...]:
        files = (file for name in self.metrics for file in METRICS[name].conventions[0].files)
        return tuple(dict.fromkeys(files))

    @property
    def further_metrics(self) -> tuple[str, ...]:
        return self.metrics
