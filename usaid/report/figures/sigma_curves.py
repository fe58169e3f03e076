"""Scores against sigma, ours and the paper's, from the tables: what ``figure_sigma`` draws."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.paper.layouts import REFERENCES, TITLES, TableSpec
from usaid.paper.published import paper_denoisers
from usaid.registries import METRICS
from usaid.report.figures.drawing import some_of
from usaid.report.tables.specs import spec_of

MOST_OWN = 3
"""Denoisers that the paper lacks and that are drawn."""


@dataclass(frozen=True)
class Point:
    """The scores of a denoiser at one noise level; None: there is none.

    Attributes:
        sigma: noise level, 0-255 scale.
        ours: in the metric's unit; an infinite one is none.
        low: lower end of the 95 % interval of ours.
        high: upper end of it.
        paper: as printed.
        n: images behind ours.
    """

    sigma: float
    ours: float | None
    low: float | None
    high: float | None
    paper: float | None
    n: int | None


@dataclass(frozen=True)
class Panel:
    """A metric of a table against sigma.

    Attributes:
        spec: the table.
        setting: what non-blind methods are told, in words; empty: the truth, as everywhere but in Table IV.
        metric: the metric.
        curves: denoiser -> its points, by sigma.
    """

    spec: TableSpec
    setting: str
    metric: Metric
    curves: Mapping[str, Sequence[Point]]

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest number of the denoisers that compete, their intervals and print included."""
        own = [point for name, points in self.curves.items() if name not in REFERENCES for point in points]
        own = own or [point for points in self.curves.values() for point in points]
        values = [v for p in own for v in (p.ours, p.low, p.high, p.paper) if v is not None]
        return min(values), max(values)

    def is_cut_off(self, denoiser: str) -> bool:
        """Whether a reference lies so far from the denoisers that they would be one line beside it."""
        low, high = self.limits
        room = 0.3 * (high - low)
        values = [v for point in self.curves[denoiser] for v in (point.ours, point.paper) if v is not None]
        return denoiser in REFERENCES and any(not low - room <= value <= high + room for value in values)


@dataclass(frozen=True)
class Curves:
    """What is drawn, and in words what is not.

    Attributes:
        panels: table by table, setting by setting, metric by metric.
        notes: sentences without their stops.
    """

    panels: list[Panel] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_curves(tables: Iterable[str | Path]) -> Curves:
    """The scores of all tables of several sigmas that have a number of ours.

    Of denoisers that the paper lacks the first :data:`MOST_OWN` of a table are there.

    Args:
        tables: files of the tables, ``table_6.csv``; one that has failed is said in the notes.

    Raises:
        UsaidError: a file is not the CSV file of a table of this version.
    """
    found = Curves()
    left_out: dict[str, None] = {}
    specs = [(spec, Path(path).with_suffix(".csv")) for path in tables if (spec := _spec(Path(path).stem)) is not None]
    for spec, path in sorted(specs, key=lambda own: (own[0].number is None, own[0].number or 0, own[0].name)):
        if failure := failure_in(path):
            found.notes.append(f"{spec.title}: {failure}")
            continue
        cells = _cells(path)
        names = _chosen(spec, [denoiser for _, denoiser, _ in cells])
        left_out |= dict.fromkeys(name for _, name, _ in cells if name not in (*names, *TITLES))
        found.panels.extend(_panels(spec, cells, names))
    if left_out:
        found.notes.append(f"Not drawn, but in the tables: {some_of([*left_out], 3)}")
    return found


def _spec(stem: str) -> TableSpec | None:
    """The table of a file, if it has scores of several sigmas."""
    try:
        spec = spec_of(stem.removeprefix("table_"))
    except UsaidError:  # of a benchmark whose package is not installed here
        return None
    return spec if spec.benchmarks and spec.sigma is None else None


_Cells = Mapping[tuple[str, str, str], Point]
"""Group, denoiser and metric -> what a table's CSV file says."""


def _cells(path: Path) -> _Cells:
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        return {(row["group"], row["denoiser"], row["metric"]): _point(row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UsaidError(f"{path}: not a table of this version ({error!r}); delete it and rerun") from None


def _point(row: Mapping[str, str]) -> Point:
    ours, low, high, paper = (_number(row[name]) for name in ("ours", "low", "high", "paper"))
    n = int(row["n"]) if row["n"] else None
    return Point(float(row["group"].split("/")[-1]), ours, low, high, paper, n)


def _number(text: str) -> float | None:
    return float(text) if text and math.isfinite(float(text)) else None


def _chosen(spec: TableSpec, names: Iterable[str]) -> list[str]:
    """The denoisers that are drawn: the paper's, the first of the others, and what they are compared with."""
    known = [*dict.fromkeys(names)]
    paper = [name for name in paper_denoisers(spec.number) if name not in REFERENCES]
    own = [name for name in known if name not in (*TITLES, *REFERENCES)]
    return [name for name in (*REFERENCES, *paper, *own[:MOST_OWN]) if name in known]


def _panels(spec: TableSpec, cells: _Cells, names: Sequence[str]) -> Iterable[Panel]:
    """The panels of a table that have a number of ours; none of further conventions of printed metrics.

    Those of Table IV only if one of its non-blind methods has: what blind ones are told does not change them.
    """
    asked = [name for name in names if name not in REFERENCES]
    if spec.settings:
        asked = [name for name in asked if name in paper_denoisers(spec.number)]
    for setting, told in (spec.settings or {"": None}).items():
        said = "" if not setting else "told true σ" if told is None else f"told σ = {told:g}"
        for metric in dict.fromkeys(metric for _, _, metric in cells):
            curves = {name: _curve(cells, setting, name, metric) for name in names}
            has_ours = any(point.ours is not None for name in asked or names for point in curves[name])
            if has_ours and metric in METRICS and METRICS[metric].printed_as is None:
                drawn = {name: points for name, points in curves.items() if points}
                yield Panel(spec, said, METRICS[metric], drawn)


def _curve(cells: _Cells, setting: str, denoiser: str, metric: str) -> list[Point]:
    own = [
        point
        for (group, name, of), point in cells.items()
        if (name, of) == (denoiser, metric) and group.rpartition("/")[0] == setting
    ]
    return sorted((p for p in own if (p.ours, p.paper) != (None, None)), key=lambda point: point.sigma)


def render_curves(panels: Iterable[Panel]) -> str:
    """What is drawn as CSV, a denoiser at a sigma a line; ``cut_off``: it is not in the picture, whose scale ends."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = (
        "table",
        "setting",
        "metric",
        "unit",
        "denoiser",
        "sigma",
        "ours",
        "low",
        "high",
        "paper",
        "n",
        "cut_off",
    )
    writer.writerow(columns)
    for panel in panels:
        for denoiser, points in panel.curves.items():
            for own in points:
                numbers = ["" if v is None else f"{v:g}" for v in (own.sigma, own.ours, own.low, own.high, own.paper)]
                about = [panel.spec.name, panel.setting, panel.metric.name, panel.metric.unit, denoiser]
                writer.writerow([*about, *numbers, own.n or "", int(panel.is_cut_off(denoiser))])
    return stream.getvalue()
