"""Fit NIQE's pristine model to the clean training images."""

from evaluators.metrics.niqe import fit_pristine_model, save_pristine_model
from usaid.datasets.loading import load_images
from usaid.experiment.reading import checked_experiment
from usaid.jobs import job
from usaid.tensors import to_unit_range

with job(snakemake.log[0], snakemake.threads):
    images = load_images(checked_experiment(snakemake.config), snakemake.params.settings["images"])
    save_pristine_model(snakemake.output[0], fit_pristine_model(to_unit_range(sample.image)[0] for sample in images))
