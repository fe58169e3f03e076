"""Checkpoints of DnCNN in the layouts that people have, checked, read, and rewritten as safetensors."""

from collections.abc import Mapping
from pathlib import Path

from usaid.checkpoints import load_state, require_weights
from usaid.denoisers.dncnn.matconvnet import LAYOUT, state_of_matconvnet
from usaid.denoisers.dncnn.network import RELEASED, DnCNN, dncnn_from_state, dncnn_layout_of
from usaid.denoisers.layouts import GREY, layout_recorded, network_of, write_imported
from usaid.denoisers.matlab import is_matlab


def read_dncnn(path: str | Path, sha256: str | None = None) -> tuple[DnCNN, str]:
    """The DnCNN that a file holds, and the name of the layout that it had before this suite wrote it anew.

    Args:
        path: a checkpoint in one of :data:`usaid.denoisers.dncnn.network.LAYOUTS`, or a MATLAB file of the authors'.
        sha256: its expected hash; None: not checked.

    Raises:
        UsaidError: the file is missing or unreadable, has another hash, or holds another network.
    """
    path = Path(path)
    require_weights(path, sha256)
    if is_matlab(path):
        network = dncnn_from_state(state_of_matconvnet(path), str(path))
        return network, f"{LAYOUT}{GREY}" if network.channels == 1 else LAYOUT
    state = load_state(path)
    layout = dncnn_layout_of(state, str(path))
    return network_of(state, layout, str(path)), layout_recorded(path) or layout.name


def import_dncnn(checkpoints: Mapping[str, Path], output: Path, sha256: str | None) -> None:
    """Read a checkpoint whose hash, keys and shapes are right; write its tensors under our own names.

    Args:
        checkpoints: ``""`` -> the file.
        output: safetensors file to write, with the checkpoint's hash in its metadata, and its layout if that is not
            the one in which it is written.
        sha256: expected hash of the checkpoint; None: not checked.

    Raises:
        UsaidError: as :func:`read_dncnn`.
    """
    network, layout = read_dncnn(checkpoints[""], sha256)
    write_imported(network, checkpoints[""], None if layout == RELEASED else layout, output)
