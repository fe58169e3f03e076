"""Images that `on_gpu.py` generates where there are no real ones, in the official layouts of three data sets."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from usaid.datasets.miniature import cifar100, voc2012
from usaid.datasets.miniature import kodak as miniature_kodak
from usaid.datasets.miniature.encoding import Array, generator, png
from usaid.datasets.miniature.scenes import KINDS, object_scene

KODAK, CIFAR = 24, 10_000


def _write(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _eight(image: Array) -> Iterator[Array]:
    """An image and what mirroring and swapping its colours make of it."""
    for flipped in (image, image[:, ::-1]):
        for turned in (flipped, flipped[::-1]):
            yield turned
            yield turned[..., ::-1]


def kodak(folder: Path, small: bool) -> None:
    """24 images of 768x512, three scenes eight times; small: those of the miniature."""
    if small:
        for name, content in miniature_kodak.draw(0):
            _write(folder, name, content)
        return
    number = 0
    for scene in range(KODAK // 8):
        rng = generator(0, f"on_gpu/{scene}")
        drawn = object_scene(rng, (512, 768), [KINDS[kind] for kind in rng.integers(0, len(KINDS), 6)], (40, 120))
        for image in _eight(drawn.photograph(0.4)):
            number += 1
            _write(folder, f"kodak/kodim{number:02d}.png", png(np.ascontiguousarray(image)))


def cifar_100_python(folder: Path, small: bool) -> None:
    """10,000 test images of 32x32 (small: 100), the miniature's 400 again and again."""
    files = dict(cifar100.draw(0))
    _write(folder, "cifar-100-python/meta", files["cifar-100-python/meta"])
    rng = generator(0, "on_gpu/cifar100")
    kinds = (np.arange(400) % len(KINDS)).tolist()
    drawn = np.stack(list(cifar100.object_images(rng, kinds)))
    count = 100 if small else CIFAR
    rows = np.resize(np.arange(len(drawn)), count)
    content = {
        b"filenames": [f"generated_{number:06d}.png".encode() for number in range(count)],
        b"batch_label": b"testing batch 1 of 1",
        b"fine_labels": [10 * kinds[row] for row in rows],
        b"coarse_labels": [2 * kinds[row] for row in rows],
        b"data": drawn[rows].transpose(0, 3, 1, 2).reshape(count, -1),
    }
    _write(folder, "cifar-100-python/test", cifar100.python2_pickle(content))


def voc_devkit(folder: Path, small: bool) -> None:
    """The miniature's."""
    for name, content in voc2012.draw(0):
        _write(folder, name, content)


DRAWN = {"kodak": kodak, "cifar-100-python": cifar_100_python, "VOCdevkit": voc_devkit}
"""Folder of a data set -> what draws it into another folder: a small or a large one."""
