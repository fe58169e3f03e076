"""What several commands take."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command adds its parser, whose default ``run`` is what the command does."""


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """The files of an experiment, as ``experiment``."""
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")


def add_device(parser: argparse.ArgumentParser) -> None:
    """The device to compute on, as ``device``."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")


def add_adapt(parser: argparse.ArgumentParser) -> None:
    """How a network that is no denoiser of the suite's is fitted in."""


def adapt_of(options: argparse.Namespace) -> object:
    """What :func:`add_adapt` was given."""
    return None
