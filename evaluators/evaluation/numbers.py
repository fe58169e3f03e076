"""The numbers of an evaluation: means with intervals, the paper's beside them, and how far one's own is from U-SAID."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from evaluators.evaluation.companions import PAPERS_OWN, Companion
from usaid.cards import Metric
from usaid.paper.layouts import ROMAN, TITLES, table_in_print
from usaid.paper.published import published
from usaid.registries import BENCHMARKS, DATASETS, METRICS
from usaid.report.statistics.sources import intervals_of
from usaid.report.tables.cells import Place
from usaid.report.tables.means import Means
from usaid.report.tables.titles import one_line, sigma_name
from usaid.scores.files import Scores
from usaid.scores.whole_set import columns_of

MINE = "mine"
"""What the evaluated denoiser is called beside the paper's."""

COMPARED = "u_said"
"""The one that is subtracted from it."""

THIS_RUN = "this run"

PRINTED = "printed"
"""What its name ends with where a number is the paper's own."""


class Number(NamedTuple):
    """One number.

    Attributes:
        sigma: noise level, 0-255 scale.
        denoiser: its title; of a difference ``"mine - U-SAID"``.
        metric: name of the metric.
        convention: how it was computed; empty: not known.
        value: mean over images or score of all of them, in the metric's unit; NaN: there is none.
        low: lower end of its 95 % interval over images; NaN: there is none.
        high: upper end of it.
        n: images behind it.
        n_all: images of the whole split.
        source: ``"this run"``, the results folder of the scores, or ``"Table VI"``.
        is_difference: it is the mean paired difference of two denoisers.
    """

    sigma: float
    denoiser: str
    metric: str
    convention: str
    value: float
    low: float
    high: float
    n: int
    n_all: int
    source: str
    is_difference: bool = False


def metrics_of(scores: Scores) -> list[Metric]:
    """The metrics that a summary shows: the benchmark's, with a dash where there is none, and further ones it has.

    A further convention of a printed metric has no dash: earlier scores may lack what it is made from.
    """
    card = BENCHMARKS[scores.provenance["benchmark"]]
    own = [METRICS[name] for name in card.metrics]
    further = [metric for name, metric in METRICS.items() if name not in card.metrics and _is_in(metric, scores)]
    return [metric for metric in (*own, *further) if metric.printed_as is None or _is_in(metric, scores)]


def _is_in(metric: Metric, scores: Scores) -> bool:
    return any({*columns_of(convention)} <= {*scores.rows} for convention in metric.conventions)


def titles_of(scores: Scores) -> dict[str, str]:
    """What denoisers are called: ``mine`` by its title, which none of the paper's shares then."""
    title, papers = one_line(scores.provenance["title"]), {name: TITLES[name] for name in PAPERS_OWN}
    return {MINE: f"{title} ({THIS_RUN})" if title in papers.values() else title, **papers}


def numbers_of(scores: Scores, companions: Mapping[str, Companion] | None) -> list[Number]:
    """All numbers, sigma by sigma, denoiser by denoiser, metric by metric.

    Args:
        scores: of the evaluation.
        companions: the paper's denoisers on the same images; of those that are not there, the printed numbers are
            taken. None: nobody stands beside it.
    """
    beside = () if companions is None else PAPERS_OWN
    companions = companions or {}
    told = _told(scores)
    settings = None if told is None else {"told": told}
    of_all = {MINE: scores, **{name: own.scores for name, own in companions.items()}}
    means = Means(scores.provenance["benchmark"], metrics_of(scores), of_all, settings=settings)
    numbers: list[Number] = []
    for group, shown in means.groups.items():
        for name in (MINE, *beside):
            own = [] if name not in of_all else [*_scored(means, group, name, scores, companions)]
            numbers += own or _printed(scores, shown.sigma, name)
        if COMPARED in companions:
            numbers += _differences(scores, companions[COMPARED], group, settings)
    return numbers


def _told(scores: Scores) -> float | None:
    """The one level that a non-blind method was told whatever the noise; None: the truth, or nothing."""
    rows = scores.rows[scores.rows["told_sigma"].notna()]
    if rows.empty or (rows["told_sigma"] == rows["sigma"]).all():
        return None
    return float(rows["told_sigma"].iloc[0])


def _scored(
    means: Means, group: str, name: str, scores: Scores, companions: Mapping[str, Companion]
) -> Iterator[Number]:
    """The scores of a denoiser at one noise level."""
    source = THIS_RUN if name == MINE else companions[name].source
    for metric in means.metrics:
        mean = means.values.get(Place(group, name, metric))
        if mean is None:
            continue
        (estimate,) = intervals_of(means, group, metric, [(name, None)], "images").values()
        yield Number(
            means.groups[group].sigma,
            titles_of(scores)[name],
            metric,
            means.convention_name(metric),
            mean.value,
            *_ends(estimate.low, estimate.high),
            mean.n,
            scores.provenance["dataset"]["n_official"],
            source,
        )


def _differences(
    scores: Scores, other: Companion, group: str, settings: Mapping[str, float | None] | None
) -> Iterator[Number]:
    """Mine minus the compared one at one noise level, over the noise draws that both have."""
    draws = {*scores.rows["draw"]} & {*other.scores.rows["draw"]}
    both = {
        name: Scores(own.rows[own.rows["draw"].isin(draws)], own.provenance)
        for name, own in ((MINE, scores), (COMPARED, other.scores))
    }
    means = Means(scores.provenance["benchmark"], metrics_of(scores), both, settings=settings)
    titles = titles_of(scores)
    for metric in means.metrics if group in means.groups else ():
        places = [Place(group, name, metric) for name in both]
        if not all(place in means.values for place in places):
            continue
        (estimate,) = intervals_of(means, group, metric, [(MINE, COMPARED)], "images").values()
        yield Number(
            means.groups[group].sigma,
            f"{titles[MINE]} - {titles[COMPARED]}",
            metric,
            means.convention_name(metric),
            estimate.value,
            *_ends(estimate.low, estimate.high),
            min(means.values[place].n for place in places),
            scores.provenance["dataset"]["n_official"],
            f"{THIS_RUN}; {other.source}",
            is_difference=True,
        )


def _ends(low: float | None, high: float | None) -> tuple[float, float]:
    return (math.nan, math.nan) if low is None or high is None else (low, high)


def _printed(scores: Scores, sigma: float, denoiser: str) -> Iterable[Number]:
    """What the paper prints of a denoiser at a noise level."""
    benchmark = scores.provenance["benchmark"]
    card = BENCHMARKS[benchmark]
    spec = table_in_print(card)
    if spec is None or spec.number is None or spec.sigma not in (None, sigma):
        return
    n_all = DATASETS[card.dataset].splits[card.split]
    group = spec.benchmarks[benchmark] or sigma_name(sigma)
    for metric in metrics_of(scores):
        value = published(spec.number, group, metric.printed_as or metric.name, denoiser)
        if value is not None and metric.name in card.metrics:
            title, source = f"{TITLES[denoiser]} ({PRINTED})", f"Table {ROMAN[spec.number]}"
            yield Number(sigma, title, metric.name, "", value, math.nan, math.nan, n_all, n_all, source)
