"""What stands at the head of a row or column: titles on one line, told apart."""

from collections.abc import Mapping

from usaid.cards import Metric


def heading(metric: Metric) -> str:
    """Title and unit of a metric: ``"PSNR (dB)"``."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def sigma_name(sigma: float) -> str:
    """A sigma as the name of a group: ``"25"``."""
    return f"{sigma:g}"


def one_line(text: str) -> str:
    """``text`` on one line, without a final stop."""
    return " ".join(text.split()).removesuffix(".")


def distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """The titles on one line each, with the name behind those that two denoisers share."""
    lines = {name: one_line(title) for name, title in titles.items()}
    shared = list(lines.values())
    return {name: f"{line} ({name})" if shared.count(line) > 1 else line for name, line in lines.items()}
