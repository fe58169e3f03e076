"""What FFDNet costs: 12 convolutions of 96 channels on images of half the size."""

from collections.abc import Mapping
from typing import Any

from usaid.costs import Cost
from usaid.experiment.model import TrainingRecipe

FLOP = 2 * 9 * (15 * 96 + 10 * 96**2 + 96 * 12) / 4
"""For each pixel."""


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Of the colour network."""
    return Cost(pixel={"convolutions": FLOP / 1e12}, image={"call": 1}, weights=3.4e6, memory=400)
