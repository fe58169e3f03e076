"""Trains CDnCNN-B, S-SAID and U-SAID: one denoiser, three losses (paper sections III and IV-A)."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from usaid.datasets.base import Sample
from usaid.denoisers.dncnn.batches import Batch, Batches
from usaid.denoisers.dncnn.losses import entropy, focal, mse
from usaid.denoisers.dncnn.network import DnCNN
from usaid.errors import UsaidError
from usaid.segmentation.encoders import build_encoder
from usaid.segmentation.usa_module import USAModule, resized
from usaid.tensors import Normalisation
from usaid.training.loop import Run, Task, autocast, decayed, generator_for, train
from usaid.training.losses import cross_entropy, psnr
from usaid.training.patches import PatchSampler, labelled_images

if TYPE_CHECKING:
    from usaid.denoisers.dncnn.recipe import Recipe

_WITHOUT_LABELS = "which S-SAID needs; name labelled 'images' (voc2012/train), or train U-SAID, which needs none"


class Segmentation:
    """The segmentation loss of a batch: the USA module on the denoised images, and what its logits are held against.

    Attributes:
        usa: the module; all of it frozen but for a learnable head.
    """

    def __init__(self, method: str, recipe: "Recipe", data_root: str | Path, device: torch.device) -> None:
        """Build the module, all of it frozen but for a learnable head.

        Raises:
            UsaidError: no statistics in a batch, or as :func:`usaid.segmentation.encoders.build_encoder`.
        """
        if recipe.segmenter_batchnorm == "batch" and recipe.batch == 1 and recipe.patch <= 32:
            raise UsaidError("'segmenter_batchnorm' = batch: one pixel has no statistics; raise 'batch' or 'patch'")
        encoder = build_encoder(recipe.encoder, recipe.encoder_weights, data_root)
        if recipe.segmenter_batchnorm == "batch":
            encoder.use_batch_statistics()
        self.usa = USAModule(encoder, recipe.classes, recipe.seed).requires_grad_(False).to(device)
        self.usa.to(memory_format=torch.channels_last if recipe.channels_last else torch.contiguous_format)
        self.usa.head.requires_grad_(recipe.head == "learnable")
        if recipe.compile:
            self.usa.compile()
        self.method, self.recipe = method, recipe
        mean, std = recipe.segmenter_mean or encoder.mean, recipe.segmenter_std or encoder.std
        self.normalise = Normalisation(mean, std, device)

    def __call__(self, denoised: Tensor, labels: Tensor | None) -> Tensor:
        """The loss of a batch of denoised images, float (B, 3, H, W)."""
        recipe = self.recipe
        seen = denoised if recipe.gradient == "attached" else denoised.detach()
        seen = seen.clamp(0, 1) if recipe.segmenter_clamp else seen
        logits = self.usa(self.normalise(seen)).float()
        if recipe.loss_stride == 1:
            logits = resized(logits, denoised.shape[2:])
        if self.method == "s_said":
            assert labels is not None  # labelled_images saw to it
            return cross_entropy(logits, labels)
        if recipe.segmentation_loss == "entropy":
            return entropy(logits)
        return focal(logits, recipe.focal_gamma)


class DenoiserLoss:
    """``mse_weight * MSE + segmentation_weight * segmentation loss``; for CDnCNN-B the MSE alone."""

    def __init__(self, recipe: "Recipe", segmentation: Segmentation | None) -> None:
        self.recipe, self.segmentation = recipe, segmentation

    def __call__(self, learnt: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its parts for the learning curve; ``learnt`` holds the denoiser."""
        recipe, noisy = self.recipe, batch.clean + batch.noise
        if not recipe.channels_last:
            noisy = noisy.contiguous()
        with autocast(noisy.device, recipe.precision):
            denoised = noisy - learnt["denoiser"](noisy).float()  # type: ignore[index]
            error = mse(denoised, batch.clean, recipe.mse_reduction)
            parts = {"mse": error, "psnr": psnr(denoised.detach(), batch.clean)}
            if self.segmentation is None:
                return error, parts
            parts["segmentation"] = self.segmentation(denoised, batch.labels)
        return recipe.mse_weight * error + recipe.segmentation_weight * parts["segmentation"], parts


def train_dncnn(samples: Iterable[Sample], recipe: "Recipe", run: Run) -> None:
    """Train a denoiser that is blind to the noise level.

    Args:
        samples: clean training images; S-SAID also needs their label maps.
        recipe: how.
        run: its name is the method: ``cdncnn_b`` (MSE alone), ``s_said`` (with the labels) or ``u_said`` (without). The
            weights are those of the denoiser alone, float32; their record has recipe and hashes of images and encoder;
            the learning curve has the parts of the loss, and the PSNR of the training batches in dB.

    Raises:
        UsaidError: images that are too small, too few or without the labels that S-SAID needs, an encoder without
            weights, or as :func:`usaid.training.loop.fit`.
    """
    method, device = run.name, run.device
    if method == "s_said":
        images = labelled_images(samples, recipe.classes, without=_WITHOUT_LABELS)
    else:
        images = ((sample.id, sample.image) for sample in samples)
    batches = Batches(PatchSampler(images, recipe.patch, device), recipe)
    depends_on = {"method": method, **recipe.keys_of(method), "images_sha256": batches.sampler.sha256}
    segmentation = None if method == "cdncnn_b" else Segmentation(method, recipe, run.data_root, device)
    if segmentation is not None:
        depends_on["encoder_sha256"] = segmentation.usa.encoder.weights_sha256
    learnt = learnt_parts(recipe, segmentation, device)
    milestones = [end / recipe.epochs for end in recipe.milestones if end < recipe.epochs]
    task = Task(
        network=learnt,
        batches=batches,
        loss=DenoiserLoss(recipe, segmentation),
        optimizer=torch.optim.Adam(learnt.parameters(), fused=True),
        learning_rate=decayed(recipe.learning_rate, milestones, batches.steps),
        steps=batches.steps,
        precision=recipe.precision,
    )
    further = {"recipe": recipe.recipe, "steps": batches.steps, "n_images": len(batches.sampler.ids)}
    train(task, run, depends_on, result=learnt["denoiser"], **further)


def learnt_parts(recipe: "Recipe", segmentation: Segmentation | None, device: torch.device) -> nn.ModuleDict:
    """What the optimiser changes: the denoiser, freshly drawn, and the head of the USA module if it is learnable."""
    denoiser = DnCNN(recipe.depth, recipe.features)
    initialise_dncnn(denoiser, recipe.seed)
    denoiser.to(device)
    if recipe.channels_last:
        denoiser.to(memory_format=torch.channels_last)
    if recipe.compile:
        denoiser.compile()
    parts: dict[str, nn.Module] = {"denoiser": denoiser}
    if segmentation is not None and recipe.head == "learnable":
        parts["head"] = segmentation.usa.head
    return nn.ModuleDict(parts)


def initialise_dncnn(network: nn.Module, seed: int) -> None:
    """Draw a DnCNN's first weights (PROTOCOL section 1).

    Convolutions: Kaiming-normal over the fan-in. BatchNorm: gain N(0, sqrt(2/9/64)) clamped to +-0.025 (DnCNN's
    original, in MATLAB, pushed small gains *out* to +-0.025; its PyTorch descendants, this paper's code among them,
    clamp), shift 0.
    """
    generator = generator_for(torch.device("cpu"), seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, std=math.sqrt(2 / 9 / 64), generator=generator)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.weight.clamp_(-0.025, 0.025)
