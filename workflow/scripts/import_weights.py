"""Check a DnCNN checkpoint and rewrite it as safetensors."""

from safetensors.torch import save_file

from usaid.checkpoints import load_state
from usaid.denoisers.dncnn import dncnn_from_state
from usaid.files import written_atomically
from usaid.jobs import job


def import_weights(checkpoint: str, sha256: str | None, output: str) -> None:
    """Read a checkpoint whose hash, keys and shapes are right; write its tensors under our own names."""
    network = dncnn_from_state(load_state(checkpoint, sha256), checkpoint)
    with written_atomically(output) as temporary:
        save_file(network.state_dict(), temporary)


with job(snakemake.log[0]):
    import_weights(snakemake.params.checkpoint, snakemake.params.sha256, snakemake.output[0])
