"""The USA module (paper section III-A, Figure 1): frozen encoder -> feature pyramid -> K convolutions -> logits."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.segmentation.encoders import Encoder
from usaid.training.loop import generator_for

LATERAL, LEVEL = 256, 128
"""Channels of the pyramid, and of what each of its four levels gives: 4 x 128 = 512 at stride 4."""


class FeaturePyramid(nn.Module):
    """Feature Pyramid Network (Lin et al. 2017) as the paper uses it: no norm and no activation of its own.

    Each level is brought to 256 channels by a 1x1 convolution and gets the coarser level added, goes through two 3x3
    convolutions to 128 channels, and all four are resized to stride 4 and concatenated. Resizing is bilinear and to the
    size of the other map, so that any image size works.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(width, LATERAL, 1) for width in channels)
        self.smooth = nn.ModuleList(
            nn.Sequential(nn.Conv2d(LATERAL, LATERAL, 3, padding=1), nn.Conv2d(LATERAL, LEVEL, 3, padding=1))
            for _ in channels
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Merge features at strides 4, 8, 16, 32 into (B, 512, h, w) at stride 4."""
        levels = [lateral(feature) for lateral, feature in zip(self.lateral, features, strict=True)]
        for finer in reversed(range(len(levels) - 1)):
            levels[finer] = levels[finer] + resized(levels[finer + 1], levels[finer].shape[2:])
        smoothed = [smooth(level) for smooth, level in zip(self.smooth, levels, strict=True)]
        return torch.cat([resized(level, smoothed[0].shape[2:]) for level in smoothed], dim=1)


class USAModule(nn.Module):
    """Segments without having learnt to: ImageNet features through random convolutions.

    Everything but the encoder starts as N(0, 0.01), bias 0 (PROTOCOL section 1).
    """

    def __init__(self, encoder: Encoder, classes: int, seed: int) -> None:
        """Draw the weights.

        Args:
            encoder: stays frozen.
            classes: K, at least 2.
            seed: of the draw.
        """
        super().__init__()
        self.encoder = encoder
        self.pyramid = FeaturePyramid(encoder.channels)
        self.head = nn.Conv2d(LEVEL * len(encoder.channels), classes, 3, padding=1)
        draw_small_weights(self.pyramid, self.head, generator=generator_for(torch.device("cpu"), seed, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits at stride 4.

        Args:
            images: float (B, 3, H, W), normalised for the encoder.

        Returns:
            float (B, K, ceil(H / 4), ceil(W / 4)).
        """
        logits: Tensor = self.head(self.pyramid(self.encoder(images)))
        return logits


def draw_small_weights(*parts: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw convolutions' weights from N(0, 0.01), with biases 0, as the released code does (PROTOCOL section 1).

    Args:
        parts: their convolutions have biases.
        generator: None: torch's global one.
    """
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.normal_(layer.weight, std=0.01, generator=generator)
                nn.init.zeros_(layer.bias)


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resizing of (B, C, h, w) to a size."""
    if maps.shape[2:] == torch.Size(size):
        return maps
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
