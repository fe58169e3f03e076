"""The verdict in three sentences, and how many printed numbers and sentences there are of each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.words import SIGNS, Words, table_title
from usaid.report.tables.numbers import counted
from usaid.report.tables.verdict_list import Judged
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED, WORDS

_OF_CHECK_MARKS = 3
"""The table that has facts about methods in place of measured numbers."""


class Count(NamedTuple):
    """How many there are of a verdict."""

    verdict: str
    sign: str
    n: int
    percent: float


@dataclass(frozen=True)
class Verdict:
    """What an experiment says of the paper.

    Attributes:
        sentences: what holds, what does not, what cannot be told; or why that is not known.
        miss: the number with the largest miss; None: nothing misses.
        numbers: counts of the printed numbers.
        claims: counts of the paper's sentences; none: they were not judged.
    """

    sentences: Sequence[str] | Missing
    miss: Judged | None
    numbers: Sequence[Count]
    claims: Sequence[Count]


def verdict_of(experiment: Experiment, words: Words) -> Verdict:
    """The verdict of an experiment, from its lists of numbers and sentences."""
    claims = [] if isinstance(experiment.claims, Missing) else [claim["verdict"] for claim in experiment.claims]
    numbers = experiment.verdicts
    if isinstance(numbers, Missing):
        return Verdict(numbers, None, [], counts(claims))
    miss = largest_miss(numbers)
    sentences = [_holds(numbers), _misses(numbers, miss, words), _untold(numbers)]
    return Verdict(sentences, miss, counts(number.verdict for number in numbers), counts(claims))


def counts(verdicts: Iterable[str]) -> list[Count]:
    """How many there are of each verdict, in the order of the words; of those that there are none of, none is said."""
    found = Counter(verdicts)
    known = [*WORDS, *sorted(found.keys() - {*WORDS})]
    total = found.total()
    return [Count(word, SIGNS.get(word, ""), n, round(100 * n / total, 3)) for word in known if (n := found[word])]


def largest_miss(numbers: Iterable[Judged]) -> Judged | None:
    """The number that does not hold and is furthest from print, in tolerances; without one, in parts of the number."""
    return max((one for one in numbers if one.verdict == DOES_NOT_HOLD), key=_miss, default=None)


def _miss(number: Judged) -> float:
    try:
        difference = abs(float(number.difference or "nan"))
        miss = difference / float(number.tolerance or number.paper)
    except (ValueError, ZeroDivisionError):
        return 0.0
    return abs(miss) if miss == miss else 0.0


def _holds(numbers: Sequence[Judged]) -> str:
    held = [number for number in numbers if number.verdict == HOLDS]
    of_all = f"Of the paper's {counted(len(numbers), 'printed numbers')}"
    if not held:
        return f"{of_all}, none is found to hold here."
    return f"{of_all}, {len(held)} {'holds' if len(held) == 1 else 'hold'} here: {_by_table(held)}."


def _misses(numbers: Sequence[Judged], miss: Judged | None, words: Words) -> str:
    if miss is None:
        compared = any(number.verdict == HOLDS for number in numbers)
        return "No number that can be compared misses." if compared else "Nothing could be compared."
    n = sum(number.verdict == DOES_NOT_HOLD for number in numbers)
    off = f", {miss.difference.removeprefix('-')} apart" if miss.difference else ""
    tolerance = f" where {miss.tolerance} is allowed" if miss.tolerance else ""
    what = f"{words.phrase(miss)}, {miss.ours} here and {miss.paper} in print{off}{tolerance}"
    return f"1 does not hold: the {what}." if n == 1 else f"{n} do not hold; the largest miss is the {what}."


def _untold(numbers: Sequence[Judged]) -> str:
    other, untested = ([one for one in numbers if one.verdict == word] for word in (NOT_COMPARABLE, NOT_TESTED))
    if not other and not untested:
        return "Nothing is left open."
    parts = []
    if other:
        parts.append(f"{len(other)} because other images, networks, trainings or conventions made ours{_mostly(other)}")
    if untested:
        parts.append(f"{len(untested)} because nothing was run for them{_mostly(untested)}")
    n = len(other) + len(untested)
    return f"Of the other {n} nothing can be told: {', '.join(parts)}."


def _by_table(numbers: Iterable[Judged]) -> str:
    """How many there are in each table, the most first: ``"18 in Table III, 14 in Table VI"``."""
    found = Counter(number.table for number in numbers)
    marks = {_OF_CHECK_MARKS: " (check marks)"}
    return ", ".join(f"{n} in {table_title(table)}{marks.get(table, '')}" for table, n in found.most_common())


def _mostly(numbers: Sequence[Judged]) -> str:
    """The reason that stands most often, if it stands more than once."""
    reasons = Counter(reason for number in numbers for reason in number.reason.split("; ") if reason)
    reason, n = reasons.most_common(1)[0] if reasons else ("", 0)
    return f" (most often: {reason})" if n > 1 else ""
