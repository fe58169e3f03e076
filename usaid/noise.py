"""White Gaussian noise as a pure function of (data set, image id, sigma, draw): the same bits for every denoiser."""

import functools
import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import ndtri

from usaid.errors import UsaidError
from usaid.philox import as_int64, philox_words

VERSION = 1
"""Part of the seed and of every score file's provenance; changed only when the bits change."""

_PER_BLOCK = 8  # deviates of one Philox block: four words of two halves
_CHUNK = 1 << 15  # deviates that a thread makes at a time, so that all steps find them in its cache
_DEVICE_BLOCKS = 1 << 19  # that another device makes at a time, so that what is between takes under 200 MB
_SIGNS = as_int64(0x8000000080000000)


class NoiseField(NamedTuple):
    """Which noise one image of a data set gets.

    Attributes:
        image_id: id of the image in its data set.
        sigma: standard deviation on the 0-255 scale.
        draw: index of the noise realisation, from 0.
    """

    image_id: str
    sigma: float
    draw: int


def checked_sigma(sigma: float) -> float:
    """``sigma`` (standard deviation on the 0-255 scale) as a float.

    Raises:
        UsaidError: sigma is negative, infinite or not a number.
    """
    if not (math.isfinite(sigma) and sigma >= 0):
        raise UsaidError(f"sigma = {sigma}: must be a finite number >= 0, on the 0-255 scale")
    return float(sigma)


def gaussian_noise(
    dataset: str,
    image_id: str,
    sigma: float,
    draw: int,
    height: int,
    width: int,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Noise for one image, float32 (3, height, width): `gaussian_noise_batch` of one field."""
    return gaussian_noise_batch(dataset, [NoiseField(image_id, sigma, draw)], height, width, device)[0]


def gaussian_noise_batch(
    dataset: str, fields: Sequence[NoiseField], height: int, width: int, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Noise for images of one size (paper, section IV-A: i.i.d. Gaussian, zero mean, standard deviation sigma).

    The four names are hashed to the key of a Philox counter generator, whose raw words become normal deviates by
    the inverse of the normal distribution function. Raw Philox words are the same in every NumPy release, so the
    noise depends neither on library versions nor on batch size, device, threads or order of work. Another device
    makes the same words itself; its own logarithm may turn the last bit of a rare deviate (``benchmarks/noise.py``
    counts them: none of 11,796,480 by torch on the CPU).

    Args:
        dataset: name of the data set, e.g. ``"kodak"``.
        fields: image, sigma and draw of each.
        height, width: size of the images in pixels.
        device: where the noise is made, and where it is.

    Returns:
        float32 (B, 3, height, width) on the [0, 1] scale, i.e. with standard deviation sigma / 255. To be added to
        float images and *not* clipped (PROTOCOL: the paper's noisy PSNR is 20 log10(255 / sigma)).

    Raises:
        UsaidError: a sigma is negative or not finite.
    """
    sigmas = [checked_sigma(field.sigma) for field in fields]
    keys = [_key(dataset, field, sigma) for field, sigma in zip(fields, sigmas, strict=True)]
    scales = [sigma / 255 for sigma in sigmas]
    device, count = torch.device(device), 3 * height * width
    noise = _on_cpu(keys, scales, count) if device.type == "cpu" else _on_device(keys, scales, count, device)
    return noise.reshape(len(fields), 3, height, width)


def _key(dataset: str, field: NoiseField, sigma: float) -> int:
    name = "\x1f".join(["usaid-noise", str(VERSION), dataset, field.image_id, repr(sigma), str(int(field.draw))])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")


# ------------------------------------------------------------------------------------------------ on the CPU


def _on_cpu(keys: Sequence[int], scales: Sequence[float], count: int) -> torch.Tensor:
    """``count`` deviates of each key, float32 (B, count), made by no more threads than torch may use."""
    noise = np.empty((len(keys), count), np.float32)
    chunks = [(row, first) for row in range(len(keys)) for first in range(0, count, _CHUNK)]

    def make(chunks: Sequence[tuple[int, int]]) -> None:
        scratch = np.empty(min(count, _CHUNK))
        for row, first in chunks:
            _make_chunk(noise[row, first : first + _CHUNK], keys[row], first, scales[row], scratch)

    threads = min(torch.get_num_threads(), noise.size // _CHUNK)
    if threads > 1:
        shares = 4 * threads  # more than threads, for the case that one of them is held up
        list(_pool(threads, os.getpid()).map(make, (chunks[share::shares] for share in range(shares))))
    else:
        make(chunks)
    return torch.from_numpy(noise)


def _make_chunk(out: np.ndarray, key: int, first: int, scale: float, scratch: np.ndarray) -> None:
    """The deviates of a key from number ``first``, a multiple of 8. All steps but the first let other threads run."""
    generator = np.random.Philox(counter=first // _PER_BLOCK, key=key)
    words = generator.random_raw((out.size + 1) // 2).view(np.uint32)[: out.size]
    deviates = np.add(words, 0.5, out=scratch[: out.size])
    deviates *= 2.0**-32  # float64, strictly inside (0, 1)
    ndtri(deviates, out=deviates)
    np.multiply(deviates, scale, out=out, casting="same_kind")


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """One for all who call at once; a forked process needs its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix="noise")


# ------------------------------------------------------------------------------------------------ on other devices


def _on_device(keys: Sequence[int], scales: Sequence[float], count: int, device: torch.device) -> torch.Tensor:
    """``count`` deviates of each key, float32 (B, count); the number of kernels grows with the deviates alone."""
    blocks = -(-count // _PER_BLOCK)
    halves = [[as_int64(key), as_int64(key >> 64)] for key in keys]
    key_of = torch.tensor(halves, dtype=torch.int64).reshape(-1, 2).to(device, non_blocking=True)
    scale_of = torch.tensor(scales, dtype=torch.float64).reshape(-1, 1).to(device, non_blocking=True)
    noise = torch.empty(len(keys) * blocks, _PER_BLOCK, device=device)
    for first in range(0, len(noise), _DEVICE_BLOCKS):
        index = torch.arange(first, min(first + _DEVICE_BLOCKS, len(noise)), device=device)
        row = index // blocks
        deviates = _deviates(philox_words(key_of[row], index % blocks + 1))
        noise[first : first + _DEVICE_BLOCKS] = deviates.mul_(scale_of[row])
    return noise.view(len(keys), blocks * _PER_BLOCK)[:, :count]


def _deviates(words: torch.Tensor) -> torch.Tensor:
    """Standard normal deviates, float64 (n, 8), of the Philox blocks ``words``, int64 (n, 4)."""
    halves = (words ^ _SIGNS).view(torch.int32)  # less 2^31, as there are no uint32 operations
    uniform = halves.to(torch.float64).add_(2.0**31 + 0.5).mul_(2.0**-32)  # strictly inside (0, 1)
    return torch.special.ndtri(uniform, out=uniform)
