"""Training of the segmentation networks that judge denoised images, on clean images (Tables V and VII)."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.segmentation.networks import build_segmenter
from usaid.datasets.base import Dataset, Sample
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.segmentation.encoders import NORMALISATIONS, find_weights
from usaid.tensors import Normalisation
from usaid.training import losses
from usaid.training.loop import Run, Task, autocast, generator_for, optimizer_of, train
from usaid.training.patches import NO_LABEL

if TYPE_CHECKING:
    from evaluators.segmentation.settings import SegmentationSettings, SegmenterRecipe

CPU = torch.device("cpu")


class LabelledCrops(NamedTuple):
    """A batch to segment.

    Attributes:
        images: float32 (B, 3, crop, crop) in [0, 1], channels last in memory.
        labels: int64 (B, crop, crop), class of each pixel, 255 for none.
    """

    images: Tensor
    labels: Tensor


class Crops:
    """The batch of each step: a function of recipe and images alone.

    Every epoch takes the images in a new order. Of each a random square of ``crop / scale`` pixels is scaled to
    ``crop`` and mirrored or not; what lies beyond the image's right and lower border is of the mean colour and has no
    label. Or, of a recipe that has ``sample: whole``, all of it is resized to the square. All images stay decoded on
    the device. A step takes ``accumulate`` batches, one after the other.

    Attributes:
        ids: of the images.
        squares: in a step.
        sha256: hash of the images' ids, sizes, pixels and labels.
    """

    def __init__(
        self,
        samples: Iterable[Sample],
        classes: int,
        recipe: "SegmenterRecipe",
        mean: Sequence[float],
        device: torch.device,
    ) -> None:
        """Load the images.

        Args:
            samples: their targets are uint8 (H, W) label maps; 255 marks pixels without a label.
            classes: labels have to be below it.
            recipe: crop, batch, scales and seed.
            mean: RGB colour on the [0, 1] scale.
            device: where images and batches live.

        Raises:
            UsaidError: no image, or one whose target is no label map or has a label from ``classes`` on.
        """
        self.recipe = recipe
        self.squares = recipe.batch * recipe.accumulate
        self.mean = torch.tensor(mean, device=device).view(3, 1, 1)
        self.images: list[Tensor] = []
        self.labels: list[Tensor] = []
        ids, digest = [], hashlib.sha256()
        for sample in samples:
            _check_labels(sample, classes)
            digest.update(f"{sample.id} {sample.image.shape} ".encode())
            for pixels in (sample.image, sample.target):
                digest.update(np.ascontiguousarray(pixels).data)
            ids.append(sample.id)
            self.images.append(torch.tensor(sample.image, device=device).permute(2, 0, 1))
            self.labels.append(torch.tensor(sample.target, device=device))
            if recipe.void == "background":
                self.labels[-1][self.labels[-1] == NO_LABEL] = 0
        if not ids:
            raise UsaidError("no images to train on; correct the data set's split or list of ids")
        self.ids = tuple(ids)
        self.sha256 = digest.hexdigest()

    def __call__(self, step: int) -> LabelledCrops:
        """The batch of a step (from 1)."""
        batch, crop, device = self.squares, self.recipe.crop, self.mean.device
        images = torch.empty((batch, 3, crop, crop), device=device, memory_format=torch.channels_last).copy_(self.mean)
        labels = torch.full((batch, crop, crop), NO_LABEL, device=device)
        for place, (number, draws) in enumerate(zip(self._numbers(step), self._draws(step), strict=True)):
            self._crop(number, draws, images[place], labels[place])
        return LabelledCrops(images, labels)

    def images_of(self, step: int) -> list[str]:
        """Ids of the images in the batch of a step, each once."""
        return list(dict.fromkeys(self.ids[number] for number in self._numbers(step)))

    def _numbers(self, step: int) -> list[int]:
        """Which images are in the batch of a step: the next ones of the epoch, and of those that follow."""
        first, count = (step - 1) * self.squares, len(self.ids)
        places = [divmod(place, count) for place in range(first, first + self.squares)]
        orders = {
            epoch: torch.randperm(count, generator=generator_for(CPU, self.recipe.seed, epoch, 1)).tolist()
            for epoch in dict(places)
        }
        return [orders[epoch][place] for epoch, place in places]

    def _draws(self, step: int) -> list[list[float]]:
        """What :meth:`_crop` takes for each place of a batch: drawn on the CPU, so that no crop waits for a GPU."""
        generator = generator_for(CPU, self.recipe.seed, step, 0)
        draws: list[list[float]] = torch.rand((self.squares, 4), generator=generator).tolist()
        return draws

    def _crop(self, number: int, draws: Sequence[float], image: Tensor, labels: Tensor) -> None:
        """Put a crop of an image into ``image`` (3, crop, crop), and its labels into ``labels`` (crop, crop).

        Args:
            number: of the image.
            draws: four numbers from [0, 1): for scale, place from the top and from the left, and mirroring.
            image, labels: hold mean colour and no labels.
        """
        zoom, down, across, mirrored = draws
        if self.recipe.sample == "whole":
            pixels, classes = self.images[number], self.labels[number]
            if self.recipe.flip and mirrored < 0.5:
                pixels, classes = pixels.flip(2), classes.flip(1)
            image[:] = _scaled(pixels, image.shape[1], image.shape[2], antialias=False)
            labels[:] = _from_corners(classes, *labels.shape)
            return
        low, high = self.recipe.scale_range
        side = max(1, round(self.recipe.crop / (low + (high - low) * zoom)))
        height, width = self.labels[number].shape
        top, left = (int(draw * (max(0, size - side) + 1)) for draw, size in ((down, height), (across, width)))
        window = slice(top, top + side), slice(left, left + side)
        pixels, classes = self.images[number][:, *window], self.labels[number][window]
        if self.recipe.flip and mirrored < 0.5:
            pixels, classes = pixels.flip(2), classes.flip(1)
        height, width = (max(1, round(size * self.recipe.crop / side)) for size in classes.shape)
        image[:, :height, :width] = _scaled(pixels, height, width)
        labels[:height, :width] = _scaled_labels(classes, height, width)


def _check_labels(sample: Sample, classes: int) -> None:
    labels = sample.target
    if not isinstance(labels, np.ndarray) or labels.shape != sample.image.shape[:2]:
        raise UsaidError(f"image {sample.id!r} has no label map, which a segmenter learns from; name a labelled split")
    if (highest := int(labels[labels != NO_LABEL].max(initial=0))) >= classes:
        raise UsaidError(f"image {sample.id!r} has label {highest}, its data set {classes} classes; correct its map")


def _scaled(pixels: Tensor, height: int, width: int, antialias: bool = True) -> Tensor:
    """uint8 (3, h, w) -> float32 (3, height, width) in [0, 1], bilinear; where it shrinks, without aliases or not."""
    image = pixels[None].float().div_(255)
    if pixels.shape[1:] != (height, width):
        image = F.interpolate(image, size=(height, width), mode="bilinear", align_corners=False, antialias=antialias)
    return image[0]


def _from_corners(labels: Tensor, height: int, width: int) -> Tensor:
    """(h, w) -> (height, width): each pixel takes the label at its upper left corner, as OpenCV's nearest neighbour."""
    return F.interpolate(labels[None, None].float(), size=(height, width), mode="nearest")[0, 0].long()


def _scaled_labels(labels: Tensor, height: int, width: int) -> Tensor:
    """(h, w) -> (height, width): each pixel takes the label at its centre."""
    rows, columns = (
        ((torch.arange(size, device=labels.device) + 0.5) * (old / size)).long()
        for size, old in zip((height, width), labels.shape, strict=True)
    )
    return labels[rows[:, None], columns].long()


class SegmenterLoss:
    """Loss of a step's batches, and the share of right pixels (one in 16 is looked at) for the curve."""

    def __init__(self, recipe: "SegmenterRecipe", normalise: Normalisation, memory_format: torch.memory_format) -> None:
        self.recipe, self.normalise, self.memory_format = recipe, normalise, memory_format

    def __call__(self, network: nn.Module, batch: LabelledCrops) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a network (in training mode): the mean of what each batch has, which the network sees by itself."""
        if self.recipe.batchnorm == "frozen":
            network.get_submodule("encoder").eval()  # of dropout it has none
        parts = [part.split(self.recipe.batch) for part in batch]
        means = [self._of_one(network, LabelledCrops(*one)) for one in zip(*parts, strict=True)]
        loss, accuracy = (torch.stack(values).mean() for values in zip(*means, strict=True))
        return loss, {"accuracy": accuracy}

    def _of_one(self, network: nn.Module, batch: LabelledCrops) -> tuple[Tensor, Tensor]:
        """Loss of a batch, and the share of right pixels."""
        images = self.normalise(batch.images).contiguous(memory_format=self.memory_format)
        with autocast(images.device, self.recipe.precision):
            logits = network(images).float()
        labels = batch.labels
        if logits.shape[2:] != labels.shape[1:]:
            labels = torch.stack([_from_corners(one, *logits.shape[2:]) for one in labels])
        some = labels[:, ::4, ::4]
        right = (logits.detach()[:, :, ::4, ::4].argmax(dim=1) == some).sum()
        accuracy = right / (some != NO_LABEL).sum().clamp(min=1)
        if self.recipe.loss == "focal":
            return focal(logits, labels, self.recipe.focal_gamma), accuracy
        return losses.cross_entropy(logits, labels), accuracy


def focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Focal loss with true labels (Lin et al. 2017; the released code's, PROTOCOL section 5).

    Args:
        logits: float (B, K, h, w).
        labels: int64 (B, h, w), 255 for no label.
        gamma: 0 makes it the cross-entropy.

    Returns:
        The mean over labelled pixels of -(1 - p)^gamma log p, p being the probability of a pixel's class; 0 if there is
        none.
    """
    minus_log_p = F.cross_entropy(logits, labels, ignore_index=NO_LABEL, reduction="none")
    unsure = (1 - (-minus_log_p).exp()).clamp(min=1e-7)  # the slope of a power below 1 is infinite at 0
    return (unsure.pow(gamma) * minus_log_p).sum() / (labels != NO_LABEL).sum().clamp(min=1)


def polynomially_decayed(initial: float, power: float, steps: int) -> Callable[[int], float]:
    """Learning rate ``initial * (1 - (step - 1) / steps) ** power`` of a step, from 1 (Zhao et al. 2017)."""
    return lambda step: initial * (1 - (step - 1) / steps) ** power


def train_segmenter(samples: Dataset, settings: "SegmentationSettings", run: Run) -> None:
    """Train a segmenter on clean images: all of it, from ImageNet weights in the encoder and random ones behind it.

    The safetensors file (float32) has the network's name, normalisation and recipe, and hashes of images and encoder in
    its metadata. The learning curve has loss and share of right pixels of the training batches.

    Args:
        samples: images and their uint8 (H, W) label maps: classes from 0, 255 for none; its card names the classes.
        settings: of the benchmark; its segmenter has ``train``.
        run: where files lie. torch's global random generators are the same afterwards as before.

    Raises:
        UsaidError: no images or wrong label maps, as ``build_segmenter``, or as :func:`usaid.training.loop.fit`.
    """
    segmenter, device, classes = settings.segmenter, run.device, len(samples.card.classes)
    recipe, architecture, encoder = segmenter.train, segmenter.network, segmenter.encoder
    assert recipe is not None
    assert architecture is not None
    of_encoder = NORMALISATIONS[encoder]
    mean, std = recipe.train_mean or of_encoder[0], recipe.std or of_encoder[1]
    crops = Crops(samples, classes, recipe, mean, device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        network = build_segmenter(architecture, encoder, classes, segmenter.encoder_weights, run.data_root)
        # oneDNN's dilated convolutions are slow with channels last; EfficientNet's, of one channel each, are fast
        dilated_on_cpu = (architecture, encoder, device.type) == ("pspnet", "resnet101", "cpu")
        memory_format = torch.contiguous_format if dilated_on_cpu else torch.channels_last
        network.to(device).to(memory_format=memory_format)
        task = Task(
            network,
            crops,
            SegmenterLoss(recipe, Normalisation(mean, std, device), memory_format),
            optimizer_of(recipe.optimizer, network, recipe.momentum, recipe.weight_decay),
            polynomially_decayed(recipe.learning_rate, recipe.power, recipe.steps),
            recipe.steps,
            log_every=10,
            checkpoint_every=100,
            precision=recipe.precision,
        )
        depends_on = {
            "architecture": architecture,
            "encoder": encoder,
            "classes": classes,
            **recipe.model_dump(mode="json"),
            "mean": recipe.test_mean or mean,
            "std": std,
            "images_sha256": crops.sha256,
            "encoder_sha256": sha256_of_file(find_weights(encoder, segmenter.encoder_weights, run.data_root)),
        }
        train(task, run, depends_on, n_images=len(crops.ids), deviations=recipe.deviations())
