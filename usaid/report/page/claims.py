"""The paper's sentences as the page lists them."""

from collections.abc import Sequence
from typing import NamedTuple

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.words import SIGNS, table_titles
from usaid.report.verdict_words import NOT_COMPARABLE, NOT_TESTED, WORDS


class Claim(NamedTuple):
    """A sentence of the paper and what is said of it.

    Attributes:
        id: its address in the page.
        follows: whether it follows from the paper's own tables, in words; empty: not said.
        where: in the paper, and the tables it is about.
        reason: of the verdict, without its word.
        order: of its verdict among the words.
    """

    id: str
    quote: str
    says: str
    where: str
    verdict: str
    sign: str
    reason: str
    follows: str
    follows_reason: str
    order: int


FOLDED = (NOT_COMPARABLE, NOT_TESTED)
"""Verdicts that tell nothing of a sentence; those that have them are folded."""


def folds_of(claims: Sequence[Claim]) -> list[tuple[str, Sequence[Claim]]]:
    """The sentences to be listed: first those of which something is told, then those of each verdict that is folded.

    Returns:
        The verdict, empty for the first list, and its sentences; no list is empty.
    """
    told = [claim for claim in claims if claim.verdict not in FOLDED]
    folds = [(word, [claim for claim in claims if claim.verdict == word]) for word in FOLDED]
    return [fold for fold in [("", told), *folds] if fold[1]]


def claims_of(experiment: Experiment) -> Sequence[Claim] | Missing:
    """The sentences in the paper's order."""
    if isinstance(experiment.claims, Missing):
        return experiment.claims
    return [_claim(experiment.prefix, row) for row in experiment.claims]


def _claim(prefix: str, row: dict[str, str]) -> Claim:
    verdict = row["verdict"]
    return Claim(
        f"{prefix}claim-{'_'.join(row['claim'].split())}",
        row["quote"],
        row["says"],
        "; ".join([row["where"], *table_titles(row["tables"])]),
        verdict,
        SIGNS.get(verdict, ""),
        row["reason"].removeprefix(f"{verdict}: "),
        row["print"],
        row["print_reason"],
        WORDS.index(verdict) if verdict in WORDS else len(WORDS),
    )
