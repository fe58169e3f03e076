"""The benchmarks by name: a data set, its split, and how to make the judge from an experiment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from evaluators.judges import Judge
from usaid.files import sha256_of_file


@dataclass(frozen=True)
class Benchmark:
    """A data set with a judge.

    Attributes:
        dataset: name of the data set.
        split: the split that is scored.
        tables: the paper's tables that its scores go to.
    """

    dataset: str
    split: str
    tables: tuple[int, ...]


BENCHMARKS = {
    "voc_quality": Benchmark("voc2012", "val", (1, 2)),
    "kodak_quality": Benchmark("kodak", "all", (6,)),
    "cifar100_classification": Benchmark("cifar100", "test", (8,)),
}


def make_judge(
    benchmark: str, config: Mapping[str, Any], niqe: str, judge_file: str | Path, device: torch.device
) -> Judge:
    """Make the judge of a benchmark.

    Args:
        benchmark: a name of :data:`BENCHMARKS`.
        config: the benchmark's entry in the experiment.
        niqe: the NIQE convention of the experiment.
        judge_file: what the judge needs from disk: NIQE's pristine model, or the classifier's weights.
        device: where to compute.

    Raises:
        UsaidError: the file is missing or wrong.
    """
    if BENCHMARKS[benchmark].dataset == "cifar100":
        return _classification_judge(config["classifier"], Path(judge_file), device)
    from evaluators.niqe import load_pristine_model
    from evaluators.quality import QualityJudge

    return QualityJudge(load_pristine_model(niqe, judge_file), sha256_of_file(judge_file))


def _classification_judge(config: Mapping[str, Any], weights: Path, device: torch.device) -> Judge:
    from evaluators.cifar_resnet import load_classifier
    from evaluators.classification import ClassificationJudge

    network = config["network"]
    depth = int(network.removeprefix("resnet"))
    classifier = load_classifier(
        depth, weights, sha256=config.get("sha256"), mean=config.get("mean"), std=config.get("std"), device=device
    )
    facts = {"network": network, "weights_sha256": sha256_of_file(weights)}
    stand_in = [] if depth == 110 else [f"classifier: ResNet-{depth} stands in for the paper's ResNet-110"]
    return ClassificationJudge(classifier, facts, stand_in)
