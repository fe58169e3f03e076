"""What a denoiser is, and the facts about a method that Table III is printed from."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from usaid.errors import UsaidError


@dataclass(frozen=True)
class Facts:
    """Facts about a method (Table III and the tables' footnotes).

    Attributes:
        title: name in tables.
        blind: needs no noise level.
        deep_learning: is a neural network.
        semantic_aware: was trained with a high-level loss.
        segmentation_annotation: needs segmentation labels to train.
        licence: SPDX identifier or a short statement, of the implementation in use.
        citation: paper that describes the method.
    """

    title: str
    blind: bool
    deep_learning: bool
    semantic_aware: bool
    segmentation_annotation: bool
    licence: str
    citation: str


class Denoiser(ABC):
    """Maps noisy images to denoised images of the same shape.

    Attributes:
        facts: what Table III says about the method.
        oracle: the denoiser is handed the clean images instead of the noisy ones (only ``clean`` is).
        device: where its input has to be.
        deviations: how it differs from what the paper compared with, one sentence each, for the tables' footnotes.
    """

    facts: Facts
    oracle: ClassVar[bool] = False
    device: torch.device = torch.device("cpu")
    deviations: Sequence[str] = ()

    def hears(self, told_sigma: float) -> float | None:
        """What a told noise level comes to: cells of a table that come to the same are computed once.

        Args:
            told_sigma: 0-255 scale.

        Returns:
            None for a blind method, to which it makes no difference; else the level that the method works with.

        Raises:
            UsaidError: the level is not above 0, or the class has no facts.
        """
        if not isinstance(getattr(self, "facts", None), Facts):
            name = type(self).__name__
            raise UsaidError(f"{name}: has no attribute 'facts' of type usaid.denoisers.base.Facts; is it blind?")
        return None if self.facts.blind else checked_told_sigma(told_sigma)

    @abstractmethod
    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        """Denoise a batch.

        Args:
            noisy: float32 (B, 3, H, W), a [0, 1] image plus unclipped noise, on ``device``.
            told_sigma: noise level on the 0-255 scale that a non-blind method is told; blind methods ignore it.

        Returns:
            float32 (B, 3, H, W) on ``device``; may leave [0, 1] (metrics clamp).

        Raises:
            UsaidError: a non-blind method is told no noise level, or one that is not above 0.
        """


def checked_told_sigma(told_sigma: float | None) -> float:
    """The noise level (0-255 scale) that a non-blind method is told.

    Raises:
        UsaidError: there is none, or it is not a finite number above 0.
    """
    if told_sigma is None:
        raise UsaidError("told sigma is missing: a non-blind method has to be told the noise level, 0-255 scale")
    if not (math.isfinite(told_sigma) and told_sigma > 0):
        raise UsaidError(f"told sigma = {told_sigma:g}: must be a finite number > 0, on the 0-255 scale")
    return float(told_sigma)
