"""ISIC 2018, Task 1, in miniature: skin with lesions, and their masks."""

import math

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

from usaid.datasets.miniature.encoding import Array, Files, generator, jpeg, png
from usaid.datasets.miniature.scenes import Shape, fractal_noise, rotated, to_pixels


def draw(seed: int) -> Files:
    """32 training and 8 validation pictures of 96x96, with the lesion's mask (0 or 255)."""
    for split, count, first in (("Training", 32, 1), ("Validation", 8, 20001)):
        for number in range(first, first + count):
            image_id = f"ISIC_{number:07d}"
            image, lesion = skin_lesion(generator(seed, f"isic2018/{image_id}"), 96)
            yield f"isic2018/ISIC2018_Task1-2_{split}_Input/{image_id}.jpg", jpeg(image)
            mask = np.where(lesion, 255, 0).astype(np.uint8)
            yield f"isic2018/ISIC2018_Task1_{split}_GroundTruth/{image_id}_segmentation.png", png(mask)


def skin_lesion(rng: Generator, side: int) -> tuple[Array, Array]:
    """A dermoscopic picture: uint8 (side, side, 3), and the lesion's mask: bool (side, side).

    Smooth skin, one pigmented lesion with an irregular and more or less sharp border, hairs on top, dark corners.
    """
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    skin = np.array([0.8, 0.58, 0.5]) * np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.04, 3))
    brown = np.array([0.42, 0.25, 0.18]) * np.exp(rng.normal(0, 0.2))
    depth = lesion_depth(rng, y, x)
    pigment = 1 / (1 + np.exp(-depth / rng.uniform(0.01, 0.04)))[..., None]
    light = (1 - pigment) * skin * mottle(rng, x.shape, 0.05, 0.02) + pigment * brown * mottle(rng, x.shape, 0.2, 0.12)
    for _ in range(rng.integers(0, 9)):
        light *= 1 - hair(rng, y, x)[..., None]
    light *= 1 - 0.25 * np.maximum(np.hypot(y, x) - 0.8, 0)[..., None]
    return to_pixels(gaussian_filter(light, (0.5, 0.5, 0))), depth > 0


def lesion_depth(rng: Generator, y: Array, x: Array) -> Array:
    """How far inside the lesion's border a point lies, negative outside; half the picture's side is 1."""
    y, x = y - rng.uniform(-0.25, 0.25), x - rng.uniform(-0.25, 0.25)
    angle = np.arctan2(y, x)
    border = np.full(x.shape, rng.uniform(0.3, 0.6))
    for lobes in range(1, 7):
        border *= 1 + rng.normal(0, 0.15 / lobes) * np.cos(lobes * angle + rng.uniform(0, 2 * math.pi))
    return border - np.hypot(y, x) + 0.02 * fractal_noise(rng, x.shape, 1.5)


def mottle(rng: Generator, shape: Shape, coarse: float, fine: float) -> Array:
    """Variation of pigment around 1, float64 (H, W, 1); amplitudes of its coarse and fine part."""
    return np.exp(coarse * fractal_noise(rng, shape, 1.5) + fine * fractal_noise(rng, shape, 0.6))[..., None]


def hair(rng: Generator, y: Array, x: Array) -> Array:
    """Share of light that a thin parabola takes away, float64 in [0, 0.7]."""
    angle, offset, bend = rng.uniform((0, -1, -0.4), (2 * math.pi, 1, 0.4))
    along, across = rotated(angle, y, x)
    distance = np.abs(across - offset - bend * along**2) * len(y) / 2
    return np.clip(rng.uniform(0.5, 1.0) - distance, 0, 0.7)
