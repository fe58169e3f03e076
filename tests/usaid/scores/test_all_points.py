"""Area under all points of the precision-recall curve: by hand, of a naive loop, and of resamples."""

import numpy as np
import pandas as pd
import pytest

from usaid.scores.all_points import AP50_PYTORCH_YOLOV3_2019, all_points_precision
from usaid.scores.resampled_precision import resampled_precision


def random_images(seed: int, n_images: int) -> tuple[list, list]:
    """Matches and objects, with ties, empty images, and categories that are only found or only there."""
    generator = np.random.default_rng(seed)
    matches, objects = [], []
    for _ in range(n_images):
        n = int(generator.integers(0, 9))
        scores = np.sort(generator.integers(5, 9, n))[::-1] / 10
        count = {c: int(generator.integers(0, 4)) for c in (1, 2, 44) if generator.random() < 0.6}
        left, rows = dict(count), []
        for score in scores.tolist():
            category = int(generator.choice([1, 2, 17]))
            is_right = left.get(category, 0) > 0 and generator.random() < 0.7
            left[category] = left.get(category, 0) - is_right
            rows.append([category, score, int(is_right), 0])
        matches.append(rows)
        objects.append([[c, number] for c, number in count.items()])
    return matches, objects


def naive_area(right: list[bool], total: int) -> float:
    """The area below the curve whose precision at a recall is the best one from there on."""
    points = [(0.0, 0.0)]
    for n, _ in enumerate(right, 1):
        points.append((sum(right[:n]) / total, sum(right[:n]) / n))
    area = 0.0
    for place in range(1, len(points)):
        best = max(precision for _, precision in points[place:])
        area += (points[place][0] - points[place - 1][0]) * best
    return area


def naive(matches: list, objects: list) -> dict[int, float]:
    totals: dict[int, int] = {}
    for category, number in (row for image in objects for row in image):
        totals[category] = totals.get(category, 0) + number
    areas = {}
    for category in sorted(key for key, total in totals.items() if total):
        rows = [row for image in matches for row in image if row[0] == category]
        right = [row[2] == 1 for row in sorted(rows, key=lambda row: -row[1])]
        areas[category] = naive_area(right, totals[category])
    return areas


def test_a_case_worked_by_hand():
    """Right, wrong, right, right of five objects: 1 up to 0.2, then 3 / 4 up to 0.6."""
    matches = [[[1, 0.9, 1, 0], [1, 0.6, 1, 0]], [[1, 0.8, 0, 0], [1, 0.7, 1, 0]]]
    areas = all_points_precision(matches, [[[1, 3], [7, 0]], [[1, 2], [3, 1]]])
    assert areas == {1: pytest.approx(0.2 + 0.4 * 3 / 4), 3: 0.0}


@pytest.mark.parametrize("seed", range(8))
def test_equal_to_a_naive_loop(seed):
    matches, objects = random_images(seed, 1 + 3 * seed)
    assert all_points_precision(matches, objects) == pytest.approx(naive(matches, objects), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_resamples_are_those_of_the_repeated_images(seed):
    matches, objects = random_images(seed, n_images := 2 + 3 * seed)
    weights = np.random.default_rng(seed).multinomial(n_images, np.full(n_images, 1 / n_images), 20).astype(float)
    weights[0] = 1
    weights[1, 0] = 9
    weights[2] = 0
    found = resampled_precision(matches, objects, slice(0, 1), all_points=True)(weights)
    for counts, score in zip(weights.astype(int), found, strict=True):
        images = np.repeat(np.arange(n_images), counts)
        areas = [*naive([matches[i] for i in images], [objects[i] for i in images]).values()]
        assert score == pytest.approx(np.mean(areas) if areas else np.nan, abs=1e-12, nan_ok=True)


def test_the_statistic_names_categories_and_resamples_as_it_scores():
    matches, objects = random_images(3, 12)
    rows = pd.DataFrame({"matches_2019": matches, "objects": objects})
    judge = {"category_names": {"1": "person", "2": "bicycle", "17": "cat", "44": "bottle"}}
    whole = AP50_PYTORCH_YOLOV3_2019.of_data_set(rows, judge)
    assert set(AP50_PYTORCH_YOLOV3_2019.of_classes(rows, judge)) == {"person", "bicycle", "bottle"}
    assert AP50_PYTORCH_YOLOV3_2019.resampled is not None
    assert AP50_PYTORCH_YOLOV3_2019.resampled(rows, judge)(np.ones((1, 12))).tolist() == [whole]
