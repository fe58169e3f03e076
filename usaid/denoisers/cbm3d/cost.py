"""What CBM3D costs: a stack of similar blocks for each reference block, on the CPU."""

from collections.abc import Mapping
from typing import Any

from usaid.costs import Cost
from usaid.experiment.model import TrainingRecipe


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Reference blocks, in thousands."""
    return Cost(pixel={"blocks": 1e-3 / options.get("step", 3) ** 2}, image={"call": 1}, memory=300, uses_device=False)
