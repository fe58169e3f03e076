"""Trains a blind denoising network: one network, three losses (paper sections III and IV-A)."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from usaid.datasets.base import Sample
from usaid.denoisers.training.batches import Batches
from usaid.denoisers.training.segmentation_loss import Denoise, DenoiserLoss, Segmentation
from usaid.training.loop import Run, Task, decayed, train
from usaid.training.patches import PatchSampler, labelled_images

if TYPE_CHECKING:
    from usaid.denoisers.training.recipe import NetworkRecipe

_WITHOUT_LABELS = (
    "which S-SAID needs, and 'loss' = supervised; name labelled 'images' (voc2012/train), or train U-SAID ('loss' = "
    "unsupervised), which needs none"
)


def train_network(
    denoiser: nn.Module,
    denoise: Denoise,
    samples: Iterable[Sample],
    recipe: "NetworkRecipe",
    run: Run,
    further: Mapping[str, Any] | None = None,
) -> None:
    """Train a network that is blind to the noise level.

    Args:
        denoiser: the network, with its first weights.
        denoise: how it is called: (network, noisy patches) -> denoised patches.
        samples: clean training images; the supervised loss also needs their label maps.
        recipe: how; of its losses that of the run's method.
        run: its name is the method. The weights are those of the denoiser alone, float32; their record has recipe and
            hashes of images and encoder; the learning curve has the parts of the loss, and the PSNR of the training
            batches in dB.
        further: JSON-able values that the training depends on beside recipe and images.

    Raises:
        UsaidError: images that are too small, too few or without the labels that the loss needs, an encoder without
            weights, or as :func:`usaid.training.loop.fit`.
    """
    loss, device = recipe.loss_of(run.name), run.device
    if loss == "supervised":
        images = labelled_images(samples, recipe.classes, without=_WITHOUT_LABELS)
    else:
        images = ((sample.id, sample.image) for sample in samples)
    batches = Batches(PatchSampler(images, recipe.patch, device), recipe)
    depends_on = {"method": run.name, **(further or {}), **recipe.keys_of(run.name)}
    depends_on["images_sha256"] = batches.sampler.sha256
    segmentation = None if loss == "mse" else Segmentation(loss, recipe, run.data_root, device)
    if segmentation is not None:
        depends_on["encoder_sha256"] = segmentation.usa.encoder.weights_sha256
    learnt = learnt_parts(denoiser, recipe, segmentation, device)
    milestones = [end / recipe.epochs for end in recipe.milestones if end < recipe.epochs]
    task = Task(
        network=learnt,
        batches=batches,
        loss=DenoiserLoss(recipe, segmentation, denoise),
        optimizer=torch.optim.Adam(learnt.parameters(), fused=True),
        learning_rate=decayed(recipe.learning_rate, milestones, batches.steps),
        steps=batches.steps,
        precision=recipe.precision,
        snapshots=recipe.snapshots,
    )
    only_recorded = {"recipe": recipe.recipe, "steps": batches.steps, "n_images": len(batches.sampler.ids)}
    train(task, run, depends_on, result=learnt["denoiser"], **only_recorded)


def learnt_parts(
    denoiser: nn.Module, recipe: "NetworkRecipe", segmentation: Segmentation | None, device: torch.device
) -> nn.ModuleDict:
    """What the optimiser changes: the denoiser, and the head of the USA module if it is learnable."""
    denoiser.to(device)
    if recipe.channels_last:
        denoiser.to(memory_format=torch.channels_last)
    if recipe.compile:
        denoiser.compile()
    parts: dict[str, nn.Module] = {"denoiser": denoiser}
    if segmentation is not None and recipe.head == "learnable":
        parts["head"] = segmentation.usa.head
    return nn.ModuleDict(parts)
