"""What the training of a blind denoising network costs, whichever network it is."""

from collections.abc import Mapping
from typing import Any

from usaid.costs import Cost, together
from usaid.denoisers.training.recipe import NetworkRecipe
from usaid.experiment.model import TrainingRecipe

VALUE = 4
"""Bytes of a float32."""

PYRAMID = 155_000
"""FLOP of the USA module's feature pyramid and head for each pixel (torch's flop counter: 162 thousand behind
ResNet-101, 148 behind EfficientNet-Lite0)."""

ENCODERS = {"resnet101": 311_000, "efficientnet_lite0": 14_500}
"""FLOP for each pixel, forward (torch's flop counter, 96x96)."""

UNKNOWN = 1_334_016
"""FLOP for each pixel of a network that cannot be counted: as the paper's DnCNN, the slowest of the suite's."""


def cost_of_training(recipe: TrainingRecipe | None, method: str, n_images: int, flop: float) -> dict[str, float]:
    """The work of a training.

    The network is passed forward and twice backward (its input's gradient and its weights'). The segmenter is frozen
    but for its head: forward, and backward to its input if the loss reaches the denoiser.

    Args:
        recipe: how.
        method: whose loss it is.
        n_images: of its training images.
        flop: of the denoiser's forward pass, for each pixel.
    """
    if not isinstance(recipe, NetworkRecipe):
        return {}
    steps = steps_of(recipe, n_images)
    pixels = steps * recipe.batch * recipe.patch**2
    work = {"training": 3 * flop * pixels / 1e12, "step": float(steps), "image read": float(n_images)}
    if recipe.loss_of(method) == "mse":
        return work
    passes = 2 if recipe.gradient == "attached" else 1
    segmenter = (ENCODERS[recipe.encoder] + PYRAMID) * passes * pixels / 1e12
    return together(work, {"training of a segmenter": segmenter, "step of a segmenter": float(steps)})


def steps_of(recipe: NetworkRecipe, n_images: int) -> int:
    """Steps of a training, as :class:`usaid.denoisers.training.batches.Batches` counts them."""
    if recipe.steps is not None:
        return recipe.steps
    each = recipe.patches_per_image
    patches = n_images * (each if each >= 1 else each * TYPICAL_POSITIONS)
    return max(1, round(recipe.epochs * max(1, patches // recipe.batch)))


TYPICAL_POSITIONS = 150_000
"""Of a patch in an image of VOC 2012; only `released_code` draws a fraction of them."""


def cost(options: Mapping[str, Any], recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Of a network of a user's own that nobody has looked at: as the paper's DnCNN."""
    return cost_of_network(UNKNOWN, recipe, method, n_images)


def cost_of_network(flop: float, recipe: TrainingRecipe | None, method: str, n_images: int) -> Cost:
    """Of a network of a user's own.

    Args:
        flop: of its forward pass, for each pixel.
        recipe: how it is trained; None: not at all.
        method: its name.
        n_images: of its training images.
    """
    training = cost_of_training(recipe, method, n_images, flop)
    return Cost(pixel={"convolutions": flop / 1e12}, image={"call": 1}, training=training, memory=1024)
