"""The loss of a batch of denoised images: the reconstruction error, and that of a segmenter that sees them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from usaid.denoisers.training.batches import Batch
from usaid.denoisers.training.losses import entropy, focal, mse
from usaid.errors import UsaidError
from usaid.segmentation.encoders import build_encoder
from usaid.segmentation.usa_module import USAModule, resized
from usaid.tensors import Normalisation
from usaid.training.loop import autocast
from usaid.training.losses import cross_entropy, psnr

if TYPE_CHECKING:
    from usaid.denoisers.training.recipe import Loss, NetworkRecipe

Denoise = Callable[[nn.Module, Tensor], Tensor]
"""(network, noisy batch) -> denoised batch: float (B, 3, H, W), [0, 1] images."""


class Segmentation:
    """The segmentation loss of a batch: the USA module on the denoised images, and what its logits are held against.

    Attributes:
        usa: the module; all of it frozen but for a learnable head.
    """

    def __init__(self, loss: "Loss", recipe: "NetworkRecipe", data_root: str | Path, device: torch.device) -> None:
        """Build the module, all of it frozen but for a learnable head.

        Args:
            loss: ``supervised`` or ``unsupervised``.
            recipe: how the denoiser is trained.
            data_root: where the weights of encoders lie.
            device: where to compute.

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
        self.loss, self.recipe = loss, recipe
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
        if self.loss == "supervised":
            assert labels is not None  # labelled_images saw to it
            return cross_entropy(logits, labels)
        if recipe.segmentation_loss == "entropy":
            return entropy(logits)
        return focal(logits, recipe.focal_gamma)


class DenoiserLoss:
    """``mse_weight * MSE + segmentation_weight * segmentation loss``; the MSE alone where nothing is segmented."""

    def __init__(self, recipe: "NetworkRecipe", segmentation: Segmentation | None, denoise: Denoise) -> None:
        """
        Args:
            recipe: how the denoiser is trained.
            segmentation: the segmentation loss; None: there is none.
            denoise: how the network is called.
        """
        self.recipe, self.segmentation, self.denoise = recipe, segmentation, denoise

    def __call__(self, learnt: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch, and its parts for the learning curve; ``learnt`` holds the denoiser."""
        recipe, noisy = self.recipe, batch.clean + batch.noise
        if not recipe.channels_last:
            noisy = noisy.contiguous()
        with autocast(noisy.device, recipe.precision):
            denoised = self.denoise(learnt["denoiser"], noisy)  # type: ignore[index]
            error = mse(denoised, batch.clean, recipe.mse_reduction)
            parts = {"mse": error, "psnr": psnr(denoised.detach(), batch.clean)}
            if self.segmentation is None:
                return error, parts
            parts["segmentation"] = self.segmentation(denoised, batch.labels)
        return recipe.mse_weight * error + recipe.segmentation_weight * parts["segmentation"], parts
