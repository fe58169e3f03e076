"""``usaid data``: the data sets."""

import argparse
import shlex
import sys
from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from usaid_cli.arguments import EXPERIMENT, Commands, experiment_of

if TYPE_CHECKING:
    from evaluators.dag.dag import Dag
    from usaid.datasets.pins import Pins

_DATA_ROOT = Path("data")


def add_data(commands: Commands) -> None:
    """``data``."""
    parser = commands.add_parser(
        "data",
        help="look for, fetch or generate data sets",
        description="Data sets and weights. Nothing has to be fetched for the demo, and a run fetches by itself what "
        "nothing is there of.",
    )
    data = parser.add_subparsers(required=True, metavar="COMMAND")
    status = data.add_parser(
        "status",
        help="what is there, how much of it, and the cure for what is missing",
        description="Of all data sets, or of what an experiment reads; of an experiment, the exit status is 1 if "
        "something is missing.",
    )
    _add_shared(status, "what this experiment lacks, and nothing else: released, paper, ..., or YAML files")
    status.set_defaults(run=_status)
    fetch = data.add_parser(
        "fetch",
        help="download, check and unpack",
        description="Downloads from several hosts at once, from each one file at a time. Interrupted, it goes on "
        "when the same is typed again. The exit status is 1 if something failed.",
    )
    fetch.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a data set, released (the authors' checkpoints), niqe_live or niqe_matlab (parameters), resnet101, "
        "yolov3 or yolov3u (weights)",
    )
    _add_shared(fetch, "all that this experiment lacks and that can be fetched: released, paper, ..., or YAML files")
    fetch.set_defaults(run=_fetch)
    facts = data.add_parser("facts", help="what is known of a source, in Markdown, as docs/data has it")
    facts.add_argument("name", metavar="NAME", help="a data set or weights; overview: all of them")
    facts.set_defaults(run=_facts)
    miniature = data.add_parser("miniature", help="write small generated versions of the paper's data sets")
    miniature.add_argument("directory", type=Path, metavar="DIR")
    miniature.set_defaults(run=_miniature)


def _add_shared(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--experiment", nargs="+", default=[], metavar=EXPERIMENT, help=what)
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="default: the experiment's, or data")
    parser.add_argument(
        "--pins",
        type=Path,
        metavar="FILE",
        help="hashes that you vouch for, as sha256sum writes them, paths below the "
        "data root; default: pins.sha256 below it, if it is there",
    )


def _status(options: argparse.Namespace) -> None:
    from usaid.datasets.pins import read_pins
    from usaid.datasets.status import checks, format_status, status

    if not options.experiment:
        root = options.data_root or _DATA_ROOT
        print(format_status(status(root), checks(root, read_pins(root, options.pins))))
        return
    from evaluators.dag.lacking import format_lacking
    from evaluators.dag.needs import lacking, needs_of

    dag = _dag(options)
    needs = needs_of(dag, read_pins(Path(dag.data_root), options.pins))
    files = shlex.join(map(str, options.experiment))
    root = f" --data-root {shlex.quote(str(options.data_root))}" if options.data_root else ""
    print(format_lacking(needs, f"usaid data fetch --experiment {files}{root}"))
    if lacking(needs):
        sys.exit(1)


def _dag(options: argparse.Namespace) -> "Dag":
    """The jobs of the experiment, with its data where the command line says."""
    from evaluators.dag.dag import Dag

    experiment = experiment_of(options.experiment)
    changes = {} if options.data_root is None else {"data_root": str(options.data_root)}
    return Dag(experiment.model_copy(update=changes))


def _fetch(options: argparse.Namespace) -> None:
    from usaid.datasets.fetch import fetchable_names, require_source
    from usaid.datasets.pins import read_pins
    from usaid.datasets.side_by_side import described, fetch_all, lack_of_room, parcels_of, summary
    from usaid.errors import UsaidError

    if not options.names and not options.experiment:
        raise UsaidError(f"name what to fetch (one of {', '.join(fetchable_names())}), or --experiment {EXPERIMENT}")
    for name in options.names:
        require_source(name)
    dag = _dag(options) if options.experiment else None
    root = options.data_root or (_DATA_ROOT if dag is None else Path(dag.data_root))
    pins = read_pins(root, options.pins)
    wanted, by_hand = _wanted(options.names, dag, pins, root)
    parcels = parcels_of(wanted, root, pins)
    _say(described(parcels, root), lack_of_room(parcels, root))
    fetch_all(parcels, root)
    _say(summary(parcels, root), *(f"by hand: {name}: {cure}" for name, cure in by_hand.items()))
    if any(parcel.failure for parcel in parcels) or by_hand.keys() & {*options.names}:
        sys.exit(1)


def _wanted(
    names: Sequence[str], dag: "Dag | None", pins: "Pins", root: Path
) -> tuple["dict[str, Set[str] | None]", dict[str, str]]:
    """What is fetched, and what nobody but the user can get: name -> its cure."""
    from evaluators.dag.needs import lacking, needs_of, to_fetch
    from usaid.datasets.fetch import fetchable_names
    from usaid.datasets.status import cure_for

    missing = [] if dag is None else lacking(needs_of(dag, pins))
    wanted = {**to_fetch(missing), **dict.fromkeys(name for name in names if name in fetchable_names())}
    by_hand = {need.name: need.cure for need in missing if not need.can_be_fetched}
    return wanted, by_hand | {name: cure_for(name, root) for name in names if name not in wanted}


def _facts(options: argparse.Namespace) -> None:
    from usaid.datasets.facts import facts, overview
    from usaid.datasets.fetch import require_source

    if options.name == "overview":
        print(overview())
        return
    require_source(options.name)
    print(facts(options.name))


def _say(*texts: str) -> None:
    for text in filter(None, texts):
        print(text, flush=True)


def _miniature(options: argparse.Namespace) -> None:
    from usaid.datasets.miniature.writer import write_miniature

    write_miniature(options.directory)
