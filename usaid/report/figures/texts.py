"""Texts of a figure that have to fit beside and below its pictures: measured as they will be drawn."""

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

LINE = 1.35
"""Distance of two lines, in heights of the font."""


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
    words = text.split()
    for index, word in enumerate(words):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(joined, size) <= width:
            lines[-1] = joined
        elif len(lines) < most:
            lines.append(_shortened(word, width, size))
        else:
            lines[-1] = _shortened(" ".join([lines[-1], *words[index:]]), width, size)
            break
    return tuple(lines)


def _shortened(text: str, width: float, size: float) -> str:
    """The beginning of a text that fits."""
    if width_of(text, size) <= width:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if width_of(f"{text[:middle]}…", size) <= width:
            fits = middle
        else:
            too_long = middle
    return f"{text[:fits]}…"
