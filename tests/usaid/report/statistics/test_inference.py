"""Tests and intervals against R's published examples, Table X's printed p-values, and cases worked by hand."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from usaid.report.statistics.estimates import Estimate, Over
from usaid.report.statistics.inference import (
    MOST_UNITS,
    _p_by_parts,
    from_bootstrap,
    hierarchical,
    holm,
    paired,
    score,
    two_sample_p_from_moments,
    units_needed,
    unpaired,
)
from usaid.report.statistics.resampling import bootstrap_values

SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
"""R's data set ``sleep``: extra hours of sleep of ten patients with either of two drugs (Student 1908)."""


def interval(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def mean_of(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Weights of n images -> their weighted mean."""
    return lambda weights: weights @ values / weights.sum(axis=1)


def assert_not_testable(estimate: Estimate, reason: str) -> None:
    """It says why, and has no number that could be taken for one; its value is finite or NaN."""
    assert estimate.not_testable == reason
    assert (estimate.low, estimate.high, estimate.p, estimate.error, estimate.df) == (None,) * 5
    assert not math.isinf(estimate.value)


# ------------------------------------------------------------------------------------------------------------- t-tests


def test_the_paired_t_test_is_that_of_r_s_sleep_example() -> None:
    """R: t = -4.0621, df = 9, p-value = 0.002833, interval -2.4598858 -0.7001142, mean of the differences -1.58."""
    found = paired(SLEEP_1 - SLEEP_2, "draws")
    assert found.value == pytest.approx(-1.58)
    assert found.value / found.error == pytest.approx(-4.0621, abs=5e-5)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert interval(found) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert (found.df, found.units, found.test, found.over) == (9, {"draws": 10}, "paired t-test", "draws")


def test_the_two_sample_t_test_is_that_of_r_s_sleep_example_with_equal_variances() -> None:
    """R: t = -1.8608, df = 18, p-value = 0.07919, interval -3.363874 0.203874."""
    found = unpaired(SLEEP_1, SLEEP_2, "draws")
    assert found.value / found.error == pytest.approx(-1.8608, abs=5e-5)
    assert found.p == pytest.approx(0.07919, abs=5e-6)
    assert interval(found) == pytest.approx((-3.363874, 0.203874), abs=5e-7)
    assert (found.df, found.units, found.test) == (18, {"draws": 10}, "two-sample t-test")


def test_a_score_has_the_interval_of_student_s_t_and_no_p_value() -> None:
    """1, 2, 3: mean 2, standard error 1 / sqrt(3), and the tabulated t(0.975, 2) = 4.3027."""
    found = score([1, 2, 3], "images")
    assert interval(found) == pytest.approx((2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), abs=1e-4)
    assert (found.p, found.df, found.units, found.test) == (None, 2, {"images": 3}, "Student's t")


def test_two_differences_are_enough_for_a_t_test() -> None:
    """1 and 3: mean 2, standard error 1; with one degree of freedom p = 1 - 2 atan(2) / pi, and t(0.975) = 12.706."""
    found = paired([1, 3], "seeds")
    assert (found.value, found.error, found.df) == (2, 1, 1)
    assert found.p == pytest.approx(1 - 2 * math.atan(2) / math.pi)
    assert interval(found) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)


def test_a_scale_is_a_change_of_unit() -> None:
    fraction, percent = paired(SLEEP_1 - SLEEP_2, "images"), paired(SLEEP_1 - SLEEP_2, "images", scale=100)
    for name in ("value", "low", "high", "error"):
        assert getattr(percent, name) == pytest.approx(100 * getattr(fraction, name))
    assert (percent.p, percent.df) == (fraction.p, fraction.df)


def test_samples_of_two_sizes_are_pooled() -> None:
    """1, 3 and 0, 3, 6: variances 2 and 9, pooled (1 * 2 + 2 * 9) / 3; error sqrt(20 / 3 * (1 / 2 + 1 / 3))."""
    found = unpaired([1, 3], [0, 3, 6], "draws")
    assert (found.value, found.df, found.units) == (-1, 3, {"draws": 2})
    assert found.error == pytest.approx(math.sqrt(20 / 3 * 5 / 6))
    assert found.p == pytest.approx(stats.ttest_ind([1, 3], [0, 3, 6]).pvalue)


def test_a_p_value_from_moments_is_that_of_the_sample() -> None:
    moments = [x for sample in (SLEEP_1, SLEEP_2) for x in (sample.mean(), sample.var(ddof=1), len(sample))]
    assert two_sample_p_from_moments(*moments) == pytest.approx(0.07919, abs=5e-6)


@pytest.mark.parametrize(
    ("first", "second", "recomputed", "tolerance"),
    [
        ((0.4035, 3.15e-6), (0.3946, 3.30e-6), 1.80e-9, 0.005e-9),  # VOC mIoU, U-SAID and CDnCNN-B: printed 1.7305e-9
        ((0.4035, 3.15e-6), (0.4019, 3.98e-6), 0.0743, 0.00005),  # U-SAID and S-SAID: printed 0.0744
        ((2.62, 6.00e-4), (2.87, 1.74e-4), 2.1e-16, 0.05e-16),  # Kodak NIQE: 2.6638e-16
        ((2.60, 1.78e-4), (2.62, 6.00e-4), 0.036, 0.0005),  # 6.7845e-3; its rounding allows 0.003 to 0.27
        ((58.47, 0.02), (56.89, 0.03), 1.4e-14, 0.05e-14),  # CIFAR-100 top-1: 3.6147e-14
        ((58.47, 0.02), (57.82, 0.06), 9.4e-7, 0.05e-7),  # 1.3486e-6
        ((83.91, 0.06), (82.89, 0.02), 1.1e-9, 0.05e-9),  # top-5: 1.3982e-9
        ((83.91, 0.06), (83.57, 0.05), 4.5e-3, 0.05e-3),  # 4.3994e-3
    ],
)
def test_p_values_from_table_10_s_printed_moments_are_those_of_protocol_section_5(
    first: tuple[float, float], second: tuple[float, float], recomputed: float, tolerance: float
) -> None:
    (mean, variance), (other_mean, other_variance) = first, second
    p = two_sample_p_from_moments(mean, variance, 10, other_mean, other_variance, 10)
    assert p == pytest.approx(recomputed, abs=tolerance)


# ----------------------------------------------------------------------------------------------- degenerate samples


@pytest.mark.parametrize("of_mean", [paired, score])
@pytest.mark.parametrize(
    ("values", "over", "reason"),
    [
        ([], "images", "no images"),
        ([0.5], "images", "one image"),
        ([0.5], "draws", "one draw"),
        ([0.5], "seeds", "one seed"),
        ([0.5, math.nan, 1], "images", "a score is missing"),
        ([0.5, math.inf, 1], "images", "a score is infinite"),
        ([math.inf, -math.inf], "images", "a score is infinite"),
        ([1.7e308, 1e300], "images", "the scores are too large"),
    ],
)
def test_what_no_test_can_be_made_of_says_why(of_mean: Callable, values: list[float], over: Over, reason: str) -> None:
    assert_not_testable(of_mean(values, over), reason)


def test_equal_values_are_not_testable_in_words_of_what_they_are() -> None:
    assert_not_testable(paired([0.1, 0.1, 0.1], "images"), "all differences are equal")
    assert_not_testable(paired([0.0, 0.0], "images"), "no image differs")
    assert_not_testable(paired([0.0, -0.0], "seeds"), "no seed differs")
    assert_not_testable(score([30.0, 30.0], "images"), "all scores are equal")
    assert_not_testable(score([0.0, 0.0], "images"), "all scores are equal")
    assert paired([0.1, 0.1], "images").value == 0.1


def test_differences_that_are_equal_but_for_rounding_are_equal() -> None:
    """Otherwise 0.1 dB on each of 24 images would differ from 0 with p = 1e-300."""
    scores = np.linspace(1, 100, 24)
    differences = (scores + 0.1) - scores
    assert np.ptp(differences) > 0
    assert_not_testable(paired(differences, "images"), "all differences are equal")
    assert paired(differences + 1e-6 * np.arange(24), "images").not_testable is None


@pytest.mark.filterwarnings("error")
def test_a_two_sample_test_needs_two_of_each_and_one_sample_that_varies() -> None:
    assert_not_testable(unpaired([1.0], [1.0, 2.0], "draws"), "one draw")
    assert_not_testable(unpaired([1.0, 2.0], [], "draws"), "no draws")
    assert_not_testable(unpaired([1.0, 2.0], [1.0, math.nan], "draws"), "a score is missing")
    assert_not_testable(unpaired([2.0, 2.0], [1.0, 1.0], "draws"), "no draw changes a score")
    assert unpaired([2.0, 2.0], [1.0, 1.0], "draws").value == 1
    assert unpaired([2.0, 2.0], [1.0, 1.5], "draws").not_testable is None


@pytest.mark.filterwarnings("ignore:overflow")  # of the standard error that scipy's bootstrap makes, which nobody reads
@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_tiny_and_huge_scores_have_the_p_value_of_the_same_scores_in_another_unit(size: float) -> None:
    """Their squares are beyond float64."""
    usual, differences = paired(SLEEP_1 - SLEEP_2, "images"), (SLEEP_1 - SLEEP_2) * size
    found = paired(differences, "images")
    assert found.p == pytest.approx(usual.p)
    assert interval(found) == pytest.approx(tuple(end * size for end in interval(usual)), rel=1e-9, abs=0)
    assert unpaired(SLEEP_1 * size, SLEEP_2 * size, "draws").p == pytest.approx(0.07919, abs=5e-6)
    resampled = bootstrap_values([mean_of(differences)], 10, 200)[1][0]
    assert from_bootstrap(found.value, resampled, 10, "images").error == pytest.approx(found.error, rel=0.2, abs=0)
    of_seeds = hierarchical(differences[:, None], np.full(200, found.value), 1)
    assert of_seeds.error == pytest.approx(found.error, rel=1e-9, abs=0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=30))
def test_the_interval_leaves_0_out_where_p_is_below_5_percent_and_a_swap_changes_signs(
    values: list[float],
) -> None:
    found, swapped = paired(values, "images"), paired([-value for value in values], "images")
    assert found.not_testable == swapped.not_testable
    if found.p is not None and abs(found.p - 0.05) > 1e-9:
        low, high = interval(found)
        assert (found.p < 0.05) == (not low <= 0 <= high)
        assert (swapped.low, swapped.high, swapped.p) == (-high, -low, found.p)


# ---------------------------------------------------------------------------------------------------------- bootstrap


def test_the_bootstrap_of_a_mean_is_close_to_student_s_t() -> None:
    sample = np.random.default_rng(0).gamma(4, 1, 40)
    (value,), (resampled,) = bootstrap_values([mean_of(sample)], 40)
    found, expected = from_bootstrap(value, resampled, 40, "images"), score(sample, "images")
    assert found.value == pytest.approx(expected.value)
    assert found.error == pytest.approx(expected.error, rel=0.02)
    assert interval(found) == pytest.approx(interval(expected), abs=0.02)
    assert (found.df, found.p, found.units, found.test) == (39, None, {"images": 40}, "bootstrap")


def test_a_bootstrap_carries_the_p_value_of_its_test() -> None:
    found = from_bootstrap(0.5, np.array([0.4, 0.6, 0.5]), 3, "images", 0.03, "permutation test")
    assert (found.p, found.test) == (0.03, "permutation test")
    assert found.error == pytest.approx(0.1 * math.sqrt(3 / 2))


def test_resamples_that_say_nothing_are_not_testable() -> None:
    some = np.array([0.1, 0.2, 0.3])
    assert_not_testable(from_bootstrap(0.2, some, 1, "images"), "one image")
    assert_not_testable(from_bootstrap(0.2, some, 0, "images"), "no images")
    assert_not_testable(from_bootstrap(0.2, np.array([0.1, math.nan, 0.3]), 3, "images"), "a resample has no score")
    assert_not_testable(from_bootstrap(math.inf, some, 3, "images"), "a resample has no score")
    assert_not_testable(from_bootstrap(0.2, np.full(3, 0.2), 3, "images"), "all resamples are equal")
    assert_not_testable(from_bootstrap(0.0, np.zeros(3), 3, "images"), "all resamples are equal")
    assert_not_testable(from_bootstrap(0.0, np.zeros(3), 3, "images", 1.0, "permutation test"), "no image differs")


# ----------------------------------------------------------------------------------------------- hierarchical bootstrap


def spread(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_seeds_alone_are_a_paired_t_test_over_seeds() -> None:
    """Images all give the same difference: whatever is resampled of them."""
    by_seed = spread(0.1, 0.3, 0.5, 0.2)
    found, expected = hierarchical(by_seed[:, None], np.full(100, by_seed.mean()), 24), paired(by_seed, "seeds")
    assert found.p == pytest.approx(expected.p)
    assert found.df == pytest.approx(3)
    assert interval(found) == pytest.approx(interval(expected))
    assert found.units == {"seeds": 4, "images": 24, "draws": 1}
    assert (found.over, found.test) == ("all", "hierarchical bootstrap")


def test_images_alone_are_the_bootstrap_over_images() -> None:
    sample = np.random.default_rng(0).normal(0.2, 1, 24)
    (value,), (resampled,) = bootstrap_values([mean_of(sample)], 24)
    found, expected = (
        hierarchical(spread(value)[:, None], resampled, 24),
        from_bootstrap(value, resampled, 24, "images"),
    )
    assert found.df == pytest.approx(23)
    assert interval(found) == pytest.approx(interval(expected))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(value) / expected.error, 23))


def test_variances_of_seeds_images_and_draws_add_up() -> None:
    """Seed means 1 and 3: s**2 / n = 1. Draw means 1, 2, 3: 1 / 3. Resamples +-1: variance near 1, times 5 / 4.

    Half width: Student's t with 1, 4 and 2 degrees of freedom, 12.7062, 2.7764 and 4.3027.
    """
    observed = np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]])
    resampled = np.tile([1.0, 3.0], 5000)
    found = hierarchical(observed, resampled, 5)
    assert found.value == 2
    assert found.error == pytest.approx(math.sqrt(1 + 1 / 3 + 5 / 4), rel=1e-4)
    half = math.sqrt(12.7062**2 + 4.3027**2 / 3 + 2.7764**2 * 5 / 4)
    assert interval(found) == pytest.approx((2 - half, 2 + half), rel=1e-4)
    assert found.df is not None
    assert 1 < found.df < 2


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.floats(0, 10), st.integers(2, 6), st.integers(2, 300))
def test_the_hierarchical_p_value_and_interval_agree(a: float, b: float, mean: float, seeds: int, images: int) -> None:
    """p is below 5 % where the interval leaves 0 out; and ``df`` lie between those of the sources."""
    by_seed = mean + a * np.linspace(-1, 1, seeds)
    found = hierarchical(by_seed[:, None], mean + b * np.tile([-1.0, 1.0], 50), images)
    assert found.p is not None
    low, _ = interval(found)
    if abs(found.p - 0.05) > 1e-9:
        assert (found.p < 0.05) == (low > 0)
    assert min(seeds, images) - 1 <= found.df <= max(seeds, images) - 1
    assert 0 <= found.p <= 1


@pytest.mark.parametrize("distance", [0.1, 0.9, 4.0, 30.0])
def test_the_hierarchical_p_value_is_the_level_at_which_its_interval_would_end_at_0(distance: float) -> None:
    """Found by our bisection, and by scipy's root of the same condition."""
    parts = [(0.04, 2), (0.3, 23), (0.01, 9)]

    def beyond(p: float) -> float:
        return sum(variance * stats.t.isf(p / 2, df) ** 2 for variance, df in parts) - distance**2

    expected = optimize.brentq(beyond, 1e-9, 1, xtol=1e-15, rtol=1e-14)
    assert _p_by_parts(distance, parts) == pytest.approx(expected, rel=1e-9)


def test_a_score_over_all_has_no_p_value() -> None:
    assert hierarchical(spread(1, 2)[:, None], spread(1, 2), 2, is_score=True).p is None


def test_over_all_says_why_it_is_not_testable() -> None:
    one = np.array([[0.5]])
    assert_not_testable(hierarchical(one, np.full(9, 0.5), 1), "one image")
    assert_not_testable(hierarchical(np.full((2, 3), 0.5), np.full(9, 0.5), 4), "all differences are equal")
    assert_not_testable(hierarchical(np.zeros((2, 3)), np.zeros(9), 4), "all differences are equal")
    assert_not_testable(hierarchical(np.ones((2, 3)), np.ones(9), 4, is_score=True), "all scores are equal")
    assert_not_testable(hierarchical(one, spread(0.5, math.nan), 4), "a score is missing or infinite")
    assert_not_testable(hierarchical(spread(1, math.inf)[:, None], spread(1, 1), 4), "a score is missing or infinite")


# ------------------------------------------------------------------------------------------------------------- families


def test_holm_is_that_of_r_s_p_adjust() -> None:
    """p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")."""
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


def test_holm_by_hand_in_any_order() -> None:
    """Sorted .005, .01, .03, .04: times 4, 3, 2, 1 are .02, .03, .06, .04; the last is not below the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_what_is_not_testable_does_not_count_in_a_family() -> None:
    assert holm([None, 0.02, None, 0.03]) == [None, 0.04, None, 0.04]
    assert holm([None, None]) == [None, None]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_rejects_what_holm_s_procedure_rejects(p_values: list[float]) -> None:
    """Step down from the smallest while p is below 5 % over the number of those that are left."""
    corrected = holm(p_values)
    assert all(p <= own <= 1 for p, own in zip(p_values, corrected, strict=True))
    for (p, own), (q, other) in combinations(zip(p_values, corrected, strict=True), 2):
        assert (p < q) <= (own <= other)
        assert (p == q) <= (own == other)
    rejected = 0
    for left, p in zip(range(len(p_values), 0, -1), sorted(p_values), strict=True):
        if Fraction(p) * left >= Fraction(0.05):
            break
        rejected += 1
    near = any(abs(p * left - 0.05) < 1e-12 for p in p_values for left in range(1, len(p_values) + 1))
    assert near or sum(own < 0.05 for own in corrected) == rejected


# ----------------------------------------------------------------------------------------------------------- how many


@pytest.mark.parametrize(
    ("effect", "spread_of_one", "power", "published"),
    [
        (10, 10 * math.sqrt(2), 0.85, 19.96892),  # P. Dalgaard, Introductory Statistics with R, section 9.3 (paired)
        (0.5, 1, 0.8, 33.36713),  # pwr.t.test(d = 0.5, power = 0.8, type = "paired")
        (0.2, 1, 0.8, 198.1508),
        (0.8, 1, 0.8, 14.30276),
    ],
)
def test_units_needed_are_those_of_r_rounded_up(
    effect: float, spread_of_one: float, power: float, published: float
) -> None:
    assert units_needed(effect, spread_of_one / math.sqrt(7), 7, power) == math.ceil(published)
    assert units_needed(-effect, spread_of_one / math.sqrt(24), 24, power) == math.ceil(published)


@pytest.mark.parametrize("level", [0.001, 0.01, 0.05, 0.1])
def test_the_units_needed_are_those_of_the_power_at_their_level(level: float) -> None:
    n = units_needed(0.5, 1 / math.sqrt(10), 10, level=level)
    assert n is not None
    powers = [
        stats.nct.sf(stats.t.isf(level / 2, units - 1), units - 1, 0.5 * math.sqrt(units)) for units in (n - 1, n)
    ]
    assert powers[0] < 0.8 <= powers[1]


def test_the_units_needed_find_the_effect_with_80_percent_power_and_one_less_does_not() -> None:
    n = units_needed(0.4, 1 / math.sqrt(10), 10)
    assert n is not None
    differences = np.random.default_rng(0).normal(0.4, 1, (20_000, n))
    found = stats.ttest_1samp(differences, 0, axis=1)
    assert np.mean((found.pvalue < 0.05) & (found.statistic > 0)) == pytest.approx(0.8, abs=0.015)
    least = stats.t.ppf(0.975, [n - 2, n - 1])
    power = stats.nct.sf(least, [n - 2, n - 1], 0.4 * np.sqrt([n - 1, n]))
    assert power[0] < 0.8 <= power[1]


def test_units_needed_have_a_least_and_a_most() -> None:
    assert units_needed(1, 0, 10) == 2
    assert units_needed(1e300, 1e-300, 10) == 2
    assert units_needed(1e-9, 1, 10) == MOST_UNITS
    assert units_needed(1e-300, 1e300, 10) == MOST_UNITS
    # (1.96 + 0.84)**2 = 7.849 standard deviations squared: just below a million, and just above it
    size = math.sqrt(7.849 / 999_000)
    assert 990_000 < units_needed(size, 1, 1) < MOST_UNITS
    assert units_needed(size / 1.01, 1, 1) == MOST_UNITS


@pytest.mark.parametrize(("effect", "error"), [(0, 1), (math.nan, 1), (1, math.nan), (math.inf, 1)])
def test_where_there_is_no_effect_no_number_of_units_finds_it(effect: float, error: float) -> None:
    assert units_needed(effect, error, 10) is None
