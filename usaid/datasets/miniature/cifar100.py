"""CIFAR-100 in miniature: small pictures of one object each, pickled as CIFAR's authors did."""

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from struct import pack
from typing import Any

import numpy as np
from numpy.random import Generator

from usaid.datasets.miniature import scenes
from usaid.datasets.miniature.encoding import Array, Files, generator

FINENESS, CONTRASTS, DUSK = 2.4, (0.4, 0.8), 0.22
"""How much finer and stronger the textures are than in larger pictures, and the share of their light that is left.

Fine and strong textures are what a small network sees within a few hundred steps; in the dusk, noise hides them again.
"""


def finer(kind: scenes.Kind) -> scenes.Kind:
    """The same object with a finer texture."""
    return replace(kind, pattern=lambda u, v: kind.pattern(FINENESS * u, FINENESS * v))


KINDS = tuple(map(finer, scenes.KINDS))


def draw(seed: int) -> Files:
    """1500 training and 400 test pictures of 32x32, one object each, of ten balanced classes out of the hundred.

    ``scenes.KINDS[k]`` has fine label ``10 * k`` and coarse label ``2 * k``; the other labels have no picture.
    """
    for split, count, batch in (("train", 1500, b"training batch 1 of 1"), ("test", 400, b"testing batch 1 of 1")):
        rng = generator(seed, f"cifar100/{split}")
        kinds = rng.permutation(np.arange(count) % len(scenes.KINDS)).tolist()
        images = np.stack(list(object_images(rng, kinds)))
        content = {
            b"filenames": [f"{scenes.KINDS[kind].name}_s_{n:06d}.png".encode() for n, kind in enumerate(kinds)],
            b"batch_label": batch,
            b"fine_labels": [10 * kind for kind in kinds],
            b"coarse_labels": [2 * kind for kind in kinds],
            b"data": images.transpose(0, 3, 1, 2).reshape(count, -1),
        }
        yield f"cifar-100-python/{split}", python2_pickle(content)
    meta = {b"fine_label_names": label_names(100), b"coarse_label_names": label_names(20)}
    yield "cifar-100-python/meta", python2_pickle(meta)


def label_names(count: int) -> list[bytes]:
    """Names of ``count`` labels, over which those in use are spread evenly."""
    step = count // len(scenes.KINDS)
    used = {step * index: kind.name for index, kind in enumerate(scenes.KINDS)}
    return [used.get(label, f"unused_{label:02d}").encode() for label in range(count)]


def object_images(rng: Generator, kinds: list[int]) -> Iterator[Array]:
    """One object of each of ``kinds`` (indices of ``KINDS``) before a piece of a scene: uint8 (32, 32, 3)."""
    side, canvas_side = 32, 512
    canvas = scenes.dead_leaves(rng, (canvas_side, canvas_side), scenes.scene_tone(rng)).light
    for kind in kinds:
        top, left = rng.integers(0, canvas_side - side, 2)
        tint = scenes.natural_colours(rng, 1, np.ones(3), spread=0.4)
        scene = scenes.Scene(canvas[top : top + side, left : left + side] * tint, rng)
        y, x = rng.uniform(13, 18, 2)
        pose = scenes.Pose(y, x, rng.uniform(11, 16), rng.normal(0, 0.2), rng.uniform(0.85, 1.15))
        scene.add_object(KINDS[kind], pose, owner=1, contrasts=CONTRASTS)
        scene.light *= DUSK
        yield scene.photograph(blur=0.4)


class Python2Pickler(pickle._Pickler):
    """Writes bytes as the strings of Python 2, in which CIFAR's authors pickled their files."""

    write: Callable[[bytes], object]
    memoize: Callable[[object], None]

    def save_python2_string(self, text: bytes) -> None:
        """One string after its length."""
        short = len(text) < 256
        self.write(pickle.SHORT_BINSTRING + bytes([len(text)]) if short else pickle.BINSTRING + pack("<i", len(text)))
        self.write(text)
        self.memoize(text)

    dispatch = pickle._Pickler.dispatch | {bytes: save_python2_string}  # type: ignore[assignment]


def python2_pickle(content: dict[bytes, Any]) -> bytes:
    """A pickle of protocol 2 that looks to a reader as those in the official archive do."""
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue()
