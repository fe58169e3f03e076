"""A trained DnCNN as a denoiser, in its fast form: BatchNorm folded into the convolutions, large images in strips."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.dncnn.convolutions import fastest_precision, made_convolutions
from usaid.denoisers.dncnn.importing import read_dncnn
from usaid.denoisers.dncnn.network import DnCNN, merged_convolution
from usaid.denoisers.dncnn.strips import in_strips
from usaid.devices import resolved_precision


def folded_convolutions(network: DnCNN) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution with the BatchNorm behind it (in evaluation mode) folded in.

    Folded in float64, returned in float32.
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
            deviation = torch.sqrt(state["running_var"] + norm.eps)
            moments = (state["running_mean"], deviation, state["weight"], state["bias"])
            weight, bias = merged_convolution(weight, bias, *moments)
        folded.append((weight.float(), bias.float()))
    return folded


class DnCNNDenoiser(Denoiser):
    """A trained DnCNN as a denoiser: BatchNorm folded, in the fastest way on its device, in strips, any image size.

    A network of grey images denoises each channel by itself.

    Attributes:
        facts: of the method the weights belong to (CDnCNN-B, S-SAID, U-SAID, or any DnCNN).
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
            weights: a trained network, or the file of one, as :func:`usaid.denoisers.dncnn.importing.read_dncnn` takes
                it; the layout that it has is in ``record``.
            facts: of the method they belong to.
            device: where to compute.
            precision: of the convolutions, a name of :data:`usaid.devices.PRECISIONS` or ``auto``; input, residual and
                output are float32.

        Raises:
            UsaidError: unreadable weights, or those of another network; no such precision.
        """
        network, layout = (weights, None) if isinstance(weights, DnCNN) else read_dncnn(weights)
        self.facts, self.channels = facts, network.channels
        self.device = torch.device(device)
        layers = folded_convolutions(network)
        fastest = partial(fastest_precision, len(layers), len(layers[0][0]), self.device)
        self.precision = resolved_precision(precision, self.device, fastest)
        self.noise_in = made_convolutions(layers, self.device, self.precision)
        self.record = {"convolution": self.noise_in.way} | ({} if layout is None else {"layout": layout})
        self.halo = len(layers)
        """Rows that the result depends on beyond a strip: one for each 3x3 convolution."""

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, as the base class says; how it is divided depends on the size of its images alone."""
        images = noisy.reshape(-1, self.channels, *noisy.shape[2:])
        return (images - in_strips(self.noise_in, images, self.halo)).reshape(noisy.shape)
