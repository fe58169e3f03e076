"""The `usaid` command: everything that a rule of the workflow does, without the workflow."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from usaid import __version__
from usaid.errors import UsaidError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a :class:`UsaidError` is one line on stderr and exit status 1."""
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
    except UsaidError as error:
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        sys.exit(1)


def build_parser() -> argparse.ArgumentParser:
    """The parser; each subcommand's function is its ``run`` default."""
    parser = argparse.ArgumentParser(prog="usaid", description=__doc__)
    parser.add_argument("--version", action="version", version=f"usaid {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_denoise(commands)
    _add_data(commands)
    _add_train(commands)
    _add_train_judge(commands)
    _add_score(commands)
    _add_table(commands)
    return parser


def _add_denoise(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("denoise", help="denoise an image, or every image of a folder")
    parser.add_argument("input", type=Path, metavar="IN", help="image file or folder of images")
    parser.add_argument("output", type=Path, metavar="OUT", help="PNG file, or folder that gets one PNG an image")
    parser.add_argument(
        "--method", default="u_said", help="cdncnn_b, s_said, u_said (default), mlp, mc_wnnm, cbm3d, or module:Class"
    )
    parser.add_argument("--weights", type=Path, help="the network's weights (.safetensors or the released .pth)")
    parser.add_argument("--told-sigma", type=float, help="noise level told to a non-blind method (0-255 scale)")
    parser.add_argument("--add-noise", type=float, metavar="SIGMA", help="first add Gaussian noise, as a demonstration")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.set_defaults(run=_denoise)


def _denoise(options: argparse.Namespace) -> None:
    from usaid.denoisers import build_denoiser
    from usaid.denoisers.denoise_files import denoise_files
    from usaid.devices import keep_freed_memory, pick_device

    keep_freed_memory()
    device = pick_device(options.device)
    denoiser = build_denoiser(options.method, options.weights, device, options.precision)
    written = denoise_files(denoiser, options.input, options.output, options.told_sigma, options.add_noise)
    print(f"{len(written)} image{'s' if len(written) != 1 else ''} written to {options.output}")


def _add_data(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    data = commands.add_parser("data", help="look for, fetch or generate data sets").add_subparsers(
        required=True, metavar="COMMAND"
    )
    status = data.add_parser("status", help="what is there, how much of it, and the cure for what is missing")
    status.add_argument("--data-root", type=Path, default=Path("data"))
    status.set_defaults(run=_data_status)
    fetch = data.add_parser("fetch", help="download, check and unpack")
    fetch.add_argument(
        "name",
        help="a data set, released (the authors' checkpoints), niqe_live or niqe_matlab (parameters), resnet101, "
        "yolov3 or yolov3u (weights)",
    )
    fetch.add_argument("--data-root", type=Path, default=Path("data"))
    fetch.set_defaults(run=_data_fetch)
    miniature = data.add_parser("miniature", help="write small generated versions of all six data sets")
    miniature.add_argument("directory", type=Path, metavar="DIR")
    miniature.set_defaults(run=_data_miniature)


def _data_status(options: argparse.Namespace) -> None:
    from usaid.datasets import format_status, status

    print(format_status(status(options.data_root)))


def _data_fetch(options: argparse.Namespace) -> None:
    from usaid.datasets.fetch import fetch

    fetch(options.name, options.data_root)


def _data_miniature(options: argparse.Namespace) -> None:
    from usaid.datasets.miniature.writer import write_miniature

    write_miniature(options.directory)


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train",
        help="train a denoiser",
        description="Writes results/EXPERIMENT/weights/DENOISER.safetensors, its learning curve (.csv) and provenance "
        "(.json). The same command goes on where a killed one was.",
    )
    parser.add_argument("--recipe", help="paper (default), released_code, or a YAML file of your own; not for mlp")
    parser.add_argument("--denoiser", required=True, choices=["cdncnn_b", "s_said", "u_said", "mlp"])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="keys of the recipe to change")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--subset", type=Path, help="list of the ids of the images to train on; default: all")
    parser.add_argument("--experiment", help="folder below results/; default: the recipe's name, or mlp")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="also log for TensorBoard")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    import yaml

    from usaid import datasets
    from usaid.devices import keep_freed_memory, pick_device
    from usaid.experiment.experiment import checked_mlp_training, checked_training
    from usaid.denoisers.dncnn.training import train_denoiser
    from usaid.denoisers.mlp.training import train_mlp
    from usaid.denoisers.dncnn.recipe import MLPRecipe, Recipe, recipe_from
    from usaid.training.tensorboard import tensorboard_watch

    keep_freed_memory()
    changes = dict(text.partition("=")[::2] for text in options.set)
    keys = {key: yaml.safe_load(value) for key, value in changes.items()}
    name, device = options.recipe or ("mlp" if options.denoiser == "mlp" else "paper"), pick_device(options.device)
    if options.denoiser == "mlp" and options.recipe:
        raise UsaidError("--recipe: mlp has one recipe; change its keys with --set")
    recipe: MLPRecipe | Recipe
    if options.denoiser == "mlp":
        recipe = checked_mlp_training(keys, "--set")
    else:
        recipe = recipe_from(**checked_training(keys | {"recipe": name}, "--set"))
    weights = Path("results", options.experiment or Path(name).stem, "weights", f"{options.denoiser}.safetensors")
    _refuse_trained(weights)
    weights.parent.mkdir(parents=True, exist_ok=True)
    dataset, split = recipe.images.split("/")
    samples = datasets.load(dataset, options.data_root, split, options.subset)
    log, watch = weights.with_suffix(".csv"), tensorboard_watch(options.tensorboard) if options.tensorboard else None
    if isinstance(recipe, MLPRecipe):
        train_mlp(samples, recipe, weights, device, log, watch=watch)
    else:
        train_denoiser(samples, options.denoiser, recipe, weights, options.data_root, device, log, watch=watch)
    print(f"{weights} written")


def _add_train_judge(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "train-judge",
        help="train the network that judges a benchmark",
        description="Writes results/EXPERIMENT/weights/BENCHMARK.safetensors, its learning curve (.csv) and provenance "
        "(.json). The same command goes on where a killed one was.",
    )
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")
    parser.add_argument("--benchmark", required=True)
    parser.set_defaults(run=_train_judge)


def _train_judge(options: argparse.Namespace) -> None:
    from evaluators.judge_training import train_judge
    from usaid.devices import keep_freed_memory
    from usaid.experiment.experiment import read_experiment

    keep_freed_memory()
    experiment = read_experiment(*options.experiment)
    _require(experiment, "benchmarks", options.benchmark)
    weights = Path("results", experiment["experiment"], "weights", f"{options.benchmark}.safetensors")
    _refuse_trained(weights)
    train_judge(experiment, options.benchmark, weights)
    print(f"{weights} written")


def _require(experiment: Mapping[str, Any], key: str, name: str) -> None:
    if name not in experiment[key]:
        raise UsaidError(f"{name!r} is not among the experiment's {key}: {', '.join(experiment[key])}")


def _refuse_trained(weights: Path) -> None:
    if weights.exists():
        raise UsaidError(f"{weights}: is trained already; delete it, or name another experiment")


def _add_score(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("score", help="score one denoiser of an experiment on one of its benchmarks")
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--denoiser", required=True)
    parser.add_argument("--weights", type=Path, help="the denoiser's weights")
    parser.add_argument("--judge-file", type=Path, required=True, help="NIQE's parameters, or weights of the judge")
    parser.add_argument("--output", type=Path, required=True, help="score file (Parquet)")
    parser.set_defaults(run=_score)


def _score(options: argparse.Namespace) -> None:
    from evaluators.scoring import score_to_file
    from usaid.devices import keep_freed_memory
    from usaid.experiment.experiment import read_experiment

    keep_freed_memory()
    experiment = read_experiment(*options.experiment)
    _require(experiment, "benchmarks", options.benchmark)
    _require(experiment, "denoisers", options.denoiser)
    score_to_file(experiment, options.benchmark, options.denoiser, options.output, options.judge_file, options.weights)


def _add_table(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("table", help="make one of the paper's tables from score files")
    parser.add_argument("number", type=int)
    parser.add_argument("scores", type=Path, nargs="*", help="score files, one for each denoiser and benchmark")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the .csv, .tex and .md")
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> None:
    from usaid.report.tables.files import write_table

    write_table(options.number, options.scores, options.output)


if __name__ == "__main__":
    main()
