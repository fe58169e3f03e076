"""Train a denoiser on the clean images that its recipe names."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake, uses_torch=True):
    from usaid.datasets.loading import load_images
    from usaid.denoisers.weights import train_denoiser
    from usaid.devices import pick_device
    from usaid.experiment.reading import checked_experiment
    from usaid.training.loop import Run

    experiment, name = checked_experiment(snakemake.config), snakemake.wildcards.denoiser
    entry = experiment.entries[name]
    run = Run(
        Path(snakemake.output.weights),
        pick_device(experiment.device),
        title=name,
        name=entry.method,
        data_root=experiment.data_root,
        code_hash=snakemake.params.code,
    )
    train_denoiser(entry, load_images(experiment, entry.train.images), run)
leave()
