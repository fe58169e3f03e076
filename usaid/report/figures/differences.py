"""Differences of two denoisers image by image, with the interval of their mean: what ``figure_differences`` draws."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.experiment.seeds import without_seed
from usaid.failures import failure_in
from usaid.paper.layouts import REFERENCES, TITLES
from usaid.paper.published import published
from usaid.registries import BENCHMARKS
from usaid.report.figures.drawing import some_of
from usaid.report.statistics.estimates import Estimate
from usaid.report.statistics.samples import ImageSample, difference_of, sample_of
from usaid.report.statistics.sources import intervals_of
from usaid.report.tables.cells import Place
from usaid.report.tables.means import Means
from usaid.report.tables.metrics import metrics_of
from usaid.report.tables.specs import tables_with
from usaid.report.tables.titles import distinct
from usaid.scores.comparable import check_comparable
from usaid.scores.draws import is_of_further_draws
from usaid.scores.files import read_provenance, read_scores

MOST_OTHERS = 5
"""Denoisers that one is compared with."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the differences of images, as the CSV file has them."""

_FEWEST = 4
"""Different values: with fewer (an image is classified rightly or not) there is no distribution to look at."""

Files = Mapping[str, Mapping[str, Path]]
"""Benchmark -> denoiser -> its score file."""


@dataclass(frozen=True)
class Difference:
    """One denoiser minus another one, in one metric.

    Attributes:
        other: name of the denoiser that is subtracted.
        estimate: mean difference with its interval over images, or that of scores of the whole data set.
        printed: the same of the paper's numbers; None: it does not print both.
        of_images: (N,), in the metric's unit, of the images that both have a value for, mean over noise draws; None:
            the score is one of all images together, or takes a few values only.
    """

    other: str
    estimate: Estimate
    printed: float | None
    of_images: np.ndarray | None


@dataclass(frozen=True)
class Panel:
    """The differences of one metric of a benchmark.

    Attributes:
        benchmark: its name.
        sigma: noise level, 0-255 scale.
        metric: the metric.
        of: name of the denoiser that others are subtracted from.
        titles: denoiser -> its title.
        differences: one for each other denoiser.
    """

    benchmark: str
    sigma: float
    metric: Metric
    of: str
    titles: Mapping[str, str]
    differences: Sequence[Difference]


@dataclass(frozen=True)
class Differences:
    """What is drawn, and in words what is not.

    Attributes:
        panels: benchmark by benchmark in the order of the registry, metric by metric.
        notes: sentences without their stops.
    """

    panels: list[Panel] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_differences(
    score_files: Iterable[str | Path],
    of: str = "u_said",
    others: Sequence[str] = ("cdncnn_b", "s_said"),
    sigma: float = 25,
) -> Differences:
    """Compare a denoiser with others on every benchmark that has score files.

    What the paper does not have is compared, too, up to :data:`MOST_OTHERS` in all; of denoisers that are trained alike
    the first. Where ``of`` is not scored, the first of the experiment's own takes its place. A benchmark whose files do
    not belong together, or failed, costs its panels and is said in the notes.

    Args:
        score_files: of any benchmarks; further noise draws in files of their own are left out.
        of: the denoiser that others are subtracted from.
        others: those, first of all.
        sigma: noise level, 0-255 scale; a benchmark that was not scored at it is shown at its lowest.

    Raises:
        UsaidError: a file is not a score file, or of a benchmark that is not known.
    """
    found = Differences()
    files, provenances = _by_benchmark(score_files, found.notes)
    left_out: set[str] = set()
    for benchmark in BENCHMARKS:
        if benchmark not in files:
            continue
        names = _chosen(provenances[benchmark], of, others)
        left_out |= {*files[benchmark]} - {*names, *REFERENCES}
        if len(names) < 2:
            found.notes.append(f"{benchmark}: one denoiser, nothing to compare it with")
            continue
        try:
            found.panels.extend(_panels(benchmark, {name: files[benchmark][name] for name in names}, sigma))
        except UsaidError as error:
            found.notes.append(f"{benchmark}: {error}")
    if left_out:
        found.notes.append(f"Not drawn, but in the statistics: {some_of(sorted(left_out), 4)}")
    return found


def _by_benchmark(score_files: Iterable[str | Path], notes: list[str]) -> tuple[Files, Mapping[str, Mapping[str, Any]]]:
    """The score files, and their provenances, by benchmark and denoiser; what failed is said in the notes."""
    files: dict[str, dict[str, Path]] = {}
    provenances: dict[str, dict[str, Any]] = {}
    for path in map(Path, score_files):
        if failure := failure_in(path):
            notes.append(f"{path.parent.name}/{path.stem}: {failure}")
            continue
        provenance = read_provenance(path)
        benchmark, denoiser = provenance["benchmark"], provenance["denoiser"]
        if benchmark not in BENCHMARKS:
            raise UsaidError(f"{path}: scores of {benchmark}; give those of {', '.join(BENCHMARKS)}")
        if provenance["failure"] is not None:
            notes.append(f"{benchmark}/{denoiser} failed: {provenance['failure']}")
        elif not is_of_further_draws(provenance):
            files.setdefault(benchmark, {})[denoiser] = path
            provenances.setdefault(benchmark, {})[denoiser] = provenance
    return files, provenances


def _chosen(provenances: Mapping[str, Mapping[str, Any]], of: str, others: Sequence[str]) -> list[str]:
    """The denoiser that others are subtracted from, and those."""
    own, alike = [], set()
    for name, provenance in provenances.items():
        entry = provenance.get("entry", {})
        kind = without_seed(entry) if "train" in entry else name
        if name not in (*TITLES, *REFERENCES, of, *others) and kind not in alike:
            own.append(name)
        alike.add(kind)
    order = [of, *others, *own] if of in provenances else [*own, *others]
    return [name for name in dict.fromkeys(order) if name in provenances][: MOST_OTHERS + 1]


def _panels(benchmark: str, files: Mapping[str, Path], sigma: float) -> list[Panel]:
    """The panels of a benchmark; the first of the files is the denoiser that the others are subtracted from."""
    scores = {name: read_scores(path) for name, path in files.items()}
    first, *others = scores
    levels = sorted({float(level) for own in scores.values() for level in own.rows["sigma"].unique()})
    if not levels:
        raise UsaidError("no rows in its score files; delete them and rerun")
    level = sigma if sigma in levels else levels[0]
    check_comparable(benchmark, scores, level)
    metrics = [metric for metric in metrics_of(benchmark) if metric.printed_as is None]
    means = Means(benchmark, metrics, scores, level)
    titles = distinct({name: own.provenance["title"] for name, own in scores.items()})
    (group,) = means.groups
    panels, reasons = [], dict[str, None]()
    for metric in means.metrics.values():
        pairs = [(first, other) for other in others]
        estimates = intervals_of(means, group, metric.name, pairs, "images")
        differences = [
            Difference(
                other,
                own,
                _printed(benchmark, group, metric.name, first, other),
                _of_images(means, group, metric.name, first, other),
            )
            for (_, other), own in estimates.items()
            if other is not None
        ]
        if any(np.isfinite(own.estimate.value) for own in differences):
            panels.append(Panel(benchmark, level, metric, first, titles, differences))
        reasons |= {own.estimate.not_testable: None for own in differences if own.estimate.not_testable}
    if not panels and reasons:
        raise UsaidError(next(iter(reasons)))
    return panels


def _of_images(means: Means, group: str, metric: str, first: str, other: str) -> np.ndarray | None:
    """The difference of each image that is defined for both; None: as :class:`Difference` says."""
    places = [Place(group, name, metric) for name in (first, other)]
    if any(means.why_missing(place) is not None for place in places):
        return None
    samples = [sample for place in places if isinstance(sample := sample_of(means, place), ImageSample)]
    if len(samples) < len(places):
        return None
    images = frozenset.intersection(*(sample.defined for sample in samples))
    values = [sample.of(images).values.mean(axis=0) for sample in samples]
    differences = difference_of(values[0], values[1])
    return differences if len(np.unique(differences)) >= _FEWEST else None


def _printed(benchmark: str, group: str, metric: str, first: str, other: str) -> float | None:
    """The paper's difference, from the table that shows the benchmark's sigmas, or its data set at one."""
    for spec in tables_with(benchmark):
        if spec.settings is None and spec.ablated is None and not spec.over_draws:
            row = spec.benchmarks[benchmark] or group
            values = [published(spec.number, row, metric, name) for name in (first, other)]
            if values[0] is not None and values[1] is not None and (spec.sigma is None or f"{spec.sigma:g}" == group):
                return values[0] - values[1]
    return None


def render_differences(panels: Iterable[Panel]) -> str:
    """What is drawn as CSV, a difference a line; that of each image is in the score files."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    quantiles = [f"quantile_{quantile:g}" for quantile in QUANTILES]
    columns = ["benchmark", "sigma", "metric", "unit", "better", "denoiser", "other", "images"]
    writer.writerow([*columns, "value", "low", "high", "printed", *quantiles, "reason"])
    for panel in panels:
        metric = panel.metric
        for own in panel.differences:
            estimate = own.estimate
            of_images = [None] * len(QUANTILES) if own.of_images is None else np.quantile(own.of_images, QUANTILES)
            numbers = [estimate.value, estimate.low, estimate.high, own.printed, *of_images]
            about = [panel.benchmark, f"{panel.sigma:g}", metric.name, metric.unit, metric.better, panel.of, own.other]
            texts = ["" if value is None or not np.isfinite(value) else f"{value:.6g}" for value in numbers]
            writer.writerow([*about, estimate.units.get("images", ""), *texts, estimate.not_testable or ""])
    return stream.getvalue()
