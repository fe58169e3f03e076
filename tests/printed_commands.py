"""Runs the commands that examples and README print, in this process."""

import runpy
import shlex
import sys
from pathlib import Path

import pytest

import usaid_cli


def run_printed(command: str, *more: str) -> None:
    """Run a line that begins with ``usaid`` or ``python``, with ``more`` arguments at its end."""
    program, *arguments = [*shlex.split(command), *more]
    if program == "usaid":
        usaid_cli.main(arguments)
        return
    assert program == "python", command
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments)
        if arguments[0] == "-c":
            exec(arguments[1], {"__name__": "__main__"})
            return
        patch.syspath_prepend(Path(arguments[0]).parent.resolve())
        runpy.run_path(arguments[0], run_name="__main__")


def psnr_in(table: str) -> dict[tuple[str, str], float]:
    """The mean PSNR of each noise level and denoiser in a printed table: ``{("25", "U-SAID"): 32.19}``."""
    lines = [[cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.startswith("|")]
    return {(sigma, denoiser): float(psnr.split()[0]) for _, sigma, denoiser, psnr, *_ in lines[2:]}
