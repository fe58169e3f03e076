"""Trains MLP (Burger et al. 2012), a denoiser of patches: one network for each noise level."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from usaid.denoisers.mlp.network import MLP, as_one_module, denormalised, model_name, normalised
from usaid.progress import stages
from usaid.training.loop import Run, Task, autocast, decayed, finish, fit, generator_for
from usaid.training.losses import psnr
from usaid.training.patches import PatchSampler

if TYPE_CHECKING:
    from usaid.datasets.base import Sample
    from usaid.denoisers.mlp.recipe import MLPRecipe


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

    def __init__(self, sampler: PatchSampler, recipe: "MLPRecipe", sigma: float) -> None:
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


def train_mlp(samples: "Iterable[Sample]", recipe: "MLPRecipe", run: Run) -> None:
    """Train the networks of all sigmas of a recipe, one after the other, by the MSE of their clean patches.

    Each sigma is a fit of its own, with a checkpoint and a learning curve of its own beside the weights until all are
    trained. The learning curve that stays has them one below the other: sigma, loss, its parts; MSE on the network's
    scale and PSNR in dB, both of the clean patches of the training batches.

    Args:
        samples: clean training images.
        recipe: how.
        run: where the files lie; the weights are for :class:`usaid.denoisers.mlp.denoiser.MLPDenoiser`.

    Raises:
        UsaidError: images that are too small, a clean patch that is not in the middle of a noisy one, or as
            :func:`usaid.training.loop.fit`.
    """
    networks = {sigma: MLP(recipe.input_side, recipe.hidden, recipe.output_side) for sigma in recipe.sigmas}
    images = ((sample.id, sample.image) for sample in samples)
    sampler = PatchSampler(images, recipe.input_side, run.device, key="input_side")
    depends_on = {"method": run.name, **recipe.model_dump(mode="json"), "images_sha256": sampler.sha256}
    of_one_sigma = {key: value for key, value in depends_on.items() if key != "sigmas"}
    runs = {sigma: run_of_sigma(run, sigma) for sigma in recipe.sigmas}
    for sigma, network in stages([*networks.items()]):
        fit(task_of_sigma(network, sampler, recipe, sigma), runs[sigma], of_one_sigma | {"sigma": sigma})
    curves = [pd.read_csv(runs[sigma].curve).assign(sigma=sigma) for sigma in recipe.sigmas]
    joined = pd.concat(curves)
    joined[["sigma", *joined.columns.drop("sigma")]].to_csv(run.curve, index=False)
    amount = {"n_images": len(sampler.ids), "patches": recipe.steps * recipe.batch}
    finish(run, as_one_module(networks), {**depends_on, "origin": "trained", **amount})
    for part in runs.values():
        part.curve.unlink()
        part.checkpoint.unlink()


def task_of_sigma(network: MLP, sampler: PatchSampler, recipe: "MLPRecipe", sigma: float) -> Task[PatchPairs]:
    """What the training of one noise level minimises; draws the network's first weights and moves it to the device."""
    initialise_mlp(network, recipe.seed)
    network.to(sampler.pixels.device)
    return Task(
        network,
        PatchPairBatches(sampler, recipe, sigma),
        lambda network, batch: mse_of_patches(network, batch, recipe.precision),
        torch.optim.Adam(network.parameters(), fused=True),
        decayed(recipe.learning_rate, recipe.milestones, recipe.steps),
        recipe.steps,
        precision=recipe.precision,
    )


def run_of_sigma(run: Run, sigma: float) -> Run:
    """The run of one noise level: its files have it in their names, ``mlp.csv`` becomes ``mlp.sigma25.csv``."""
    weights = run.weights.with_name(f"{run.weights.stem}.{model_name(sigma)}{run.weights.suffix}")
    return replace(run, weights=weights, title=f"{run.title}, sigma {sigma:g}")


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
