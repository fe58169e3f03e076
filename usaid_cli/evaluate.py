"""``usaid evaluate``: one's own denoiser on one benchmark, beside the paper's."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from usaid.errors import UsaidError
from usaid_cli.arguments import (
    EXPERIMENT,
    NETWORK,
    Commands,
    adapt_of,
    add_adapt,
    add_device,
    add_options,
    experiment_files,
    keys_and_values,
)


def add_evaluate(commands: Commands) -> None:
    """``evaluate``."""
    parser = commands.add_parser(
        "evaluate",
        help="score your own denoiser on a benchmark, beside the paper's",
        description="Prints means with 95 % intervals, the paper's denoisers on the same images and noise, and how "
        "far yours is from U-SAID. In Python: evaluators.evaluate.",
    )
    parser.add_argument("network", metavar="FILE_OR_NAME", help=NETWORK)
    parser.add_argument("--benchmark", required=True, help="kodak_quality, voc_segmentation, ...")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the data sets (default: data)")
    parser.add_argument("--images", nargs="+", metavar="N", help="the first N of the data set, or ids (default: all)")
    parser.add_argument(
        "--sigma", nargs="+", type=float, metavar="SIGMA", help="noise levels, 0-255 scale (default: the paper's)"
    )
    parser.add_argument("--draws", type=int, default=1, help="noise draws of each image and sigma (default: 1)")
    parser.add_argument(
        "--told-sigma", default="oracle", metavar="SIGMA", help="told to a non-blind one: oracle (default), or a level"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="the network's weights")
    add_options(parser)
    parser.add_argument("--title", help="what it is called (default: its own name)")
    parser.add_argument(
        "--experiment", nargs="+", metavar=EXPERIMENT, help="says which network judges: released, or YAML files"
    )
    parser.add_argument("--judge-file", type=Path, metavar="FILE", help="what the judge reads (default: as said there)")
    parser.add_argument(
        "--compare-with", default="released", metavar="NAME", help="experiment, or folder of results, with the paper's"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write a score file (.parquet)")
    add_device(parser)
    add_adapt(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from evaluators.one_call import evaluate

    adapt = adapt_of(options)
    scores = evaluate(
        options.network,
        options.benchmark,
        data_root=options.data_root,
        sigmas=options.sigma,
        images=_images(options.images),
        draws=options.draws,
        device=options.device,
        told_sigma=_told(options.told_sigma),
        weights=options.weights,
        options=keys_and_values(options.options, "--option"),
        experiment=options.experiment and experiment_files(options.experiment),
        judge_file=options.judge_file,
        title=options.title,
        compare_with=options.compare_with,
        output=options.output,
        **({} if adapt is None else adapt.model_dump(exclude_unset=True)),
    )
    print(scores.summary())
    if options.output is not None:
        print(f"\n{options.output} written")


def _images(texts: Sequence[str] | None) -> int | list[str] | None:
    """How many images, or which: a number that an id might be too has zeros before it."""
    if texts is None:
        return None
    first, *others = texts
    is_count = not others and first.removeprefix("-").isdecimal() and not first.startswith("0")
    return int(first) if is_count else [*texts]


def _told(text: str) -> float | str:
    try:
        return text if text == "oracle" else float(text)
    except ValueError:
        raise UsaidError(f"--told-sigma {text}: must be oracle, or a noise level (0-255 scale)") from None
