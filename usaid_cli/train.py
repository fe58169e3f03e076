"""``usaid train`` and ``usaid train-judge``: denoisers, and the networks that judge them."""

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from usaid.errors import UsaidError
from usaid_cli.arguments import (
    Commands,
    adapt_of,
    add_adapt,
    add_device,
    add_experiment,
    add_options,
    experiment_of,
    keys_and_values,
)

if TYPE_CHECKING:
    from usaid.experiment.denoiser_entry import DenoiserEntry


def add_train(commands: Commands) -> None:
    """``train``."""
    parser = commands.add_parser(
        "train",
        help="train a denoiser",
        description="Writes results/EXPERIMENT/weights/DENOISER.safetensors, its learning curve (.csv) and provenance "
        "(.json). The same command goes on where a killed one was.",
    )
    parser.add_argument(
        "--denoiser",
        required=True,
        metavar="METHOD",
        help="a method by name, or your own as file.py:Class or module:Class: a network, or a class that trains itself",
    )
    parser.add_argument(
        "--recipe", help="for methods with several: paper (default), released_code, or a YAML file of your own"
    )
    parser.add_argument(
        "--loss",
        choices=["mse", "supervised", "unsupervised"],
        help="train a network of your own: by the MSE alone, or also with a segmenter, that needs label maps or not",
    )
    add_options(parser)
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="keys of the recipe to change"
    )
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--subset", type=Path, help="list of the ids of the images to train on; default: all")
    parser.add_argument("--experiment", help="folder below results/; default: the recipe's name, or the method's")
    add_device(parser)
    add_adapt(parser)
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="also log for TensorBoard")
    parser.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from evaluators.dag.code import code_of_training, list_of_ids
    from usaid.datasets.loading import load
    from usaid.denoisers.weights import train_denoiser
    from usaid.devices import pick_device
    from usaid.files import written
    from usaid.memory import keep_freed_memory
    from usaid.training.loop import Run
    from usaid.training.tensorboard import tensorboard_watch

    keep_freed_memory()
    entry = _trained_entry(options)
    assert entry.train is not None
    name = "_".join([entry.method.rpartition(":")[2], *([options.loss] if options.loss else [])])
    weights = Path("results", _experiment_of(options, entry), "weights", f"{name}.safetensors")
    _refuse_trained(weights)
    with written(weights):
        weights.parent.mkdir(parents=True, exist_ok=True)
    dataset, split = entry.train.images.split("/")
    run = Run(
        weights,
        pick_device(options.device),
        title=name,
        name=entry.method,
        data_root=options.data_root,
        code_hash=code_of_training(entry, list_of_ids(options.data_root, options.subset)),
        watch=tensorboard_watch(options.tensorboard) if options.tensorboard else None,
    )
    train_denoiser(entry, load(dataset, options.data_root, split, options.subset), run)
    print(f"{weights} written")


def _experiment_of(options: argparse.Namespace, entry: "DenoiserEntry") -> str:
    """The folder below ``results`` that a training writes to."""
    import re

    from usaid.experiment.experiment import EXPERIMENT_NAME

    if options.experiment is None:
        return Path(getattr(entry.train, "recipe", entry.method.rpartition(":")[2])).stem
    if not re.fullmatch(EXPERIMENT_NAME, options.experiment):
        raise UsaidError(f"--experiment {options.experiment!r}: must be like {EXPERIMENT_NAME}")
    return str(options.experiment)


def _trained_entry(options: argparse.Namespace) -> "DenoiserEntry":
    """The entry that an experiment would have for the denoiser to train."""
    from usaid.experiment.denoiser_entry import DenoiserEntry, recipe_of
    from usaid.experiment.reading import checked_settings
    from usaid.registries import METHODS

    method, keys = options.denoiser, keys_and_values(options.set, "--set")
    if options.recipe:
        keys["recipe"] = options.recipe
    if options.loss:
        keys = {"recipe": "paper", **keys, "loss": options.loss}
    kind = recipe_of(method, keys) if method in METHODS or _is_own(method) else None
    if kind is None:
        trained = ", ".join(name for name, card in METHODS.items() if card.recipe)
        raise UsaidError(
            f"--denoiser: {method!r}: must be one of {trained}, or your own as file.py:Class or module:Class"
        )
    _check_flags(options, kind.model_fields.keys())
    checked_settings(kind, keys, "--set" if options.set else "--recipe")
    adapt = adapt_of(options)
    entry = {"method": method, "train": keys, "adapt": None if adapt is None else adapt.model_dump()}
    entry["options"] = keys_and_values(options.options, "--option")
    return checked_settings(DenoiserEntry, entry, "--option")


def _is_own(method: str) -> bool:
    import re

    from usaid.experiment.denoiser_entry import OWN_CLASS

    return re.fullmatch(OWN_CLASS, method) is not None


def _check_flags(options: argparse.Namespace, known: Collection[str]) -> None:
    """Refuse flags that the method's recipe has no keys for."""
    if options.loss and "loss" not in known:
        raise UsaidError(f"--loss: {options.denoiser} has its own; it is for networks of your own")
    if options.recipe and "recipe" not in known:
        what = "needs --loss, too, to train a network of your own" if _is_own(options.denoiser) else ""
        raise UsaidError(f"--recipe: {what or f'{options.denoiser} has one recipe; change its keys with --set'}")


def add_train_judge(commands: Commands) -> None:
    """``train-judge``."""
    parser = commands.add_parser(
        "train-judge",
        help="train the network that judges a benchmark",
        description="Writes results/EXPERIMENT/weights/BENCHMARK.safetensors, its learning curve (.csv) and provenance "
        "(.json). The same command goes on where a killed one was.",
    )
    add_experiment(parser)
    parser.add_argument("--benchmark", required=True)
    parser.set_defaults(run=_train_judge)


def _train_judge(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag
    from evaluators.judge_training import train_judge
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    experiment = experiment_of(options.experiment)
    experiment.require("benchmarks", options.benchmark)
    weights = Path(experiment.results, "weights", f"{options.benchmark}.safetensors")
    _refuse_trained(weights)
    train_judge(experiment, options.benchmark, weights, Dag(experiment).train_judge(options.benchmark).code)
    print(f"{weights} written")


def _refuse_trained(weights: Path) -> None:
    if weights.exists():
        raise UsaidError(f"{weights}: is trained already; delete it, or name another experiment")
