"""Scores of resampled images, and of images swapped between two denoisers: bootstrap and permutation test."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

OfWeights = Callable[[np.ndarray], np.ndarray]
"""Weights of N images (B, N), float64, how often each was drawn -> the score that each row of weights gives, (B,)."""

RESAMPLES = 10_000
"""Resamples of a bootstrap."""

PERMUTATIONS = 9_999
"""Swap patterns of a permutation test. With the scores as they are they make 10,000: no p-value is below 2 / 10,000."""

# Numbers in a batch. Resamples are fastest where they fit a processor's cache.
_RESAMPLES_BATCH = 1 << 18
_PERMUTATIONS_BATCH = 1 << 20

# Of the observed difference: nearer than this, another one counts as equal to it.
_EQUAL = 100 * np.finfo(np.float64).eps


def bootstrap_values(
    scores: Sequence[OfWeights], n: int, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of N images and of their resamples: N images drawn with replacement, the same ones for all scores.

    The resamples are those of :func:`scipy.stats.bootstrap`. The numbers do not depend on how the work is cut into
    batches.

    Args:
        scores: functions from weights of images to scores.
        n: N, at least 1. One image cannot be resampled otherwise than as it is.
        resamples: B.
        seed: of the resamples.

    Returns:
        float64 (len(scores),) of the images themselves, and float64 (len(scores), B) of their resamples.
    """
    values = np.array([of_weights(np.ones((1, n)))[0] for of_weights in scores], dtype=np.float64)
    if n < 2 or not scores:
        return values, np.repeat(values[:, None], resamples, axis=1)
    rng, resampled = np.random.default_rng(seed), np.empty((len(scores), resamples))
    for batch in _batches(resamples, _RESAMPLES_BATCH // n):
        weights = _counts(rng.integers(0, n, (batch.stop - batch.start, n)))
        for row, of_weights in zip(resampled, scores, strict=True):
            row[batch] = of_weights(weights)
    return values, resampled


def permutation_p(difference: OfWeights, n: int, resamples: int = PERMUTATIONS, seed: int = 0) -> float | None:
    """Two-sided p-value of the permutation test that swaps two denoisers image by image.

    Where nothing but chance tells them apart, the difference is as likely as that of any other swap pattern. Patterns
    and p-value are those of :func:`scipy.stats.permutation_test`. The number does not depend on how the work is cut
    into batches.

    Args:
        difference: flags of N images (B, N), bool -> (B,): denoiser minus other where flagged images are swapped.
        n: N. With one image p is 1.
        resamples: random swap patterns; all 2**N instead where they are no more than these.
        seed: of the swap patterns.

    Returns:
        the p-value; None: a swap gives no finite score.
    """
    if n < 2:
        return 1.0
    observed = float(difference(np.zeros((1, n), dtype=bool))[0])
    swapped = np.concatenate([difference(flags) for flags in _swaps(n, resamples, seed)])
    if not (np.isfinite(observed) and np.isfinite(swapped).all()):
        return None
    equal, as_it_is = _EQUAL * abs(observed), 2**n > resamples  # all patterns have the one without swaps among them
    tails = (swapped <= observed + equal).sum(), (swapped >= observed - equal).sum()
    return min(1.0, 2 * (int(min(tails)) + as_it_is) / (len(swapped) + as_it_is))


def least_p(n: int) -> float:
    """The smallest p-value that :func:`permutation_p` can give for n units: with many, 2 / 10,000."""
    return 2 / min(2**n, PERMUTATIONS + 1)


def _swaps(n: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Flags of N images, bool (B, N), batch by batch: all swap patterns, or as many random ones."""
    if 2**n <= resamples:
        yield np.array([*product((False, True), repeat=n)])
        return
    rng = np.random.default_rng(seed)
    for batch in _batches(resamples, _PERMUTATIONS_BATCH // n):
        # Which of the two denoisers an image is of, in either order.
        orders = np.broadcast_to(np.array([False, True]), (batch.stop - batch.start, n, 2))
        yield rng.permuted(orders, axis=2)[:, :, 0]


def _batches(n: int, size: int) -> Iterator[slice]:
    """The places of n things, so many at a time; at least one."""
    for start in range(0, n, max(1, size)):
        yield slice(start, min(n, start + max(1, size)))


def _counts(drawn: np.ndarray) -> np.ndarray:
    """How often each of N units is in a resample of them: indices (B, N) -> float64 (B, N)."""
    rows, n = drawn.shape
    shifted = drawn + n * np.arange(rows)[:, None]
    return np.bincount(shifted.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
