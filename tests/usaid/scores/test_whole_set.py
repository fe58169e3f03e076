"""Scores of whole data sets, as the conventions of metrics name them."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from usaid.cards import Convention
from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.scores.files import read_scores
from usaid.scores.whole_set import (
    AP50_95_COCO,
    AP50_COCO,
    MIOU_DATASET,
    MIOU_FOREGROUND_21,
    MIOU_PER_IMAGE,
    Statistic,
    columns_of,
    statistic_of,
)

RELEASED = Path(__file__).parents[3] / "results/reference/released/scores"

WHOLE_SET = [c for metric in METRICS.own.values() for c in metric.conventions if c.of_whole_set]


def test_every_convention_of_a_whole_data_set_names_its_statistic():
    columns = {convention.name: statistic_of(convention).columns for convention in WHOLE_SET}
    assert columns == {
        "miou_dataset": ("confusion",),
        "miou_per_image": ("confusion",),
        "miou_foreground_21": ("confusion",),
        "ap50_coco": ("matches", "objects"),
        "ap50_pytorch_yolov3_2019": ("matches_2019", "objects"),
        "ap50_95_coco": ("matches", "objects"),
    }


def test_columns_of_a_convention():
    assert columns_of(WHOLE_SET[0]) == ("confusion",)
    assert columns_of(Convention("niqe_live")) == ("niqe_live",)


def test_mean_is_over_the_classes_that_have_a_score():
    statistic = Statistic(("a",), lambda rows, judge: dict(zip(judge["names"], rows["a"], strict=True)))
    rows = pd.DataFrame({"a": [0.25, math.nan, 0.75]})
    assert statistic.of_data_set(rows, {"names": "xyz"}) == 0.5
    assert math.isnan(statistic.of_data_set(rows[1:2], {"names": "y"}))


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (None, "compute = None must name a Statistic"),
        ("usaid.scores.confusion:class_iou", "must name a Statistic"),
        ("usaid.scores.confusion:gone", "usaid.scores.confusion:gone cannot be imported"),
    ],
)
def test_a_convention_without_its_statistic_is_refused(compute, message):
    with pytest.raises(UsaidError, match=message):
        statistic_of(Convention("odd", compute, of_whole_set=True))


def released(benchmark):
    """Rows and judge's record of a committed score file."""
    scores = read_scores(RELEASED / benchmark / "u_said.parquet")
    return scores.rows, scores.provenance["judge"]


def resamples(n_images, n_resamples):
    return np.random.default_rng(0).multinomial(n_images, np.full(n_images, 1 / n_images), n_resamples).astype(float)


OF_RELEASED = [
    ("voc_segmentation", MIOU_DATASET),
    ("voc_segmentation", MIOU_PER_IMAGE),
    ("voc_segmentation", MIOU_FOREGROUND_21),
    ("isic_segmentation", MIOU_DATASET),
    ("isic_segmentation", MIOU_PER_IMAGE),
    ("coco_detection", AP50_COCO),
    ("coco_detection", AP50_95_COCO),
]


THREE = ("background", "cat", "dog")
IMAGES = [
    [6, 0, 0, 1, 3, 0, 0, 0, 0],  # background 6 of 7, cat 3 of 4, no dog: .8036
    [8, 0, 2, 0, 0, 0, 0, 0, 0],  # background 8 of 10, a dog that is none: .4
    [0, 0, 0, 0, 0, 0, 0, 0, 5],  # dog 5 of 5: 1
]
"""Confusions of background, cats and dogs, row by row: truth by prediction."""


def test_the_three_conventions_by_hand():
    """All images together: background 14 of 17, cat 3 of 4, dog 5 of 7."""
    rows, judge = pd.DataFrame({"confusion": IMAGES}), {"class_names": THREE}
    of_images = ((6 / 7 + 3 / 4) / 2, (8 / 10 + 0) / 2, 1)
    assert MIOU_DATASET.of_data_set(rows, judge) == pytest.approx((14 / 17 + 3 / 4 + 5 / 7) / 3)
    assert MIOU_PER_IMAGE.of_data_set(rows, judge) == pytest.approx(sum(of_images) / 3)
    assert MIOU_FOREGROUND_21.of_data_set(rows, judge) == pytest.approx((3 / 4 + 5 / 7) / 3)
    weights = np.array([[1.0, 1, 1], [0, 2, 1], [3, 0, 0]])
    np.testing.assert_allclose(
        MIOU_PER_IMAGE.resampled(rows, judge)(weights),
        [sum(of_images) / 3, (2 * of_images[1] + of_images[2]) / 3, of_images[0]],
    )
    np.testing.assert_allclose(
        MIOU_FOREGROUND_21.resampled(rows, judge)(weights), [(3 / 4 + 5 / 7) / 3, (0 + 5 / 9) / 3, (3 / 4) / 3]
    )


def test_conventions_of_classes_that_are_left_out_and_of_images_without_any():
    judge = {"class_names": THREE, "left_out": ["dog"]}
    rows = pd.DataFrame({"confusion": IMAGES})
    assert MIOU_PER_IMAGE.of_data_set(rows, judge) == pytest.approx(((6 / 7 + 3 / 4) / 2 + 8 / 10) / 2), "no third"
    assert MIOU_FOREGROUND_21.of_data_set(rows, judge) == pytest.approx((3 / 4) / 3)
    assert MIOU_FOREGROUND_21.resampled(rows, judge)(np.ones((1, 3))).tolist() == pytest.approx([(3 / 4) / 3])
    assert MIOU_PER_IMAGE.resampled(rows, judge)(np.array([[0, 0, 1]])).tolist() == [pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize(("benchmark", "statistic"), OF_RELEASED)
def test_every_released_image_once_is_exactly_the_score_of_the_data_set(benchmark, statistic):
    rows, judge = released(benchmark)
    expected = statistic.of_data_set(rows, judge)
    weights = resamples(len(rows), 4)
    weights[[0, 3]] = 1
    scores = statistic.resampled(rows, judge)
    assert scores(np.ones((1, len(rows)))).tolist() == [expected]
    found = scores(weights)
    assert found[[0, 3]].tolist() == [expected, expected]
    assert expected not in found[1:3]


@pytest.mark.parametrize(("benchmark", "statistic"), OF_RELEASED)
def test_resamples_of_released_images_score_as_their_repeated_rows(benchmark, statistic):
    rows, judge = released(benchmark)
    weights = resamples(len(rows), 4)
    weights[3] = np.arange(len(rows)) % 2  # half of the images
    expected = [
        statistic.of_data_set(rows.iloc[np.repeat(np.arange(len(rows)), w.astype(int))], judge) for w in weights
    ]
    np.testing.assert_allclose(statistic.resampled(rows, judge)(weights), expected, rtol=0, atol=1e-12)


def test_images_of_two_systems_are_exchanged_by_weights():
    """Row after row of one system or the other: what a permutation test needs."""
    (rows, judge), other = released("coco_detection"), read_scores(RELEASED / "coco_detection/cdncnn_b.parquet").rows
    both = pd.concat([rows, other]).sort_values("image_id", kind="stable", ignore_index=True)
    first = np.random.default_rng(0).integers(0, 2, (2, len(rows), 1))
    first[0] = 1
    weights = np.concatenate([first, 1 - first], axis=2).reshape(2, -1)
    expected = [AP50_COCO.of_data_set(both[chosen == 1], judge) for chosen in weights]
    assert expected[0] == AP50_COCO.of_data_set(rows.sort_values("image_id"), judge)
    np.testing.assert_allclose(AP50_COCO.resampled(both, judge)(weights), expected, rtol=0, atol=1e-12)


def test_classes_that_are_left_out_or_gone_from_a_resample_do_not_count():
    judge = {"class_names": ["sky", "unknown", "tree"], "left_out": ["unknown"]}
    images = [[1, 0, 1, 0, 7, 0, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0, 0, 5]]
    scores = MIOU_DATASET.resampled(pd.DataFrame({"confusion": images}), judge)
    found = scores(np.array([[1.0, 1], [2, 0], [0, 3], [0, 0]]))
    np.testing.assert_allclose(found, [(1 / 2 + 5 / 6) / 2, (1 / 2 + 0) / 2, 1, np.nan])


def test_resamples_without_any_class_have_no_score():
    judge = {"class_names": ["sky"], "left_out": ["sky"], "category_names": {"1": "cat"}}
    rows = pd.DataFrame({"confusion": [[3]], "matches": [[[1, 0.9, 0, 0]]], "objects": [[]]})
    for statistic in (MIOU_DATASET, MIOU_PER_IMAGE, MIOU_FOREGROUND_21, AP50_COCO, AP50_95_COCO):
        assert np.isnan(statistic.resampled(rows, judge)(np.array([[1.0], [2]]))).tolist() == [True, True]


@pytest.mark.parametrize(
    ("statistic", "missing"),
    [
        (MIOU_DATASET, "class_names"),
        (MIOU_PER_IMAGE, "class_names"),
        (MIOU_FOREGROUND_21, "class_names"),
        (AP50_COCO, "category_names"),
        (AP50_95_COCO, "category_names"),
    ],
)
def test_resampling_needs_what_the_score_itself_needs_of_the_judge(statistic, missing):
    rows = pd.DataFrame({"confusion": [[3]], "matches": [[[1, 0.9, 0, 0]]], "objects": [[[1, 1]]]})
    with pytest.raises(UsaidError, match=f"the judge's record has no '{missing}'"):
        statistic.resampled(rows, {})


def test_a_statistic_of_two_fields_cannot_be_resampled_faster():
    assert Statistic(("a",), lambda rows, judge: {}).resampled is None
