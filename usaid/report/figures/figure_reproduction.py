"""Ours against print: each of the paper's numbers, how far ours is from it in tolerances, and its verdict."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from usaid.paper.layouts import ROMAN, TABLES
from usaid.registries import METRICS
from usaid.report.figures.drawing import GREY, PAGE, VERDICTS, drawing, headline, name_of_dataset, plain, save
from usaid.report.tables.verdict_list import Judged, judged
from usaid.report.text_files import write_texts
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED

FURTHEST = 100.0
"""Tolerances; what is further off is drawn as an arrow."""

_EDGE = 150.0
"""Where the arrows stand, in tolerances."""

_LANES = 3
"""A row's numbers stand in so many lanes, in turn, so that near ones do not hide each other."""

_LEFT = -0.615
"""Where the numbers of the tables stand, in widths of the strip."""

_LONGEST = 70
"""Characters of a reason that are drawn."""

_ROW = 0.185
"""Height of a row, in inches."""

_ABOVE, _BELOW = 1.0, 0.45
"""Heights of what stands above and below the rows, in inches."""

_GAP = 0.4
"""Between tables, in rows."""

_MIDDLE, _STEP = 0.62, 0.021
"""Where numbers without a distance are centred, and how far apart, as fractions of the width."""

_RIM: dict[str, Any] = {"markersize": 4.4, "markeredgewidth": 0.3, "markeredgecolor": "#444444"}

_ORDER = (HOLDS, DOES_NOT_HOLD, NOT_COMPARABLE, NOT_TESTED)

_SAYS = {
    HOLDS: "hold",
    DOES_NOT_HOLD: "do not hold",
    NOT_COMPARABLE: "not comparable: other images, network, training or convention",
    NOT_TESTED: "not tested",
}

_WITHOUT_DISTANCE = {
    "categories": "the same, or not",
    "variance": "inside our interval, or not",
    "p_value": "same side of 0.05, or not",
}
"""How numbers are judged that have no tolerance."""

_METRICS = {"categories": "check marks", "mean": "means", "variance": "variances", "p_value": "p-values"}
_MEASURED_ON = {3: "methods", 4: "Kodak, non-blind", 7: "ISIC, DeepGlobe", 10: "10 noise draws"}
"""Of tables that are not of one data set, or share theirs."""


Place = Literal["measured", "beyond", "side by side", "not tested"]


class Point(NamedTuple):
    """A printed number as it is drawn.

    Attributes:
        number: what we say of it.
        row: what its row is of: a metric, or of Tables III and X a kind of number.
        tolerances: ours minus the paper's in tolerances, both as printed; None: it is not measured so.
        place: ``"measured"``; ``"beyond"``: an arrow at the edge; ``"side by side"``: it has no distance, and its
            position means nothing; ``"not tested"``.
        x: where it stands: in tolerances, or if it has no distance its number in its row, from 0.
    """

    number: Judged
    row: str
    tolerances: float | None
    place: Place
    x: float


# ------------------------------------------------------------------------------------------------ what is drawn


def points_of(numbers: Sequence[Judged]) -> list[Point]:
    """How each number is drawn, in the order of print.

    Args:
        numbers: as :func:`usaid.report.tables.verdict_list.judged` gives them.
    """
    counted: Counter[tuple[int, str, str]] = Counter()
    points = []
    for number in numbers:
        row, tolerances = _row_of(number), _tolerances(number)
        place = _place(number.verdict, tolerances)
        if place in ("side by side", "not tested") or tolerances is None:
            x = float(counted[number.table, row, place])
            counted[number.table, row, place] += 1
        else:
            x = math.copysign(_EDGE, tolerances) if place == "beyond" else tolerances
        points.append(Point(number, row, tolerances, place, x))
    return points


def _place(verdict: str, tolerances: float | None) -> Place:
    if verdict == NOT_TESTED:
        return "not tested"
    if tolerances is None:
        return "side by side"
    return "measured" if abs(tolerances) <= FURTHEST else "beyond"


def _row_of(number: Judged) -> str:
    if number.group == "categories":
        return number.group
    return next((kind for kind in ("mean", "variance", "p_value") if number.metric.endswith(f"_{kind}")), number.metric)


def _tolerances(number: Judged) -> float | None:
    """Ours minus the paper's in tolerances; None: one of the two is not there."""
    if not number.difference or not number.tolerance:
        return None
    distance = float(number.difference) / float(number.tolerance)
    return None if math.isnan(distance) else distance


def render_points(points: Iterable[Point]) -> str:
    """What is drawn as CSV, a printed number a line."""
    columns = ("table", "group", "metric", "denoiser", "paper", "ours", "difference", "tolerance", "verdict")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*columns, "tolerances", "place"])
    for own in points:
        tolerances = "" if own.tolerances is None else f"{own.tolerances:.4g}"
        writer.writerow([*(getattr(own.number, name) for name in columns), tolerances, own.place])
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------ the figure


def write_figure_reproduction(tables: Sequence[str | Path], folder: str | Path) -> None:
    """Write ``figure_reproduction.csv``, ``.png`` and ``.pdf``.

    Args:
        tables: files of the tables that an experiment makes, ``table_6.csv``; the numbers of one that is not among
            them, or has failed, are not tested.
        folder: where to write. The same tables give the same bytes.

    Raises:
        UsaidError: a file is not the CSV file of a table of this version, or one cannot be written.
    """
    points = points_of(judged(tables))
    stem = Path(folder) / "figure_reproduction"
    write_texts({stem.with_suffix(".csv"): render_points(points)})
    with drawing():
        save(draw_figure_reproduction(points), stem)


def draw_figure_reproduction(points: Sequence[Point]) -> Figure:
    """A row for each metric of each table: how far ours is off, what is not tested, and how many of each verdict.

    Args:
        points: those of all printed numbers.
    """
    rows: _Rows = {}
    for point in points:
        rows.setdefault((point.number.table, point.row), []).append(point)
    height = _heights([*rows])
    bottom = max(height.values()) + 0.7
    inches = _ABOVE + (bottom + 0.7) * _ROW + _BELOW
    figure = Figure(figsize=(PAGE, inches))
    vertical = {"bottom": _BELOW / inches, "top": 1 - _ABOVE / inches}
    grid = figure.add_gridspec(1, 3, width_ratios=(6.4, 1.1, 2.7), left=0.275, right=0.995, wspace=0.03, **vertical)
    strip = figure.add_subplot(grid[0])
    edge, bars = (figure.add_subplot(grid[column], sharey=strip) for column in (1, 2))
    strip.set_ylim(bottom, -0.7)
    _set_up(strip, edge, bars, any(point.place == "beyond" for point in points))
    for key, own in rows.items():
        _draw_row(strip, edge, own, height[key])
        _draw_bar(bars, Counter(point.number.verdict for point in own), height[key])
    strip.set_yticks([*height.values()], [_label(points_of_row[0]) for points_of_row in rows.values()])
    for table, keys in groupby(rows, key=lambda row: row[0]):
        of_table = {height[key]: rows[key] for key in keys}
        _name_table(strip, table, min(of_table))
        _say_why(strip, of_table)
    _head(figure, _sentence(points), Counter(point.number.verdict for point in points))
    return figure


_Rows = dict[tuple[int, str], list[Point]]
"""Table and row -> the points of it."""


def _heights(rows: Sequence[tuple[int, str]]) -> dict[tuple[int, str], float]:
    """Where each row stands, in rows from the top; there is a gap between tables."""
    tables = [*dict.fromkeys(table for table, _ in rows)]
    return {key: index + _GAP * tables.index(key[0]) for index, key in enumerate(rows)}


def _set_up(strip: Axes, edge: Axes, bars: Axes, any_beyond: bool) -> None:
    """Scales, the band of the tolerance, and what the three columns are."""
    strip.set_xscale("symlog", linthresh=1, linscale=1)
    strip.set_xlim(-220, 220)
    ticks = (-100, -10, -1, 0, 1, 10, 100)
    strip.set_xticks(ticks, [f"{tick}".replace("-", "−") for tick in ticks])
    strip.set_xticks([], minor=True)
    strip.axvspan(-1, 1, color="#E3EEF7", zorder=0)
    for tick in ticks:
        strip.axvline(tick, color="#D5D5D5" if tick else "#888888", linewidth=0.6, zorder=0.5)
    arrows = f"; arrows: beyond {FURTHEST:g}" if any_beyond else ""
    strip.set_xlabel(f"ours − print, in tolerances (logarithmic outside the band of ±1{arrows})")
    head: dict[str, Any] = {"transform": strip.transAxes, "va": "bottom", "fontsize": 7, "color": GREY}
    for x, title, align in (
        (_LEFT, "table", "left"),
        (-0.01, "metric ± tolerance", "right"),
        (0.01, "← ours is lower", "left"),
        (0.5, "within tolerance", "center"),
        (0.99, "ours is higher →", "right"),
    ):
        strip.text(x, 1.005, title, ha=align, **head)
    for axes, title in ((strip, ""), (edge, "no number\nof ours"), (bars, "how many of each")):
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, axis="both")
        axes.set_title(title, fontsize=7, color=GREY, pad=3)
    for axes in (edge, bars):
        axes.set_facecolor("none")
        axes.tick_params(labelleft=False, labelbottom=False)
    edge.set_xlim(-1.5, 18)
    bars.set_xlim(0, 18.5)


def _draw_row(strip: Axes, edge: Axes, points: Sequence[Point], y: float) -> None:
    """The points of a row, those that do not hold on top."""
    if how := _WITHOUT_DISTANCE.get(points[0].row):
        strip.axhspan(y - 0.5, y + 0.5, color="white", zorder=0.7)
        strip.text(0.01, y, how, transform=strip.get_yaxis_transform(), va="center", fontsize=6, color=GREY)
    n_beside = sum(point.place == "side by side" for point in points)
    for index, point in enumerate(points):
        if point.place == "not tested":
            edge.plot(point.x, y, "|", color="#777777", markersize=6, markeredgewidth=0.8)
            continue
        look = VERDICTS[point.number.verdict]
        style: dict[str, Any] = {"color": look.colour, "zorder": 3 - _ORDER.index(point.number.verdict) / 10} | _RIM
        if point.place == "side by side":
            x = _MIDDLE + _STEP * (point.x - (n_beside - 1) / 2)
            strip.plot(x, y, look.marker, transform=strip.get_yaxis_transform(), **style)
        else:
            beyond = ">" if point.x > 0 else "<"
            lane = y + 0.28 * (index % _LANES - 1)
            strip.plot(point.x, lane, look.marker if point.place == "measured" else beyond, **style)


def _draw_bar(bars: Axes, counts: Counter[str], y: float, height: float = 0.72) -> None:
    """How many there are of each verdict, one after the other, each with its number."""
    left = 0
    for verdict in _ORDER:
        if not (n := counts[verdict]):
            continue
        bars.barh(y, n, height, left, color=VERDICTS[verdict].colour, edgecolor="#777777", linewidth=0.4)
        on_dark = verdict in (HOLDS, DOES_NOT_HOLD)
        place: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": 6.5}
        place |= {"color": "white", "fontweight": "bold"} if on_dark else {"color": "black"}
        bars.text(left + n / 2, y, f"{n}", **place)
        left += n


def _label(point: Point) -> str:
    """What a row is of, and the tolerance of its numbers."""
    if point.row not in METRICS:
        return _METRICS[point.row]
    metric = METRICS[point.row]
    unit = {"%": " points", "": ""}.get(metric.unit, f" {metric.unit}")
    return f"{metric.title.removesuffix(' Acc')} ±{metric.tolerance:g}{unit}"


def _name_table(strip: Axes, table: int, y: float) -> None:
    """To the left of a table's first row its number and what it is of, below a line."""
    place: dict[str, Any] = {"transform": strip.get_yaxis_transform(), "clip_on": False}
    strip.text(_LEFT, y, ROMAN[table], fontweight="bold", va="center", fontsize=7, **place)
    strip.text(_LEFT + 0.075, y, _measured_on(table), va="center", fontsize=7, **place)
    line = [y - 0.5 - _GAP / 2] * 2
    strip.plot((_LEFT, 1.64), line, color="#BBBBBB", linewidth=0.4, **place)


def _say_why(strip: Axes, rows: Mapping[float, Sequence[Point]]) -> None:
    """Why a table has no number of ours, in the middle of its rows that have a scale."""
    points = [point for own in rows.values() for point in own]
    reasons = {point.number.reason for point in points}
    if len(reasons) > 1 or any(point.place != "not tested" for point in points):
        return
    measured = [y for y, own in rows.items() if own[0].row not in _WITHOUT_DISTANCE]
    y = (measured[0] + measured[-1]) / 2 if measured else min(rows)
    box: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    place: dict[str, Any] = {"transform": strip.get_yaxis_transform(), "ha": "center", "va": "center", "bbox": box}
    strip.text(0.5, y, plain(reasons.pop(), _LONGEST), color=GREY, fontsize=6.5, **place)


def _measured_on(table: int) -> str:
    if table in _MEASURED_ON:
        return _MEASURED_ON[table]
    (benchmark,) = TABLES[table].benchmarks
    return name_of_dataset(benchmark) + (", K classes" if TABLES[table].ablated else "")


def _head(figure: Figure, said: str, counts: Counter[str]) -> None:
    """What it comes to, in a sentence, a bar and its key.

    Args:
        figure: where.
        said: the sentence.
        counts: numbers of each verdict.
    """
    inch = 1 / figure.get_figheight()
    bar = figure.add_axes((0.01, 1 - 0.5 * inch, 0.985, 0.2 * inch))
    bar.set_axis_off()
    bar.set_xlim(0, counts.total())
    _draw_bar(bar, counts, 0, height=1)
    bar.margins(y=0)
    key = [Line2D([], [], linestyle="", label=f"{counts[verdict]} {_SAYS[verdict]}") for verdict in _ORDER]
    for entry, verdict in zip(key, _ORDER, strict=True):
        look = VERDICTS[verdict]
        entry.set(marker=look.marker, markerfacecolor=look.colour, **_RIM | {"markersize": 6})
    key[-1].set(markeredgecolor="#777777", markeredgewidth=0.8)
    headline(figure, said, key, len(key), below=0.5)


def _sentence(points: Sequence[Point]) -> str:
    """How many measured numbers hold of those that were compared, and of the check marks, which are not measured."""
    judged_so = {
        kind: Counter(point.number.verdict for point in points if (point.row == "categories") == is_fact)
        for kind, is_fact in (("numbers", False), ("check marks", True))
    }
    measured, marks = ((own[HOLDS], own[HOLDS] + own[DOES_NOT_HOLD]) for own in judged_so.values())
    if not measured[1]:
        said = f"None of the paper's {judged_so['numbers'].total()} numbers could be compared"
    else:
        said = f"{measured[0]} of the {measured[1]} numbers that could be compared hold"
    return f"{said}; {marks[0]} of {marks[1]} check marks agree" if marks[1] else said
