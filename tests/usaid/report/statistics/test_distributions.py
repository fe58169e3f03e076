"""Tails and quantiles against scipy.stats, whose import they save."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from usaid.report.statistics.distributions import chi2_upper_quantile, noncentral_t_tail, t_df, t_quantile, t_tail

DF = [1, 2, 9, 23, 1_448]


@pytest.mark.parametrize("df", DF)
def test_they_are_those_of_scipy_stats(df):
    t, p = np.array([-3.0, 0.0, 0.5, 2.2, 40.0]), np.array([1e-9, 0.025, 0.5, 0.975])
    assert (t_tail(t, df) == stats.t.sf(t, df)).all()
    assert (t_quantile(p, df) == stats.t.ppf(p, df)).all()
    assert (chi2_upper_quantile(p, df) == stats.chi2.isf(p, df)).all()
    assert t_df(0.975, float(t_quantile(0.975, df))) == pytest.approx(df, rel=1e-6)


@given(df=st.integers(1, 10_000), shift=st.floats(0, 9_999), level=st.floats(1e-6, 0.5))
def test_the_noncentral_t_is_that_of_scipy_stats(df, shift, level):
    least = float(stats.t.ppf(1 - level / 2, df))
    assert noncentral_t_tail(least, df, shift) == pytest.approx(float(stats.nct.sf(least, df, shift)), abs=1e-12)


@pytest.mark.parametrize("df", [1, 2, 50])
def test_for_large_shifts_it_goes_on_as_it_was(df):
    """The two ways to compute it meet: at the largest shift of the one, and just beyond it."""
    least = 1e4 * np.array([0.5, 0.9, 1.0, 1.2, 3.0])
    below, beyond = ([noncentral_t_tail(t, df, shift) for t in least] for shift in (1e4, 1e4 * (1 + 1e-12)))
    assert below == pytest.approx(beyond, abs=1e-6)
    assert beyond == sorted(beyond, reverse=True)


def test_of_one_unit_the_noncentral_t_far_away_is_a_ratio_of_two_normals():
    """df = 1: the chance that a half-normal is below shift / t."""
    assert noncentral_t_tail(5e5, 1, 4e5) == pytest.approx(math.erf(0.8 / math.sqrt(2)), abs=1e-6)
