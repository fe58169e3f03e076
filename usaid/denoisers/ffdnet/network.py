"""FFDNet (Zhang et al. 2018), and the layout that its files have."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.denoisers.layouts import Layout, State, depth_and_features, import_network, with_grey
from usaid.denoisers.padding import repeated


class FFDNet(nn.Module):
    """Non-blind denoising network: convolutions 3x3 on four shifted half-size images and a map of the noise level.

    K. Zhang, W. Zuo and L. Zhang, "FFDNet: Toward a fast and flexible solution for CNN-based image denoising", IEEE TIP
    27(9), 2018. ``depth`` convolutions with biases, ``features`` channels, ReLU after all but the last; the default is
    the published colour network; that of grey images has 15, 64 and one channel. Its keys are KAIR's.
    """

    def __init__(self, depth: int = 12, features: int = 96, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        widths = [channels * 4 + 1, *[features] * (depth - 1), channels * 4]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        """Denoise a batch.

        Args:
            noisy: float (B, channels, H, W), [0, 1] image plus unclipped noise, of any size.
            sigma: noise level, [0, 1] scale.

        Returns:
            The denoised images, same shape.
        """
        return on_half_size(self.model, noisy, sigma)


def on_half_size(convolve: Callable[[Tensor], Tensor], noisy: Tensor, sigma: float) -> Tensor:
    """What FFDNet does around its convolutions, whichever way these are computed; as :meth:`FFDNet.forward`."""
    height, width = noisy.shape[2:]
    halves = F.pixel_unshuffle(repeated(noisy, 2), 2)
    told = torch.full_like(halves[:, :1], sigma)
    denoised: Tensor = F.pixel_shuffle(convolve(torch.cat([halves, told], dim=1)), 2)
    return denoised[:, :, :height, :width]


def _network(state: State, channels: int = 3) -> FFDNet:
    return FFDNet(*depth_and_features(state), channels)


LAYOUTS: tuple[Layout[FFDNet], ...] = with_grey(Layout("ffdnet", "kair", "KAIR's FFDNet", _network))
WHAT = "an FFDNet"
"""What files of these layouts hold, for errors."""

import_ffdnet = partial(import_network, layouts=LAYOUTS, what=WHAT)
"""The card's importer."""
