"""``usaid config``: experiment files."""

import argparse
import json

from usaid_cli.arguments import Commands, add_experiment, experiment_of


def add_config(commands: Commands) -> None:
    """``config``."""
    config = commands.add_parser("config", help="what an experiment file can say").add_subparsers(
        required=True, metavar="COMMAND"
    )
    check = config.add_parser("check", help="see that experiment files are right, before anything else reads them")
    add_experiment(check)
    check.set_defaults(run=_check)
    config.add_parser("schema", help="JSON Schema, for editors").set_defaults(run=_schema)
    config.add_parser("keys", help="all keys with their meaning, as Markdown").set_defaults(run=_keys)


def _check(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag

    experiment = experiment_of(options.experiment)
    Dag(experiment)
    for images in experiment.unread_subsets:
        print(f"subsets.{images}: nothing reads this split, so the list changes nothing")
    counts = f"{len(experiment.denoisers)} denoisers, {len(experiment.benchmarks)} benchmarks"
    print(f"{experiment.experiment}: valid; {counts}; results go to {experiment.results}/")


def _schema(options: argparse.Namespace) -> None:
    from usaid.experiment.reference import json_schema

    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def _keys(options: argparse.Namespace) -> None:
    from usaid.experiment.reference import key_reference

    print(key_reference().rstrip())
