"""Scores against sigma: ours with their intervals, and the paper's, for each benchmark and metric."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from usaid.paper.layouts import TITLES
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
from usaid.report.figures.sigma_curves import Curves, Panel, Point, read_curves, render_curves
from usaid.report.text_files import write_texts

COLUMNS = 4
"""Panels side by side."""

MOST_ROWS = 6
"""Rows of panels: as many as a page holds."""

_LEFT, _RIGHT, _BETWEEN, _PANEL, _ABOVE, _BELOW = 0.42, 0.06, 0.36, 0.95, 0.34, 0.3
"""Inches beside and between panels; of a panel's height, and above and below it."""

_LONGEST = 18
"""Characters of a denoiser's name that are drawn."""

_SPREAD = 0.4
"""Denoisers stand beside each other, over so much of the distance of two sigmas."""


_KEYS = 7
"""Entries of the key in a line."""


def write_figure_sigma(tables: Sequence[str | Path], folder: str | Path) -> None:
    """Write ``figure_sigma.csv``, ``.png`` and ``.pdf``.

    Args:
        tables: files of the tables that an experiment makes, ``table_6.csv``; those of one sigma are not drawn.
        folder: where to write. The same tables give the same bytes.

    Raises:
        UsaidError: a file is not the CSV file of a table of this version, or one cannot be written.
    """
    found = read_curves(tables)
    stem = Path(folder) / "figure_sigma"
    write_texts({stem.with_suffix(".csv"): render_curves(found.panels)})
    with drawing():
        save(draw_figure_sigma(found), stem)


def draw_figure_sigma(found: Curves) -> Figure:
    """A panel for each metric of each table; those of a table side by side."""
    notes = list(found.notes)
    rows = rows_that_fit(_rows(found.panels), MOST_ROWS, notes)
    if not rows:
        notes.insert(0, "No score of ours at any sigma: there is nothing to draw")
        return figure_with_notes(0, notes)
    drawn = looks(name for row in rows for panel in row for name in panel.curves)
    key = _key(drawn)
    head, own = 0.28 + 0.15 * math.ceil(len(key) / _KEYS), _PANEL + _ABOVE + _BELOW
    figure = figure_with_notes(head + len(rows) * own, notes)
    height = figure.get_figheight()
    headline(figure, "Scores against σ: ours (filled) and print (hollow)", key, _KEYS)
    width = (PAGE - _LEFT - _RIGHT - (COLUMNS - 1) * _BETWEEN) / COLUMNS
    for line, row in enumerate(rows):
        bottom = height - head - (line + 1) * own + _BELOW
        for column, panel in enumerate(row):
            left = _LEFT + column * (width + _BETWEEN)
            axes = figure.add_axes((left / PAGE, bottom / height, width / PAGE, _PANEL / height))
            _draw(axes, panel, drawn)
    return figure


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    """The panels in rows: those of a table together, each table in the first row that has room for it."""
    rows: list[list[Panel]] = []
    for _, of_table in groupby(panels, key=lambda panel: panel.spec.name):
        own = [*of_table]
        for part in (own[start : start + COLUMNS] for start in range(0, len(own), COLUMNS)):
            row = next((row for row in rows if len(row) + len(part) <= COLUMNS), None)
            if row is None:
                rows.append([*part])
            else:
                row.extend(part)
    return rows


def _key(drawn: Mapping[str, Look]) -> list[Line2D]:
    """The denoisers, and how ours and the paper's are told apart."""
    names = {**TITLES, "clean": "Clean"}
    key = [
        Line2D([], [], color=own.colour, marker=own.marker, markersize=4, label=plain(names.get(name, name), _LONGEST))
        for name, own in drawn.items()
    ]
    ours: dict[str, Any] = {"markersize": 4, "label": "ours, 95 % interval"}
    paper: dict[str, Any] = {"markersize": 6, "label": "print"} | _HOLLOW
    return [*key, *(Line2D([], [], color=GREY, marker="o", **own) for own in (ours, paper))]


_HOLLOW: dict[str, Any] = {"linestyle": "--", "linewidth": 0.7, "fillstyle": "none", "markeredgewidth": 0.7}


def _draw(axes: Axes, panel: Panel, drawn: Mapping[str, Look]) -> None:
    """A panel: curves side by side, and in words what its scale leaves out."""
    sigmas = sorted({point.sigma for points in panel.curves.values() for point in points})
    step = min((b - a for a, b in pairwise(sigmas)), default=10)
    shown = [name for name in panel.curves if not panel.is_cut_off(name)]
    for index, name in enumerate(shown):
        shift = step * min(0.1, _SPREAD / len(shown)) * (index - (len(shown) - 1) / 2)
        _draw_curve(axes, panel.curves[name], shift, drawn[name])
    axes.set_xticks(sigmas, [f"{sigma:g}" for sigma in sigmas])
    axes.set_xlim(sigmas[0] - step / 2, sigmas[-1] + step / 2)
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.tick_params(labelsize=6.5, length=2, pad=2)
    axes.grid(axis="y", color="0.92", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    _name(axes, panel)
    if beyond := [_beyond(panel, name) for name in panel.curves if panel.is_cut_off(name)]:
        axes.set_xlabel("; ".join(beyond), fontsize=5.5, color=GREY, labelpad=1.5)


def _draw_curve(axes: Axes, points: Sequence[Point], shift: float, look: Look) -> None:
    """Ours and the paper's scores of a denoiser."""
    ours = [(p.sigma + shift, p.ours) for p in points if p.ours is not None]
    paper = [(p.sigma + shift, p.paper) for p in points if p.paper is not None]
    for p in points:
        if p.low is not None and p.high is not None:
            axes.plot([p.sigma + shift] * 2, [p.low, p.high], color=look.colour, linewidth=1, zorder=2)
    if paper:
        axes.plot(*zip(*paper, strict=True), marker=look.marker, color=look.colour, markersize=6, zorder=3, **_HOLLOW)
    if ours:
        axes.plot(*zip(*ours, strict=True), marker=look.marker, color=look.colour, linewidth=1, markersize=3, zorder=4)


def _name(axes: Axes, panel: Panel) -> None:
    """What a panel is of: data set, what was told, metric, number of images."""
    (benchmark,) = panel.spec.benchmarks
    n = sorted({point.n for points in panel.curves.values() for point in points if point.n is not None})
    images = f"n = {n[0]:,}" if len(n) == 1 else f"n = {n[0]:,} to {n[-1]:,}"
    said = ", ".join(filter(None, [plain(name_of_dataset(benchmark), 20), panel.setting, images]))
    name_panel(axes, said, name_of_metric(panel.metric))


def _beyond(panel: Panel, denoiser: str) -> str:
    """``"noisy, 17.9 to 24.8, is below"``."""
    values = [v for point in panel.curves[denoiser] for v in (point.ours, point.paper) if v is not None]
    side = "below" if min(values) < panel.limits[0] else "above"
    ends = dict.fromkeys(f"{value:.3g}" for value in (min(values), max(values)))
    return f"{denoiser} {side}: {' to '.join(ends)}"
