"""The `usaid` command: everything that a rule of the workflow does, without the workflow."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usaid import __version__
from usaid.errors import UsaidError, one_line

if TYPE_CHECKING:
    from usaid.experiment.experiment import DenoiserEntry


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
    parser = argparse.ArgumentParser(prog="usaid", description=__doc__)
    parser.add_argument("--version", action="version", version=f"usaid {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_denoise(commands)
    _add_data(commands)
    _add_train(commands)
    _add_train_judge(commands)
    _add_score(commands)
    _add_table(commands)
    _add_statistics(commands)
    _add_claims(commands)
    _add_compare(commands)
    _add_config(commands)
    return parser


def _add_denoise(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "denoise",
        help="denoise an image, or every image of a folder",
        description="Writes PNG: 8 or 16 bits a channel, grey or colour, alpha and colour profile as in the image, "
        "upright. What only describes an image (date, place) is not kept. Never replaces an input, nor another file "
        "that it did not write. An image of a folder that fails does not stop the others; the exit status is then 1.",
    )
    parser.add_argument("input", type=Path, metavar="IN", help="image file or folder of images")
    parser.add_argument("output", type=Path, metavar="OUT", help="PNG file, or folder that gets one PNG an image")
    parser.add_argument(
        "--method", default="u_said", help="a method by name (default: u_said), or your own module:Class"
    )
    parser.add_argument("--weights", type=Path, help="the network's weights (.safetensors or the released .pth)")
    parser.add_argument("--told-sigma", type=float, help="noise level told to a non-blind method (0-255 scale)")
    parser.add_argument("--add-noise", type=float, metavar="SIGMA", help="first add Gaussian noise, as a demonstration")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, ...")
    parser.add_argument("--precision", default="float32", choices=["float32", "tf32", "bfloat16", "auto"])
    parser.set_defaults(run=_denoise)


def _denoise(options: argparse.Namespace) -> None:
    from usaid.denoisers.build import build_denoiser
    from usaid.denoisers.denoise_files import denoise_files
    from usaid.devices import pick_device
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    device = pick_device(options.device)
    denoiser = build_denoiser(options.method, options.weights, device, options.precision)
    outcome = denoise_files(denoiser, options.input, options.output, options.told_sigma, options.add_noise)
    if outcome.failed:
        raise UsaidError(str(outcome))
    print(outcome)


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
    name = entry.method.rpartition(":")[2]
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
        code_hash=code_of_training(entry.card, entry.train.images, list_of_ids(options.data_root, options.subset)),
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
    import re

    from usaid.experiment.experiment import OWN_CLASS, DenoiserEntry
    from usaid.experiment.reading import checked_settings
    from usaid.registries import METHODS, load_object, method_of

    method, recipe = options.denoiser, None
    if re.fullmatch(OWN_CLASS, method) or method in METHODS:
        recipe = method_of(method).recipe
    if recipe is None:
        trained = ", ".join(name for name, card in METHODS.items() if card.recipe)
        raise UsaidError(f"--denoiser: {method!r}: must be one of {trained}, or your own as module:Class")
    kind = load_object(recipe)
    keys = _keys_of_set(options.set)
    if options.recipe:
        if "recipe" not in kind.model_fields:
            raise UsaidError(f"--recipe: {method} has one recipe; change its keys with --set")
        keys["recipe"] = options.recipe
    train = checked_settings(kind, keys, "--set" if options.set else "--recipe")
    return DenoiserEntry(method=method, train=train)


def _keys_of_set(texts: Sequence[str]) -> dict[str, object]:
    """What ``--set`` says: values as in YAML."""
    from usaid.experiment.yaml_files import parsed

    keys: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsaidError(f"--set {text!r}: must be KEY=VALUE")
        keys[key] = parsed(value, f"--set {key}")
    return keys


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
    from evaluators.dag.dag import Dag
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
    parser = commands.add_parser(
        "score",
        help="score one denoiser of an experiment on one of its benchmarks, or on several",
        description="Several benchmarks of the same images share the denoiser's work; one that fails costs the others "
        "nothing. Give a judge file and an output for each, in their order.",
    )
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")
    parser.add_argument("--benchmark", nargs="+", required=True)
    parser.add_argument("--denoiser", required=True)
    parser.add_argument("--weights", type=Path, help="the denoiser's weights; default: the experiment's")
    parser.add_argument("--judge-file", type=Path, nargs="+", help="what the judge reads; default: the experiment's")
    parser.add_argument(
        "--draws",
        action="store_true",
        help="score the further noise draws that the experiment's key 'draws' asks for, not the benchmark's own; "
        "their file has its place beside the main one, in draws/",
    )
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="score file (Parquet)")
    parser.set_defaults(run=_score)


def _score(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag
    from evaluators.scoring.job import score_to_file, score_together
    from evaluators.scoring.score_job import score_job
    from usaid.experiment.reading import read_experiment
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    experiment, benchmarks = read_experiment(*options.experiment), options.benchmark
    experiment.require("denoisers", options.denoiser)
    judge_files = options.judge_file or [None] * len(benchmarks)
    for key, values in (("--judge-file", judge_files), ("--output", options.output)):
        if len(values) != len(benchmarks):
            raise UsaidError(f"{key}: {len(values)} files for {len(benchmarks)} benchmarks; give one for each")
    dag, jobs = Dag(experiment), []
    for benchmark, judge_file, output in zip(benchmarks, judge_files, options.output, strict=True):
        experiment.require("benchmarks", benchmark)
        told = dag.part("score_draws" if options.draws else "score", benchmark, options.denoiser)
        given = {"judge_file": judge_file, "weights": options.weights}
        given = {key: str(file) for key, file in given.items() if file is not None}
        jobs.append(score_job(experiment, told | {"output": output, "settings": told["settings"] | given}))
    if len(jobs) == 1:
        score_to_file(*jobs)
        return
    reasons: dict[str, str | None] = {}
    score_together(jobs, ends=lambda job, reason: reasons.update({job.benchmark: reason}))
    failed = [f"{benchmark}: {reason}" for benchmark, reason in reasons.items() if reason is not None]
    if failed:
        raise UsaidError("; ".join(failed))


def _add_table(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("table", help="make a table from score files")
    parser.add_argument("table", help="the paper's number, 10_print, or a benchmark that the paper does not have")
    parser.add_argument("scores", type=Path, nargs="*", help="score files, one for each denoiser and benchmark")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the .csv, .tex and .md")
    parser.set_defaults(run=_table)


def _table(options: argparse.Namespace) -> None:
    from usaid.report.tables.files import write_table

    write_table(options.table, options.scores, options.output)


def _add_statistics(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "statistics",
        help="compare all denoisers of score files, with intervals and p-values",
        description="Writes BENCHMARK.csv and BENCHMARK.md for each benchmark that there are scores of.",
    )
    parser.add_argument(
        "scores", type=Path, nargs="+", help="score files, of further noise draws too; those of a table belong together"
    )
    _add_ablation(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="folder for the .csv and .md")
    parser.set_defaults(run=_statistics)


def _add_ablation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ablation", type=Path, nargs="+", default=[], metavar="SCORES", help="score files of Table II's columns"
    )


def _statistics(options: argparse.Namespace) -> None:
    from usaid.report.statistics.pages import write_all_statistics

    for benchmark in write_all_statistics(options.scores, options.to, options.ablation):
        print(f"{options.to / benchmark}.md written")


def _add_claims(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "claims",
        help="which of the paper's sentences hold, from the score files of an experiment",
        description="Writes claims.csv, .md and .tex: each sentence with its verdict, and how sure that is.",
    )
    parser.add_argument("scores", type=Path, nargs="*", help="score files of an experiment, of further noise draws too")
    _add_ablation(parser)
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="folder for the .csv, .md and .tex")
    parser.set_defaults(run=_claims)


def _claims(options: argparse.Namespace) -> None:
    from usaid.report.claims.files import write_claims

    write_claims(options.scores, options.to, options.ablation)
    print(f"{options.to / 'claims.md'} written")


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "compare",
        help="do two denoisers differ? from their score files",
        description="Prints A - B in all metrics and at all sigmas that both have, each with its 95 %% interval, its "
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

    sides = (_paths_in(side) for side in (options.a, options.b))
    print(render_text(compare_all(*sides, options.over, metric=options.metric, sigma=options.sigma)), end="")


def _paths_in(side: str) -> list[str]:
    """The files of a side; the name of one may have commas, and many together are too long for a name."""
    return [side] if not side or os.path.exists(side) else [path for path in side.split(",") if path]


def _add_config(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    config = commands.add_parser("config", help="what an experiment file can say").add_subparsers(
        required=True, metavar="COMMAND"
    )
    check = config.add_parser("check", help="see that experiment files are right, before anything else reads them")
    check.add_argument("experiment", type=Path, nargs="+", metavar="YAML", help="experiment; later files override")
    check.set_defaults(run=_config_check)
    config.add_parser("schema", help="JSON Schema, for editors").set_defaults(run=_config_schema)
    config.add_parser("keys", help="all keys with their meaning, as Markdown").set_defaults(run=_config_keys)


def _config_check(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag
    from usaid.experiment.reading import read_experiment

    experiment = read_experiment(*options.experiment)
    Dag(experiment)
    for images in experiment.unread_subsets:
        print(f"subsets.{images}: nothing reads this split, so the list changes nothing")
    counts = f"{len(experiment.denoisers)} denoisers, {len(experiment.benchmarks)} benchmarks"
    print(f"{experiment.experiment}: valid; {counts}; results go to {experiment.results}/")


def _config_schema(options: argparse.Namespace) -> None:
    from usaid.experiment.reference import json_schema

    print(json.dumps(json_schema(), indent=1, ensure_ascii=False))


def _config_keys(options: argparse.Namespace) -> None:
    from usaid.experiment.reference import key_reference

    print(key_reference().rstrip())


if __name__ == "__main__":
    main()
