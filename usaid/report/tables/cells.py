"""What a table is: its cells, their order on the page, and its footnotes; written as CSV, LaTeX or Markdown."""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from usaid.files import written_atomically
from usaid.report.tables.numbers import as_printed
from usaid.report.tables.render_csv import render_csv
from usaid.report.tables.render_markdown import render_markdown
from usaid.report.tables.render_tex import render_tex
from usaid.paper.layouts import Metric


class Place(NamedTuple):
    """Which number: group, method and metric in the words of :class:`usaid.paper.published.Published`."""

    group: str
    method: str
    metric: str


class Mark(NamedTuple):
    """What a footnote is about, if not a single cell: all of a group, of a method or of a metric."""

    group: str | None = None
    method: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Cell:
    """One number of a table, ours and the paper's.

    Attributes:
        place: which number.
        ours: our value in the paper's unit, not rounded; None: there is none.
        paper: the paper's value; None: it prints none.
        n: number of images behind ``ours``.
        note: conventions, reasons for a missing value, deviations; for the CSV file.
        rank: 1 for the best and 2 for the second best of the compared denoisers.
    """

    place: Place
    ours: float | None
    paper: float | None
    n: int | None = None
    note: str = ""
    rank: int | None = None


@dataclass(frozen=True)
class Footnote:
    """A sentence (without its stop) below a table, about all of it or about the cells, rows or columns in ``marks``."""

    text: str
    marks: tuple[Mark | Place, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where the cells stand on the page.

    Attributes:
        groups: name -> title, in order; a table with one group does not show its title.
        metrics: in order.
        methods: name -> title, in order.
        rows: which of metrics and methods are the rows of each group; the others are the columns.
        side_by_side: for a table whose rows are methods and whose groups stand beside each other: title of a block of
            rows -> names of its groups, of which each block has as many, with what heads their columns.
    """

    groups: Mapping[str, str]
    metrics: tuple[Metric, ...]
    methods: Mapping[str, str]
    rows: Literal["metrics", "methods"] = "metrics"
    side_by_side: Mapping[str, Mapping[str, str]] | None = None


class Heading(NamedTuple):
    """A title on the page, with the letters of its footnotes."""

    text: str
    letters: str


class Row(NamedTuple):
    """A line of cells on the page."""

    group: Heading
    label: Heading
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table of the paper, made again.

    Attributes:
        number: 1 to 10.
        caption: what it shows, without a final stop.
        cells: in order of group, method and metric.
        layout: where they stand.
        footnotes: in order; those with marks get the letters a, b, ...
    """

    number: int
    caption: str
    cells: tuple[Cell, ...]
    layout: Layout
    footnotes: tuple[Footnote, ...]

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics by name."""
        return {metric.name: metric for metric in self.layout.metrics}

    @cached_property
    def lettered_footnotes(self) -> tuple[tuple[str, Footnote], ...]:
        """The footnotes, each with its letter; "" for one that is about the whole table."""
        with_marks = [footnote for footnote in self.footnotes if footnote.marks]
        return tuple((_letter(with_marks.index(one)) if one.marks else "", one) for one in self.footnotes)

    def letters(self, mark: Mark | Place) -> str:
        """Letters of the footnotes about ``mark``, e.g. ``"a,c"``."""
        return ",".join(letter for letter, footnote in self.lettered_footnotes if mark in footnote.marks)

    def delta(self, cell: Cell) -> float | None:
        """Ours as printed minus the paper's, so that the page adds up; None if either is missing."""
        if cell.ours is None or cell.paper is None:
            return None
        return as_printed(cell.ours, self.metrics[cell.place.metric].digits) - cell.paper

    def columns(self) -> tuple[Heading, ...]:
        """The headings of the columns of cells."""
        if self.layout.side_by_side is not None:
            heads = next(iter(self.layout.side_by_side.values())).values()
            return tuple(k._replace(text=f"{head}, {k.text}") for head in heads for k in self._metric_headings())
        return self._method_headings() if self.layout.rows == "metrics" else self._metric_headings()

    def blocks(self) -> list[list[Row]]:
        """The rows of each group, or of the groups that stand beside each other."""
        cells = {cell.place: cell for cell in self.cells}
        if self.layout.side_by_side is not None:
            return [
                [
                    Row(
                        self._group_heading(title, groups), label, tuple(cells[p] for p in self._places(groups, method))
                    )
                    for method, label in zip(self.layout.methods, self._method_headings(), strict=True)
                ]
                for title, groups in self.layout.side_by_side.items()
            ]
        labels = self._metric_headings() if self.layout.rows == "metrics" else self._method_headings()
        blocks = []
        for name, title in self.layout.groups.items():
            by_metric = [[cells[Place(name, m, k.name)] for m in self.layout.methods] for k in self.layout.metrics]
            lines = by_metric if self.layout.rows == "metrics" else zip(*by_metric, strict=True)
            blocks.append(
                [
                    Row(self._group_heading(title, [name]), label, tuple(line))
                    for label, line in zip(labels, lines, strict=True)
                ]
            )
        return blocks

    def _places(self, groups: Iterable[str], method: str) -> list[Place]:
        """A row of groups that stand beside each other."""
        return [Place(group, method, metric.name) for group in groups for metric in self.layout.metrics]

    def _group_heading(self, title: str, groups: Iterable[str]) -> Heading:
        letters = (self.letters(Mark(group=group)) for group in groups)
        return Heading(title, ",".join(dict.fromkeys(filter(None, letters))))

    def _method_headings(self) -> tuple[Heading, ...]:
        return tuple(Heading(t, self.letters(Mark(method=m))) for m, t in self.layout.methods.items())

    def _metric_headings(self) -> tuple[Heading, ...]:
        return tuple(Heading(k.title, self.letters(Mark(metric=k.name))) for k in self.layout.metrics)

    def to_csv(self, path: str | Path) -> None:
        """Write the cells, one a line, with the columns table, group, method, metric, ours, paper, delta, n, note."""
        _write(path, render_csv(self))

    def to_tex(self, path: str | Path) -> None:
        r"""Write a LaTeX ``table`` to be read with ``\input``; its first lines name the packages that it needs."""
        _write(path, render_tex(self))

    def to_markdown(self, path: str | Path) -> None:
        """Write a Markdown (GitHub) table."""
        _write(path, render_markdown(self))


def _letter(index: int) -> str:
    """a, b, ... z, aa, bb, ..."""
    alphabet = string.ascii_lowercase
    return alphabet[index % len(alphabet)] * (1 + index // len(alphabet))


def _write(path: str | Path, text: str) -> None:
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
