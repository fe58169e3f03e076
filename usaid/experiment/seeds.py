"""Denoisers that are trained alike but for the seed: what statistics over seeds ask."""

import json
from collections.abc import Mapping
from typing import Any


def without_seed(entry: Mapping[str, Any]) -> str:
    """A trained denoiser's entry (as recorded) but for title and seed, as text: equal where only the seed differs."""
    train = {key: value for key, value in entry["train"].items() if key != "seed"}
    return json.dumps({**entry, "train": train, "title": None}, sort_keys=True)
