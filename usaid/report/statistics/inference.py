"""Tests and intervals: numbers in, :class:`Estimate` out. It knows t-tests and Holm, but no score file."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from usaid.report.statistics.distributions import noncentral_t_tail, t_df, t_quantile, t_tail
from usaid.report.statistics.estimates import CONFIDENCE, LEVEL, Estimate, Over

MOST_UNITS = 1_000_000
"""Where :func:`units_needed` stops counting."""

# A spread below this fraction of the values is what rounding leaves of equal ones: scores of about 30 are rounded by
# 4e-15, which is 4e-10 of a difference of 1e-5.
_ROUNDING = 1e-9

# Of an effect, in standard deviations: two units find it.
_LARGEST_SIZE = 1e6

_QUANTILE = (1 + CONFIDENCE) / 2
_UNIT_OF: Mapping[str, str] = {"draws": "draw", "images": "image", "seeds": "seed", "all": "unit"}


def score(values: Sequence[float] | np.ndarray, over: Over, scale: float = 1.0) -> Estimate:
    """The mean of one score a unit, with the interval of Student's t; it has no p-value.

    Args:
        values: (n,): the score of each image, draw or seed.
        over: what the units are.
        scale: factor from the values to the unit that is reported: 100 for percent.

    Returns:
        the estimate; not testable: fewer than two units, all scores are equal, one is missing (NaN) or infinite.
    """
    return _of_mean(values, over, scale, is_score=True)


def paired(differences: Sequence[float] | np.ndarray, over: Over, scale: float = 1.0) -> Estimate:
    """The mean of one difference a unit, with the two-sided paired t-test (:func:`scipy.stats.ttest_rel`).

    Args:
        differences: (n,): denoiser minus other on the same image, draw or seed.
        over: what the units are.
        scale: factor from the differences to the unit that is reported: 100 for percent.

    Returns:
        the estimate; not testable: fewer than two units, all differences are equal, one is missing (NaN) or infinite.
    """
    return _of_mean(differences, over, scale, is_score=False)


def unpaired(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, over: Over) -> Estimate:
    """The difference of two means, with the pooled two-sample t-test of the paper's Table X (PROTOCOL section 5).

    Two-sided, equal variances (as :func:`scipy.stats.ttest_ind`).

    Args:
        first: (n,): the denoiser's score of each draw.
        second: (m,): the other's, not paired with them.
        over: what was drawn.

    Returns:
        the estimate of first minus second, whose ``units`` are those of the smaller sample; not testable: fewer than
        two units in one, no score varies within either, one is missing (NaN) or infinite.
    """
    n, m = len(first), len(second)
    sample, unit = _scaled([*first, *second])
    one, other = sample[:n], sample[n:]
    reason = _why_not(one, over) or _why_not(other, over)
    if reason is None and _is_constant(one) and _is_constant(other):
        reason = f"no {_UNIT_OF[over]} changes a score"
    test, units = "two-sample t-test", {str(over): min(n, m)}
    value = (_mean(one) - _mean(other)) * unit
    if reason is not None:
        return _not_testable(over, test, units, value, reason)
    variance, other_variance = float(one.var(ddof=1)), float(other.var(ddof=1))
    pooled = ((n - 1) * variance + (m - 1) * other_variance) / (n + m - 2)
    error = math.sqrt(pooled * (1 / n + 1 / m)) * unit
    p = two_sample_p_from_moments(_mean(one), variance, n, _mean(other), other_variance, m)
    return _by_t(over, test, units, value, error, n + m - 2, p)


def two_sample_p_from_moments(
    mean: float, variance: float, n: int, other_mean: float, other_variance: float, other_n: int
) -> float:
    """p-value of :func:`unpaired`'s test from what Table X prints: means and variances (n - 1 in the denominator).

    Args:
        mean: of the first sample.
        variance: of the first sample, in the square of the mean's unit; one of the two variances is above 0.
        n: its size.
        other_mean: of the second sample.
        other_variance: of the second sample.
        other_n: its size.
    """
    df = n + other_n - 2
    pooled = ((n - 1) * variance + (other_n - 1) * other_variance) / df
    t = abs(mean - other_mean) / math.sqrt(pooled * (1 / n + 1 / other_n))
    return float(2 * t_tail(t, df))


def from_bootstrap(
    value: float, resampled: np.ndarray, n: int, over: Over, p: float | None = None, test: str = "bootstrap"
) -> Estimate:
    """A score or difference with the interval that its resamples give: Student's t with the bootstrap standard error.

    The standard error is the standard deviation of the resamples times sqrt(n / (n - 1)): resamples vary about the n
    units, and these are nearer to their own mean than to the true one.

    Why this interval: in ``benchmarks/coverage_of_intervals.py`` it holds the true mIoU, AP or difference of them in 93
    to 97 % of samples of 80 or 300 images with 3 to 8 classes. With rare ones, 21 in 80 images or 80 in 177, it holds a
    difference in 92 to 93 %, a score in 86 to 91 %. BCa and percentile intervals are further off for few images. With
    24 images and 8 classes it holds it in 91 %, BCa in 87 to 89 %, the percentile interval in 82 % for a score:
    resamples then often lack a class, and vary too little. Of so few images mIoU is also another number than of many,
    and the interval speaks of other sets of n images.

    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, sections 6.2 and 12.4; T. Hesterberg, "What
    Teachers Should Know About the Bootstrap", The American Statistician 69, 2015.

    Args:
        value: of the n units themselves.
        resampled: (B,), of resamples of the n units.
        n: number of units.
        over: what the units are.
        p: two-sided p-value of a difference, by :func:`usaid.report.statistics.resampling.permutation_p`; None: it has
            none.
        test: what gave ``p``.

    Returns:
        the estimate; not testable: fewer than two units, all resamples are equal, one has no finite score.
    """
    units = {str(over): n}
    sample, unit = _scaled(resampled)
    reason = _few(n, over)
    if reason is None and not (np.isfinite(sample).all() and math.isfinite(value)):
        reason = "a resample has no score"
    if reason is None and _is_constant(sample):
        reason = f"no {_UNIT_OF[over]} differs" if p is not None and value == 0 else "all resamples are equal"
    if reason is not None:
        return _not_testable(over, test, units, value, reason)
    error = float(sample.std(ddof=1)) * math.sqrt(n / (n - 1)) * unit
    return _by_t(over, test, units, value, error, n - 1, p)


def hierarchical(observed: np.ndarray, resampled: np.ndarray, n_images: int, is_score: bool = False) -> Estimate:
    """A score or difference over training seeds, images and noise draws together, crossed: all see the same images.

    Each source is resampled alone, and the variances add up. Of seeds and draws, over which the score is a mean, the
    bootstrap's variance is known without resampling: s**2 / n. (Resampling all at once would count twice more what
    seeds, images and draws do only together: A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007.
    Here it is counted once too often, so that the error is too large rather than too small.)

    Three seeds know their variance badly, and a percentile interval of three numbers covers far too little. The half
    width is the root of the sum of (t_l * error_l)**2, where t_l is Student's t with n_l - 1 degrees of freedom: it
    covers at least 95 % whatever the shares of the sources (S. Banerjee, Sankhya 22, 1960). The p-value is the level
    at which this interval would end at 0, ``df`` are those at which Student's t gives this half width. Satterthwaite's
    degrees of freedom covered as little as 90 % with two seeds, in a simulation.

    Args:
        observed: (S, D): the score, or difference, of every seed and draw.
        resampled: (B,): its mean over seeds and draws for resampled images, by
            :func:`usaid.report.statistics.resampling.bootstrap_values`.
        n_images: N.
        is_score: it is a score and no difference, and gets no p-value.

    Returns:
        the estimate over ``"all"``. A source of one unit is not resampled, and ``units`` says so. Not testable: one
        unit of each, all of them give the same, a score is missing (NaN) or infinite.
    """
    (n_seeds, n_draws), test = observed.shape, "hierarchical bootstrap"
    units = {"seeds": n_seeds, "images": n_images, "draws": n_draws}
    both, unit = _scaled([*np.ravel(observed), *resampled])
    scaled, of_images = both[: observed.size].reshape(observed.shape), both[observed.size :]
    value = _mean(scaled.ravel()) * unit
    if not np.isfinite(both).all():
        return _not_testable("all", test, units, value, "a score is missing or infinite")
    if max(units.values()) == 1:
        return _not_testable("all", test, units, value, "one image")
    correction = n_images / (n_images - 1) if n_images > 1 else 0.0
    variances = {
        "seeds": _variance_of_mean(scaled.mean(axis=1)),
        "images": 0.0 if _is_constant(of_images) else float(of_images.var(ddof=1)) * correction,
        "draws": _variance_of_mean(scaled.mean(axis=0)),
    }
    parts = [(variance, units[source] - 1) for source, variance in variances.items() if variance]
    if not parts:
        equal = f"all {'scores' if is_score else 'differences'} are equal"
        return _not_testable("all", test, units, value, equal)
    error, df = _sum_of_errors(parts)
    p = None if is_score else _p_by_parts(abs(value) / unit, parts)
    return _by_t("all", test, units, value, error * unit, df, p)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number: where nothing differs, the chance that any is below 5 % stays 5 %.

    The k-th smallest of m is multiplied by m - k + 1; none is below one that was smaller, and none above 1. None stays
    None, and does not count.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for smaller, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - smaller) * p))
        corrected[index] = largest
    return corrected


def units_needed(effect: float, error: float, n: int, power: float = 0.8, level: float = LEVEL) -> int | None:
    """How many units a two-sided paired t-test needs to find an effect of this size, in its own direction.

    By the noncentral t-distribution, as R's ``power.t.test(type = "paired")``, rounded up. The spread of one unit is
    taken to be error * sqrt(n).

    Args:
        effect: the difference to be found.
        error: standard error of a difference with ``n`` units.
        n: number of units that gave it.
        power: chance to find it, in (0, 1).
        level: below which a p-value finds something, in (0, 1).

    Returns:
        2 to :data:`MOST_UNITS`, which says "this many or more"; None: the effect is 0, or one of them not finite.
    """
    if effect == 0 or not (math.isfinite(effect) and math.isfinite(error)):
        return None
    spread = error * math.sqrt(n)
    size = min(abs(effect) / spread, _LARGEST_SIZE) if spread else _LARGEST_SIZE

    def finds(units: int) -> bool:
        least = float(t_quantile(1 - level / 2, units - 1))
        return noncentral_t_tail(least, units - 1, size * math.sqrt(units)) >= power

    too_few, enough = 1, 2
    while not finds(enough):
        if enough == MOST_UNITS:
            return MOST_UNITS
        too_few, enough = enough, min(2 * enough, MOST_UNITS)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if finds(middle) else (middle, enough)
    return enough


def _of_mean(values: Sequence[float] | np.ndarray, over: Over, scale: float, is_score: bool) -> Estimate:
    """Estimate of a mean of one number a unit: a score, or a difference with its paired t-test."""
    test, what = ("Student's t", "scores") if is_score else ("paired t-test", "differences")
    sample, unit = _scaled(values)
    units, value = {str(over): len(sample)}, _mean(sample) * unit * scale
    reason = _why_not(sample, over)
    if reason is None and _is_constant(sample):
        same = is_score or sample.any()
        reason = f"all {what} are equal" if same else f"no {_UNIT_OF[over]} differs"
    if reason is not None:
        return _not_testable(over, test, units, value, reason)
    n, sample_error = len(sample), float(sample.std(ddof=1)) / math.sqrt(len(sample))
    p = None if is_score else float(2 * t_tail(abs(_mean(sample)) / sample_error, n - 1))
    error = sample_error * unit * abs(scale)
    return _by_t(over, test, units, value, error, n - 1, p)


def _by_t(
    over: Over, test: str, units: Mapping[str, int], value: float, error: float, df: float, p: float | None
) -> Estimate:
    """The estimate with the interval of Student's t."""
    half = float(t_quantile(_QUANTILE, df)) * error
    if not math.isfinite(abs(value) + half):
        return _not_testable(over, test, units, value, "the scores are too large")
    return Estimate(over, test, units, value, value - half, value + half, p, error, df)


def _not_testable(over: Over, test: str, units: Mapping[str, int], value: float, reason: str) -> Estimate:
    return Estimate(over, test, units, value if math.isfinite(value) else math.nan, not_testable=reason)


def _sum_of_errors(parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Standard error of a sum of independent parts, each with variance and degrees of freedom; and its own of these."""
    variances, dfs = np.array(parts).T
    total = float(variances.sum())
    quantile = math.sqrt(variances @ t_quantile(_QUANTILE, dfs) ** 2 / total)
    return math.sqrt(total), float(np.clip(t_df(_QUANTILE, quantile), dfs.min(), dfs.max()))


def _p_by_parts(distance: float, parts: Sequence[tuple[float, int]]) -> float:
    """Two-sided p-value of a sum of independent parts being this far from 0: that at which Banerjee's interval ends."""
    variances, dfs = np.array(parts).T
    t = distance / math.sqrt(variances.sum())
    smallest, largest = (2 * float(t_tail(t, df)) for df in (dfs.max(), dfs.min()))

    def beyond(log_p: float) -> float:
        return float(variances @ t_quantile(math.exp(log_p) / 2, dfs) ** 2) - distance**2

    if smallest == 0 or beyond(math.log(largest)) >= 0:  # with one part, smallest and largest are the same
        return largest
    ends = math.log(smallest), math.log(largest)
    return math.exp(_root(beyond, *ends)) if beyond(ends[0]) > 0 else smallest


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is positive at ``low`` and negative at ``high`` is 0, to 1e-12, by bisection.

    scipy's is faster, but takes longer to import than all roots of a page.
    """
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def _variance_of_mean(values: np.ndarray) -> float:
    """Of n values (n,); 0 of equal ones, and of one, whose variance nobody knows."""
    return 0.0 if _is_constant(values) else float(values.var(ddof=1)) / len(values)


def _scaled(values: Sequence[float] | np.ndarray) -> tuple[np.ndarray, float]:
    """float64 (n,) near 1, and the power of two to multiply them by: squares of any scores then stay in range."""
    sample = np.asarray(values, dtype=np.float64)
    largest = float(np.abs(sample[np.isfinite(sample)]).max(initial=0.0))
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest else 1.0
    return sample / unit, unit


def _mean(sample: np.ndarray) -> float:
    """NaN of none, and of infinities of both signs."""
    with np.errstate(invalid="ignore"):
        return float(sample.mean()) if len(sample) else math.nan


def _is_constant(sample: np.ndarray) -> bool:
    return bool(np.ptp(sample) <= _ROUNDING * np.abs(sample).max())


def _why_not(sample: np.ndarray, over: Over) -> str | None:
    """Why there is nothing to test in a sample; None: there may be something."""
    if (few := _few(len(sample), over)) is not None:
        return few
    if np.isnan(sample).any():
        return "a score is missing"
    return "a score is infinite" if np.isinf(sample).any() else None


def _few(n: int, over: Over) -> str | None:
    """ "no images", "one image"; None: there are several."""
    return (f"no {_UNIT_OF[over]}s", f"one {_UNIT_OF[over]}", None)[min(n, 2)]
