"""The `usaid` command: everything that a rule of the workflow does, without the workflow."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usaid import __version__
from usaid.errors import UsaidError

if TYPE_CHECKING:
    from usaid.experiment.experiment import DenoiserEntry


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
    _add_config(commands)
    return parser


def _add_denoise(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("denoise", help="denoise an image, or every image of a folder")
    parser.add_argument("input", type=Path, metavar="IN", help="image file or folder of images")
    parser.add_argument("output", type=Path, metavar="OUT", help="PNG file, or folder that gets one PNG an image")
    parser.add_argument(
        "--method", default="u_said", help="a method by name (default: u_said), or your own module:Class"
    )
    parser.add_argument("--weights", type=Path, help="the network's weights (.safetensors or the released .pth)")
    parser.add_argument("--told-sigma", type=float, help="noise level told to a non-blind method (0-255 scale)")
    parser.add_argument("--add-noise", type=float, metavar="SIGMA", help="first add Gaussian noise, as a demonstration")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.set_defaults(run=_denoise)


def _denoise(options: argparse.Namespace) -> None:
    from usaid.denoisers.build import build_denoiser
    from usaid.denoisers.denoise_files import denoise_files
    from usaid.devices import pick_device
    from usaid.memory import keep_freed_memory

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
    miniature = data.add_parser("miniature", help="write small generated versions of the paper's data sets")
    miniature.add_argument("directory", type=Path, metavar="DIR")
    miniature.set_defaults(run=_data_miniature)


def _data_status(options: argparse.Namespace) -> None:
    from usaid.datasets.status import format_status, status

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
    parser.add_argument(
        "--denoiser", required=True, metavar="METHOD", help="a method by name, or your own module:Class"
    )
    parser.add_argument(
        "--recipe", help="for methods with several: paper (default), released_code, or a YAML file of your own"
    )
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="keys of the recipe to change")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--subset", type=Path, help="list of the ids of the images to train on; default: all")
    parser.add_argument("--experiment", help="folder below results/; default: the recipe's name, or the method's")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="also log for TensorBoard")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from evaluators.dag import code_of_training, list_of_ids
    from usaid.datasets.loading import load
    from usaid.denoisers.weights import train_denoiser
    from usaid.devices import pick_device
    from usaid.memory import keep_freed_memory
    from usaid.training.loop import Run
    from usaid.training.tensorboard import tensorboard_watch

    keep_freed_memory()
    entry = _trained_entry(options)
    assert entry.train is not None
    name = entry.method.rpartition(":")[2]
    experiment = options.experiment or Path(getattr(entry.train, "recipe", name)).stem
    weights = Path("results", experiment, "weights", f"{name}.safetensors")
    _refuse_trained(weights)
    weights.parent.mkdir(parents=True, exist_ok=True)
    dataset, split = entry.train.images.split("/")
    run = Run(
        weights,
        pick_device(options.device),
        title=name,
        name=entry.method,
        data_root=options.data_root,
        code_hash=code_of_training(entry.card, entry.train.images, list_of_ids(options.data_root, options.subset)),
        watch=tensorboard_watch(options.tensorboard) if options.tensorboard else None,
    )
    train_denoiser(entry, load(dataset, options.data_root, split, options.subset), run)
    print(f"{weights} written")


def _trained_entry(options: argparse.Namespace) -> "DenoiserEntry":
    """The entry that an experiment would have for the denoiser to train."""
    import yaml

    from usaid.experiment.experiment import DenoiserEntry
    from usaid.experiment.reading import checked_settings
    from usaid.registries import METHODS, load_object, method_of

    method, recipe = options.denoiser, None
    if ":" in method or method in METHODS:
        recipe = method_of(method).recipe
    if recipe is None:
        trained = ", ".join(name for name, card in METHODS.items() if card.recipe)
        raise UsaidError(f"--denoiser: {method!r}: must be one of {trained}, or your own as module:Class")
    kind = load_object(recipe)
    keys = {key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in options.set)}
    if options.recipe:
        if "recipe" not in kind.model_fields:
            raise UsaidError(f"--recipe: {method} has one recipe; change its keys with --set")
        keys["recipe"] = options.recipe
    train = checked_settings(kind, keys, "--set" if options.set else "--recipe")
    return DenoiserEntry(method=method, train=train)


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
    from evaluators.dag import Dag
    from evaluators.judge_training import train_judge
    from usaid.experiment.reading import read_experiment
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    experiment = read_experiment(*options.experiment)
    experiment.require("benchmarks", options.benchmark)
    weights = Path(experiment.results, "weights", f"{options.benchmark}.safetensors")
    _refuse_trained(weights)
    train_judge(experiment, options.benchmark, weights, Dag(experiment).train_judge(options.benchmark).code)
    print(f"{weights} written")


def _refuse_trained(weights: Path) -> None:
    if weights.exists():
        raise UsaidError(f"{weights}: is trained already; delete it, or name another experiment")


def _add_score(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("score", help="score one denoiser of an experiment on one of its benchmarks")
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--denoiser", required=True)
    parser.add_argument("--weights", type=Path, help="the denoiser's weights")
    parser.add_argument("--judge-file", type=Path, help="what the judge reads; default: the experiment's")
    parser.add_argument("--output", type=Path, required=True, help="score file (Parquet)")
    parser.set_defaults(run=_score)


def _score(options: argparse.Namespace) -> None:
    from evaluators.dag import Dag
    from evaluators.scoring import ScoreJob, score_to_file
    from usaid.experiment.reading import read_experiment
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    experiment, benchmark, denoiser = read_experiment(*options.experiment), options.benchmark, options.denoiser
    experiment.require("benchmarks", benchmark)
    experiment.require("denoisers", denoiser)
    job = Dag(experiment).score(benchmark, denoiser)
    named = options.judge_file or job.settings["judge_file"]
    judge_file = None if named is None else Path(named)
    score_to_file(ScoreJob(experiment, benchmark, denoiser, options.output, judge_file, options.weights, job.code))


def _add_table(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("table", help="make a table from score files")
    parser.add_argument("table", help="the paper's number, or a benchmark that the paper does not have")
    parser.add_argument("scores", type=Path, nargs="*", help="score files, one for each denoiser and benchmark")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the .csv, .tex and .md")
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> None:
    from usaid.report.tables.files import write_table

    write_table(options.table, options.scores, options.output)


def _add_config(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    config = commands.add_parser("config", help="what an experiment file can say").add_subparsers(
        required=True, metavar="COMMAND"
    )
    config.add_parser("schema", help="JSON Schema, for editors").set_defaults(run=_config_schema)
    config.add_parser("keys", help="all keys with their meaning, as Markdown").set_defaults(run=_config_keys)


def _config_schema(options: argparse.Namespace) -> None:
    from usaid.experiment.reference import json_schema

    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def _config_keys(options: argparse.Namespace) -> None:
    from usaid.experiment.reference import key_reference

    print(key_reference().rstrip())


if __name__ == "__main__":
    main()
