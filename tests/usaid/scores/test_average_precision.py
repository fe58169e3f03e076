"""Average precision worked by hand, its exact equality with COCOeval, and what it does where there is nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from usaid.scores.average_precision import as_bits, average_precision

ALL = (1 << 10) - 1
AT_50_AND_55 = 0b11


def test_one_image_with_two_objects_and_three_detections_by_hand():
    """Best first: right, wrong, right. Recall 1/2 with precision 1; recall 1 with precision 2/3.

    Of the 101 recalls, 0 to 0.50 (51 of them) are reached with precision 1, 0.51 to 1 (50) with 2/3. The third
    detection overlaps its object by 0.58: at the other eight thresholds only 51 recalls are reached.
    """
    matches = [[[7, 0.9, ALL, 0], [7, 0.8, 0, 0], [7, 0.3, AT_50_AND_55, 0]]]
    found = average_precision(matches, [[[7, 2]]])
    assert found.category_ids.tolist() == [7]
    expected = [(51 + 50 * 2 / 3) / 101] * 2 + [51 / 101] * 8
    np.testing.assert_allclose(found.precision[:, 0], expected, rtol=1e-14)
    assert found.ap50 == pytest.approx(expected[0])
    assert found.ap50_95 == pytest.approx(np.mean(expected))


def test_precision_is_made_monotonous():
    """Wrong, right, right: the precisions 1/2 and 2/3 at recalls 1/2 and 1 become 2/3 and 2/3."""
    matches = [[[1, 0.9, 0, 0], [1, 0.8, ALL, 0], [1, 0.7, ALL, 0]]]
    np.testing.assert_allclose(average_precision(matches, [[[1, 2]]]).precision, 2 / 3)


def test_detections_in_crowds_count_neither_as_right_nor_as_wrong():
    matches = [[[1, 0.9, ALL, ALL], [1, 0.8, ALL, 0], [1, 0.7, AT_50_AND_55, AT_50_AND_55]]]
    found = average_precision(matches, [[[1, 1]]])
    np.testing.assert_allclose(found.precision, 1)


def test_categories_without_objects_are_left_out_of_the_mean():
    matches = [[[1, 0.9, ALL, 0], [5, 0.8, 0, 0], [3, 0.7, ALL, ALL]], []]
    found = average_precision(matches, [[[1, 1], [3, 0]], [[2, 1]]])
    assert found.category_ids.tolist() == [1, 2, 3, 5]
    assert found.category_ids.dtype == np.int64
    np.testing.assert_allclose(found.precision[0], [1, 0, np.nan, np.nan])  # 3: a crowd only; 5: no object
    assert [found.ap50, found.ap50_95] == pytest.approx([0.5, 0.5])


def test_equal_scores_rank_in_the_order_of_images():
    right, wrong = [[1, 0.5, ALL, 0]], [[1, 0.5, 0, 0]]
    assert average_precision([right, wrong], [[[1, 1]], []]).ap50 == pytest.approx(1)
    assert average_precision([wrong, right], [[], [[1, 1]]]).ap50 == pytest.approx(1 / 2)


def test_an_image_may_come_twice():
    matches, objects = [[1, 0.9, ALL, 0], [1, 0.6, 0, 0]], [[1, 2]]
    twice = average_precision([matches, matches], [objects, objects])
    assert twice.ap50 == pytest.approx(51 / 101)  # recall 2/4 with precision 1


def test_nothing_at_all_is_nan():
    for matches, objects in ([], []), ([[], []], [[], []]), ([[[1, 0.9, 0, 0]]], [[]]):
        found = average_precision(matches, objects)
        assert np.isnan([found.ap50, found.ap50_95]).all()
        assert found.precision.shape == (10, len(found.category_ids))


def test_statistics_survive_a_score_file(tmp_path):
    rows = {"matches": [[[1, 0.9, ALL, 0], [2, 0.8, 0, 0]], [], [[2, 0.4, 1, 0]]], "objects": [[[1, 1]], [], [[2, 3]]]}
    expected = average_precision(rows["matches"], rows["objects"])
    pd.DataFrame(rows).to_parquet(tmp_path / "rows.parquet")
    read = pd.read_parquet(tmp_path / "rows.parquet")
    found = average_precision([*read["matches"]], [*read["objects"]])
    np.testing.assert_array_equal(found.precision, expected.precision)
    np.testing.assert_array_equal(found.category_ids, expected.category_ids)


@given(arrays(bool, (10, 5)))
@settings(max_examples=50, deadline=None)
def test_bits_are_the_thresholds(flags):
    bits = as_bits(flags)
    assert [[bool(number >> t & 1) for number in bits.tolist()] for t in range(10)] == flags.tolist()


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9]), st.booleans()), max_size=12), st.integers(1, 15))
@settings(max_examples=100, deadline=None)
def test_scores_count_by_their_order_alone(detections, objects):
    objects = max(objects, sum(right for _, right in detections))
    rows = sorted(([1, score, ALL * right, 0] for score, right in detections), key=lambda row: -row[1])
    squeezed = [[category, score**3 / 10, *flags] for category, score, *flags in rows]
    found, other = (average_precision([some], [[[1, objects]]]).precision for some in (rows, squeezed))
    np.testing.assert_array_equal(found, other)
    assert 0 <= found[0, 0] <= 1
