"""Train a denoiser on clean VOC 2012 images."""

from pathlib import Path

from usaid import datasets
from usaid.devices import pick_device
from usaid.jobs import job
from usaid.training import Recipe, train_mse_denoiser

with job(snakemake.log[0], snakemake.threads):
    train_mse_denoiser(
        datasets.load_for(snakemake.config, "voc2012", "train"),
        Recipe(**snakemake.params.recipe),
        Path(snakemake.output.weights),
        pick_device(snakemake.config["device"]),
        log=Path(snakemake.output.curve),
    )
