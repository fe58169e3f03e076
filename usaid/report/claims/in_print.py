"""What pages say of a sentence in print: whether it follows from the paper's tables, and how narrowly."""

from usaid.paper.claims import as_in_print, closest_to_margin, title_of_metric
from usaid.report.claims.sentences import places_of
from usaid.report.claims.verdicts import JudgedClaim
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_TESTED

FOLLOWS = {HOLDS: "follows", DOES_NOT_HOLD: "does not follow", NOT_TESTED: "cannot be told"}
"""Verdict of :class:`usaid.paper.claims.InPrint` -> whether a sentence follows, in a reader's words."""


def follows_text(judged: JudgedClaim) -> str:
    """One of :data:`FOLLOWS`."""
    return FOLLOWS[judged.in_print.verdict]


def why_not_text(judged: JudgedClaim) -> str:
    """Why the sentence does not follow from print, or cannot be told there; empty: it follows."""
    own = judged.in_print
    texts = [as_in_print(part) for part in own.against] if own.verdict == DOES_NOT_HOLD else []
    if texts and own.by_margin_only:
        texts[0] = f"by our reading of “{judged.claim.word}”: {texts[0]}"
    if own.lacking:
        metrics = dict.fromkeys(title_of_metric(part.metric) for part in own.lacking)
        texts.append(f"{' and '.join(metrics)} of {places_of(own.lacking, with_table=True)} not printed")
    return "; ".join(texts)


def margin_text(judged: JudgedClaim) -> str:
    """How close print is to the margin of a sentence: the part that decides there; empty: it has no margin."""
    part = closest_to_margin(judged.claim)
    return "" if part is None else f"in print, by our margin for “{judged.claim.word}”: {as_in_print(part)}"
