"""What the tests of training denoisers share: a few labelled images, and DnCNNs that are trained in a second."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from usaid.datasets.base import Sample
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.training.batches import Batch, Batches
from usaid.experiment.reading import checked_settings
from usaid.training.patches import PatchSampler, labelled_images

TINY = {"depth": 3, "features": 8, "batch": 4, "patch": 32, "steps": 12, "encoder": "efficientnet_lite0"}


@pytest.fixture
def tiny() -> Callable[..., Recipe]:
    """``tiny(recipe="released_code", ...)``: a recipe with a small denoiser and few steps."""
    return lambda **keys: checked_settings(Recipe, TINY | keys, "tiny")


@pytest.fixture
def samples() -> list[Sample]:
    """Six smooth pictures, which a small network soon learns to clean, with two classes and a void border each."""
    y, x = np.mgrid[0:56, 0:64] / 48
    pictures = []
    for k in range(6):
        wave = np.stack([np.sin(6 * x + k), np.cos(5 * y - k), np.sin(4 * (x + y) + k)], axis=2)
        labels = np.full((56, 64), k, np.uint8)
        labels[:, 20:] = k + 7
        labels[:, 18:22] = 255
        pictures.append(Sample(f"wave{k}", np.uint8(127 + 100 * wave), labels))
    return pictures


@pytest.fixture
def first_batch(samples: list[Sample]) -> Callable[[Recipe], Batch]:
    """The first batch of a recipe, with labels."""
    return lambda recipe: Batches(
        PatchSampler(labelled_images(samples, recipe.classes), recipe.patch, torch.device("cpu")), recipe
    )(1)
