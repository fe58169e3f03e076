"""DnCNN (Zhang et al. 2017), the network behind CDnCNN-B, S-SAID and U-SAID, and its fast form for inference."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.checkpoints import load_state
from usaid.denoisers.base import Denoiser, Facts
from usaid.errors import UsaidError

FLOP_PER_PIXEL = 2 * 9 * (3 * 64 + 18 * 64 * 64 + 64 * 3)
"""Work of the 20-layer, 64-feature network: 1.334 MFLOP a pixel (a multiplication and an addition are two)."""

PIXELS_PER_STRIP = 1 << 21
"""Largest strip that is denoised at once (2 Mpixel hold 0.5 GB in each 64-channel float32 activation)."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class DnCNN(nn.Module):
    """Residual denoising network (paper section III; PROTOCOL section 1).

    ``depth`` convolutions 3x3 without bias, ``features`` channels, ReLU after all but the last, BatchNorm on the inner
    ones. The default is the 20-layer blind colour model CDnCNN-B with 669,312 parameters.
    """

    def __init__(self, depth: int = 20, features: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1, bias=False), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [
                nn.Conv2d(features, features, 3, padding=1, bias=False),
                nn.BatchNorm2d(features),
                nn.ReLU(inplace=True),
            ]
        layers.append(nn.Conv2d(features, 3, 3, padding=1, bias=False))
        self.dncnn = nn.Sequential(*layers)

    def forward(self, noisy: Tensor) -> Tensor:
        """Predict the noise in a batch.

        Args:
            noisy: float (B, 3, H, W), [0, 1] image plus unclipped noise.

        Returns:
            The predicted noise, same shape; the denoised image is ``noisy - network(noisy)``.
        """
        return self.dncnn(noisy)


def dncnn_from_state(state: Mapping[str, Tensor], source: str) -> DnCNN:
    """Build the DnCNN whose weights ``state`` holds; depth and width are read off the shapes.

    Accepts the released checkpoints' keys (``module.dncnn.<n>.*``, from ``DataParallel``) and our own
    (``dncnn.<n>.*``).

    Args:
        state: name -> tensor.
        source: the file, for error messages.

    Raises:
        UsaidError: a key is missing, unknown, or of another shape than a DnCNN's.
    """
    state = {key.removeprefix("module."): value for key, value in state.items()}
    first, convolutions = state.get("dncnn.0.weight"), [k for k, v in state.items() if v.ndim == 4]
    if first is None or first.ndim != 4:
        raise UsaidError(f"{source}: key 'dncnn.0.weight' is missing; this is no DnCNN checkpoint")
    network = DnCNN(depth=len(convolutions), features=first.shape[0])
    expected = network.state_dict()
    for key in expected:
        if key.endswith("num_batches_tracked"):
            state.setdefault(key, expected[key])
        if key not in state:
            raise UsaidError(f"{source}: key {key!r} of DnCNN is missing; this is no DnCNN checkpoint")
        if state[key].shape != expected[key].shape:
            shapes = f"has shape {tuple(state[key].shape)}, DnCNN needs {tuple(expected[key].shape)}"
            raise UsaidError(f"{source}: key {key!r} {shapes}")
    if unknown := sorted(state.keys() - expected.keys()):
        raise UsaidError(f"{source}: key {unknown[0]!r} does not belong to DnCNN")
    network.load_state_dict(state)
    return network.eval()


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
        bias = weight.new_zeros(weight.shape[0])
        norm = layers[index + 1] if index + 1 < len(layers) else None
        if isinstance(norm, nn.BatchNorm2d):
            state = {name: value.double() for name, value in norm.state_dict().items()}
            gain = state["weight"] / torch.sqrt(state["running_var"] + norm.eps)
            weight = weight * gain[:, None, None, None]
            bias = state["bias"] - state["running_mean"] * gain
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
            UsaidError: as :func:`usaid.checkpoints.load_state` and :func:`dncnn_from_state`.
        """
        network = weights if isinstance(weights, DnCNN) else dncnn_from_state(load_state(weights), str(weights))
        self.facts = facts
        self.device = torch.device(device)
        self.dtype = PRECISIONS[precision]
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
