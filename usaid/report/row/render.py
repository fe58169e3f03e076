"""Rows for a leaderboard as Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import groupby

from usaid.errors import UsaidError, one_line
from usaid.report.row.collect import Number, Rows
from usaid.report.row.further import Time
from usaid.report.tables import render_markdown, render_tex
from usaid.report.tables.render_markdown import DASH, table_line

CSV_COLUMNS = (
    *("denoiser", "title", "benchmark", "metric", "convention", "sigma", "value", "low", "high", "n", "n_official"),
    "note",
)

_ARROWS = {"higher": "↑", "lower": "↓"}


def render_rows(rows: Rows, style: str = "markdown", with_header: bool = True) -> str:
    """The rows, and below them what their numbers are.

    Args:
        rows: columns and lines.
        style: ``markdown``; ``latex``, a ``tabular`` for the packages amssymb, booktabs and graphicx; ``csv``, a number
            a line, whose columns are :data:`CSV_COLUMNS`.
        with_header: whether they can be pasted alone; else below rows of the same columns. LaTeX's notes are comments
            then.

    Raises:
        UsaidError: another style.
    """
    if style not in STYLES:
        raise UsaidError(f"--format {style}: must be one of {', '.join(STYLES)}")
    return STYLES[style](rows, with_header)


# ------------------------------------------------------------------------------------------------ notes


def _notes(rows: Rows) -> list[str]:
    """What the numbers are, as plain sentences: intervals, conventions and n, deviations, reasons of dashes."""
    numbers = {column: [line.numbers[place] for line in rows.lines] for place, column in enumerate(rows.columns)}
    intervals = any(number.low is not None for own in numbers.values() for number in own)
    notes = [f"Scores{' [95 % interval over images]' * intervals}; ↑: higher is better, ↓: lower is better"]
    for _, columns in groupby(rows.columns, lambda column: column.benchmark):
        of_benchmark = [*columns]
        known = [number for column in of_benchmark for number in numbers[column] if number.ours is not None]
        if known:
            conventions = ", ".join(dict.fromkeys(number.convention for number in known))
            notes.append(f"{rows.columns[of_benchmark[0]].data_set}: {conventions}; n = {_n(known)}")
    deviations: dict[str, dict[str, None]] = {}
    for column, own in numbers.items():
        for text in dict.fromkeys(text for number in own for text in number.deviations):
            deviations.setdefault(text.removesuffix("."), {})[rows.columns[column].data_set] = None
    notes += [f"{text} ({', '.join(data_sets)})" for text, data_sets in deviations.items()]
    notes += [f"{DASH} {', '.join(places)}: {reason}" for reason, places in _dashes(rows).items()]
    if rows.differences:
        notes.append(f"−: paired differences over images{', with their 95 % interval' * intervals}")
    if rows.times:
        times = "; ".join(f"{title} {_seconds(time)} ({time.device})" for title, time in rows.times.items())
        notes.append(f"Seconds for an image of 768x512 pixels, the denoiser alone: {times}")
    notes += [f"{title} was scored at σ = {', '.join(sigmas)} only" for title, sigmas in rows.left_out.items()]
    return [f"{one_line(note)}." for note in notes]


def _seconds(time: Time) -> str:
    return f"{time.seconds:.3g}"


def _n(numbers: Iterable[Number]) -> str:
    """``"80 of 1,449"``: of those that average all images."""
    counts = dict.fromkeys((one.n, one.n_official) for one in numbers if not one.apart)
    return " or ".join(f"{n:,}" if official is None else f"{n:,} of {official:,}" for n, official in counts if n)


def _dashes(rows: Rows) -> Mapping[str, Iterable[str]]:
    """Reason -> where there is no number for it: ``"Kodak"``, ``"Kodak SSIM, σ = 25"``; of several lines with title."""
    places: dict[str, dict[str, None]] = {}
    for line in rows.lines:
        of = f"{line.title}, " if len(rows.lines) > 1 else ""
        by_column = zip(rows.columns.items(), line.numbers, strict=True)
        for data_set, group in groupby(by_column, lambda item: item[0][1].data_set):
            own = [(column, head, number.reason) for (column, head), number in group]
            whole = len({reason for *_, reason in own}) == 1
            for column, head, reason in own:
                place = data_set if whole else f"{data_set} {head.metric}, σ = {column.sigma}"
                places.setdefault(reason, {})[f"{of}{place}"] = None
    places.pop("", None)
    return places


# ------------------------------------------------------------------------------------------------ Markdown


def _markdown(rows: Rows, with_header: bool) -> str:
    escaped = render_markdown.escaped
    heads = [
        f"{escaped(head.data_set)}<br>{escaped(head.metric)} {_ARROWS[head.better]}<br>σ = {column.sigma}"
        for column, head in rows.columns.items()
    ]
    header = [table_line(["Denoiser", *heads]), table_line(["---", *[":---:"] * len(heads)])]
    lines = [table_line([escaped(line.title), *map(_text, line.numbers)]) for line in rows.lines]
    return "\n".join([*(header if with_header else []), *lines, "", "  \n".join(map(escaped, _notes(rows))), ""])


def _text(number: Number) -> str:
    if number.ours is None:
        return DASH
    interval = "" if number.low is None else f" [{number.low}, {number.high}]"
    return f"{number.ours}{interval}{_own_n(number)}"


def _own_n(number: Number) -> str:
    return f" (n = {number.n:,})" if number.apart else ""


# ------------------------------------------------------------------------------------------------ LaTeX

_TEX_HEAD = r"""%% Needs \usepackage{amssymb,booktabs,graphicx}.
\noindent\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{@{}l%(columns)s@{}}
\toprule
 & %(groups)s \\
%(rules)s
Denoiser & %(metrics)s \\
\midrule"""

_TEX_FOOT = r"""\bottomrule
\end{tabular}}
\par\smallskip\noindent
\parbox{\linewidth}{\footnotesize\raggedright
%(notes)s}"""


def _latex(rows: Rows, with_header: bool) -> str:
    lines = [_tex_line([_tex_title(line.title), *map(_tex_cell, line.numbers)]) for line in rows.lines]
    notes = [*map(render_tex.escaped, _notes(rows))]
    if not with_header:
        return "\n".join([*lines, *(f"% {note}" for note in notes), ""])
    return "\n".join([_tex_head(rows), *lines, _TEX_FOOT % {"notes": "\\par\n".join(notes)}, ""])


def _tex_head(rows: Rows) -> str:
    """Data set and noise level above the metrics."""
    groups, rules, place = [], [], 2
    by_group = groupby(rows.columns.items(), lambda item: (item[1].data_set, item[0].sigma))
    for (data_set, sigma), columns in by_group:
        width = len([*columns])
        title = render_tex.escaped(f"{data_set}, σ = {sigma}")
        groups.append(rf"\multicolumn{{{width}}}{{c}}{{{title}}}")
        rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    metrics = [render_tex.escaped(f"{head.metric} {_ARROWS[head.better]}") for head in rows.columns.values()]
    return _TEX_HEAD % {
        "columns": "c" * len(metrics),
        "groups": " & ".join(groups),
        "rules": " ".join(rules),
        "metrics": " & ".join(metrics),
    }


def _tex_line(entries: Iterable[str]) -> str:
    return " & ".join(entries) + r" \\"


def _tex_title(title: str) -> str:
    """A title; one that would be taken for an argument of the line break before it is set apart."""
    return "{}" * title.startswith(("[", "*")) + render_tex.escaped(title)


def _tex_cell(number: Number) -> str:
    """A number above its interval."""
    if number.ours is None:
        return render_tex.DASH
    ours = _tex_number(number.ours) + _own_n(number)
    if number.low is None or number.high is None:
        return ours
    return rf"\shortstack{{{ours} \\ {{\scriptsize [{_tex_number(number.low)}, {_tex_number(number.high)}]}}}}"


def _tex_number(text: str) -> str:
    return render_tex.escaped(text.replace("-", "−"))


# ------------------------------------------------------------------------------------------------ CSV


def _csv(rows: Rows, with_header: bool) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if with_header:
        writer.writerow(CSV_COLUMNS)
    for line in rows.lines:
        for column, number in zip(rows.columns, line.numbers, strict=True):
            ours = None if number.ours is None else number.ours.replace("∞", "inf")
            values = (column.sigma, ours, number.low, number.high, number.n, number.n_official)
            notes = "; ".join([number.reason] if number.reason else number.deviations)
            names = (line.denoiser, line.title, column.benchmark, column.metric, number.convention)
            writer.writerow(["" if value is None else _harmless(value) for value in (*names, *values, notes)])
        if (time := rows.times.get(line.title)) is not None:
            what = (line.denoiser, line.title, "", "seconds", "768x512 pixels, the denoiser alone", "")
            writer.writerow([_harmless(value) for value in (*what, _seconds(time), "", "", "", "", time.device)])
    return stream.getvalue()


def _harmless(value: str | int) -> str | int:
    """A text that a spreadsheet would take for a formula, with an apostrophe before it; numbers as they are."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    return value if value[1:].replace(".", "").isdecimal() or value == "-inf" else f"'{value}"


STYLES = {"markdown": _markdown, "latex": _latex, "csv": _csv}
"""The formats by name."""
