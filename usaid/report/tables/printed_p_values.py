"""Table X's p-values, recomputed from the means and variances that it prints, as far as their rounding allows."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from usaid.cards import Metric
from usaid.paper.layouts import DRAWS, MEANS_TIMES, TABLES, TITLES, TableSpec
from usaid.paper.published import OF_TWO, Published, all_published, published_number
from usaid.registries import BENCHMARKS, DATASETS, METRICS
from usaid.report.statistics.distributions import t_tail
from usaid.report.tables.cells import Cell, Footnote, Layout, Mark, Place, Table
from usaid.report.tables.numbers import CHECK_MARK, P_VALUE, NumberFormat

CAPTION = (
    f"Its p-values, recomputed from its printed means and variances ({DRAWS} noise draws each). They speak of noise "
    "draws of single trainings: a small one says that the difference is larger than the noise draw makes it, not that "
    "other images or another training would show it"
)
"""What the table shows, and what it means."""

_LEGEND = "From the printed means and variances (the p-value in print)."


class TTest(NamedTuple):
    """A test that the printed p-values may have come from.

    Attributes:
        name: its group of rows.
        title: of that.
        text: what it is.
        equal_variances: Student's pooled test; else Welch's.
        factor: from a printed variance to the variance over n - 1.
    """

    name: str
    title: str
    text: str
    equal_variances: bool
    factor: float


TESTS = (
    TTest("pooled", "Pooled", "two-sided two-sample t-test with pooled variance, variances over n - 1", True, 1.0),
    TTest("welch", "Welch", "two-sided two-sample t-test of Welch, whose variances are not pooled", False, 1.0),
    TTest("over_n", "Over n", "the pooled test, if the printed variances are over n", True, DRAWS / (DRAWS - 1)),
)
"""The test that all of them fit, and two that some of them exclude."""

_NUMBERS = {
    "p_value": ("p-value", P_VALUE),
    "low": ("Lowest", NumberFormat(2, "p_value")),
    "high": ("Highest", NumberFormat(2, "p_value")),
    "fits": ("Print fits", CHECK_MARK),
}
"""The columns: title, and how their numbers are written."""


class Moments(NamedTuple):
    """Mean and variance over draws in one unit, each with half a unit of its last printed digit."""

    mean: float
    mean_half_unit: float
    variance: float
    variance_half_unit: float


class Range(NamedTuple):
    """A p-value and, as far as rounding allows, the lowest and the highest that it may have been."""

    p: float
    low: float
    high: float


def build_print_table(spec: TableSpec) -> Table:
    """Make the table of p-values recomputed from print: for each test, a row for each of the printed ones.

    Args:
        spec: one of :data:`usaid.paper.layouts.TABLES_OF_PRINT`.
    """
    entries = [e for e in all_published() if e.table == spec.number and e.metric.endswith(OF_TWO)]
    cells = [cell for test in TESTS for entry in entries for cell in _cells(test, entry)]
    layout = Layout(
        {test.name: test.title for test in TESTS},
        tuple(Metric(name, title, "", "lower", digits=0) for name, (title, _) in _NUMBERS.items()),
        {_name(entry): _title(entry) for entry in entries},
        rows="denoisers",
        number_formats={name: number for name, (_, number) in _NUMBERS.items()},
        legend=_LEGEND,
    )
    return Table(spec, CAPTION, tuple(cells), layout, tuple(_footnotes(cells, layout)))


def moments(entry: Published, denoiser: str) -> Moments:
    """The printed mean and variance behind a p-value, of one of its two denoisers; mIoU as a fraction."""
    metric = _metric(entry)
    mean = published_number(entry.table, entry.group, f"{metric}_mean", denoiser)
    variance = published_number(entry.table, entry.group, f"{metric}_variance", denoiser)
    assert mean is not None
    assert variance is not None
    times = MEANS_TIMES.get(metric, 1.0)
    return Moments(mean.value / times, mean.half_unit / times, variance.value, variance.half_unit)


def p_range(test: TTest, first: Moments, second: Moments) -> Range:
    """The p-value of a difference of two printed means, and its range.

    A pooled p-value falls with the difference and rises with the variances, so that it is lowest and highest at corners
    of what rounds to the printed numbers. Welch's is not, by its degrees of freedom: hence a grid, corners included.
    """
    difference = abs(first.mean - second.mean)
    slack = first.mean_half_unit + second.mean_half_unit
    differences = np.array([max(0.0, difference - slack), difference + slack])
    variances = [m.variance + m.variance_half_unit * np.linspace(-1, 1, 51) for m in (first, second)]
    values = _p(test, differences[:, None, None], variances[0][:, None], variances[1])
    p = float(_p(test, np.array(difference), np.array(first.variance), np.array(second.variance)))
    return Range(p, float(values.min()), float(values.max()))


def _p(test: TTest, difference: np.ndarray, variance: np.ndarray, other: np.ndarray) -> np.ndarray:
    first, second = (test.factor * own / DRAWS for own in (variance, other))
    of_both = first + second
    df = 2 * (DRAWS - 1) if test.equal_variances else (DRAWS - 1) * of_both**2 / (first**2 + second**2)
    return np.asarray(2 * t_tail(difference / np.sqrt(of_both), df))


def _cells(test: TTest, entry: Published) -> Iterable[Cell]:
    """A row: the p-value, its range, and whether the printed one lies within it."""
    p, low, high = p_range(test, *(moments(entry, denoiser) for denoiser in _pair(entry)))
    values = {"p_value": p, "low": low, "high": high, "fits": float(low <= entry.value <= high)}
    for name, value in values.items():
        paper = entry.value if name == "p_value" else None
        yield Cell(Place(test.name, _name(entry), name), value, paper)


def _footnotes(cells: Iterable[Cell], layout: Layout) -> Iterable[Footnote]:
    """What the tests are, and which printed p-values cannot have come from them."""
    fits = {cell.place: bool(cell.ours) for cell in cells if cell.place.metric == "fits"}
    for test in TESTS:
        of_test = [place for place in fits if place.group == test.name]
        others = [layout.denoisers[place.denoiser] for place in of_test if not fits[place]]
        outcome = f"excluded by {'; '.join(others)}" if others else f"fits all {len(of_test)} printed p-values"
        yield Footnote(f"{test.text}: {outcome}", (Mark(group=test.name),))
    text = "as far as the rounding of the printed means and variances allows; print fits if it lies between the two"
    yield Footnote(text, (Mark(metric="low"), Mark(metric="high")))
    yield Footnote("Of mIoU the printed means are in percent, the printed variances of the fraction")
    yield Footnote(
        'Section IV-D calls them p-values "over different testing images"; means and variances over draws give them'
    )


def _metric(entry: Published) -> str:
    return entry.metric.removesuffix(OF_TWO)


def _pair(entry: Published) -> tuple[str, str]:
    first, second = entry.denoiser.split("_vs_")
    return first, second


def _name(entry: Published) -> str:
    """``"kodak_niqe_s_said_vs_u_said"``."""
    return f"{entry.group}_{_metric(entry)}_{entry.denoiser}"


def _title(entry: Published) -> str:
    """``"Kodak NIQE, S-SAID and U-SAID"``."""
    benchmarks = {group: benchmark for benchmark, group in TABLES[entry.table].benchmarks.items()}
    data_set = DATASETS[BENCHMARKS[benchmarks[entry.group]].dataset].title
    return f"{data_set} {METRICS[_metric(entry)].title}, {' and '.join(TITLES[name] for name in _pair(entry))}"
