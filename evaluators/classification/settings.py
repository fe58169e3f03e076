"""A classification benchmark's entry in an experiment, and how the network that judges is trained."""

from typing import Literal

from pydantic import model_validator

from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.model import (
    Count,
    FilePath,
    Milestones,
    NotNegative,
    Optimizer,
    Positive,
    Rgb,
    RgbDeviation,
    Seed,
    Settings,
    Sha256,
    never,
    refuse,
)


class ClassifierRecipe(Settings):
    """How a classifier is trained; the defaults are those behind the published 71.1 % top-1 of ResNet-110.

    That number is of github.com/bearpaw/pytorch-classification (28.86 % error; TRAINING.md: 164 epochs, decay after 81
    and 122, weight decay 1e-4), which follows He et al. (2016, section 4.2: 64,000 steps of 128 images, decay after
    32,000 and 48,000). A weight decay of 5e-4, common elsewhere, makes another judge than the paper's.
    """

    batch: Count = 128
    """Images in a step."""
    epochs: Count = 164
    """Passes over the training images."""
    optimizer: Optimizer = "sgd"
    """`sgd`, or `adamw`, which needs a smaller `learning_rate`. It gets the demo's small network past shape and colour
    to texture, where SGD stops (half of the generated images are then told apart)."""
    learning_rate: Positive = 0.1
    """At the start."""
    milestones: Milestones = (0.5, 0.75)
    """Where the learning rate falls to a tenth: fractions of the run (below 1), or steps."""
    momentum: NotNegative = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 1e-4
    """Of all parameters."""
    seed: Seed = 0
    """Of initialisation, order and augmentation."""


class ClassifierSettings(Settings):
    """Which network classifies: a `checkpoint` with `mean` and `std`, or `train`."""

    model_config = never(checkpoint={"type": "string"}, train={"type": "object"})

    network: Literal["resnet8", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"]
    """The CIFAR ResNet family, BasicBlock; the paper's is `resnet110`."""
    checkpoint: FilePath | None = None
    """Its weights, below `data_root`; needs `mean` and `std`."""
    sha256: Sha256 | None = None
    """Expected hash of the checkpoint."""
    mean: Rgb | None = None
    """Mean of R, G and B that the network was trained with, on the [0, 1] scale; subtracted after denoising."""
    std: RgbDeviation | None = None
    """Standard deviation of R, G and B, likewise."""
    train: ClassifierRecipe | None = None
    """Train it on the clean CIFAR-100 training set instead."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "ClassifierSettings":
        has_checkpoint = None not in (self.checkpoint, self.mean, self.std)
        if (self.train is None and not has_checkpoint) or (self.train is not None and self.checkpoint is not None):
            raise refuse("give either 'checkpoint' with 'mean' and 'std', or 'train'")
        return self

    @property
    def depth(self) -> int:
        """Number of layers."""
        return int(self.network.removeprefix("resnet"))


class ClassificationSettings(BenchmarkSettings):
    """How denoised images are classified."""

    classifier: ClassifierSettings
    """The network that judges."""

    @property
    def given_file(self) -> str | None:
        return self.classifier.checkpoint

    @property
    def is_trained(self) -> bool:
        return self.classifier.train is not None
