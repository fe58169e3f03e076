"""Train the classifier that judges CIFAR-100, on the clean training images."""

from pathlib import Path

from evaluators.cifar_training import ClassifierRecipe, train_cifar_classifier
from usaid.datasets.cifar100 import CIFAR100
from usaid.devices import pick_device
from usaid.jobs import job

with job(snakemake.log[0], snakemake.threads):
    subset = snakemake.config["subsets"].get("cifar100/train")
    training = CIFAR100(snakemake.config["data_root"], "train", subset)
    train_cifar_classifier(
        training.images,
        training.labels,
        int(snakemake.wildcards.network.removeprefix("resnet")),
        ClassifierRecipe(**snakemake.params.recipe),
        Path(snakemake.output.weights),
        pick_device(snakemake.config["device"]),
        log=Path(snakemake.output.curve),
    )
