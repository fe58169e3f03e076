"""A table as JSON, with all that a page about it shows: its layout, its cells, and where they come from."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from usaid.errors import UsaidError
from usaid.failures import failure_in
from usaid.files import text_of_file
from usaid.report.tables.cells import APART, Cell, Heading, Mark, Table
from usaid.report.tables.footnotes import DEVIATION
from usaid.report.tables.ranks import legend_of_ranks

VERSION = 1
"""Of the format: a reader takes no other."""

LEGEND = "Ours (the paper's, ours minus the paper's)."
"""How the Markdown is to be read, where a table says nothing else."""

_KEYS = ("name", "title", "caption", "groups", "metrics", "denoisers", "columns", "blocks", "cells", "footnotes")
"""Some that every such file has."""


def render_json(table: Table) -> str:
    """The table as one JSON object; texts are plain, and numbers are written as in the Markdown.

    ``blocks`` are the rows of each group, whose cells are places in ``cells``. ``value`` of a cell is ours, not
    rounded; an infinite one is the text ``"inf"`` or ``"-inf"``. ``low`` and ``high`` are the ends of the 95 % interval
    of ours, ``verdict`` and ``reason`` are about the printed number. ``scores`` names the score files behind a cell, as
    ``provenance.json`` does. ``note`` leaves out the deviations of the whole table: they are footnotes. What is not
    there is null.
    """
    layout, index = table.layout, {cell.place: number for number, cell in enumerate(table.cells)}
    apart = APART * any(cell.apart for cell in table.cells)
    content = {
        "version": VERSION,
        "name": table.spec.name,
        "number": table.spec.number,
        "title": table.spec.title,
        "is_made_again": table.spec.is_made_again,
        "caption": table.caption,
        "legend": " ".join(filter(None, [layout.legend or LEGEND, apart])),
        "ranks": legend_of_ranks(table, "Best", "second best", str),
        "rows": layout.rows,
        "groups": [_named(table, name, title, Mark(group=name)) for name, title in layout.groups.items()],
        "metrics": [
            _named(table, metric.name, metric.title, Mark(metric=metric.name))
            | {"unit": metric.unit, "better": metric.better}
            for metric in layout.metrics
        ],
        "denoisers": [_named(table, name, title, Mark(denoiser=name)) for name, title in layout.denoisers.items()],
        "columns": [_heading(column) for column in table.columns()],
        "blocks": [
            [
                {
                    "group": _heading(row.group),
                    "label": _heading(row.label),
                    "cells": [index[cell.place] for cell in row.cells],
                }
                for row in block
            ]
            for block in table.blocks()
        ],
        "cells": [_cell(table, cell) for cell in table.cells],
        "footnotes": [
            {"letter": letter, "text": f"{note.text}.", "is_deviation": note.text.startswith(DEVIATION)}
            for letter, note in table.lettered_footnotes
        ],
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def read_table(path: str | Path) -> dict[str, Any]:
    """What :func:`render_json` wrote.

    Raises:
        UsaidError: there is no such file, its table failed, or it is no table of this version; names the file.
    """
    cure = "delete it and make the table again"
    if failure := failure_in(path):
        raise UsaidError(f"{path}: the table failed: {failure.reason}")
    try:
        content = json.loads(text_of_file(path))
    except FileNotFoundError:
        raise UsaidError(f"{path}: there is no such file; make the table") from None
    except (ValueError, RecursionError):
        raise UsaidError(f"{path}: is no JSON; {cure}") from None
    if not isinstance(content, dict) or content.get("version") != VERSION or not content.keys() >= {*_KEYS}:
        raise UsaidError(f"{path}: not a table of this version; {cure}")
    return content


def _named(table: Table, name: str, title: str, mark: Mark) -> dict[str, str]:
    return {"name": name, "title": title, "letters": table.letters(mark)}


def _heading(heading: Heading) -> dict[str, str]:
    return {"text": heading.text, "letters": heading.letters}


def _cell(table: Table, cell: Cell) -> Mapping[str, Any]:
    number, delta = table.number_format(cell.place), table.delta(cell)
    values = {"ours": cell.ours, "low": cell.low, "high": cell.high, "paper": cell.paper}
    value = None if cell.ours is None else number.rounded(cell.ours)
    return {
        **cell.place._asdict(),
        "value": value if value is None or math.isfinite(value) else str(value),
        **{key: None if value is None else number.text(value) for key, value in values.items()},
        "difference": None if delta is None or number.style == "check" else number.difference(delta),
        "n": cell.n,
        "apart": cell.apart,
        "rank": cell.rank,
        "tied": cell.tied,
        "verdict": cell.verdict,
        "reason": cell.why,
        "note": _note(table, cell),
        "convention": cell.convention,
        "letters": table.letters(cell.place),
        "scores": cell.files,
    }


def _note(table: Table, cell: Cell) -> str:
    note = f"{cell.note}; "
    for letter, footnote in table.lettered_footnotes:
        if not letter and footnote.text.startswith(DEVIATION):
            note = note.replace(f"; {footnote.text.removeprefix(DEVIATION)}; ", "; ")
    return note.removesuffix("; ")
