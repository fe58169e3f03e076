"""How all figures look: sizes, colours, fonts, and how they are written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from usaid.files import written_atomically

COLUMN = 3.5
"""Width of a figure of one column, in inches (IEEE's two-column page)."""

PAGE = 7.16
"""Width of a figure over both columns, in inches."""

COLOURS: Mapping[str, str] = {
    "noisy": "#777777",
    "cdncnn_b": "#0072B2",
    "s_said": "#E69F00",
    "u_said": "#009E73",
    "clean": "#000000",
}
"""Of the paper's columns: Okabe and Ito's, for all kinds of colour vision; apart in grey, too."""

MARKERS: Mapping[str, str] = {"noisy": "x", "cdncnn_b": "o", "s_said": "s", "u_said": "^", "clean": "+"}

_METADATA: Mapping[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
"""Without the time of writing: the same data give the same bytes."""


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib's own defaults whatever the user's are; fonts embedded as such, so that text can be selected."""
    own = {"pdf.fonttype": 42, "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "legend.fontsize": 7}
    with style.context(["default", own]):
        yield


def save(figure: Figure, stem: str | Path) -> None:
    """Write a figure as ``<stem>.png`` (300 dots an inch) and ``<stem>.pdf``; called inside :func:`drawing`.

    Raises:
        UsaidError: they cannot be written.
    """
    for suffix, metadata in _METADATA.items():
        with written_atomically(Path(f"{stem}.{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata, dpi=300)


def plain(text: str) -> str:
    """A text that matplotlib is to draw as it is: on one line, and no formula."""
    return " ".join(text.split()).replace("$", r"\$")
