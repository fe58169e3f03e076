"""Losses and measures that several trainings share."""

import torch
import torch.nn.functional as F
from torch import Tensor

from usaid.training.patches import NO_LABEL


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Pixel-wise softmax loss with true labels (paper section IV-A).

    Args:
        logits: float (B, K, h, w).
        labels: int64 (B, H, W), 255 for no label; brought to (h, w) by nearest neighbour if the sizes differ.

    Returns:
        The mean over labelled pixels; 0 if there is none.
    """
    if labels.shape[1:] != logits.shape[2:]:
        labels = F.interpolate(labels[:, None].float(), size=logits.shape[2:], mode="nearest")[:, 0].long()
    total = F.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="sum")
    return total / (labels != NO_LABEL).sum().clamp(min=1)


def psnr(denoised: Tensor, clean: Tensor) -> Tensor:
    """PSNR in dB of a batch taken as one image, clamped to [0, 1]: for the learning curve."""
    return -10 * torch.log10((denoised.clamp(0, 1) - clean).square().mean())
