"""Scores of whole data sets, as the conventions of metrics name them."""

import math

import pandas as pd
import pytest

from usaid.cards import Convention
from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.scores.whole_set import Statistic, columns_of, statistic_of

WHOLE_SET = [c for metric in METRICS.own.values() for c in metric.conventions if c.of_whole_set]


def test_every_convention_of_a_whole_data_set_names_its_statistic():
    columns = {convention.name: statistic_of(convention).columns for convention in WHOLE_SET}
    assert columns == {
        "miou_dataset": ("confusion",),
        "ap50_coco": ("matches", "objects"),
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
