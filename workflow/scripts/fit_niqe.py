"""Fit NIQE's pristine model to the clean training images."""

from evaluators.metrics.niqe import fit_pristine_model, save_pristine_model
from usaid import datasets
from usaid.images import to_unit_range
from usaid.jobs import job

with job(snakemake.log[0]):
    images = datasets.load_for(snakemake.config, "voc2012", "train")
    save_pristine_model(snakemake.output[0], fit_pristine_model(to_unit_range(sample.image)[0] for sample in images))
