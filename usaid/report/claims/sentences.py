"""What pages say of a judged sentence, as plain text."""

from collections.abc import Iterable

from usaid.paper.claims import as_in_print, title_of, title_of_metric
from usaid.paper.layouts import ROMAN
from usaid.registries import METRICS
from usaid.report.claims.findings import Finding
from usaid.report.claims.verdicts import NOT_CERTAIN, NOT_TESTED, JudgedClaim
from usaid.report.statistics.inference import MOST_UNITS
from usaid.report.tables.numbers import printed_difference
from usaid.report.tables.verdicts import DOES_NOT_HOLD, NOT_COMPARABLE

SEVERAL = "Several tables"
_MOST_PLACES = 3
"""Places that are named one by one; more are counted."""


def table_title(judged: JudgedClaim) -> str:
    """The heading that a sentence stands under."""
    tables = judged.claim.tables
    return f"Table {ROMAN[tables[0]]}" if len(tables) == 1 else SEVERAL


def effect_text(finding: Finding | None) -> str:
    """``"+0.10 dB [+0.08, +0.12]"``; empty without an effect, and of facts."""
    if finding is None or finding.effect is None or finding.is_fact or finding.interval is None:
        return ""
    metric = METRICS[finding.part.metric]
    value, low, high = (printed_difference(number, metric.digits) for number in (finding.effect, *finding.interval))
    return f"{value}{f' {metric.unit}' if metric.unit else ''} [{low}, {high}]"


def comparison_text(finding: Finding | None, with_table: bool) -> str:
    """``"σ = 25: NIQE of U-SAID against S-SAID"``."""
    if finding is None:
        return ""
    part = finding.part
    place = part.place if with_table else part.place.partition(", ")[2]
    names = f"{title_of_metric(part.metric)} of {title_of(part.better)} against {title_of(part.than)}"
    return f"{place}: {names}" if place else names


def as_claimed(judged: JudgedClaim) -> str:
    """How many parts are as claimed: ``"5 of 6"``, of those that are tested."""
    tested, parts = len(judged.tested), len(judged.findings)
    return f"{judged.n_as_claimed} of {tested}" + (f" tested, {parts} in all" if tested < parts else "")


def p_text(p_value: float | None) -> str:
    """A p-value with two digits; empty: there is none."""
    return "" if p_value is None else f"{p_value:.2g}"


def chance_text(finding: Finding | None) -> str:
    """``"over images (24), paired t-test"``."""
    if finding is None or finding.estimate is None:
        return ""
    own = finding.estimate
    if finding.is_fact:
        return own.test
    units = own.units if len(own.units) > 1 else {own.over: next(iter(own.units.values()), 0)}
    counted = ", ".join(f"{n:,} {unit.removesuffix('s') if n == 1 else unit}" for unit, n in units.items())
    return f"over {'all sources' if own.over == 'all' else own.over} ({counted}), {own.test}"


def reason(judged: JudgedClaim) -> str:
    """What a reader has to know beside the verdict, without a stop; empty: nothing."""
    if judged.verdict == NOT_COMPARABLE:
        return "the images are generated"
    if judged.verdict == NOT_CERTAIN:
        return needed_text(judged)
    missing = missing_text(judged)
    if judged.verdict == NOT_TESTED:
        tested = f"; of the tested parts {as_claimed(judged).partition(' tested')[0]} as claimed" * bool(judged.tested)
        return f"missing: {missing}{tested}"
    if judged.verdict == DOES_NOT_HOLD and not judged.claim.significant:
        return "they differ significantly"
    return f"missing: {missing}" if missing else ""


def missing_text(judged: JudgedClaim) -> str:
    """Which parts are not tested, by reason: ``"σ = 15, σ = 35 (sigma not in this experiment)"``."""
    several = len(judged.claim.tables) > 1
    places: dict[str, dict[str, None]] = {}
    for finding in judged.findings:
        if finding.missing is not None:
            table, _, place = finding.part.place.partition(", ")
            places.setdefault(finding.missing, {})[finding.part.place if several else place or table] = None
    return "; ".join(f"{_listed(own)} ({why})" for why, own in places.items())


def needed_text(judged: JudgedClaim) -> str:
    """What it would take to tell, or why no number of units would."""
    decisive = judged.decisive
    assert decisive is not None
    if decisive.margin_left(judged.claim) <= 0:
        return "the observed effect is not on the claimed side: no number of images, draws or seeds would find it"
    if not judged.needed:
        return "how many images, draws or seeds it would take cannot be told from the observed spread"
    counts = [f"{n:,} {over}" if n < MOST_UNITS else f"more than a million {over}" for over, n in judged.needed.items()]
    return f"to find the observed effect with 80 % power it would take {' or '.join(counts)}"


def print_text(judged: JudgedClaim) -> str:
    """Why the sentence does not follow from print, or is not tested there; empty: it follows."""
    own = judged.in_print
    texts = [as_in_print(part) for part in own.against] if own.verdict == DOES_NOT_HOLD else []
    if own.lacking:
        metrics = dict.fromkeys(title_of_metric(part.metric) for part in own.lacking)
        texts.append(f"{' and '.join(metrics)} of {_listed(part.place for part in own.lacking)} not printed")
    return "; ".join(texts)


def _listed(places: Iterable[str]) -> str:
    names = [*dict.fromkeys(places)]
    return ", ".join(names) if len(names) <= _MOST_PLACES else f"{len(names)} places from {names[0]} to {names[-1]}"
