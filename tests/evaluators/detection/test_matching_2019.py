"""Detections of the convention of 2019, matched by hand."""

import torch

from evaluators.detection.detector import Confident
from evaluators.detection.matching_2019 import match_2019
from usaid.datasets.coco import Instance

CATEGORY_IDS = (1, 3, 18)


def confident(*rows: tuple[float, ...]) -> Confident:
    """Detections from rows of class, x, y, width, height, objectness."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return Confident(table[:, 1:5], table[:, 5], table[:, 0].long())


def test_the_best_detection_takes_the_object_that_it_overlaps_most():
    objects = [Instance(3, (0, 0, 10, 10), False, 100), Instance(3, (4, 0, 10, 10), False, 100)]
    rows = confident(
        (1, 1, 0, 10, 10, 0.95),  # 0.82 of the first, 0.54 of the second
        (1, 0, 0, 10, 10, 0.9),  # the first is taken, though the second is free
        (1, 4, 0, 10, 5, 0.8),  # half of the second
        (0, 4, 0, 10, 10, 0.7),  # another class
        (1, 4, 0, 10, 4.9, 0.6),  # too little of the second
    )
    assert match_2019(rows, objects, CATEGORY_IDS) == [
        [3, 0.95, 1, 0],
        [3, 0.9, 0, 0],
        [3, 0.8, 1, 0],
        [1, 0.7, 0, 0],
        [3, 0.6, 0, 0],
    ]


def test_crowds_are_left_out_and_images_may_be_empty():
    crowd = Instance(3, (0, 0, 10, 10), True, 100)
    assert match_2019(confident((1, 0, 0, 10, 10, 0.9)), [crowd], CATEGORY_IDS) == [[3, 0.9, 0, 0]]
    assert match_2019(confident(), [crowd], CATEGORY_IDS) == []


def test_empty_boxes_overlap_nothing():
    empty = Instance(1, (5, 5, 0, 0), False, 0)
    assert match_2019(confident((0, 5, 5, 0, 0, 0.9)), [empty], CATEGORY_IDS) == [[1, 0.9, 0, 0]]
