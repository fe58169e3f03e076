"""How much better or worse a denoiser is than others, image by image and on average, on every benchmark."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from usaid.report.figures.differences import (
    QUANTILES,
    Difference,
    Differences,
    Panel,
    read_differences,
    render_differences,
)
from usaid.report.figures.drawing import (
    GREY,
    PAGE,
    Look,
    drawing,
    figure_with_notes,
    headline,
    looks,
    name_of_dataset,
    name_of_metric,
    name_panel,
    plain,
    rows_that_fit,
    save,
)
from usaid.report.text_files import write_texts

COLUMNS = 4
"""Panels side by side."""

MOST_ROWS = 8
"""Rows of panels: as many as a page holds."""

MOST_DOTS = 400
"""Images that are drawn as dots; of more the quantiles alone."""

_LONGEST = 18
"""Characters of a denoiser's title that are drawn."""

_BETTER = "#DFECE3"


def write_figure_differences(
    score_files: Iterable[str | Path],
    folder: str | Path,
    of: str = "u_said",
    others: Sequence[str] = ("cdncnn_b", "s_said"),
    sigma: float = 25,
) -> None:
    """Write ``figure_differences.csv``, ``.png`` and ``.pdf``; arguments as :func:`read_differences`.

    Args:
        score_files: of any benchmarks.
        folder: where to write. The same scores give the same bytes.
        of: the denoiser that others are subtracted from.
        others: those, first of all.
        sigma: noise level, 0-255 scale.

    Raises:
        UsaidError: a file is not a score file, or one cannot be written.
    """
    found = read_differences(score_files, of, others, sigma)
    stem = Path(folder) / "figure_differences"
    write_texts({stem.with_suffix(".csv"): render_differences(found.panels)})
    with drawing():
        save(draw_figure_differences(found), stem)


def draw_figure_differences(found: Differences) -> Figure:
    """A panel for each metric, a line in it for each other denoiser; the panels of a data set stand side by side."""
    notes = list(found.notes)
    rows = rows_that_fit(_rows(found.panels), MOST_ROWS, notes)
    if not rows:
        notes.insert(0, "No two denoisers were scored on one benchmark: there is no difference to draw")
        return figure_with_notes(0, notes)
    heights = [_ABOVE + _BELOW + _INCHES_OF_LINE * len(_others(row)) for row in rows]
    figure = figure_with_notes(_HEAD + sum(heights), notes)
    ((sigma, _),) = Counter(panel.sigma for row in rows for panel in row).most_common(1)
    _draw_head(figure, [panel.titles[panel.of] for row in rows for panel in row], sigma)
    top = figure.get_figheight() - _HEAD
    for row, own in zip(rows, heights, strict=True):
        _draw_row(figure, row, (top - own + _BELOW, own - _ABOVE - _BELOW), sigma)
        top -= own
    return figure


_HEAD = 0.5
"""Inches of headline and key."""

_ABOVE, _BELOW, _INCHES_OF_LINE = 0.3, 0.27, 0.26
_LEFT, _BETWEEN, _RIGHT = 1.3, 0.14, 0.06
"""Inches above and below a panel and of a line in it; beside and between panels."""


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """The panels in rows: those of a data set together, a few of others beside them where they compare the same."""
    by_dataset: dict[tuple[str, float, str], list[Panel]] = {}
    for panel in panels:
        by_dataset.setdefault((name_of_dataset(panel.benchmark), panel.sigma, panel.of), []).append(panel)
    rows: list[list[Panel]] = []
    for own in by_dataset.values():
        for part in (own[start : start + COLUMNS] for start in range(0, len(own), COLUMNS)):
            fits = rows and len(rows[-1]) + len(part) <= COLUMNS and _key(rows[-1]) == _key(part)
            rows = [*rows[:-1], [*rows[-1], *part]] if fits else [*rows, part]
    return rows


def _key(row: Sequence[Panel]) -> tuple[float, str, tuple[str, ...]]:
    return row[0].sigma, row[0].of, tuple(_others(row))


def _others(row: Sequence[Panel]) -> dict[str, str]:
    """The denoisers that are compared with in a row of panels -> their titles."""
    return {own.other: panel.titles[own.other] for panel in row for own in panel.differences}


def _draw_head(figure: Figure, of: Iterable[str], sigma: float) -> None:
    """What is subtracted from what, and the key."""
    titles = {plain(title, _LONGEST) for title in of}
    better = titles.pop() if len(titles) == 1 else "the first"
    mean: dict[str, Any] = {
        "marker": "o",
        "markersize": 4,
        "linewidth": 1.3,
        "label": "mean, 95 % interval over images",
    }
    paper: dict[str, Any] = {"marker": "|", "markersize": 10, "markeredgewidth": 1.3, "linestyle": "", "label": "print"}
    key = [
        Line2D(
            [],
            [],
            color="#777777",
            marker=".",
            linewidth=3,
            alpha=0.5,
            label="images: dots (98 % in view), middle half, 90 %",
        ),
        *(Line2D([], [], color="black", **own) for own in (mean, paper)),
        Patch(facecolor=_BETTER, edgecolor="#BBBBBB", linewidth=0.4, label=f"where {better} is better"),
    ]
    headline(figure, f"{better} minus other denoisers at σ = {sigma:g}, image by image", key, len(key))


def _draw_row(figure: Figure, row: Sequence[Panel], place: tuple[float, float], sigma: float) -> None:
    """A row of panels; its lower edge and height in inches; the sigma that goes without saying."""
    width = (PAGE - _LEFT - _RIGHT - (COLUMNS - 1) * _BETWEEN) / COLUMNS
    size = np.array([PAGE, figure.get_figheight()] * 2)
    others = _others(row)
    drawn = looks(others)
    for column, panel in enumerate(row):
        corner = (_LEFT + column * (width + _BETWEEN), place[0])
        axes = figure.add_axes(tuple(np.array([*corner, width, place[1]]) / size))
        _set_up(axes, panel, "" if panel.sigma == sigma else f", σ = {panel.sigma:g}")
        axes.set_ylim(len(others) - 0.5, -0.5)
        labels = [f"− {plain(title, _LONGEST)}" for title in others.values()]
        axes.set_yticks(range(len(others)), labels if column == 0 else [])
        for own in panel.differences:
            _draw(axes, own, [*others].index(own.other), drawn[own.other])


def _set_up(axes: Axes, panel: Panel, other_sigma: str) -> None:
    """Title, scale, and the side where the denoiser is better."""
    n = {own.estimate.units.get("images", 0) for own in panel.differences}
    name_panel(
        axes,
        f"{plain(name_of_dataset(panel.benchmark), 20)}{other_sigma}, n = {max(n):,}",
        name_of_metric(panel.metric),
    )
    low, high = _limits(panel.differences)
    axes.set_xlim(low, high)
    axes.axvspan(*((0, high) if panel.metric.better == "higher" else (low, 0)), color=_BETTER, zorder=0)
    axes.axvline(0, color="#888888", linewidth=0.8, zorder=0.5)
    axes.set_xticks(_ticks(low, high))
    axes.tick_params(labelsize=6.5, length=2, pad=2)
    axes.tick_params(axis="y", length=0, labelsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _ticks(low: float, high: float) -> list[float]:
    """Two or three round numbers, 0 among them, whose labels do not run into those of the next panel."""
    room = 0.1 * (high - low)
    ticks: list[float] = []
    for bins in range(2, 9):
        values = MaxNLocator(bins, steps=[1, 2, 5, 10]).tick_values(low, high)
        ticks = [value for value in values if low + room < value < high - room or value == 0]
        if len(ticks) > 1:
            break
    return ticks


def _limits(differences: Sequence[Difference]) -> tuple[float, float]:
    """What an axis shows: 0, means with their intervals, print, and 98 % of the images."""
    ends = [0.0]
    for own in differences:
        estimate = own.estimate
        ends += [end for end in (estimate.value, estimate.low, estimate.high, own.printed) if end is not None]
        if own.of_images is not None:
            ends += [*np.quantile(own.of_images, (0.01, 0.99))]
    finite = [end for end in ends if math.isfinite(end)]
    room = 0.06 * (max(finite) - min(finite)) or 1.0
    return min(finite) - room, max(finite) + room


def _draw(axes: Axes, own: Difference, y: int, look: Look) -> None:
    """The images, the mean with its interval, and the paper's difference."""
    estimate, values = own.estimate, own.of_images
    if values is not None:
        ends = np.quantile(values, QUANTILES)
        axes.plot(ends[[0, -1]], [y, y], color=look.colour, linewidth=0.8, alpha=0.5, zorder=1)
        axes.plot(ends[[1, 3]], [y, y], color=look.colour, linewidth=6, alpha=0.3, solid_capstyle="butt", zorder=1)
        if len(values) <= MOST_DOTS:
            lanes = y + 0.3 * (np.arange(len(values)) * _GOLDEN % 1 - 0.5) * 2
            axes.plot(values, lanes, ".", color=look.colour, markersize=2.2, alpha=0.45, markeredgewidth=0, zorder=1.5)
    if not math.isfinite(estimate.value):
        axes.text(
            0.5, y, plain(estimate.not_testable or "no score", 28), transform=axes.get_yaxis_transform(), **_WORDS
        )
        return
    style: dict[str, Any] = {"color": look.colour, "markersize": 5, "markeredgecolor": "black", "markeredgewidth": 0.7}
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [y, y], color="black", linewidth=1.3, zorder=3)
    axes.plot(estimate.value, y, look.marker, zorder=5, **style)
    if own.printed is not None:
        axes.plot(own.printed, y, "|", color="black", markersize=14, markeredgewidth=1.3, zorder=4)


_GOLDEN = 0.618034
"""Steps of so much of a line's height keep dots of neighbouring images apart."""

_WORDS: dict[str, Any] = {"fontsize": 6, "color": GREY, "ha": "center", "va": "center"}
