"""Weights in files that cannot run code: safetensors, or torch checkpoints loaded with ``weights_only=True``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically


def load_state(path: str | Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` or torch (``.pth``, ``.pt``) file, on the CPU.

    Args:
        path: the file.
        sha256: its expected hash; None: not checked.

    Raises:
        UsaidError: missing file, other hash, unreadable file, or content that is no dictionary of tensors.
    """
    path = Path(path)
    require_weights(path, sha256)
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling and safetensors raise anything; their common base is Exception
        raise UsaidError(f"{path}: not a readable weights file ({first_line(error)})") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UsaidError(f"{path}: holds no dictionary of tensors; give the state_dict, not a whole model")
    return dict(state)


def check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], complaint: str) -> dict[str, Tensor]:
    """See that a state is a network's: all of its tensors, in their shapes, and no others.

    BatchNorm's counters may be missing, as in old checkpoints: evaluation has no use for them.

    Args:
        state: name -> tensor, as :func:`load_state` reads it.
        expected: the network's own ``state_dict()``.
        complaint: how an error begins: the file, and what it should be of.

    Returns:
        The state to load, with the network's own counters where they were missing.

    Raises:
        UsaidError: names the first tensor that is missing, of another shape or unknown.
    """
    checked = {**{key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}, **state}
    for key, value in expected.items():
        if key not in checked:
            raise UsaidError(f"{complaint}: key {key!r} is missing")
        if checked[key].shape != value.shape:
            raise UsaidError(f"{complaint}: {key!r} has shape {tuple(checked[key].shape)}, not {tuple(value.shape)}")
    if unknown := [key for key in state if key not in expected]:
        raise UsaidError(f"{complaint}: key {unknown[0]!r} does not belong to it")
    return checked


def require_weights(path: Path, sha256: str | None = None) -> None:
    """See that a file of weights is there, and that it is the expected one.

    Raises:
        UsaidError: it is missing, or its SHA-256 is not ``sha256``.
    """
    if not path.is_file():
        raise UsaidError(f"{path}: weights are missing; train or fetch them, or correct the key that names them")
    if sha256 is not None and (found := sha256_of_file(path)) != sha256:
        raise UsaidError(f"{path}: SHA-256 is {found}, expected {sha256}; fetch the file again or correct the key")


def write_weights(network: nn.Module, path: Path, record: Mapping[str, Any]) -> None:
    """Write a network's state as safetensors, atomically, with a JSON-able record of its origin inside.

    The record goes into one metadata entry: safetensors orders several at random, and equal trainings would not give
    equal files.
    """
    state = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    with written_atomically(path) as temporary:
        save_file(state, temporary, metadata={"training": json.dumps(record)})


def stored_record(path: str | Path) -> dict[str, Any]:
    """The record that :func:`write_weights` stored; empty for a file that it did not write."""
    try:
        with safe_open(path, framework="pt") as file:
            record: dict[str, Any] = json.loads(file.metadata()["training"])
            return record
    except (OSError, SafetensorError, KeyError, TypeError):  # no safetensors file, or no such metadata
        return {}


def first_line(error: Exception) -> str:
    """The first line of an exception's message, for one-line errors."""
    return (str(error).splitlines() or [type(error).__name__])[0]
