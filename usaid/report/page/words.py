"""What the page calls groups, metrics and denoisers, whatever files are there."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from usaid.paper.layouts import TABLES, TITLES
from usaid.paper.published import COLUMN_OF_K
from usaid.registries import METRICS
from usaid.report.page.tables import Table
from usaid.report.tables.titles import heading
from usaid.report.tables.verdict_list import Judged
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_CERTAIN, NOT_COMPARABLE, NOT_TESTED

SIGNS: Mapping[str, str] = {HOLDS: "✓", DOES_NOT_HOLD: "✗", NOT_CERTAIN: "?", NOT_COMPARABLE: "≠", NOT_TESTED: "·"}
"""A sign beside each word, since colour alone tells nothing."""

OF_CHECK_MARKS = 3
"""The table that has facts about methods in place of measured numbers."""

_FACTS = {"1": "yes", "0": "no"}
_TWO = "_vs_"
_TOLD = re.compile(r"^Told (?:σ = )?(.+); (σ = .+)$")
"""Titles of groups of Table IV: ``"Told σ = 25; σ = 15"``."""


@dataclass(frozen=True)
class Words:
    """Titles by name, as the tables that are there have them; else the suite's, else the name itself."""

    groups: Mapping[str, str]
    metrics: Mapping[str, str]
    denoisers: Mapping[str, str]

    def place(self, number: Judged) -> str:
        """Which number: ``"σ = 25, PSNR (dB), U-SAID"``."""
        names = [self.group(number), self.metric(number.metric), self.denoiser(number.denoiser)]
        return ", ".join(filter(None, names))

    def phrase(self, number: Judged) -> str:
        """The same inside a sentence: ``"PSNR of U-SAID (Table IV, σ = 15, told 25)"``."""
        group = _TOLD.sub(r"\2, told \1", self.group(number))
        where = ", ".join(filter(None, [table_title(number.table), group]))
        title = METRICS[number.metric].title if number.metric in METRICS else self.metric(number.metric)
        return f"{title} of {self.denoiser(number.denoiser)} ({where})"

    def group(self, number: Judged) -> str:
        """Empty: the table has one group only."""
        if number.group == "categories":
            return ""
        setting, _, sigma = number.group.rpartition("/")
        known = self.groups.get(number.group)
        return known or (f"{setting.replace('_', ' ')}; σ = {sigma}".removeprefix("; ") if sigma.isdecimal() else sigma)

    def metric(self, name: str) -> str:
        if name in METRICS:
            return heading(METRICS[name])
        return self.metrics.get(name, name.replace("_", " "))

    def denoiser(self, name: str) -> str:
        if _TWO in name:
            return " and ".join(map(self.denoiser, name.split(_TWO)))
        classes = name.removeprefix(COLUMN_OF_K)
        return self.denoisers.get(name, f"K = {classes}" if classes != name else name)


def words_of(tables: Iterable[Table]) -> Words:
    """The titles in some tables; the paper's own come first, then the first table that has a name."""
    known: dict[str, dict[str, str]] = {"groups": {}, "metrics": {}, "denoisers": dict(TITLES)}
    for table in tables:
        for kind, titles in known.items():
            for name, title in table.titles(kind).items():
                titles.setdefault(name, title)
    return Words(**known)


def in_print(number: Judged, text: str) -> str:
    """Ours or the paper's of a printed number as people read it: a check mark as ``"yes"`` or ``"no"``."""
    return _FACTS.get(text, text) if number.table == OF_CHECK_MARKS else text


def table_titles(numbers: str) -> list[str]:
    """Those of the tables that a sentence is about, whose numbers have blanks between them."""
    return [table_title(int(number)) for number in numbers.split() if number.isdecimal()]


def table_title(number: int) -> str:
    """``"Table IV"``."""
    return TABLES[number].title if number in TABLES else f"Table {number}"
