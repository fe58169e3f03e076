"""The two reference columns of every table: the noisy image as it is, and the clean image."""

import torch

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser


class Noisy(Denoiser):
    """Returns its input: what every denoiser has to beat."""

    def __init__(self, facts: Facts, device: torch.device | str = "cpu") -> None:
        self.facts, self.device = facts, torch.device(device)

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        return noisy


class Clean(Noisy):
    """Returns the clean image, which it is handed in place of the noisy one: the ceiling of every judge."""
