"""``usaid table``, ``statistics``, ``claims``, ``compare`` and ``row``: what score files and tables say."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from usaid.errors import UsaidError
from usaid_cli.arguments import Commands


def add_table(commands: Commands) -> None:
    """``table``."""
    parser = commands.add_parser("table", help="make a table from score files")
    named = "the paper's number, 10_print, that of a variant (9_stored), or a benchmark that the paper does not have"
    parser.add_argument("table", help=named)
    parser.add_argument("scores", type=Path, nargs="*", help="score files, one for each denoiser and benchmark")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the .csv, .tex, .md, .json and .html"
    )
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> None:
    from usaid.report.tables.files import write_table

    write_table(options.table, options.scores, options.output)


def add_statistics(commands: Commands) -> None:
    """``statistics``."""
    parser = commands.add_parser(
        "statistics",
        help="compare all denoisers of score files, with intervals and p-values",
        description="Writes BENCHMARK.csv and BENCHMARK.md for each benchmark that there are scores of.",
    )
    parser.add_argument(
        "scores", type=Path, nargs="+", help="score files, of further noise draws too; those of a table belong together"
    )
    _add_ablation(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="folder for the .csv, .md and .html")
    parser.set_defaults(run=_statistics)


def _statistics(options: argparse.Namespace) -> None:
    from usaid.report.statistics.pages import write_all_statistics

    for benchmark in write_all_statistics(options.scores, options.to, options.ablation):
        print(f"{options.to / benchmark}.md written")


def add_claims(commands: Commands) -> None:
    """``claims``."""
    parser = commands.add_parser(
        "claims",
        help="which of the paper's sentences hold, from the score files of an experiment",
        description="Writes claims.csv, .md and .tex: each sentence with its verdict, and how sure that is.",
    )
    parser.add_argument("scores", type=Path, nargs="*", help="score files of an experiment, of further noise draws too")
    _add_ablation(parser)
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="folder for the .csv, .md, .tex and .html"
    )
    parser.set_defaults(run=_claims)


def _claims(options: argparse.Namespace) -> None:
    from usaid.report.claims.files import write_claims

    write_claims(options.scores, options.to, options.ablation)
    print(f"{options.to / 'claims.md'} written")


def add_compare(commands: Commands) -> None:
    """``compare``."""
    parser = commands.add_parser(
        "compare",
        help="do two denoisers differ? from their score files",
        description="Prints A - B in all metrics and at all sigmas that both have, each with its 95 % interval, its "
        "p-value, and that corrected for the number of lines (Holm). Several files of a side, of further noise draws "
        "or training seeds, are joined with commas: A.parquet,A_1.parquet.",
    )
    parser.add_argument("a", metavar="A", help="score file, or several with commas between them")
    parser.add_argument("b", metavar="B", help="those of the denoiser that is subtracted")
    parser.add_argument("--metric", help="a metric or a convention by name; default: all")
    parser.add_argument("--sigma", type=float, help="noise level (0-255 scale); default: all")
    parser.add_argument(
        "--over",
        default="images",
        choices=["images", "draws", "seeds", "all"],
        help="what might have been other: images (default), noise draws, training seeds, or all of them",
    )
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> None:
    from usaid.report.statistics.compare import compare_all
    from usaid.report.statistics.render_text import render_text

    a, b = (_paths_in(side) for side in (options.a, options.b))
    print(render_text(compare_all(a, b, options.over, metric=options.metric, sigma=options.sigma)), end="")


def _paths_in(side: str) -> list[str]:
    """The files of a side; the name of one may have commas, and many together are too long for a name."""
    return [side] if not side or os.path.exists(side) else [path for path in side.split(",") if path]


def add_row(commands: Commands) -> None:
    """``row``."""
    parser = commands.add_parser(
        "row",
        help="a leaderboard row to paste: one denoiser over all benchmarks",
        description="Prints Markdown, LaTeX or CSV from the tables of an experiment: scores with 95 % intervals, and "
        "below them conventions, n and what differs from the paper's protocol.",
    )
    parser.add_argument("denoiser", help="its name in the experiment")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results of the experiment")
    parser.add_argument("--with", dest="others", default="", metavar="NAMES", help="further rows: u_said,noisy")
    parser.add_argument("--format", default="markdown", metavar="FORMAT", help="markdown (default), latex or csv")
    parser.add_argument(
        "--sigma", nargs="+", default=["25"], help="noise levels (0-255 scale) of benchmarks that have several, or all"
    )
    parser.add_argument("--no-header", action="store_true", help="to append to rows of the same columns")
    parser.add_argument("--no-differences", action="store_true", help="no lines of paired differences to U-SAID")
    parser.set_defaults(run=_row)


def _row(options: argparse.Namespace) -> None:
    from usaid.report.row.collect import collect_rows
    from usaid.report.row.render import render_rows

    denoisers = dict.fromkeys([options.denoiser, *filter(None, options.others.split(","))])
    with_differences = not options.no_header and not options.no_differences
    rows = collect_rows(options.results, [*denoisers], _sigmas_of(options.sigma), with_differences)
    print(render_rows(rows, options.format, not options.no_header), end="")


def _sigmas_of(texts: Sequence[str]) -> list[float] | None:
    """The noise levels that ``--sigma`` names; None: all."""
    if texts == ["all"]:
        return None
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise UsaidError(f"--sigma {' '.join(texts)}: must be noise levels (0-255 scale), or all") from None


def _add_ablation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ablation", type=Path, nargs="+", default=[], metavar="SCORES", help="score files of Table II's columns"
    )
