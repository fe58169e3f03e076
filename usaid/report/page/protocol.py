"""What was not the paper's protocol, each deviation once, with what it is about."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from usaid.paper.layouts import TABLES
from usaid.report.page.experiments import Experiment
from usaid.report.page.reading import Missing
from usaid.report.page.tables import Table, without_mark
from usaid.report.page.words import table_titles


class Deviation(NamedTuple):
    """A deviation, and where it is: ``"Table IV (MLP)"``, ``"sentences about Table I, Table V"``."""

    text: str
    where: Sequence[str]


def deviations_of(experiment: Experiment) -> list[Deviation]:
    """Those that its tables' footnotes name, in the order of the tables; then those that its sentences alone name."""
    of_tables: dict[str, dict[str, list[str]]] = {}
    for text, table, about in _of_tables(experiment):
        known = of_tables.setdefault(text, {}).setdefault(table, [])
        known += [one for one in about if one not in known]
    of_sentences: dict[str, set[str]] = {}
    for text, where in _of_claims(experiment, of_tables):
        of_sentences.setdefault(text, set()).update(where)
    return [
        *(
            Deviation(text, [f"{table} ({', '.join(about)})" if about else table for table, about in where.items()])
            for text, where in of_tables.items()
        ),
        *(
            Deviation(text, [f"sentences about {', '.join(sorted(where, key=_order))}"])
            for text, where in of_sentences.items()
        ),
    ]


def _of_tables(experiment: Experiment) -> Iterator[tuple[str, str, list[str]]]:
    for title, table in experiment.tables:
        if isinstance(table, Table):
            for note in table.footnotes:
                if note.is_deviation:
                    yield without_mark(note.text), title, table.about(note)


def _of_claims(experiment: Experiment, of_tables: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Without those of tables, which may have semicolons of their own."""
    for claim in [] if isinstance(experiment.claims, Missing) else experiment.claims:
        where, differs = table_titles(claim["tables"]) or [claim["where"]], f"; {claim['differs']}; "
        for text in of_tables:
            differs = differs.replace(f"; {text}; ", "; ")
        yield from ((text, where) for text in differs.split("; ") if text)


def _order(where: str) -> tuple[int, str]:
    """Of the paper's tables, then of other places."""
    titles = [spec.title for spec in TABLES.values()]
    return (titles.index(where) if where in titles else len(titles), where)
