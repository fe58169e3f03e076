"""Which numbers of a table are best and second best: where the difference survives; the others are ties."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from usaid.paper.layouts import REFERENCES
from usaid.report.statistics.estimates import PERMUTATION, Comparison
from usaid.report.tables.cells import Place, Ranking, Table
from usaid.report.tables.numbers import counted

TIES = {1: "=1st", 2: "=2nd"}
"""What stands behind numbers that share a rank."""


def ranked(table: Table, comparisons: Iterable[Comparison], images: Mapping[Place, frozenset[str]]) -> Table:
    """Rank the best and the second best denoisers of each group and metric.

    The numerically best is first if its difference from every other one survives (:attr:`Comparison.differs`); else it
    shares the first place with all that it does not differ from. Where the first is alone, the others are ranked
    likewise for the second place. Numbers that are equal as printed share a place, whatever the test finds. Places have
    no gaps: what lies between the best and the worst that shares its place shares it as well, even if it differs from
    the best; else a smaller number would stand above a larger one.

    Noisy and clean do not compete, nor does a number that averages fewer images than its rivals. Nothing is ranked
    where fewer than two denoisers have a value, or where a difference that decides cannot be tested.

    Args:
        table: not ranked yet.
        comparisons: of its denoisers, with corrected p-values; those that are missing cannot be tested.
        images: of each cell with a value, the ids of the images behind it.

    Returns:
        the table with the ranks of its cells, and how they were ranked.
    """
    found = {(c.group, c.metric.name, frozenset({c.denoiser, c.other})): c for c in comparisons if c.other is not None}
    ranks: dict[Place, tuple[int, bool]] = {}
    reasons: dict[str, None] = {}
    for rivals in _rivals(table, images):
        first, reason = _leaders(rivals, found)
        rest = [rival for rival in rivals if rival not in first]
        second, reason_of_second = _leaders(rest, found) if len(first) == 1 and rest else ([], "")
        for rank, leaders in enumerate((first, second), 1):
            ranks |= {leader.place: (rank, len(leaders) > 1) for leader in leaders}
        reasons |= dict.fromkeys(filter(None, (reason, reason_of_second)))
    placed = [(cell, *ranks.get(cell.place, (None, False))) for cell in table.cells]
    cells = tuple(replace(cell, rank=rank, tied=tied) for cell, rank, tied in placed)
    return replace(table, cells=cells, ranking=Ranking(_test_of(found.values()) if ranks else "", tuple(reasons)))


class _Rival(NamedTuple):
    """A number that competes: ``merit`` is larger where it is better."""

    place: Place
    merit: float
    printed: str


_Found = Mapping[tuple[str, str, frozenset[str]], Comparison]
"""Group, metric and two denoisers -> their comparison."""


def _rivals(table: Table, images: Mapping[Place, frozenset[str]]) -> Iterable[list[_Rival]]:
    """The numbers that compete in each group and metric: two or more."""
    by_row: dict[tuple[str, str], list[_Rival]] = {}
    for cell in table.cells:
        place = cell.place
        if cell.ours is not None and place.denoiser not in REFERENCES:
            merit = cell.ours if table.metrics[place.metric].better == "higher" else -cell.ours
            rival = _Rival(place, merit, table.number_format(place).plain(cell.ours))
            by_row.setdefault((place.group, place.metric), []).append(rival)
    for rivals in by_row.values():
        whole = frozenset().union(*(images[rival.place] for rival in rivals))
        competing = [rival for rival in rivals if images[rival.place] == whole]
        if len(competing) > 1:
            yield competing


def _leaders(rivals: Sequence[_Rival], found: _Found) -> tuple[list[_Rival], str]:
    """The best of some rivals and all that share its place; none, and the reason, where that cannot be tested."""
    best = max(rivals, key=lambda rival: rival.merit)
    others = [rival for rival in rivals if rival is not best]
    comparisons = {rival: found.get(_pair(best, rival)) for rival in others}
    reasons = {rival: reason for rival, one in comparisons.items() if (reason := _why_not_testable(one))}
    undecided = [rival for rival in reasons if rival.printed != best.printed]
    if others and len(reasons) == len(others):  # equal as printed, but nothing is tested
        undecided = undecided or others
    if undecided:
        return [], reasons[undecided[0]]
    alike = [rival for rival, one in comparisons.items() if rival.printed == best.printed or not (one and one.differs)]
    worst = min([best, *alike], key=lambda rival: rival.merit)
    return [best, *(own for own in others if own.merit >= worst.merit or own.printed == worst.printed)], ""


def _pair(one: _Rival, other: _Rival) -> tuple[str, str, frozenset[str]]:
    return one.place.group, one.place.metric, frozenset({one.place.denoiser, other.place.denoiser})


def _why_not_testable(comparison: Comparison | None) -> str:
    if comparison is None:
        return "not compared"
    return "" if comparison.p_corrected is not None else comparison.estimate.not_testable or "not tested"


# ------------------------------------------------------------------------------------------------ what the legend says


def _test_of(comparisons: Iterable[Comparison]) -> str:
    """The tests behind ranks and the families that they are corrected for, as the legend names them."""
    tested = [comparison for comparison in comparisons if comparison.p_corrected is not None]
    tests = " or ".join(f"a {test}" for test in dict.fromkeys(one.estimate.test for one in tested))
    over = tested[0].estimate.over
    sizes = {one.family.removesuffix(f", over {over}"): one.family_size for one in tested}
    families = " and for the ".join(f"{counted(size, 'comparisons')} of {family}" for family, size in sizes.items())
    too = ", and have an interval without 0" if any(one.estimate.test == PERMUTATION for one in tested) else ""
    return f"{tests} over {over}, corrected by Holm for the {families}, at the 5 % level{too}"


def legend_of_ranks(table: Table, best: str, second: str, escaped: Callable[[str], str]) -> str:
    """What the legend of a table says of its marks; empty: nothing is ranked.

    Args:
        table: ranked.
        best: the word "best", marked up as the best number is.
        second: "second best", likewise.
        escaped: makes plain text fit for the page.
    """
    ranking, sentences = table.ranking, []
    if ranking.test:
        survive = escaped(f"of the compared denoisers by differences that survive {ranking.test}.")
        sentences.append(f"{best} and {second} {survive}")
    if shared := sorted({cell.rank for cell in table.cells if cell.rank is not None and cell.tied}):
        marks = ", ".join(TIES[rank] for rank in shared)
        sentences.append(
            escaped(
                f"{marks}: ties, by differences that do not survive, equal as printed, or between two such numbers."
            )
        )
    if ranking.not_testable:
        sentences.append(escaped(f"Not ranked where differences are not testable ({'; '.join(ranking.not_testable)})."))
    return " ".join(sentences)
