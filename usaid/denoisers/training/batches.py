"""The batch of each step of a denoiser's training: clean patches, and noise of many levels to add to them."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from usaid.errors import UsaidError
from usaid.training.loop import generator_for
from usaid.training.patches import PatchSampler

if TYPE_CHECKING:
    from usaid.denoisers.training.recipe import NetworkRecipe


class Batch(NamedTuple):
    """Patches to denoise.

    Attributes:
        clean: float32 (B, 3, patch, patch) in [0, 1].
        noise: same shape; white Gaussian, on the same scale, not clipped.
        labels: int64 (B, patch, patch), class of each pixel, 255 for none; None: the images have no labels.
    """

    clean: Tensor
    noise: Tensor
    labels: Tensor | None


class Batches:
    """The batch of each step: a function of recipe, images and device type alone.

    Attributes:
        sampler: the images; their fourth channel, if there is one, is the label map.
        steps: length of the run.
    """

    def __init__(self, sampler: PatchSampler, recipe: "NetworkRecipe") -> None:
        """Draw the patches of the run, if the recipe draws them once, and count its steps.

        Raises:
            UsaidError: fewer images than a batch.
        """
        self.sampler, self.recipe = sampler, recipe
        if len(sampler.ids) < recipe.batch:
            raise UsaidError(f"{len(sampler.ids)} images, fewer than 'batch' = {recipe.batch}; lower it, or add images")
        self.drawn = sampler.some_of_each_image(recipe.patches_per_image, recipe.seed)
        self.steps_per_epoch = len(self.drawn) // recipe.batch
        self.steps = recipe.steps or max(1, round(recipe.epochs * self.steps_per_epoch))
        self._order = (-1, self.drawn)

    def positions(self, step: int) -> Tensor:
        """Where the patches of a step lie; as :meth:`PatchSampler.gather` takes them."""
        batch, seed, device = self.recipe.batch, self.recipe.seed, self.sampler.pixels.device
        if self.recipe.patches_drawn == "each_step":
            generator = generator_for(device, seed, step, 0)
            return torch.randint(self.sampler.positions, (batch,), generator=generator, device=device)
        epoch, index = divmod(step - 1, self.steps_per_epoch)
        if self._order[0] != epoch:
            shuffled = torch.randperm(len(self.drawn), generator=generator_for(device, seed, epoch, 1), device=device)
            self._order = (epoch, self.drawn[shuffled])
        return self._order[1][index * batch : (index + 1) * batch]

    def __call__(self, step: int) -> Batch:
        """The batch of a step (from 1); every patch has a sigma of its own, uniform in ``sigma_range``."""
        recipe, device = self.recipe, self.sampler.pixels.device
        generator = generator_for(device, recipe.seed, step, 2)
        flipped = torch.rand(recipe.batch, generator=generator, device=device) < (0.5 if recipe.flip else 0)
        patches = self.sampler.gather(self.positions(step), flipped)
        low, high = recipe.sigma_range
        sigma = low + (high - low) * torch.rand(recipe.batch, 1, 1, 1, generator=generator, device=device)
        clean = patches[:, :3].float().div_(255)
        noise = torch.empty_like(clean).normal_(generator=generator)
        return Batch(clean, noise.mul_(sigma / 255), patches[:, 3].long() if patches.shape[1] == 4 else None)

    def images_of(self, step: int) -> list[str]:
        """Ids of the images in the batch of a step."""
        return self.sampler.images_of(self.positions(step))
