"""Checkpoints of DRUNet, checked and rewritten as safetensors."""

from collections.abc import Mapping
from pathlib import Path

from usaid.denoisers.drunet.network import LAYOUTS, DRUNet
from usaid.denoisers.layouts import read_network, write_imported


def read_drunet(path: str | Path, sha256: str | None = None) -> tuple[DRUNet, str]:
    """The DRUNet that a file holds, and the name of its layout; as :func:`usaid.denoisers.layouts.read_network`."""
    return read_network(path, LAYOUTS, "a DRUNet", sha256)


def import_drunet(checkpoints: Mapping[str, Path], output: Path, sha256: str | None) -> None:
    """Check a checkpoint and write it as safetensors.

    Args:
        checkpoints: ``""`` -> the file.
        output: safetensors file to write, with the checkpoint's hash and layout in its metadata.
        sha256: expected hash of the checkpoint; None: not checked.

    Raises:
        UsaidError: as :func:`read_drunet`.
    """
    network, layout = read_drunet(checkpoints[""], sha256)
    write_imported(network, checkpoints[""], layout, output)
