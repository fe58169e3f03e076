"""What pages say of a judged sentence, as plain text."""

import re
import textwrap
from collections.abc import Sequence

from usaid.paper.claims import Part, title_of, title_of_metric
from usaid.paper.layouts import ROMAN
from usaid.registries import METRICS
from usaid.report.claims.findings import Finding
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.statistics.inference import MOST_UNITS
from usaid.report.tables.numbers import counted, p_text, printed_difference
from usaid.report.verdict_words import DOES_NOT_HOLD, NOT_CERTAIN, NOT_COMPARABLE, NOT_TESTED

SEVERAL = "Several tables"
FEW = 70
"""Characters of a deviation in a row."""


def judged_in(experiment: str) -> str:
    """``"in experiment released"``.

    Args:
        experiment: its name; empty: there are no score files.
    """
    return f"in experiment {experiment}" if experiment else "without score files"


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
    unit = unit_of_difference(finding.part.metric)
    return f"{value}{f' {unit}' if unit else ''} [{low}, {high}]"


def unit_of_difference(metric: str) -> str:
    """The unit of a difference of two scores; of percentages it is points; empty: none."""
    unit = METRICS[metric].unit
    return "points" if unit == "%" else unit


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


def p_of_sentence(judged: JudgedClaim) -> str:
    """The p-value of its row: corrected; where parts are open, that of the tested ones, and said so; empty: none."""
    if judged.p_corrected is None and judged.verdict in (NOT_COMPARABLE, NOT_TESTED) and judged.tested:
        return f"{p_text(judged.p_of_tested)} (tested parts, not corrected)"
    return p_text(judged.p_corrected)


def chance_text(finding: Finding | None) -> str:
    """``"over images (24 images), paired t-test"``."""
    if finding is None or finding.estimate is None:
        return ""
    own = finding.estimate
    if finding.is_fact:
        return own.test
    sizes = ", ".join(counted(n, unit) for unit, n in own.units.items())
    return f"over {'all sources' if own.over == 'all' else own.over} ({sizes}), {own.test}"


def verdict_text(judged: JudgedClaim) -> tuple[str, str]:
    """The verdict, and what stands behind it in its row: ``("does not hold", " (niqe_live)")``.

    Conventions that are not the paper's, what is not comparable, or how far an open sentence is as claimed.
    """
    text = in_short(judged)
    conventions = f" ({', '.join(judged.conventions)})" if judged.conventions else ""
    return judged.verdict, conventions + (f": {text}" if text else "")


def in_short(judged: JudgedClaim) -> str:
    """What is not comparable, or how far an open sentence is as claimed; empty: the verdict says it all."""
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


def samples(judged: JudgedClaim) -> list[str]:
    """Those of the deviations that say how many of the official images there are: ``"321 of 1,449 images"``."""
    return [text for text in judged.differs if re.fullmatch(r"[\d,]+ of [\d,]+ images", text)]


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
    return "; ".join(f"{places_of(own, with_table)} ({why})" for why, own in parts.items())


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
        return f"the observed effect is {_why_short(decisive)}: no number of images, draws or seeds would bear it out"
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


def _why_short(finding: Finding) -> str:
    """Why an effect is not as claimed."""
    if finding.part.by < 0:
        return "larger than the margin allows"
    on_side = finding.part.by > 0 and finding.estimate is not None and finding.estimate.value > 0
    return "on the claimed side, but not above the margin that is asked for" if on_side else "not on the claimed side"


def places_of(parts: Sequence[Part], with_table: bool) -> str:
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
