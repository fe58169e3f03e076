"""Average precision of resamples: worked by hand, and equal to that of the repeated images, whatever they hold."""

import numpy as np
import pytest

import usaid.scores.resampled_precision as module
from usaid.scores.average_precision import _RECALLS, as_bits, average_precision
from usaid.scores.resampled_precision import _levels_up_to, resampled_precision

ALL = (1 << 10) - 1
AT_50 = slice(0, 1)


def random_images(seed: int, n_images: int, n_scores: int = 5) -> tuple[list, list]:
    """Matches and objects of images as a judge makes them: some categories missing, ties, crowds, empty images."""
    generator = np.random.default_rng(seed)
    matches, objects = [], []
    for _ in range(n_images):
        n = int(generator.integers(0, 9))
        score = np.sort(generator.integers(1, n_scores + 1, n))[::-1] / n_scores
        category = generator.choice([1, 2, 3, 17, 90], n, p=[0.4, 0.3, 0.1, 0.1, 0.1])
        count = {c: int(generator.integers(0, 4)) for c in (1, 2, 3, 44) if generator.random() < 0.6}
        matched, ignored = np.zeros((2, 10, n), dtype=bool)
        for threshold in range(10):
            left = dict(count)
            for place in generator.permutation(n):
                if left.get(category[place], 0) and generator.random() < 0.9 - 0.07 * threshold:
                    left[category[place]] -= 1
                    matched[threshold, place] = True
                elif generator.random() < 0.1:
                    matched[threshold, place] = ignored[threshold, place] = True
        matches.append(np.stack([category, score, as_bits(matched), as_bits(ignored)], axis=1).tolist())
        objects.append([[c, number] for c, number in count.items()])
    return matches, objects


def of_repeated_images(matches: list, objects: list, weights: np.ndarray, thresholds: slice = slice(None)) -> list:
    """What every resample scores when its images are listed and all is sorted anew."""
    scores = []
    for counts in weights.astype(int):
        images = np.repeat(np.arange(len(matches)), counts)
        found = average_precision([matches[i] for i in images], [objects[i] for i in images])
        defined = found.precision[thresholds][:, ~np.isnan(found.precision[0])]
        scores.append(defined.mean() if defined.size else np.nan)
    return scores


def multinomial(seed: int, n_images: int, n_resamples: int) -> np.ndarray:
    chances = np.full(n_images, 1 / n_images)
    return np.random.default_rng(seed).multinomial(n_images, chances, n_resamples).astype(float)


def test_two_images_by_hand():
    """Ranked: image 0 right, image 1 wrong, image 1 right, image 0 right; three objects in image 0, one in image 1.

    Once each: 1 at recall 1/4 (26 levels: 0 to 0.25), then 3/4 at recall 3/4 (50 more); 2/3 at 1/2 is below that.
    Image 0 twice: recalls over 7: 1 at 2/7 (29 levels), 2 + 1 + 2 of 6 at 5/7 (43 more).
    Image 1 twice: recalls over 5: 1 at 1/5 (21 levels); 1 + 2 + 1 of 6 at 4/5 (60 more). Image 1 alone: 1/2 of all.
    """
    matches = [[[1, 0.9, ALL, 0], [1, 0.2, ALL, 0]], [[1, 0.8, 0, 0], [1, 0.7, ALL, 0]]]
    weights = np.array([[1, 1], [2, 1], [1, 2], [0, 1], [0, 3], [1, 0], [0, 0]], dtype=float)
    expected = [
        (26 + 50 * 3 / 4) / 101,
        (29 + 43 * 5 / 6) / 101,
        (21 + 60 * 4 / 6) / 101,
        1 / 2,
        1 / 2,
        67 / 101,
        np.nan,
    ]
    found = resampled_precision(matches, [[[1, 3]], [[1, 1]]])(weights)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("thresholds", [AT_50, slice(None)])
@pytest.mark.parametrize("seed", range(12))
def test_equal_to_that_of_the_repeated_images(seed, thresholds):
    n_images = 1 + 3 * seed
    matches, objects = random_images(seed, n_images, n_scores=2 + 3 * (seed % 4))
    weights = multinomial(seed, n_images, 25)
    weights[:3] = np.array([[0.0], [1.0], [2.0]])
    weights[3, 0] = 40
    expected = of_repeated_images(matches, objects, weights, thresholds)
    found = resampled_precision(matches, objects, thresholds)(weights)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.isnan(found[0])


def test_equal_scores_of_several_images_rank_in_their_order():
    right, wrong = [[1, 0.5, ALL, 0]], [[1, 0.5, 0, 0]]
    weights = np.array([[1.0, 1], [3, 1], [1, 3]])
    found = resampled_precision([wrong, right], [[], [[1, 1]]])(weights)
    np.testing.assert_allclose(found, [1 / 2, 1 / 4, 3 / 4], rtol=1e-14)
    found = resampled_precision([right, wrong], [[[1, 1]], []])(weights)
    np.testing.assert_allclose(found, [1, 1, 1], rtol=1e-14)


def test_copies_of_an_image_with_equal_scores_follow_each_other_whole():
    """Right, wrong, right, wrong, and not right, right, wrong, wrong: precision 1 up to recall 1/2, then 2/3."""
    matches = [[[1, 0.5, ALL, 0], [1, 0.5, 0, 0]]]
    found = resampled_precision(matches, [[[1, 1]]])(np.array([[1.0], [2], [3]]))
    third = (34 + 33 * 2 / 3 + 34 * 3 / 5) / 101
    np.testing.assert_allclose(found, [1, (51 + 50 * 2 / 3) / 101, third], rtol=1e-14)


def test_detections_in_crowds_count_at_the_other_thresholds_alone():
    """The first detection lies in a crowd up to 0.55, above that it is wrong."""
    matches = [[[1, 0.9, 0b11, 0b11]], [[1, 0.8, ALL, 0]]]
    found = resampled_precision(matches, [[], [[1, 1]]])(np.array([[1.0, 1], [3, 1]]))
    np.testing.assert_allclose(found, [0.2 + 0.8 / 2, 0.2 + 0.8 / 4], rtol=1e-14)


def test_categories_that_vanish_from_a_resample_are_left_out_of_its_mean():
    matches = [[[1, 0.9, ALL, 0]], [], [[1, 0.8, 0, 0]]]
    objects = [[[1, 1]], [[2, 1]], []]
    weights = np.array([[1.0, 1, 0], [1, 0, 0], [0, 1, 5], [0, 0, 1], [0, 0, 0]])
    found = resampled_precision(matches, objects)(weights)
    np.testing.assert_allclose(found, [1 / 2, 1, 0, np.nan, np.nan], rtol=1e-14)


@pytest.mark.parametrize(("matches", "objects"), [([], []), ([[], []], [[], []]), ([[[1, 0.9, 0, 0]]], [[]])])
def test_without_any_object_there_is_no_score(matches, objects):
    found = resampled_precision(matches, objects)(np.ones((2, len(matches))))
    assert np.isnan(found).tolist() == [True, True]


def test_without_any_detection_the_score_is_zero():
    assert resampled_precision([[], []], [[[1, 2]], []])(np.array([[1.0, 0], [2, 3]])).tolist() == [0, 0]


def test_no_resample_has_no_score():
    matches, objects = random_images(0, 4)
    assert resampled_precision(matches, objects)(np.empty((0, 4))).shape == (0,)


def test_a_function_can_be_used_again_and_weights_stay_as_they_are():
    matches, objects = random_images(7, 20)
    scores = resampled_precision(matches, objects)
    few, many = multinomial(1, 20, 10), 3 * multinomial(2, 20, 10)
    before = few.copy(), many.copy()
    first = scores(few)
    scores(many)
    np.testing.assert_array_equal(scores(few), first)
    np.testing.assert_array_equal([few, many], before)


def test_batches_and_the_type_of_weights_change_no_digit(monkeypatch):
    matches, objects = random_images(5, 30)
    weights = multinomial(5, 30, 50)
    at_once = resampled_precision(matches, objects)(weights)
    monkeypatch.setattr(module, "_RESAMPLES", 7)
    np.testing.assert_array_equal(resampled_precision(matches, objects)(weights), at_once)
    monkeypatch.setattr(module, "_NUMBERS", 1)  # one resample at a time
    np.testing.assert_array_equal(resampled_precision(matches, objects)(weights.astype(np.uint8)), at_once)


def test_levels_are_those_that_a_search_finds():
    """Also where floating point puts a level above its own fraction: 0.35, 0.41, 0.47, 0.57 and six more."""
    for objects in [*range(1, 401), 1000, 4095, 12_300, 999_983]:
        recall = np.arange(objects + 1) / objects if objects < 5000 else np.arange(0, objects + 1, 100) / objects
        expected = np.searchsorted(_RECALLS, recall, side="right")
        np.testing.assert_array_equal(_levels_up_to(recall), expected)
    assert _levels_up_to(np.array([0.34, 0.35, 0.36, 1])).tolist() == [35, 35, 37, 101]
