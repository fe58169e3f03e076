"""The files in which DnCNN's authors published it: MATLAB's, of MatConvNet's ``simplenn`` networks."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from usaid.checkpoints import require_finite
from usaid.denoisers.dncnn.network import merged_convolution, state_of_layers
from usaid.denoisers.matlab import read_matlab
from usaid.errors import UsaidError

LAYOUT = "matconvnet"
"""As it is recorded."""

_FIELDS = ("layers", "type", "weights", "pad", "stride", "dilate", "leak")
_CURE = "give a DnCNN as its authors saved it, or save its state_dict"


def state_of_matconvnet(path: Path) -> dict[str, Tensor]:
    """The state of the merged network from a file like the authors' ``model/GD_Color_Blind.mat``.

    It holds a struct ``net``, whose ``layers`` are a cell array of structs: ``conv`` with ``weights`` {filters (height,
    width, channels, features), biases}, ``relu``, and before they are merged ``bnorm`` with {gain, shift, (mean,
    deviation)}. MatConvNet's convolution is torch's: filters are not turned. The network predicts the noise.

    Raises:
        UsaidError: as :func:`usaid.denoisers.matlab.read_matlab`, or layers that are not those of a DnCNN.
    """
    net = read_matlab(path, "net", _FIELDS)
    layers = net.get("layers") if isinstance(net, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise UsaidError(f"{path}: its 'net' has no cell array 'layers' of structs; {_CURE}")
    kinds = [str(layer.get("type")) for layer in layers]
    if not re.fullmatch(r"(conv (bnorm )?relu )*conv (loss )?", "".join(f"{kind} " for kind in kinds)):
        order = " ".join(kinds[:6])
        raise UsaidError(f"{path}: its layers are '{order:.60} ...', not conv, relu, conv ... conv; {_CURE}")
    convolutions: list[tuple[Tensor, Tensor]] = []
    for number, (kind, layer) in enumerate(zip(kinds, layers, strict=True), start=1):
        place = f"net.layers{{{number}}}"
        _check_settings(layer, kind, place, path)
        if kind == "conv":
            convolutions.append(_convolution(layer, place, path))
        elif kind == "bnorm":
            convolutions.append(_with_norm(convolutions.pop(), layer, place, path))
    return state_of_layers([(weight.float(), bias.float()) for weight, bias in convolutions])


def _check_settings(layer: dict[str, Any], kind: str, place: str, path: Path) -> None:
    """See that a layer does what DnCNN's does: 3x3 with a border of one, or a plain ReLU."""
    needed = {"conv": {"pad": 1, "stride": 1, "dilate": 1}, "relu": {"leak": 0}}.get(kind, {})
    for key, value in needed.items():
        found = np.asarray(layer.get(key, value))
        if not np.array_equal(found, np.full_like(found, value)):
            raise UsaidError(f"{path}: {place}.{key} is {found.ravel()[0]}, not {value} as in a DnCNN; {_CURE}")


def _convolution(layer: dict[str, Any], place: str, path: Path) -> tuple[Tensor, Tensor]:
    filters, biases = _numbers(layer, 2, place, path)
    filters = filters.reshape(*filters.shape, *(1,) * (4 - filters.ndim))  # MATLAB drops last dimensions of 1
    weight = filters.permute(3, 2, 0, 1)
    bias = biases.flatten() if biases.numel() else weight.new_zeros(len(weight))
    if weight.shape[2:] != (3, 3) or len(bias) != len(weight):
        shapes = f"filters of {tuple(filters.shape)} and {len(bias)} biases"
        raise UsaidError(f"{path}: {place} has {shapes}; a DnCNN's are (3, 3, channels, features) and (features)")
    return weight, bias


def _with_norm(
    convolution: tuple[Tensor, Tensor], layer: dict[str, Any], place: str, path: Path
) -> tuple[Tensor, Tensor]:
    gain, shift, moments = _numbers(layer, 3, place, path)
    features = len(convolution[1])
    if (gain.numel(), shift.numel(), tuple(moments.shape)) != (features, features, (features, 2)):
        raise UsaidError(f"{path}: {place} is no BatchNorm of {features} features; {_CURE}")
    mean, deviation = moments.unbind(1)
    return merged_convolution(*convolution, mean, deviation, gain.flatten(), shift.flatten())


def _numbers(layer: dict[str, Any], count: int, place: str, path: Path) -> list[Tensor]:
    """The arrays of a layer, float64."""
    weights = layer.get("weights")
    arrays = weights if isinstance(weights, list) else []
    if len(arrays) < count or not all(isinstance(own, np.ndarray) and own.ndim <= 4 for own in arrays[:count]):
        raise UsaidError(f"{path}: {place}.weights is no cell array of {count} arrays of numbers; {_CURE}")
    tensors = [torch.from_numpy(np.array(own, np.float64)) for own in arrays[:count]]
    for number, values in enumerate(tensors, start=1):
        require_finite(values, f"{place}.weights{{{number}}}", path)
    return tensors
