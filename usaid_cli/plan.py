"""``usaid plan``: what a run costs, what it lacks, and what of it is done."""

import argparse
import json
from pathlib import Path

from usaid_cli.arguments import Commands, with_names


def add_plan(commands: Commands) -> None:
    """``plan``."""
    parser = commands.add_parser(
        "plan",
        help="what a run costs before it starts: jobs, hours, GB, what is missing, what is done",
        description="Counts the work of each job and multiplies it by the rates of a machine: measured here, or of a "
        "table that comes with the suite. Whether what is done is up to date, snakemake -n says.",
    )
    parser.add_argument(
        "experiment",
        type=Path,
        nargs="*",
        metavar="NAME_OR_FILE",
        help="experiment (paper, released, ..., or YAML files); later ones override",
    )
    parser.add_argument(
        "--device", help="2cores, h100, or measured (default: measured, else 2cores scaled to this machine)"
    )
    parser.add_argument(
        "--target", nargs="+", default=["all"], metavar="RULE", help="all (default), all_tables, table_6, ..."
    )
    parser.add_argument(
        "--gpus", type=int, nargs="+", default=[], metavar="N", help="also the wall time on so many GPUs"
    )
    parser.add_argument("--measure", action="store_true", help="measure this machine's rates first (1 minute)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="with --measure: where to (default: ~/.cache/usaid)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON: seconds and bytes")
    parser.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> None:
    from usaid.errors import UsaidError

    if any(number < 1 for number in options.gpus):
        raise UsaidError(f"--gpus {min(options.gpus)}: must be at least 1")
    if options.output is not None and not options.measure:
        raise UsaidError("--output: says where --measure writes; add --measure")
    if options.measure:
        _measure(options.output)
    if not options.experiment:
        if not options.measure:
            raise UsaidError(
                "no experiment to plan: name its file, as config/paper.yaml, or measure rates with --measure"
            )
        return
    from evaluators.dag.dag import Dag
    from evaluators.plan.pages import page_of, record_of
    from evaluators.plan.plan import plan_of
    from evaluators.plan.rates import rates_of
    from usaid.experiment.reading import read_experiment

    dag, rates = Dag(read_experiment(*with_names(options.experiment))), rates_of(options.device)
    if options.gpus and not rates.gpus:
        raise UsaidError(f"--gpus: the rates of {rates.device} are of no GPU; add --device h100")
    plan = plan_of(dag, rates, options.target, options.gpus)
    print(json.dumps(record_of(plan), indent=1) if options.json else page_of(plan))


def _measure(output: Path | None) -> None:
    from evaluators.plan.measure import measure
    from evaluators.plan.rates import own_table

    path = output or own_table()
    measure(path)
    print(f"{path} written\n")
