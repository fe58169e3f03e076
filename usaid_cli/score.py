"""``usaid score`` and ``usaid merge``: score files of an experiment."""

import argparse
from pathlib import Path

from usaid.errors import UsaidError
from usaid_cli.arguments import Commands, add_experiment, experiment_of


def add_score(commands: Commands) -> None:
    """``score``."""
    parser = commands.add_parser(
        "score",
        help="score one denoiser of an experiment on one of its benchmarks, or on several",
        description="Several benchmarks of the same images share the denoiser's work; one that fails costs the others "
        "nothing. Give a judge file and an output for each, in their order.",
    )
    add_experiment(parser)
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
    parser.add_argument("--shard", metavar="I/N", help="only the I-th of N parts of the images, for `usaid merge`")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="score file (Parquet)")
    parser.set_defaults(run=_score)


def add_merge(commands: Commands) -> None:
    """``merge``."""
    parser = commands.add_parser(
        "merge",
        help="make a score file of its shards",
        description="The shards are the outputs of `usaid score --shard 1/N` to `--shard N/N`, in any order. Nothing "
        "is denoised. Shards of different code, networks, versions or kinds of device are refused.",
    )
    add_experiment(parser)
    parser.add_argument("--benchmark", required=True)
    parser.add_argument("--denoiser", required=True)
    parser.add_argument("--judge-file", type=Path, help="what the judge reads; default: the experiment's")
    parser.add_argument("--draws", action="store_true", help="the shards are of the further noise draws")
    parser.add_argument("--shards", type=Path, nargs="+", required=True, metavar="FILE", help="the files of all shards")
    parser.add_argument("--output", type=Path, required=True, help="score file (Parquet)")
    parser.set_defaults(run=_merge)


def _score(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag
    from evaluators.scoring.job import score_to_file, score_together
    from evaluators.scoring.score_job import score_job
    from evaluators.scoring.shard import shard_of
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    experiment, benchmarks = experiment_of(options.experiment), options.benchmark
    experiment.require("denoisers", options.denoiser)
    judge_files = options.judge_file or [None] * len(benchmarks)
    for key, values in (("--judge-file", judge_files), ("--output", options.output)):
        if len(values) != len(benchmarks):
            raise UsaidError(f"{key}: {len(values)} files for {len(benchmarks)} benchmarks; give one for each")
    dag, jobs = Dag(experiment), []
    shard = [] if options.shard is None else [str(shard_of(options.shard))]
    for benchmark, judge_file, output in zip(benchmarks, judge_files, options.output, strict=True):
        experiment.require("benchmarks", benchmark)
        told = dag.part("score_draws" if options.draws else "score", benchmark, options.denoiser)
        given = {"judge_file": judge_file, "weights": options.weights}
        given = {key: str(file) for key, file in given.items() if file is not None}
        told |= {"output": output, "settings": told["settings"] | given, "wildcards": told["wildcards"] + shard}
        jobs.append(score_job(experiment, told))
    if len(jobs) == 1:
        score_to_file(*jobs)
        return
    reasons: dict[str, str | None] = {}
    score_together(jobs, ends=lambda job, reason: reasons.update({job.benchmark: reason}))
    failed = [f"{benchmark}: {reason}" for benchmark, reason in reasons.items() if reason is not None]
    if failed:
        raise UsaidError("; ".join(failed))


def _merge(options: argparse.Namespace) -> None:
    from evaluators.dag.dag import Dag
    from evaluators.scoring.merge import merge_to_file
    from evaluators.scoring.score_job import score_job

    experiment = experiment_of(options.experiment)
    experiment.require("denoisers", options.denoiser)
    experiment.require("benchmarks", options.benchmark)
    told = Dag(experiment).part("score_draws" if options.draws else "score", options.benchmark, options.denoiser)
    given = {} if options.judge_file is None else {"judge_file": str(options.judge_file)}
    job = score_job(experiment, told | {"output": options.output, "settings": told["settings"] | given})
    if (lacking := merge_to_file(job, options.shards)) is not None:
        raise UsaidError(lacking)
