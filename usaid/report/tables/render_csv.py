"""A table as tidy CSV: one cell a line."""

import csv
import io

from usaid.report.tables.cells import Table
from usaid.report.tables.numbers import printed

COLUMNS = ("table", "group", "denoiser", "metric", "ours", "paper", "delta", "n", "note")


def render_csv(table: Table) -> str:
    """The cells with the paper's digits; a number that does not exist is empty and the note says why.

    A category (Table III) is 1 or 0. An infinite PSNR is ``inf``.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell in table.cells:
        digits = table.digits(cell.place) or 0
        numbers = [
            "" if value is None else printed(value, digits) for value in (cell.ours, cell.paper, table.delta(cell))
        ]
        n = "" if cell.n is None else cell.n
        writer.writerow([table.spec.name, *cell.place, *numbers, n, cell.note])
    return stream.getvalue()
