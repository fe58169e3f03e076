"""Do two denoisers differ? Compares their score files, one or several of each."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import get_args

from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.report.statistics.estimates import Comparison, Over
from usaid.report.statistics.families import comparisons_of, corrected
from usaid.report.statistics.sides import ScoreFile, Side, denoisers_of
from usaid.report.tables.means import Means
from usaid.report.tables.titles import sigma_name
from usaid.scores.comparable import check_alike
from usaid.scores.failed_levels import failed_levels_of
from usaid.scores.files import Scores
from usaid.scores.whole_set import columns_of


def compare(
    scores_a: Side, scores_b: Side, metric: str, over: Over = "images", *, sigma: float | None = None
) -> Comparison:
    """The difference of two denoisers, the first minus the second, and how sure it is.

    Args:
        scores_a: scores, path of a score file, or several: of further noise draws of a denoiser, or of denoisers whose
            entries differ in the training seed only.
        scores_b: those of the denoiser that is subtracted.
        metric: name of a metric (``"psnr"``: in the first convention that all files hold) or of a convention.
        over: the source of chance.
        sigma: noise level, 0-255 scale; non-blind methods are told it. None: the only one that all files have.

    Returns:
        the difference in the metric's unit with its 95 % interval, p-value, test and numbers of units; its family is
        ``"this comparison"``. Two denoisers of one name have their experiment or a number behind it.

    Raises:
        UsaidError: a file cannot be read or was not scored; the files of a side are not of one denoiser; they are
            not of the same benchmark, images, noise and judge; metric or sigma are not in all of them, or several
            sigmas are and none is given.
    """
    *_, difference = _compared(scores_a, scores_b, over, metric, sigma, one_sigma=True)
    return corrected([difference], "this comparison")[0]


def compare_all(
    scores_a: Side, scores_b: Side, over: Over = "images", *, metric: str | None = None, sigma: float | None = None
) -> list[Comparison]:
    """As :func:`compare`, in all metrics and at all sigmas that all files have, or in one of them.

    Returns:
        sigma by sigma and metric by metric: both scores (``other`` is None), then their difference. Holm's correction
        is for all of them: the family is ``"these comparisons"``.

    Raises:
        UsaidError: as :func:`compare`; there is no metric that all files have.
    """
    return corrected(_compared(scores_a, scores_b, over, metric, sigma), "these comparisons")


def _compared(
    scores_a: Side, scores_b: Side, over: Over, metric: str | None, sigma: float | None, one_sigma: bool = False
) -> list[Comparison]:
    """Scores and differences of two sides, not corrected."""
    if over not in get_args(Over):
        raise UsaidError(f"over {over!r}: must be one of {', '.join(get_args(Over))}")
    sides = [denoisers_of(side, several_seeds=over in ("seeds", "all")) for side in (scores_a, scores_b)]
    files = [file for side in sides for file in side]
    _check_benchmarks(files)
    metrics, sigmas = _metrics(files, metric), _sigmas(files, sigma, one_sigma)
    scores = [_at(sigmas, own) for _, own in files]
    check_alike(dict(zip(_told_apart([own.file for own in files]), scores, strict=True)))
    names = _names(files)
    means = Means(files[0].provenance["benchmark"], metrics, dict(zip(names, scores, strict=True)))
    first, second = names[: len(sides[0])], names[len(sides[0]) :]
    members = {own[0]: _by_seed(own, side) for own, side in zip((first, second), sides, strict=True)}
    wanted = [(first[0], None), (second[0], None), (first[0], second[0])]
    comparisons = comparisons_of(means, wanted, over, {name: own for name, own in members.items() if own})
    return [replace(comparison, metric=METRICS[comparison.metric.name]) for comparison in comparisons]


def _at(sigmas: Sequence[float], scores: Scores) -> Scores:
    """The scores at some noise levels; of the others it is not told either why they are lacking."""
    lost = [level for level in failed_levels_of(scores.provenance) if level["sigma"] in sigmas]
    return Scores(scores.rows[scores.rows["sigma"].isin(sigmas)], scores.provenance | {"failed_levels": lost})


def _by_seed(names: Sequence[str], files: Sequence[ScoreFile]) -> dict[int, str]:
    """Training seed -> name of a denoiser, of those that have one."""
    seeds = zip(names, (file.seed for file in files), strict=True)
    return {seed: name for name, seed in seeds if seed is not None}


def _check_benchmarks(files: Sequence[ScoreFile]) -> None:
    for one, other in pairwise(files):
        benchmarks = [own.provenance["benchmark"] for own in (one, other)]
        if benchmarks[0] != benchmarks[1]:
            of_both = " and of ".join(benchmarks)
            raise UsaidError(f"{one.file} and {other.file}: scores of {of_both}; give those of one benchmark")


def _metrics(files: Sequence[ScoreFile], wanted: str | None) -> list[Metric]:
    """The metrics to compare, each with the one convention that all files hold.

    Raises:
        UsaidError: there is no such metric, or no convention of it is in all files.
    """
    asked = [*METRICS.values()] if wanted is None else _asked(wanted)
    in_all = {metric: [own for own in metric.conventions if all(_holds(f, own) for f in files)] for metric in asked}
    found = [replace(metric, conventions=(held[0],)) for metric, held in in_all.items() if held]
    if not found:
        held = [[own.name for metric in asked for own in metric.conventions if _holds(file, own)] for file in files]
        raise UsaidError(
            f"{wanted or 'metrics'}: no convention is in all files ({_held(files, held)}); score all with one"
        )
    return found if wanted is None else found[:1]


def _asked(wanted: str) -> list[Metric]:
    """The metrics that a name may mean: of one convention, which goes before a metric of that name, or of all."""
    of_convention = {
        own.name: replace(metric, conventions=(own,)) for metric in METRICS.values() for own in metric.conventions
    }
    asked = [names[wanted] for names in (of_convention, METRICS) if wanted in names]
    if not asked:
        raise UsaidError(f"metric {wanted!r}: must be one of {', '.join(dict.fromkeys([*METRICS, *of_convention]))}")
    return asked


def _holds(file: ScoreFile, convention: Convention) -> bool:
    return {*columns_of(convention)} <= {*file.scores.rows}


def _sigmas(files: Sequence[ScoreFile], wanted: float | None, only_one: bool) -> list[float]:
    """The noise levels to compare at.

    Raises:
        UsaidError: none is in all files, the wanted one is not, or there are several where it must be one.
    """
    levels = [sorted(file.scores.rows["sigma"].unique()) for file in files]
    common = sorted(set.intersection(*map(set, levels)))
    have = _held(files, [[*map(sigma_name, own)] for own in levels])
    if not common:
        raise UsaidError(f"no sigma is in all files ({have}); score all at one")
    if wanted is not None and wanted not in common:
        raise UsaidError(f"sigma {sigma_name(wanted)} is not in all files ({have}); give another")
    if wanted is None and only_one and len(common) > 1:
        raise UsaidError(f"several sigmas are in all files ({have}); say which with sigma")
    return common if wanted is None else [wanted]


def _held(files: Sequence[ScoreFile], held: Sequence[Sequence[str]]) -> str:
    """``"a.parquet has 15, 25; b.parquet has none"``."""
    return "; ".join(f"{own.file} has {', '.join(of) or 'none'}" for own, of in zip(files, held, strict=True))


def _names(files: Sequence[ScoreFile]) -> list[str]:
    """What the denoisers are called: by their names, with their experiments if they share them."""
    names = [own.provenance["denoiser"] for own in files]
    return _told_apart(
        names, [f"{name} ({own.provenance['experiment']})" for name, own in zip(names, files, strict=True)]
    )


def _told_apart(*candidates: Sequence[str]) -> list[str]:
    """The first of several lists of names in which no two are the same; else those of the last, numbered."""
    unique = (names for names in candidates if len({*names}) == len(names))
    return [*next(unique, [f"{name} ({number})" for number, name in enumerate(candidates[-1], 1)])]
