"""The `usaid` command: a run of the workflow, what comes before and after it, and each of its steps by itself."""

import argparse
import os
import sys
from collections.abc import Sequence

from usaid import __version__
from usaid.errors import UsaidError, one_line
from usaid_cli.arguments import Parser
from usaid_cli.check import add_check
from usaid_cli.completion import add_completion
from usaid_cli.config import add_config
from usaid_cli.data import add_data
from usaid_cli.denoise import add_denoise
from usaid_cli.evaluate import add_evaluate
from usaid_cli.plan import add_plan
from usaid_cli.progress import add_progress
from usaid_cli.purposes import PurposeParser
from usaid_cli.reports import add_claims, add_compare, add_row, add_statistics, add_table
from usaid_cli.run import add_run
from usaid_cli.score import add_merge, add_score
from usaid_cli.sight import add_figure, add_keep_images, add_report
from usaid_cli.train import add_train, add_train_judge

_COMMANDS = (
    add_run,
    add_denoise,
    add_check,
    add_evaluate,
    add_data,
    add_plan,
    add_train,
    add_train_judge,
    add_score,
    add_merge,
    add_progress,
    add_table,
    add_statistics,
    add_claims,
    add_compare,
    add_row,
    add_keep_images,
    add_figure,
    add_report,
    add_config,
    add_completion,
)
"""usaid_cli/purposes.py has the order of the help."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Whatever ends it early is one line on stderr: exit status 1, or 130 for Ctrl-C. The traceback of what nobody foresaw
    goes to a file, which the line names. Who stops reading the output, as ``head`` does, is told nothing.
    """
    try:
        try:
            options = build_parser().parse_args(arguments)
            options.run(options)
        finally:
            _flush_output()
    except UsaidError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except Exception as error:  # a bug, or what no package foresaw
        _drop_output()
        sys.exit(_unexpected(error))


def _flush_output() -> None:
    try:
        print(end="", flush=True)  # unlike stdout.flush(), also where there is no stdout
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        raise UsaidError(f"standard output: cannot be written ({error.strerror})") from error


def _drop_output() -> None:
    """Let what stdout still holds go nowhere: Python would complain about it when it ends."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> str:
    """One line about an exception: its type, its text, and the file that gets its traceback."""
    import tempfile
    import traceback

    text = one_line(error)
    text = text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="usaid-traceback-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
        where = f"the traceback is in {file.name}"
    except OSError as problem:
        where = f"the traceback could not be written ({problem.strerror})"
    return f"error: {type(error).__name__}: {text} ({where})"


LONGEST_TEXT = 500
"""Characters of an unforeseen exception that are shown."""


def build_parser() -> argparse.ArgumentParser:
    """The parser; each subcommand's function is its ``run`` default."""
    parser = PurposeParser(
        prog="usaid",
        description="Makes the paper's tables and figures again, and puts your own denoiser beside them. A run: "
        "usaid plan released, usaid run all_tables --experiment released, usaid progress results/released.",
        epilog="usaid COMMAND --help explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"usaid {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for add in _COMMANDS:
        add(commands)
    return parser
