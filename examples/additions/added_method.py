"""A method that is trained: its card, recipe, network, denoiser and training."""

from pathlib import Path

import torch
from torch import Tensor, nn

from usaid.cards import Facts, Method
from usaid.checkpoints import load_state
from usaid.datasets.base import Dataset
from usaid.denoisers.base import Denoiser
from usaid.experiment.model import Count, TrainingRecipe
from usaid.tensors import to_unit_range
from usaid.training.loop import Run, Task, train

CARDS = (
    Method(
        "tiny",
        Facts(
            title="Tiny",
            blind=True,
            deep_learning=True,
            semantic_aware=False,
            segmentation_annotation=False,
            licence="MIT",
            citation="this file",
        ),
        denoiser="added_method:Tiny",
        recipe="added_method:TinyRecipe",
        training="added_method:train_tiny",
        needs_weights=True,
    ),
)


class TinyRecipe(TrainingRecipe):
    """How it is trained: what every recipe has (``images``, ``seed``), and these keys."""

    steps: Count = 20
    """Optimiser steps."""


class Gain(nn.Module):
    """A gain for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H, W)."""
        return images * self.gain


class Tiny(Denoiser):
    """The gains as a denoiser."""

    def __init__(self, facts: Facts, weights: Path) -> None:
        self.facts, self.network = facts, Gain()
        self.network.load_state_dict(load_state(weights))

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        return self.network(noisy)


def train_tiny(samples: Dataset, recipe: TinyRecipe, run: Run) -> None:
    """Learn the gains that clean images have: 1. A killed training goes on from its checkpoint."""
    clean = [to_unit_range(sample.image) for sample in samples]
    network = Gain()

    def loss(network: nn.Module, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return (network(image) - image).square().mean(), {}

    optimizer = torch.optim.Adam(network.parameters())
    task = Task(network, lambda step: clean[step % len(clean)], loss, optimizer, lambda step: 0.1, recipe.steps)
    train(task, run, recipe.model_dump(mode="json"), n_images=len(clean))
