"""Do denoisers differ by more than their training seeds do? Means and paired differences over seeds, with intervals."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from scipy.stats import t as student_t

from usaid.errors import UsaidError
from usaid.experiment.experiment import without_seed
from usaid.files import written_atomically
from usaid.scores.files import Scores, read_scores
from usaid.report.tables.build import distinct
from usaid.report.tables.cells import Place
from usaid.scores.comparable import check_comparable
from usaid.report.tables.footnotes import plain_footnotes
from usaid.report.tables.means import Means, sigma_name
from usaid.report.statistics.render_seeds import render_seeds_csv, render_seeds_markdown
from usaid.paper.layouts import SCORE_TABLES, Metric

CONFIDENCE = 0.95

_METRICS = {
    benchmark: spec.metrics
    for spec in sorted(SCORE_TABLES.values(), key=lambda spec: len(spec.metrics))
    for benchmark in spec.benchmarks
}
"""Benchmark -> the metrics of its fullest table."""


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


def write_seeds(score_files: Iterable[str | Path], folder: str | Path) -> None:
    """Write ``seeds.csv`` and ``seeds.md`` to a folder; as :func:`compare_seeds`.

    The CSV file has the columns benchmark, sigma, metric, kind (``mean`` or ``difference``), denoiser, other, value,
    low, high, p_value, n_seeds, verdict (``differ`` or ``no difference found``), sd, convention.

    Raises:
        UsaidError: as :func:`compare_seeds`.
    """
    comparison = compare_seeds(score_files)
    renderings = {"seeds.csv": render_seeds_csv(comparison), "seeds.md": render_seeds_markdown(comparison)}
    for name, text in renderings.items():
        with written_atomically(Path(folder) / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")


def compare_seeds(score_files: Iterable[str | Path]) -> SeedComparison:
    """Means over training seeds, and paired differences between denoisers that were trained with the same seeds.

    Denoisers whose entries in the experiment agree in everything but ``title`` and ``train.seed`` are one group. Two
    groups are compared over the seeds that both have: the same seed gives both the same initialisation, patches and
    noise, as far as their recipes agree on these. The intervals are about the variation over training seeds, on the
    images and the noise that were scored.

    Args:
        score_files: of one benchmark or several, one for each denoiser and benchmark.

    Raises:
        UsaidError: no group has two seeds, two denoisers are trained alike with one seed, or the scores of a benchmark
            are not comparable.
    """
    scores = _read(score_files)
    groups = [group for group in _groups(scores) if len(group.members) > 1]
    if not groups:
        cure = "train one with another train.seed and all else the same"
        raise UsaidError(f"score files: no denoiser was trained with two seeds; {cure}")
    compared = [denoiser for group in groups for denoiser in group.members.values()]
    means = {}
    for benchmark, by_denoiser in scores.items():
        chosen = {name: by_denoiser[name] for name in compared if name in by_denoiser}
        check_comparable(benchmark, chosen)
        means[benchmark] = Means(benchmark, _METRICS[benchmark], chosen)
    names = dict.fromkeys(name for by_denoiser in scores.values() for name in by_denoiser)
    titles = distinct({group.name: group.title for group in groups})
    return SeedComparison(
        tuple(group._replace(title=titles[group.name]) for group in groups),
        {benchmark: tuple(_rows(benchmark, one, groups)) for benchmark, one in means.items()},
        {benchmark: tuple(plain_footnotes(one)) for benchmark, one in means.items()},
        tuple(name for name in names if name not in compared),
    )


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


def _read(score_files: Iterable[str | Path]) -> dict[str, dict[str, Scores]]:
    """Benchmark -> denoiser -> scores."""
    scores: dict[str, dict[str, Scores]] = {}
    for path in score_files:
        read = read_scores(path)
        benchmark, denoiser = read.provenance["benchmark"], read.provenance["denoiser"]
        if benchmark not in _METRICS:
            raise UsaidError(f"{path}: scores of {benchmark}; give those of {', '.join(_METRICS)}")
        if denoiser in scores.setdefault(benchmark, {}):
            raise UsaidError(f"{path}: a second score file of {denoiser} on {benchmark}; give one")
        scores[benchmark][denoiser] = read
    return scores


def _groups(scores: Mapping[str, Mapping[str, Scores]]) -> list[Group]:
    """The trained denoisers, grouped by all of their entries but title and seed."""
    entries: dict[str, dict[str, Any]] = {}
    found: dict[str, Group] = {}
    for benchmark, by_denoiser in scores.items():
        for denoiser, one in by_denoiser.items():
            entry, file = one.provenance["entry"], f"{benchmark}/{denoiser}.parquet"
            if entries.setdefault(denoiser, entry) != entry:
                raise UsaidError(f"{file}: not the {denoiser} of another benchmark; give files of one experiment")
            if "seed" not in entry.get("train", {}):
                continue
            group = found.setdefault(without_seed(entry), Group(denoiser, one.provenance["title"], members={}))
            twin = group.members.setdefault(entry["train"]["seed"], denoiser)
            if twin != denoiser:
                raise UsaidError(f"{file}: trained as {twin} is, seed and all; give only one of the two")
    return list(found.values())


def _rows(benchmark: str, means: Means, groups: Sequence[Group]) -> Iterator[SeedRow]:
    for sigma in means.sigmas:
        for metric in means.metrics.values():
            row = (benchmark, sigma, metric, str(means.conventions[metric.name]))
            by_seed = {group.name: _by_seed(means, group, sigma, metric) for group in groups}
            for name, values in by_seed.items():
                if len(values) > 1:
                    yield SeedRow(*row, name, None, estimate([*values.values()]))
            for (name, values), (other, subtracted) in combinations(by_seed.items(), 2):
                common = sorted(values.keys() & subtracted.keys())
                if len(common) > 1:
                    yield SeedRow(*row, name, other, estimate([values[seed] - subtracted[seed] for seed in common]))


def _by_seed(means: Means, group: Group, sigma: float, metric: Metric) -> dict[int, float]:
    """Training seed -> mean over images; a seed whose evaluator failed or whose mean is not finite is left out."""
    places = {seed: Place(sigma_name(sigma), denoiser, metric.name) for seed, denoiser in group.members.items()}
    found = {seed: means.values[place].value for seed, place in places.items() if place in means.values}
    return {seed: value for seed, value in found.items() if math.isfinite(value)}
