"""Numbers as text: the paper's digits, scientific notation, check marks, and signs for differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FURTHER_DIGITS = 1
"""Of statistics on a page, beside the digits that the paper prints: chance moves scores by less than its last one."""

FURTHER_DIGITS_OF_CSV = 2
"""Likewise, of statistics in a CSV file."""

SMALL_P = 0.01
"""Below it a p-value is written in scientific notation, as the paper does."""

SMALLEST_P = 1e-15
"""A p-value below it is not written out where people read."""

SMALLEST_P_OF_CSV = 1e-300
"""Likewise, in a CSV file, where a p-value is never 0: it is printed as this."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one kind are written.

    Attributes:
        digits: after the point; in scientific notation, of the mantissa.
        style: ``"p_value"``: scientific below :data:`SMALL_P`, else four digits after the point; without a difference
            from the paper's. ``"check"``: 1 and 0 stand for check marks.
    """

    digits: int
    style: Literal["fixed", "scientific", "p_value", "check"] = "fixed"

    def plain(self, value: float) -> str:
        """As a CSV file has it: ``"32.30"``, ``"3.30e-6"``, ``"inf"``; a check mark is ``"1"``."""
        if self.style == "p_value":
            return printed(value, 4) if value >= SMALL_P else scientific(max(value, SMALLEST_P_OF_CSV), self.digits)
        return printed(value, self.digits) if self.style in ("fixed", "check") else scientific(value, self.digits)

    def text(self, value: float) -> str:
        """As people read it: ``"32.30"``, ``"3.30e-6"``, ``"∞"``, ``"✓"`` or ``"✗"``."""
        if self.style == "check":
            return "✓" if value else "✗"
        return self.plain(value).replace("inf", "∞")

    def difference(self, difference: float) -> str:
        """As :meth:`text`, with a plus sign if the rounded difference is above zero."""
        text = self.plain(difference)
        return f"{'+' * (float(text) > 0)}{text}".replace("inf", "∞")

    def rounded(self, value: float) -> float:
        """``value`` as the page shows it, so that ranks and differences agree with it."""
        return float(self.plain(value))


CHECK_MARK = NumberFormat(0, "check")
P_VALUE = NumberFormat(4, "p_value")
"""Two to five significant digits, as in print: 0.0744, 1.7305e-9."""


def printed(value: float, digits: int) -> str:
    """``value`` with ``digits`` digits after the point, without a negative zero; ``"inf"`` for infinity."""
    return f"{value:z.{digits}f}"


def printed_difference(difference: float, digits: int) -> str:
    """As :func:`printed`, with a plus sign if the rounded difference is above zero."""
    text = printed(difference, digits)
    return f"+{text}" if float(text) > 0 else text


def scientific(value: float, digits: int) -> str:
    """``value`` with ``digits`` digits after the mantissa's point and a short exponent: ``"3.30e-6"``; ``"0"``."""
    mantissa, e, exponent = f"{value:.{digits}e}".partition("e")
    return "0" if value == 0 else f"{mantissa}e{int(exponent)}" if e else mantissa


def counted(n: int, units: str) -> str:
    """``"9,999 images"``, ``"1 image"``: of units in the plural."""
    return f"{n:,} {units.removesuffix('s') if n == 1 else units}"


def counted_units(units: Mapping[str, int]) -> str:
    """``"3 seeds, 24 images"``: of units -> how many; a single training is no sample of trainings and left out."""
    return ", ".join(counted(n, unit) for unit, n in units.items() if (unit, n) != ("seeds", 1))


def p_text(p_value: float | None) -> str:
    """A p-value as people read it, with two digits: ``"0.012"``, ``"< 1e-15"``; empty: there is none."""
    if p_value is None:
        return ""
    return f"{p_value:.2g}" if p_value >= SMALLEST_P else f"< {SMALLEST_P:g}"


def p_plain(p_value: float | None) -> str:
    """A p-value as a CSV file has it, with three digits, and one below 1e-300 as ``"1e-300"``; empty: there is none."""
    return "" if p_value is None else f"{max(p_value, SMALLEST_P_OF_CSV):.3g}"
