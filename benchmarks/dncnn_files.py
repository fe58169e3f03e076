"""A DnCNN in the files that other people's code writes: KAIR's, deepinv's and, as MATLAB does it, its authors'."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from scipy.io import savemat
from torch import Tensor, nn

from usaid.denoisers.dncnn.denoiser import folded_convolutions
from usaid.denoisers.dncnn.network import DnCNN

Layer = dict[str, Any]


def merged(network: DnCNN) -> DnCNN:
    """The network as checkpoints for inference hold it: BatchNorm merged into convolutions with biases."""
    layers = folded_convolutions(network)
    other = DnCNN(depth=len(layers), features=len(layers[0][1]), merged=True, channels=network.channels)
    convolutions = [layer for layer in other.dncnn if isinstance(layer, nn.Conv2d)]
    for layer, (weight, bias) in zip(convolutions, layers, strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    return other.eval()


def as_kair(network: DnCNN) -> dict[str, Tensor]:
    """The state as KAIR saves it for inference."""
    return {key.replace("dncnn.", "model."): value for key, value in merged(network).state_dict().items()}


def as_deepinv(network: DnCNN) -> dict[str, Tensor]:
    """The state as deepinv saves it: what is added to the image is the noise's negative."""
    *inner, (weight, bias) = folded_convolutions(network)
    layers, state = [*inner, (-weight, -bias)], {}
    for number, (weight, bias) in enumerate(layers):
        name = {0: "in_conv", len(layers) - 1: "out_conv"}.get(number, f"conv_list.{number - 1}")
        state |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return state


def simplenn(network: DnCNN) -> list[Layer]:
    """The layers of MatConvNet's network: arrays in MATLAB's order (height, width, channels, features)."""
    layers: list[Layer] = []
    for weight, bias in folded_convolutions(network):
        cell = [weight.permute(2, 3, 1, 0).numpy(), bias[:, None].numpy()]
        layers += [{"type": "conv", "weights": cell, "stride": 1.0, "pad": 1.0}, {"type": "relu", "leak": 0.0}]
    return layers[:-1]


def simplenn_with_batchnorm(network: DnCNN) -> list[Layer]:
    """The same before BatchNorm is merged: moments are the mean and the deviation, with epsilon in it."""
    layers: list[Layer] = []
    for part in network.dncnn:
        if isinstance(part, nn.Conv2d):
            weight = part.weight.detach().permute(2, 3, 1, 0).numpy()
            cell = [weight, np.zeros((weight.shape[3], 1), np.float32)]
            layers.append({"type": "conv", "weights": cell, "stride": 1.0, "pad": 1.0})
        elif isinstance(part, nn.BatchNorm2d):
            moments = torch.stack([part.running_mean, torch.sqrt(part.running_var + part.eps)], dim=1)
            cell = [part.weight.detach().numpy()[:, None], part.bias.detach().numpy()[:, None], moments.numpy()]
            layers.append({"type": "bnorm", "weights": cell})
        else:
            layers.append({"type": "relu", "leak": 0.0})
    return [*layers, {"type": "loss"}]


def write_matlab_73(path: Path, layers: list[Layer]) -> None:
    """Write ``net`` as MATLAB 7.3 does: HDF5 behind a text of 512 bytes, cells as references into ``#refs#``."""
    with h5py.File(path, "w", userblock_size=512) as file:
        names = (f"#refs#/{number}" for number in range(1 << 20))
        net = file.create_group("net")
        net.attrs["MATLAB_class"] = np.bytes_("struct")
        _put(file, net, "layers", layers, names)
        _put(file, net, "meta", "not read", names)
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created by: a test".ljust(124) + b"\x00\x02IM")


def _put(file: h5py.File, parent: h5py.Group, name: str, value: Any, names: Iterator[str]) -> None:
    if isinstance(value, dict):
        group = parent.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, own in value.items():
            _put(file, group, key, own, names)
    elif isinstance(value, list):
        cells = []
        for own in value:
            cell = next(names)
            _put(file, file, cell, own, names)
            cells.append(file[cell].ref)
        stored = parent.create_dataset(name, data=np.array(cells, h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)
        stored.attrs["MATLAB_class"] = np.bytes_("cell")
    elif isinstance(value, str):
        stored = parent.create_dataset(name, data=np.array([[ord(letter)] for letter in value], np.uint16))
        stored.attrs["MATLAB_class"] = np.bytes_("char")
        stored.attrs["MATLAB_int_decode"] = np.int32(2)
    elif np.size(value) == 0:
        stored = parent.create_dataset(name, data=np.array(np.shape(value), np.uint64))
        stored.attrs["MATLAB_empty"] = np.uint8(1)
        stored.attrs["MATLAB_class"] = np.bytes_("single")
    else:
        array = np.atleast_2d(np.asarray(value)).T  # HDF5's order is the reverse of MATLAB's
        stored = parent.create_dataset(name, data=array)
        stored.attrs["MATLAB_class"] = np.bytes_("single" if array.dtype == np.float32 else "double")


def write_matlab_5(path: Path, layers: list[Layer]) -> None:
    """Write ``net`` as MATLAB does with ``-v7``."""
    cells = np.empty((1, len(layers)), object)
    for number, layer in enumerate(layers):
        cells[0, number] = {key: _cell(own) if isinstance(own, list) else own for key, own in layer.items()}
    savemat(path, {"net": {"layers": cells, "meta": "not read"}})


def _cell(values: list[Any]) -> np.ndarray:
    cell = np.empty((1, len(values)), object)
    for number, value in enumerate(values):
        cell[0, number] = value
    return cell
