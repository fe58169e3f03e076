"""Which method reads a file of a network, and what a person's ``FILE_OR_NAME`` means."""

import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from usaid.checkpoints import load_state, require_weights
from usaid.denoisers.dncnn.importing import read_dncnn
from usaid.denoisers.dncnn.network import LAYOUTS as OF_DNCNN
from usaid.denoisers.drunet.network import LAYOUTS as OF_DRUNET
from usaid.denoisers.ffdnet.network import LAYOUTS as OF_FFDNET
from usaid.denoisers.layouts import Layout, layout_of, layout_recorded, not_of
from usaid.denoisers.matlab import is_matlab
from usaid.errors import UsaidError
from usaid.own_files import NOTEBOOKS
from usaid.registries import METHODS

KNOWN: tuple[Layout[Any], ...] = (*OF_DNCNN, *OF_FFDNET, *OF_DRUNET)
"""All layouts of states that are known."""

_OWN_CODE = re.compile(r".+:[A-Za-z_][\w.]*")
_ONNX_FIELDS = frozenset(b"\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2")
"""How the fields of an ONNX model begin that may follow its version: names, graph, operator sets, metadata."""


class Recognised(NamedTuple):
    """What a file of a network is.

    Attributes:
        method: that reads it, a name of :data:`usaid.registries.METHODS`.
        layout: in which the file, or the one that it was imported from, holds the network.
    """

    method: str
    layout: str


def recognised(path: str | Path) -> Recognised:
    """Which method reads a file of a network, by its content; its name does not count.

    Args:
        path: TorchScript, ``torch.export``'s, ONNX, or the state of a DnCNN, FFDNet or DRUNet in a known layout, as
            safetensors, torch checkpoint, or MATLAB file of DnCNN's authors.

    Raises:
        UsaidError: missing or unreadable, or of a network that is not known: names the nearest, and the first key that
            differs.
    """
    path = Path(path)
    require_weights(path)
    if method := _saved_with_its_code(path):
        return Recognised(method, method)
    if is_matlab(path):
        return Recognised("dncnn", read_dncnn(path)[1])
    layout = layout_of(load_state(path), KNOWN, not_of(path, "a network that is known"))
    return Recognised(layout.method, layout_recorded(path) or layout.name)


def method_and_weights(text: str, weights: str | Path | None = None) -> tuple[str, Path | None]:
    """What a person's ``FILE_OR_NAME`` means: a method, and the file of its weights.

    Args:
        text: a name of :data:`usaid.registries.METHODS`, ``file.py:Name``, ``module:Name``, or a file of a network.
        weights: that were given beside it.

    Returns:
        What :func:`usaid.denoisers.build.build_denoiser` takes as method and weights.

    Raises:
        UsaidError: none of these, weights beside a file that is a network itself, or as :func:`recognised`.
    """
    path, given = Path(text), None if weights is None else Path(weights)
    if text in METHODS or (_OWN_CODE.fullmatch(text) and not path.is_file()):
        return text, given
    if path.suffix == ".ipynb":
        raise UsaidError(f"{text}: {NOTEBOOKS}")
    if path.suffix == ".py":
        raise UsaidError(f"{text}: say what in this file denoises, as {text}:Name")
    if not path.exists():
        forms = "a name, file.py:Name, module:Name, or the file of a network"
        raise UsaidError(f"{text!r}: is no method ({', '.join(METHODS)}) and no file that is there; give {forms}")
    method = recognised(path).method
    if given is not None:
        raise UsaidError(f"{text}: is the file of a network itself; drop the weights {given}")
    return method, path


def _saved_with_its_code(path: Path) -> str | None:
    """The method that reads a file which holds a whole network; None: it is none, or no such file."""
    with open(path, "rb") as file:
        head = file.read(8)
    is_safetensors = head[4:] == bytes(4)  # of the length of its header
    if head.startswith(b"\x08") and len(head) == 8 and head[2] in _ONNX_FIELDS and not is_safetensors:
        return "onnx"
    if not head.startswith(b"PK"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None  # load_state says what is wrong with it
    if "constants.pkl" in names:
        return "torchscript"
    return "torch_export" if "archive_format" in names else None
