"""The paper's tables made again: our numbers, the paper's and the difference, as CSV, LaTeX and Markdown."""

from usaid.report.tables.build import build_facts_table, build_table
from usaid.report.tables.cells import Cell, Footnote, Layout, Mark, Place, Table
from usaid.scores.comparable import ScoresLike
from usaid.report.tables.render_tex import standalone_document
from usaid.paper.layouts import NOT_BUILT, Metric, TableSpec, built_tables

__all__ = [
    "NOT_BUILT",
    "Cell",
    "Footnote",
    "Layout",
    "Mark",
    "Metric",
    "Place",
    "ScoresLike",
    "Table",
    "TableSpec",
    "build_facts_table",
    "build_table",
    "built_tables",
    "standalone_document",
]
