"""The ways to apply the convolutions of a DnCNN, and which of them is the fastest on this machine."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from usaid.denoisers.dncnn.graphs import GraphedForShapes
from usaid.denoisers.dncnn.winograd import WinogradLayers
from usaid.devices import PRECISIONS, clearly_fastest, float32_products, precisions_of
from usaid.errors import reason_of

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weight (features, channels, 3, 3) and bias (features,) of each convolution; a ReLU follows all but the last."""

CPU = torch.device("cpu")

Way = Literal["direct", "winograd"]

PIXELS_FOR_WINOGRAD = 256
"""In smaller images, whole tiles are too few for it."""

FEATURES_FOR_WINOGRAD = 32
"""Narrower networks are done before numba, which makes its loops, is imported."""

LAYERS_MEASURED = 6
"""Inner layers that are measured in a row: what Winograd's take before the first and after the last comes once."""


class DirectConvolutions:
    """All convolutions by torch, channels-last."""

    way: Way = "direct"

    def __init__(self, layers: Layers, device: torch.device, precision: str) -> None:
        """Place the layers.

        Args:
            layers: float32.
            device: where to compute.
            precision: a name of :data:`usaid.devices.PRECISIONS`.
        """
        self.device, self.precision, self.dtype = device, precision, PRECISIONS[precision]
        place: dict[str, Any] = {"device": device, "dtype": self.dtype}
        self.layers = [
            (weight.to(**place, memory_format=torch.channels_last), bias.to(**place)) for weight, bias in layers
        ]
        self.run = GraphedForShapes(self._run) if device.type == "cuda" else self._run

    def __call__(self, noisy: Tensor) -> Tensor:
        """Predict the noise, float32 (B, 3, H, W)."""
        with float32_products(self.precision, self.device):
            return self.run(noisy)

    def _run(self, noisy: Tensor) -> Tensor:
        features = noisy.to(self.dtype).contiguous(memory_format=torch.channels_last)
        for weight, bias in self.layers[:-1]:
            features = F.relu_(F.conv2d(features, weight, bias, padding=1))
        return F.conv2d(features, *self.layers[-1], padding=1).float()


class WinogradConvolutions:
    """The inner convolutions by Winograd's algorithm, first and last by torch; on the CPU, in float32."""

    way: Way = "winograd"

    def __init__(self, layers: Layers) -> None:
        """Transform the layers.

        Args:
            layers: float32, on the CPU; the inner ones have as many features as channels.

        Raises:
            ImportError: numba is not installed.
        """
        self.first, *inner, self.last = layers
        self.inner = WinogradLayers(inner)
        self.direct = DirectConvolutions(layers, CPU, "float32")

    def __call__(self, noisy: Tensor) -> Tensor:
        """Predict the noise, float32 (B, 3, H, W)."""
        height, width = noisy.shape[2:]
        if height * width < PIXELS_FOR_WINOGRAD:
            return self.direct(noisy)
        features = noisy.contiguous(memory_format=torch.channels_last)
        return F.conv2d(self.inner(F.conv2d(features, *self.first, padding=1)), *self.last, padding=1)


def made_convolutions(
    layers: Layers, device: torch.device, precision: str
) -> DirectConvolutions | WinogradConvolutions:
    """The convolutions in their fastest way.

    Args:
        layers: float32, on the CPU.
        device: where to compute.
        precision: a name of :data:`usaid.devices.PRECISIONS`.
    """
    has_inner = device.type == "cpu" and precision == "float32" and len(layers) > 2
    if has_inner and len(layers[1][0]) >= FEATURES_FOR_WINOGRAD and faster_way(len(layers[1][0])) == "winograd":
        return WinogradConvolutions(layers)
    return DirectConvolutions(layers, device, precision)


@cache
def faster_way(features: int) -> str:
    """How inner convolutions of so many features are the faster on this CPU, in float32; measured once a process."""
    layers = _random_layers(*[features] * (LAYERS_MEASURED + 1))
    image = torch.zeros(1, features, *_small_image(CPU)).contiguous(memory_format=torch.channels_last)
    try:
        winograd = WinogradLayers(layers)
        winograd(image)
    except ImportError:
        return "direct"
    except Exception as error:  # whatever a compiler or its cache on the disk raises; the other way works
        print(f"Winograd convolutions are not used: {reason_of(error)}", file=sys.stderr, flush=True)
        return "direct"

    def direct(features: Tensor) -> Tensor:
        for weight, bias in layers:
            features = F.relu_(F.conv2d(features, weight, bias, padding=1))
        return features

    ways: dict[str, Callable[[Tensor], Tensor]] = {"direct": direct, "winograd": winograd}
    return clearly_fastest(ways, lambda way: seconds_of(ways[way], image))


@cache
def fastest_precision(depth: int, features: int, device: torch.device) -> str:
    """What precision ``auto`` stands for on a device, for networks of a shape; measured once a process."""
    layers = _random_layers(3, *[features] * (depth - 1), 3)
    image = torch.zeros(1, 3, *_small_image(device), device=device)
    return clearly_fastest(
        precisions_of(device), lambda name: seconds_of(made_convolutions(layers, device, name), image)
    )


def seconds_of(function: Callable[[Tensor], Tensor], image: Tensor) -> float:
    """The shortest of five times that a function takes, in seconds, after a call that is not counted."""
    times = []
    with torch.inference_mode():
        for _ in range(6):
            start = time.perf_counter()
            function(image)
            if image.is_cuda:
                torch.cuda.synchronize(image.device)
            times.append(time.perf_counter() - start)
    return min(times[1:])


def _small_image(device: torch.device) -> tuple[int, int]:
    """A size that keeps all threads busy for milliseconds: so short a time is now and then undisturbed, if not idle."""
    return (512, 768) if device.type == "cuda" else (48 * torch.get_num_threads(), 192)


def _random_layers(*widths: int) -> Layers:
    """Layers from each width to the next that keep the spread of what they are given, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    return [
        (
            (torch.randn(after, before, 3, 3, generator=generator) * (2 / (9 * before)) ** 0.5).contiguous(
                memory_format=torch.channels_last
            ),
            torch.zeros(after),
        )
        for before, after in pairwise(widths)
    ]
