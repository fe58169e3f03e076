"""FFDNet as a denoiser: its convolutions in the fastest way on their device, large images in strips."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser, checked_told_sigma
from usaid.denoisers.dncnn.convolutions import fastest_precision, made_convolutions
from usaid.denoisers.dncnn.strips import in_strips
from usaid.denoisers.ffdnet.network import LAYOUTS, WHAT, on_half_size
from usaid.denoisers.layouts import read_network
from usaid.devices import resolved_precision


class FFDNetDenoiser(Denoiser):
    """A trained FFDNet as a denoiser of images of any size; one of grey images denoises each channel by itself."""

    def __init__(
        self, weights: str | Path, facts: Facts, device: torch.device | str = "cpu", precision: str = "float32"
    ) -> None:
        """Load and place the network.

        Args:
            weights: file of the network; the layout that it has is in ``record``.
            facts: of the method.
            device: where to compute.
            precision: of the convolutions, a name of :data:`usaid.devices.PRECISIONS` or ``auto``; input and output are
                float32.

        Raises:
            UsaidError: unreadable weights, or those of another network; no such precision.
        """
        network, layout = read_network(weights, LAYOUTS, WHAT)
        self.facts, self.device, self.channels = facts, torch.device(device), network.channels
        layers = [
            (part.weight, part.bias) for part in network.model if isinstance(part, nn.Conv2d) and part.bias is not None
        ]
        fastest = partial(fastest_precision, len(layers), len(layers[0][0]), self.device)
        self.precision = resolved_precision(precision, self.device, fastest)
        convolutions = made_convolutions(layers, self.device, self.precision)
        self.convolve = partial(in_strips, convolutions, halo=len(layers))
        self.record = {"convolution": convolutions.way, "layout": layout}

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, as the base class says."""
        images = noisy.reshape(-1, self.channels, *noisy.shape[2:])
        return on_half_size(self.convolve, images, checked_told_sigma(told_sigma) / 255).reshape(noisy.shape)
