"""Resamples and swaps against scipy.stats, whose import they save, and cases worked by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from usaid.report.statistics import resampling
from usaid.report.statistics.inference import paired
from usaid.report.statistics.resampling import bootstrap_values, least_p, permutation_p


def mean_of(values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Weights of n images -> their weighted mean."""
    return lambda weights: weights @ values / weights.sum(axis=1)


# ---------------------------------------------------------------------------------------------------------- bootstrap


@pytest.mark.parametrize("n", [2, 24, 321])
def test_the_resamples_are_those_of_scipy(n: int) -> None:
    sample = np.random.default_rng(n).normal(size=n)
    _, (resampled,) = bootstrap_values([mean_of(sample)], n, 700, seed=3)
    expected = stats.bootstrap(
        (sample,), np.mean, n_resamples=700, batch=50, method="percentile", random_state=np.random.default_rng(3)
    ).bootstrap_distribution
    assert resampled == pytest.approx(expected, abs=1e-14)


def test_resamples_of_two_images_are_the_four_equally_likely_ones() -> None:
    """Scores 0 and 1: both drawn twice, or each once in one order or the other: means 0, 1 / 2, 1 / 2, 1."""
    values, resampled = bootstrap_values([mean_of(np.array([0.0, 1.0]))], 2, 10_000)
    assert values.tolist() == [0.5]
    shares = [np.mean(resampled[0] == mean) for mean in (0, 0.5, 1)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert sum(shares) == 1


def test_all_scores_see_the_same_resamples() -> None:
    values = np.array([1.0, 5.0, 2.0, 7.0])
    scores = [mean_of(values), mean_of(values + 3), mean_of(2 * values)]
    of_images, (first, shifted, doubled) = bootstrap_values(scores, 4, 500)
    assert of_images.tolist() == [3.75, 6.75, 7.5]
    assert np.allclose(shifted - first, 3, rtol=0, atol=1e-12)
    assert np.allclose(doubled, 2 * first)
    assert len(np.unique(first)) > 10


def test_weights_say_how_often_each_image_was_drawn() -> None:
    seen = []

    def remember(weights: np.ndarray) -> np.ndarray:
        seen.append(weights)
        return weights[:, 0]

    bootstrap_values([remember], 7, 300)
    weights = np.concatenate(seen[1:])
    assert seen[0].tolist() == [[1] * 7]
    assert weights.shape == (300, 7)
    assert weights.dtype == np.float64
    assert (weights.sum(axis=1) == 7).all()
    assert (weights == np.round(weights)).all()
    assert abs(weights.mean(axis=0) - 1).max() < 0.2


@pytest.mark.parametrize("batch", [1, 1000, 1 << 16])
def test_neither_resamples_nor_permutations_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    differences = np.random.default_rng(1).normal(0.2, 1, 50)

    def both() -> tuple[np.ndarray, float | None]:
        p = permutation_p(lambda flags: np.where(flags, -differences, differences).mean(axis=1), 50, 101)
        return bootstrap_values([mean_of(differences)], 50, 101)[1], p

    resampled, p = both()
    monkeypatch.setattr(resampling, "_RESAMPLES_BATCH", batch)
    monkeypatch.setattr(resampling, "_PERMUTATIONS_BATCH", batch)
    in_batches, p_in_batches = both()
    assert np.allclose(in_batches, resampled, rtol=1e-12, atol=0)
    assert p_in_batches == p
    assert (bootstrap_values([mean_of(differences)], 50, 101, seed=1)[1] != resampled).any()


@pytest.mark.filterwarnings("error")
def test_one_image_is_not_resampled_and_undefined_scores_stay_undefined() -> None:
    values, resampled = bootstrap_values([mean_of(np.array([3.0]))], 1, 5)
    assert (values.tolist(), resampled.tolist()) == ([3], [[3] * 5])
    _, resampled = bootstrap_values([lambda weights: np.where(weights[:, 0] > 0, 1.0, math.nan)], 2, 400)
    assert np.isnan(resampled).mean() == pytest.approx(0.25, abs=0.07)


# --------------------------------------------------------------------------------------------------- permutation test


def mean_when_swapped(differences: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Swapping the two denoisers on an image turns the sign of its difference."""
    return lambda flags: np.where(flags, -differences, differences).mean(axis=1)


@pytest.mark.parametrize(
    "differences", [[-1.0, 2.0, 3.0, 0.5], [1.0, 1.0, -1.0], [*np.linspace(-1, 2, 60)], [0.5] * 20]
)
def test_the_p_value_is_that_of_scipy(differences: list[float]) -> None:
    sample = np.array(differences)
    expected = stats.permutation_test(
        (sample, np.zeros(len(sample))),
        lambda ours, theirs, axis: np.mean(ours - theirs, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=999,
        random_state=np.random.default_rng(5),
    ).pvalue
    assert permutation_p(mean_when_swapped(sample), len(sample), 999, seed=5) == expected


def test_the_permutation_test_of_few_images_counts_all_swaps() -> None:
    """1, 2, 3: of 8 swaps one gives a mean as large as 2, and one as small as -2: p = 2 / 8."""
    assert permutation_p(mean_when_swapped(np.array([1.0, 2.0, 3.0])), 3) == 0.25
    # -1, 2, 3: sums of +-1 +-2 +-3 that are at least 4: 4 and 6
    assert permutation_p(mean_when_swapped(np.array([-1.0, 2.0, 3.0])), 3) == 0.5
    # equal differences are ties, not extremes: 2 and 0, 0, -2
    assert permutation_p(mean_when_swapped(np.array([1.0, 1.0])), 2) == 0.5


@pytest.mark.parametrize("n", [1, 2, 5, 13, 14, 60])
def test_no_p_value_is_below_the_least_one(n):
    """Reached by the difference that every swap makes smaller."""
    assert permutation_p(lambda flags: (1 - 2.0 * flags).sum(axis=1), n) >= least_p(n) > 0
    assert least_p(n) == (2 / 2**n if n < 14 else 2 / 10_000)
    if n in (1, 2, 5, 13, 60):
        assert permutation_p(lambda flags: (1 - 2.0 * flags).sum(axis=1), n) == pytest.approx(least_p(n))


def test_the_permutation_test_is_wilcoxon_s_where_differences_are_ranks() -> None:
    """Signed-rank test, n = 8, exact, as tabulated: the sum of negative ranks 5 has p = 0.0781."""
    ranks = np.array([-5.0, 1, 2, 3, 4, 6, 7, 8])
    assert permutation_p(mean_when_swapped(ranks), 8) == pytest.approx(0.0781, abs=5e-5)
    assert permutation_p(mean_when_swapped(ranks), 8) == pytest.approx(stats.wilcoxon(ranks).pvalue)


def test_many_images_are_swapped_at_random() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1, 60)
    p = permutation_p(mean_when_swapped(differences), 60)
    assert p == pytest.approx(paired(differences, "images").p, abs=0.01)
    assert permutation_p(mean_when_swapped(np.ones(60)), 60) == pytest.approx(2 / 10_000)


def test_equal_denoisers_and_one_image_have_a_p_value_of_1() -> None:
    assert permutation_p(mean_when_swapped(np.zeros(5)), 5) == 1
    assert permutation_p(mean_when_swapped(np.zeros(50)), 50) == 1
    assert permutation_p(mean_when_swapped(np.array([3.0])), 1) == 1


def test_a_swap_without_a_score_leaves_no_p_value() -> None:
    """NaN is no larger than anything: p would come out small."""
    assert permutation_p(lambda flags: np.where(flags[:, 0], math.nan, 1.0), 5) is None
    assert permutation_p(lambda flags: np.where(flags.any(axis=1), 1.0, math.nan), 50) is None
