"""Files of weights of MLP: a network for each of one or more noise levels; its sizes are read off the shapes."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from usaid.checkpoints import load_state, write_weights
from usaid.denoisers.mlp.network import MLP, as_one_module, border_of, model_name
from usaid.errors import UsaidError


def write_models(models: Mapping[float, MLP], weights: Path, record: Mapping[str, Any]) -> None:
    """Write the models of one or more noise levels as one safetensors file.

    Args:
        models: sigma (0-255 scale) -> network.
        weights: the file; its keys are ``sigma25.layers.0.weight`` or, for sigma 12.5, ``sigma12_5.layers.0.weight``.
        record: JSON-able, about where the weights come from: ``origin`` is ``published`` or ``trained``.
    """
    write_weights(as_one_module(models), weights, record)


def load_models(weights: str | Path) -> dict[float, MLP]:
    """Read a file that :func:`write_models` wrote; the sizes of the networks are read off the shapes.

    Returns:
        sigma (0-255 scale) -> network, in ascending order.

    Raises:
        UsaidError: as :func:`usaid.checkpoints.load_state`, or a key is missing, unknown, or of a wrong shape.
    """
    state = load_state(weights)
    numbers: dict[float, set[int]] = {}
    for key in state:
        sigma, number = _place_of(key, weights)
        numbers.setdefault(sigma, set()).add(number)
    if not numbers:
        raise UsaidError(f"{weights}: holds no weights; write the file again")
    models = {}
    for sigma in sorted(numbers):
        layers = {}
        for number in range(max(numbers[sigma]) + 1):
            name = f"{model_name(sigma)}.layers.{number}"
            for key in (f"{name}.weight", f"{name}.bias"):
                if key not in state:
                    raise UsaidError(f"{weights}: key {key!r} is missing; write the file again")
            layers[name] = (state[f"{name}.weight"], state[f"{name}.bias"])
        models[sigma] = network_of(layers, weights)
    return models


def _place_of(key: str, weights: str | Path) -> tuple[float, int]:
    """Sigma and number of the layer that a key belongs to."""
    match = re.fullmatch(r"sigma(\d{1,20}(?:_\d{1,20})?)\.layers\.(\d{1,20})\.(?:weight|bias)", key)
    if match is None:
        raise UsaidError(f"{weights}: key {key!r} does not belong to MLP; its keys are like 'sigma25.layers.0.weight'")
    return float(match[1].replace("_", ".")), int(match[2])


def network_of(layers: Mapping[str, tuple[Tensor, Tensor]], source: str | Path) -> MLP:
    """The network that has these layers; its sizes are read off their shapes.

    Args:
        layers: name in the file -> weight (outputs, inputs) and bias (outputs), from the first layer to the last.
        source: the file, for error messages.

    Raises:
        UsaidError: shapes that do not fit together, or patches that are not square or not centred.
    """
    for name, (weight, bias) in layers.items():
        if not (weight.is_floating_point() and bias.is_floating_point()):
            raise UsaidError(f"{source}: {name!r} holds no floating-point numbers; write the file again")
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            shapes = f"a weight of shape {tuple(weight.shape)} and a bias of shape {tuple(bias.shape)}"
            raise UsaidError(f"{source}: {name!r} has {shapes}; MLP needs (outputs, inputs) and (outputs,)")
    for (before, (weight, _)), (name, (next_weight, _)) in pairwise(layers.items()):
        if len(weight) != next_weight.shape[1]:
            sizes = f"{name!r} has {next_weight.shape[1]} inputs, {before!r} before it {len(weight)} outputs"
            raise UsaidError(f"{source}: {sizes}; they must be as many")
    names, weights = list(layers), [weight for weight, _ in layers.values()]
    input_side = _side_of_square(weights[0].shape[1], f"{source}: {names[0]!r} has {weights[0].shape[1]} inputs")
    output_side = _side_of_square(len(weights[-1]), f"{source}: {names[-1]!r} has {len(weights[-1])} outputs")
    border_of(input_side, output_side, str(source))
    network = MLP(input_side, [len(weight) for weight in weights[:-1]], output_side)
    for layer, (weight, bias) in zip(network.layers, layers.values(), strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    return network.requires_grad_(False).eval()


def _side_of_square(pixels: int, layer: str) -> int:
    side = math.isqrt(pixels)
    if pixels == 0 or side**2 != pixels:
        raise UsaidError(f"{layer}, no square number of pixels; MLP works on square patches")
    return side
