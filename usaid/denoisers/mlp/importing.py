"""Weights of MLP that an experiment names: the authors' MATLAB files, or a file that this suite wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import loadmat

from usaid.checkpoints import first_line, require_finite, require_weights, stored_record
from usaid.denoisers.base import checked_told_sigma
from usaid.denoisers.mlp.models import load_models, network_of, write_models
from usaid.denoisers.mlp.network import MLP
from usaid.errors import UsaidError
from usaid.files import sha256_of_file


def import_mlp(checkpoints: Mapping[str, Path], output: Path, sha256: str | None = None) -> None:
    """Check the weights that an experiment names and write them as one file that :func:`load_models` reads.

    Args:
        checkpoints: sigma (0-255 scale, as text) that a model was trained at -> the authors' file; or "" -> a file of
            ours, which names its sigmas itself.
        output: safetensors file to write.
        sha256: expected hash, if it is a single file.

    Raises:
        UsaidError: as :func:`read_mat` or :func:`load_models`, or an authors' file without its sigma.
    """
    if sha256 is not None:
        (single,) = checkpoints.values()
        require_weights(single, sha256)
    if "" not in checkpoints:
        return import_published({float(sigma): path for sigma, path in checkpoints.items()}, output)
    ours = checkpoints[""]
    if ours.suffix == ".mat":
        raise UsaidError(f"{ours}: does not say at which sigma it was trained; give {{sigma: file}}")
    write_models(load_models(ours), output, stored_record(ours))


def import_published(mat_files: Mapping[float, Path], output: Path) -> None:
    """Convert the authors' published weights to a file that :func:`load_models` reads.

    Args:
        mat_files: sigma (0-255 scale) that a model was trained at -> its file, as :func:`read_mat` takes it.
        output: safetensors file to write; names and SHA-256 of the sources are in its metadata.

    Raises:
        UsaidError: a sigma that is not above 0, or as :func:`read_mat`.
    """
    models = {checked_told_sigma(sigma): read_mat(path) for sigma, path in mat_files.items()}
    sources = {f"{sigma:g}": {"file": path.name, "sha256": sha256_of_file(path)} for sigma, path in mat_files.items()}
    write_models(models, output, {"origin": "published", "sources": sources})


def read_mat(path: Path) -> MLP:
    """Read the weights that the authors published as a MATLAB file (version 5 to 7.2), without running code.

    Two toolboxes with the name ``fdenoiseNeural`` are theirs. That of the CVPR paper (March 2012) has one file for
    sigma 25, ``weights_cvpr.mat``: a cell array ``w`` of one matrix a layer, for patches that are read column by
    column. The later one (November 2012) has a file for each of a few sigmas, ``neuralweights_sig<sigma>.mat``:
    matrices ``w_1``, ``w_2``, ..., for patches that are read row by row. The last column of a matrix is the bias in
    both.

    Returns:
        The network, for patches that are read row by row.

    Raises:
        UsaidError: the file is missing or does not decode, has neither ``w`` nor ``w_1``, or has matrices that do not
            make a network.
    """
    require_weights(path)
    try:
        content = loadmat(path, appendmat=False)
    except Exception as error:  # a damaged file raises anything; their common base is Exception
        raise UsaidError(f"{path}: not a readable MATLAB file of version 5 to 7.2 ({first_line(error)})") from None
    by_column = "w" in content
    matrices = _cells(content["w"], path) if by_column else _numbered(content, path)
    layers = {}
    for name, matrix in matrices.items():
        if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "fiu" or matrix.ndim != 2:
            raise UsaidError(f"{path}: {name!r} is no matrix of numbers; MLP needs one of shape (outputs, inputs + 1)")
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            values = torch.from_numpy(np.array(matrix, np.float32))
        require_finite(values, name, path)
        layers[name] = (values[:, :-1], values[:, -1:].flatten())
    network = network_of(layers, path)
    return _for_rows(network) if by_column else network


def _cells(cells: Any, path: Path) -> dict[str, Any]:
    if not isinstance(cells, np.ndarray) or cells.dtype != object or cells.size == 0:
        raise UsaidError(f"{path}: 'w' is no cell array of one matrix a layer; fetch the authors' file again")
    return {f"w{{{number}}}": matrix for number, matrix in enumerate(cells.flat, start=1)}


def _numbered(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    names = [f"w_{number}" for number in range(1, len(content) + 1)]
    if names[0] not in content:
        raise UsaidError(f"{path}: holds neither 'w' nor 'w_1'; these are not the authors' weights")
    return {name: content[name] for name in names if name in content}


def _for_rows(network: MLP) -> MLP:
    """A network for patches that are read column by column, changed to one that reads them row by row."""
    inputs, outputs = (
        torch.arange(side**2).view(side, side).T.flatten() for side in (network.input_side, network.output_side)
    )
    state, last = network.state_dict(), f"layers.{len(network.layers) - 1}"
    state["layers.0.weight"] = state["layers.0.weight"][:, inputs]
    state[f"{last}.weight"], state[f"{last}.bias"] = state[f"{last}.weight"][outputs], state[f"{last}.bias"][outputs]
    network.load_state_dict(state)
    return network
