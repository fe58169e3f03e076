"""Released checkpoints of DnCNN, checked and rewritten as safetensors."""

from collections.abc import Mapping
from pathlib import Path

from usaid.checkpoints import load_state, write_weights
from usaid.denoisers.dncnn.network import dncnn_from_state
from usaid.files import sha256_of_file


def import_dncnn(checkpoints: Mapping[str, Path], output: Path, sha256: str | None) -> None:
    """Read a checkpoint whose hash, keys and shapes are right; write its tensors under our own names.

    Args:
        checkpoints: ``""`` -> the file.
        output: safetensors file to write, with the checkpoint's hash in its metadata.
        sha256: expected hash of the checkpoint; None: not checked.

    Raises:
        UsaidError: the file is missing or unreadable, has another hash, or holds another network.
    """
    checkpoint = checkpoints[""]
    network = dncnn_from_state(load_state(checkpoint, sha256), str(checkpoint))
    write_weights(network, output, {"imported_from_sha256": sha256_of_file(checkpoint)})
