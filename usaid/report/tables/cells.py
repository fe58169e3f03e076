"""What a table is: its cells, their order on the page, and its footnotes."""

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from usaid.cards import Metric
from usaid.paper.layouts import TableSpec
from usaid.report.tables.numbers import NumberFormat
from usaid.report.tables.titles import heading


class Place(NamedTuple):
    """Which number: group, denoiser and metric in the words of :class:`usaid.paper.published.Published`."""

    group: str
    denoiser: str
    metric: str


class Mark(NamedTuple):
    """What a footnote is about, if not a single cell: all of a group, of a denoiser or of a metric."""

    group: str | None = None
    denoiser: str | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Cell:
    """One number of a table, ours and the paper's.

    Attributes:
        place: which number.
        ours: our value in the paper's unit, not rounded; None: there is none.
        paper: the paper's value; None: it prints none.
        n: number of images behind ``ours``.
        apart: these are not all the images behind the other cells of its group and metric: ``n`` stands beside
            the number.
        note: conventions, reasons for a missing value, deviations; for the CSV file.
        rank: 1 for the best and 2 for the second best of the compared denoisers (:mod:`usaid.report.tables.ranks`).
        tied: others have the same rank.
        low: lower end of the 95 % interval of ``ours``; None: there is none.
        high: upper end of it.
        verdict: of the printed number (:mod:`usaid.report.tables.verdicts`); empty: the paper prints none.
        why: the reason of the verdict.
        convention: of ``ours``, by name; empty: it has none, or there is no number.
        files: the score files behind it, or of which none came, as ``provenance.json`` names them.
    """

    place: Place
    ours: float | None
    paper: float | None
    n: int | None = None
    note: str = ""
    rank: int | None = None
    apart: bool = False
    tied: bool = False
    low: float | None = None
    high: float | None = None
    verdict: str = ""
    why: str = ""
    convention: str = ""
    files: tuple[str, ...] = ()


APART = "A number with its own n averages fewer images than its neighbours and is not ranked against them."
"""What the legend says of cells that are apart."""


@dataclass(frozen=True)
class Footnote:
    """A sentence (without its stop) below a table, about all of it or about the cells, rows or columns in ``marks``."""

    text: str
    marks: tuple[Mark | Place, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Where the cells stand on the page.

    Attributes:
        groups: name -> title, in order; a table with one group does not show its title. A row for which a group has no
            cells is not there: in Table X each data set has metrics of its own.
        metrics: in order.
        denoisers: name -> title, in order; in Table III methods.
        rows: which of metrics and denoisers are the rows of each group; the others are the columns.
        side_by_side: for a table whose rows are denoisers and whose groups stand beside each other: title of a block of
            rows -> names of its groups, of which each block has as many, with what heads their columns.
        number_formats: metric -> how its numbers are written; of the others as many digits as the metric's card says.
        legend: what its cells are, with a final stop; None: ours and the paper's.
    """

    groups: Mapping[str, str]
    metrics: tuple[Metric, ...]
    denoisers: Mapping[str, str]
    rows: Literal["metrics", "denoisers"] = "metrics"
    side_by_side: Mapping[str, Mapping[str, str]] | None = None
    number_formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    legend: str | None = None


@dataclass(frozen=True)
class Ranking:
    """How the numbers of a table were ranked.

    Attributes:
        test: the test and the family that it is corrected for, in words; empty: nothing is ranked.
        not_testable: reasons why some numbers are not ranked.
    """

    test: str = ""
    not_testable: tuple[str, ...] = ()


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
    """A table of the paper, made again, or one of another benchmark.

    Attributes:
        spec: what it is made from, and what it is called.
        caption: what it shows, without a final stop.
        cells: in order of group, denoiser and metric.
        layout: where they stand.
        footnotes: in order; those with marks get the letters a, b, ...
        ranking: how its numbers were ranked.
    """

    spec: TableSpec
    caption: str
    cells: tuple[Cell, ...]
    layout: Layout
    footnotes: tuple[Footnote, ...]
    ranking: Ranking = Ranking()

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics by name."""
        return {metric.name: metric for metric in self.layout.metrics}

    @cached_property
    def lettered_footnotes(self) -> tuple[tuple[str, Footnote], ...]:
        """The footnotes, each with its letter; "" for one that is about the whole table."""
        with_marks = [footnote for footnote in self.footnotes if footnote.marks]
        letters = (_letter(with_marks.index(note)) if note.marks else "" for note in self.footnotes)
        return tuple(zip(letters, self.footnotes, strict=True))

    def letters(self, mark: Mark | Place) -> str:
        """Letters of the footnotes about ``mark``, e.g. ``"a,c"``."""
        return ",".join(letter for letter, footnote in self.lettered_footnotes if mark in footnote.marks)

    def delta(self, cell: Cell) -> float | None:
        """Ours as printed minus the paper's, so that the page adds up; None if either is missing, or for p-values."""
        number = self.number_format(cell.place)
        if cell.ours is None or cell.paper is None or number.style == "p_value":
            return None
        return number.rounded(cell.ours) - cell.paper

    def number_format(self, place: Place) -> NumberFormat:
        """How the numbers of a cell are written: ours, the paper's and their difference."""
        return self.layout.number_formats.get(place.metric) or NumberFormat(self.metrics[place.metric].digits)

    def columns(self) -> tuple[Heading, ...]:
        """The headings of the columns of cells."""
        if self.layout.side_by_side is not None:
            return tuple(self._headings_side_by_side([*self.layout.side_by_side.values()]))
        return self._denoiser_headings() if self.layout.rows == "metrics" else self._metric_headings()

    def blocks(self) -> list[list[Row]]:
        """The rows of each group, or of the groups that stand beside each other."""
        if self.layout.side_by_side is not None:
            return [self._block(title, groups) for title, groups in self.layout.side_by_side.items()]
        return [self._block(title, [name]) for name, title in self.layout.groups.items()]

    def _headings_side_by_side(self, blocks: Sequence[Mapping[str, str]]) -> Iterator[Heading]:
        """Of each metric of each group."""
        for position, title in enumerate(blocks[0].values()):
            for metric in self.layout.metrics:
                letters = (
                    letter
                    for letter, note in self.lettered_footnotes
                    if Mark(metric=metric.name) in note.marks or _is_about_column(note, blocks, position)
                )
                yield Heading(f"{title}, {heading(metric)}", ",".join(letters))

    def _block(self, title: str, groups: Iterable[str]) -> list[Row]:
        """The rows of groups that stand beside each other; with metrics as rows, of one group."""
        cells = {cell.place: cell for cell in self.cells}
        marks = {Mark(group=group) for group in groups}
        letters = (letter for letter, note in self.lettered_footnotes if marks <= {*note.marks})
        group_heading = Heading(title, ",".join(letters))
        denoisers, metrics = [*self.layout.denoisers], [metric.name for metric in self.layout.metrics]
        if self.layout.rows == "metrics":
            labels = self._metric_headings()
            places = [[Place(group, denoiser, m) for group in groups for denoiser in denoisers] for m in metrics]
        else:
            labels = self._denoiser_headings()
            places = [[Place(group, denoiser, m) for group in groups for m in metrics] for denoiser in denoisers]
        rows = ((label, row) for label, row in zip(labels, places, strict=True) if cells.keys() & {*row})
        return [Row(group_heading, label, tuple(cells[place] for place in row)) for label, row in rows]

    def _denoiser_headings(self) -> tuple[Heading, ...]:
        return tuple(Heading(title, self.letters(Mark(denoiser=d))) for d, title in self.layout.denoisers.items())

    def _metric_headings(self) -> tuple[Heading, ...]:
        return tuple(Heading(heading(metric), self.letters(Mark(metric=metric.name))) for metric in self.layout.metrics)


def _is_about_column(note: Footnote, blocks: Iterable[Iterable[str]], position: int) -> bool:
    """Whether a footnote is about the group at a position in some block, and not about that whole block."""
    of_blocks = ([Mark(group=group) in note.marks for group in block] for block in blocks)
    return any(marked[position] and not all(marked) for marked in of_blocks)


def _letter(index: int) -> str:
    """a, b, ... z, aa, bb, ..."""
    alphabet = string.ascii_lowercase
    return alphabet[index % len(alphabet)] * (1 + index // len(alphabet))
