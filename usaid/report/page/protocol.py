"""What was not the paper's protocol, each deviation once, with what it is about."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.tables import Table, without_mark
from usaid.report.page.words import table_title


class Deviation(NamedTuple):
    """A deviation, and where it is: ``"Table IV (MLP)"``, ..."""

    text: str
    where: Sequence[str]


def deviations_of(experiment: Experiment) -> list[Deviation]:
    """Those that its tables' footnotes and its sentences name, in the order of the tables."""
    found: dict[str, dict[str, list[str]]] = {}
    for text, table, about in _of_tables(experiment):
        known = found.setdefault(text, {}).setdefault(table, [])
        known += [one for one in about if one not in known]
    of_tables = {*found}
    for text, where in _of_claims(experiment):
        if text not in of_tables:
            found.setdefault(text, {}).setdefault(f"sentences about {where}", [])
    return [
        Deviation(text, [f"{table} ({', '.join(about)})" if about else table for table, about in where.items()])
        for text, where in found.items()
    ]


def _of_tables(experiment: Experiment) -> Iterator[tuple[str, str, list[str]]]:
    for title, table in experiment.tables:
        if isinstance(table, Table):
            for note in table.footnotes:
                if note.is_deviation:
                    yield without_mark(note.text), title, table.about(note)


def _of_claims(experiment: Experiment) -> Iterator[tuple[str, str]]:
    for claim in [] if isinstance(experiment.claims, Missing) else experiment.claims:
        tables = (table_title(int(number)) for number in claim["tables"].split() if number.isdecimal())
        where = ", ".join(tables) or claim["where"]
        yield from ((text, where) for text in claim["differs"].split("; ") if text)
