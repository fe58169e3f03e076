"""Fit NIQE's pristine model to the clean training images."""

from evaluators.niqe import fit_pristine_model, save_pristine_model
from usaid import datasets
from usaid.images import to_unit_range
from usaid.jobs import job

with job(snakemake.log[0]):
    subset = snakemake.config["subsets"].get("voc2012/train")
    images = datasets.load("voc2012", snakemake.config["data_root"], "train", subset)
    save_pristine_model(snakemake.output[0], fit_pristine_model(to_unit_range(sample.image)[0] for sample in images))
