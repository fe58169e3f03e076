"""DnCNN (Zhang et al. 2017), the network behind CDnCNN-B, S-SAID and U-SAID, and the layouts that its files have."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from usaid.denoisers.layouts import GREY, Layout, State, depth_and_features, layout_of, network_of, not_of, with_grey
from usaid.errors import UsaidError

FLOP_PER_PIXEL = 2 * 9 * (3 * 64 + 18 * 64 * 64 + 64 * 3)
"""Work of the 20-layer, 64-feature network: 1.334 MFLOP a pixel (a multiplication and an addition are two)."""

WHAT = "a DnCNN"
RELEASED = "released"
"""The layout that is our own, too."""

KAIR_EPSILON = 1e-4
"""Of the BatchNorm in KAIR's networks (its models/basicblock.py); torch's, and the released code's, is 1e-5."""

_DEPTH_OF_IRCNN = 7
"""Its checkpoints (Zhang et al., CVPR 2017) have the very keys and shapes of a DnCNN of that depth."""


class DnCNN(nn.Module):
    """Residual denoising network (paper section III; PROTOCOL section 1).

    ``depth`` convolutions 3x3 without bias, ``features`` channels, ReLU after all but the last, BatchNorm on the inner
    ones. The default is the 20-layer blind colour model CDnCNN-B with 669,312 parameters; networks of grey images have
    one channel, and are given each channel of an image by itself. With ``merged`` the
    convolutions have biases and there is no BatchNorm: what a trained network becomes when its BatchNorm is merged into
    them, as in checkpoints for inference.
    """

    def __init__(self, depth: int = 20, features: int = 64, merged: bool = False, channels: int = 3) -> None:
        super().__init__()
        self.channels = channels
        layers: list[nn.Module] = []
        for number in range(depth):
            before, after = (channels if number == 0 else features), (channels if number == depth - 1 else features)
            layers.append(nn.Conv2d(before, after, 3, padding=1, bias=merged))
            if 0 < number < depth - 1 and not merged:
                layers.append(nn.BatchNorm2d(features))
            if number < depth - 1:
                layers.append(nn.ReLU(inplace=True))
        self.dncnn = nn.Sequential(*layers)

    def forward(self, noisy: Tensor) -> Tensor:
        """Predict the noise in a batch.

        Args:
            noisy: float (B, channels, H, W), [0, 1] image plus unclipped noise.

        Returns:
            The predicted noise, same shape; the denoised image is ``noisy - network(noisy)``.
        """
        return self.dncnn(noisy)


def merged_convolution(
    weight: Tensor, bias: Tensor, mean: Tensor, deviation: Tensor, gain: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the BatchNorm behind it (in evaluation mode) merged in.

    BatchNorm is y = (x - mean) * gain / deviation + shift for each channel, so it scales the convolution's filters and
    leaves a bias. To be given in float64.

    Args:
        weight: (features, channels, 3, 3).
        bias: (features,), as all that follow.
        mean: running mean.
        deviation: square root of running variance plus epsilon.
        gain: BatchNorm's weight.
        shift: BatchNorm's bias.
    """
    scale = gain / deviation
    return weight * scale[:, None, None, None], shift + (bias - mean) * scale


# ------------------------------------------------------------------------------------------------ layouts of files


def dncnn_from_state(state: State, source: str) -> DnCNN:
    """Build the DnCNN whose weights ``state`` holds; depth, width and layout are read off keys and shapes.

    Args:
        state: name -> tensor, in one of :data:`LAYOUTS`. A file does not tell the activation; it is taken to be ReLU.
        source: the file, for error messages.

    Raises:
        UsaidError: as :func:`dncnn_layout_of`.
    """
    return network_of(state, dncnn_layout_of(state, source), source)


def dncnn_layout_of(state: State, source: str) -> Layout[DnCNN]:
    """The one of :data:`LAYOUTS` that a state has.

    Raises:
        UsaidError: it has none, with the first key that differs, or it looks like a DnCNN and computes something else.
    """
    if "dncnn.0.bias" in state and any(key.endswith("running_var") for key in state):
        reason = "has BatchNorm beside biases, with an epsilon that the file does not tell"
        raise UsaidError(f"{source}: {reason}; merge BatchNorm into the convolutions and save it again")
    layout = layout_of(state, LAYOUTS, not_of(source, WHAT))
    if layout.name.removesuffix(GREY) == "kair" and depth_and_features(state)[0] == _DEPTH_OF_IRCNN:
        raise UsaidError(
            f"{source}: has IRCNN's {_DEPTH_OF_IRCNN} layers, whose convolutions are dilated; give a DnCNN"
        )
    return layout


def _network(state: State, merged: bool, channels: int = 3) -> DnCNN:
    return DnCNN(*depth_and_features(state), merged, channels)


def _renamed(state: State, before: str, after: str) -> dict[str, Tensor]:
    return {f"{after}{key.removeprefix(before)}": value for key, value in state.items()}


def _with_batchnorm(state: State) -> dict[str, Tensor]:
    """The keys and shapes of KAIR's network before its BatchNorm is merged, from those of the merged one."""
    depth, features = depth_and_features(state)
    channels = state["dncnn.0.weight"].shape[1]
    found = _renamed(DnCNN(depth, features, channels=channels).state_dict(), "dncnn.", "model.")
    for key, value in list(found.items()):
        if value.ndim == 4:
            found[f"{key.removesuffix('weight')}bias"] = value.new_empty(len(value))
    return found


def _merged(state: State) -> dict[str, Tensor]:
    """The state of the merged network from KAIR's with BatchNorm beside biases."""
    numbers = sorted(int(key.split(".")[1]) for key, value in state.items() if value.ndim == 4)
    layers = []
    for number in numbers:
        weight, bias = (state[f"model.{number}.{name}"].double() for name in ("weight", "bias"))
        if f"model.{number + 1}.running_var" in state:
            names = ("running_mean", "running_var", "weight", "bias")
            mean, variance, gain, shift = (state[f"model.{number + 1}.{name}"].double() for name in names)
            deviation = torch.sqrt(variance + KAIR_EPSILON)
            weight, bias = merged_convolution(weight, bias, mean, deviation, gain, shift)
        layers.append((weight.float(), bias.float()))
    return state_of_layers(layers)


def state_of_layers(layers: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """The state of a merged network from weight and bias of each of its convolutions."""
    named = zip(("weight", "bias"), zip(*layers, strict=True), strict=True)
    return {f"dncnn.{2 * number}.{name}": value for name, values in named for number, value in enumerate(values)}


def _deepinv_name(number: int, depth: int) -> str:
    return {0: "in_conv", depth - 1: "out_conv"}.get(number, f"conv_list.{number - 1}")


def _named_as_deepinv(state: State) -> dict[str, Tensor]:
    """deepinv's keys and shapes, from those of the merged network."""
    depth, named = depth_and_features(state)[0], {}
    for key, value in state.items():
        _, number, name = key.split(".")
        named[f"{_deepinv_name(int(number) // 2, depth)}.{name}"] = value
    return named


def _from_deepinv(state: State) -> dict[str, Tensor]:
    """The state of the merged network from deepinv's, which adds to the image what ours takes away: the last layer."""
    depth, layers = depth_and_features(state)[0], []
    for number in range(depth):
        weight = state[f"{_deepinv_name(number, depth)}.weight"]
        bias = state.get(f"{_deepinv_name(number, depth)}.bias", weight.new_zeros(len(weight)))
        layers.append((weight, bias))
    weight, bias = layers.pop()
    return state_of_layers([*layers, (-weight, -bias)])


def _without_biases(state: State) -> dict[str, Tensor]:
    return {key: value for key, value in _named_as_deepinv(state).items() if not key.endswith("bias")}


_of_norm, _of_merged = partial(_network, merged=False), partial(_network, merged=True)
_as_kair, _from_kair = (
    partial(_renamed, before="dncnn.", after="model."),
    partial(_renamed, before="model.", after="dncnn."),
)

LAYOUTS: tuple[Layout[DnCNN], ...] = with_grey(
    Layout("dncnn", RELEASED, "the released checkpoints' DnCNN", _of_norm),
    Layout("dncnn", "merged", "DnCNN with BatchNorm merged", _of_merged),
    Layout("dncnn", "kair", "KAIR's DnCNN", _of_merged, _as_kair, _from_kair),
    Layout("dncnn", "kair_batchnorm", "KAIR's DnCNN with BatchNorm", _of_merged, _with_batchnorm, _merged),
    Layout("dncnn", "deepinv", "deepinv's DnCNN", _of_merged, _named_as_deepinv, _from_deepinv),
    Layout("dncnn", "deepinv", "deepinv's DnCNN without biases", _of_merged, _without_biases, _from_deepinv),
)
"""How checkpoints hold a DnCNN: under the released checkpoints' keys, which are our own (``dncnn.<n>.*``), under KAIR's
(``model.<n>.*``, with BatchNorm merged for inference, or beside biases as trained), and under deepinv's (``in_conv``,
``conv_list.<n>``, ``out_conv``); each of colour or of grey images."""
