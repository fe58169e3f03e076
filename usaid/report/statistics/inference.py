"""Tests and intervals: numbers in, :class:`Estimate` out. It knows t-tests, resampling and Holm, but no score file."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import stdtridf

from usaid.report.statistics.estimates import CONFIDENCE, Estimate, Over

Scores = Callable[[np.ndarray], np.ndarray]
"""Weights (B, N) of N images, float64, at least 0 -> a score for each row (B,). A row need not add up to N."""

RESAMPLES = 10_000
PERMUTATIONS = 9_999
"""With the observed scores themselves they are 10,000: the smallest p-value is 2 / 10,000."""

MOST_UNITS = 1_000_000
"""Where :func:`units_needed` stops to count."""

# Resamples are made in batches of this many numbers, which stay in a processor's cache.
_BATCH = 1 << 18
# Spreads below this fraction of the values are rounding errors: of differences of two numbers that are not small.
_ROUNDING = 1e-9
_UNITS = {"draws": "draw", "images": "image", "seeds": "seed", "all": "unit"}


def score(values: Sequence[float] | np.ndarray, over: Over, scale: float = 1.0) -> Estimate:
    """The mean of one score a unit, with its interval of Student's t.

    Args:
        values: (n,): the score of each image, draw or seed.
        over: what the units are.
        scale: factor from the values to the unit that is reported: 100 for percent.

    Returns:
        The estimate, without a p-value; not testable: less than two units, all scores are equal, one is not finite.
    """
    return _of_mean(values, over, scale, "Student's t", "all scores are equal")


def paired(differences: Sequence[float] | np.ndarray, over: Over, scale: float = 1.0) -> Estimate:
    """Paired t-test: the mean of one difference a unit (:func:`scipy.stats.ttest_rel`'s numbers).

    Args:
        differences: (n,): denoiser minus other on the same image, draw or seed.
        over: what the units are.
        scale: factor from the differences to the unit that is reported: 100 for percent.

    Returns:
        The estimate; not testable: less than two units, all differences are equal, one is not finite.
    """
    return _of_mean(differences, over, scale, "paired t-test", "all differences are equal")


def _of_mean(values: Sequence[float] | np.ndarray, over: Over, scale: float, test: str, equal: str) -> Estimate:
    sample, unit = _scaled(values)
    n, is_difference = len(sample), test == "paired t-test"
    reason = _why_not(sample, over)
    if reason is None and is_difference and not sample.any():
        reason = f"no {_UNITS[over]} differs"
    if reason is None and _constant(sample):
        reason = equal
    value = float(sample.mean()) * unit * scale if n and np.isfinite(sample).all() else math.nan
    if reason is not None:
        return Estimate(over, test, {over: n}, value, not_testable=reason)
    result = stats.ttest_1samp(sample, 0.0)
    error = float(stats.sem(sample)) * unit * abs(scale)
    return _by_t(over, test, {over: n}, value, error, n - 1, float(result.pvalue) if is_difference else None)


def unpaired(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, over: Over) -> Estimate:
    """Pooled two-sample t-test (:func:`scipy.stats.ttest_ind`, equal variances), as the paper's Table X.

    Args:
        first: (n,): the denoiser's score of each draw.
        second: (m,): the other's, not paired with them.
        over: what was drawn.

    Returns:
        The estimate of first minus second; its ``units`` are those of the smaller sample.
    """
    n, m = len(first), len(second)
    sample, unit = _scaled(np.concatenate([first, second]))
    a, b = sample[:n], sample[n:]
    units = {over: min(n, m)}
    reason = _why_not(a, over) or _why_not(b, over)
    if reason is None and _constant(a) and _constant(b):
        reason = f"no {_UNITS[over]} changes a score"
    value = float(a.mean() - b.mean()) * unit if n and m and np.isfinite(sample).all() else math.nan
    if reason is not None:
        return Estimate(over, "two-sample t-test", units, value, not_testable=reason)
    pooled = ((n - 1) * a.var(ddof=1) + (m - 1) * b.var(ddof=1)) / (n + m - 2)
    error = math.sqrt(pooled * (1 / n + 1 / m)) * unit
    p = float(stats.ttest_ind(a, b).pvalue)
    return _by_t(over, "two-sample t-test", units, value, error, n + m - 2, p)


def two_sample_p_from_moments(
    mean: float, variance: float, n: int, other_mean: float, other_variance: float, other_n: int
) -> float:
    """Two-sided p-value of the pooled two-sample t-test, from means and variances (n - 1) as Table X prints them.

    Args:
        mean: of the first sample.
        variance: of the first sample; one of the two variances is above 0.
        n: its size.
        other_mean: of the second sample.
        other_variance: of the second sample.
        other_n: its size.
    """
    spreads = math.sqrt(variance), math.sqrt(other_variance)
    return float(stats.ttest_ind_from_stats(mean, spreads[0], n, other_mean, spreads[1], other_n).pvalue)


def bootstrap_values(
    scores: Sequence[Scores], n: int, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the data set and of its resamples: images drawn with replacement, the same ones for all scores.

    Args:
        scores: functions from weights of images to a score: how often each image was drawn.
        n: number of images.
        resamples: B.
        seed: of the resamples.

    Returns:
        float64 (len(scores),) of the images themselves, and (len(scores), B) of their resamples. With one image, all
        resamples are it.
    """
    values = np.stack([of_weights(np.ones((1, n)))[0] for of_weights in scores]).astype(np.float64)
    if n < 2:
        return values, np.repeat(values[:, None], resamples, axis=1)

    def of_indices(indices: np.ndarray, axis: int) -> np.ndarray:
        weights = _counts(indices, n)
        return np.stack([of_weights(weights) for of_weights in scores])

    result = stats.bootstrap(
        (np.arange(n),),
        of_indices,
        n_resamples=resamples,
        batch=_batch(n),
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    return values, result.bootstrap_distribution


def from_bootstrap(
    value: float, resampled: np.ndarray, n: int, over: Over, p: float | None = None, test: str = "bootstrap"
) -> Estimate:
    """Interval of a score or difference from its resamples: Student's t with the bootstrap standard error.

    Args:
        value: of the n units themselves.
        resampled: (B,) of resamples of the n units.
        n: number of units.
        over: what the units are.
        p: two-sided p-value of a difference, by :func:`permutation_p`; None: a score.
        test: the name of the test that gave it.
    """
    units = {over: n}
    sample, unit = _scaled(resampled)
    reason = f"{_few(n, over)}" if n < 2 else None
    if reason is None and not (np.isfinite(sample).all() and math.isfinite(value)):
        reason = "a resample has no score"
    if reason is None and _constant(sample):
        same = f"no {_UNITS[over]} differs" if p is not None and value == 0 else "all resamples are equal"
        reason = same
    if reason is not None:
        return Estimate(over, test, units, value if math.isfinite(value) else math.nan, not_testable=reason)
    error = float(sample.std(ddof=1)) * math.sqrt(n / (n - 1)) * unit
    return _by_t(over, test, units, value, error, n - 1, p)


def permutation_p(difference: Scores, n: int, resamples: int = PERMUTATIONS, seed: int = 0) -> float:
    """Two-sided p-value of the permutation test that swaps two denoisers image by image.

    Args:
        difference: flags (B, N), bool -> (B,): denoiser minus other when the images flagged True are swapped.
        n: number of images.
        resamples: swap patterns; all 2**n of them where these are no more.
        seed: of the swap patterns.
    """
    if n < 2:
        return 1.0

    def of_samples(flags: np.ndarray, rest: np.ndarray, axis: int) -> np.ndarray:
        values = difference(np.atleast_2d(flags))
        return values if flags.ndim > 1 else values[0]

    result = stats.permutation_test(
        (np.zeros(n, dtype=bool), np.ones(n, dtype=bool)),
        of_samples,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=_batch(n),
        random_state=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def hierarchical(observed: np.ndarray, resampled: np.ndarray, n_images: int, is_score: bool = False) -> Estimate:
    """Hierarchical bootstrap: seeds, images and draws are each resampled (crossed: all see the same images).

    Args:
        observed: (S, D): the score, or difference, of every seed and draw.
        resampled: (B,): its mean over seeds and draws for resampled images, by :func:`bootstrap_values`.
        n_images: N.
        is_score: it is a score and no difference.

    Returns:
        The estimate over ``"all"``, of a score without a p-value; a source with one unit is not resampled, and
        ``units`` says so.
    """
    n_seeds, n_draws = observed.shape
    units = {"seeds": n_seeds, "images": n_images, "draws": n_draws}
    value = float(observed.mean())
    variances = {
        "seeds": observed.mean(axis=1).var(ddof=1) / n_seeds if n_seeds > 1 else 0.0,
        "images": resampled.var(ddof=1) * n_images / (n_images - 1) if n_images > 1 else 0.0,
        "draws": observed.mean(axis=0).var(ddof=1) / n_draws if n_draws > 1 else 0.0,
    }
    total = sum(variances.values())
    if not total > 0:
        equal = "one image" if max(units.values()) == 1 else f"all {'scores' if is_score else 'differences'} are equal"
        return Estimate("all", "hierarchical bootstrap", units, value, not_testable=equal)
    df = total**2 / sum(own**2 / (units[level] - 1) for level, own in variances.items() if own > 0)
    p = None if is_score else 2 * float(stats.t.sf(abs(value) / math.sqrt(total), df))
    return _by_t("all", "hierarchical bootstrap", units, value, math.sqrt(total), df, p)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number (S. Holm, Scand. J. Stat. 6, 1979); None stays None and does not count."""
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        corrected[index] = largest
    return corrected


def units_needed(effect: float, error: float, n: int, power: float = 0.8) -> int | None:
    """How many units a two-sided paired t-test at 5 % needs to find an effect of this size with this power.

    Args:
        effect: the difference to be found.
        error: its standard error with n units.
        n: number of units that gave ``error``, at least 2.
        power: chance to find it, in its own direction.

    Returns:
        At least 2, at most :data:`MOST_UNITS`, which means this many or more; None: there is no effect to be found.
    """
    if effect == 0 or not (math.isfinite(effect) and math.isfinite(error)):
        return None
    size = abs(effect) / (error * math.sqrt(n)) if error else math.inf

    def finds(units: int) -> bool:
        needed = stats.t.ppf((1 + CONFIDENCE) / 2, units - 1)
        return bool(stats.nct.sf(needed, units - 1, size * math.sqrt(units)) >= power)

    low, high = 1, 2
    while not finds(high):
        if high >= MOST_UNITS:
            return MOST_UNITS
        low, high = high, min(2 * high, MOST_UNITS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if finds(middle) else (middle, high)
    return high


def _by_t(
    over: Over, test: str, units: Mapping[str, int], value: float, error: float, df: float, p: float | None
) -> Estimate:
    """The estimate whose interval is Student's t on ``error``."""
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, df)) * error
    return Estimate(over, test, units, value, value - half, value + half, p, error, df)


def _scaled(values: Any) -> tuple[np.ndarray, float]:
    """Values as float64 divided by a power of two, and that power: squares of any values then stay within range."""
    sample = np.asarray(values, dtype=np.float64)
    largest = np.abs(sample[np.isfinite(sample)]).max(initial=0.0)
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest else 1.0
    return sample / unit, unit


def _constant(sample: np.ndarray) -> bool:
    return bool(np.ptp(sample) <= _ROUNDING * np.abs(sample).max())


def _why_not(sample: np.ndarray, over: Over) -> str | None:
    """Why there is nothing to test in a sample; None: there may be."""
    if len(sample) < 2:
        return _few(len(sample), over)
    if np.isnan(sample).any():
        return "a score is missing"
    return "a score is infinite" if np.isinf(sample).any() else None


def _few(n: int, over: Over) -> str:
    return f"one {_UNITS[over]}" if n else f"no {over}"


def _batch(n: int) -> int:
    return max(1, _BATCH // n)


def _counts(indices: np.ndarray, n: int) -> np.ndarray:
    """How often each of n units is in each row: int (B, any) -> float64 (B, n)."""
    rows = len(indices)
    shifted = indices + n * np.arange(rows)[:, None]
    return np.bincount(shifted.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
