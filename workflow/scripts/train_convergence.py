"""Train the USA module towards the label maps of VOC 2012 train, or towards permuted ones: one curve of Figure 2."""

from pathlib import Path

from usaid import datasets
from usaid.devices import pick_device
from usaid.jobs import job
from usaid.segmentation.convergence import Convergence, train_convergence

with job(snakemake.log[0], snakemake.threads):
    train_convergence(
        datasets.load_for(snakemake.config, "voc2012", "train"),
        snakemake.wildcards.supervision,
        Convergence(**snakemake.params.settings),
        Path(snakemake.output.curve),
        snakemake.config["data_root"],
        pick_device(snakemake.config["device"]),
        data_source=snakemake.config["data_source"],
        subset=snakemake.params.subset,
    )
