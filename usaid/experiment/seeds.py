"""Denoisers that are trained alike but for the seed: what an experiment and the statistics over seeds both ask."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usaid.experiment.experiment import Experiment


def without_seed(entry: Mapping[str, Any]) -> str:
    """A trained denoiser's entry (as recorded) but for title and seed, as text: equal where only the seed differs."""
    train = {key: value for key, value in entry["train"].items() if key != "seed"}
    return json.dumps({**entry, "train": train, "title": None}, sort_keys=True)


def has_several_seeds(experiment: "Experiment") -> bool:
    """Whether some denoiser is trained with more than one seed."""
    entries = experiment.denoisers.values()
    trained = [without_seed(entry.as_record()) for entry in entries if entry.train is not None]
    return len(set(trained)) < len(trained)
