"""What tests are fed with: the numbers of images and draws, and scores of weighted images, against plain loops."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from score_files import PSNR, made_scores, means_of

from usaid.errors import UsaidError
from usaid.report.statistics.samples import DataSetSample, ImageSample, difference_of, sample_of
from usaid.report.tables.cells import Place
from usaid.scores.files import Scores


def psnr_of(denoiser: str) -> Place:
    return Place("25", denoiser, "psnr")


def detections(seed: int, n_images: int = 6) -> dict[str, list[list[list[list[float]]]]]:
    """Matched and unmatched detections of three categories with scores of one digit, so that many are equal."""
    chance = np.random.default_rng(seed)
    matches, objects = [], []
    for _ in range(n_images):
        scores = np.sort(chance.integers(1, 10, 8))[::-1] / 10
        bits = chance.choice([0, 1, 3, 1023], 8)
        matches.append([[int(chance.integers(1, 4)), float(s), int(b), 0] for s, b in zip(scores, bits, strict=True)])
        objects.append([[1, 8], [2, 9], [3, 8]])
    return {"matches": [matches], "objects": [objects]}


def data_set_sample(scores: Scores, metric: str) -> DataSetSample:
    denoiser = scores.provenance["denoiser"]
    sample = sample_of(means_of(scores, metrics=[metric]), Place("25", denoiser, metric))
    assert isinstance(sample, DataSetSample)
    return sample


def image_sample(scores: Scores, metric: str = "psnr") -> ImageSample:
    denoiser = scores.provenance["denoiser"]
    sample = sample_of(means_of(scores, metrics=[metric]), Place("25", denoiser, metric))
    assert isinstance(sample, ImageSample)
    return sample


def test_values_stand_by_draw_and_image_whatever_the_order_of_rows():
    scores = made_scores("a", {PSNR: [[1, 2, 3], [4, 5, 6]]}, ids=["c", "a", "b"])
    shuffled = Scores(scores.rows.sample(frac=1, random_state=1), scores.provenance)
    for own in (scores, shuffled):
        sample = image_sample(own)
        assert (sample.images, sample.draws) == (("a", "b", "c"), (0, 1))
        assert sample.values.tolist() == [[2, 3, 1], [5, 6, 4]]
        assert sample.scores.tolist() == [2, 5]


def test_values_are_in_the_unit_of_the_paper():
    sample = image_sample(made_scores("a", {"top1": [[1.0, 0.0, 1.0, 1.0]]}), "top1")
    assert sample.values.tolist() == [[100, 0, 100, 100]]
    assert sample.scores.tolist() == [75]


def test_an_image_that_is_undefined_in_any_draw_is_not_among_the_defined():
    sample = image_sample(made_scores("a", {PSNR: [[1, math.nan, 3], [4, 5, 6]]}, ids=["a", "b", "c"]))
    assert sample.defined == {"a", "c"}
    restricted = sample.of(frozenset({"a", "c"}))
    assert (restricted.images, restricted.values.tolist()) == (("a", "c"), [[1, 3], [4, 6]])
    assert sample.of(frozenset("abc")) is sample


def test_only_the_rows_of_the_group_are_taken_with_what_was_told():
    blind, scores = made_scores("blind", {PSNR: [[9, 9]]}), made_scores("told", {PSNR: [[1, 2]]}, sigmas=(25, 35))
    told = scores.rows["sigma"].map({25: 25.0, 35: 25.0})
    means = means_of(
        Scores(scores.rows.assign(told_sigma=told), scores.provenance), blind, settings={"median": 25.0, "oracle": None}
    )
    sample = sample_of(means, Place("median/35", "told", "psnr"))
    assert isinstance(sample, ImageSample)
    assert sample.values.tolist() == [[1, 2]]
    assert means.why_missing(Place("oracle/35", "told", "psnr")), "it was never told the truth there"
    assert sample_of(means, Place("oracle/25", "blind", "psnr")).scores.tolist() == [9]


def test_means_of_weighted_images_are_those_of_repeated_ones():
    sample = image_sample(made_scores("a", {PSNR: [[1, 2, 6], [4, 5, 9]]}))
    assert sample.resampled(np.array([[1.0, 1, 1], [0, 3, 0], [2, 0, 1]])).tolist() == [
        [3, 6],
        [2, 5],
        [pytest.approx(8 / 3), pytest.approx(17 / 3)],
    ]


def test_miou_by_hand():
    """Image by image 3 right of 4 pixels and all 4 right: of both, IoU 5/6 and 2/3."""
    sample = data_set_sample(made_scores("a", {"confusion": [[[2, 1, 0, 1], [3, 0, 0, 1]]]}), "miou")
    assert sample.scores.tolist() == [pytest.approx((5 / 6 + 2 / 3) / 2)]
    first_alone, twice_and_once = sample.resampled(np.array([[1.0, 0], [2, 1]]))[:, 0]
    assert first_alone == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert twice_and_once == pytest.approx((7 / 9 + 3 / 5) / 2)


@pytest.mark.parametrize("metric", ["map", "ap"])
def test_scores_of_weighted_images_are_those_of_repeated_ones(metric):
    sample = data_set_sample(made_scores("a", detections(seed=1)), metric)
    assert sample.resampled(np.ones((1, 6)))[0] == pytest.approx(sample.scores, rel=1e-12)
    for weights in np.random.default_rng(2).multinomial(6, [1 / 6] * 6, 20):
        repeated = sample.rows[0].loc[np.repeat(np.arange(6), weights)]
        expected = sample.statistic.of_data_set(repeated, sample.judge)
        assert sample.resampled(weights[None].astype(float))[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", ["map", "ap"])
def test_swapped_images_are_those_of_the_other_denoiser_also_where_detections_are_tied(metric):
    first, other = (data_set_sample(made_scores(str(s), detections(seed=s, n_images=4)), metric) for s in (1, 2))
    flags = np.array([*product([False, True], repeat=4)])
    differences = first.swapped(other)(flags)[:, 0]
    assert differences[0] == pytest.approx(first.scores[0] - other.scores[0])
    for pattern, difference in zip(flags, differences, strict=True):
        ours, theirs = first.rows[0].copy(), other.rows[0].copy()
        ours[pattern], theirs[pattern] = other.rows[0][pattern], first.rows[0][pattern]
        expected = [first.statistic.of_data_set(rows, first.judge) for rows in (ours, theirs)]
        assert difference == pytest.approx(expected[0] - expected[1], abs=1e-12)


def test_each_draw_has_its_own_score():
    draws = [[[2, 1, 0, 1], [3, 0, 0, 1]], [[4, 0, 0, 0], [2, 0, 0, 2]]]
    sample = data_set_sample(made_scores("a", {"confusion": draws}), "miou")
    assert sample.resampled(np.ones((3, 2))).shape == (3, 2)
    assert sample.scores.tolist() == [pytest.approx(0.75), 1]
    swapped = sample.swapped(data_set_sample(made_scores("b", {"confusion": draws[::-1]}), "miou"))
    assert swapped(np.zeros((1, 2), dtype=bool))[0].tolist() == [pytest.approx(-0.25), pytest.approx(0.25)]


def raises(*_):
    raise KeyError("counts\nof mine")


@pytest.mark.parametrize(
    ("resampled", "fault"),
    [
        (raises, "KeyError: 'counts"),
        (lambda rows, judge: raises, "KeyError: 'counts"),
        (lambda rows, judge: None, "TypeError: "),
        (lambda rows, judge: lambda weights: weights, r"scores of shape \(1, 2\) for weights of shape \(1, 2\)"),
        (lambda rows, judge: lambda weights: 0.5, r"scores of shape \(\) for weights"),
        (lambda rows, judge: lambda weights: ["a"] * len(weights), "ValueError: "),
    ],
)
def test_what_is_wrong_with_a_strangers_statistic_is_said_in_one_line(resampled, fault):
    sample = data_set_sample(made_scores("a", {"confusion": [[[2, 1, 0, 1], [3, 0, 0, 1]]]}), "miou")
    faulty = replace(sample, statistic=sample.statistic._replace(resampled=resampled))
    with pytest.raises(UsaidError, match=rf"^statistic {sample.name}: `resampled`: {fault}.*; it must give") as error:
        faulty.resampled(np.ones((1, 2)))
    assert "\n" not in str(error.value)


def test_differences_that_rounding_leaves_are_none():
    scores = np.array([30.0, 0.0, 28.5])
    assert difference_of(np.nextafter(scores, 99), scores).tolist() == [0, 0, 0]
    assert difference_of(np.array([30.0, 0.0, 28.5 + 1e-9]), scores).tolist() == [0, 0, pytest.approx(1e-9, rel=1e-5)]
    assert difference_of(np.array([np.inf, 1]), np.array([2.0, 3])).tolist() == [np.inf, -2]
