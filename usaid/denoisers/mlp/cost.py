"""What MLPs cost: the products of their layers, for each patch of a sliding window over each channel."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from usaid.costs import Cost
from usaid.denoisers.mlp.recipe import MLPRecipe
from usaid.experiment.model import TrainingRecipe

STRIDE = 3
"""Of the sliding window, in pixels."""


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Of the networks that a recipe trains, or of the authors' size."""
    own = recipe if isinstance(recipe, MLPRecipe) else MLPRecipe()
    sides = (own.input_side**2, *own.hidden, own.output_side**2)
    weights = sum(before * after for before, after in pairwise(sides))
    patches = 3 / options.get("stride", STRIDE) ** 2  # for each pixel, in three channels
    trained = recipe is not None
    steps = own.steps * len(own.sigmas)
    training = {"dense training": 3 * 2 * weights * own.batch * steps / 1e12, "dense step": float(steps)}
    return Cost(
        pixel={"dense": 2 * weights * patches / 1e12},
        image={"call": 1},
        training=training | {"image read": float(n_images)} if trained else {},
        weights=4 * weights * len(own.sigmas),
        memory=600,
        training_memory=4 * 4 * weights if trained else 0,
    )
