"""Do two denoisers differ? Compares their score files, one or several of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.experiment.seeds import without_seed
from usaid.registries import METRICS
from usaid.report.statistics.estimates import Comparison, Over
from usaid.report.statistics.families import comparisons_of, corrected
from usaid.report.tables.means import Means
from usaid.report.tables.titles import sigma_name
from usaid.scores.comparable import check_alike
from usaid.scores.draws import is_of_further_draws, score_file_name, with_further_draws
from usaid.scores.files import Scores, read_scores
from usaid.scores.whole_set import columns_of

Side = Scores | str | Path | Sequence[Scores | str | Path]
"""The scores of a denoiser: one score file, or several of further noise draws or training seeds."""


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
        UsaidError: a file cannot be read or its evaluator failed; the files of a side are not of one denoiser; they are
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


class _File(NamedTuple):
    """Scores, and what messages call them."""

    name: str
    scores: Scores


def _compared(
    scores_a: Side, scores_b: Side, over: Over, metric: str | None, sigma: float | None, one_sigma: bool = False
) -> list[Comparison]:
    """Scores and differences of two sides, not corrected."""
    sides = [_denoisers_in(_files_in(side), over) for side in (scores_a, scores_b)]
    files = [file for side in sides for file in side]
    _check_benchmark(files)
    metrics = _metrics(files, metric)
    level = _level(files, sigma) if one_sigma or sigma is not None else None
    check_alike({f"{number}": file.scores for number, file in enumerate(files)}, level)
    names = _distinct_names(files)
    of_names = dict(zip(names, (file.scores for file in files), strict=True))
    means = Means(files[0].scores.provenance["benchmark"], metrics, of_names, level)
    first, second = names[: len(sides[0])], names[len(sides[0]) :]
    members = {of_side[0]: _by_seed(of_side, of_names) for of_side in (first, second)}
    members = {name: by_seed for name, by_seed in members.items() if by_seed}
    wanted = [(first[0], None), (second[0], None), (first[0], second[0])]
    comparisons = comparisons_of(means, wanted, over, members)
    return [replace(comparison, metric=METRICS[comparison.metric.name]) for comparison in comparisons]
