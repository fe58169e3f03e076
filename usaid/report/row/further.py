"""What stands below the rows of denoisers: their differences to U-SAID, image by image, and the time that they take."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.report.tables.numbers import NumberFormat

AGAINST = "u_said"
"""What others are compared with: the paper's method."""

PIXELS = 768 * 512
"""Of the image that a time is said of: one of Kodak's."""


class Difference(NamedTuple):
    """A paired difference: a score minus that of :data:`AGAINST`, over images.

    Attributes:
        value: as the table writes numbers, with its sign.
        low: lower end of its 95 % interval; None: there is none.
        high: upper end.
    """

    value: str
    low: str | None
    high: str | None


class Time(NamedTuple):
    """How long a denoiser takes, by itself.

    Attributes:
        seconds: for an image of :data:`PIXELS`.
        device: where.
    """

    seconds: float
    device: str


def differences_in(
    results: Path, denoiser: str, column_of: Callable[[str, str, str], object]
) -> dict[object, Difference]:
    """The differences of a denoiser to :data:`AGAINST`, from the statistics of an experiment.

    Args:
        results: folder of the experiment.
        denoiser: its name.
        column_of: what a table's name, a group and a metric are a column of; None: of none.

    Raises:
        UsaidError: a file is no page of statistics of this version.
    """
    found: dict[object, Difference] = {}
    for path in sorted(Path(results, "statistics").glob("*.csv")):
        for line in _lines(path):
            pair = (line["denoiser"], line["other"])
            if line["over"] != "images" or {*pair} != {denoiser, AGAINST} or not line["value"]:
                continue
            column = column_of(line["table"], line["group"], line["metric"])
            if column is not None:
                found.setdefault(column, _difference(line, is_turned=pair[0] == AGAINST))
    return found


def _lines(path: Path) -> Iterator[Mapping[str, str]]:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            lines = [*csv.DictReader(file)]
    except (OSError, ValueError):
        return
    needed = {"table", "group", "metric", "denoiser", "other", "over", "value", "low", "high"}
    if lines and not needed <= lines[0].keys():
        if "usaid" in next(iter(lines[0]), ""):  # a marker: the page failed
            return
        raise UsaidError(f"{path}: no page of statistics of this version; make it again")
    yield from lines


def _difference(line: Mapping[str, str], is_turned: bool) -> Difference:
    number = NumberFormat(METRICS[line["metric"]].digits if line["metric"] in METRICS else 4)
    sign, ends = (-1, ("high", "low")) if is_turned else (1, ("low", "high"))
    low, high = (number.plain(sign * float(line[end])) if line[end] else None for end in ends)
    return Difference(number.difference(sign * float(line["value"])), low, high)


def times_in(provenance: Path, denoisers: Iterable[str]) -> dict[str, Time]:
    """How long denoisers take, from the provenance of an experiment's scores: those of Kodak, if there are any.

    Without those that were not timed.
    """
    try:
        collected: Mapping[str, Mapping[str, Any]] = json.loads(provenance.read_text(encoding="utf-8"))
        ordered = sorted(collected.items(), key=lambda item: (not item[0].startswith("kodak_quality/"), item[0]))
        times: dict[str, Time] = {}
        for name in denoisers:
            for file, own in ordered:
                if file.rpartition("/")[2] == name and (speed := own.get("pixels_per_second")):
                    times.setdefault(name, Time(PIXELS / speed, str(own.get("device"))))
        return times
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
