"""Training of the CIFAR-100 classifiers that judge denoised images, on clean images (Tables VIII and X)."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.classification.network import CifarResNet, cifar_resnet
from usaid.errors import UsaidError
from usaid.images import Normalisation
from usaid.training.loop import Optimizer, checkpoint_beside, decayed, fit, generator_for, optimizer_of, write_trained
from usaid.training.patches import PatchSampler

SIDE = 32
PADDING = 4
CROPS = (2 * PADDING + 1) ** 2
"""Ways to crop a padded image back to its size."""


@dataclass(frozen=True)
class ClassifierRecipe:
    """How a classifier is trained; the defaults are those behind the published 71.1 % top-1 of ResNet-110.

    That number is of github.com/bearpaw/pytorch-classification (28.86 % error; TRAINING.md: 164 epochs, decay after 81
    and 122, weight decay 1e-4), which follows He et al. (2016, section 4.2: 64,000 steps of 128 images, decay after
    32,000 and 48,000). A weight decay of 5e-4, common elsewhere, makes another judge than the paper's.

    Attributes:
        batch: images in a step.
        epochs: passes over the training images.
        optimizer: ``sgd``, or ``adamw``, which needs a smaller ``learning_rate``. It gets the demo's small network past
            shape and colour to texture, where SGD stops (half of the generated images are then told apart).
        learning_rate: at the start.
        milestones: where it falls to a tenth: fractions of the run (below 1), or steps.
        momentum: of SGD.
        weight_decay: of all parameters.
        seed: of initialisation, order and augmentation.
    """

    batch: int = 128
    epochs: int = 164
    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.1
    milestones: Sequence[float] = (0.5, 0.75)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: int = 0

    def steps_per_epoch(self, images: int) -> int:
        """Steps that see each of so many images once; the last one takes those that are left."""
        return -(-images // self.batch)


class LabelledImages(NamedTuple):
    """A batch to classify.

    Attributes:
        images: float32 (B, 3, 32, 32) in [0, 1].
        labels: int64 (B,).
    """

    images: Tensor
    labels: Tensor


def augmented_batch(padded: PatchSampler, labels: Tensor, recipe: ClassifierRecipe, step: int) -> LabelledImages:
    """The batch of a step: a function of recipe, images and device type alone.

    Every epoch takes the images in a new order, each mirrored or not and cropped at random (He et al., section 4.2).

    Args:
        padded: all training images, with 4 black pixels on each side, cut to 32x32.
        labels: int64 (N,), on the device of the images.
        recipe: batch and seed.
        step: from 1.
    """
    device = labels.device
    epoch, number = divmod(step - 1, recipe.steps_per_epoch(len(labels)))
    order = torch.randperm(len(labels), generator=generator_for(device, recipe.seed, epoch, 1), device=device)
    chosen = order[number * recipe.batch : (number + 1) * recipe.batch]
    generator = generator_for(device, recipe.seed, step)
    crop = torch.randint(CROPS, chosen.shape, generator=generator, device=device)
    flipped = torch.rand(chosen.shape, generator=generator, device=device) < 0.5
    images = padded.gather(padded.first_position[chosen] + crop, flipped)
    return LabelledImages(images.float().div_(255), labels[chosen])


def channel_statistics(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over uint8 images (N, H, W, 3), on the [0, 1] scale."""
    values = np.arange(256) / 255
    counts = np.stack([np.bincount(images[..., channel].ravel(), minlength=256) for channel in range(3)])
    mean = counts @ values / counts.sum(1)
    variance = counts @ values**2 / counts.sum(1) - mean**2
    return mean.tolist(), np.sqrt(variance).tolist()


def initialise_cifar_resnet(network: CifarResNet, seed: int) -> None:
    """Draw a network's first weights: Kaiming-normal (He et al. 2015); torch's default for the last layer."""
    generator = generator_for(torch.device("cpu"), seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    bound = network.fc.in_features**-0.5
    nn.init.uniform_(network.fc.weight, -bound, bound, generator=generator)
    nn.init.uniform_(network.fc.bias, -bound, bound, generator=generator)


def train_cifar_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    depth: int,
    recipe: ClassifierRecipe,
    weights: Path,
    device: torch.device | str = "cpu",
    classes: int = 100,
    log: Path | None = None,
    checkpoint_every: int = 1000,
) -> None:
    """Train a CIFAR ResNet on clean images by cross-entropy.

    Args:
        images: uint8 (N, 32, 32, 3).
        labels: int64 (N,), values 0 to ``classes - 1``.
        depth: of the network, 6 n + 2.
        recipe: how.
        weights: safetensors file to write, with recipe, hash of the images, device, and the mean and std of the
            training images in its metadata; a JSON file of its name gets the whole provenance. Until then a checkpoint
            lies beside it, from which a killed training goes on.
        device: where to train.
        classes: length of the logits.
        log: CSV of the learning curve; ``top1`` is the training batches' accuracy.
        checkpoint_every: steps between checkpoints.

    Raises:
        UsaidError: images of another size, labels out of range or of another number, or as
            :func:`usaid.training.loop.fit`.
    """
    start = time.perf_counter()
    _check_data(images, labels, classes)
    device = torch.device(device)
    edges = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    named = ((f"{index} of class {labels[index]}", image) for index, image in enumerate(np.pad(images, edges)))
    padded = PatchSampler(named, SIDE, device)
    targets = torch.from_numpy(labels).to(device)
    network = cifar_resnet(depth, classes)
    initialise_cifar_resnet(network, recipe.seed)
    network.to(device).to(memory_format=torch.channels_last)
    mean, std = channel_statistics(images)
    normalise = Normalisation(mean, std, device)

    def cross_entropy(network: nn.Module, batch: LabelledImages) -> tuple[Tensor, dict[str, Tensor]]:
        logits = network(normalise(batch.images))
        top1 = (logits.argmax(dim=1) == batch.labels).float().mean()
        return F.cross_entropy(logits, batch.labels), {"top1": top1}

    facts = {
        "depth": depth,
        "classes": classes,
        **asdict(recipe),
        "images_sha256": padded.sha256,
        "mean": mean,
        "std": std,
        "device_type": device.type,
    }
    steps = recipe.epochs * recipe.steps_per_epoch(len(labels))
    fit(
        network,
        lambda step: augmented_batch(padded, targets, recipe, step),
        cross_entropy,
        optimizer_of(recipe.optimizer, network, recipe.momentum, recipe.weight_decay),
        decayed(recipe.learning_rate, recipe.milestones, steps),
        steps,
        checkpoint_beside(weights),
        fingerprint=facts,
        checkpoint_every=checkpoint_every,
        log=log,
        title=f"ResNet-{depth}",
    )
    facts["n_images"] = len(labels)
    write_trained(network, weights, facts, device, time.perf_counter() - start)


def _check_data(images: np.ndarray, labels: np.ndarray, classes: int) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, 3):
        raise UsaidError(f"classifier's images are {images.dtype} {images.shape}, not uint8 (N, {SIDE}, {SIDE}, 3)")
    if len(labels) != len(images):
        raise UsaidError(f"{len(images)} images but {len(labels)} labels; fetch the data set again")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UsaidError(f"labels go from {labels.min()} to {labels.max()}, not 0 to {classes - 1}; correct 'classes'")
