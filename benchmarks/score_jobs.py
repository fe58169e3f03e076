"""Where the time of score jobs goes: for each judge, one denoiser on real images at sigma 25.

    python benchmarks/score_jobs.py --data-root data [--images 24] [--threads 2] [--benchmarks kodak_quality ...]

Runs `usaid score` in a process of its own for each benchmark of config/released.yaml with reference_released.yaml,
so that the start (interpreter, imports, weights) counts, and prints images per second and each stage's share. Judges
that `make reference` trains have to be there (results/reference/released/weights); a benchmark without its judge is
left out.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from usaid.datasets.loading import load_for
from usaid.denoisers.weights import import_weights
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import as_config, checked_experiment, read_experiment
from usaid.registries import BENCHMARKS
from usaid.scores.files import read_scores

REPOSITORY = Path(__file__).resolve().parents[1]
STAGES = ("decode", "noise", "denoiser", "network", "metric")


def main() -> None:
    """Run the jobs and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--benchmarks", nargs="+", default=[*BENCHMARKS], choices=[*BENCHMARKS])
    options = parser.parse_args()
    configs = (REPOSITORY / "config/released.yaml", REPOSITORY / "config/reference_released.yaml")
    root = {"data_root": str(options.data_root.resolve())}
    experiment = checked_experiment(as_config(read_experiment(*configs)) | root)
    print(f"U-SAID, sigma 25, {options.threads} threads; shares of the whole job, its start and end included")
    print(f"{'benchmark':24}{'images':>7}{'images/s':>10}" + "".join(f"{stage:>10}" for stage in (*STAGES, "start")))
    for benchmark in (name for name in options.benchmarks if name in experiment.benchmarks):
        judge = REPOSITORY / experiment.benchmarks[benchmark].judge_file(benchmark, experiment.places)
        if not judge.exists():
            print(f"{benchmark:24} left out: no judge at {judge.name}")
            continue
        whole, n, seconds = run_job(experiment, benchmark, judge, options.images, options.threads)
        shares = [seconds.get(stage, 0) / whole for stage in STAGES]
        rate = n / sum(seconds.get(stage, 0) for stage in STAGES)
        print(f"{benchmark:24}{n:7}{rate:10.2f}" + "".join(f"{share:10.1%}" for share in (*shares, 1 - sum(shares))))


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
