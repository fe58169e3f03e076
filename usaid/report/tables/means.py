"""The numbers of a table from all score files of a benchmark, and why a cell has none."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.report.tables.cells import Mark, Place
from usaid.report.tables.metrics import unavailable
from usaid.report.tables.titles import one_line, sigma_name
from usaid.scores.comparable import ScoresLike
from usaid.scores.draws import files_behind
from usaid.scores.failed_levels import failed_levels_of, why_level_is_missing
from usaid.scores.files import rows_at
from usaid.scores.grid import Grid
from usaid.scores.whole_set import columns_of, statistic_of

if TYPE_CHECKING:
    import pandas as pd

NOT_IN_EXPERIMENT = "not in this experiment"
NOT_AT_THIS_LEVEL = "not scored at this sigma, as told, in this experiment"


class Mean(NamedTuple):
    """A mean over images, or the score of all of them together.

    Attributes:
        value: in the paper's unit; NaN if no image has a value.
        images: ids of those that it is over.
        n_undefined: images left out because the metric is undefined for them.
    """

    value: float
    images: frozenset[str]
    n_undefined: int

    @property
    def n(self) -> int:
        """Number of images that it is over."""
        return len(self.images)


class Shown(NamedTuple):
    """What a group of rows shows.

    Attributes:
        sigma: noise level, 0-255 scale.
        told_sigma: what non-blind methods are told, 0-255 scale; None: the truth.
    """

    sigma: float
    told_sigma: float | None


@dataclass(frozen=True)
class Missing:
    """Why a cell has no number of ours, and what the footnote about it marks."""

    reason: str
    mark: Mark | Place


class Means:
    """The scores of all score files of one benchmark as a table shows them: means over images, or of the data set.

    Attributes:
        benchmark: theirs.
        scores: denoiser -> its scores.
        judged: those of them that were scored.
        metrics: name -> metric, in order.
        conventions: metric -> the convention that the score files hold it in; None: no file has it.
        sigmas: those that were scored and that the table shows, ascending.
        groups: name of the group of rows -> its sigma, and what non-blind methods are told in it.
        values: cell -> mean, for every one of these groups, denoiser and metric that was scored.
    """

    def __init__(
        self,
        benchmark: str,
        metrics: Sequence[Metric],
        scores: Mapping[str, ScoresLike],
        sigma: float | None = None,
        group: str | None = None,
        settings: Mapping[str, float | None] | None = None,
    ) -> None:
        """Compute the means.

        Args:
            benchmark: the scores' benchmark.
            metrics: what to show.
            scores: denoiser -> its scores.
            sigma: the only one to show; None: all.
            group: name of the only group of rows, with ``sigma``; None: they are named by their sigmas.
            settings: those of :class:`usaid.paper.layouts.TableSpec`; there is a group for each of them and sigma.

        Raises:
            UsaidError: two files hold a metric in different conventions.
        """
        self.benchmark = benchmark
        self.scores = scores
        self.sigma = sigma
        self.group = group
        self.judged = {name: own for name, own in scores.items() if own.provenance["failure"] is None}
        self.metrics = {metric.name: metric for metric in metrics}
        self.conventions = {metric.name: _convention(benchmark, metric, self.judged) for metric in metrics}
        scored = {float(level) for own in self.judged.values() for level in own.rows["sigma"].unique()}
        scored |= {float(lost["sigma"]) for own in self.judged.values() for lost in failed_levels_of(own.provenance)}
        self.sigmas = sorted(level for level in scored if sigma in (None, level))
        self.groups = {
            (group or sigma_name(level)) if name is None else f"{name}/{sigma_name(level)}": Shown(level, told)
            for name, told in (settings.items() if settings else [(None, None)])
            for level in self.sigmas
        }
        self._grids: dict[tuple[str, str], Grid] = {}
        self.values = dict(self._means())

    def _means(self) -> Iterable[tuple[Place, Mean]]:
        for denoiser in self.judged:
            for group in self.groups:
                grid = self.grid(group, denoiser)
                for metric in self.metrics.values():
                    convention = self.conventions[metric.name]
                    if convention is not None and len(grid.rows) and _holds(grid.rows, convention):
                        mean = self._mean(denoiser, grid, convention)
                        yield Place(group, denoiser, metric.name), mean._replace(value=mean.value * metric.scale)

    def _mean(self, denoiser: str, grid: Grid, convention: Convention) -> Mean:
        """As :func:`_mean`, naming the score file whose rows nothing can be made from."""
        try:
            return _mean(grid, convention, self.scores[denoiser].provenance.get("judge", {}))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            reason = one_line(f"{type(error).__name__}: {error}")[:200]
            file = f"{self.benchmark}/{denoiser}.parquet"
            cure = "delete it and its journal (.rows.jsonl), then rerun"
            raise UsaidError(f"{file}: no {convention.name} comes out of its rows ({reason}); {cure}") from None

    def images_of(self, group: str, metric: str) -> frozenset[str]:
        """The images behind any of the numbers of a group and metric."""
        means = (mean for place, mean in self.values.items() if (place.group, place.metric) == (group, metric))
        return frozenset().union(*(mean.images for mean in means))

    def is_apart(self, place: Place) -> bool:
        """Whether a number averages fewer images than others of its group and metric."""
        mean = self.values.get(place)
        return mean is not None and bool(mean.n) and mean.images != self.images_of(place.group, place.metric)

    def why_missing(self, place: Place) -> Missing | None:
        """Why there is no number of ours in a cell, or None if there is one."""
        group, denoiser, metric = place
        if not self.scores:
            return Missing(NOT_IN_EXPERIMENT, Mark(group=self.group))
        if denoiser not in self.scores:
            return Missing(NOT_IN_EXPERIMENT, self.mark(denoiser, metric))
        if failure := self.why_failed(denoiser):
            return Missing(failure, self.mark(denoiser, metric))
        if group not in self.groups:
            return Missing(f"sigma {NOT_IN_EXPERIMENT}", Mark(group=group))
        convention = self.conventions[metric]
        of_all = Mark(metric=metric) if self.group is None else place
        if place not in self.values and (reason := self._why_unavailable(denoiser, metric)):
            return Missing(reason, of_all if convention is None else place)
        if convention is None:
            names = " or ".join(known.name for known in self.metrics[metric].conventions)
            return Missing(f"no {names} in the score files", of_all)
        if self.grid(group, denoiser).rows.empty:
            reason = why_level_is_missing(self.judged[denoiser].provenance, *self.groups[group])
            return Missing(NOT_AT_THIS_LEVEL if reason is None else self._without_rows(denoiser, reason), place)
        if place not in self.values:
            lacking = (self.judged[denoiser].provenance.get("borrowed_from") or {}).get("lacking") or {}
            reasons = [lacking[name] for name in columns_of(convention) if name in lacking]
            text = self._without_rows(denoiser, one_line(reasons[0])) if reasons else None
            return Missing(text or f"no {convention.name} in its score file", place)
        if math.isnan(self.values[place].value):
            return Missing(f"{convention.name} is undefined for every image{_of_what_size(convention)}", place)
        return None

    def _why_unavailable(self, denoiser: str, metric: str) -> str | None:
        """Why the judge of a denoiser could not compute a metric, or None if it does not say so."""
        reasons = unavailable(self.judged[denoiser])
        names = (known.name for known in self.metrics[metric].conventions)
        return next((f"no {name}: {one_line(reasons[name])}" for name in names if name in reasons), None)

    def grid(self, group: str, denoiser: str) -> Grid:
        """The rows of a denoiser that was scored, that a group is made from."""
        if (group, denoiser) not in self._grids:
            self._grids[group, denoiser] = Grid(rows_at(self.judged[denoiser].rows, *self.groups[group]))
        return self._grids[group, denoiser]

    def files(self, denoiser: str) -> tuple[str, ...]:
        """The score files of a denoiser, as ``provenance.json`` names them; none: it was not scored."""
        if denoiser not in self.scores:
            return ()
        provenance = self.scores[denoiser].provenance
        return files_behind({"denoiser": denoiser, **provenance})

    def is_told(self, denoiser: str) -> bool:
        """Whether a denoiser is non-blind: its rows say what it was told."""
        rows = self.judged[denoiser].rows
        return "told_sigma" in rows and bool(rows["told_sigma"].notna().any())

    def why_failed(self, denoiser: str) -> str | None:
        """Why a denoiser has no numbers at all, or None if it was scored."""
        if denoiser in self.judged:
            return None
        return self._without_rows(denoiser, one_line(self.scores[denoiser].provenance["failure"]))

    def _without_rows(self, denoiser: str, reason: str) -> str:
        """Why a denoiser has no rows: nothing was computed where they were to be taken from earlier scores."""
        is_borrowed = self.scores[denoiser].provenance.get("borrowed_from") is not None
        return f"{'not taken from earlier scores' if is_borrowed else 'not scored'}: {reason}"

    def mark(self, denoiser: str, metric: str) -> Mark | Place:
        """What a footnote about a denoiser marks: its heading, or its cell where other benchmarks share the heading."""
        return Mark(denoiser=denoiser) if self.group is None else Place(self.group, denoiser, metric)

    def convention_name(self, metric: str) -> str:
        """The name of the convention of a metric that some score file holds."""
        convention = self.conventions[metric]
        assert convention is not None
        return convention.name

    def papers_convention(self, metric: str) -> str:
        """The name of the convention of a metric in the paper."""
        return self.metrics[metric].conventions[0].name

    def convention_text(self, metric: str) -> str:
        """The convention of a metric that some score file holds, and the paper's if that is another one."""
        ours, papers = self.convention_name(metric), self.papers_convention(metric)
        return ours if ours == papers else f"{ours} (the paper's is {papers})"

    def undefined_text(self, place: Place) -> str | None:
        """For how many images the metric of a cell is undefined; None: for none."""
        mean = self.values[place]
        if not mean.n_undefined:
            return None
        images = f"{mean.n_undefined:,} of {mean.n + mean.n_undefined:,} images"
        convention = self.conventions[place.metric]
        assert convention is not None
        return f"{convention.name} is undefined for {images}{_of_what_size(convention)}"

    def remarks(self, place: Place) -> list[str]:
        """What has to be known of a number of ours beside its convention: fewer images, deviations from the paper."""
        mean, dataset = self.values[place], self.judged[place.denoiser].provenance["dataset"]
        texts = [f"n = {dataset['n']:,} of {dataset['n_official']:,}"] * (dataset["n"] != dataset["n_official"])
        if undefined := self.undefined_text(place):
            texts.append(undefined)
        if self.is_apart(place):
            texts.append(f"n = {mean.n:,}: fewer images than its neighbours, not ranked against them")
        return [*texts, *self.deviations(place.denoiser, place.metric), *self.deviations(place.denoiser, None)]

    def deviations(self, denoiser: str, metric: str | None) -> list[str]:
        """What differs from the paper's protocol for a denoiser: for one metric, or (None) whatever the metric.

        A deviation that names the convention of a metric is about that metric alone. What was not scored has none.
        """
        if denoiser not in self.judged:
            return []
        texts = [one_line(text) for text in self.judged[denoiser].provenance["deviations"]]
        return [text for text in dict.fromkeys(texts) if self._metric_of(text) == metric]

    def _metric_of(self, deviation: str) -> str | None:
        conventions = self.conventions.items()
        return next((metric for metric, used in conventions if used is not None and used.name in deviation), None)


def _of_what_size(convention: Convention) -> str:
    """What size of images a convention needs, to be said where it is undefined."""
    side = convention.smallest_side
    return "" if side is None else f" (it needs sides of {side} pixels)"


def _convention(benchmark: str, metric: Metric, judged: Mapping[str, ScoresLike]) -> Convention | None:
    """The convention that a metric has in all score files that have it; None: no file has it.

    Raises:
        UsaidError: two files hold it in different conventions.
    """
    held = {name: [c for c in metric.conventions if _holds(scores.rows, c)] for name, scores in judged.items()}
    held = {name: conventions for name, conventions in held.items() if conventions}
    if not held:
        return None
    common = [c for c in metric.conventions if all(c in conventions for conventions in held.values())]
    if common:
        return common[0]
    first, *others = held
    other = next((name for name in others if held[name][0] != held[first][0]), others[-1])
    files = f"{benchmark}/{first}.parquet and {benchmark}/{other}.parquet"
    ours, theirs = held[first][0].name, held[other][0].name
    raise UsaidError(f"{files}: {ours} in the first, {theirs} in the second; score both with one")


def _holds(rows: "pd.DataFrame", convention: Convention) -> bool:
    """Whether score rows have what a convention is made from."""
    return set(columns_of(convention)) <= set(rows)


def _mean(grid: Grid, convention: Convention, judge: Mapping[str, Any]) -> Mean:
    """Mean over draws of the score of all images, or over images and draws of theirs.

    An image with an undefined value in any draw is left out of a mean over images and counted.
    """
    rows = grid.rows
    if convention.of_whole_set:
        statistic = statistic_of(convention)
        by_draw = [statistic.of_data_set(draw, judge) for _, draw in rows.groupby("draw")]
        return Mean(statistics.fmean(by_draw), grid.image_set, 0)
    scores = rows[convention.name]
    undefined = frozenset(rows["image_id"][scores.isna()])
    if undefined:
        scores = scores[~rows["image_id"].isin(undefined)]
    return Mean(float(scores.mean()), grid.image_set - undefined, len(undefined))
