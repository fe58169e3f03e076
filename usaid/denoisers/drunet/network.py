"""DRUNet (Zhang et al. 2021), and the layout that its files have."""

import re
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from usaid.denoisers.layouts import Layout, State, import_network, with_grey
from usaid.denoisers.padding import repeated

WIDTHS = (64, 128, 256, 512)
"""Channels at full, half, quarter and eighth size."""

BLOCKS = 4
"""Residual blocks at each size, on either way."""


class ResidualBlock(nn.Module):
    """Adds to its input what two convolutions with a ReLU between them make of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.res = nn.Sequential(convolution(width, width), nn.ReLU(inplace=True), convolution(width, width))

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) -> the same shape."""
        return features + self.res(features)


class DRUNet(nn.Module):
    """Non-blind residual U-Net of four sizes, whose ways down and up are added, without biases.

    K. Zhang, Y. Li, W. Zuo, L. Zhang, L. Van Gool and R. Timofte, "Plug-and-play image restoration with deep denoiser
    prior", IEEE TPAMI 2021. The map of the noise level is its last input channel. Its keys are KAIR's (``UNetRes``)
    and deepinv's.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: int = BLOCKS, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.divisor = 2 ** (len(widths) - 1)
        """Of the sides of images that it halves."""
        self.steps = range(1, len(widths))
        self.m_head = convolution(channels + 1, widths[0])
        for step, (wide, narrow) in enumerate(pairwise(widths), start=1):
            down = nn.Conv2d(wide, narrow, 2, stride=2, bias=False)
            up = nn.ConvTranspose2d(narrow, wide, 2, stride=2, bias=False)
            self.add_module(f"m_down{step}", nn.Sequential(*residual_blocks(wide, blocks), down))
            self.add_module(f"m_up{step}", nn.Sequential(up, *residual_blocks(wide, blocks)))
        self.m_body = nn.Sequential(*residual_blocks(widths[-1], blocks))
        self.m_tail = convolution(widths[0], channels)

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        """Denoise a batch.

        Args:
            noisy: float (B, channels, H, W), [0, 1] image plus unclipped noise, of any size.
            sigma: noise level, [0, 1] scale.

        Returns:
            The denoised images, same shape.
        """
        height, width = noisy.shape[2:]
        images = repeated(noisy, self.divisor)
        features = [self.m_head(torch.cat([images, torch.full_like(images[:, :1], sigma)], dim=1))]
        for step in self.steps:
            features.append(self.get_submodule(f"m_down{step}")(features[-1]))
        merged = self.m_body(features[-1])
        for step in reversed(self.steps):
            merged = self.get_submodule(f"m_up{step}")(merged + features.pop())
        return self.m_tail(merged + features.pop())[:, :, :height, :width]


def convolution(before: int, after: int) -> nn.Conv2d:
    """A convolution 3x3 without biases that keeps the size."""
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def residual_blocks(width: int, count: int) -> list[ResidualBlock]:
    """Some blocks to be applied one after the other."""
    return [ResidualBlock(width) for _ in range(count)]


def _network(state: State, channels: int = 3) -> DRUNet:
    """Widths are read off head and ways down, the number of blocks off the body's keys."""
    blocks = len({match[1] for key in state if (match := re.match(r"m_body\.(\d+)\.", key))}) or BLOCKS
    keys = ["m_head.weight", *(f"m_down{step}.{blocks}.weight" for step in range(1, len(WIDTHS)))]
    widths = [
        max(len(state[key]), 1) if key in state and state[key].ndim == 4 else width
        for key, width in zip(keys, WIDTHS, strict=True)
    ]
    return DRUNet(widths, blocks, channels)


LAYOUTS: tuple[Layout[DRUNet], ...] = with_grey(Layout("drunet", "kair", "KAIR's and deepinv's DRUNet", _network))
WHAT = "a DRUNet"
"""What files of these layouts hold, for errors."""

import_drunet = partial(import_network, layouts=LAYOUTS, what=WHAT)
"""The card's importer."""
