"""What the paper prints in Figures 3 to 5, and which images these probably show."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from usaid.package_data import read_yaml

COLUMNS = ("cdncnn_b", "s_said", "u_said")
"""The denoisers of Figures 3 to 5, in the order of print."""


class PrintedRow(NamedTuple):
    """A row of a figure.

    Attributes:
        sigma: noise level, 0-255 scale.
        numbers: metric (``"psnr"``, ``"niqe"``, ``"miou"``) -> denoiser -> the number under its picture, as printed.
        image_id: the image that it probably shows, in the words of its data set; None: it cannot be told.
    """

    sigma: float
    numbers: Mapping[str, Mapping[str, str]]
    image_id: str | None

    def number(self, metric: str, denoiser: str) -> str:
        """The number as printed; empty: there is none."""
        return self.numbers.get(metric, {}).get(denoiser, "")


def printed_rows(figure: int) -> tuple[PrintedRow, ...]:
    """The rows of Figure 3, 4 or 5, from the top."""
    said = _figures()[f"figure_{figure}"]
    return tuple(
        PrintedRow(
            float(sigma),
            {metric: dict(zip(COLUMNS, numbers, strict=True)) for metric, numbers in metrics.items()},
            said["images"].get(sigma),
        )
        for sigma, metrics in said["rows"].items()
    )


def printed_row(figure: int, sigma: float) -> PrintedRow:
    """The row of a sigma, without numbers if the figure has none."""
    return next((row for row in printed_rows(figure) if row.sigma == sigma), PrintedRow(sigma, {}, None))


def how_told(figure: int) -> str:
    """How it was told which images a figure shows: a phrase without a final stop."""
    return _figures()[f"figure_{figure}"]["told"]


def figure_notes(figure: int) -> str | None:
    """Where a figure's print is ambiguous or contradicts itself; None: nowhere that we know."""
    return _figures()[f"figure_{figure}"].get("notes")


@cache
def _figures() -> dict[str, Any]:
    """The transcription; numbers as text, digit by digit."""
    return read_yaml("usaid.paper", "figures.yaml", as_text=True)
