"""Training of the CIFAR-100 classifiers that judge denoised images, on clean images (Tables VIII and X)."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.classification.network import CifarResNet, cifar_resnet
from usaid.errors import UsaidError
from usaid.tensors import Normalisation
from usaid.training.loop import Run, Task, decayed, generator_for, optimizer_of, train
from usaid.training.patches import PatchSampler

if TYPE_CHECKING:
    from evaluators.classification.settings import ClassificationSettings, ClassifierRecipe

SIDE = 32
PADDING = 4
CROPS = (2 * PADDING + 1) ** 2
"""Ways to crop a padded image back to its size."""


class LabelledDataSet(Protocol):
    """What a classifier is trained on; :class:`usaid.datasets.cifar100.CIFAR100` is one.

    Attributes:
        images: uint8 (N, 32, 32, 3).
        labels: int64 (N,), values 0 to K - 1.
    """

    images: np.ndarray
    labels: np.ndarray

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the K classes."""
        ...


class LabelledImages(NamedTuple):
    """A batch to classify.

    Attributes:
        images: float32 (B, 3, 32, 32) in [0, 1].
        labels: int64 (B,).
    """

    images: Tensor
    labels: Tensor


def steps_per_epoch(recipe: "ClassifierRecipe", images: int) -> int:
    """Steps that see each of so many images once; the last one takes those that are left."""
    return -(-images // recipe.batch)


def augmented_batch(padded: PatchSampler, labels: Tensor, recipe: "ClassifierRecipe", step: int) -> LabelledImages:
    """The batch of a step: a function of recipe, images and device type alone.

    Every epoch takes the images in a new order, each mirrored or not and cropped at random (He et al., section 4.2).

    Args:
        padded: all training images, with 4 black pixels on each side, cut to 32x32.
        labels: int64 (N,), on the device of the images.
        recipe: batch and seed.
        step: from 1.
    """
    device = labels.device
    epoch, number = divmod(step - 1, steps_per_epoch(recipe, len(labels)))
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


def train_classifier(samples: LabelledDataSet, settings: "ClassificationSettings", run: Run) -> None:
    """Train a CIFAR ResNet on clean images by cross-entropy.

    The metadata of the weights hold recipe, hash of the images, and the mean and std of the training images; ``top1``
    of the learning curve is the training batches' accuracy.

    Args:
        samples: the training images.
        settings: which network, and how.
        run: where.

    Raises:
        UsaidError: images of another size, labels out of range or of another number, or as
            :func:`usaid.training.loop.fit`.
    """
    recipe, depth = settings.classifier.train, settings.classifier.depth
    assert recipe is not None
    images, labels, classes = samples.images, samples.labels, len(samples.class_names)
    _check_data(images, labels, classes)
    padded = _padded(images, labels, run.device)
    targets = torch.from_numpy(labels).to(run.device)
    network = cifar_resnet(depth, classes)
    initialise_cifar_resnet(network, recipe.seed)
    network.to(run.device).to(memory_format=torch.channels_last)
    mean, std = channel_statistics(images)
    normalise = Normalisation(mean, std, run.device)

    def cross_entropy(network: nn.Module, batch: LabelledImages) -> tuple[Tensor, dict[str, Tensor]]:
        logits = network(normalise(batch.images))
        top1 = (logits.argmax(dim=1) == batch.labels).float().mean()
        return F.cross_entropy(logits, batch.labels), {"top1": top1}

    steps = recipe.epochs * steps_per_epoch(recipe, len(labels))
    task = Task(
        network,
        lambda step: augmented_batch(padded, targets, recipe, step),
        cross_entropy,
        optimizer_of(recipe.optimizer, network, recipe.momentum, recipe.weight_decay),
        decayed(recipe.learning_rate, recipe.milestones, steps),
        steps,
        checkpoint_every=1000,
    )
    depends_on = {"depth": depth, "classes": classes, **recipe.model_dump(mode="json")}
    depends_on |= {"images_sha256": padded.sha256, "mean": mean, "std": std}
    train(task, run, depends_on, n_images=len(labels))


def _padded(images: np.ndarray, labels: np.ndarray, device: torch.device) -> PatchSampler:
    edges = ((0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0))
    named = ((f"{index} of class {labels[index]}", image) for index, image in enumerate(np.pad(images, edges)))
    return PatchSampler(named, SIDE, device)


def _check_data(images: np.ndarray, labels: np.ndarray, classes: int) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, 3):
        raise UsaidError(f"classifier's images are {images.dtype} {images.shape}, not uint8 (N, {SIDE}, {SIDE}, 3)")
    if len(labels) != len(images):
        raise UsaidError(f"{len(images)} images but {len(labels)} labels; fetch the data set again")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise UsaidError(
            f"labels go from {labels.min()} to {labels.max()}, not 0 to {classes - 1}; fetch the data set again"
        )
