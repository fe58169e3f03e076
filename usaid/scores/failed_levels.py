"""The levels that a score file lacks: a sigma, as a denoiser was told it, at which some image has no row."""

from collections.abc import Iterable, Mapping
from typing import Any

from usaid.errors import one_line


def failed_levels_of(provenance: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a score file says of the levels that it lacks: ``sigma``, ``told_sigma`` (None: the method is blind, or not
    known) and ``reason``; empty: it lacks none, or has no rows at all."""
    return [*(provenance.get("failed_levels") or ())]


def reason_of_levels(levels: Iterable[Mapping[str, Any]]) -> str:
    """Why levels are lacking, in one line: each reason once, behind the sigmas that it is about."""
    sigmas: dict[str, dict[str, None]] = {}
    for level in levels:
        sigmas.setdefault(one_line(level["reason"]), {})[f"{level['sigma']:g}"] = None
    return "; ".join(f"sigma {', '.join(own)}: {reason}" for reason, own in sigmas.items())


def why_level_is_missing(provenance: Mapping[str, Any], sigma: float, told_sigma: float | None) -> str | None:
    """Why a score file has no rows of a level; None: it does not say.

    Args:
        provenance: its own.
        sigma: noise level, 0-255 scale.
        told_sigma: what non-blind methods are told there; None: the truth.
    """
    heard = (None, sigma if told_sigma is None else told_sigma)
    for level in failed_levels_of(provenance):
        if level["sigma"] == sigma and level["told_sigma"] in heard:
            return one_line(level["reason"])
    return None
