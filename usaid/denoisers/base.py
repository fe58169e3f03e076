"""What a denoiser is, and the facts about a method that Table III is printed from."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch


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
    """

    facts: Facts
    oracle: ClassVar[bool] = False
    device: torch.device = torch.device("cpu")

    @abstractmethod
    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        """Denoise a batch.

        Args:
            noisy: float32 (B, 3, H, W), a [0, 1] image plus unclipped noise, on ``device``.
            told_sigma: noise level on the 0-255 scale that a non-blind method is told; blind methods ignore it.

        Returns:
            float32 (B, 3, H, W) on ``device``; may leave [0, 1] (metrics clamp).
        """
