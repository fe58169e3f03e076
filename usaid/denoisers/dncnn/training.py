"""Trains CDnCNN-B, S-SAID and U-SAID: DnCNN, by each of the three losses (paper sections III and IV-A)."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from usaid.datasets.base import Sample
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.training.training import train_network
from usaid.training.loop import Run, generator_for

if TYPE_CHECKING:
    from usaid.denoisers.dncnn.recipe import Recipe


def train_dncnn(samples: Iterable[Sample], recipe: "Recipe", run: Run) -> None:
    """Train a DnCNN.

    Args:
        samples: clean training images; S-SAID also needs their label maps.
        recipe: how.
        run: its name is the method: ``cdncnn_b`` (MSE alone), ``s_said`` (with the labels) or ``u_said`` (without).

    Raises:
        UsaidError: as :func:`usaid.denoisers.training.training.train_network`.
    """
    train_network(initialised_dncnn(recipe), without_noise, samples, recipe, run)


def without_noise(network: nn.Module, noisy: Tensor) -> Tensor:
    """Noisy patches without the noise that a network predicts."""
    denoised: Tensor = noisy - network(noisy).float()
    return denoised


def initialised_dncnn(recipe: "Recipe") -> DnCNN:
    """The DnCNN of a recipe, freshly drawn."""
    network = DnCNN(recipe.depth, recipe.features)
    initialise_dncnn(network, recipe.seed)
    return network


def initialise_dncnn(network: nn.Module, seed: int) -> None:
    """Draw a DnCNN's first weights (PROTOCOL section 1).

    Convolutions: Kaiming-normal over the fan-in. BatchNorm: gain N(0, sqrt(2/9/64)) clamped to +-0.025 (DnCNN's
    original, in MATLAB, pushed small gains *out* to +-0.025; its PyTorch descendants, this paper's code among them,
    clamp), shift 0.
    """
    generator = generator_for(torch.device("cpu"), seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / 9 / 64), generator=generator)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight.clamp_(-0.025, 0.025)
