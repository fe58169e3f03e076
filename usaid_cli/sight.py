"""``usaid figure``, ``report`` and ``keep-images``: what people look at."""

import argparse
from pathlib import Path

from usaid.errors import UsaidError
from usaid_cli.arguments import EXPERIMENT, Commands, add_experiment, experiment_of


def add_figure(commands: Commands) -> None:
    """``figure``."""
    parser = commands.add_parser(
        "figure",
        help="draw a figure from an experiment's results",
        description="Writes figure_NAME.png, .pdf and .csv, the numbers that are drawn.",
    )
    parser.add_argument("name", help="reproduction, sigma, differences, or the paper's 3, 4 or 5")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="results of the experiment")
    parser.add_argument(
        "--experiment", nargs="+", metavar=EXPERIMENT, help="whose key 'figures' names the images of 3, 4 and 5"
    )
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="default: figures, in the results")
    parser.set_defaults(run=_figure)


_PATTERNS = {
    "archives": "figures/images/*.zip",
    "tables": "tables/table_*.csv",
    "scores": "scores/*/*.parquet",
}
"""What figures read, below the results."""


def _figure(options: argparse.Namespace) -> None:
    from usaid.report.figures import FIGURES
    from usaid.report.figures.draw import draw_figure

    known = [name for name, spec in FIGURES.items() if spec.reads in _PATTERNS]
    if options.name not in known:
        raise UsaidError(f"figure {options.name!r}: must be one of {', '.join(known)}")
    reads = FIGURES[options.name].reads
    files = sorted(map(str, options.results.glob(_PATTERNS[reads])))
    if not files:
        raise UsaidError(f"{options.results}: has no {_PATTERNS[reads]}, which figure {options.name} is drawn from")
    settings = _images_of_figure(options) if reads == "archives" else {}
    folder = options.to or options.results / "figures"
    draw_figure(options.name, {reads: files}, settings, folder)
    print(f"{folder / f'figure_{options.name}'}.png written")


def _images_of_figure(options: argparse.Namespace) -> dict[str, object]:
    """The images that an experiment names for a figure of the paper."""

    key = f"figures.figure_{options.name}"
    if options.experiment is None:
        raise UsaidError(f"figure {options.name}: needs --experiment, whose key {key} names its images")
    figures = experiment_of(options.experiment).figures
    settings = {} if figures is None else figures.of(options.name)
    if not settings:
        raise UsaidError(f"{options.experiment[-1]}: has no key {key}; it names the images that are shown")
    return settings


def add_report(commands: Commands) -> None:
    """``report``."""
    parser = commands.add_parser(
        "report",
        help="one page about experiments, which opens offline",
        description="Writes one HTML file: verdicts, claims, tables, figures and images of the first folder, with the "
        "others beside it. What is missing or failed is said in its place.",
    )
    parser.add_argument(
        "results", type=Path, nargs="+", metavar="DIR", help="results of experiments, the main one first"
    )
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="the page")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from usaid.report.page.write import write_report

    write_report(options.results, options.to)
    print(f"{options.to} written")


def add_keep_images(commands: Commands) -> None:
    """``keep-images``."""
    parser = commands.add_parser(
        "keep-images",
        help="keep images as denoisers leave them, for the report's viewer and for figures",
        description="Chooses the images that the experiment's keys 'keep_images' and 'figures' ask for, from its score "
        "files, and writes images/DENOISER.zip and figures/images/DENOISER.zip to its results.",
    )
    add_experiment(parser)
    parser.add_argument("--denoiser", nargs="+", metavar="NAME", help="of these, or clean; default: of all, and clean")
    parser.set_defaults(run=_keep_images)


def _keep_images(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag
    from evaluators.keeping.choose import choose_images_to_file
    from evaluators.keeping.keep import Judges, keep_images_to_files
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    experiment = experiment_of(options.experiment)
    dag = Dag(experiment)
    known = dag.denoisers_with_images
    if not known:
        raise UsaidError(f"{options.experiment[-1]}: asks for no images; add the key keep_images or figures")
    for name in options.denoiser or known:
        if name not in known:
            raise UsaidError(f"--denoiser {name}: must be one of {', '.join(known)}")
    jobs = {name: dag.keep_images(name).settings for name in options.denoiser or known}
    files = {benchmark: file for settings in jobs.values() for benchmark, file in settings["judges"].items()}
    judges = Judges(experiment, files)
    choose_images_to_file(experiment, f"{experiment.results}/scores", dag.choice)
    for name, settings in jobs.items():
        viewer, figures = dag.archives_of(name)
        keep_images_to_files(experiment, name, dag.choice, settings["weights"], judges, viewer, figures)
        print(f"{viewer} and {figures} written")
