"""Every printed number with its verdict, as the tables have it: the list, and how many there are of each verdict."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.paper.layouts import TABLES
from usaid.paper.published import OF_TWO, Published, all_published
from usaid.registries import METRICS
from usaid.report.tables.draws_table import COMPARED
from usaid.report.tables.means import NOT_IN_EXPERIMENT
from usaid.report.tables.numbers import SMALL_P, printed, scientific
from usaid.report.tables.render_markdown import table_line
from usaid.report.tables.verdicts import INSIDE, tolerance_of
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED

LIST = "verdicts.csv"
"""The list's file, beside the tables."""


class Judged(NamedTuple):
    """A printed number and what we say of it; the names of the columns of the list. Numbers are as printed, or empty.

    Attributes:
        difference: ours minus the paper's.
        tolerance: how much it may be.
        low: lower end of the 95 % interval of ours.
        high: upper end of it.
        n: images behind ours.
        verdict: one of :data:`usaid.report.tables.verdicts.WORDS`.
        reason: of the verdict.
    """

    table: int
    group: str
    metric: str
    denoiser: str
    paper: str
    ours: str
    difference: str
    tolerance: str
    low: str
    high: str
    n: str
    verdict: str
    reason: str


def judged(tables: Iterable[str | Path]) -> list[Judged]:
    """Every number that the paper prints, in the order of print, with the verdict that its table has.

    Args:
        tables: files of the tables that the experiment makes, ``table_6.csv``; a failed one says why in its place.

    Raises:
        UsaidError: a file is not the CSV file of a table of this version.
    """
    files = {Path(table).stem: Path(table).with_suffix(".csv") for table in tables}
    found = []
    for number, entries in groupby(all_published(), key=lambda entry: entry.table):
        cells, reason = _cells(files.get(f"table_{number}"))
        found += [
            _judged(entry, cells.get((entry.group, entry.metric, column_of(entry.metric, entry.denoiser))), reason)
            for entry in entries
        ]
    return found


_Cells = Mapping[tuple[str, str, str], Mapping[str, str]]
"""Group, metric and denoiser -> a line of a table's CSV file."""


def _cells(file: Path | None) -> tuple[_Cells, str]:
    """The cells of a table, and why a number that is not among them is not tested."""
    if file is None:
        return {}, NOT_IN_EXPERIMENT
    if failure := failure_in(file):
        return {}, f"the table failed: {failure.reason}"
    try:
        rows = [*csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline=""))]
        cells = {(row["group"], row["metric"], row["denoiser"]): row for row in rows if row["verdict"]}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UsaidError(f"{file}: not a table of this version ({error!r}); delete it and rerun") from None
    return cells, "not in our table"


def column_of(metric: str, denoiser: str) -> str:
    """The column of a printed number in our table: a p-value stands in that of the denoiser that is compared."""
    if not metric.endswith(OF_TWO):
        return denoiser
    return next(name for name in denoiser.split("_vs_") if name != COMPARED)


def _judged(entry: Published, cell: Mapping[str, str] | None, reason: str) -> Judged:
    known = cell or {"paper": _as_in_print(entry), "verdict": NOT_TESTED, "reason": reason}
    tolerance = tolerance_of(entry.metric)
    return Judged(
        entry.table,
        entry.group,
        entry.metric,
        entry.denoiser,
        tolerance="" if tolerance is None else f"{tolerance:g}",
        difference=known.get("delta", ""),
        **{name: known.get(name, "") for name in ("paper", "ours", "low", "high", "n", "verdict", "reason")},
    )


def _as_in_print(entry: Published) -> str:
    """The number with the digits that it is printed with."""
    if not entry.half_unit:
        return f"{entry.value:g}"
    last = round(math.log10(2 * entry.half_unit))
    if entry.value >= SMALL_P:
        return printed(entry.value, -last)
    return scientific(entry.value, math.floor(math.log10(entry.value)) - last)


def render_list(numbers: Sequence[Judged]) -> str:
    """The list as CSV, a number a line."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([Judged._fields, *numbers])
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------ how many of each

KINDS = (HOLDS, f"{HOLDS} by interval alone", DOES_NOT_HOLD, NOT_COMPARABLE, NOT_TESTED)
"""The columns of the counts."""


def render_counts(numbers: Sequence[Judged]) -> str:
    """How many numbers there are of each verdict, in all and by table, and how to read it, as Markdown.

    Args:
        numbers: those of :func:`judged`.
    """
    of_tables = [(number, [*own]) for number, own in groupby(numbers, key=lambda one: one.table)]
    rows = [(TABLES[number].title, Counter(map(_kind, own))) for number, own in of_tables]
    rows.append(("All", Counter(map(_kind, numbers))))
    lines = [
        table_line(["", *(f"{kind[0].upper()}{kind[1:]}" for kind in KINDS), "Printed"]),
        table_line(["---", *["---:"] * (len(KINDS) + 1)]),
        *(table_line([name, *(str(n[kind]) for kind in KINDS), str(n.total())]) for name, n in rows),
    ]
    return "\n".join(["## Do the printed numbers hold?", "", _how_to_read(), "", *lines])


def _kind(number: Judged) -> str:
    if number.verdict == HOLDS:
        return KINDS[1] if INSIDE in number.reason else KINDS[0]
    return number.verdict


def _how_to_read() -> str:
    """One sentence on what the words mean, with the tolerances that the metrics' cards have."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for spec in TABLES.values() for name in spec.metrics if name in METRICS):
        metric = METRICS[name]
        if metric.tolerance is not None:
            unit = "points" if metric.unit == "%" else metric.unit
            alike.setdefault(f"{metric.tolerance:g} {unit}".rstrip(), []).append(metric.title)
    tolerances = "; ".join(f"{', '.join(titles)} {tolerance}" for tolerance, titles in alike.items())
    return (
        f"A printed number *holds* if ours, of the same images, differs by no more than its tolerance ({tolerances}), "
        "or if it lies inside our 95 % interval over noise draws; it is *not comparable* if other images, another "
        "network, convention or training made ours, and *not tested* if there is none of ours. "
        f"[Each number with its reason]({LIST})."
    )
