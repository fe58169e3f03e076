"""What a sample over training seeds says: means and differences with intervals, as records."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy.stats import t as student_t

from usaid.cards import Metric

CONFIDENCE = 0.95


class Group(NamedTuple):
    """One way of training a denoiser, and those that it gave.

    Attributes:
        name: name of the first member.
        title: title of the first member; with the name behind it if another group has the same.
        members: training seed -> denoiser.
    """

    name: str
    title: str
    members: dict[int, str]


class Estimate(NamedTuple):
    """What a sample over training seeds says.

    Attributes:
        value: its mean.
        low: lower end of the 95 % interval of Student's t.
        high: upper end of it.
        sd: standard deviation over seeds, n - 1 in the denominator.
        p_value: two-sided, of the t-test that the mean is 0; of paired differences, the paired t-test.
        n_seeds: size of the sample.
    """

    value: float
    low: float
    high: float
    sd: float
    p_value: float
    n_seeds: int

    @property
    def differs(self) -> bool:
        """Whether the interval excludes 0."""
        return not self.low <= 0 <= self.high


class SeedRow(NamedTuple):
    """A mean over seeds or a difference of two denoisers over the seeds that both have.

    Attributes:
        benchmark: whose scores it is from.
        sigma: noise level, 0-255 scale.
        metric: what was measured; ``estimate`` is in its unit.
        convention: the column of the score files.
        denoiser: name of the group.
        other: name of the group that is subtracted; None: the row is a mean.
        estimate: of the mean over images, over the seeds.
    """

    benchmark: str
    sigma: float
    metric: Metric
    convention: str
    denoiser: str
    other: str | None
    estimate: Estimate


@dataclass(frozen=True)
class SeedComparison:
    """The statistics over training seeds of some score files.

    Attributes:
        groups: those with two seeds or more, in the order of the score files.
        rows: benchmark -> means and differences, in order of sigma and metric.
        notes: benchmark -> sentences (without their stops) on its images, conventions, failures and deviations.
        left_out: denoisers with one seed only, or not trained.
    """

    groups: tuple[Group, ...]
    rows: Mapping[str, tuple[SeedRow, ...]]
    notes: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean, 95 % interval of Student's t and two-sided p-value of a mean of 0, from two values or more.

    Equal values give an interval without width, and a p-value of 0, or 1 if they are 0.
    """
    n = len(values)
    mean, sd = statistics.mean(values), statistics.stdev(values)
    error = sd / math.sqrt(n)
    half = float(student_t.ppf((1 + CONFIDENCE) / 2, n - 1)) * error
    p_value = 2 * float(student_t.sf(abs(mean) / error, n - 1)) if error else float(mean == 0)
    return Estimate(mean, mean - half, mean + half, sd, p_value, n)
