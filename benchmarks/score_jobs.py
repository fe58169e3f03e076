"""Where the time of score jobs goes: for each judge, one denoiser on real images at sigma 25.

    python benchmarks/score_jobs.py --data-root data [--images 24] [--threads 2] [--benchmarks kodak_quality ...]
    python benchmarks/score_jobs.py --data-root data --together voc_quality voc_segmentation [--images 8] [--rounds 3]

Runs `usaid score` in a process of its own for each benchmark of config/released.yaml with reference_released.yaml,
so that the start (interpreter, imports, weights) counts, and prints images per second and each stage's share. Judges
that `make reference` trains have to be there (results/reference/released/weights); a benchmark without its judge is
left out.

With ``--together`` two benchmarks of the same images are scored in this process, each alone and both together, in
turn: in time of the dearer one together they should cost at most 1.1. A segmenter that is not there is one of random
weights here, which takes the same time.

Stages are the time of the thread that they run in: the denoiser, the judges' networks and the metrics take turns
("scoring" is their time and what they wait for), the others run beside them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import ratios
import torch
import yaml

from evaluators.scoring.job import score_together
from evaluators.scoring.score_job import ScoreJob
from usaid.checkpoints import write_weights
from usaid.datasets.loading import load_for
from usaid.denoisers.weights import import_weights
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import as_config, checked_experiment, read_experiment
from usaid.memory import keep_freed_memory
from usaid.registries import BENCHMARKS, DATASETS, load_object
from usaid.scores.files import read_scores

REPOSITORY = Path(__file__).resolve().parents[1]
STAGES = ("decode", "noise", "denoiser", "network", "metric", "rows")


def main() -> None:
    """Run the jobs and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--benchmarks", nargs="+", default=[*BENCHMARKS], choices=[*BENCHMARKS])
    parser.add_argument("--together", nargs=2, metavar="BENCHMARK", choices=[*BENCHMARKS])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configs = (REPOSITORY / "config/released.yaml", REPOSITORY / "config/reference_released.yaml")
    root = {"data_root": str(options.data_root.resolve())}
    experiment = checked_experiment(as_config(read_experiment(*configs)) | root)
    if options.together:
        time_together(experiment, options)
    else:
        time_apart(experiment, options)


def time_apart(experiment: Experiment, options: argparse.Namespace) -> None:
    """A process and a line for each benchmark."""
    print(f"U-SAID, sigma 25, {options.threads} threads; shares of the time after the start")
    columns = (*STAGES, "scoring s", "start s")
    print(f"{'benchmark':24}{'images':>7}{'images/s':>10}" + "".join(f"{column:>10}" for column in columns))
    for benchmark in (name for name in options.benchmarks if name in experiment.benchmarks):
        judge = REPOSITORY / experiment.benchmarks[benchmark].judge_file(benchmark, experiment.places)
        if not judge.exists():
            print(f"{benchmark:24} left out: no judge at {judge.name}")
            continue
        whole, n, seconds = run_job(experiment, benchmark, judge, options.images, options.threads)
        shares = "".join(f"{seconds.get(stage, 0) / seconds['scoring']:10.1%}" for stage in STAGES)
        times = f"{seconds['scoring']:10.2f}{whole - seconds['scoring']:10.2f}"
        print(f"{benchmark:24}{n:7}{n / seconds['scoring']:10.2f}{shares}{times}")
        denoiser, network = (seconds.get(stage, 0) / seconds["scoring"] for stage in ("denoiser", "network"))
        what = f"U-SAID on {benchmark}, {n / seconds['scoring']:.2f} images/s: denoiser's share"
        ratios.note(what, f"{denoiser:.0%}", "the whole scoring", f"{1 - network:.0%}: the judge's network is not ours")


def time_together(experiment: Experiment, options: argparse.Namespace) -> None:
    """Two benchmarks, each alone and both together, in turn."""
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        jobs = jobs_of(experiment, options.together, options.images, Path(name))
        score_together([replace(job, output=Path(name, "warm", job.benchmark)) for job in jobs])
        columns = ("whole s", "CPU s", *STAGES)
        print(f"U-SAID, sigma 25, {options.threads} threads; stages as shares of the scoring")
        print(f"{'':40}" + "".join(f"{column:>10}" for column in columns))
        for turn in range(options.rounds):
            whole, busy = [], []
            for chosen in (jobs[:1], jobs[1:], jobs):
                outputs = [Path(name, f"{turn} {len(whole)}", f"{job.benchmark}.parquet") for job in chosen]
                start, start_busy = time.perf_counter(), time.process_time()
                score_together([replace(job, output=output) for job, output in zip(chosen, outputs, strict=True)])
                whole.append(time.perf_counter() - start)
                busy.append(time.process_time() - start_busy)
                seconds = [read_scores(output).provenance["seconds"] for output in outputs]
                shares = [sum(s.get(stage, 0) for s in seconds) / seconds[0]["scoring"] for stage in STAGES]
                shares[:3] = [seconds[0].get(stage, 0) / seconds[0]["scoring"] for stage in STAGES[:3]]
                title = " + ".join(job.benchmark for job in chosen)
                times = f"{whole[-1]:10.2f}{busy[-1]:10.2f}"
                print(f"{title:40}{times}" + "".join(f"{share:10.1%}" for share in shares), flush=True)
            of_wall, of_busy = (seconds[2] / max(seconds[:2]) for seconds in (whole, busy))
            print(f"together in time of the dearer one: {of_wall:.3f} (CPU time: {of_busy:.3f})", flush=True)
            what = " + ".join(job.benchmark for job in jobs)
            ratios.note(f"{what}, together, CPU time", f"{of_busy:.2f} x", "the dearer one alone", "1.1")


def jobs_of(experiment: Experiment, benchmarks: list[str], images: int, folder: Path) -> list[ScoreJob]:
    """A job for each of some benchmarks of one data set, on its first images, all with U-SAID."""
    card, entry, config = BENCHMARKS[benchmarks[0]], experiment.entries["u_said"], as_config(experiment)
    ids = load_for(experiment, card.dataset, card.split).ids[:images]
    (folder / "ids.txt").write_text("".join(f"{image_id}\n" for image_id in ids), encoding="utf-8")
    own = {"sigmas": [25], "subset": str(folder / "ids.txt")}
    config["benchmarks"] = {name: {**config["benchmarks"][name], **own} for name in benchmarks}
    config["denoisers"] = {"u_said": config["denoisers"]["u_said"]}
    small, weights = checked_experiment(config), folder / "u_said.safetensors"
    import_weights(entry, {"": Path(experiment.data_root, str(entry.weights))}, weights)
    judges = {}
    for name in benchmarks:
        judges[name] = REPOSITORY / str(small.benchmarks[name].judge_file(name, small.places))
        if not judges[name].exists():
            judges[name] = random_segmenter(small, name, folder / f"{name}.safetensors")
    return [ScoreJob(small, name, "u_said", folder / name, judges[name], weights) for name in benchmarks]


def random_segmenter(experiment: Experiment, benchmark: str, weights: Path) -> Path:
    """A segmenter of random weights, of the architecture that an experiment trains."""
    network = experiment.benchmarks[benchmark].segmenter
    classes = len(DATASETS[BENCHMARKS[benchmark].dataset].classes)
    record = {"architecture": network.network, "encoder": network.encoder, "classes": classes}
    torch.manual_seed(0)
    module = load_object("evaluators.segmentation.networks:_network")(*record.values())
    write_weights(module, weights, record | {"mean": [0.5] * 3, "std": [0.25] * 3})
    return weights


def run_job(
    experiment: Experiment, benchmark: str, judge: Path, images: int, threads: int
) -> tuple[float, int, dict[str, float]]:
    """Seconds of the whole job, images it scored, and seconds by stage."""
    card, entry = BENCHMARKS[benchmark], experiment.entries["u_said"]
    dataset = load_for(experiment, card.dataset, card.split)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = dataset.ids[: images * (100 if card.dataset == "cifar100" else 1)]
        (folder / "ids.txt").write_text("".join(f"{image_id}\n" for image_id in chosen), encoding="utf-8")
        config = as_config(experiment)
        settings = {**config["benchmarks"][benchmark], "sigmas": [25], "subset": str(folder / "ids.txt")}
        config |= {"benchmarks": {benchmark: settings}, "denoisers": {"u_said": config["denoisers"]["u_said"]}}
        (folder / "experiment.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        weights = folder / "u_said.safetensors"
        import_weights(entry, {"": Path(experiment.data_root, str(entry.weights))}, weights)
        command = [
            *(sys.executable, "-m", "usaid_cli", "score", str(folder / "experiment.yaml")),
            *("--benchmark", benchmark, "--denoiser", "u_said", "--output", str(folder / "scores.parquet")),
            *("--weights", str(weights), "--judge-file", str(judge)),
        ]
        start = time.perf_counter()
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
        whole = time.perf_counter() - start
        return whole, len(chosen), read_scores(folder / "scores.parquet").provenance["seconds"]


if __name__ == "__main__":
    main()
