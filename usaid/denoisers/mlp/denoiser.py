"""MLP (Burger et al. 2012) as a denoiser: networks for one noise level each, in a sliding window over each channel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from usaid.cards import Facts
from usaid.checkpoints import stored_record
from usaid.denoisers.base import Denoiser, checked_told_sigma
from usaid.denoisers.mlp.models import load_models
from usaid.denoisers.mlp.network import denormalised, normalised
from usaid.denoisers.sliding_window import starts_of_patches
from usaid.devices import PRECISIONS
from usaid.errors import UsaidError

PATCHES_PER_CHUNK = 4096
"""Most patches that are denoised at once (3,072 hidden units hold 50 MB for them in float32)."""

AUTHORS_STRIDE = 3
"""Of the sliding window, in pixels."""


class MLPDenoiser(Denoiser):
    """MLPs for one or more noise levels as a denoiser: a sliding window over each of the channels by itself.

    As in the authors' code, the image is reflected at its borders, and every pixel is the mean of all output patches
    that hold it, weighted by a Gaussian window over the patch. The network knows grey-scale images only; a colour image
    is denoised channel by channel. On a GPU the patches are added in any order: the last bits differ from run to run.

    Attributes:
        models: sigma (0-255 scale) -> network that was trained at it.
    """

    def __init__(
        self,
        weights: str | Path,
        facts: Facts,
        device: torch.device | str = "cpu",
        precision: str = "float32",
        sigma_choice: Literal["nearest", "trained"] = "nearest",
        stride: int = AUTHORS_STRIDE,
    ) -> None:
        """Load and place the networks.

        Args:
            weights: file that :func:`usaid.denoisers.mlp.models.write_models` wrote.
            facts: of the method.
            device: where to compute.
            precision: ``float32``, or ``bfloat16`` for the network (the patches are averaged in float32).
            sigma_choice: a told sigma is answered by the model of the ``nearest`` sigma (of two, the larger), or has to
                be one that a model was ``trained`` at.
            stride: of the sliding window, in pixels; the authors' is 3, smaller is slower and slightly better.

        Raises:
            UsaidError: as :func:`load_models`, no such choice, or a stride that leaves pixels out.
        """
        if sigma_choice not in ("nearest", "trained"):
            raise UsaidError(f"MLP: sigma_choice = {sigma_choice!r}: must be one of nearest, trained")
        self.facts, self.device = facts, torch.device(device)
        self.precision, self.dtype = precision, PRECISIONS[precision]
        self.sigma_choice, self.stride = sigma_choice, stride
        self.models = {sigma: model.to(self.device, self.dtype) for sigma, model in load_models(weights).items()}
        smallest = min(model.output_side for model in self.models.values())
        if not 1 <= stride <= smallest:
            raise UsaidError(f"'stride' = {stride}: must be from 1 to {smallest}, the side of the MLP's output patch")
        self.deviations = [origin_of_weights(stored_record(weights))]
        if stride != AUTHORS_STRIDE:
            self.deviations.append(f"MLP: a sliding window of stride {stride}; its authors' is {AUTHORS_STRIDE}")

    def hears(self, told_sigma: float | None) -> float:
        """The noise level of the model that a told one is answered by.

        Args:
            told_sigma: 0-255 scale.

        Returns:
            A key of ``models``.

        Raises:
            UsaidError: as :func:`usaid.denoisers.base.checked_told_sigma`, or no model was trained at this sigma and
                ``sigma_choice`` asks for one.
        """
        told = checked_told_sigma(told_sigma)
        if self.sigma_choice == "nearest":
            return min(self.models, key=lambda sigma: (abs(sigma - told), -sigma))
        if told not in self.models:
            trained = ", ".join(f"{sigma:g}" for sigma in self.models)
            raise UsaidError(f"told sigma = {told:g}: no MLP was trained at it, only at {trained}; see 'sigma_choice'")
        return told

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, as the base class says.

        Raises:
            UsaidError: as :meth:`hears`, or an image that is smaller than an output patch or than what is reflected.
        """
        model = self.models[self.hears(told_sigma)]
        batch, channels, height, width = noisy.shape
        if min(height, width) < (smallest := max(model.output_side, model.border + 1)):
            raise UsaidError(f"MLP: an image of {width}x{height} pixels is too small; it needs {smallest}x{smallest}")
        padded = F.pad(normalised(noisy), (model.border,) * 4, mode="reflect").flatten(0, 1).to(self.dtype)
        windows = padded.unfold(1, model.input_side, 1).unfold(2, model.input_side, 1)

        place: dict[str, Any] = {"device": self.device}
        starts = (starts_of_patches(size, model.output_side, self.stride) for size in (height, width))
        tops, lefts = (torch.tensor(numbers, **place) for numbers in starts)
        gaussian = gaussian_window(model.output_side).to(**place)
        pixels = torch.arange(model.output_side, **place)
        patch_weights, patch_pixels = gaussian.outer(gaussian).flatten(), (pixels[:, None] * width + pixels).flatten()

        weighted_sum = torch.zeros(noisy.numel(), **place)
        corners = torch.cartesian_prod(torch.arange(batch * channels, **place), tops, lefts)
        for chunk in corners.split(PATCHES_PER_CHUNK):
            image, top, left = chunk.unbind(1)
            denoised = model(windows[image, top, left].flatten(1)).float() * patch_weights
            first_pixel = (image * height + top) * width + left
            weighted_sum.index_add_(0, (first_pixel[:, None] + patch_pixels).flatten(), denoised.flatten())
        sum_of_weights = coverage(tops, gaussian, height).outer(coverage(lefts, gaussian, width))
        return denormalised(weighted_sum.view(noisy.shape) / sum_of_weights)


def gaussian_window(side: int) -> Tensor:
    """Weights of a patch's pixels along one of its sides: a Gaussian of standard deviation ``side // 2 / 2`` pixels.

    Returns:
        float32 (side,), symmetric; 1 in the middle of an odd side.
    """
    distance = torch.arange(side) - (side - 1) / 2
    deviation = max(side // 2, 1) / 2
    return torch.exp(-distance.square() / (2 * deviation**2))


def coverage(starts: Tensor, window: Tensor, size: int) -> Tensor:
    """Sum of the windows that begin at ``starts``, along one side of an image.

    The positions are a grid and the Gaussian is a product of its values down and across, and so is the sum over both.

    Returns:
        float32 (size,).
    """
    pixels = starts[:, None] + torch.arange(len(window), device=window.device)
    return torch.zeros(size, device=window.device).index_add_(0, pixels.flatten(), window.repeat(len(starts)))


def origin_of_weights(record: Mapping[str, Any]) -> str:
    """One sentence, for the tables' footnotes, on where weights come from.

    Args:
        record: what :func:`usaid.checkpoints.stored_record` reads from their file.
    """
    if record.get("origin") == "published":
        sigmas = ", ".join(record["sources"])
        return f"MLP: the weights that its authors published for sigma {sigmas}; the paper does not say which it used"
    if record.get("origin") == "trained":
        steps, batch, images = record["steps"], record["batch"], record["n_images"]
        amount = f"{steps * batch:,} patches ({steps:,} steps of {batch}) of {images:,} images at each sigma"
        return f"MLP: trained by this suite, with Adam, on {amount}, not the weights that its authors published"
    return "MLP: weights of unknown origin"
