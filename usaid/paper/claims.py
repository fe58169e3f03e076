"""The paper's sentences as comparisons of denoisers, and which of them follow from its own tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product
from typing import Any, Literal, NamedTuple

from usaid.errors import UsaidError
from usaid.package_data import read_yaml
from usaid.paper.layouts import ROMAN, TABLES, TITLES
from usaid.paper.published import COLUMN_OF_K, paper_denoisers, paper_groups, published
from usaid.registries import DATASETS, METRICS

FILE = "claims.yaml"

SIGNIFICANT = 0.05
"""A p-value below it is called significant, by the paper and by us."""

_ELSEWHERE = {4: 6}
"""Table IV does not print the blind denoisers that it is about: Table VI does."""

ANOTHER_NETWORK = {"another_unsupervised": "unsupervised", "another_mse": "mse"}
"""Who stands for a network that the paper does not have -> the loss that it is trained with."""

_TITLES = TITLES | {
    "another_unsupervised": "another network (unsupervised loss)",
    "another_mse": "another network (MSE alone)",
}

_MARGINS = {"comparable": -1, "clearly": 1}
"""Words for ``by``: which way they take the metric's margin."""

_IN_PERCENT = ((10, "miou_mean"),)
"""What the paper prints in percent, and our tables do not."""


@dataclass(frozen=True)
class Part:
    """One comparison: a denoiser is better than another by more than a margin, in the direction of better.

    Attributes:
        table: number of the table.
        group: of its rows, as :class:`usaid.paper.published.Published` has it.
        metric: what is compared; in Table III a category, whose "yes" is better than its "no".
        better: a denoiser; in Table II a number of classes, ``"u_said_k21"``; in Table III a method; one of
            :data:`ANOTHER_NETWORK`, or the column of an experiment that it stands for.
        than: another one.
        by: the margin in the metric's unit; below 0: it may be worse by no more than this.
    """

    table: int
    group: str
    metric: str
    better: str
    than: str
    by: float

    @property
    def sign(self) -> int:
        """1 if higher values are better, else -1."""
        return -1 if self.metric in METRICS and METRICS[self.metric].better == "lower" else 1

    @property
    def printed(self) -> tuple[float | None, float | None]:
        """What the paper prints for the two, in the unit of our tables; None: nothing."""
        return _printed(self, self.better), _printed(self, self.than)

    @property
    def effect_in_print(self) -> float | None:
        """By how much the one is better than the other in print; None: the paper lacks a number."""
        better, than = self.printed
        return None if better is None or than is None else round(self.sign * (better - than), 6)

    @property
    def p_value_in_print(self) -> float | None:
        """The p-value that the paper prints for the two; None: it prints none."""
        pairs = (f"{self.better}_vs_{self.than}", f"{self.than}_vs_{self.better}")
        known = (published(self.table, self.group, f"{self.metric}_p_value", pair) for pair in pairs)
        return next((value for value in known if value is not None), None)

    @property
    def holds_in_print(self) -> bool | None:
        """Whether it is so in print; None: the paper lacks a number."""
        effect = self.effect_in_print
        return None if effect is None else effect > self.by or effect == self.by < 0

    @property
    def place(self) -> str:
        """Where the comparison stands: ``"Table I, σ = 25"``."""
        return ", ".join([f"Table {ROMAN[self.table]}", *filter(None, [title_of_group(self.table, self.group)])])


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper.

    Attributes:
        id: what files call it.
        where: where in the paper it stands.
        quote: as printed; ``[...]`` stands for what is left out.
        says: how it is read, in one sentence.
        parts: the comparisons that it makes.
        needs: how many of them have to hold: ``"all"``, or ``"most"``: more than half.
        over_draws: it speaks of p-values over noise draws.
        significant: whether these are significant; False: they are not, and the two are comparable.
        word: the sentence's word that our margins read: ``"remarkably"``; empty: its parts have none.
        note: what in print speaks against relying on its own numbers; empty: nothing.
    """

    id: str
    where: str
    quote: str
    says: str
    parts: tuple[Part, ...]
    needs: Literal["all", "most"] = "all"
    over_draws: bool = False
    significant: bool = True
    word: str = ""
    note: str = ""

    @property
    def sides(self) -> int:
        """How many sides its p-values have: those of the paper, over noise draws, have two."""
        return 2 if self.over_draws else 1

    @property
    def tables(self) -> tuple[int, ...]:
        """The tables that it is about, ascending."""
        return tuple(sorted({part.table for part in self.parts}))

    @property
    def n_needed(self) -> int:
        """How many of its parts have to hold."""
        return len(self.parts) if self.needs == "all" else len(self.parts) // 2 + 1


class InPrint(NamedTuple):
    """Whether a sentence follows from the paper's own tables.

    Attributes:
        verdict: ``"holds"``, ``"does not hold"``, or ``"not tested"``: the numbers that would decide are not printed.
        against: the parts that are not as claimed.
        lacking: the parts that the paper prints no numbers of.
    """

    verdict: Literal["holds", "does not hold", "not tested"]
    against: tuple[Part, ...]
    lacking: tuple[Part, ...]

    @property
    def by_margin_only(self) -> bool:
        """Whether all that speaks against it are margins, which are our reading, and no order of two numbers."""
        return all(part.by < 0 or 0 < (part.effect_in_print or 0) <= part.by for part in self.against)


def all_claims() -> tuple[Claim, ...]:
    """The claims, in the order of ``claims.yaml``: those on several tables, then table by table.

    Raises:
        UsaidError: a claim names what the paper does not print; names the claim.
    """
    return _claims()


def margins() -> dict[str, float]:
    """What "comparable" allows, metric by metric, in the metric's unit."""
    return {metric: float(margin) for metric, margin in _file()["margins"].items()}


def verdict_of_print(claim: Claim) -> InPrint:
    """Whether a sentence follows from the numbers that the paper prints, taken as they are.

    A p-value is taken from the text; its parts also have to be in the claimed order.
    """
    held = {part: _held_in_print(claim, part) for part in claim.parts}
    against = tuple(part for part, holds in held.items() if holds is False)
    lacking = tuple(part for part, holds in held.items() if holds is None)
    if len(claim.parts) - len(against) < claim.n_needed:
        return InPrint("does not hold", against, lacking)
    enough = len(claim.parts) - len(against) - len(lacking) >= claim.n_needed
    return InPrint("holds" if enough else "not tested", against, lacking)


def closest_to_margin(claim: Claim) -> Part | None:
    """The part with a margin that decides in print: the weakest that the claim needs; None: there is none.

    How weak a part is, is counted in margins. Of two that should not differ, the one that is worse is named first.
    """

    def left(part: Part) -> float:
        effect = part.effect_in_print or 0.0
        return (effect - part.by if claim.significant else -part.by - abs(effect)) / abs(part.by)

    parts = [part for part in claim.parts if part.by and part.effect_in_print is not None]
    if not claim.significant:
        parts = [p if (p.effect_in_print or 0) <= 0 else replace(p, better=p.than, than=p.better) for p in parts]
    return sorted(parts, key=left, reverse=True)[: claim.n_needed][-1] if parts else None


def as_in_print(part: Part) -> str:
    """What the paper prints of a comparison: ``"Table VI, σ = 15: NIQE of S-SAID 2.6288, of U-SAID 2.5690"``."""
    better, than = (_number(part, value) for value in part.printed)
    names = title_of(part.better), title_of(part.than)
    text = f"{part.place}: {title_of_metric(part.metric)} of {names[0]} {better}, of {names[1]} {than}"
    effect = part.effect_in_print
    if not part.by or effect is None:
        return text
    asked = (
        f"more than {part.by:g} is asked for" if part.by > 0 else f"{-part.by:g}{' worse' * (effect > 0)} is allowed"
    )
    return f"{text}, {'better' if effect > 0 else 'worse'} by {_number(part, abs(effect))} where {asked}"


def title_of(denoiser: str) -> str:
    """A denoiser as the paper calls it; in Table II ``"K = 21"``; one that the paper does not have by its name."""
    if denoiser.startswith(COLUMN_OF_K):
        return f"K = {denoiser.removeprefix(COLUMN_OF_K)}"
    return _TITLES.get(denoiser, denoiser)


def title_of_metric(metric: str) -> str:
    """A metric or category on the page: ``"NIQE"``, ``"semantic aware"``."""
    return METRICS[metric].title.partition(" (")[0] if metric in METRICS else metric.replace("_", " ")


def title_of_group(table: int, group: str) -> str:
    """A group of rows on the page: ``"σ = 25"``, ``"σ = 15 (told 25)"``, ``"Kodak"``; empty where a table has one."""
    if len(paper_groups(table)) == 1:
        return ""
    setting, _, name = group.rpartition("/")
    if name in DATASETS or not name.isdecimal():
        return DATASETS[name].title if name in DATASETS else name.upper()
    told = (TABLES[table].settings or {}).get(setting)
    return f"σ = {name}" + (f" (told {'the truth' if told is None else f'{told:g}'})" if setting else "")


def _held_in_print(claim: Claim, part: Part) -> bool | None:
    """Whether a part is as claimed in print; None: the paper lacks its numbers."""
    if part.holds_in_print is None or not claim.over_draws:
        return part.holds_in_print
    p_value = part.p_value_in_print
    if p_value is None:
        return None
    other_way = claim.significant or replace(part, better=part.than, than=part.better).holds_in_print
    return part.holds_in_print and bool(other_way) and (p_value < SIGNIFICANT) == claim.significant


def _printed(part: Part, denoiser: str) -> float | None:
    """What the paper prints for a denoiser, a fraction where our tables have one."""
    metric = f"{part.metric}_mean" if TABLES[part.table].over_draws else part.metric
    value = published(part.table, part.group, metric, denoiser)
    if value is None and part.table in _ELSEWHERE:
        value = published(_ELSEWHERE[part.table], part.group.rpartition("/")[2], metric, denoiser)
    return value / 100 if value is not None and (part.table, metric) in _IN_PERCENT else value


def _number(part: Part, value: float | None) -> str:
    if value is None:
        return "not printed"
    return f"{value:.{METRICS[part.metric].digits}f}" if part.metric in METRICS else ("yes" if value else "no")


@cache
def _file() -> dict[str, Any]:
    file: dict[str, Any] = read_yaml("usaid.paper", FILE)
    return file


@cache
def _claims() -> tuple[Claim, ...]:
    return tuple(read_claim(record) for record in _file()["claims"])


def read_claim(record: Mapping[str, Any]) -> Claim:
    """A claim from its entry in ``claims.yaml``.

    Raises:
        UsaidError: it names what the paper does not print; names the claim.
    """
    known = {key: record[key] for key in ("id", "where", "quote", "says")}
    parts = tuple(part for entry in record["parts"] for part in _parts({"table": record.get("table"), **entry}))
    for part in parts:
        if fault := _fault(part):
            raise UsaidError(f"{FILE}: claim {record['id']}: {fault}")
    over_draws = record.get("chance") == "draws"
    return Claim(
        **known,
        parts=parts,
        needs=record.get("needs", "all"),
        over_draws=over_draws,
        significant=record.get("significant", True),
        word=record.get("word", ""),
        note=record.get("note", ""),
    )


def _parts(entry: Mapping[str, Any]) -> Iterator[Part]:
    """The single comparisons of an entry of ``parts``."""
    table = entry["table"]
    groups = _names(entry["groups"]) if "groups" in entry else paper_groups(table)
    order = _names(entry["order"]) if "order" in entry else None
    pairs = [*pairwise(order)] if order else [*product(_names(entry["better"]), _names(entry["than"]))]
    for metric, group, (better, than) in product(_names(entry["metric"]), groups, pairs):
        yield Part(table, group, metric, better, than, _margin(entry.get("by", 0), metric))


def _margin(by: float | str, metric: str) -> float:
    """What ``by`` says, in the metric's unit."""
    return float(by) if by not in _MARGINS else _MARGINS[str(by)] * margins()[metric]


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _fault(part: Part) -> str | None:
    """What of a part the paper does not print; None: it prints all of it."""
    if part.table not in TABLES:
        return f"table {part.table}: the paper has no such table"
    known = {
        "group": (part.group, paper_groups(part.table)),
        "metric": (part.metric, (*METRICS, *TABLES[part.table].metrics)),
        "denoiser": (part.better, denoisers := _denoisers(part.table)),
        "other denoiser": (part.than, denoisers),
    }
    for what, (name, names) in known.items():
        if name not in names:
            return f"{what} {name!r} is not in Table {ROMAN[part.table]}; known: {', '.join(names)}"
    return None


def _denoisers(table: int) -> tuple[str, ...]:
    """The denoisers that a table is about: those that it prints or another one prints for it, and another network's."""
    names = (*paper_denoisers(table), *paper_denoisers(_ELSEWHERE.get(table)))
    own = tuple(name for name in names if name in TITLES or name.startswith(COLUMN_OF_K))
    return (*own, *ANOTHER_NETWORK)
