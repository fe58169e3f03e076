"""Numbers as text: the paper's digits, and signs for differences."""


def printed(value: float, digits: int) -> str:
    """``value`` with ``digits`` digits after the point, without a negative zero; ``"inf"`` for infinity."""
    return f"{value:z.{digits}f}"


def printed_difference(difference: float, digits: int) -> str:
    """As :func:`printed`, with a plus sign if the rounded difference is above zero."""
    text = printed(difference, digits)
    return f"+{text}" if float(text) > 0 else text


def as_printed(value: float, digits: int) -> float:
    """``value`` rounded to what the page shows, so that ranks and differences agree with it."""
    return float(printed(value, digits))
