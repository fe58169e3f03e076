"""A table as GitHub Markdown: ours, the paper's value, the difference and n."""

import re
from collections.abc import Iterable

from usaid.report.tables.cells import APART, Cell, Heading, Row, Table
from usaid.report.tables.ranks import TIES, legend_of_ranks

DASH = "–"


def render_markdown(table: Table) -> str:
    """The table in the paper's layout, each cell as ``ours (the paper's, the difference)``, and its footnotes."""
    with_groups = len(table.layout.groups) > 1
    with_n = any(cell.n is not None for cell in table.cells)
    columns = [_heading(column) for column in table.columns()]
    head = [""] * (1 + with_groups) + columns + ["n"] * with_n
    align = ["---"] * (1 + with_groups) + [":---:"] * len(columns) + ["---:"] * with_n
    lines = [table_line(head), table_line(align)]
    for block in table.blocks():
        for row in block:
            labels = [_heading(row.group)] * with_groups + [_heading(row.label)]
            lines.append(table_line([*labels, *(_cell(table, cell) for cell in row.cells), *[_n(row)] * with_n]))
    made_again = ", made again" * table.spec.is_made_again
    title = f"**{escaped(table.spec.title)}{made_again}.** {escaped(table.caption)}."
    notes = [f"{_sup(letter)} {escaped(footnote.text)}.".lstrip() for letter, footnote in table.lettered_footnotes]
    return "\n".join([title, "", *lines, "", "  \n".join([_legend(table), *notes]), ""])


def escaped(text: str) -> str:
    """Plain text for Markdown: characters that would format, break a table or look like HTML are escaped."""
    text = re.sub(r"([\\`*\[\]<>|~])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def table_line(entries: Iterable[str]) -> str:
    """One line of a Markdown table; the entries are Markdown."""
    return f"| {' | '.join(entries)} |"


def _heading(heading: Heading) -> str:
    return escaped(heading.text) + _sup(heading.letters)


def _sup(letters: str) -> str:
    return f"<sup>{letters}</sup>" if letters else ""


def _cell(table: Table, cell: Cell) -> str:
    number = table.number_format(cell.place)
    ours = DASH if cell.ours is None else number.text(cell.ours)
    ours = _marked(ours, cell)
    ours += (f" (n = {cell.n:,})" if cell.apart else "") + _sup(table.letters(cell.place))
    if cell.paper is None:
        return ours
    paper = number.text(cell.paper)
    if number.style != "check" and (delta := table.delta(cell)) is not None:
        paper += f", {number.difference(delta)}"
    return f"{ours} ({paper})"


def _marked(number: str, cell: Cell) -> str:
    """A number with the mark of its rank, as text too where others share it."""
    if cell.rank is None:
        return number
    return f"{number} {TIES[cell.rank]}" if cell.tied else {1: f"**{number}**", 2: f"<u>{number}</u>"}[cell.rank]


def _n(row: Row) -> str:
    """Number of images behind the row, or the range of it over the columns."""
    counts = sorted({cell.n for cell in row.cells if cell.n is not None})
    return DASH if not counts else "–".join(f"{count:,}" for count in dict.fromkeys([counts[0], counts[-1]]))


def _legend(table: Table) -> str:
    legend = table.layout.legend
    what = "Ours (the paper's, ours minus the paper's)." if legend is None else escaped(legend)
    ranks = legend_of_ranks(table, "**Best**", "<u>second best</u>", escaped)
    return " ".join(filter(None, [what, ranks, APART * any(cell.apart for cell in table.cells)]))
