"""Which metrics a page shows: those of the benchmark, and others that its score files hold."""

from collections.abc import Iterable, Mapping

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS, METRICS
from usaid.scores.comparable import ScoresLike
from usaid.scores.whole_set import columns_of


def metrics_named(names: Iterable[str]) -> tuple[Metric, ...]:
    """The cards of metrics.

    Raises:
        UsaidError: no card has one of the names.
    """
    names = tuple(names)
    for name in names:
        if name not in METRICS:
            raise UsaidError(f"metric {name!r}: must be one of {', '.join(METRICS)}")
    return tuple(METRICS[name] for name in names)


def metrics_of(benchmark: str) -> tuple[Metric, ...]:
    """The metrics of a benchmark, as its card names them."""
    return metrics_named(BENCHMARKS[benchmark].metrics)


def further_metrics(benchmark: str, scores: Iterable[ScoresLike]) -> tuple[Metric, ...]:
    """Metrics that an experiment asked for beside those of a benchmark, in the order of the registry.

    Args:
        benchmark: its name.
        scores: of some denoisers on it; their provenance says what they hold, and what could not be computed.
    """
    own = {convention.name for metric in metrics_of(benchmark) for convention in metric.conventions}
    held = {
        name
        for of_denoiser in scores
        if of_denoiser.provenance["failure"] is None
        for name in (*of_denoiser.provenance.get("metrics", ()), *unavailable(of_denoiser))
    }
    return tuple(
        metric
        for metric in METRICS.values()
        if any(not convention.of_whole_set and convention.name in held - own for convention in metric.conventions)
    )


def other_conventions(benchmark: str, scores: Iterable[ScoresLike]) -> tuple[Metric, ...]:
    """The further conventions of printed metrics on a benchmark's card that some of its score files can give.

    Args:
        benchmark: its name.
        scores: of some denoisers on it; earlier ones may lack the columns that a convention is made from.
    """
    held = [{*own.rows} for own in scores if own.provenance["failure"] is None]
    return tuple(
        metric
        for metric in metrics_of(benchmark)
        if metric.printed_as is not None
        and any({*columns_of(known)} <= columns for known in metric.conventions for columns in held)
    )


def unavailable(scores: ScoresLike) -> Mapping[str, str]:
    """Conventions that a judge was asked for and could not compute, with its reasons."""
    reasons: Mapping[str, str] = scores.provenance.get("judge", {}).get("unavailable", {})
    return reasons


def over_classes(benchmark: str) -> Metric | None:
    """The metric of a benchmark that is a mean over classes; None: it has none."""
    return next((metric for metric in metrics_of(benchmark) if metric.over_classes), None)
