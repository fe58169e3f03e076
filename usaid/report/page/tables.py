"""A table's JSON file as the page shows it: headings, rows of cells, footnotes; every number has an address."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from usaid.report.tables.footnotes import DEVIATION
from usaid.report.tables.render_json import LEGEND, read_table

_KEYS = {
    *("group", "denoiser", "metric", "value", "ours", "low", "high", "paper", "difference", "n", "apart"),
    *("rank", "tied", "verdict", "reason", "note", "convention", "letters", "scores"),
}
"""Of every cell."""


_FACTS = {"✓": "yes", "✗": "no"}
"""In words, since the signs are those of verdicts."""


class Footnote(NamedTuple):
    """A note below a table; ``letter`` and ``id`` are empty for one that is about all of it."""

    letter: str
    id: str
    text: str
    is_deviation: bool


class Heading(NamedTuple):
    """What stands at the head of a row, column or group, and its footnotes."""

    text: str
    notes: Sequence[Footnote]


class Cell(NamedTuple):
    """A number, ours and the paper's, as text; None: there is none.

    Attributes:
        id: its address in the page: ``"table_6-25-u_said-psnr"``, behind the experiment's prefix.
        content: all that the file says of it.
        notes: the footnotes beside it.
    """

    id: str
    content: Mapping[str, Any]
    notes: Sequence[Footnote]

    @property
    def rank(self) -> str:
        """``"1st"``, ``"=2nd"``, ...; empty: not among the best."""
        rank = {None: "", 1: "1st", 2: "2nd"}[self.content["rank"]]
        return f"={rank}" if rank and self.content["tied"] else rank

    @property
    def ours(self) -> str | None:
        return in_words(self.content["ours"])

    @property
    def paper(self) -> str | None:
        return in_words(self.content["paper"])

    @property
    def is_fact(self) -> bool:
        """Whether ours or the paper's is a check mark, not a number."""
        return bool({self.content["ours"], self.content["paper"]} & _FACTS.keys())


class Row(NamedTuple):
    """A line of cells; ``n`` is the number of images behind them, or the range of it."""

    label: Heading
    cells: Sequence[Cell]
    n: str


@dataclass(frozen=True)
class Table:
    """A table of one experiment.

    Attributes:
        content: all that the file says.
        prefix: of the addresses of this experiment's numbers.
    """

    content: Mapping[str, Any]
    prefix: str

    @property
    def name(self) -> str:
        return str(self.content["name"])

    @property
    def id(self) -> str:
        return f"{self.prefix}table_{self.name}"

    @property
    def title(self) -> str:
        return str(self.content["title"]) + ", made again" * bool(self.content["is_made_again"])

    @cached_property
    def footnotes(self) -> list[Footnote]:
        notes = [(note["letter"], note["text"], note["is_deviation"]) for note in self.content["footnotes"]]
        return [Footnote(own, f"{self.id}-note-{own}" if own else "", text, is_of) for own, text, is_of in notes]

    @cached_property
    def cells(self) -> list[Cell]:
        """All of them, in the file's order."""
        return [Cell(self._address(cell), cell, self.notes(cell["letters"])) for cell in self.content["cells"]]

    @cached_property
    def columns(self) -> list[Heading]:
        return [self._heading(column) for column in self.content["columns"]]

    @cached_property
    def blocks(self) -> list[tuple[Heading, list[Row]]]:
        """The groups of rows, each with its heading."""
        return [(self._heading(rows[0]["group"]), [*map(self._row, rows)]) for rows in self.content["blocks"] if rows]

    @property
    def sorts(self) -> str:
        """What can be put in order: the rows, or the columns where each row has a unit of its own."""
        return "rows" if self.content["rows"] == "denoisers" else "columns"

    @cached_property
    def betters(self) -> list[str]:
        """Which values of each column are better, where the columns are metrics."""
        first = next((rows[0] for _, rows in self.blocks), None)
        return [self.better(cell) for cell in first.cells] if first else [""] * len(self.columns)

    @cached_property
    def _better(self) -> Mapping[str, str]:
        return {metric["name"]: metric["better"] for metric in self.content["metrics"]}

    def better(self, cell: Cell) -> str:
        """Which values of a number are better: ``"higher"`` or ``"lower"``."""
        return self._better[cell.content["metric"]]

    @property
    def n_rows(self) -> int:
        return sum(len(rows) for _, rows in self.blocks)

    @property
    def legend(self) -> str:
        """How its numbers are to be read, but for what the page says of all tables: there ours stand above print."""
        own = str(self.content["legend"]).removeprefix(LEGEND).strip()
        return " ".join(filter(None, [own, self.content["ranks"]]))

    @property
    def has_n(self) -> bool:
        return any(cell["n"] is not None for cell in self.content["cells"])

    def notes(self, letters: str) -> list[Footnote]:
        """The footnotes with some letters (``"a,c"``)."""
        by_letter = {note.letter: note for note in self.footnotes if note.letter}
        return [by_letter[letter] for letter in letters.split(",") if letter]

    def titles(self, kind: str) -> dict[str, str]:
        """Name -> title of its ``groups``, ``metrics`` or ``denoisers``."""
        named = self.content[kind]
        return {one["name"]: " ".join(filter(None, [one["title"], _unit(one.get("unit", ""))])) for one in named}

    def about(self, note: Footnote) -> list[str]:
        """The titles of what a lettered footnote is about; none: of all of the table."""
        if not note.letter:
            return []
        named = [one for kind in ("denoisers", "metrics", "groups") for one in self.content[kind]]
        titles = [one["title"] for one in named if note.letter in one["letters"].split(",")]
        denoisers = self.titles("denoisers")
        return titles or list(dict.fromkeys(denoisers[cell.content["denoiser"]] for cell in self._marked(note)))

    def _marked(self, note: Footnote) -> Iterable[Cell]:
        return (cell for cell in self.cells if note in cell.notes)

    def _address(self, cell: Mapping[str, Any]) -> str:
        return address(self.prefix, self.name, cell["group"], cell["denoiser"], cell["metric"])

    def _heading(self, heading: Mapping[str, str]) -> Heading:
        return Heading(heading["text"], self.notes(heading["letters"]))

    def _row(self, row: Mapping[str, Any]) -> Row:
        cells = [self.cells[index] for index in row["cells"]]
        counts = sorted({cell.content["n"] for cell in cells if cell.content["n"] is not None})
        n = "–".join(f"{count:,}" for count in dict.fromkeys([counts[0], counts[-1]])) if counts else ""
        return Row(self._heading(row["label"]), cells, n)


def table_of(path: Path, prefix: str) -> Table:
    """A table from its file.

    Raises:
        UsaidError: it is no table of this version; names the file.
        KeyError, IndexError, TypeError, ValueError: likewise, of what is inside.
    """
    table = Table(read_table(path), prefix)
    for cell in table.cells:
        if lacking := _KEYS - cell.content.keys():
            raise KeyError(f"a cell without {min(lacking)}")
        _ = (table.better(cell), cell.rank, [*cell.content["scores"]])
    # what is wrong is said while the file is known
    _ = (table.title, table.betters, table.columns, table.legend, table.sorts, table.has_n)
    _ = [*map(table.titles, ("groups", "metrics", "denoisers")), *map(table.about, table.footnotes)]
    return table


def address(prefix: str, table: str | int, group: str, denoiser: str, metric: str) -> str:
    """Where a number stands in the page; without blanks, as every address."""
    return prefix + "-".join([f"table_{table}", *("_".join(name.split()) for name in (group, denoiser, metric))])


def in_words(text: str | None) -> str | None:
    """A number as it is; a check mark as ``"yes"`` or ``"no"``."""
    return text if text is None else _FACTS.get(text, text)


def without_mark(text: str) -> str:
    """A deviation without the words that say that it is one, and without its final stop."""
    return text.removeprefix(DEVIATION).removesuffix(".")


def _unit(unit: str) -> str:
    return f"({unit})" if unit else ""
