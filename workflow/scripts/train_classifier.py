"""Train the classifier that judges CIFAR-100, on the clean training images."""

from pathlib import Path

from evaluators.cifar_training import ClassifierRecipe, train_cifar_classifier
from usaid import datasets
from usaid.devices import pick_device
from usaid.jobs import job

with job(snakemake.log[0], snakemake.threads):
    training = datasets.load_for(snakemake.config, "cifar100", "train")
    train_cifar_classifier(
        training.images,
        training.labels,
        int(snakemake.wildcards.network.removeprefix("resnet")),
        ClassifierRecipe(**snakemake.params.recipe),
        Path(snakemake.output.weights),
        pick_device(snakemake.config["device"]),
        log=Path(snakemake.output.curve),
    )
