"""A trained DnCNN as a denoiser, in its fast form: BatchNorm folded into the convolutions, large images in strips."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.checkpoints import load_state
from usaid.denoisers.base import Denoiser
from usaid.denoisers.dncnn.convolutions import fastest_precision, made_convolutions
from usaid.denoisers.dncnn.network import DnCNN, dncnn_from_state
from usaid.devices import resolved_precision

PIXELS_AT_ONCE = 1 << 21
"""Most of a batch or an image that is denoised at once (2 Mpixel hold 0.5 GB in each 64-channel float32 activation)."""


def folded_convolutions(network: DnCNN) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution with the BatchNorm behind it (in evaluation mode) folded in.

    BatchNorm is y = (x - mean) * gain / sqrt(variance + eps) + shift for each channel, so the fold scales the
    convolution's filters and leaves a bias. Folded in float64, returned in float32.
    """
    folded = []
    layers = list(network.dncnn)
    for index, layer in enumerate(layers):
        if not isinstance(layer, nn.Conv2d):
            continue
        weight = layer.weight.detach().double()
        bias = weight.new_zeros(weight.shape[0]) if layer.bias is None else layer.bias.detach().double()
        norm = layers[index + 1] if index + 1 < len(layers) else None
        if isinstance(norm, nn.BatchNorm2d):
            state = {name: value.double() for name, value in norm.state_dict().items()}
            gain = state["weight"] / torch.sqrt(state["running_var"] + norm.eps)
            weight = weight * gain[:, None, None, None]
            bias = state["bias"] + (bias - state["running_mean"]) * gain
        folded.append((weight.float(), bias.float()))
    return folded


class DnCNNDenoiser(Denoiser):
    """A trained DnCNN as a denoiser: BatchNorm folded, in the fastest way on its device, in strips, any image size.

    Attributes:
        facts: of the method the weights belong to (CDnCNN-B, S-SAID or U-SAID).
    """

    def __init__(
        self,
        weights: DnCNN | str | Path,
        facts: Facts,
        device: torch.device | str = "cpu",
        precision: str = "float32",
    ) -> None:
        """Fold and place the network.

        Args:
            weights: a trained network, or the file of one.
            facts: of the method they belong to.
            device: where to compute.
            precision: of the convolutions, a name of :data:`usaid.devices.PRECISIONS` or ``auto``; input, residual and
                output are float32.

        Raises:
            UsaidError: unreadable weights, or those of another network; no such precision.
        """
        network = weights if isinstance(weights, DnCNN) else dncnn_from_state(load_state(weights), str(weights))
        self.facts = facts
        self.device = torch.device(device)
        layers = folded_convolutions(network)
        fastest = partial(fastest_precision, len(layers), len(layers[0][0]), self.device)
        self.precision = resolved_precision(precision, self.device, fastest)
        self.noise_in = made_convolutions(layers, self.device, self.precision)
        self.record = {"convolution": self.noise_in.way}
        self.halo = len(layers)
        """Rows that the result depends on beyond a strip: one for each 3x3 convolution."""

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, as the base class says; how it is divided depends on the size of its images alone."""
        height, width = noisy.shape[2:]
        images = max(1, PIXELS_AT_ONCE // (height * width))
        rows = max(self.halo, PIXELS_AT_ONCE // width)
        parts = [
            torch.cat([self.strip(some, top, min(top + rows, height)) for top in range(0, height, rows)], dim=2)
            for some in noisy.split(images)
        ]
        return torch.cat(parts)

    def strip(self, noisy: Tensor, top: int, bottom: int) -> Tensor:
        """Denoise the rows ``top`` to ``bottom``, seeing ``halo`` more rows on either side: exact."""
        start, stop = max(0, top - self.halo), min(noisy.shape[2], bottom + self.halo)
        noise = self.noise_in(noisy[:, :, start:stop])
        return noisy[:, :, top:bottom] - noise[:, :, top - start : bottom - start]
