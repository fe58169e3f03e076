"""Trains the network that judges a benchmark, on the clean training images of its data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluators.benchmarks import BENCHMARKS, detector_cfg
from usaid import datasets
from usaid.datasets.cifar100 import CIFAR100
from usaid.datasets.coco import COCO
from usaid.devices import pick_device
from usaid.errors import UsaidError

TRAINING_MODULES = {
    "classifier": "evaluators.classification.training",
    "segmenter": "evaluators.segmentation.training",
    "detector": "evaluators.detection.training",
}
"""The module that trains, by :attr:`evaluators.benchmarks.Benchmark.network`."""


def train_judge(experiment: Mapping[str, Any], benchmark: str, weights: Path) -> None:
    """Train the network that judges a benchmark as the experiment says.

    Args:
        experiment: as :func:`usaid.experiment.checked_experiment` returns it.
        benchmark: one of its benchmarks whose network's entry has ``train``.
        weights: safetensors file to write; the learning curve (``.csv``) and the provenance (``.json``) get its name.
            A killed training goes on from the checkpoint that lies beside it until then.

    Raises:
        UsaidError: nothing to train, or bad data, encoder or recipe.
    """
    facts = BENCHMARKS[benchmark]
    settings = experiment["benchmarks"][benchmark]
    network = settings[facts.network] if facts.network else {}
    if "train" not in network:
        raise UsaidError(f"benchmarks.{benchmark}: has no network with 'train'; nothing is trained for it")
    images = datasets.load_for(experiment, facts.dataset, "train", benchmark)
    device, curve = pick_device(experiment["device"]), weights.with_suffix(".csv")
    weights.parent.mkdir(parents=True, exist_ok=True)
    if facts.network == "classifier":
        from evaluators.classification.training import ClassifierRecipe, train_cifar_classifier

        assert isinstance(images, CIFAR100)
        depth = int(network["network"].removeprefix("resnet"))
        recipe = ClassifierRecipe(**network["train"])
        train_cifar_classifier(images.images, images.labels, depth, recipe, weights, device, log=curve)
    elif facts.network == "segmenter":
        from evaluators.segmentation.training import SegmenterRecipe, train_segmenter

        train_segmenter(
            images,
            network["network"],
            network["encoder"],
            len(type(images).class_names),  # type: ignore[attr-defined]
            SegmenterRecipe(**network["train"]),
            weights,
            experiment["data_root"],
            network["encoder_weights"],
            device,
            log=curve,
            title=benchmark,
        )
    else:
        from evaluators.detection.training import DetectorRecipe, train_detector

        assert isinstance(images, COCO)
        cfg = detector_cfg(network["network"], experiment["data_root"])
        recipe_of_detector = DetectorRecipe(**network["train"])
        train_detector(images, sorted(images.categories), cfg, recipe_of_detector, weights, device, log=curve)
