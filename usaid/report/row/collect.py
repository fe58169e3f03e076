"""From the tables of an experiment to the rows of some denoisers."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.paper.layouts import TableSpec
from usaid.paper.published import paper_groups
from usaid.registries import BENCHMARKS, DATASETS, METRICS
from usaid.report.row.further import AGAINST, Time, differences_in, times_in
from usaid.report.tables.means import NOT_IN_EXPERIMENT
from usaid.report.tables.render_json import read_table
from usaid.report.tables.specs import spec_of_file
from usaid.report.tables.titles import sigma_name

SIGMA = 25.0
"""The one that is shown where a benchmark has several, 0-255 scale: all tables of the paper have it."""

TRUTH = "oracle_sigma"
"""Table IV's setting that is that of all other tables: non-blind methods are told the true sigma."""


class Column(NamedTuple):
    """What a column shows.

    Attributes:
        benchmark: its name.
        metric: its name.
        sigma: noise level as text, 0-255 scale.
    """

    benchmark: str
    metric: str
    sigma: str


@dataclass(frozen=True)
class Head:
    """What stands above a column: title of the data set; title and unit of the metric; ``higher`` or ``lower``."""

    data_set: str
    metric: str
    better: str


@dataclass(frozen=True)
class Number:
    """A number of a denoiser.

    Attributes:
        ours: as the table has it; None: there is none.
        low: lower end of its 95 % interval over images; None: there is none.
        high: upper end.
        n: images behind it.
        n_official: images of the split; None: not known.
        apart: it averages fewer images than others of its column.
        convention: of the metric, by name.
        reason: why there is no number; empty: there is one.
        deviations: what differs from the paper's protocol, sentences.
    """

    ours: str | None = None
    low: str | None = None
    high: str | None = None
    n: int | None = None
    n_official: int | None = None
    apart: bool = False
    convention: str = ""
    reason: str = ""
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """The numbers of a denoiser, one for each column."""

    denoiser: str
    title: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Rows:
    """What is rendered.

    Attributes:
        columns: each with what stands above it.
        lines: of the denoisers.
        left_out: title of a data set that was not scored at the noise levels asked for -> those that it was.
        times: title of a denoiser -> how long it takes; without those that were not timed.
        differences: of ``lines`` the last so many are paired differences of two denoisers.
    """

    columns: Mapping[Column, Head]
    lines: tuple[Line, ...]
    left_out: Mapping[str, tuple[str, ...]]
    times: Mapping[str, Time] = field(default_factory=dict)
    differences: int = 0


def collect_rows(
    results: str | Path,
    denoisers: Sequence[str],
    sigmas: Sequence[float] | None = (SIGMA,),
    with_differences: bool = False,
) -> Rows:
    """The rows of some denoisers of an experiment, from ``tables/table_*.json`` in its results.

    The columns are the same for all of its denoisers. What has no number in any row of the experiment's tables, since
    it was not asked for, has no column; a table that failed has those that its benchmark's card names.

    Args:
        results: folder of the experiment, ``results/mine``.
        denoisers: their names, in order.
        sigmas: noise levels to show where a benchmark has several, 0-255 scale; None: all.
        with_differences: below them, each minus U-SAID, as far as ``statistics/`` has it.

    Raises:
        UsaidError: there are no tables, no such denoiser, or no such sigma; a file is no table of this version.
    """
    tables = _tables_in(Path(results))
    read = [(spec, read_table(path)) for spec, path in tables if failure_in(path) is None]
    sizes = _sizes(Path(results, "tables", "provenance.json"))
    found: dict[Column, dict[str, Number]] = {}
    heads: dict[Column, Head] = {}
    for spec, table in read:
        for column, head, numbers in _columns_of(spec, table, sizes):
            heads.setdefault(column, head)
            found[column] = numbers | {n: own for n, own in found.get(column, {}).items() if own.ours is not None}
    for spec, path in tables:
        if failure := failure_in(path):
            for column, head in _columns_of_failed(spec, sigmas):
                heads.setdefault(column, head)
                of_column, reason = found.setdefault(column, {}), f"{spec.title} failed: {failure.reason}"
                of_column |= {name: Number(reason=reason) for name in denoisers if name not in of_column}
    titles = {one["name"]: one["title"] for _, table in reversed(read) for one in table["denoisers"]}
    _refuse_unknown(results, denoisers, read)
    shown = _of_sigmas([*heads], sigmas)
    left_out: dict[str, tuple[str, ...]] = {}
    for column, head in heads.items():
        if column.benchmark not in {one.benchmark for one in shown}:
            left_out[head.data_set] = tuple(dict.fromkeys([*left_out.get(head.data_set, ()), column.sigma]))
    absent = Number(reason=NOT_IN_EXPERIMENT)
    lines = [Line(name, titles[name], tuple(found[c].get(name, absent) for c in shown)) for name in denoisers]
    times = times_in(Path(results, "tables", "provenance.json"), denoisers)
    differences = _differences(Path(results), lines, shown, found, titles) if with_differences else []
    return Rows(
        _told_apart({column: heads[column] for column in shown}),
        (*lines, *differences),
        left_out,
        {titles[name]: time for name, time in times.items()},
        len(differences),
    )


def _differences(
    results: Path,
    lines: Sequence[Line],
    shown: Sequence[Column],
    found: Mapping[Column, Mapping[str, Number]],
    titles: Mapping[str, str],
) -> list[Line]:
    """A line for each of the denoisers minus U-SAID; none where no statistics compare them."""
    specs = {spec.name: spec for spec, _ in _tables_in(results)}

    def column_of(table: str, group: str, metric: str) -> Column | None:
        return _column(specs[table], group, metric) if table in specs else None

    below = []
    for line in lines:
        known = differences_in(results, line.denoiser, column_of) if line.denoiser != AGAINST else {}
        if not known:
            continue
        numbers = []
        for column, own in zip(shown, line.numbers, strict=True):
            if (difference := known.get(column)) is not None:
                value, low, high = difference
                numbers.append(replace(own, ours=value, low=low, high=high, deviations=()))
            else:
                theirs = found[column].get(AGAINST, Number(reason=NOT_IN_EXPERIMENT))
                numbers.append(Number(reason=own.reason or theirs.reason or "not compared"))
        title = f"{line.title} − {titles[AGAINST]}"
        below.append(Line(f"{line.denoiser}-{AGAINST}", title, tuple(numbers)))
    return below


def _tables_in(results: Path) -> list[tuple[TableSpec, Path]]:
    """The tables of means of denoisers, with what each is made from; Table IV last: others have its numbers, too."""
    paths = {path.stem.removeprefix("table_"): path for path in Path(results, "tables").glob("table_*.json")}
    if not paths:
        raise UsaidError(f"{results}: has no tables/table_*.json; run all_tables, or name the experiment's results")
    specs = [*map(spec_of_file, paths)]
    kept = [spec for spec in specs if spec.benchmarks and spec.ablated is None and not spec.over_draws]
    kept.sort(key=lambda spec: (spec.settings is not None, spec.number is None, spec.number or 0, spec.name))
    return [(spec, paths[spec.name]) for spec in kept]


def _sizes(provenance: Path) -> dict[str, int]:
    """Score file, as the tables name it -> number of images of its whole split; empty: the file is not there."""
    try:
        collected = json.loads(provenance.read_text(encoding="utf-8"))
        return {name: int(own["dataset"]["n_official"]) for name, own in collected.items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}


# ------------------------------------------------------------------------------------------------ columns of a table


def _columns_of(
    spec: TableSpec, table: Mapping[str, Any], sizes: Mapping[str, int]
) -> Iterable[tuple[Column, Head, dict[str, Number]]]:
    """The columns that a table fills, each with the numbers of its denoisers."""
    footnotes = {note["letter"]: note["text"] for note in table["footnotes"] if note["is_deviation"]}
    of_all = [note["text"] for note in table["footnotes"] if note["is_deviation"] and not note["letter"]]
    letters = {(kind, one["name"]): one["letters"] for kind in _KINDS.values() for one in table[kind]}
    metrics = {one["name"]: one for one in table["metrics"]}
    cells: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for cell in table["cells"]:
        cells.setdefault((cell["group"], cell["metric"]), []).append(cell)
    for (group, metric), own in cells.items():
        column = _column(spec, group, metric)
        if column is None or all(cell["ours"] is None and NOT_IN_EXPERIMENT in cell["note"] for cell in own):
            continue
        numbers = {}
        for cell in own:
            about = ",".join([cell["letters"], *(letters[kind, cell[key]] for key, kind in _KINDS.items())]).split(",")
            deviations = [footnotes[letter] for letter in dict.fromkeys(about) if letter and letter in footnotes]
            numbers[cell["denoiser"]] = _number(cell, sizes, (*of_all, *deviations))
        yield column, _head(column, *(metrics[metric][key] for key in ("title", "unit", "better"))), numbers


_KINDS = {"group": "groups", "denoiser": "denoisers", "metric": "metrics"}


def _column(spec: TableSpec, group: str, metric: str) -> Column | None:
    """The column of a group and metric; None: it has none, as further conventions of printed metrics."""
    if metric in METRICS and METRICS[metric].printed_as is not None:
        return None
    benchmarks = {name: benchmark for benchmark, name in spec.benchmarks.items() if name is not None}
    if group in benchmarks and spec.sigma is not None:
        return Column(benchmarks[group], metric, sigma_name(spec.sigma))
    setting, _, sigma = group.rpartition("/")
    return Column(next(iter(spec.benchmarks)), metric, sigma) if setting in ("", TRUTH) else None


def _number(cell: Mapping[str, Any], sizes: Mapping[str, int], deviations: tuple[str, ...]) -> Number:
    if cell["ours"] is None:
        return Number(reason=cell["note"].removesuffix("; not in the paper"))
    official = next((sizes[name] for name in cell["scores"] if name in sizes), None)
    interval = (cell["low"], cell["high"])
    return Number(
        cell["ours"], *interval, cell["n"], official, cell["apart"], cell["convention"], deviations=deviations
    )


def _columns_of_failed(spec: TableSpec, sigmas: Sequence[float] | None) -> Iterable[tuple[Column, Head]]:
    """The columns that a table would fill, as far as its cards tell."""
    printed = [group.rpartition("/")[2] for group in paper_groups(spec.number)]
    levels = [*dict.fromkeys(printed)] if sigmas is None else [sigma_name(sigma) for sigma in sigmas]
    for benchmark in spec.benchmarks:
        for sigma in [sigma_name(spec.sigma)] if spec.sigma is not None else levels:
            for name in spec.metrics:
                column, metric = Column(benchmark, name, sigma), METRICS[name]
                yield column, _head(column, metric.title, metric.unit, metric.better)


def _head(column: Column, title: str, unit: str, better: str) -> Head:
    card = BENCHMARKS.get(column.benchmark)
    data_set = column.benchmark if card is None else DATASETS[card.dataset].title
    return Head(data_set, f"{title} ({unit})" if unit else title, better)


def _told_apart(heads: Mapping[Column, Head]) -> dict[Column, Head]:
    """The heads, with the benchmark where two of one data set have the same metric."""
    found = Counter((head, column.sigma) for column, head in heads.items())
    return {
        column: head
        if found[head, column.sigma] == 1
        else replace(head, data_set=f"{head.data_set} ({column.benchmark})")
        for column, head in heads.items()
    }


# ------------------------------------------------------------------------------------------------ what was asked for


def _refuse_unknown(
    results: str | Path, denoisers: Iterable[str], tables: Iterable[tuple[TableSpec, Mapping[str, Any]]]
) -> None:
    scored = dict.fromkeys(cell["denoiser"] for _, table in tables for cell in table["cells"] if cell["scores"])
    for name in denoisers:
        if name not in scored:
            known = f"must be one of {', '.join(scored)}" if scored else "no table of the experiment could be made"
            raise UsaidError(f"denoiser {name!r}: has no scores in {results}; {known}")


def _of_sigmas(columns: Sequence[Column], sigmas: Sequence[float] | None) -> list[Column]:
    """The columns of some noise levels, each benchmark's together; of a benchmark that has but one, that one."""
    levels: dict[str, dict[str, None]] = {}
    for column in columns:
        levels.setdefault(column.benchmark, {})[column.sigma] = None
    asked = None if sigmas is None else {sigma_name(sigma) for sigma in sigmas}
    there = {sigma for of_benchmark in levels.values() for sigma in of_benchmark}
    for sigma in sorted((asked or set()) - there, key=float):
        known = ", ".join(sorted(there, key=float))
        raise UsaidError(f"--sigma {sigma}: no benchmark was scored at it; must be among {known}, or all")
    shown = [c for c in columns if asked is None or c.sigma in asked or len(levels[c.benchmark]) == 1]
    order = {benchmark: index for index, benchmark in enumerate(levels)}
    return sorted(shown, key=lambda column: (order[column.benchmark], float(column.sigma)))
