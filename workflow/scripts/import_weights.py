"""Check a denoiser's checkpoints and rewrite them as safetensors."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake, uses_torch=True):
    from usaid.denoisers.weights import import_weights
    from usaid.experiment.reading import checked_experiment

    entry = checked_experiment(snakemake.config).entries[snakemake.wildcards.denoiser]
    checkpoints = {sigma: Path(file) for sigma, file in snakemake.params.settings["checkpoints"].items()}
    import_weights(entry, checkpoints, Path(snakemake.output[0]))
leave()
