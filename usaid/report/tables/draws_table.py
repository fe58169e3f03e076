"""Table X: means and variances over noise draws, and the p-values of the differences from U-SAID."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.paper.layouts import DRAWS, MEANS_TIMES, TITLES, TableSpec
from usaid.paper.published import published
from usaid.report.statistics.distributions import chi2_upper_quantile
from usaid.report.statistics.estimates import CONFIDENCE, Estimate
from usaid.report.statistics.samples import sample_of
from usaid.report.statistics.sources import estimates_of
from usaid.report.tables.cells import Cell, Footnote, Layout, Mark, Place, Table
from usaid.report.tables.footnotes import NOT_IN_PAPER, footnotes_of_means
from usaid.report.tables.means import Means, Missing
from usaid.report.tables.numbers import P_VALUE, NumberFormat
from usaid.report.tables.verdicts import (
    Verdict,
    inside_interval,
    same_finding,
    same_side,
    tolerance_of,
    what_differs,
    with_verdict,
    within,
)

COMPARED = "u_said"
"""The denoiser that all others are compared with."""

CAPTION = f"Mean and variance over noise draws, and p-values of the difference from {TITLES[COMPARED]}"

GROUPS = {
    "voc": "PASCAL VOC segmentation",
    "kodak": "Cross-set Kodak denoising",
    "cifar100": "Cross-task CIFAR-100 classification",
}
"""The paper's titles of the groups of rows."""

TESTS = {
    "p_value": f"two-sided two-sample t-test with pooled variance over the noise draws, {TITLES[COMPARED]} and this "
    "denoiser, as in print",
    "p_value_paired": "two-sided paired t-test over the noise draws, of which both denoisers see the same; not in the "
    "paper",
}
"""The p-values: end of their metrics' names -> the test."""

KINDS = ("mean", "variance", *TESTS)
"""What the rows of a metric are, in order: the ends of their names."""

MEANING = "The p-values speak of noise draws of single trainings, not of images nor of trainings"


def build_draws_table(spec: TableSpec, panels: Sequence[Means], titles: Mapping[str, str]) -> Table:
    """Make Table X.

    A p-value stands in the column of the denoiser that is compared with U-SAID.

    Args:
        spec: Table X.
        panels: the scores of each of its benchmarks, all noise draws of a denoiser together.
        titles: the columns in order: denoiser -> title.

    Raises:
        UsaidError: a denoiser was scored on one noise draw only.
    """
    blocks = [_Block(spec, means, metric, titles) for means in panels for metric in means.metrics.values()]
    cells = [cell for denoiser in titles for block in blocks for cell in block.cells(denoiser)]
    cells.sort(key=lambda cell: [*GROUPS].index(cell.place.group))
    layout = Layout(
        {means.group: GROUPS[means.group] for means in panels if means.group is not None},
        tuple(metric for block in blocks for metric in block.metrics),
        titles,
        number_formats={name: number for block in blocks for name, number in block.number_formats.items()},
    )
    missing = {place: why for block in blocks for place, why in block.missing.items()}
    shared = [
        Footnote(note.text, tuple(there for mark in note.marks for there in _on_page(mark, missing)))
        for note in footnotes_of_means(spec, panels, missing.values(), titles)
    ]
    return Table(spec, CAPTION, tuple(cells), layout, (*_of_rows(blocks), *shared))


class _Number(NamedTuple):
    """A number of ours, the ends of its 95 % interval, and how they were made."""

    value: float
    low: float | None = None
    high: float | None = None
    how: tuple[str, ...] = ()


class _Block:
    """The rows of one metric of a data set: mean, variance and p-values.

    Attributes:
        metrics: as they are printed, in order.
        number_formats: name of such a metric -> how its numbers are written.
        missing: place of the score of a denoiser that has none -> why.
        untested: (why it has none, place) of the p-values and variances that cannot be had of scores that there are.
    """

    def __init__(self, spec: TableSpec, means: Means, metric: Metric, titles: Mapping[str, str]) -> None:
        assert means.group is not None
        self.spec, self.means, self.metric, self.titles, self.group = spec, means, metric, titles, means.group
        self.times = MEANS_TIMES.get(metric.name, 1.0)
        unit = metric.unit if self.times == 1 else "%"
        self.metrics = (
            Metric(self._name("mean"), metric.title, unit, metric.better, digits=2),
            Metric(self._name("variance"), f"{metric.title}, variance", "", "lower", digits=2),
            Metric(self._name("p_value"), f"{metric.title}, p-value", "", "lower", digits=4),
            Metric(self._name("p_value_paired"), f"{metric.title}, p-value, paired", "", "lower", digits=4),
        )
        variances = NumberFormat(2, "fixed" if metric.unit == "%" else "scientific")
        self.number_formats = {self._name("variance"): variances} | {self._name(test): P_VALUE for test in TESTS}
        places = [self._score(denoiser) for denoiser in titles]
        self.missing = {place: why for place in places if (why := means.why_missing(place)) is not None}
        self.untested: list[tuple[str, Place]] = []
        there = [place.denoiser for place in places if place not in self.missing]
        self.draws = {denoiser: self._draws(denoiser) for denoiser in there}
        of_scores = estimates_of(means, self.group, metric.name, [(name, None) for name in there], "draws")
        self.scores = {name: estimate for (name, _), estimate in of_scores.items()}
        others = [name for name in there if name != COMPARED] if COMPARED in there else []
        self.differences = {test: self._tested(others, paired=test != "p_value") for test in TESTS}

    def cells(self, denoiser: str) -> Iterable[Cell]:
        """The cells of a column."""
        place = self._score(denoiser)
        if place in self.missing:
            yield from (self._dash(place, kind, self.missing[place].reason) for kind in KINDS)
        else:
            yield from (self._mean(place), self._variance(place), *(self._p_value(place, test) for test in TESTS))

    def _mean(self, place: Place) -> Cell:
        """With Student's interval over draws."""
        ours, sure = self.means.values[place].value, self.scores[place.denoiser]
        low, high = (None if end is None else end * self.times for end in (sure.low, sure.high))
        how = ("interval: Student's t over draws",) * (low is not None)
        number = _Number(ours * self.times, low, high, how)
        return self._cell(place, "mean", number, within(tolerance_of(self._name("mean")), (low, high)))

    def _variance(self, place: Place) -> Cell:
        """With its chi-squared interval, as of normal scores."""
        scores = self.draws[place.denoiser]
        if not np.isfinite(scores).all():
            return self._not_testable(place, "variance", "a score is infinite")
        variance, df = float(np.var(scores, ddof=1)), len(scores) - 1
        if self.scores[place.denoiser].not_testable is not None:  # all are equal, but for rounding errors
            return self._cell(place, "variance", _Number(0.0), inside_interval)
        tails = chi2_upper_quantile([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], df)
        low, high = (float(end) for end in df * variance / tails)
        number = _Number(variance, low, high, ("interval: chi-squared",))
        return self._cell(place, "variance", number, inside_interval)

    def _p_value(self, place: Place, test: str) -> Cell:
        """Of the difference from U-SAID; a dash in its own column."""
        reference = self._score(COMPARED)
        if place == reference:
            where, files = place._replace(metric=self._name(test)), self._files(place, test)
            return Cell(where, None, None, note="compared with itself", files=files)
        if reference in self.missing:
            return self._not_testable(place, test, f"{self.titles[COMPARED]}: {self.missing[reference].reason}")
        estimate = self.differences[test][place.denoiser]
        if estimate.p is None:
            return self._not_testable(place, test, str(estimate.not_testable))
        also = what_differs(self.spec, self.means, reference)
        rule = same_finding(estimate.value, self._printed_difference(place.denoiser))
        return self._cell(place, test, _Number(estimate.p, how=(estimate.test,)), rule, also)

    def _cell(
        self,
        place: Place,
        kind: str,
        number: _Number,
        rule: Callable[[Cell], Verdict],
        also_differs: Sequence[str] = (),
    ) -> Cell:
        """A number of ours, and the verdict on the printed one."""
        means, paper = self.means, self._paper(place.denoiser, kind)
        n_draws = len(self.draws[place.denoiser])
        remarks = [NOT_IN_PAPER] * (paper is None) + [f"{n_draws} noise draws", *number.how, *means.remarks(place)]
        note = "; ".join([means.convention_text(place.metric), *remarks])
        where, n = place._replace(metric=self._name(kind)), means.values[place].n
        cell = Cell(where, number.value, paper, n, note, apart=means.is_apart(place), low=number.low, high=number.high)
        cell = replace(cell, convention=means.convention_name(place.metric), files=self._files(place, kind))
        fewer = [f"{n_draws} of {DRAWS} noise draws"] * (n_draws < DRAWS)
        return with_verdict(cell, [*what_differs(self.spec, means, place), *also_differs, *fewer], rule)

    def _not_testable(self, place: Place, kind: str, reason: str) -> Cell:
        text = f"not testable: {reason}"
        self.untested.append((text, place._replace(metric=self._name(kind))))
        return self._dash(place, kind, text)

    def _dash(self, place: Place, kind: str, reason: str) -> Cell:
        paper = self._paper(place.denoiser, kind)
        note = "; ".join([reason, *[NOT_IN_PAPER] * (paper is None)])
        cell = Cell(place._replace(metric=self._name(kind)), None, paper, note=note, files=self._files(place, kind))
        return with_verdict(cell, (), same_side)

    def _files(self, place: Place, kind: str) -> tuple[str, ...]:
        """The score files behind a number: a p-value has those of U-SAID, too."""
        denoisers = [place.denoiser, *[COMPARED] * (kind in TESTS)]
        return tuple(dict.fromkeys(file for denoiser in denoisers for file in self.means.files(denoiser)))

    def _paper(self, denoiser: str, kind: str) -> float | None:
        """The printed number; of a p-value, whichever way round the two denoisers are named."""
        pairs = (f"{COMPARED}_vs_{denoiser}", f"{denoiser}_vs_{COMPARED}")
        names = pairs if kind == "p_value" else (denoiser,)
        printed = (published(self.spec.number, self.group, self._name(kind), name) for name in names)
        return next((value for value in printed if value is not None), None)

    def _printed_difference(self, denoiser: str) -> float:
        """U-SAID's printed mean minus another's; NaN: not both are printed."""
        first, other = (self._paper(name, "mean") for name in (COMPARED, denoiser))
        return math.nan if first is None or other is None else first - other

    def _draws(self, denoiser: str) -> np.ndarray:
        """The score of each noise draw: float64 (n,)."""
        sample = sample_of(self.means, self._score(denoiser))
        scores = sample.of(sample.defined).scores
        if len(scores) < 2:
            file = f"{self.means.benchmark}/{denoiser}.parquet"
            needs = f"{self.spec.title} needs two or more"
            cure = f"give the file of its further draws, {self.means.benchmark}/draws/{denoiser}.parquet, too"
            raise UsaidError(f"{file}: one noise draw at sigma {self.spec.sigma:g}; {needs}; {cure}")
        return scores

    def _tested(self, others: Sequence[str], paired: bool) -> dict[str, Estimate]:
        pairs = [(COMPARED, other) for other in others]
        found = estimates_of(self.means, self.group, self.metric.name, pairs, "draws", paired=paired)
        return {other: found[COMPARED, other] for other in others}

    def _score(self, denoiser: str) -> Place:
        return Place(self.group, denoiser, self.metric.name)

    def _name(self, kind: str) -> str:
        return f"{self.metric.name}_{kind}"


def _on_page(mark: Mark | Place, missing: Mapping[Place, Missing]) -> list[Mark | Place]:
    """Where the footnotes of a score stand: at its mean, or at all its dashes."""
    if mark.metric is None:
        return [mark]
    kinds = KINDS if mark in missing else ("mean",)
    return [mark._replace(metric=f"{mark.metric}_{kind}") for kind in kinds]


def _of_rows(blocks: Iterable[_Block]) -> Iterable[Footnote]:
    """What the rows are, and why some p-values cannot be had."""
    blocks = list(blocks)
    yield Footnote("variance of the noise draws, over n - 1", _marks(blocks, "variance"))
    for block in blocks:
        if block.times != 1:
            yield Footnote("of the fraction, as in print, though the means are in percent", _marks([block], "variance"))
    for test, text in TESTS.items():
        yield Footnote(text, _marks(blocks, test))
    for text in dict.fromkeys(text for block in blocks for text, _ in block.untested):
        yield Footnote(text, tuple(place for block in blocks for own, place in block.untested if own == text))
    yield Footnote(MEANING)


def _marks(blocks: Iterable[_Block], kind: str) -> tuple[Mark, ...]:
    return tuple(Mark(metric=f"{block.metric.name}_{kind}") for block in blocks)
