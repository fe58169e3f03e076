"""What DnCNN costs: products of its convolutions, and of the segmenter that S-SAID and U-SAID are trained with."""

from collections.abc import Mapping
from typing import Any

from usaid.costs import Cost
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.training.cost import VALUE, cost_of_training
from usaid.experiment.model import TrainingRecipe

DEPTH, FEATURES = 20, 64
"""Of the released checkpoints; their 1.334 MFLOP a pixel."""


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Of the network that a recipe trains, or of the released one."""
    depth, features, patches, training = DEPTH, FEATURES, 0, dict[str, float]()
    if isinstance(recipe, Recipe):
        depth, features, patches = recipe.depth, recipe.features, recipe.batch * recipe.patch**2
        training = cost_of_training(recipe, method, n_images, flop_of(depth, features))
    flop = flop_of(depth, features)
    return Cost(
        pixel={"convolutions": flop / 1e12},
        image={"call": 1},
        training=training,
        weights=flop / 2 * VALUE,
        memory=50 * VALUE,  # images and strips
        training_memory=3 * depth * features * VALUE * patches,
    )


def flop_of(depth: int, features: int) -> float:
    """FLOP of a DnCNN for each pixel: two for each product of its 3x3 convolutions."""
    return 2 * 9 * (2 * 3 * features + (depth - 2) * features**2)
