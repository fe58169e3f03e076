"""Train a denoiser on the clean images that its recipe names."""

from pathlib import Path

from usaid import datasets
from usaid.devices import pick_device
from usaid.jobs import job
from usaid.training.denoisers import train_denoiser
from usaid.training.recipe import recipe_from

with job(snakemake.log[0], snakemake.threads):
    entry = snakemake.params.entry
    recipe = recipe_from(**entry["train"])
    train_denoiser(
        datasets.load_for(snakemake.config, *recipe.images.split("/")),
        entry["method"],
        recipe,
        Path(snakemake.output.weights),
        snakemake.config["data_root"],
        pick_device(snakemake.config["device"]),
        log=Path(snakemake.output.curve),
        title=snakemake.wildcards.denoiser,
    )
