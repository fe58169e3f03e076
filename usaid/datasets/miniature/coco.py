"""COCO 2017 in miniature: scenes with objects of five categories, their boxes and polygons."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from usaid.datasets.miniature import scenes
from usaid.datasets.miniature.encoding import VERSION, Array, Files, generator, jpeg

CATEGORIES = (
    (1, "person", "person"),
    (3, "car", "vehicle"),
    (17, "cat", "animal"),
    (18, "dog", "animal"),
    (62, "chair", "furniture"),
)
"""Official number, name and supercategory of the category that stands for each of the first of ``scenes.KINDS``."""


def draw(seed: int) -> Files:
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
            annotations += annotations_of(scene.owner, classes, image_id)
        content = {
            "info": {"description": "Miniature of COCO 2017, drawn by code", "version": str(VERSION), "year": 2017},
            "licenses": [{"id": 1, "name": "Drawn by code; no rights reserved", "url": ""}],
            "images": images,
            "annotations": annotations,
            "categories": [dict(zip(("id", "name", "supercategory"), entry, strict=True)) for entry in CATEGORIES],
        }
        yield f"coco/annotations/instances_{split}.json", json.dumps(content).encode()


def annotations_of(owner: Array, classes: list[int], image_id: int) -> Iterator[dict[str, Any]]:
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
            "category_id": CATEGORIES[kind][0],
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
