"""Statistics of a benchmark as a Markdown page: what can be said, the numbers behind it, and how to read them."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from usaid.cards import Metric
from usaid.report.statistics.estimates import LEVEL, PERMUTATION, Comparison, distinct
from usaid.report.statistics.explanation import explanation
from usaid.report.statistics.reading import reading, shown_pairs
from usaid.report.statistics.resampling import least_p
from usaid.report.statistics.sections import Section, repeated
from usaid.report.tables.numbers import (
    FURTHER_DIGITS,
    counted,
    counted_units,
    p_text,
    printed,
    printed_difference,
)
from usaid.report.tables.render_markdown import DASH, escaped, table_line
from usaid.report.tables.titles import heading

_LEAD = "**Reading.** What survives the correction for the number of comparisons, those with the noisy images aside:\n"


def render_statistics_markdown(benchmark: str, sections: Sequence[Section], left_out: Sequence[str] = ()) -> str:
    """What can be said of a benchmark, then a table for each table of the paper, source of chance and noise level.

    A section whose comparisons all stand in another one is named only.

    Args:
        benchmark: its name, which is that of the CSV file beside the page, too.
        sections: its comparisons.
        left_out: sentences, without their stops, on what is not there.
    """
    same = repeated(sections)
    shown = [section for index, section in enumerate(sections) if index not in same]
    repeats = _repeats(sections, same, benchmark)
    parts = [f"# Statistics of {escaped(benchmark)}", _readings(shown, repeats)]
    for section in shown:
        parts += [f"## {escaped(section.title)}", f"{_about(section, benchmark)}.", *_blocks(section)]
    return "\n\n".join([*parts, "## How to read this", explanation(shown, left_out)]) + "\n"


def _readings(sections: Sequence[Section], repeats: Iterable[str]) -> str:
    """What each section says, pair by pair; the page begins with it."""
    if not sections:
        return "**Reading.** Nothing was scored that a table shows."
    lines = []
    for own in sections:
        first, *statements = reading(own)
        lines.append(f"- [{escaped(own.title)}](#{_anchor(own.title)}): {first}.")
        lines += [f"  - {statement}." for statement in statements]
    return "\n".join([_LEAD, *lines, *(f"- {text}." for text in repeats)])


def _repeats(sections: Sequence[Section], same: Mapping[int, Section], benchmark: str) -> Iterable[str]:
    """What is not shown since it stands elsewhere on the page: a table, or some of its sections."""
    shown = {own.spec.title for index, own in enumerate(sections) if index not in same}
    texts: dict[str, None] = {}
    for index, other in same.items():
        own = sections[index]
        what = own.title if own.spec.title in shown else own.spec.title
        texts[f"{escaped(what)}: the same comparisons as {escaped(other.spec.title)}"] = None
    return [f"{text}; corrected as its own family [in the CSV file]({benchmark}.csv)" for text in texts]


def _anchor(title: str) -> str:
    """The fragment that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _about(section: Section, benchmark: str) -> str:
    """Test, family and what of it is shown, without a stop."""
    differences = section.differences
    tests = dict.fromkeys(row.estimate.test for row in differences if row.estimate.test)
    sizes = {row.family_size for row in differences}
    tested = len([row for row in distinct(differences).values() if row.p_corrected is not None])
    sentences = [f"Tests: {', '.join(tests)}"] if tests else ["Nothing to compare"]
    if tests and sizes != {0}:
        here = f", {tested} of them of this benchmark" if sizes != {tested} else ""
        several = f"{' or '.join(map(str, sorted(sizes)))} comparison{'' if sizes == {1} else 's'}"
        sentences.append(f"p-values are corrected for {several}{here}")
    pairs = {(row.denoiser, row.other) for row in differences}
    if section.over in ("images", "draws") and (alike := _of_one_training(section, pairs)):
        sentences.append(f"{alike} of the {len(pairs)} pairs in this family are two seeds of one way of training")
    sentences += _what_permutations_cannot_find(differences)
    if len(shown := shown_pairs(section)) < len(pairs):
        sentences.append(f"{len(shown)} of {len(pairs)} pairs are shown, [all are in the CSV file]({benchmark}.csv)")
    return ". ".join(sentences)


def _of_one_training(section: Section, pairs: Iterable[tuple[str, str | None]]) -> int:
    """How many pairs are two seeds of one training."""
    first = section.first_seeds
    return len([pair for pair in pairs if {*pair} <= {*first} and len({first[str(name)] for name in pair}) == 1])


def _what_permutations_cannot_find(differences: Sequence[Comparison]) -> Iterable[str]:
    """That the correction leaves no difference to a permutation test, whose p-values have a least one, if it does."""
    own = [row.estimate for row in distinct(differences).values()]
    tests = [estimate for estimate in own if estimate.test == PERMUTATION and estimate.p is not None]
    n = max((estimate.units["images"] for estimate in tests), default=0)
    if n and least_p(n) * len(tests) >= LEVEL:
        least = f"A permutation test of {counted(n, 'images')} gives no p below {least_p(n):.2g}"
        yield f"{least}: corrected for {counted(len(tests), 'such comparisons')} none can differ"


def _blocks(section: Section) -> Iterable[str]:
    """A table of scores and one of differences for each noise level, and why some are not tested."""
    shown = {*shown_pairs(section)}
    reasons: dict[str, int] = {}
    for level, rows in section.blocks.items():
        differences = [row for row in rows if (row.denoiser, row.other) in shown]
        tables = [("Score", [row for row in rows if row.other is None]), ("Difference", differences)]
        yield f"### {escaped(section.title)}, σ = {level}"
        yield from (_table(section, title, of_table, reasons) for title, of_table in tables if of_table)
    if reasons:
        yield "  \n".join(f"{_sup(number)} Not testable: {escaped(text)}." for text, number in reasons.items())


def _table(section: Section, title: str, rows: Iterable[Comparison], reasons: dict[str, int]) -> str:
    """Denoisers or pairs of them down, metrics across; reasons get their numbers."""
    titles = {name: escaped(own) for name, own in section.titles.items()}
    lines_of: dict[tuple[str, str | None], dict[str, Comparison]] = {}
    metrics: dict[str, str] = {}
    for row in rows:
        lines_of.setdefault((row.denoiser, row.other), {})[row.metric.name] = row
        metrics[row.metric.name] = _heading(row.metric, row.convention)
    lines = [table_line([title, "n", *metrics.values()]), table_line(["---", "---:", *[":---:"] * len(metrics)])]
    for pair, by_metric in lines_of.items():
        label = " − ".join(titles[name] for name in pair if name is not None)
        cells = [_cell(by_metric[metric], reasons) if metric in by_metric else DASH for metric in metrics]
        lines.append(table_line([label, _units(by_metric.values()), *cells]))
    return "\n".join(lines)


def _heading(metric: Metric, convention: str) -> str:
    """Title and unit; of a metric with several conventions the one in use."""
    return escaped(f"{metric.title} ({convention})" if len(metric.conventions) > 1 else heading(metric))


def _units(rows: Iterable[Comparison]) -> str:
    """``"24 images"``; where metrics have different numbers of them, all of these."""
    texts = (counted_units(row.estimate.units) for row in rows)
    return " or ".join(filter(None, dict.fromkeys(texts))) or DASH


def _cell(row: Comparison, reasons: dict[str, int]) -> str:
    own, digits = row.estimate, row.metric.digits + FURTHER_DIGITS
    is_difference = row.other is not None
    show = printed_difference if is_difference else printed
    value = show(own.value, digits) if math.isfinite(own.value) else DASH
    if own.not_testable is not None or own.low is None or own.high is None:
        return value + _sup(reasons.setdefault(own.not_testable or "no interval", len(reasons) + 1))
    text = f"{value} [{show(own.low, digits)}, {show(own.high, digits)}]"
    if row.p_corrected is not None:
        text += f", {_p_values(p_text(own.p), p_text(row.p_corrected))}"
    return f"**{text}**" if row.differs else text


def _p_values(raw: str, corrected: str) -> str:
    """``"p = 0.012 (0.036)"``; ``"p < 1e-15"`` where the corrected one is the same."""
    text = f"p {raw}" if raw.startswith("<") else f"p = {raw}"
    return text if raw == corrected else f"{text} ({corrected})"


def _sup(number: int) -> str:
    return f"<sup>{number}</sup>"
