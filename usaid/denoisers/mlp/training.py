"""Trains MLP (Burger et al. 2012), a denoiser of patches: one network for each noise level."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.datasets.base import Sample
from usaid.denoisers.mlp.denoiser import MLP, as_one_module, denormalised, model_name, normalised
from usaid.training.loop import autocast, checkpoint_beside, decayed, fit, generator_for, write_trained
from usaid.training.losses import psnr
from usaid.training.patches import PatchSampler
from usaid.denoisers.dncnn.recipe import MLPRecipe


class PatchPairs(NamedTuple):
    """Patches to denoise, row by row, on the network's scale.

    Attributes:
        noisy: float32 (B, input_side**2).
        clean: float32 (B, output_side**2), the middle of the same patches.
    """

    noisy: Tensor
    clean: Tensor


class PatchPairBatches:
    """The batch of each step: a function of seed, sigma, step, images and device type alone."""

    def __init__(self, sampler: PatchSampler, recipe: MLPRecipe, sigma: float) -> None:
        self.sampler, self.recipe, self.sigma = sampler, recipe, float(sigma)
        self.border = (recipe.input_side - recipe.output_side) // 2

    def positions(self, step: int) -> Tensor:
        """Where the patches of a step lie, every position alike; as :meth:`PatchSampler.gather` takes them."""
        device = self.sampler.pixels.device
        return torch.randint(
            self.sampler.positions, (self.recipe.batch,), generator=self._generator(step, 0), device=device
        )

    def __call__(self, step: int) -> PatchPairs:
        """The batch of a step (from 1): a random channel of each patch, mirrored or not, transposed or not."""
        batch, device = self.recipe.batch, self.sampler.pixels.device
        generator = self._generator(step, 1)
        flipped, transposed = torch.rand(2, batch, generator=generator, device=device) < 0.5
        patches = self.sampler.gather(self.positions(step), flipped)
        channel = torch.randint(patches.shape[1], (batch,), generator=generator, device=device)
        clean = patches[torch.arange(batch, device=device), channel].float().div_(255)
        clean = torch.where(transposed[:, None, None], clean.mT, clean)
        noise = torch.empty_like(clean).normal_(generator=generator)
        inner = slice(self.border, self.border + self.recipe.output_side)
        noisy = clean + noise.mul_(self.sigma / 255)
        return PatchPairs(normalised(noisy).flatten(1), normalised(clean[:, inner, inner]).flatten(1))

    def images_of(self, step: int) -> list[str]:
        """Ids of the images in the batch of a step."""
        return self.sampler.images_of(self.positions(step))

    def _generator(self, step: int, stream: int) -> torch.Generator:
        sigma = self.sigma.as_integer_ratio()  # exact, in whole numbers
        return generator_for(self.sampler.pixels.device, self.recipe.seed, step, stream, *sigma)


def train_mlp(
    samples: Iterable[Sample],
    recipe: MLPRecipe,
    weights: Path,
    device: torch.device | str = "cpu",
    log: Path | None = None,
    checkpoint_every: int = 500,
    watch: Callable[[Mapping[str, float]], None] | None = None,
) -> None:
    """Train the networks of all sigmas of a recipe, one after the other, by the MSE of their clean patches.

    Args:
        samples: clean training images.
        recipe: how.
        weights: safetensors file to write, for :class:`usaid.denoisers.mlp.denoiser.MLPDenoiser`, with recipe, hash of the
            images and device in its metadata; a JSON file of its name gets the whole provenance. Until then a
            checkpoint of each sigma lies beside it, from which a killed training goes on.
        device: where to train.
        log: CSV of the learning curves, one below the other: sigma, loss, its parts; MSE on the network's scale and
            PSNR in dB, both of the clean patches of the training batches. Until the end each has a file of its own.
        checkpoint_every: steps between checkpoints.
        watch: is called with each new row of the learning curves.

    Raises:
        UsaidError: images that are too small, a clean patch that is not in the middle of a noisy one, or as
            :func:`usaid.training.loop.fit`.
    """
    start = time.perf_counter()
    device = torch.device(device)
    networks = {sigma: MLP(recipe.input_side, recipe.hidden, recipe.output_side) for sigma in recipe.sigmas}
    sampler = PatchSampler(
        ((sample.id, sample.image) for sample in samples), recipe.input_side, device, key="input_side"
    )
    facts = {"method": "mlp", **asdict(recipe), "images_sha256": sampler.sha256, "device_type": device.type}
    for sigma, network in networks.items():
        initialise_mlp(network, recipe.seed)
        batches = PatchPairBatches(sampler, recipe, sigma)
        fit(
            network.to(device),
            batches,
            lambda network, batch: mse_of_patches(network, batch, recipe.precision),
            torch.optim.Adam(network.parameters(), fused=True),
            decayed(recipe.learning_rate, recipe.milestones, recipe.steps),
            recipe.steps,
            checkpoint_beside(path_of_sigma(weights, sigma)),
            fingerprint={key: value for key, value in facts.items() if key != "sigmas"} | {"sigma": sigma},
            checkpoint_every=checkpoint_every,
            log=path_of_sigma(log, sigma) if log else None,
            title=f"MLP, sigma {sigma:g}",
            images_of=batches.images_of,
            watch=watch,
        )
    facts |= {"origin": "trained", "n_images": len(sampler.ids), "patches": recipe.steps * recipe.batch}
    write_trained(as_one_module(networks), weights, facts, device, time.perf_counter() - start)
    if log:
        curves = {sigma: path_of_sigma(log, sigma) for sigma in recipe.sigmas}
        joined = pd.concat([pd.read_csv(curve).assign(sigma=sigma) for sigma, curve in curves.items()])
        joined[["sigma", *joined.columns.drop("sigma")]].to_csv(log, index=False)
        for curve in curves.values():
            curve.unlink()
    for sigma in recipe.sigmas:
        checkpoint_beside(path_of_sigma(weights, sigma)).unlink()


def initialise_mlp(network: MLP, seed: int) -> None:
    """Draw a network's first weights: normal, of standard deviation 1 / sqrt(inputs) in each layer; biases are 0."""
    generator = generator_for(torch.device("cpu"), seed)
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)


def mse_of_patches(network: nn.Module, batch: PatchPairs, precision: str) -> tuple[Tensor, dict[str, Tensor]]:
    """The MSE of a batch on the network's scale; for the learning curve also its PSNR in dB."""
    with autocast(batch.noisy.device, precision):
        denoised = network(batch.noisy)
    error = F.mse_loss(denoised.float(), batch.clean)
    return error, {"mse": error, "psnr": psnr(denormalised(denoised.detach().float()), denormalised(batch.clean))}


def path_of_sigma(path: Path, sigma: float) -> Path:
    """A file's path with a noise level in its name: ``mlp.csv`` becomes ``mlp.sigma25.csv``."""
    return path.with_name(f"{path.stem}.{model_name(sigma)}{path.suffix}")
