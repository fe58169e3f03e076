"""``usaid data``: the data sets."""

import argparse
from pathlib import Path

from usaid_cli.arguments import Commands


def add_data(commands: Commands) -> None:
    """``data``."""
    data = commands.add_parser("data", help="look for, fetch or generate data sets").add_subparsers(
        required=True, metavar="COMMAND"
    )
    status = data.add_parser("status", help="what is there, how much of it, and the cure for what is missing")
    status.add_argument("--data-root", type=Path, default=Path("data"))
    status.set_defaults(run=_status)
    fetch = data.add_parser("fetch", help="download, check and unpack")
    fetch.add_argument(
        "name",
        help="a data set, released (the authors' checkpoints), niqe_live or niqe_matlab (parameters), resnet101, "
        "yolov3 or yolov3u (weights)",
    )
    fetch.add_argument("--data-root", type=Path, default=Path("data"))
    fetch.set_defaults(run=_fetch)
    miniature = data.add_parser("miniature", help="write small generated versions of the paper's data sets")
    miniature.add_argument("directory", type=Path, metavar="DIR")
    miniature.set_defaults(run=_miniature)


def _status(options: argparse.Namespace) -> None:
    from usaid.datasets.status import format_status, status

    print(format_status(status(options.data_root)))


def _fetch(options: argparse.Namespace) -> None:
    from usaid.datasets.fetch import fetch

    fetch(options.name, options.data_root)


def _miniature(options: argparse.Namespace) -> None:
    from usaid.datasets.miniature.writer import write_miniature

    write_miniature(options.directory)
