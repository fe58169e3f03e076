"""How all figures look: sizes, colours, fonts, and how they are written."""

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from usaid.cards import Metric
from usaid.files import written_atomically
from usaid.paper.layouts import name_of_variant
from usaid.registries import BENCHMARKS, DATASETS
from usaid.report.tables.titles import heading
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED

Panel = TypeVar("Panel")

COLUMN = 3.5
"""Width of a figure of one column, in inches (IEEE's two-column page)."""

PAGE = 7.16
"""Width of a figure over both columns, in inches."""

GREY = "#555555"
"""Of words and lines beside the data."""

DISTANCE_IN_GREY = 30
"""By so much of 255 the luminances of two of the colours of :data:`COLOURS` or :data:`VERDICTS` differ at least."""

COLOURS: Mapping[str, str] = {
    "noisy": "#C2C2C2",
    "cdncnn_b": "#004C8C",
    "s_said": "#E69F00",
    "u_said": "#009E73",
    "clean": "#000000",
}
"""Of the paper's columns, for all kinds of colour vision; their luminances are apart, too."""

MARKERS: Mapping[str, str] = {"noisy": "x", "cdncnn_b": "o", "s_said": "s", "u_said": "^", "clean": "+"}


class Look(NamedTuple):
    """How something is drawn.

    Attributes:
        colour: as ``"#rrggbb"``.
        marker: matplotlib's letter.
    """

    colour: str
    marker: str


_OTHER_COLOURS = ("#CC79A7", "#56B4E9", "#7A3B00", "#666666")
_OTHER_MARKERS = ("D", "v", "P", "*", "h")
"""Of further denoisers, each in turn, so that twenty differ; no marker of the paper's columns is among them."""

VERDICTS: Mapping[str, Look] = {
    HOLDS: Look("#0B4F8A", "o"),
    DOES_NOT_HOLD: Look("#E66100", "X"),
    NOT_COMPARABLE: Look("#C4C4C4", "D"),
    NOT_TESTED: Look("#FFFFFF", "|"),
}
"""Of what is said of printed numbers. What is not tested is hollow: white in a grey line."""


def looks(denoisers: Iterable[str]) -> dict[str, Look]:
    """How denoisers are drawn: the paper's columns always alike, others in turn.

    Args:
        denoisers: names, in the order of their table.
    """
    names = [*dict.fromkeys(denoisers)]
    others = [name for name in names if name not in COLOURS]
    further = zip(others, cycle(_OTHER_COLOURS), cycle(_OTHER_MARKERS), strict=False)
    own = {name: Look(colour, marker) for name, colour, marker in further}
    return {name: own.get(name) or Look(COLOURS[name], MARKERS[name]) for name in names}


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib's own defaults whatever the user's are; fonts embedded as such, so that text can be selected.

    A character that the font lacks is drawn as a box.
    """
    own = {"pdf.fonttype": 42, "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8}
    small = {"legend.fontsize": 7, "xtick.labelsize": 7, "ytick.labelsize": 7}
    with style.context(["default", own | small]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("ignore", "Matplotlib currently does not support .* natively")
        yield


_METADATA: Mapping[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
"""Without the time of writing: the same data give the same bytes."""


def save(figure: Figure, stem: str | Path, dpi: float = 300) -> None:
    """Write a figure as ``<stem>.png``, so many dots an inch, and ``<stem>.pdf``; called inside :func:`drawing`.

    Raises:
        UsaidError: they cannot be written.
    """
    for suffix, metadata in _METADATA.items():
        with written_atomically(Path(f"{stem}.{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata, dpi=dpi)


def plain(text: str, longest: int | None = None) -> str:
    """A text that matplotlib is to draw as it is: on one line, no formula, nothing invisible, and not too long.

    Args:
        text: anybody's.
        longest: characters; of a longer text the rest is left out, which ``…`` says. None: any number.
    """
    return _escaped(_on_one_line(text, longest))


def _on_one_line(text: str, longest: int | None) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def _escaped(text: str) -> str:
    return text.replace("$", r"\$")


def headline(figure: Figure, text: str, key: Sequence[Artist], columns: int, below: float = 0.22) -> None:
    """What a figure shows, at its top, and the key below it.

    Args:
        figure: where.
        text: a few words.
        key: artists with labels.
        columns: of the key.
        below: where the key begins, in inches from the top.
    """
    inch = 1 / figure.get_figheight()
    figure.text(0.01, 1 - 0.05 * inch, text, fontsize=10, fontweight="bold", va="top")
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0, 1 - below * inch), "borderaxespad": 0.2}
    figure.legend(handles=key, ncols=columns, columnspacing=1.3, handlelength=1.8, frameon=False, **place)


def name_panel(axes: Axes, of: str, shows: str) -> None:
    """Above a panel what it is of, in bold, and on the next line what it shows; 0.3 inches."""
    place: dict[str, Any] = {"xytext": (0, 11), "textcoords": "offset points", "xycoords": "axes fraction"}
    axes.annotate(of, (0, 1), fontsize=7, fontweight="bold", **place)
    axes.set_title(shows, loc="left", fontsize=7, pad=2)


def rows_that_fit(rows: Sequence[Sequence[Panel]], most: int, notes: list[str]) -> Sequence[Sequence[Panel]]:
    """The first rows of panels; ``notes`` get a sentence about those that do not fit on a page."""
    if left_out := sum(map(len, rows[most:])):
        notes.append(f"{left_out} panels do not fit on a page; the CSV file has them")
    return rows[:most]


def some_of(names: Sequence[str], most: int) -> str:
    """``"mlp, cbm3d and 3 more"``."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def name_of_dataset(benchmark: str) -> str:
    """The title of a benchmark's data set, as short as figures have room for: ``"VOC 2012"``, ``"COCO, stored"``."""
    card = BENCHMARKS[benchmark]
    names = [DATASETS[card.dataset].title.removeprefix("PASCAL "), (name_of_variant(card) or "").replace("_", " ")]
    return ", ".join(filter(None, names))


def name_of_metric(metric: Metric) -> str:
    """Title and unit, and if it is so that lower is better."""
    return heading(metric) + (" (lower is better)" if metric.better == "lower" else "")


MOST_NOTES = 6
"""Notes below a figure."""


def figure_with_notes(height: float, notes: Sequence[str]) -> Figure:
    """A figure of a page's width that says in small print below its panels what they do not show.

    Args:
        height: of what stands above the notes, in inches.
        notes: sentences without their stops, anybody's words; of many the first, and how many more there are.
    """
    more = [f"and {len(notes) - MOST_NOTES} more"] * (len(notes) > MOST_NOTES)
    shown = [f"{_on_one_line(note, _LONGEST_NOTE)}." for note in (*notes[:MOST_NOTES], *more)]
    lines = [_escaped(line) for note in shown for line in textwrap.wrap(note, _LETTERS)]
    total = height + 0.1 + _LINE * len(lines)
    figure = Figure(figsize=(PAGE, total))
    for index, text in enumerate(lines):
        y = (total - height - _LINE * (index + 0.5)) / total
        figure.text(0.01, y, text, fontsize=6.5, color=GREY, va="center")
    return figure


_LONGEST_NOTE, _LETTERS = 280, 140
"""Characters of a note, and of a line of it."""

_LINE = 0.13
"""Height of a line of a note, in inches."""
