"""Which table a name stands for, and which tables show a benchmark."""

from usaid.errors import UsaidError
from usaid.paper.layouts import TABLES, TABLES_OF_PRINT, TableSpec, table_of
from usaid.registries import BENCHMARKS


def spec_of(table: int | str) -> TableSpec:
    """What a table is made from.

    Args:
        table: the paper's number, also as text, one of :data:`usaid.paper.layouts.TABLES_OF_PRINT`, the name of a
            benchmark that no table of the paper is made from, or that of a variant's table, ``"9_stored"``.

    Raises:
        UsaidError: there is no such table.
    """
    number = int(table) if isinstance(table, int) or table.isdecimal() else None
    if number in TABLES:
        return TABLES[number]
    if table in TABLES_OF_PRINT:
        return TABLES_OF_PRINT[str(table)]
    own = {spec.name: spec for card in BENCHMARKS.values() if (spec := table_of(card)) is not None}
    if table in own:
        return own[str(table)]
    shown = [spec.name for spec in tables_with(str(table))] if table in BENCHMARKS else []
    cure = f"{table} is in {', '.join(shown)}" if shown else f"others: {', '.join([*TABLES_OF_PRINT, *own])}"
    raise UsaidError(f"table {table}: the paper has tables 1 to 10; {cure}")


def spec_of_file(table: str) -> TableSpec:
    """As :func:`spec_of`, of a table that was made: that of a benchmark whose package is not installed here, too.

    Such a table has no metrics that are known here.
    """
    try:
        return spec_of(table)
    except UsaidError:
        return TableSpec(None, {table: None}, ())


def tables_with(benchmark: str) -> list[TableSpec]:
    """The tables that are made from a benchmark: the paper's, or its own."""
    own = table_of(BENCHMARKS[benchmark])
    return [own] if own is not None else [spec for spec in TABLES.values() if benchmark in spec.benchmarks]
