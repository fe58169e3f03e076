"""PASCAL VOC 2012 in miniature: scenes with objects of five classes, and their segmentation."""

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from usaid.datasets.miniature import scenes
from usaid.datasets.miniature.encoding import Array, Files, generator, jpeg, lines, png

SHAPES = ((160, 224), (224, 160), (160, 224), (192, 192))
"""Heights and widths, in turn."""
RADII = (18.0, 42.0)
VOID = 255


def draw(seed: int) -> Files:
    """48 training and 12 validation pictures with 1-3 objects of classes 1-5, and their segmentation."""
    root, n_classes = "VOCdevkit/VOC2012", 5
    for split, count, first in (("train", 48, 1), ("val", 12, 1001)):
        ids = [f"2012_{number:06d}" for number in range(first, first + count)]
        for index, image_id in enumerate(ids):
            rng = generator(seed, f"voc2012/{image_id}")
            classes = [1 + index % n_classes, *rng.integers(1, n_classes + 1, rng.integers(0, 3))]
            kinds = [scenes.KINDS[number - 1] for number in classes]
            scene = scenes.object_scene(rng, SHAPES[index % len(SHAPES)], kinds, RADII)
            yield f"{root}/JPEGImages/{image_id}.jpg", jpeg(scene.photograph(rng.uniform(0.2, 0.4)))
            labels = labels_of(scene.owner, np.array([0, *classes], np.uint8))
            yield f"{root}/SegmentationClass/{image_id}.png", png(labels, colour_map())
        yield f"{root}/ImageSets/Segmentation/{split}.txt", lines(ids)


def labels_of(owner: Array, classes: Array) -> Array:
    """Class of each pixel, uint8 (H, W), from the number of its object; the two pixels at every border are void."""
    border = maximum_filter(owner, 3) != minimum_filter(owner, 3)
    return np.where(border, VOID, classes[owner]).astype(np.uint8)


def colour_map() -> Array:
    """VOC's colour map, uint8 (256, 3): bits 0-2 of the index are the top bits of R, G, B, the next three the next."""
    index = np.arange(256)[:, None]
    channel = np.arange(3)
    bits = [(index >> (3 * place + channel) & 1) << (7 - place) for place in range(3)]
    return np.bitwise_or.reduce(bits).astype(np.uint8)
