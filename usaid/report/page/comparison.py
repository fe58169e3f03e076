"""Every printed number with what each experiment makes of it."""

from collections.abc import Container, Sequence
from itertools import groupby
from typing import NamedTuple

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.tables import Table, address
from usaid.report.page.words import SIGNS, Words, in_print, table_title
from usaid.report.tables.verdict_list import Judged, column_of
from usaid.report.verdict_words import NOT_TESTED


class Entry(NamedTuple):
    """A printed number in an experiment.

    Attributes:
        link: the address of ours in the page; empty: it is in no table here.
    """

    ours: str
    verdict: str
    sign: str
    link: str


class Line(NamedTuple):
    """A printed number in all of them.

    Attributes:
        disagree: two of them that tested it say different things.
    """

    place: str
    paper: str
    entries: Sequence[Entry]
    disagree: bool


class Comparison(NamedTuple):
    """Printed numbers by table.

    Attributes:
        labels: of the experiments, which are the columns.
        tables: number, title and lines of each.
        missing: experiments without verdicts, and why.
    """

    labels: Sequence[str]
    tables: Sequence[tuple[int, str, Sequence[Line]]]
    missing: Sequence[tuple[str, Missing]]


_Place = tuple[int, str, str, str]


def comparison_of(experiments: Sequence[Experiment], words: Words) -> Comparison:
    """The experiments side by side; those without verdicts are left out."""
    missing = [(one.label, one.verdicts) for one in experiments if isinstance(one.verdicts, Missing)]
    judged: list[dict[_Place, tuple[Judged, str]]] = []
    labels = []
    for experiment in experiments:
        if not isinstance(experiment.verdicts, Missing):
            known = addresses_of(experiment)
            links = ((number, address_of(experiment, number, known)) for number in experiment.verdicts)
            judged.append({_place(number): (number, link) for number, link in links})
            labels.append(experiment.label)
    first = {place: number for own in reversed(judged) for place, (number, _) in own.items()}
    places = dict.fromkeys(place for own in judged for place in own)
    lines = [(place[0], _line(first[place], [own.get(place) for own in judged], words)) for place in places]
    lines.sort(key=lambda one: one[0])
    grouped = groupby(lines, key=lambda one: one[0])
    return Comparison(labels, [(n, table_title(n), [line for _, line in own]) for n, own in grouped], missing)


def _place(number: Judged) -> _Place:
    return (number.table, number.group, number.metric, number.denoiser)


def addresses_of(experiment: Experiment) -> set[str]:
    """The addresses of all numbers in an experiment's tables."""
    return {cell.id for _, table in experiment.tables if isinstance(table, Table) for cell in table.cells}


def address_of(experiment: Experiment, number: Judged, known: Container[str]) -> str:
    """Where our number for a printed one stands; empty: in no table here.

    Args:
        experiment: whose.
        number: the printed one.
        known: :func:`addresses_of` the experiment.
    """
    denoiser = column_of(number.metric, number.denoiser)
    link = address(experiment.prefix, number.table, number.group, denoiser, number.metric)
    return link if link in known else ""


def _line(number: Judged, judged: Sequence[tuple[Judged, str] | None], words: Words) -> Line:
    entries = [
        Entry("", NOT_TESTED, SIGNS[NOT_TESTED], "")
        if one is None
        else Entry(in_print(one[0], one[0].ours), one[0].verdict, SIGNS.get(one[0].verdict, ""), one[1])
        for one in judged
    ]
    said = {entry.verdict for entry in entries} - {NOT_TESTED}
    return Line(words.place(number), in_print(number, number.paper), entries, len(said) > 1)
