"""Tails and quantiles of Student's t and chi-squared; scipy waits until one of them is asked for."""

from typing import Any

import numpy as np

Numbers = Any
"""float, or a float64 array of them."""

_LARGEST_SHIFT = 1e4


def t_tail(t: Numbers, df: Numbers) -> Numbers:
    """The chance that Student's t with ``df`` degrees of freedom is above ``t``."""
    from scipy.special import stdtr

    return stdtr(df, np.negative(t))


def t_quantile(probability: Numbers, df: Numbers) -> Numbers:
    """What Student's t with ``df`` degrees of freedom is below with this probability."""
    from scipy.special import stdtrit

    return stdtrit(df, probability)


def t_df(probability: float, quantile: float) -> float:
    """The degrees of freedom with which :func:`t_quantile` is this quantile."""
    from scipy.special import stdtridf

    return float(stdtridf(probability, quantile))


def noncentral_t_tail(t: float, df: float, shift: float) -> float:
    """The chance that the noncentral t is above ``t`` > 0.

    For a ``shift`` beyond 10,000 its series do not converge. Its normal part has no weight beside it then: the chance
    is that of chi-squared alone, to 1e-6.
    """
    from scipy.special import chdtr, nctdtr

    if shift > _LARGEST_SHIFT:
        return float(chdtr(df, df * (shift / t) ** 2))
    return 1 - float(nctdtr(df, shift, t))


def chi2_upper_quantile(probability: Numbers, df: float) -> Numbers:
    """What chi-squared with ``df`` degrees of freedom is above with this probability."""
    from scipy.special import chdtri

    return chdtri(df, probability)
