"""Judged sentences as tidy CSV: one sentence a line."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from usaid.registries import METRICS
from usaid.report.claims.in_print import follows_text, margin_text, why_not_text
from usaid.report.claims.sentences import reason
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.statistics.estimates import Over
from usaid.report.tables.numbers import FURTHER_DIGITS_OF_CSV, p_plain, printed
from usaid.report.verdict_words import DOES_NOT_HOLD

COLUMNS = (
    *("claim", "tables", "where", "quote", "says", "verdict", "reason", "effect", "low", "high", "unit", "metric"),
    *("group", "better", "than", "by", "over", "test", "units", "p", "p_corrected", "p_of", "family"),
    *("family_size", "parts", "parts_needed", "parts_tested", "parts_as_claimed", "images_needed", "draws_needed"),
    *("seeds_needed", "differs", "scores", "print", "print_reason", "print_margin", "print_note"),
)

_SOURCES: tuple[Over, ...] = ("images", "draws", "seeds")


def render_claims_csv(claims: Iterable[JudgedClaim], family: str) -> str:
    """Verdict by verdict; what does not exist is empty.

    ``effect`` to ``units`` are of the part that decides. ``p_of`` says whose p-values they are: the ``claim``'s, or
    where it does not hold those of its ``opposite``. ``images_needed`` and so on are those of 80 % power to find
    that part, each if the other sources were none; of what is not certain, and only of the sources that lack units.

    Args:
        claims: in order.
        family: what the family of the corrected p-values is called.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([*_line(judged, family)] for judged in claims)
    return stream.getvalue()


def _line(judged: JudgedClaim, family: str) -> Iterator[str | int]:
    claim = judged.claim
    yield from (claim.id, " ".join(map(str, claim.tables)), claim.where, claim.quote, claim.says)
    yield from (judged.verdict, reason(judged), *_decisive(judged))
    yield from map(p_plain, (judged.p, judged.p_corrected))
    yield "" if judged.p is None else ("opposite" if judged.verdict == DOES_NOT_HOLD else "claim")
    yield from (family, judged.family_size) if judged.p_corrected is not None else ("", "")
    yield from (len(claim.parts), claim.n_needed, len(judged.tested), judged.n_as_claimed)
    yield from (judged.lacking.get(over, "") for over in _SOURCES)
    yield from ("; ".join(judged.differs), " ".join(judged.files))
    yield from (follows_text(judged), why_not_text(judged), margin_text(judged), claim.note)


def _decisive(judged: JudgedClaim) -> Sequence[str]:
    """Columns effect to units."""
    finding = judged.decisive
    if finding is None or finding.estimate is None:
        return [""] * 12
    part, own = finding.part, finding.estimate
    metric = METRICS.get(part.metric)
    digits = FURTHER_DIGITS_OF_CSV + metric.digits if metric else 0
    numbers = ["" if number is None else printed(number, digits) for number in (own.value, own.low, own.high)]
    place = [metric.unit if metric else "", part.metric, part.group, part.better, part.than, f"{part.by:g}"]
    units = ";".join(f"{unit}={n}" for unit, n in own.units.items())
    return [*numbers, *place, "" if finding.is_fact else own.over, own.test, units]
