"""Trains the network that judges a benchmark, on the clean training images of its data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from usaid.datasets.loading import load_for
from usaid.devices import pick_device
from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS, load_object
from usaid.training.loop import Run

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment


def train_judge(experiment: "Experiment", benchmark: str, weights: Path, code_hash: str = "") -> None:
    """Train the network that judges a benchmark as the experiment says.

    Args:
        experiment: whose benchmark it is.
        benchmark: one of its benchmarks whose network has ``train``.
        weights: safetensors file to write; the learning curve (``.csv``) and the record (``.json``) get its name. A
            killed training goes on from the checkpoint that lies beside it until then.
        code_hash: of the code that trains; a checkpoint of other code is not gone on from.

    Raises:
        UsaidError: no such benchmark, nothing to train, or bad data, encoder or recipe.
    """
    experiment.require("benchmarks", benchmark)
    card, settings = BENCHMARKS[benchmark], experiment.benchmarks[benchmark]
    if card.training is None or not settings.is_trained:
        raise UsaidError(f"benchmarks.{benchmark}: has no network with 'train'; nothing is trained for it")
    samples = load_for(experiment, card.dataset, "train", benchmark)
    run = Run(
        weights,
        pick_device(experiment.device),
        title=benchmark,
        name=benchmark,
        data_root=experiment.data_root,
        code_hash=code_hash,
    )
    load_object(card.training)(samples, settings, run)
