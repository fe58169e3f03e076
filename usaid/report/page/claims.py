"""The paper's sentences as the page lists them."""

from collections.abc import Sequence
from typing import NamedTuple

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.words import SIGNS, table_titles
from usaid.report.verdict_words import WORDS


class Claim(NamedTuple):
    """A sentence of the paper and what is said of it.

    Attributes:
        id: its address in the page.
        follows: whether it follows from the paper's own tables, in words; empty: not said.
        where: in the paper, and the tables it is about.
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
        row["reason"],
        row["print"],
        row["print_reason"],
        WORDS.index(verdict) if verdict in WORDS else len(WORDS),
    )
