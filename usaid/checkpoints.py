"""Weights in files that cannot run code: safetensors, or torch checkpoints loaded with ``weights_only=True``."""

import json
import math
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically

_PREFIX, _COMPILED = "module.", "_orig_mod."
"""What ``DataParallel`` puts before all keys, and ``torch.compile`` before those of what it compiled."""

_MOST_EXPANDED = 1 << 28
"""Bytes that a zipped checkpoint may always expand to; beyond, 20 times its own size (torch itself compresses none)."""

_OTHER_FORMATS = (
    (re.compile(rb"\s*version https://git-lfs"), "is a Git LFS pointer, not the file; run `git lfs pull` there"),
    (re.compile(rb"\s*(<!doctype|<html|<\?xml|<head)", re.I), "is a web page, not weights; download the file itself"),
    (re.compile(rb"\x89HDF"), "is HDF5 (Keras, or MATLAB 7.3), not weights of torch; convert it to a state_dict"),
    (re.compile(rb"MATLAB 5"), "is a MATLAB file, not weights of torch; convert it to a state_dict"),
    (re.compile(rb"\x93NUMPY"), "is a numpy array, not weights of torch; convert it to a state_dict"),
    (re.compile(rb"\x08.(\x12|\x1a|:|B)", re.S), "is ONNX, not weights of torch; give the state_dict it came from"),
    (re.compile(rb"GGUF"), "is GGUF, not weights of torch; give the state_dict"),
    (
        re.compile(rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|.{257}ustar", re.S),
        "is an archive; give what is in it",
    ),
)


def load_state(path: str | Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` or torch (``.pth``, ``.pt``) file, on the CPU.

    A state that lies under a key of a checkpoint (``state_dict``, ``model``, ``params`` ...) is taken from there, if it
    is the only one; ``module.`` and ``_orig_mod.``, which wrappers of torch put before keys, are taken off.

    Args:
        path: the file.
        sha256: its expected hash; None: not checked.

    Raises:
        UsaidError: missing file, other hash, unreadable file, content that is no dictionary of tensors or holds
            several, or a weight that is not finite.
    """
    path = Path(path)
    require_weights(path, sha256)
    head = _head(path)
    _refuse_other_formats(path, head)
    content = _read_safetensors(path) if _is_safetensors(path, head) else read_pickled(path)
    state = _without_prefixes(_the_state(content, path), path)
    for key, value in state.items():
        _check_tensor(value, key, path)
    return state


def read_pickled(path: Path) -> Any:
    """What ``torch.save`` wrote to a file, read without running anything in it; tensors are on the CPU.

    Raises:
        UsaidError: another kind of file, a damaged one, or one that names a class or function to import.
    """
    check_kind(path)
    try:
        with open(path, "rb") as file, warnings.catch_warnings():  # of a path, torch would ask the suffix
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:  # its text advises to switch safety off
        if match := re.search(r"(?:GLOBAL|global|type) ([\w.]*\w)", str(error)):
            what = f"it holds a pickled object ({match[1]}): a whole model, or something beside the weights"
            raise UsaidError(f"{path}: not a readable weights file: {what}; {_SAVE_STATE}") from None
        raise UsaidError(f"{path}: {_DAMAGED}") from None
    except Exception:  # damaged bytes are damaged instructions: they can raise anything, in any words
        raise UsaidError(f"{path}: {_DAMAGED}") from None


def check_kind(path: Path) -> None:
    """Refuse a file that is not what ``torch.save`` writes, as far as that is seen without unpickling it.

    Raises:
        UsaidError: says what it is.
    """
    _refuse_other_formats(path, _head(path))
    _check_zip(path)


_SAVE_STATE = "save the state_dict alone: torch.save(network.state_dict(), file)"
_DAMAGED = "not a readable weights file (damaged, or cut off); copy or fetch it again, as .pth of torch or .safetensors"


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
        UsaidError: names the first tensor that is missing, of another shape or kind of number, or unknown.
    """
    checked = {**{key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}, **state}
    for key, value in expected.items():
        if key not in checked:
            raise UsaidError(f"{complaint}: key {key!r} is missing")
        if checked[key].shape != value.shape:
            raise UsaidError(f"{complaint}: {key!r} has shape {tuple(checked[key].shape)}, not {tuple(value.shape)}")
        if value.is_floating_point() and not checked[key].is_floating_point():
            raise UsaidError(f"{complaint}: {key!r} holds {_name(checked[key].dtype)}, not floating-point numbers")
    if unknown := [key for key in state if key not in expected]:
        raise UsaidError(f"{complaint}: key {unknown[0]!r} does not belong to it")
    return checked


def require_weights(path: Path, sha256: str | None = None) -> None:
    """See that a file of weights is there, and that it is the expected one.

    Raises:
        UsaidError: it is missing, no regular file (a device may never end) or unreadable, or its SHA-256 is not
            ``sha256``.
    """
    try:
        if not path.is_file():
            if not path.exists():
                cure = "train or fetch them, or correct the key that names them"
                raise UsaidError(f"{path}: weights are missing; {cure}")
            kind = "a folder" if path.is_dir() else "no regular file"
            raise UsaidError(f"{path}: is {kind}, not a file of weights; correct the key that names it")
        found = sha256_of_file(path) if sha256 is not None else None
    except OSError as error:
        raise UsaidError(f"{path}: weights cannot be read ({error.strerror}); correct the path or its rights") from None
    if found != sha256:
        raise UsaidError(f"{path}: SHA-256 is {found}, expected {sha256}; fetch the file again or correct the key")


def require_finite(values: Tensor, key: str, path: str | Path) -> None:
    """Refuse weights with NaN or infinity, also those that only float64 can hold: they would make images of NaN.

    Raises:
        UsaidError: names file and key.
    """
    if (values.is_floating_point() or values.is_complex()) and not values.float().isfinite().all():
        raise UsaidError(
            f"{path}: {key!r} holds weights that are not finite (NaN or infinite); train or fetch it again"
        )


def write_weights(network: nn.Module, path: Path, record: Mapping[str, Any]) -> None:
    """Write a network's state as safetensors, atomically, with a JSON-able record of its origin inside.

    The record goes into one metadata entry: safetensors orders several at random, and equal trainings would not give
    equal files.

    Raises:
        UsaidError: the disk is full, or the place is not to be written.
    """
    state = {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
    with written_atomically(path) as temporary:
        save_file(state, temporary, metadata={"training": json.dumps(record)})


def stored_record(path: str | Path) -> dict[str, Any]:
    """The record that :func:`write_weights` stored; empty for a file that it did not write."""
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads(file.metadata()["training"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError):
        return {}  # no safetensors file, or no such metadata
    return record if isinstance(record, dict) else {}


def stored_normalisation(record: Mapping[str, Any], path: str | Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of the training images, for R, G and B, out of a :func:`stored_record`.

    Raises:
        UsaidError: they are not three finite numbers each, or a deviation is not above 0; names the file.
    """
    for key, least in (("mean", -math.inf), ("std", 0)):
        values = record.get(key)
        numbers = [value for value in values if type(value) in (int, float)] if isinstance(values, list) else []
        if len(numbers) != 3 or values != numbers or not all(least < value < math.inf for value in numbers):
            what = "three finite numbers above 0" if key == "std" else "three finite numbers"
            raise UsaidError(f"{path}: its {key!r} is {values!s:.100}, not {what}; train it again")
    return record["mean"], record["std"]


def first_line(error: Exception) -> str:
    """The first line of an exception's message, for one-line errors."""
    return (str(error).splitlines() or [type(error).__name__])[0]


# ------------------------------------------------------------------------------------------------ kinds of files


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(512)
    except OSError as error:
        raise UsaidError(f"{path}: weights cannot be read ({error.strerror}); correct the path or its rights") from None


def _refuse_other_formats(path: Path, head: bytes) -> None:
    """Say what a file is that is not weights."""
    if not head:
        raise UsaidError(f"{path}: not a readable weights file: it is empty; copy or fetch it again")
    if _begins_as_safetensors(head):
        return
    for pattern, what in _OTHER_FORMATS:
        if pattern.match(head):
            raise UsaidError(f"{path}: not a readable weights file: it {what}")
    if not re.search(rb"[\x00-\x08\x0e-\x1a\x80-\xff]", head):
        raise UsaidError(f"{path}: not a readable weights file: it is text; copy or fetch the weights themselves")


def _begins_as_safetensors(head: bytes) -> bool:
    """The header's length, and the header's brace."""
    return int.from_bytes(head[:8], "little") < 1 << 32 and head[8:9] == b"{"


def _is_safetensors(path: Path, head: bytes) -> bool:
    """By how it begins, or by its name."""
    named = path.suffix == ".safetensors" and not head.startswith((b"PK\x03\x04", b"\x80"))
    return named or _begins_as_safetensors(head)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises anything; the common base is Exception
        reason = first_line(error)
        raise UsaidError(
            f"{path}: not a readable weights file (safetensors: {reason}); copy or fetch it again"
        ) from None


def _check_zip(path: Path) -> None:
    """See that a zip is torch's, whole, and does not expand without end; other files are left to ``torch.load``."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UsaidError(f"{path}: {_DAMAGED}") from None
    names = {member.filename.partition("/")[2] for member in members}
    if "constants.pkl" in names:
        cure = "save its state_dict: torch.save(torch.jit.load(file).state_dict(), other)"
        raise UsaidError(f"{path}: not a readable weights file: it is TorchScript, a whole model; {cure}")
    if "data.pkl" not in names:
        raise UsaidError(f"{path}: not a readable weights file: it is a zip archive; give what is in it")
    size = sum(member.file_size for member in members)
    if size > max(_MOST_EXPANDED, 20 * path.stat().st_size):
        raise UsaidError(f"{path}: would expand to {size:,} bytes; this is no checkpoint of torch, do not use it")


# ------------------------------------------------------------------------------------------------ the state in it


def _the_state(content: Any, path: Path) -> Mapping[str, Tensor]:
    """The state that a file is, or that lies under one of its keys."""
    if not isinstance(content, Mapping):
        kind = type(content).__name__
        raise UsaidError(f"{path}: holds no dictionary of tensors but a {kind}; {_SAVE_STATE}")
    if not content:
        raise UsaidError(f"{path}: holds no weights; {_SAVE_STATE}")
    if _is_state(content):
        return content
    states = [key for key, value in content.items() if isinstance(value, Mapping) and _is_state(value)]
    if len(states) > 1:
        names = ", ".join(map(repr, states[:5]))
        raise UsaidError(f"{path}: holds several states ({names}); save the one that is meant in a file of its own")
    if not states:
        keys = ", ".join(map(repr, list(content)[:5]))
        raise UsaidError(f"{path}: holds no dictionary of tensors but {keys:.200}; {_SAVE_STATE}")
    return dict(content[states[0]])


def _is_state(content: Mapping[Any, Any]) -> bool:
    return bool(content) and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())


def _without_prefixes(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The state under the keys of the network itself, whichever wrappers of torch it was saved in."""
    plain = {key.replace(_COMPILED, ""): value for key, value in state.items()}
    while all(key.startswith(_PREFIX) for key in plain):
        plain = {key.removeprefix(_PREFIX): value for key, value in plain.items()}
    if len(plain) < len(state):
        raise UsaidError(f"{path}: has keys with and without {_COMPILED!r} for the same tensor; save it again")
    return plain


def _check_tensor(value: Tensor, key: str, path: Path) -> None:
    """Refuse what is no plain tensor of finite numbers, before anything is computed with it."""
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.is_complex() or value.is_nested:
        kind = f"{value.layout} {_name(value.dtype)} on {value.device.type}"
        raise UsaidError(f"{path}: {key!r} is no plain tensor ({kind}); save the floating-point state_dict")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise UsaidError(f"{path}: {key!r} claims {value.numel():,} values, more than are stored; do not use this file")
    require_finite(value, key, path)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
