"""Train a denoiser on the clean images that its recipe names."""

from pathlib import Path

from usaid import datasets
from usaid.devices import pick_device
from usaid.jobs import job
from usaid.denoisers.dncnn.training import train_denoiser
from usaid.denoisers.mlp.training import train_mlp
from usaid.denoisers.dncnn.recipe import MLPRecipe, recipe_from

with job(snakemake.log[0], snakemake.threads):
    entry, config = snakemake.params.entry, snakemake.config
    weights, log, device = Path(snakemake.output.weights), Path(snakemake.output.curve), pick_device(config["device"])
    samples = datasets.load_for(config, *entry["train"]["images"].split("/"))
    if entry["method"] == "mlp":
        train_mlp(samples, MLPRecipe(**entry["train"]), weights, device, log)
    else:
        train_denoiser(
            samples,
            entry["method"],
            recipe_from(**entry["train"]),
            weights,
            config["data_root"],
            device,
            log,
            title=snakemake.wildcards.denoiser,
        )
