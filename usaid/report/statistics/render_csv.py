"""Statistics as tidy CSV: one score or difference a line."""

import csv
import io
import math
from collections.abc import Iterable, Iterator

from usaid.report.statistics.estimates import Comparison
from usaid.report.statistics.sections import Section
from usaid.report.tables.numbers import FURTHER_DIGITS_OF_CSV, p_plain, printed

COLUMNS = (
    *("benchmark", "table", "group", "metric", "unit", "convention", "kind", "denoiser", "other", "over", "test"),
    *("units", "value", "low", "high", "p", "p_corrected", "family", "family_size", "verdict", "reason"),
)


def render_statistics_csv(sections: Iterable[Section]) -> str:
    """The scores and differences of a benchmark, in the metrics' units; what does not exist is empty.

    ``units`` says how many of what: ``images=24;seeds=3``. A score has no p-value, family and verdict. A p-value below
    1e-300, which may be too small for a floating-point number, is printed as ``1e-300``.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([*_line(section, row)] for section in sections for row in section.comparisons)
    return stream.getvalue()


def _line(section: Section, row: Comparison) -> Iterator[str | int]:
    own, digits = row.estimate, row.metric.digits + FURTHER_DIGITS_OF_CSV
    is_score = row.other is None
    yield from (row.benchmark, section.spec.name, row.group, row.metric.name, row.metric.unit, row.convention)
    yield from ("score" if is_score else "difference", row.denoiser, row.other or "", own.over, own.test)
    yield ";".join(f"{unit}={n}" for unit, n in own.units.items())
    yield from (_number(value, digits) for value in (own.value, own.low, own.high))
    yield from map(p_plain, (own.p, row.p_corrected))
    yield from ("", "", "") if is_score else (row.family, row.family_size, row.verdict)
    yield row.reason


def _number(value: float | None, digits: int) -> str:
    return printed(value, digits) if value is not None and math.isfinite(value) else ""
