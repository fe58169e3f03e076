"""White Gaussian noise as a pure function of (data set, image id, sigma, draw): the same bits for every denoiser."""

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtri

from usaid.errors import UsaidError

VERSION = 1
"""Part of the seed and of every score file's provenance; changed only when the bits change."""


def checked_sigma(sigma: float) -> float:
    """``sigma`` (standard deviation on the 0-255 scale) as a float.

    Raises:
        UsaidError: sigma is negative, infinite or not a number.
    """
    if not (math.isfinite(sigma) and sigma >= 0):
        raise UsaidError(f"sigma = {sigma}: must be a finite number >= 0, on the 0-255 scale")
    return float(sigma)


def gaussian_noise(dataset: str, image_id: str, sigma: float, draw: int, height: int, width: int) -> torch.Tensor:
    """Noise for one image (paper, section IV-A: i.i.d. Gaussian, zero mean, standard deviation sigma).

    The four names are hashed to the key of a Philox counter generator, whose raw words become normal deviates by
    the inverse of the normal distribution function. Raw Philox words are the same in every NumPy release, so the
    noise depends neither on library versions nor on batch size, device or order of work.

    Args:
        dataset: name of the data set, e.g. ``"kodak"``.
        image_id: id of the image in that data set.
        sigma: standard deviation on the 0-255 scale.
        draw: index of the noise realisation, from 0.
        height, width: size of the image in pixels.

    Returns:
        float32 (3, height, width) on the [0, 1] scale, i.e. with standard deviation sigma / 255. To be added to a
        float image and *not* clipped (PROTOCOL: the paper's noisy PSNR is 20 log10(255 / sigma)).

    Raises:
        UsaidError: sigma is negative or not finite.
    """
    sigma = checked_sigma(sigma)
    name = "\x1f".join(["usaid-noise", str(VERSION), dataset, image_id, repr(sigma), str(int(draw))])
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    count = 3 * height * width
    words = np.random.Philox(key=key).random_raw((count + 1) // 2).view(np.uint32)[:count]
    uniform = (words + 0.5) * 2.0**-32  # float64, strictly inside (0, 1)
    deviates = ndtri(uniform, out=uniform)
    deviates *= sigma / 255
    return torch.from_numpy(deviates.astype(np.float32).reshape(3, height, width))


class NoiseField(NamedTuple):
    """Which noise: of an image, at a standard deviation on the 0-255 scale, in a draw."""

    image_id: str
    sigma: float
    draw: int


def gaussian_noise_batch(
    dataset: str, fields: Sequence[NoiseField], height: int, width: int, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """:func:`gaussian_noise` of several images of one size, float32 (B, 3, height, width)."""
    return torch.stack([gaussian_noise(dataset, *field, height, width) for field in fields]).to(device)
