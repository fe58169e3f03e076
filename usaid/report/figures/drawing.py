"""How all figures look: sizes, colours, fonts, and how they are written."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from matplotlib import style
from matplotlib.figure import Figure

from usaid.files import written_atomically
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED

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


OTHERS = (Look("#CC79A7", "D"), Look("#56B4E9", "v"), Look("#7A3B00", "P"), Look("#666666", "*"))
"""Of further denoisers, in turn: no marker of the paper's columns is among theirs."""

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
    own = {name: OTHERS[index % len(OTHERS)] for index, name in enumerate(others)}
    return {name: own[name] if name in own else Look(COLOURS[name], MARKERS[name]) for name in names}


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


def save(figure: Figure, stem: str | Path) -> None:
    """Write a figure as ``<stem>.png`` (300 dots an inch) and ``<stem>.pdf``; called inside :func:`drawing`.

    Raises:
        UsaidError: they cannot be written.
    """
    for suffix, metadata in _METADATA.items():
        with written_atomically(Path(f"{stem}.{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata, dpi=300)


def plain(text: str, longest: int | None = None) -> str:
    """A text that matplotlib is to draw as it is: on one line, no formula, nothing invisible, and not too long.

    Args:
        text: anybody's.
        longest: characters; of a longer text the rest is left out, which ``…`` says. None: any number.
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    shown = line if longest is None or len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
    return shown.replace("$", r"\$")
