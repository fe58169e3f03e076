"""Draws panels, their captions and what stands below them on a page, placed in dots from its upper left corner."""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from usaid.report.figures.drawing import GREY, PAGE, plain
from usaid.report.figures.panels import GAP, LABEL, MARGIN, Grid, Panel, Row
from usaid.report.figures.texts import LINE, lines_of

TEXT, SMALL = 7.0, 6.0
"""Font sizes in points: of captions and titles; of what stands below them and on pictures."""

_PAD = 2.4
"""Between a picture and its caption, in points."""

_LEGEND_COLUMNS = 8


def sheet(
    grid: Grid, rows: Sequence[Row], titles: Sequence[str], notes: Sequence[str], legend: Sequence[Patch] = ()
) -> Figure:
    """Draw rows of panels; called inside :func:`usaid.report.figures.drawing.drawing`.

    Args:
        grid: the columns.
        rows: from the top, each with a panel for each column.
        titles: of the columns; they stand below the last row, with letters.
        notes: below all, a paragraph each.
        legend: between titles and notes.
    """
    line, small, pad = grid.dots(TEXT * LINE), grid.dots(SMALL * LINE), grid.dots(_PAD)
    lettered = [f"({letter}) {title}" for letter, title in zip(ascii_lowercase, titles, strict=False)]
    heads = [lines_of(title, grid.width * 72 / grid.dpi, TEXT, most=2) for title in lettered]
    foot = [text for note in notes for text in lines_of(note, PAGE * 72 - 2 * MARGIN, SMALL)]
    heights = [_height(row, grid) for row in rows]
    spaces = [_n_captions(row) * line + grid.dots(GAP) + pad for row in rows]
    tops = [grid.dots(MARGIN) + sum(heights[:index]) + sum(spaces[:index]) for index in range(len(rows) + 1)]
    under_titles = tops[-1] + max(map(len, heads)) * line + pad
    under_legend = under_titles + (-(-len(legend) // _LEGEND_COLUMNS) * line + pad) * bool(legend)
    canvas = _Canvas(grid, under_legend + len(foot) * small + grid.dots(MARGIN))
    for row, top, height in zip(rows, tops, heights, strict=False):
        canvas.row(row, top, height)
    for column, head in enumerate(heads):
        canvas.lines(head, grid.left(column) + grid.width / 2, tops[-1], TEXT)
    if legend:
        canvas.legend(legend, under_titles)
    canvas.lines(foot, grid.dots(MARGIN), under_legend, SMALL, ha="left", color=GREY)
    return canvas.figure


def _height(row: Row, grid: Grid) -> int:
    """Of a row's highest picture, in dots; where there is no picture, of an empty frame."""
    heights = [panel.pixels.shape[0] for panel in row.panels if panel.pixels is not None]
    return max(heights, default=round(grid.width * 2 / 3))


def _n_captions(row: Row) -> int:
    """Lines below the pictures of a row."""
    return max(bool(panel.caption) + bool(panel.in_print) for panel in row.panels)


class _Canvas:
    """A figure on which things are placed in dots from its upper left corner."""

    def __init__(self, grid: Grid, height: int) -> None:
        self.grid, self.height = grid, height
        self.figure = Figure(figsize=(grid.page / grid.dpi, height / grid.dpi), dpi=grid.dpi)

    def row(self, row: Row, top: int, height: int) -> None:
        """A row of panels, each in the middle of its column and under the row's upper edge."""
        if self.grid.has_labels:
            x = self.grid.dots(MARGIN + (LABEL - _PAD) / 2)
            self.lines([row.label], x, top + height / 2, TEXT, rotation=90, va="center")
        for column, panel in enumerate(row.panels):
            left, width = self.grid.left(column), self.grid.width
            if panel.pixels is None:
                self._empty(panel.reason, left, top, (width, height))
            else:
                self._photograph(panel, left + (width - panel.pixels.shape[1]) // 2, top)
            below = top + height + self.grid.dots(_PAD)
            self.lines([panel.caption], left + width / 2, below, TEXT)
            self.lines([panel.in_print], left + width / 2, below + self._line(TEXT), TEXT, color=GREY)

    def lines(self, lines: Sequence[str], x: float, top: float, size: float, **look: Any) -> None:
        """Lines of text, one under the other; in the middle of ``x`` unless ``ha`` says otherwise."""
        for number, text in enumerate(lines):
            y = top + number * self._line(size)
            place = (x / self.grid.page, 1 - y / self.height)
            self.figure.text(*place, plain(text), fontsize=size, **{"ha": "center", "va": "top", **look})

    def legend(self, patches: Sequence[Patch], top: int) -> None:
        """A legend in rows."""
        self.figure.legend(
            handles=patches,
            loc="upper center",
            bbox_to_anchor=(0.5, 1 - top / self.height),
            ncols=min(_LEGEND_COLUMNS, len(patches)),
            fontsize=SMALL,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            labelspacing=0.35,
            handlelength=1.2,
            handleheight=0.8,
            columnspacing=1.2,
        )

    def _line(self, size: float) -> int:
        return self.grid.dots(size * LINE)

    def _axes(self, left: int, top: int, size: tuple[int, int]) -> Axes:
        (width, height), page = size, self.grid.page
        place = (left / page, 1 - (top + height) / self.height, width / page, height / self.height)
        axes = self.figure.add_axes(place, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return axes

    def _photograph(self, panel: Panel, left: int, top: int) -> None:
        assert panel.pixels is not None
        height, width = panel.pixels.shape[:2]
        axes = self._axes(left, top, (width, height))
        axes.imshow(panel.pixels, interpolation="none", aspect="auto")
        for text, x, y, colour in panel.words:
            axes.text(x - 0.5, y - 0.5, plain(text), fontsize=SMALL, color=colour, ha="center", va="center")
        if panel.frame is not None:
            x, y, *size = panel.frame
            for colour, linewidth in (("black", 1.6), ("white", 0.8)):
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), *size, fill=False, edgecolor=colour, linewidth=linewidth))

    def _empty(self, reason: str, left: int, top: int, size: tuple[int, int]) -> None:
        """A frame that says why it is empty."""
        self._axes(left, top, size).spines[:].set(visible=True, color=GREY, linewidth=0.5)
        width, height = (72 * dots / self.grid.dpi - 2 * _PAD for dots in size)
        lines = lines_of(reason, width, SMALL, most=max(1, int(height / (SMALL * LINE))))
        middle = top + (size[1] - len(lines) * self._line(SMALL)) / 2
        self.lines(lines, left + size[0] / 2, middle, SMALL, color=GREY)
