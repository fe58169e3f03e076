"""A table as tidy CSV: one cell a line."""

import csv
import io

from usaid.report.tables.cells import Table

COLUMNS = (
    *("table", "group", "denoiser", "metric", "ours", "low", "high", "paper", "delta", "n"),
    *("verdict", "reason", "note"),
)


def render_csv(table: Table) -> str:
    """The cells with the paper's digits; a number that does not exist is empty and the note says why.

    ``low`` and ``high`` are the ends of the 95 % interval of ours; ``verdict`` and ``reason`` are about the printed
    number. A category (Table III) is 1 or 0. An infinite PSNR is ``inf``.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell in table.cells:
        number = table.number_format(cell.place)
        values = (cell.ours, cell.low, cell.high, cell.paper, table.delta(cell))
        numbers = ["" if value is None else number.plain(value) for value in values]
        n = "" if cell.n is None else cell.n
        writer.writerow([table.spec.name, *cell.place, *numbers, n, cell.verdict, cell.why, cell.note])
    return stream.getvalue()
