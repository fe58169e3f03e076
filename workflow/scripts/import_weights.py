"""Check a checkpoint and rewrite it as safetensors."""

from pathlib import Path

from usaid.checkpoints import load_state, write_weights
from usaid.denoisers.dncnn.denoiser import dncnn_from_state
from usaid.denoisers.mlp.denoiser import import_mlp
from usaid.files import sha256_of_file
from usaid.jobs import job


def import_dncnn(checkpoint: str, sha256: str | None, output: Path) -> None:
    """Read a checkpoint whose hash, keys and shapes are right; write its tensors under our own names."""
    network = dncnn_from_state(load_state(checkpoint, sha256), checkpoint)
    write_weights(network, output, {"imported_from_sha256": sha256_of_file(checkpoint)})


with job(snakemake.log[0]):
    entry, checkpoints, output = snakemake.params.entry, snakemake.params.checkpoints, Path(snakemake.output[0])
    if entry["method"] == "mlp":
        import_mlp({sigma: Path(file) for sigma, file in checkpoints.items()}, output, entry.get("sha256"))
    else:
        import_dncnn(checkpoints[""], entry.get("sha256"), output)
