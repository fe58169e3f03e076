"""The benchmarks by name: a data set, its split, and how to make the judge from an experiment."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from evaluators.judge import Judge
from usaid import datasets
from usaid.checkpoints import stored_facts


@dataclass(frozen=True)
class Benchmark:
    """A data set with a judge.

    Attributes:
        dataset: name of the data set.
        split: the split that is scored.
        tables: the paper's tables that its scores go to.
        network: key of its entry in an experiment that says which network judges; None: NIQE's model does.
    """

    dataset: str
    split: str
    tables: tuple[int, ...]
    network: Literal["classifier", "segmenter", "detector"] | None = None


BENCHMARKS = {
    "voc_quality": Benchmark("voc2012", "val", (1, 2)),
    "voc_segmentation": Benchmark("voc2012", "val", (5,), "segmenter"),
    "kodak_quality": Benchmark("kodak", "all", (4, 6)),
    "isic_segmentation": Benchmark("isic2018", "val", (7,), "segmenter"),
    "deepglobe_segmentation": Benchmark("deepglobe", "val", (7,), "segmenter"),
    "cifar100_classification": Benchmark("cifar100", "test", (8,), "classifier"),
    "coco_detection": Benchmark("coco", "val", (9,), "detector"),
}

JUDGE_MODULES = {
    None: "evaluators.quality.judge",
    "classifier": "evaluators.classification.judge",
    "segmenter": "evaluators.segmentation.judge",
    "detector": "evaluators.detection.judge",
}
"""The module that judges, by :attr:`Benchmark.network`; its ``make_judge`` makes the judge from an experiment.

They are imported by name, so that a score depends on the code of its own judge only.
"""


def make_judge(benchmark: str, experiment: Mapping[str, Any], judge_file: str | Path, device: torch.device) -> Judge:
    """Make the judge of a benchmark.

    Args:
        benchmark: a benchmark of the experiment.
        experiment: as :func:`usaid.experiment.checked_experiment` returns it.
        judge_file: what the judge needs from disk: NIQE's pristine model, or its network's weights.
        device: where to compute.

    Raises:
        UsaidError: the file is missing or wrong, or a package is not installed.
    """
    module = importlib.import_module(JUDGE_MODULES[BENCHMARKS[benchmark].network])
    judge: Judge = module.make_judge(benchmark, experiment, Path(judge_file), device)
    return judge


def trained_on_a_part(weights: str | Path, images: str | None = None) -> list[str]:
    """Whether a network was trained here on a part of a data set only, as its weights' file says.

    Args:
        weights: of the network.
        images: ``<data set>/<split>`` that it was trained on; None: the file says it.
    """
    facts = stored_facts(weights)
    if "n_images" not in facts:
        return []
    dataset, split = (images or facts["images"]).split("/")
    n, official = facts["n_images"], datasets.DATASETS[dataset].official_counts[split]
    return [f"trained on {n:,} of the {official:,} images of {dataset}/{split}"] if n < official else []


# ------------------------------------------------------------------------------------------------ files of the judges


def judge_path(benchmark: str, experiment: Mapping[str, Any], results: str, data_root: str) -> str:
    """Where a judge finds what it needs from disk.

    Args:
        benchmark: a benchmark of the experiment.
        experiment: its configuration.
        results: the experiment's folder, for what is trained or fitted there.
        data_root: folder of data sets and weights.

    Returns:
        Path of NIQE's pristine model, or of the weights of the network that judges.
    """
    from evaluators.metrics.niqe import PRISTINE_MODELS

    key = BENCHMARKS[benchmark].network
    if key is None:
        own = experiment["niqe"] == "niqe_fitted"
        return f"{results}/weights/niqe_fitted.npz" if own else f"{data_root}/{PRISTINE_MODELS[experiment['niqe']][1]}"
    config = experiment["benchmarks"][benchmark][key]
    if "train" in config:
        return f"{results}/weights/{benchmark}.safetensors"
    return f"{data_root}/{config['checkpoint'] if 'checkpoint' in config else detector_weights(config['network'])}"


def detector_weights(network: str) -> str:
    """The weights that ``yolov3u`` or ``darknet:<cfg>,<weights>`` names, below ``data_root``."""
    return "weights/yolov3u.pt" if network == "yolov3u" else network.partition(",")[2]


def detector_cfg(network: str, data_root: str | Path) -> str | Path:
    """The cfg that ``darknet:<cfg>,<weights>`` names: a file below ``data_root``, or one of ours by its bare name."""
    cfg = network.removeprefix("darknet:").partition(",")[0]
    return Path(data_root) / cfg if cfg.endswith(".cfg") else cfg


def detector_name(network: str) -> str:
    """What to call a detector: ``yolov3u``, or the name of its cfg."""
    return "yolov3u" if network == "yolov3u" else Path(str(detector_cfg(network, ""))).stem
