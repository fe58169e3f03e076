"""All comparisons of a table: every pair of its columns in every group and metric, corrected for how many they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from usaid.paper.layouts import TableSpec
from usaid.paper.published import paper_denoisers
from usaid.report.statistics.estimates import Comparison, Over, distinct, identity
from usaid.report.statistics.inference import holm
from usaid.report.statistics.sources import Members, Pair, estimates_of, training_groups
from usaid.report.tables.means import Means

ORACLE = "clean"
"""The column that is compared with none: what it is given is the truth."""

OTHER_CONVENTIONS = ", other conventions"
"""What stands behind a table's title in the name of the family of further conventions of printed metrics."""


def comparisons_of_table(
    spec: TableSpec,
    panels: Sequence[Means],
    over: Over = "images",
    members: Members | None = None,
    with_scores: bool = False,
    paired: bool = True,
) -> list[Comparison]:
    """Every pair of a table's columns but ``clean``, later minus earlier (U-SAID - CDnCNN-B), Holm-corrected.

    Args:
        spec: the table.
        panels: what it shows of each of its benchmarks.
        over: the source of chance; the family is named after table and source: ``"Table VI, over images"``. Further
            conventions of printed metrics are a family of their own, ``"Table V, other conventions, over images"``:
            what hangs on a convention is asked apart, and costs the table's own comparisons nothing.
        members: over ``"seeds"`` and ``"all"``, the denoisers by training seed that each name stands for; None: as
            their entries say. Over seeds, only those of two seeds or more are compared.
        with_scores: also the scores themselves (``other`` is None), which are no part of the family; that of ``clean``
            too.
        paired: as :func:`usaid.report.statistics.sources.estimates_of` takes it.

    Returns:
        panel by panel, group by group, metric by metric: scores first, then differences. What cannot be tested is
        there with the reason and does not count in the family.

    Raises:
        UsaidError: as :func:`usaid.report.statistics.sources.estimates_of`, and without ``members`` as
            :func:`usaid.report.statistics.sources.training_groups`.
    """
    if members is None and over in ("seeds", "all"):
        members = training_groups(item for means in panels for item in means.scores.items())
    columns = _columns(spec, panels, over, members or {})
    comparisons = [
        comparison
        for means in panels
        for comparison in comparisons_of(means, _wanted(means, columns, with_scores), over, members, paired)
    ]
    end = f", over {over}" + ("" if paired else ", not paired")
    families = {
        is_other: iter(
            corrected([one for one in comparisons if _is_other(one) == is_other], f"{spec.title}{other}{end}")
        )
        for is_other, other in ((False, ""), (True, OTHER_CONVENTIONS))
    }
    return [next(families[_is_other(one)]) for one in comparisons]


def _is_other(comparison: Comparison) -> bool:
    """Whether it is of a further convention of a printed metric."""
    return comparison.metric.printed_as is not None


def comparisons_of(
    means: Means, wanted: Sequence[Pair], over: Over, members: Members | None = None, paired: bool = True
) -> Iterator[Comparison]:
    """Scores and differences in all groups and all metrics that the score files hold, not corrected.

    Args:
        means: the score files of a benchmark.
        wanted: what to estimate, as :func:`usaid.report.statistics.sources.estimates_of` takes it.
        over: the source of chance.
        members: likewise.
        paired: likewise.
    """
    for group in means.groups:
        for metric in means.metrics.values():
            convention = means.conventions[metric.name]
            if convention is not None:
                estimates = estimates_of(means, group, metric.name, wanted, over, members, paired)
                for (name, other), estimate in estimates.items():
                    place = (means.benchmark, group, means.groups[group].sigma)
                    yield Comparison(*place, metric, convention.name, name, other, estimate)


def corrected(comparisons: Sequence[Comparison], family: str) -> list[Comparison]:
    """The same comparisons with the p-values of their differences corrected by Holm's method, as one family.

    A test that several groups of rows show counts once (:func:`usaid.report.statistics.estimates.distinct`).

    Args:
        comparisons: scores among them stay as they are.
        family: what the family is called.
    """
    tests = distinct(one for one in comparisons if one.other is not None)
    p_values = dict(zip(tests, holm([one.estimate.p for one in tests.values()]), strict=True))
    size = sum(p is not None for p in p_values.values())
    return [
        one if one.other is None else replace(one, family=family, family_size=size, p_corrected=p_values[identity(one)])
        for one in comparisons
    ]


def _columns(spec: TableSpec, panels: Sequence[Means], over: Over, members: Members) -> dict[str, tuple[str, ...]]:
    """The scored columns in the table's order, by the name that they have over a source of chance -> its denoisers."""
    scored = dict.fromkeys(name for means in panels for name in means.scores)
    named = dict.fromkeys(["noisy", *paper_denoisers(spec.number), *scored])
    order = sorted((name for name in named if name in scored), key=lambda name: name == ORACLE)
    if over in ("images", "draws"):
        return {name: (name,) for name in order}
    name_of = {denoiser: name for name, by_seed in members.items() for denoiser in by_seed.values()}
    columns: dict[str, tuple[str, ...]] = {}
    for denoiser in order:
        name = name_of.get(denoiser, denoiser)
        columns[name] = (*columns.get(name, ()), denoiser)
    return {name: own for name, own in columns.items() if over == "all" or len(own) > 1}


def _wanted(means: Means, columns: Mapping[str, Sequence[str]], with_scores: bool) -> list[Pair]:
    """What to estimate of a panel: scores, then differences."""
    names = [name for name, denoisers in columns.items() if any(own in means.scores for own in denoisers)]
    pairs = combinations([name for name in names if name != ORACLE], 2)
    return [*((name, None) for name in names if with_scores), *((later, earlier) for earlier, later in pairs)]
