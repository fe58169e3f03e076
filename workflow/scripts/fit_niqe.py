"""Fit NIQE's pristine model to the clean training images."""

from usaid.jobs import job, leave

with job(snakemake, uses_torch=True):
    from evaluators.metrics.niqe import fit_pristine_model, save_pristine_model
    from usaid.datasets.loading import load_images
    from usaid.experiment.reading import checked_experiment
    from usaid.tensors import to_unit_range

    images = load_images(checked_experiment(snakemake.config), snakemake.params.settings["images"])
    save_pristine_model(snakemake.output[0], fit_pristine_model(to_unit_range(sample.image)[0] for sample in images))
leave()
