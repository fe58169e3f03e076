"""Counts the FLOP of networks, as a process: what to make as JSON in, FLOP for each pixel as JSON out."""

import json
import sys
import traceback
from contextlib import redirect_stdout
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from usaid.denoisers.build import build_denoiser

SIDE = 64
"""Of the image that it is called with: networks that halve it a few times can."""


def main() -> None:
    """Count what is asked for; null where a network cannot be made, called, or has no products."""
    with redirect_stdout(sys.stderr):
        counts = [_counted(told) for told in json.load(sys.stdin)]
    print(json.dumps(counts))


def _counted(told: dict[str, Any]) -> float | None:
    try:
        return flop_of_pixel(told["method"], told["options"], told["adapt"])
    except (Exception, SystemExit):  # a stranger's code raises anything
        traceback.print_exc()
        return None


def flop_of_pixel(method: str, options: dict[str, Any], adapt: dict[str, Any] | None) -> float | None:
    """FLOP of a forward pass for each pixel, as torch counts them; None: it computes nothing that torch counts."""
    denoiser = build_denoiser(method, options=options, adapt=adapt)
    with FlopCounterMode(display=False) as counter:
        denoiser(torch.zeros(1, 3, SIDE, SIDE), denoiser.hears(25.0))
    return counter.get_total_flops() / SIDE**2 or None


if __name__ == "__main__":
    main()
