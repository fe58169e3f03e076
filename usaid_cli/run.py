"""``usaid run``: the workflow, by Snakemake, from any folder."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from usaid.errors import UsaidError
from usaid_cli.arguments import EXPERIMENT, Commands, experiment_files

_TAKEN = {
    "--configfile": "name experiments by --experiment",
    "--configfiles": "name experiments by --experiment",
    "--snakefile": "for a Snakefile of your own type snakemake",
    "-s": "for a Snakefile of your own type snakemake",
}
"""Options of Snakemake that are not its user's here, and what to do instead."""
_CORES = ("--cores", "-c", "--jobs", "-j", "--executor", "-e", "--profile")
"""With one of these Snakemake is told how many jobs may run; else it takes all cores."""
_OF_SNAKEMAKE = ("local", "dryrun", "touch")
"""Executors that need no plugin."""


def add_run(commands: Commands) -> None:
    """``run``."""
    parser = commands.add_parser(
        "run",
        help="run the workflow: make tables, figures, the report",
        usage="usaid run [TARGET ...] [--experiment NAME_OR_FILE ...] [--cores N] [SNAKEMAKE'S OPTIONS]",
        description="Run the workflow by Snakemake in the working folder: data lie in data/, results in "
        "results/EXPERIMENT/. Ctrl-C stops it, and the same command goes on. Targets are all (default), all_tables, "
        "table_6, figure_3, claims, report, ..., or files of the results.",
        epilog="All else is handed to Snakemake: --dry-run, --config data_root=/data, --profile slurm (the suite's), "
        "...; `python -m snakemake --help` lists it. Without --cores it takes all.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--experiment",
        nargs="+",
        action="extend",
        default=[],
        metavar=EXPERIMENT,
        help="of the suite (paper, which is the default; released, smoke, ...), or YAML files; later ones override",
    )
    parser.rest = "snakemake"
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    command = snakemake_command(options.experiment, options.snakemake)
    sys.stdout.flush()
    os.execv(command[0], command)


def snakemake_command(experiments: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The command that runs the workflow.

    Args:
        experiments: as :func:`usaid_cli.arguments.experiment_files` takes them; none: the paper's.
        arguments: targets and options of Snakemake.

    Raises:
        UsaidError: an unknown experiment, an option that is set here, Snakemake or the plugin of a cluster that is
            not installed.
    """
    from usaid.suite_files import suite_folder

    for option in (argument.partition("=")[0] for argument in arguments):
        if option in _TAKEN:
            raise UsaidError(f"{option}: usaid run has this option of Snakemake's for itself; {_TAKEN[option]}")
    files = _experiments(experiments)
    arguments = list(_with_profiles(arguments, suite_folder() / "profiles"))
    _require_packages(arguments)
    cores = [] if any(argument.startswith(_CORES) for argument in arguments) else ["--cores", "all"]
    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(suite_folder() / "Snakefile")]
    return [*snakemake, *cores, *arguments, "--configfile", *map(str, files)]


def _experiments(names: Sequence[str]) -> list[Path]:
    try:
        return experiment_files(names or ["paper"])
    except UsaidError as error:
        if len(names) > 1 and not str(error).startswith(f"{names[0]}:"):
            raise UsaidError(f"{error}; targets stand before --experiment") from None
        raise


def _with_profiles(arguments: Sequence[str], profiles: Path) -> Iterator[str]:
    """The arguments, with the folder of a profile of the suite in place of its name; a path that is there counts."""
    before = ""
    for argument in arguments:
        option, equals, name = argument.rpartition("=") if argument.startswith("--profile=") else ("", "", argument)
        is_profile = bool(equals) or before == "--profile"
        if is_profile and not Path(name).exists() and (profiles / name).is_dir():
            argument = f"{option}{equals}{profiles / name}"
        yield argument
        before = argument


def _require_packages(arguments: Sequence[str]) -> None:
    """See that Snakemake is there, and the plugin of the executor that a profile or an option names."""
    from usaid.experiment.yaml_files import read_mapping
    from usaid.extras import install_command

    executors = {"snakemake": ""}
    for option, value in _options(arguments):
        if option == "--profile" and (path := Path(value, "config.yaml")).is_file():
            value = str(read_mapping(path, "profile").get("executor", "local"))
        elif option not in ("--executor", "-e"):
            continue
        if value not in _OF_SNAKEMAKE:
            executors[f"snakemake_executor_plugin_{value.replace('-', '_')}"] = f"executor {value}: "
    for package, what in executors.items():
        if importlib.util.find_spec(package) is None:
            name = package.replace("_", "-")
            raise UsaidError(f"{what}package {name} is not installed; {install_command(package)}")


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with the text that follows them."""
    for argument, following in pairwise([*arguments, ""]):
        option, equals, value = argument.partition("=")
        yield option, value if equals else following
