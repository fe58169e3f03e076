"""Pictures from code that are close to natural ones: dead leaves, and textured objects with exact masks.

Occlusion makes a natural image what it is: an image of opaque discs with radii distributed as ``r^-3`` has the
power spectrum (about ``1 / f^2``) and the heavy-tailed derivatives of photographs (Lee, Mumford and Huang, "Occlusion
models for natural images", IJCV 2001). Such scenes are painted here back to front, lit unevenly and blurred by a
point spread function. Everything is float64, so that platforms that differ in the last bit of a sine agree on the
8-bit pixels.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter

Array = np.ndarray
Shape = tuple[int, int]
"""Height and width in pixels."""
Outline = Callable[[Array, Array], Array]
"""Signed distance to a shape's edge, negative inside, of coordinates (u, v) in which the shape fits the unit disc."""
Pattern = Callable[[Array, Array], Array]
"""Texture in [-1, 1] of the same coordinates."""

WARM_COOL = np.array([1.0, 0.0, -1.0]) / math.sqrt(2)
"""From the blue of the sky to the orange of earth, in log RGB: the direction in which daylight and its colours vary."""
GREEN_MAGENTA = np.array([-1.0, 2.0, -1.0]) / math.sqrt(6)
SMALLEST_LEAF = 2.0
"""Radius in pixels."""
PIXELS_PER_LEAF = 120
LEAF_CONTRAST = (0.0, 0.2)
LEAF_GRAIN = (0.03, 0.3)
OBJECT_CONTRAST = (0.2, 0.4)
OBJECT_GRAIN = 0.06


# Outlines


def disc(u: Array, v: Array) -> Array:
    """The unit disc."""
    return np.sqrt(u * u + v * v) - 1


def ring(u: Array, v: Array) -> Array:
    """A ring as wide as its hole's radius."""
    return np.abs(np.hypot(u, v) - 0.75) - 0.25


def square(u: Array, v: Array) -> Array:
    """A square of side 1.4."""
    return np.maximum(np.abs(u), np.abs(v)) - 0.7


def cross(u: Array, v: Array) -> Array:
    """A Greek cross with arms of width 0.7."""
    u, v = np.abs(u), np.abs(v)
    return np.maximum(np.maximum(u, v) - 0.93, np.minimum(u, v) - 0.35)


def star(u: Array, v: Array) -> Array:
    """A star with five points."""
    tip, notch = np.array([1.0, 0.0]), 0.45 * np.array([math.cos(math.pi / 5), math.sin(math.pi / 5)])
    along = (notch - tip) / np.linalg.norm(notch - tip)
    folded = np.abs((np.arctan2(v, u) + math.pi / 5) % (2 * math.pi / 5) - math.pi / 5)
    radius = np.hypot(u, v)
    return (radius * np.cos(folded) - tip[0]) * along[1] - radius * np.sin(folded) * along[0]


def polygon(corners: int) -> Outline:
    """The regular polygon with this many corners on the unit circle."""
    normals = 2 * math.pi * (np.arange(corners) + 0.5) / corners

    def outline(u: Array, v: Array) -> Array:
        inradius = math.cos(math.pi / corners)
        return np.maximum.reduce([u * math.cos(angle) + v * math.sin(angle) for angle in normals]) - inradius

    return outline


# Patterns


def wave(phase: Array) -> Array:
    """A sine with flattened crests; ``phase`` in periods."""
    return np.clip(1.8 * np.sin(2 * math.pi * phase), -1, 1)


def plain(u: Array, v: Array) -> Array:
    """No texture."""
    return np.zeros_like(u)


def stripes(u: Array, v: Array) -> Array:
    """Straight stripes."""
    return wave(u / 0.45)


def checks(u: Array, v: Array) -> Array:
    """A chessboard with soft edges."""
    return np.clip(3 * np.sin(2 * math.pi * u / 0.8) * np.sin(2 * math.pi * v / 0.8), -1, 1)


def dots(u: Array, v: Array) -> Array:
    """Bright dots on a square lattice."""
    return np.clip(1.5 * (np.cos(2 * math.pi * u / 0.55) + np.cos(2 * math.pi * v / 0.55)) - 0.8, -1, 1)


def ripples(u: Array, v: Array) -> Array:
    """Wavy stripes."""
    return wave((u + 0.12 * np.sin(2 * math.pi * v / 0.7)) / 0.45)


def circles(u: Array, v: Array) -> Array:
    """Concentric stripes."""
    return wave(np.hypot(u, v) / 0.4)


@dataclass(frozen=True)
class Kind:
    """A class of objects: shape, texture and colour belong together.

    Attributes:
        name: what it is, for labels.
        outline: shape.
        pattern: texture.
        colour: mean RGB before shading and tone curve.
    """

    name: str
    outline: Outline
    pattern: Pattern
    colour: tuple[float, float, float]


OCHRE = (0.62, 0.46, 0.24)
BLUE = (0.28, 0.40, 0.58)
GREEN = (0.30, 0.45, 0.25)
RED = (0.62, 0.30, 0.25)
GREY = (0.45, 0.38, 0.42)

KINDS = (
    Kind("striped_disc", disc, stripes, OCHRE),
    Kind("checked_square", square, checks, BLUE),
    Kind("rippled_cross", cross, ripples, GREEN),
    Kind("circled_star", star, circles, RED),
    Kind("dotted_ring", ring, dots, GREY),
    # From here on, a class shares shape and colour with one above: only the texture tells them apart.
    Kind("checked_disc", disc, checks, OCHRE),
    Kind("dotted_disc", disc, dots, OCHRE),
    Kind("striped_square", square, stripes, BLUE),
    Kind("dotted_square", square, dots, BLUE),
    Kind("circled_cross", cross, circles, GREEN),
)


def rotated(angle: float, y: Array, x: Array) -> tuple[Array, Array]:
    """Coordinates along and across the direction at ``angle`` radians from the x axis."""
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


@dataclass(frozen=True)
class Pose:
    """Where a shape lies.

    Attributes:
        y, x: centre in pixels.
        radius: of the disc that holds the shape, in pixels.
        angle: rotation in radians.
        stretch: the shape is this much longer along u, and this much shorter along v.
    """

    y: float
    x: float
    radius: float
    angle: float
    stretch: float = 1.0

    def window(self, shape: Shape) -> tuple[slice, slice]:
        """Rows and columns of an image of shape (H, W) that the outline may touch; empty if it lies outside."""
        height, width = shape
        reach = self.radius * max(self.stretch, 1 / self.stretch) + 1
        return (
            slice(max(0, math.floor(self.y - reach)), max(0, min(height, math.ceil(self.y + reach) + 1))),
            slice(max(0, math.floor(self.x - reach)), max(0, min(width, math.ceil(self.x + reach) + 1))),
        )

    def coordinates(self, window: tuple[slice, slice]) -> tuple[Array, Array]:
        """The shape's own (u, v) at the centres of a window's pixels, float64 (h, w) each."""
        y = np.arange(window[0].start, window[0].stop)[:, None] - self.y
        x = np.arange(window[1].start, window[1].stop)[None, :] - self.x
        along, across = rotated(self.angle, y, x)
        return along / (self.radius * self.stretch), across * (self.stretch / self.radius)


@dataclass(frozen=True)
class Surface:
    """What a shape is covered with: ``colour * (1 + slope + contrast * pattern + grain * 1/f noise)``.

    Attributes:
        colour: RGB, float64 (3,).
        slope: change of shading along u and v.
        pattern: texture.
        contrast: amplitude of the pattern.
        grain: standard deviation of the noise.
        grain_from: row and column of the scene's noise at which that of this surface begins.
    """

    colour: Array
    slope: Array
    pattern: Pattern
    contrast: float
    grain: float
    grain_from: Array

    def paint(self, u: Array, v: Array, noise: Array) -> Array:
        """RGB at (u, v), float64 (h, w, 3); ``noise`` (h, w) has unit variance."""
        shade = 1 + self.slope[0] * u + self.slope[1] * v + self.contrast * self.pattern(u, v) + self.grain * noise
        return np.maximum(shade, 0.05)[..., None] * self.colour


class Scene:
    """A picture that is painted back to front, and the object that each pixel shows.

    Attributes:
        light: float64 (H, W, 3), linear light, not bounded above.
        shape: height and width in pixels.
        owner: int64 (H, W), number of the object that a pixel shows; 0 is background, also in front of an object.
    """

    def __init__(self, light: Array, rng: Generator) -> None:
        self.light = light
        self.shape: Shape = (light.shape[0], light.shape[1])
        self.owner = np.zeros(self.shape, np.int64)
        self.rng = rng
        self.noise = np.tile(fractal_noise(rng, self.shape), (2, 2))  # periodic: any window of it is seamless

    def add(self, outline: Outline, surface: Surface, pose: Pose, owner: int = 0) -> None:
        """Paint a shape over everything so far: anti-aliased in ``light``, by pixel centres in ``owner``."""
        window = pose.window(self.shape)
        u, v = pose.coordinates(window)
        if u.size == 0:
            return
        distance = outline(u, v) * pose.radius
        coverage = np.minimum(np.maximum(0.5 - distance, 0), 1)[..., None]
        top, left = surface.grain_from
        noise = self.noise[top : top + u.shape[0], left : left + u.shape[1]]
        self.light[window] += coverage * (surface.paint(u, v, noise) - self.light[window])
        self.owner[window][distance < 0] = owner

    def add_leaves(self, count: int, smallest: float, largest: float, tone: Array) -> None:
        """Cover the scene with leaves with radii (pixels) distributed as ``r^-3`` and colours around ``tone``."""
        height, width = self.shape
        radii = (smallest**-2 - self.rng.random(count) * (smallest**-2 - largest**-2)) ** -0.5
        places = self.rng.uniform((0, 0, 0, 0.6), (height, width, 2 * math.pi, 1.6), (count, 4))
        outlines = self.rng.integers(0, len(LEAF_OUTLINES), count)
        for radius, (y, x, angle, stretch), outline, surface in zip(
            radii.tolist(), places.tolist(), outlines, self.leaf_surfaces(count, tone), strict=True
        ):
            self.add(LEAF_OUTLINES[outline], surface, Pose(y, x, radius, angle, stretch))

    def leaf_surfaces(self, count: int, tone: Array) -> Iterator[Surface]:
        """Surfaces of background leaves: mostly plain, with slight shading and more or less grain."""
        colours = natural_colours(self.rng, count, tone)
        slopes = self.rng.normal(0, 0.1, (count, 2))
        patterns = self.rng.integers(0, len(LEAF_PATTERNS), count)
        contrasts, grains = self.rng.uniform(*LEAF_CONTRAST, count), self.rng.uniform(*LEAF_GRAIN, count)
        grain_from = self.rng.integers(0, self.shape, (count, 2))
        for n in range(count):
            pattern = LEAF_PATTERNS[patterns[n]]
            yield Surface(colours[n], slopes[n], pattern, contrasts[n], grains[n], grain_from[n])

    def add_object(self, kind: Kind, pose: Pose, owner: int, contrasts: tuple[float, float] = OBJECT_CONTRAST) -> None:
        """Paint an object of a class, of random colour, shading and contrast, as number ``owner`` (from 1)."""
        colour = np.array(kind.colour) * np.exp(self.rng.normal(0, 0.3) + self.rng.normal(0, 0.12, 3))
        slope, contrast = self.rng.normal(0, 0.15, 2), self.rng.uniform(*contrasts)
        grain_from = self.rng.integers(0, self.shape)
        self.add(kind.outline, Surface(colour, slope, kind.pattern, contrast, OBJECT_GRAIN, grain_from), pose, owner)

    def photograph(self, blur: float) -> Array:
        """Uneven light, a Gaussian point spread function (``blur`` pixels) and a tone curve: uint8 (H, W, 3)."""
        light = self.light * np.exp(0.25 * fractal_noise(self.rng, self.shape, steepness=2.0))[..., None]
        return to_pixels(1 - np.exp(-1.5 * gaussian_filter(light, (blur, blur, 0))))


LEAF_OUTLINES: tuple[Outline, ...] = (disc, disc, polygon(3), polygon(4), polygon(5))
LEAF_PATTERNS: tuple[Pattern, ...] = (plain, plain, plain, plain, stripes, ripples)


def to_pixels(image: Array) -> Array:
    """float64 in [0, 1] -> uint8, clipped and rounded."""
    return np.floor(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def fractal_noise(rng: Generator, shape: Shape, steepness: float = 1.0) -> Array:
    """Periodic Gaussian noise of amplitude spectrum ``1 / f^steepness``: float64 (H, W), zero mean, unit variance."""
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * fractal_spectrum(shape, steepness), s=shape)
    return noise / noise.std()


@cache
def fractal_spectrum(shape: Shape, steepness: float) -> Array:
    """``1 / f^steepness`` at the frequencies of ``rfft2``, and 0 at f = 0: float64 (H, W // 2 + 1)."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf
    return frequency**-steepness


def natural_colours(rng: Generator, count: int, tone: Array, spread: float = 1.0) -> Array:
    """Colours near ``tone``, RGB (count, 3).

    Light varies most, then warm to cool, then green to magenta, as in nature.
    """
    brightness, warmth, greenness = rng.normal(0, (0.5 * spread, 0.22 * spread, 0.06 * spread), (count, 3)).T[..., None]
    return tone * np.exp(brightness + warmth * WARM_COOL + greenness * GREEN_MAGENTA)


def scene_tone(rng: Generator) -> Array:
    """The colour around which those of one scene lie, RGB (3,)."""
    return natural_colours(rng, 1, np.array([0.4, 0.38, 0.34]), spread=0.6)[0]


def dead_leaves(rng: Generator, shape: Shape, tone: Array) -> Scene:
    """A background: a plane that fades from one colour to another, covered with leaves."""
    height, width = shape
    fade = np.linspace(0, 1, height)[:, None, None]
    far, near = natural_colours(rng, 2, tone)
    scene = Scene(np.broadcast_to((1 - fade) * far + fade * near, (height, width, 3)).copy(), rng)
    scene.light *= np.exp(0.15 * scene.noise[:height, :width])[..., None]
    scene.add_leaves(height * width // PIXELS_PER_LEAF, SMALLEST_LEAF, min(shape) / 2.5, tone)
    return scene


def scatter(rng: Generator, count: int, shape: Shape, radii: tuple[float, float]) -> list[Pose]:
    """Up to ``count`` poses that cover each other only partly; radii (pixels) between the two given.

    A centre lies at least 0.9 times the larger radius from every other, and half a radius inside the image.
    """
    poses: list[Pose] = []
    for _ in range(20 * count):
        radius = rng.uniform(*radii)
        y, x = rng.uniform(radius / 2, np.array(shape) - radius / 2)
        if all(math.hypot(y - other.y, x - other.x) > 0.9 * max(radius, other.radius) for other in poses):
            poses.append(Pose(y, x, radius, rng.uniform(0, 2 * math.pi), rng.uniform(0.9, 1.1)))
        if len(poses) == count:
            break
    return poses


def object_scene(rng: Generator, shape: Shape, kinds: list[Kind], radii: tuple[float, float]) -> Scene:
    """Dead leaves, objects of the given classes, and a few leaves in front of them.

    ``owner`` numbers the objects from 1 in the order of ``kinds``; those that found no place have no pixel.
    """
    tone = scene_tone(rng)
    scene = dead_leaves(rng, shape, tone)
    for owner, (kind, pose) in enumerate(zip(kinds, scatter(rng, len(kinds), shape, radii), strict=False), 1):
        scene.add_object(kind, pose, owner)
    scene.add_leaves(6, SMALLEST_LEAF, min(radii) / 2, tone)
    return scene
