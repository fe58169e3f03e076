"""Texts of a figure that have to fit beside and below its pictures: measured as they will be drawn."""

from collections.abc import Iterator

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

LINE = 1.35
"""Distance of two lines, in heights of the font."""

LONGEST_LINE, LONGEST_TEXT = 300, 3000
"""Letters that are looked at: more fit no line of a page; nobody reads more below a figure."""


def width_of(text: str, size: float) -> float:
    """Of a text, in points, as the font size is."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width)


def lines_of(text: str, width: float, size: float, most: int = 1000) -> tuple[str, ...]:
    """Break a text into lines that fit.

    Args:
        text: anybody's.
        width: in points.
        size: of the font, in points.
        most: lines; what does not fit is left out, which ``…`` says.
    """
    lines: list[str] = []
    longest = min(LONGEST_TEXT, most * LONGEST_LINE)
    text = text if len(text) <= longest else f"{text[:longest]}…"
    pieces = [piece for word in text.split() for piece in _pieces(word, width, size)]
    for index, piece in enumerate(pieces):
        joined = f"{lines[-1]} {piece}" if lines else piece
        if lines and width_of(joined, size) <= width:
            lines[-1] = joined
        elif len(lines) < most:
            lines.append(piece)
        else:
            rest = " ".join([lines[-1], *pieces[index:]])
            lines[-1] = f"{rest[: _n_that_fit(rest, width, size, end='…')]}…"
            break
    return tuple(lines)


def _pieces(word: str, width: float, size: float) -> Iterator[str]:
    """A word, in parts that fit a line."""
    while len(word) > LONGEST_LINE or (word and width_of(word, size) > width):
        n = max(1, _n_that_fit(word, width, size))
        yield word[:n]
        word = word[n:]
    if word:
        yield word


def _n_that_fit(text: str, width: float, size: float, end: str = "") -> int:
    """How many of the first letters fit a line with ``end`` behind them, of a text that is too long for it."""
    fit, too_many = 0, min(len(text), LONGEST_LINE)
    while too_many - fit > 1:
        middle = (fit + too_many) // 2
        if width_of(text[:middle] + end, size) <= width:
            fit = middle
        else:
            too_many = middle
    return fit
