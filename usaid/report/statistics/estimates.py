"""What the statistics say: estimates with intervals and p-values, and comparisons of two denoisers, as records."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from usaid.cards import Metric
from usaid.report.statistics.distributions import t_tail

LEVEL = 0.05
"""Below it a p-value says that two denoisers differ."""

CONFIDENCE = 1 - LEVEL

PERMUTATION = "permutation test"
"""The test of scores of a whole data set, whose interval is of another kind: the bootstrap's."""

BOTH_NEEDED = "the permutation test keeps these images, the bootstrap also varies which classes occur"
"""Why a difference of such scores must survive the correction and have an interval without 0."""

Over = Literal["draws", "images", "seeds", "all"]
"""A source of chance: noise draws, images, training seeds, or all of them that an experiment has several of."""


@dataclass(frozen=True)
class Estimate:
    """A score or a difference of scores, and how sure it is.

    Attributes:
        over: the source of chance that the interval and p speak of.
        test: the name of the test: ``"paired t-test"``.
        units: what was resampled or averaged over, and how many: ``{"images": 24}``.
        value: the score, or denoiser minus other, in the paper's unit; NaN if there is none.
        low: lower end of its 95 % interval; None: not testable.
        high: upper end of it.
        p: two-sided p-value of the value being 0; None: not testable, or a score and no difference.
        error: standard error of the value.
        df: degrees of freedom that go with ``error``.
        not_testable: why there is no interval; None: there is one.
    """

    over: Over
    test: str
    units: Mapping[str, int]
    value: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    error: float | None = None
    df: float | None = None
    not_testable: str | None = None

    @property
    def negated(self) -> "Estimate":
        """Of other minus denoiser: the same test the other way round."""
        low, high = (None if end is None else 0 - end for end in (self.high, self.low))
        return replace(self, value=0 - self.value, low=low, high=high)  # -value may be a negative zero

    def p_above(self, margin: float) -> float | None:
        """One-sided p-value of the value being at most ``margin``, by Student's t; None: not testable."""
        return None if self.error is None or self.df is None else self._tail(self.value - margin)

    def p_below(self, margin: float) -> float | None:
        """One-sided p-value of the value being at least ``margin``, by Student's t; None: not testable."""
        return None if self.error is None or self.df is None else self._tail(margin - self.value)

    def _tail(self, distance: float) -> float:
        assert self.error is not None
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        return float(t_tail(distance / self.error, self.df))


@dataclass(frozen=True)
class Comparison:
    """A score of a denoiser, or its difference from another one.

    Attributes:
        benchmark: whose scores.
        group: the group of rows of a table: ``"25"``, ``"isic2018"``, ``"oracle_sigma/25"``.
        sigma: the noise level of its rows, 0-255 scale.
        metric: what was measured; the estimate is in its unit.
        convention: how.
        denoiser: a denoiser; over seeds the name of the first of those that are trained alike.
        other: the denoiser that is subtracted; None: it is a score.
        estimate: its value, and how sure it is.
        family: the comparisons that ``p_corrected`` is corrected for, by name.
        family_size: how many different tests they are (:func:`distinct`).
        p_corrected: Holm's; None: not testable, or a score.
    """

    benchmark: str
    group: str
    sigma: float
    metric: Metric
    convention: str
    denoiser: str
    other: str | None
    estimate: Estimate
    family: str = ""
    family_size: int = 1
    p_corrected: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The denoiser, and the other one if there is one."""
        return (self.denoiser,) if self.other is None else (self.denoiser, self.other)

    @property
    def differs(self) -> bool:
        """Whether the difference survives the correction, and its interval leaves out 0.

        A t-test's p and interval agree. Those of a score of a whole data set may not: the permutation test keeps the
        images, the bootstrap of the interval also varies which of them, and which classes, there are.
        """
        low, high = self.estimate.low, self.estimate.high
        if self.p_corrected is None or low is None or high is None:
            return False
        return self.p_corrected < LEVEL and not low <= 0 <= high

    @property
    def verdict(self) -> str:
        """``"differ"``, ``"no difference found"`` or ``"not testable"``; of a score empty."""
        if self.other is None:
            return ""
        if self.p_corrected is None or math.isnan(self.p_corrected):
            return "not testable"
        return "differ" if self.differs else "no difference found"

    @property
    def reason(self) -> str:
        """Why it is not testable, or why no difference is found though p is small enough; empty: nothing to say."""
        own = self.estimate
        if own.not_testable is not None or own.low is None or own.high is None or self.p_corrected is None:
            return own.not_testable or ""
        return "interval includes 0" if self.p_corrected < LEVEL and own.low <= 0 <= own.high else ""


def identity(one: Comparison) -> tuple[object, ...]:
    """Equal of two comparisons that are the same test of the same rows: all but the group is."""
    pair = one.denoiser, one.other
    return one.benchmark, one.sigma, one.metric.name, one.convention, pair, repr(one.estimate)


def distinct(comparisons: Iterable[Comparison]) -> dict[tuple[object, ...], Comparison]:
    """Each test once, by its :func:`identity`.

    Two groups of rows may show the same test: Table IV's settings differ neither in blind denoisers nor where the truth
    is what both are told.
    """
    return {identity(one): one for one in comparisons}
