"""The verdict in up to three sentences, and how many printed numbers and sentences there are of each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.words import OF_CHECK_MARKS, SIGNS, Words, in_print, table_title
from usaid.report.tables.numbers import counted
from usaid.report.tables.verdict_list import Judged
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED, WORDS

_OTHER_NIQE = "NIQE by other parameters than the paper's"
_PLAIN = {
    "niqe_live in place of niqe_matlab": _OTHER_NIQE,
    "niqe_fitted in place of niqe_matlab": _OTHER_NIQE,
    "sigma not in this experiment": "noise level not run here",
    "not scored at this sigma, as told, in this experiment": "noise level not run here",
    "not in this experiment": "not part of this experiment",
}
"""Reasons that stand often, without the words of the configuration."""


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
        sentences: what holds, what does not (if anything does not), what cannot be told; or why that is not known.
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
    sentences = filter(None, [_holds(numbers), _misses(numbers, miss, words), _untold(numbers)])
    return Verdict([*sentences], miss, counts(number.verdict for number in numbers), counts(claims))


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
    """How many measured numbers hold of those that were compared, and of the check marks, which are not measured."""
    measured = _measured(numbers)
    held, compared = _of_compared(measured)
    agree, marks = _of_compared(number for number in numbers if number.table == OF_CHECK_MARKS)
    if not compared:
        said = f"None of the paper's {counted(len(measured), 'numbers')} could be compared"
    else:
        where = f" ({_by_table(held)})" if held else ""
        said = f"{len(held)} of the {counted(compared, 'numbers')} that could be compared {_hold(len(held))}{where}"
    return (
        f"{said}; {len(agree)} of {marks} check marks {'agrees' if len(agree) == 1 else 'agree'}."
        if marks
        else f"{said}."
    )


def _measured(numbers: Iterable[Judged]) -> list[Judged]:
    return [number for number in numbers if number.table != OF_CHECK_MARKS]


def _of_compared(numbers: Iterable[Judged]) -> tuple[list[Judged], int]:
    """Those that hold, and how many could be compared at all."""
    compared = [number for number in numbers if number.verdict in (HOLDS, DOES_NOT_HOLD)]
    return [number for number in compared if number.verdict == HOLDS], len(compared)


def _hold(n: int) -> str:
    return "holds" if n == 1 else "hold"


def _misses(numbers: Sequence[Judged], miss: Judged | None, words: Words) -> str:
    if miss is None:
        return ""
    n = sum(number.verdict == DOES_NOT_HOLD for number in numbers)
    off = f", {miss.difference.removeprefix('-')} apart" if miss.difference else ""
    tolerance = f" where {miss.tolerance} is allowed" if miss.tolerance else ""
    ours, paper = in_print(miss, miss.ours), in_print(miss, miss.paper)
    what = f"{words.phrase(miss)}, {ours} here and {paper} in print{off}{tolerance}"
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
    which = "the other" if _of_compared(_measured(numbers))[1] else "these"
    return f"Of {which} {n} nothing can be told: {', '.join(parts)}."


def _by_table(numbers: Iterable[Judged]) -> str:
    """How many there are in each table, the most first: ``"14 in Table VI, 5 in Table VIII"``."""
    found = Counter(number.table for number in numbers)
    return ", ".join(f"{n} in {table_title(table)}" for table, n in found.most_common())


def _plain(reason: str) -> str:
    return _PLAIN.get(reason, reason)


def _mostly(numbers: Sequence[Judged]) -> str:
    """The reason that stands most often, if it stands more than once."""
    reasons = Counter(reason for number in numbers for reason in map(_plain, number.reason.split("; ")) if reason)
    reason, n = reasons.most_common(1)[0] if reasons else ("", 0)
    return f" (most often: {reason})" if n > 1 else ""
