"""The classes behind a mean: IoU of each class, average precision of each category, as CSV and Markdown."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS
from usaid.report.tables.metrics import over_classes
from usaid.report.tables.render_markdown import DASH, escaped, table_line
from usaid.report.tables.titles import sigma_name
from usaid.report.text_files import write_texts
from usaid.scores.comparable import check_comparable
from usaid.scores.files import Scores, read_scores, rows_at
from usaid.scores.whole_set import statistic_of


class ClassScore(NamedTuple):
    """The score of one class, mean over draws.

    Attributes:
        value: NaN: the class does not occur, or does not count in the mean.
    """

    benchmark: str
    convention: str
    sigma: float
    class_name: str
    denoiser: str
    value: float


def write_classes(score_files: Iterable[str | Path], folder: str | Path) -> None:
    """Write ``classes.csv`` and ``classes.md`` to a folder.

    Args:
        score_files: of benchmarks one of whose metrics is a mean over classes.
        folder: for the two files.

    Raises:
        UsaidError: scores of another benchmark, or of one benchmark that are not comparable.
    """
    scores: dict[str, dict[str, Scores]] = {}
    for path in score_files:
        of_file = read_scores(path)
        benchmark = of_file.provenance["benchmark"]
        if benchmark not in BENCHMARKS or over_classes(benchmark) is None:
            with_classes = ", ".join(name for name in BENCHMARKS if over_classes(name) is not None)
            raise UsaidError(f"{path}: scores of {benchmark} have no classes; give those of {with_classes}")
        scores.setdefault(benchmark, {})[of_file.provenance["denoiser"]] = of_file
    rows: dict[str, list[ClassScore]] = {}
    for benchmark, by_denoiser in scores.items():
        check_comparable(benchmark, by_denoiser)
        judged = {name: own for name, own in by_denoiser.items() if own.provenance["failure"] is None}
        rows[benchmark] = [*class_scores(benchmark, judged)]
    write_texts({Path(folder) / "classes.csv": _csv(rows), Path(folder) / "classes.md": _markdown(rows)})


def class_scores(benchmark: str, scores: Mapping[str, Scores]) -> Iterable[ClassScore]:
    """The score of every class, sigma by sigma and denoiser by denoiser.

    Args:
        benchmark: one that has a metric over classes.
        scores: denoiser -> its scores on it, none of them failed.
    """
    convention = _metric(benchmark).conventions[0]
    statistic = statistic_of(convention)
    for sigma in sorted({sigma for own in scores.values() for sigma in own.rows["sigma"].unique()}):
        for denoiser, own in scores.items():
            draws = rows_at(own.rows, sigma).groupby("draw")
            by_draw = [statistic.of_classes(rows, own.provenance["judge"]) for _, rows in draws]
            for name in dict.fromkeys(name for values in by_draw for name in values):
                values = [of_draw[name] for of_draw in by_draw if name in of_draw]
                yield ClassScore(benchmark, convention.name, sigma, name, denoiser, sum(values) / len(values))


def _metric(benchmark: str) -> Metric:
    metric = over_classes(benchmark)
    assert metric is not None
    return metric


def _csv(scores: Mapping[str, Iterable[ClassScore]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["benchmark", "convention", "sigma", "class", "denoiser", "value"])
    for row in (row for rows in scores.values() for row in rows):
        value = "" if math.isnan(row.value) else f"{row.value:.4f}"
        writer.writerow([*row[:2], sigma_name(row.sigma), *row[3:5], value])
    return stream.getvalue()


def _markdown(scores: Mapping[str, list[ClassScore]]) -> str:
    sections = ["# Scores of each class", f"{DASH}: does not occur in these images, or does not count in the mean."]
    for benchmark, rows in scores.items():
        for sigma in dict.fromkeys(row.sigma for row in rows):
            title = f"{benchmark}, sigma {sigma_name(sigma)}, {rows[0].convention}"
            sections.append(f"## {title}\n\n{_table([row for row in rows if row.sigma == sigma], _metric(benchmark))}")
    return "\n\n".join(sections) + "\n"


def _table(rows: list[ClassScore], metric: Metric) -> str:
    """Classes down, denoisers across."""
    denoisers = [*dict.fromkeys(row.denoiser for row in rows)]
    values = {(row.class_name, row.denoiser): row.value for row in rows}
    lines = [table_line(["", *map(escaped, denoisers)]), table_line(["---", *["---:"] * len(denoisers)])]
    for name in dict.fromkeys(row.class_name for row in rows):
        of_class = [values.get((name, denoiser), math.nan) for denoiser in denoisers]
        cells = [DASH if math.isnan(value) else f"{value:.{metric.digits}f}" for value in of_class]
        lines.append(table_line([escaped(name), *cells]))
    return "\n".join(lines)
