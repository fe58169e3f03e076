"""What pages say of a judged sentence, as plain text."""

from collections.abc import Sequence

from usaid.paper.claims import Part, as_in_print, title_of, title_of_metric
from usaid.paper.layouts import ROMAN
from usaid.registries import METRICS
from usaid.report.claims.findings import Finding
from usaid.report.claims.verdicts import NOT_CERTAIN, NOT_TESTED, JudgedClaim
from usaid.report.statistics.inference import MOST_UNITS
from usaid.report.tables.numbers import printed_difference
from usaid.report.tables.verdicts import DOES_NOT_HOLD, NOT_COMPARABLE

SEVERAL = "Several tables"
SMALLEST_P = 1e-15
"""A p-value below it is not written out."""


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
    asked = {1: f", asked: more than {part.by:g}", 0: "", -1: f", allowed: {-part.by:g} worse"}[_sign(part.by)]
    return (f"{place}: {names}" if place else names) + asked


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def as_claimed(judged: JudgedClaim) -> str:
    """How many parts are as claimed: ``"5 of 6"``, of those that are tested."""
    tested, parts = len(judged.tested), len(judged.findings)
    return f"{judged.n_as_claimed} of {tested}" + (f" tested, {parts} in all" if tested < parts else "")


def p_text(p_value: float | None) -> str:
    """A p-value with two digits; empty: there is none."""
    if p_value is None:
        return ""
    return f"{p_value:.2g}" if p_value >= SMALLEST_P else f"< {SMALLEST_P:g}"


def chance_text(finding: Finding | None) -> str:
    """``"over images (24 images), paired t-test"``."""
    if finding is None or finding.estimate is None:
        return ""
    own = finding.estimate
    if finding.is_fact:
        return own.test
    counted = ", ".join(f"{n:,} {unit.removesuffix('s') if n == 1 else unit}" for unit, n in own.units.items())
    return f"over {'all sources' if own.over == 'all' else own.over} ({counted}), {own.test}"


def reason(judged: JudgedClaim) -> str:
    """What a reader has to know beside the verdict, without a stop; empty: nothing."""
    if judged.verdict == NOT_COMPARABLE:
        return "the images are generated"
    if judged.verdict == NOT_CERTAIN:
        return needed_text(judged)
    missing = missing_text(judged)
    if judged.verdict == NOT_TESTED:
        return f"missing: {missing}" + (f"; {of_the_tested_text(judged)}" if judged.tested else "")
    if judged.verdict == DOES_NOT_HOLD and not judged.claim.significant:
        return "they differ significantly"
    return f"missing: {missing}" if missing else ""


def missing_text(judged: JudgedClaim) -> str:
    """Which parts are not tested, by reason: ``"σ = 15, 35 (sigma not in this experiment)"``."""
    parts: dict[str, list[Part]] = {}
    for finding in judged.findings:
        if finding.missing is not None:
            parts.setdefault(finding.missing, []).append(finding.part)
    with_table = len(judged.claim.tables) > 1
    return "; ".join(f"{_places(own, with_table)} ({why})" for why, own in parts.items())


def of_the_tested_text(judged: JudgedClaim) -> str:
    """What is seen where a sentence is tested in part."""
    n, p_value = len(judged.tested), p_text(judged.p_of_tested)
    equals = "" if p_value.startswith("<") else "= "
    return f"of {n} tested part{'s' * (n != 1)} {judged.n_as_claimed} as claimed (p {equals}{p_value}, not corrected)"


def needed_text(judged: JudgedClaim) -> str:
    """What it would take to tell, or why no number of units would."""
    decisive = judged.decisive
    assert decisive is not None
    if decisive.margin_left(judged.claim) <= 0:
        return "the observed effect is not on the claimed side: no number of images, draws or seeds would find it"
    if not judged.needed:
        return "how many images, draws or seeds it would take cannot be told from the observed spread"
    counts = [f"{n:,} {over}" if n < MOST_UNITS else f"more than a million {over}" for over, n in judged.needed.items()]
    alone = ", by the spread of each alone" * (len(counts) > 1)
    return f"80 % power to find the observed effect takes {' or '.join(counts)}{alone}"


def print_text(judged: JudgedClaim) -> str:
    """Why the sentence does not follow from print, or is not tested there; empty: it follows."""
    own = judged.in_print
    texts = [as_in_print(part) for part in own.against] if own.verdict == DOES_NOT_HOLD else []
    if own.lacking:
        metrics = dict.fromkeys(title_of_metric(part.metric) for part in own.lacking)
        texts.append(f"{' and '.join(metrics)} of {_places(own.lacking, with_table=True)} not printed")
    return "; ".join(texts)


def _places(parts: Sequence[Part], with_table: bool) -> str:
    """Where parts stand: ``"σ = 15, 35"``, ``"Table I, σ = 15, 35 and Table VII, DeepGlobe"``."""
    by_table: dict[str, dict[str, None]] = {}
    for part in parts:
        table, _, place = part.place.partition(", ")
        by_table.setdefault(table, {}).update({place: None} if place else {})
    texts = []
    for table, places in by_table.items():
        names = ", ".join(places).replace(", σ = ", ", ")
        texts.append(", ".join(filter(None, [table, names])) if with_table or not names else names)
    return " and ".join(texts)
