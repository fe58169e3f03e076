"""Train the USA module towards the label maps of VOC 2012 train, or towards permuted ones: one curve of Figure 2."""

from pathlib import Path

from usaid.jobs import job, leave

with job(snakemake, uses_torch=True):
    from usaid.datasets.loading import load_images
    from usaid.devices import pick_device
    from usaid.experiment.reading import checked_experiment
    from usaid.segmentation.convergence import train_convergence
    from usaid.training.loop import Run

    experiment, settings = checked_experiment(snakemake.config), snakemake.params.settings
    supervision = snakemake.wildcards.supervision
    run = Run(
        Path(snakemake.output.curve).with_suffix(".safetensors"),  # never written: only the curve is kept
        pick_device(experiment.device),
        title=f"convergence, {supervision}",
        name="convergence",
        data_root=experiment.data_root,
        code_hash=snakemake.params.code,
    )
    origin = {"data_source": experiment.data_source, "subset": settings["subset"]}
    train_convergence(load_images(experiment, settings["images"]), supervision, experiment.convergence, run, origin)
leave()
