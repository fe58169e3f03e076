"""Intersection over union from confusion counts: worked by hand, pixel by pixel, and over all images together."""

import math

import numpy as np
import pytest

from usaid.scores.confusion import class_iou, image_iou, miou_per_image, resampled_iou


def test_worked_by_hand():
    # truth: 5 of a, 3 of b, 2 of c; rows are the truth
    counts = [[4, 1, 0], [2, 1, 0], [0, 0, 2]]
    assert class_iou([np.ravel(counts)]).tolist() == [4 / 7, 1 / 4, 1]
    assert class_iou([np.ravel(np.transpose(counts))]).tolist() == [4 / 7, 1 / 4, 1]


def test_a_class_that_occurs_nowhere_has_none_and_one_that_is_only_predicted_has_zero():
    ious = class_iou([[3, 1, 0, 0, 0, 0, 0, 0, 0]])
    assert ious[:2].tolist() == [3 / 4, 0]
    assert math.isnan(ious[2])


def test_images_are_added_up_before_anything_is_divided():
    large, small = [90, 0, 10, 0], [0, 0, 1, 9]
    expected = [90 / 101, 9 / 20]
    assert class_iou([large, small]).tolist() == pytest.approx(expected)
    mean_of_images = np.mean([class_iou([large]), class_iou([small])], axis=0)
    assert abs(mean_of_images - expected).max() > 0.4


def test_counts_beyond_float32_are_exact():
    million = 2**24 + 1  # the first integer that float32 lacks
    assert class_iou([[million, 0, 0, 1], [0, 1, 0, 0]]).tolist() == [million / (million + 1), 1 / 2]


def test_as_sets_of_pixels_say():
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(0, 5, (2, 6, 300))
    confusions = np.zeros((6, 25), int)
    for image in range(6):
        for true, found in zip(truth[image], predicted[image], strict=True):
            confusions[image, 5 * true + found] += 1
    for number, iou in enumerate(class_iou(confusions)):
        both, either = (truth == number) & (predicted == number), (truth == number) | (predicted == number)
        assert iou == pytest.approx(both.sum() / either.sum(), abs=1e-12)


def test_resamples_by_hand():
    """Counts of the resamples: [4 1; 2 3] and [0 0; 1 0] together, the first twice, the second alone, none."""
    first, second = [4, 1, 2, 3], [0, 0, 1, 0]
    found = resampled_iou([first, second])(np.array([[1.0, 1], [2, 0], [0, 2], [0, 0]]))
    np.testing.assert_allclose(found, [[4 / 8, 3 / 7], [4 / 7, 3 / 6], [0, 0], [np.nan, np.nan]], rtol=1e-15)


def test_a_class_that_vanishes_from_a_resample_has_none():
    first, second = np.diag([5, 0, 0]).ravel(), np.diag([0, 2, 0]).ravel()
    found = resampled_iou([first, second])(np.array([[3.0, 0], [0, 1], [1, 1]]))
    np.testing.assert_array_equal(found, [[1, np.nan, np.nan], [np.nan, 1, np.nan], [1, 1, np.nan]])


@pytest.mark.parametrize("seed", range(8))
def test_resamples_are_exactly_those_of_the_repeated_images(seed):
    generator = np.random.default_rng(seed)
    n_images, classes = 3 + 5 * seed, 2 + 3 * seed
    confusions = generator.integers(0, 2**33, (n_images, classes**2)) * (
        generator.random((n_images, classes**2)) < 0.05
    )
    weights = generator.multinomial(n_images, np.full(n_images, 1 / n_images), 20).astype(float)
    found = resampled_iou(confusions)(weights)
    for iou, counts in zip(found, weights.astype(int), strict=True):
        np.testing.assert_array_equal(iou, class_iou(np.repeat(confusions, counts, axis=0)))


def test_each_image_by_itself_is_a_data_set_of_one():
    confusions = np.random.default_rng(0).integers(0, 3, (7, 16)) * (np.arange(16) < 12)
    np.testing.assert_array_equal(image_iou(confusions), [class_iou([counts]) for counts in confusions])


class TestMeanOfAnImage:
    def test_worked_by_hand(self):
        # of class a 4 of 7 pixels, of b 1 of 4, of c all; the second image has only a, the third a that was taken for b
        first, second, third = [4, 1, 0, 2, 1, 0, 0, 0, 2], [5, 0, 0, 0, 0, 0, 0, 0, 0], [3, 1, 0, 0, 0, 0, 0, 0, 0]
        assert miou_per_image([first, second, third]).tolist() == pytest.approx(
            [(4 / 7 + 1 / 4 + 1) / 3, 1, (3 / 4 + 0) / 2]
        )

    def test_classes_that_are_left_out(self):
        assert miou_per_image([[4, 1, 2, 1], [0, 0, 0, 3]], left_out=[0]).tolist() == [1 / 4, 1]

    def test_an_image_without_pixels_that_count_has_none(self):
        assert math.isnan(miou_per_image([[0, 0, 0, 0]])[0])
        assert math.isnan(miou_per_image([[4, 0, 0, 0]], left_out=[0])[0])
