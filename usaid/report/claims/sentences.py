"""What pages say of a judged sentence, as plain text."""

import re
import textwrap
from collections.abc import Sequence

from usaid.paper.claims import Part, as_in_print, title_of, title_of_metric
from usaid.paper.layouts import ROMAN
from usaid.registries import METRICS
from usaid.report.claims.findings import Finding
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.statistics.inference import MOST_UNITS
from usaid.report.tables.numbers import printed_difference
from usaid.report.verdict_words import DOES_NOT_HOLD, NOT_CERTAIN, NOT_COMPARABLE, NOT_TESTED

SEVERAL = "Several tables"
SMALLEST_P = 1e-15
"""A p-value below it is not written out."""
FEW = 70
"""Characters of a deviation in a row."""


def table_title(judged: JudgedClaim) -> str:
    """The heading that a sentence stands under."""
    tables = judged.claim.tables
    return f"Table {ROMAN[tables[0]]}" if len(tables) == 1 else SEVERAL


def effect_text(finding: Finding | None) -> str:
    """``"+0.10 dB [+0.08, +0.12]"``; empty without an effect, and of facts."""
    effect = None if finding is None else finding.estimate
    if finding is None or effect is None or effect.low is None or effect.high is None:
        return ""
    metric = METRICS[finding.part.metric]
    value, low, high = (printed_difference(end, metric.digits) for end in (effect.value, effect.low, effect.high))
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
    if not tested:
        return ""
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


def in_short(judged: JudgedClaim) -> str:
    """What stands beside the verdict in its row: what is not comparable, or how far an open sentence is as claimed."""
    if judged.verdict == NOT_COMPARABLE:
        return not_comparable_text(judged)
    if judged.verdict == NOT_TESTED and judged.tested:
        n = len(judged.tested)
        return f"{judged.n_as_claimed} of {n} tested part{'s' * (n != 1)} as claimed"
    return ""


def differs_in_short(judged: JudgedClaim, most: int = 4) -> str:
    """In what the scores differ from what the paper measured, each up to its first comma or bracket.

    Args:
        judged: the sentence.
        most: how many are named; of further ones it is said how many there are.
    """
    texts = (re.split(r"[,;] | \(", text)[0] for text in judged.differs)
    short = [*dict.fromkeys(textwrap.shorten(text, FEW, placeholder=" …") for text in texts)]
    return "; ".join([*short[:most], *[f"{len(short) - most} more"] * (len(short) > most)])


def reason(judged: JudgedClaim) -> str:
    """What a reader has to know beside the verdict, without a stop; empty: nothing."""
    if judged.verdict == NOT_CERTAIN:
        return needed_text(judged)
    if judged.verdict == DOES_NOT_HOLD and not judged.claim.significant:
        return "they differ significantly"
    missing, of_open = missing_text(judged), judged.verdict in (NOT_TESTED, NOT_COMPARABLE)
    why = not_comparable_text(judged)
    texts = [
        f"not comparable: {why}" if why else "",
        f"missing: {missing}" if missing else "",
        of_the_tested_text(judged) if of_open and judged.tested else "",
    ]
    return "; ".join(filter(None, texts))


def not_comparable_text(judged: JudgedClaim) -> str:
    """Why parts are not comparable; empty: all are."""
    return "; ".join(dict.fromkeys(own.not_comparable for own in judged.findings if own.not_comparable is not None))


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
    """What it would take to tell the part that decides, or why no number of units would."""
    decisive = judged.decisive
    assert decisive is not None
    if decisive.margin_left(judged.claim) <= 0:
        return "the observed effect is not on the claimed side: no number of images, draws or seeds would find it"
    if not judged.needed:
        return "how many images, draws or seeds it would take cannot be told from the observed spread"
    level = "p < 0.05" + f" / {judged.family_size} sentences" * (judged.family_size > 1)
    found = f"find the observed effect of the part that decides at {level}"
    if not judged.lacking:
        return f"each source of chance has units enough to {found}, were it the only one; together they have not"
    several = len(judged.needed) > 1
    counts = [
        f"{'at least ' * several}{f'{n:,}' if n < MOST_UNITS else 'more than a million'} {over}"
        for over, n in judged.lacking.items()
    ]
    alone = " (each if the others were no source of chance)" * several
    return f"80 % power to {found} takes {' and '.join(counts)}{alone}"


def print_text(judged: JudgedClaim) -> str:
    """Why the sentence does not follow from print, or is not tested there; empty: it follows."""
    own = judged.in_print
    texts = [as_in_print(part) for part in own.against] if own.verdict == DOES_NOT_HOLD else []
    if texts and own.by_margin_only:
        texts[0] = f"by our reading of “{judged.claim.word}”: {texts[0]}"
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
