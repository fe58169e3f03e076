"""A trained DnCNN as a denoiser, in its fast form: BatchNorm folded into the convolutions, large images in strips."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.checkpoints import load_state
from usaid.denoisers.base import Denoiser
from usaid.denoisers.dncnn.network import DnCNN, dncnn_from_state
from usaid.devices import PRECISIONS

PIXELS_PER_STRIP = 1 << 21
"""Largest strip that is denoised at once (2 Mpixel hold 0.5 GB in each 64-channel float32 activation)."""


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
    """A trained DnCNN as a denoiser: BatchNorm folded, channels-last, in strips, any image size.

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
            precision: ``float32``, or ``bfloat16`` for the convolutions (input, residual and output stay float32).

        Raises:
            UsaidError: unreadable weights, or those of another network.
        """
        network = weights if isinstance(weights, DnCNN) else dncnn_from_state(load_state(weights), str(weights))
        self.facts = facts
        self.device = torch.device(device)
        self.precision, self.dtype = precision, PRECISIONS[precision]
        place: dict[str, Any] = {"device": self.device, "dtype": self.dtype}
        self.layers = [
            (weight.to(**place, memory_format=torch.channels_last), bias.to(**place))
            for weight, bias in folded_convolutions(network)
        ]
        self.halo = len(self.layers)
        """Rows that the result depends on beyond a strip: one for each 3x3 convolution."""

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        batch, _, height, width = noisy.shape
        rows = max(self.halo, PIXELS_PER_STRIP // (batch * width))
        strips = [self.strip(noisy, top, min(top + rows, height)) for top in range(0, height, rows)]
        return strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)

    def strip(self, noisy: Tensor, top: int, bottom: int) -> Tensor:
        """Denoise the rows ``top`` to ``bottom``, seeing ``halo`` more rows on either side: exact."""
        start, stop = max(0, top - self.halo), min(noisy.shape[2], bottom + self.halo)
        features = noisy[:, :, start:stop].to(self.dtype).contiguous(memory_format=torch.channels_last)
        for weight, bias in self.layers[:-1]:
            features = F.relu_(F.conv2d(features, weight, bias, padding=1))
        noise = F.conv2d(features, *self.layers[-1], padding=1)
        return noisy[:, :, top:bottom] - noise[:, :, top - start : bottom - start].to(noisy.dtype)
