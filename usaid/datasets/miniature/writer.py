"""All six data sets in miniature, drawn by code in their official layouts: what the demo and CI run on by default."""

import hashlib
import io
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

from usaid.datasets import scenes
from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically

Array = np.ndarray
Files = Iterator[tuple[str, bytes]]
"""Path below the directory, with forward slashes, and content of each file."""

VERSION = 1
"""Changed whenever a pixel or a label changes."""

MARKER = "miniature.json"
README = """\
Miniature data sets
===================

Nothing in this folder is real data. A program (usaid.datasets.miniature.writer) drew these pictures: scenes of overlapping
leaves whose statistics are near those of natural images, with textured discs, squares, crosses, stars and rings as
objects; skin with lesions; land from above. They lie in the official layouts of PASCAL VOC 2012, Kodak, ISIC 2018
Task 1, DeepGlobe Land Cover, CIFAR-100 and COCO 2017, so that the suite's readers, networks and judges can be tried
within minutes and without a download. Class names such as "person" or "cat" are only labels here. Scores on these
pictures say that the suite runs, and nothing about any method.
"""


def write_miniature(directory: str | Path, seed: int = 0) -> dict[str, str]:
    """Write the six miniature data sets below ``directory``, unless they are there, whole and of this version and seed.

    The marker ``miniature.json`` is written last and holds the version, the seed, the SHA-256 of each file and one
    over all of them. A directory without it is unfinished, and the next call writes it again. Equal seeds give
    equal pixels and labels; the bytes of the JPEG and PNG files are also a matter of Pillow's version.

    Args:
        directory: to become a ``data_root``; made if it does not exist.
        seed: of everything drawn, from 0; the names of the files do not depend on it.

    Returns:
        SHA-256 of each file, as 64 hexadecimal digits, by its path below ``directory``.

    Raises:
        UsaidError: ``directory`` is a file, or holds something else, which this must not overwrite.
    """
    directory = Path(directory)
    digests = find_finished(directory, seed)
    if digests is None:
        claim(directory)
        digests = {name: write(directory / name, content) for name, content in all_files(seed)}
        listing = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
        total = hashlib.sha256(listing.encode()).hexdigest()
        record = {"version": VERSION, "seed": seed, "sha256": total, "files": digests}
        write(directory / MARKER, json.dumps(record, indent=1).encode())
    return digests


def find_finished(directory: Path, seed: int) -> dict[str, str] | None:
    """SHA-256 of each file of a finished miniature; None if there is none of this seed, or a file has changed."""
    try:
        record = json.loads((directory / MARKER).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if (record.get("version"), record.get("seed")) != (VERSION, seed):
        return None
    digests = record["files"]
    whole = all((directory / name).is_file() and sha256_of_file(directory / name) == digests[name] for name in digests)
    return digests if whole else None


def claim(directory: Path) -> None:
    """Make ``directory`` an unfinished miniature: with its README, and without the marker.

    Raises:
        UsaidError: it is a file, or holds files and the README of no miniature.
    """
    if directory.exists() and not directory.is_dir():
        raise UsaidError(f"{directory}: is a file; name an empty or a new folder for the miniature data sets")
    directory.mkdir(parents=True, exist_ok=True)
    readme, title = directory / "README.txt", README.splitlines()[0]
    ours = readme.is_file() and readme.read_text(errors="replace").startswith(title)
    if not ours and any(not path.name.startswith(".") for path in directory.iterdir()):
        raise UsaidError(f"{directory}: holds files that are no miniature data sets; name an empty or a new folder")
    (directory / MARKER).unlink(missing_ok=True)
    write(readme, README.encode())


def write(path: Path, content: bytes) -> str:
    """Write a file, whole or not at all; its SHA-256."""
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def all_files(seed: int) -> Files:
    """Every file of the miniature but the marker."""
    yield "README.txt", README.encode()
    for draw in (voc2012, kodak, isic2018, deepglobe, cifar100, coco):
        yield from draw(seed)


def generator(seed: int, name: str) -> Generator:
    """Random numbers for one picture: whatever else is drawn, and in whatever order, they are the same."""
    return np.random.Generator(np.random.PCG64([seed, *name.encode()]))


def jpeg(image: Array) -> bytes:
    """A JPEG of quality 95 without chroma subsampling, from uint8 (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def png(image: Array, palette: Array | None = None) -> bytes:
    """A PNG from uint8 (H, W, 3), or from (H, W): grey, or indices of a palette of shape (256, 3)."""
    picture, buffer = Image.fromarray(image), io.BytesIO()
    if palette is not None:
        picture.putpalette(palette.tobytes())
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def lines(ids: list[str]) -> bytes:
    """A list of ids, one a line."""
    return "".join(f"{image_id}\n" for image_id in ids).encode()


# PASCAL VOC 2012

VOC_SHAPES = ((160, 224), (224, 160), (160, 224), (192, 192))
"""Heights and widths, in turn."""
VOC_RADII = (18.0, 42.0)
VOC_VOID = 255


def voc2012(seed: int) -> Files:
    """48 training and 12 validation pictures with 1-3 objects of classes 1-5, and their segmentation."""
    root, n_classes = "VOCdevkit/VOC2012", 5
    for split, count, first in (("train", 48, 1), ("val", 12, 1001)):
        ids = [f"2012_{number:06d}" for number in range(first, first + count)]
        for index, image_id in enumerate(ids):
            rng = generator(seed, f"voc2012/{image_id}")
            classes = [1 + index % n_classes, *rng.integers(1, n_classes + 1, rng.integers(0, 3))]
            kinds = [scenes.KINDS[number - 1] for number in classes]
            scene = scenes.object_scene(rng, VOC_SHAPES[index % len(VOC_SHAPES)], kinds, VOC_RADII)
            yield f"{root}/JPEGImages/{image_id}.jpg", jpeg(scene.photograph(rng.uniform(0.2, 0.4)))
            labels = voc_labels(scene.owner, np.array([0, *classes], np.uint8))
            yield f"{root}/SegmentationClass/{image_id}.png", png(labels, voc_palette())
        yield f"{root}/ImageSets/Segmentation/{split}.txt", lines(ids)


def voc_labels(owner: Array, classes: Array) -> Array:
    """Class of each pixel, uint8 (H, W), from the number of its object; the two pixels at every border are void."""
    border = maximum_filter(owner, 3) != minimum_filter(owner, 3)
    return np.where(border, VOC_VOID, classes[owner]).astype(np.uint8)


def voc_palette() -> Array:
    """VOC's colour map, uint8 (256, 3): bits 0-2 of the index are the top bits of R, G, B, the next three the next."""
    index = np.arange(256)[:, None]
    channel = np.arange(3)
    bits = [(index >> (3 * place + channel) & 1) << (7 - place) for place in range(3)]
    return np.bitwise_or.reduce(bits).astype(np.uint8)


# Kodak


def kodak(seed: int) -> Files:
    """Six pictures, two of them portraits."""
    for number in range(1, 7):
        shape = (288, 192) if number in (3, 6) else (192, 288)
        rng = generator(seed, f"kodak/{number}")
        kinds = [scenes.KINDS[kind] for kind in rng.integers(0, len(scenes.KINDS), 3)]
        scene = scenes.object_scene(rng, shape, kinds, (20, 50))
        yield f"kodak/kodim{number:02d}.png", png(scene.photograph(rng.uniform(0.2, 0.4)))


# ISIC 2018, Task 1


def isic2018(seed: int) -> Files:
    """32 training and 8 validation pictures of 96x96, with the lesion's mask (0 or 255)."""
    for split, count, first in (("Training", 32, 1), ("Validation", 8, 20001)):
        for number in range(first, first + count):
            image_id = f"ISIC_{number:07d}"
            image, lesion = scenes.skin_lesion(generator(seed, f"isic2018/{image_id}"), 96)
            yield f"isic2018/ISIC2018_Task1-2_{split}_Input/{image_id}.jpg", jpeg(image)
            mask = np.where(lesion, 255, 0).astype(np.uint8)
            yield f"isic2018/ISIC2018_Task1_{split}_GroundTruth/{image_id}_segmentation.png", png(mask)


# DeepGlobe Land Cover

DEEPGLOBE_COLOURS = np.array(
    [(0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)], np.uint8
)
"""Of urban, agriculture, rangeland, forest, water, barren and unknown land: the order of ``scenes.LAND_COVERS``."""


def deepglobe(seed: int) -> Files:
    """Sixteen pictures of 128x128 with their land cover as colours; lists of 12 for training and 4 for validation."""
    ids = [str(100001 + index) for index in range(16)]
    for image_id in ids:
        image, covers = scenes.land_parcels(generator(seed, f"deepglobe/{image_id}"), 128)
        yield f"deepglobe/land-train/{image_id}_sat.jpg", jpeg(image)
        yield f"deepglobe/land-train/{image_id}_mask.png", png(DEEPGLOBE_COLOURS[covers])
    yield "subsets/deepglobe_train.txt", lines(ids[:12])
    yield "subsets/deepglobe_val.txt", lines(ids[12:])


# CIFAR-100


def cifar100(seed: int) -> Files:
    """1500 training and 400 test pictures of 32x32, one object each, of ten balanced classes out of the hundred.

    ``scenes.KINDS[k]`` has fine label ``10 * k`` and coarse label ``2 * k``; the other labels have no picture.
    """
    for split, count, batch in (("train", 1500, b"training batch 1 of 1"), ("test", 400, b"testing batch 1 of 1")):
        rng = generator(seed, f"cifar100/{split}")
        kinds = rng.permutation(np.arange(count) % len(scenes.KINDS)).tolist()
        images = np.stack(list(cifar_images(rng, kinds)))
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


def cifar_images(rng: Generator, kinds: list[int]) -> Iterator[Array]:
    """One object of each of ``kinds`` (indices of ``scenes.KINDS``) before a piece of a scene: uint8 (32, 32, 3)."""
    side, canvas_side = 32, 512
    canvas = scenes.dead_leaves(rng, (canvas_side, canvas_side), scenes.scene_tone(rng)).light
    for kind in kinds:
        top, left = rng.integers(0, canvas_side - side, 2)
        tint = scenes.natural_colours(rng, 1, np.ones(3), spread=0.4)
        scene = scenes.Scene(canvas[top : top + side, left : left + side] * tint, rng)
        y, x = rng.uniform(13, 18, 2)
        pose = scenes.Pose(y, x, rng.uniform(11, 16), rng.normal(0, 0.2), rng.uniform(0.85, 1.15))
        scene.add_object(scenes.KINDS[kind], pose, owner=1)
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


# COCO 2017

COCO_CATEGORIES = (
    (1, "person", "person"),
    (3, "car", "vehicle"),
    (17, "cat", "animal"),
    (18, "dog", "animal"),
    (62, "chair", "furniture"),
)
"""Official number, name and supercategory of the category that stands for each of the first of ``scenes.KINDS``."""


def coco(seed: int) -> Files:
    """48 training and 16 validation pictures of 160x128 with 1-4 objects, boxes and polygons."""
    for split, count, first in (("train2017", 48, 100001), ("val2017", 16, 1001)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for index in range(count):
            image_id = first + 7 * index
            rng = generator(seed, f"coco/{image_id}")
            classes = [index % 5, *rng.integers(0, 5, rng.integers(0, 4))]
            scene = scenes.object_scene(rng, (128, 160), [scenes.KINDS[number] for number in classes], (12, 32))
            name = f"{image_id:012d}.jpg"
            yield f"coco/{split}/{name}", jpeg(scene.photograph(rng.uniform(0.2, 0.4)))
            images.append({"license": 1, "file_name": name, "height": 128, "width": 160, "id": image_id})
            annotations += coco_annotations(scene.owner, classes, image_id)
        content = {
            "info": {"description": "Miniature of COCO 2017, drawn by code", "version": str(VERSION), "year": 2017},
            "licenses": [{"id": 1, "name": "Drawn by code; no rights reserved", "url": ""}],
            "images": images,
            "annotations": annotations,
            "categories": [dict(zip(("id", "name", "supercategory"), entry, strict=True)) for entry in COCO_CATEGORIES],
        }
        yield f"coco/annotations/instances_{split}.json", json.dumps(content).encode()


def coco_annotations(owner: Array, classes: list[int], image_id: int) -> Iterator[dict[str, Any]]:
    """An annotation of each object that can be seen, in pixels: its polygons, their area and their bounding box."""
    for number, kind in enumerate(classes, 1):
        visible = owner == number
        if not visible.any():
            continue
        rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
        left, top = float(columns[0]), float(rows[0])
        yield {
            "segmentation": polygons(visible),
            "area": float(visible.sum()),
            "iscrowd": 0,
            "image_id": image_id,
            "bbox": [left, top, columns[-1] + 1 - left, rows[-1] + 1 - top],
            "category_id": COCO_CATEGORIES[kind][0],
            "id": 10 * image_id + number,
        }


def polygons(mask: Array) -> list[list[float]]:
    """Polygons ``[x1, y1, x2, y2, ...]`` along pixel edges that cover just the pixels of ``mask`` (bool, (H, W)).

    COCO's polygons cannot have holes: a mask with a hole is cut in two through the hole.
    """
    loops = edge_loops(mask)
    for loop in loops:
        x, y = np.array(loop).T
        if np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) < 0:  # runs anticlockwise: around a hole
            above = (np.arange(len(mask)) < (y.min() + y.max()) // 2)[:, None]
            return polygons(mask & above) + polygons(mask & ~above)
    return [[float(value) for corner in loop for value in corner] for loop in loops]


def border_steps(mask: Array) -> dict[tuple[int, int], set[tuple[int, int]]]:
    """From each corner (x, y) of the border, the directions (x, y) in which it goes on, clockwise around the mask."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    steps: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for step_x, step_y in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        left_y, left_x = -step_x, step_y  # the neighbour on the left-hand side, which must not belong to the mask
        beyond = padded[1 + left_y : 1 + left_y + height, 1 + left_x : 1 + left_x + width]
        start_x, start_y = int(step_x < 0 or step_y > 0), int(step_x < 0 or step_y < 0)
        for y, x in np.argwhere(mask & ~beyond).tolist():
            steps.setdefault((x + start_x, y + start_y), set()).add((step_x, step_y))
    return steps


def edge_loops(mask: Array) -> list[list[tuple[int, int]]]:
    """Corners (x, y) of every closed border of ``mask`` (bool, (H, W)), with the mask on the right-hand side.

    Pixels that touch at a corner only belong to different loops, or to different turns of the same.
    """
    steps = border_steps(mask)
    loops = []
    while steps:
        corner, heading, loop = next(iter(steps)), (0, 0), []
        while corner in steps:
            right = (-heading[1], heading[0])
            onward = right if right in steps[corner] else next(iter(steps[corner]))
            steps[corner].discard(onward)
            if not steps[corner]:
                del steps[corner]
            if onward != heading:
                loop.append(corner)
            corner, heading = (corner[0] + onward[0], corner[1] + onward[1]), onward
        loops.append(loop)
    return loops
