"""DeepGlobe Land Cover in miniature: land from above, and its cover as colours."""

import math

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

from usaid.datasets.miniature.encoding import Array, Files, generator, jpeg, lines, png
from usaid.datasets.miniature.scenes import fractal_noise, rotated, to_pixels

COLOURS = np.array(
    [(0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)], np.uint8
)
"""Of urban, agriculture, rangeland, forest, water, barren and unknown land: the order of ``LAND_COVERS``."""


def draw(seed: int) -> Files:
    """Sixteen pictures of 128x128 with their land cover as colours; lists of 12 for training and 4 for validation."""
    ids = [str(100001 + index) for index in range(16)]
    for image_id in ids:
        image, covers = land_parcels(generator(seed, f"deepglobe/{image_id}"), 128)
        yield f"deepglobe/land-train/{image_id}_sat.jpg", jpeg(image)
        yield f"deepglobe/land-train/{image_id}_mask.png", png(COLOURS[covers])
    yield "subsets/deepglobe_train.txt", lines(ids[:12])
    yield "subsets/deepglobe_val.txt", lines(ids[12:])


def urban(rng: Generator, y: Array, x: Array) -> Array:
    """Roofs between streets."""
    pitch = rng.uniform(7, 10)
    street = np.minimum(y % pitch, x % pitch) < 2.2
    roofs = rng.uniform(0.35, 0.95, (64, 64))[(y // pitch).astype(int) % 64, (x // pitch).astype(int) % 64]
    return np.where(street, 0.42, roofs)[..., None] * np.array([0.75, 0.7, 0.68])


def agriculture(rng: Generator, y: Array, x: Array) -> Array:
    """Furrows in the colour of a crop."""
    crop = np.array([0.5, 0.55, 0.25]) * np.exp(rng.normal(0, 0.15, 3))
    return (1 + 0.12 * np.sin(2 * math.pi * x / rng.uniform(3.5, 6)))[..., None] * crop


def rangeland(rng: Generator, y: Array, x: Array) -> Array:
    """Dry grass with patches."""
    return np.exp(0.15 * fractal_noise(rng, y.shape))[..., None] * np.array([0.47, 0.45, 0.27])


def forest(rng: Generator, y: Array, x: Array) -> Array:
    """Dark crowns and their shadows."""
    return np.exp(0.35 * fractal_noise(rng, y.shape, steepness=0.4))[..., None] * np.array([0.13, 0.23, 0.11])


def water(rng: Generator, y: Array, x: Array) -> Array:
    """Dark and smooth."""
    return np.exp(0.06 * fractal_noise(rng, y.shape, steepness=1.5))[..., None] * np.array([0.1, 0.2, 0.3])


def barren(rng: Generator, y: Array, x: Array) -> Array:
    """Bright, bare ground."""
    return np.exp(0.07 * fractal_noise(rng, y.shape))[..., None] * np.array([0.78, 0.66, 0.5])


def cloud(rng: Generator, y: Array, x: Array) -> Array:
    """What hides the land."""
    return np.exp(0.1 * fractal_noise(rng, y.shape, steepness=1.8))[..., None] * np.array([0.95, 0.96, 1.0])


LAND_COVERS = (urban, agriculture, rangeland, forest, water, barren, cloud)
CLOUD = LAND_COVERS.index(cloud)
PARCELS = 14


def land_parcels(rng: Generator, side: int) -> tuple[Array, Array]:
    """A satellite picture: uint8 (side, side, 3), and for each pixel the index in ``LAND_COVERS``: int64 (side, side).

    Parcels are the cells around random points, with winding borders. Every cover but the cloud has a parcel; one
    picture in four has a cloud.
    """
    y, x = np.mgrid[:side, :side].astype(float)
    warped_y, warped_x = (axis + 2.5 * fractal_noise(rng, axis.shape, 1.8) for axis in (y, x))
    points = rng.uniform(0, side, (PARCELS, 2))
    parcel = np.argmin([(warped_y - point_y) ** 2 + (warped_x - point_x) ** 2 for point_y, point_x in points], axis=0)
    covers = np.concatenate([np.arange(CLOUD), rng.integers(0, CLOUD, PARCELS - CLOUD)])
    if rng.random() < 0.25:
        covers[-1] = CLOUD
    light = np.empty((side, side, 3))
    for number, cover in enumerate(covers):
        along, across = rotated(rng.uniform(0, math.pi), y, x)
        land = LAND_COVERS[cover](rng, along, across) * np.exp(rng.normal(0, 0.08))
        light[parcel == number] = land[parcel == number]
    light *= np.exp(0.04 * fractal_noise(rng, x.shape))[..., None]
    return to_pixels(gaussian_filter(light, (0.6, 0.6, 0))), covers[parcel]
