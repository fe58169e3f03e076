"""A network of one's own: trained by one of the paper's losses (``mse``, ``supervised``, ``unsupervised``), and scored.

usaid train --denoiser examples/small_unet.py:SmallUNet --loss unsupervised --data-root data
usaid evaluate examples/small_unet.py:SmallUNet --weights results/paper/weights/SmallUNet_unsupervised.safetensors \
    --benchmark kodak_quality --data-root data --images 3

``config/smoke.yaml`` trains it with all three, as denoisers of an experiment.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn


class SmallUNet(nn.Module):
    """Encoder, decoder, and a connection across at each resolution: a batch of noisy images in, denoised ones out.

    Any image size works: a map that was halved is brought back to the size of the one that it is joined with.
    """

    def __init__(self, features: int = 32, levels: int = 3) -> None:
        """
        Args:
            features: channels at full resolution; each level below has twice as many.
            levels: resolutions, the full one among them.
        """
        super().__init__()
        widths = [features << level for level in range(levels)]
        self.down = nn.ModuleList(_block(*pair) for pair in pairwise([3, *widths]))
        self.up = nn.ModuleList(_block(own + below, own) for own, below in pairwise(widths))
        self.last = nn.Conv2d(features, 3, kernel_size=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)  # it starts as the identity: what is learnt is what to take away

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise a batch.

        Args:
            noisy: float (B, 3, H, W), a [0, 1] image plus unclipped noise.

        Returns:
            The denoised images, same shape.
        """
        maps: list[Tensor] = []
        for level, block in enumerate(self.down):
            maps.append(block(nn.functional.avg_pool2d(maps[-1], 2, ceil_mode=True) if level else noisy))
        seen = maps.pop()
        for block in reversed(self.up):
            across = maps.pop()
            raised = nn.functional.interpolate(seen, size=across.shape[2:], mode="nearest")
            seen = block(torch.cat([raised, across], dim=1))
        return noisy - self.last(seen)


def _block(channels_in: int, channels: int) -> nn.Sequential:
    """Two convolutions, each with BatchNorm and ReLU."""
    layers: list[nn.Module] = []
    for width in (channels_in, channels):
        layers += [nn.Conv2d(width, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers)
