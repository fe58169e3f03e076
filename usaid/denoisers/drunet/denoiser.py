"""DRUNet as a denoiser."""

from pathlib import Path

import torch
from torch import Tensor

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser, checked_told_sigma
from usaid.denoisers.dncnn.strips import PIXELS_AT_ONCE
from usaid.denoisers.drunet.network import LAYOUTS, WHAT
from usaid.denoisers.layouts import read_network
from usaid.devices import PRECISIONS, float32_products, resolved_precision


class DRUNetDenoiser(Denoiser):
    """A trained DRUNet as a denoiser of images of any size; one of grey images denoises each channel by itself.

    A large batch is denoised a few images at a time, an image always as a whole: each pixel depends on hundreds of
    others around it.
    """

    def __init__(
        self, weights: str | Path, facts: Facts, device: torch.device | str = "cpu", precision: str = "float32"
    ) -> None:
        """Load and place the network.

        Args:
            weights: file of the network; the layout that it has is in ``record``.
            facts: of the method.
            device: where to compute.
            precision: of the network, a name of :data:`usaid.devices.PRECISIONS` (``auto``: float32); input and output
                are float32.

        Raises:
            UsaidError: unreadable weights, or those of another network; no such precision.
        """
        network, layout = read_network(weights, LAYOUTS, WHAT)
        self.facts, self.device, self.channels = facts, torch.device(device), network.channels
        self.precision = resolved_precision(precision, self.device)
        self.dtype = PRECISIONS[self.precision]
        self.network = network.to(self.device, self.dtype).to(memory_format=torch.channels_last)
        self.record = {"layout": layout}

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, as the base class says."""
        sigma = checked_told_sigma(told_sigma) / 255
        images = noisy.reshape(-1, self.channels, *noisy.shape[2:])
        at_once = max(1, PIXELS_AT_ONCE // noisy[0, 0].numel())
        with float32_products(self.precision, self.device):
            parts = [self.network(some.to(self.dtype), sigma).float() for some in images.split(at_once)]
        return torch.cat(parts).reshape(noisy.shape)
