"""Means over images of all score files of a table, and why a cell has none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from usaid.errors import UsaidError
from usaid.tables.cells import Mark, Place
from usaid.tables.comparable import ScoresLike
from usaid.tables.specs import Metric, TableSpec

NOT_IN_EXPERIMENT = "not in this experiment"


@dataclass(frozen=True)
class Mean:
    """A mean over images.

    Attributes:
        value: in the paper's unit; NaN if no image has a value.
        n: images that it is over.
        n_undefined: images left out because the metric is undefined for them.
    """

    value: float
    n: int
    n_undefined: int


@dataclass(frozen=True)
class Missing:
    """Why a cell has no number of ours, and what the footnote about it marks."""

    reason: str
    mark: Mark | Place


class Means:
    """The means of all score files of a table.

    Attributes:
        spec: the table.
        scores: denoiser -> its scores.
        judged: those of them whose evaluator did not fail.
        conventions: metric -> the column of the score files that holds it; None: no file has it.
        sigmas: those that were scored and that the table shows, ascending.
        values: cell -> mean, for every one of these sigmas, denoiser and metric that was scored.
    """

    def __init__(self, spec: TableSpec, scores: Mapping[str, ScoresLike]) -> None:
        """Compute the means.

        Raises:
            UsaidError: two files hold a metric in different conventions.
        """
        self.spec = spec
        self.scores = scores
        self.judged = {name: one for name, one in scores.items() if one.provenance["failure"] is None}
        self.metrics = {metric.name: metric for metric in spec.metrics}
        self.conventions = {metric.name: _convention(spec.benchmark, metric, self.judged) for metric in spec.metrics}
        scored = {float(sigma) for one in self.judged.values() for sigma in one.rows["sigma"].unique()}
        self.sigmas = sorted(sigma for sigma in scored if spec.sigma in (None, sigma))
        self.values = dict(self._means())

    def _means(self) -> Iterable[tuple[Place, Mean]]:
        for method, one in self.judged.items():
            for sigma in self.sigmas:
                rows = one.rows[one.rows["sigma"] == sigma]
                for metric in self.spec.metrics:
                    if (column := self.conventions[metric.name]) in rows:
                        place = Place(sigma_name(sigma), method, metric.name)
                        yield place, _mean(rows["image_id"], rows[column] * metric.scale)

    def why_missing(self, place: Place) -> Missing | None:
        """Why there is no number of ours in a cell, or None if there is one."""
        group, method, metric = place
        if method not in self.scores:
            return Missing(NOT_IN_EXPERIMENT, Mark(method=method))
        if failure := self.why_failed(method):
            return failure
        if group not in map(sigma_name, self.sigmas):
            return Missing(f"sigma {NOT_IN_EXPERIMENT}", Mark(group=group))
        column = self.conventions[metric]
        if column is None:
            return Missing(
                f"no {' or '.join(self.metrics[metric].conventions)} in the score files", Mark(metric=metric)
            )
        if place not in self.values:
            return Missing(f"no {column} in its score file", place)
        if not self.values[place].n:
            return Missing(f"{column} is undefined for every image", place)
        return None

    def why_failed(self, method: str) -> Missing | None:
        """Why a method has no numbers at all, or None if its evaluator did not fail."""
        if method in self.judged:
            return None
        failure = one_line(self.scores[method].provenance["failure"])
        return Missing(f"evaluator failed: {failure}", Mark(method=method))

    def convention_text(self, metric: str) -> str:
        """The convention of a metric, and the paper's if that is another one."""
        ours, papers = self.conventions[metric], self.metrics[metric].conventions[0]
        return str(ours) if ours == papers else f"{ours} (the paper's is {papers})"

    def undefined_text(self, place: Place) -> str | None:
        """For how many images the metric of a cell is undefined; None: for none."""
        mean = self.values[place]
        if not mean.n_undefined:
            return None
        images = f"{mean.n_undefined} of {mean.n + mean.n_undefined} images"
        return f"{self.conventions[place.metric]} is undefined for {images}"

    def deviations(self, method: str, metric: str | None) -> list[str]:
        """What differs from the paper's protocol for a method: for one metric, or (None) whatever the metric.

        A deviation that names the convention of a metric is about that metric alone. A failed evaluator has none.
        """
        if method not in self.judged:
            return []
        texts = [one_line(text) for text in self.judged[method].provenance["deviations"]]
        return [text for text in dict.fromkeys(texts) if self._metric_of(text) == metric]

    def _metric_of(self, deviation: str) -> str | None:
        named = (metric for metric, column in self.conventions.items() if column and column in deviation)
        return next(named, None)


def sigma_name(sigma: float) -> str:
    """A sigma as the name of a group: ``"25"``."""
    return f"{sigma:g}"


def one_line(text: str) -> str:
    """``text`` on one line, without a final stop."""
    return " ".join(text.split()).removesuffix(".")


def _convention(benchmark: str, metric: Metric, judged: Mapping[str, ScoresLike]) -> str | None:
    """The column that holds a metric in all score files that have it; None: no file has it.

    Raises:
        UsaidError: two files hold it in different conventions.
    """
    found = {name: [column for column in metric.conventions if column in one.rows] for name, one in judged.items()}
    found = {name: columns for name, columns in found.items() if columns}
    common = [column for column in metric.conventions if all(column in columns for columns in found.values())]
    if not found:
        return None
    if common:
        return common[0]
    first, *others = found
    other = next((name for name in others if found[name][0] != found[first][0]), others[-1])
    files = f"{benchmark}/{first}.parquet and {benchmark}/{other}.parquet"
    raise UsaidError(f"{files}: {found[first][0]} in the first, {found[other][0]} in the second; score both with one")


def _mean(image_ids: "pd.Series[str]", values: "pd.Series[float]") -> Mean:
    """Mean over images and draws; an image with an undefined value in any draw is left out and counted."""
    undefined = set(image_ids[values.isna()])
    defined = ~image_ids.isin(undefined)
    return Mean(float(values[defined].mean()), int(image_ids[defined].nunique()), len(undefined))
