"""Comparisons of two denoisers as plain text, for a terminal."""

import math
from collections.abc import Iterable, Sequence

from usaid.errors import one_line
from usaid.report.statistics.estimates import BOTH_NEEDED, CONFIDENCE, PERMUTATION, Comparison, Over
from usaid.report.tables.numbers import FURTHER_DIGITS, counted_units, p_text, printed, printed_difference
from usaid.report.tables.titles import heading

DASH = "-"

_OTHERS: dict[Over, str] = {
    "images": "other images of this kind, with these draws of the noise and from these trainings",
    "draws": "other noise, on these images and from these trainings",
    "seeds": "other trainings by the same recipes, on these images and with these draws of the noise",
    "all": "other images, noise and trainings, as far as one of the two has several",
}
"""What would have been other where the difference had been another one in its interval."""


def render_text(comparisons: Sequence[Comparison]) -> str:
    """A table with one difference a line, and below it how to read them; names keep no codes that a terminal obeys.

    Args:
        comparisons: of two denoisers, one or more, as :func:`usaid.report.statistics.compare.compare_all` gives them.
    """
    differences = [one for one in comparisons if one.other is not None]
    scores = {
        (one.group, one.metric.name, one.denoiser): one.estimate.value for one in comparisons if one.other is None
    }
    first, second = differences[0].denoiser, str(differences[0].other)
    columns = ("sigma", "metric", "convention", first, second, "difference", "95 % interval", "p", "corrected p")
    lines = [[*columns, "verdict"]]
    for one in differences:
        values = [scores[one.group, one.metric.name, name] for name in (first, second)]
        shown = [_printed(value, one.metric.digits + FURTHER_DIGITS) for value in values]
        lines.append([one.group, heading(one.metric), one.convention, *shown, *_difference(one)])
    return f"{_aligned([[*map(one_line, line)] for line in lines])}\n\n{one_line(_explanation(differences))}\n"


def _printed(value: float, digits: int) -> str:
    return printed(value, digits) if math.isfinite(value) else DASH


def _difference(one: Comparison) -> list[str]:
    """Difference, interval, both p-values and verdict."""
    estimate, digits = one.estimate, one.metric.digits + FURTHER_DIGITS
    value = printed_difference(estimate.value, digits) if math.isfinite(estimate.value) else DASH
    verdict = f"{one.verdict}: {one.reason}" if one.reason else one.verdict
    if estimate.low is None or estimate.high is None:
        return [value, DASH, DASH, DASH, verdict]
    interval = f"[{', '.join(printed_difference(end, digits) for end in (estimate.low, estimate.high))}]"
    p_values = [p_text(p) or DASH for p in (estimate.p, one.p_corrected)]
    return [value, interval, *p_values, verdict]


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _explanation(differences: Sequence[Comparison]) -> str:
    """How to read the differences, in one sentence."""
    one, tested = differences[0], [each for each in differences if each.p_corrected is not None]
    what = f"{one.denoiser} - {one.other} on {one.benchmark}, over {one.estimate.over}"
    if not tested:
        return f"{what}: nothing could be tested."
    units = _listed(counted_units(each.estimate.units) for each in tested)
    count = len(tested)
    correction = f", corrected by Holm's method for {count} comparisons," if count > 1 else ""
    tests = _listed(each.estimate.test for each in tested)
    too = ""
    if any(each.estimate.test == PERMUTATION for each in tested):
        too = f" and the interval leaves out 0 ({BOTH_NEEDED})"
    lower = _listed(each.metric.title for each in differences if each.metric.better == "lower")
    return (
        f"{what} ({units}; {tests}): an interval is where the difference would lie with "
        f"{_OTHERS[one.estimate.over]}; the two differ where p{correction} is below {1 - CONFIDENCE:.2f}{too}, and "
        f"no difference found does not mean equal{f'; lower is better for {lower}' if lower else ''}."
    )


def _listed(texts: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(texts))
