"""What DRUNet costs: at each of four scales eight residual blocks, of which each has two convolutions."""

from collections.abc import Mapping
from typing import Any

from usaid.costs import Cost
from usaid.experiment.model import TrainingRecipe

FLOP = 2 * 9 * (7 * 64 + 16 * 64**2 + 16 * 128**2 / 4 + 16 * 256**2 / 16 + 8 * 512**2 / 64)
"""For each pixel, without the 2x2 convolutions between the scales."""


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Of the colour network."""
    return Cost(pixel={"convolutions": FLOP / 1e12}, image={"call": 1}, weights=131e6, memory=2000)
