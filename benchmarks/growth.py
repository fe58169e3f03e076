"""How the time and memory of score jobs grow over images and noise draws.

    python benchmarks/growth.py --data-root data [--images 100 1000] [--draws 1 3 10] [--threads 2]

CIFAR-100 with the experiment of config/released.yaml and reference_released.yaml, at sigma 25. Each job has a process
of its own; time is that of the scoring (without start and end), memory the largest resident set of the process above
that of one of two images. With `noisy`, which does nothing, the time is that of all but the denoiser. Time an image and
draw should stay the same; memory should grow by the rows alone, which a job keeps until it writes them.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import ratios
import torch

from evaluators.scoring.job import score_to_file
from evaluators.scoring.score_job import ScoreJob
from usaid.datasets.loading import load_for
from usaid.denoisers.weights import import_weights
from usaid.experiment.reading import as_config, checked_experiment, read_experiment
from usaid.memory import keep_freed_memory
from usaid.registries import BENCHMARKS
from usaid.scores.files import read_scores

REPOSITORY = Path(__file__).resolve().parents[1]
BENCHMARK = "cifar100_classification"


def main() -> None:
    """Print a line for each job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--denoisers", nargs="+", default=["noisy", "cdncnn_b"])
    parser.add_argument("--most", type=int, default=10_000, help="images times draws of a job")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", nargs=3, metavar=("DENOISER", "IMAGES", "DRAWS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        denoiser, images, draws = options.one
        torch.set_num_threads(options.threads)
        print(json.dumps(score(options.data_root, denoiser, int(images), int(draws))))
        return
    print(f"{BENCHMARK}, sigma 25, {options.threads} threads")
    print(f"{'denoiser':12}{'images':>8}{'draws':>7}{'ms an image':>13}{'without network':>17}{'MB more':>9}")
    for denoiser in options.denoisers:
        base, first = in_process(options, denoiser, 2, 1)["megabytes"], 0.0
        for images in options.images:
            for draws in options.draws:
                if images * draws <= options.most:
                    one = in_process(options, denoiser, images, draws)
                    whole, own = (1000 * one[key] / (images * draws) for key in ("scoring", "own"))
                    more = one["megabytes"] - base
                    print(f"{denoiser:12}{images:8}{draws:7}{whole:13.3f}{own:17.3f}{more:9.0f}", flush=True)
                    first = first or whole
                    what = f"{denoiser}, {images:,} CIFAR-100 images, draws: {draws}; {more:+.0f} MB"
                    of = f"time an image with {options.images[0]:,} images, draws: {options.draws[0]}"
                    ratios.note(what, f"{whole / first:.2f} x", of, "1: linear time")


def in_process(options: argparse.Namespace, denoiser: str, images: int, draws: int) -> dict[str, float]:
    """Measure one job in a process of its own."""
    command = [sys.executable, __file__, "--data-root", str(options.data_root), "--threads", str(options.threads)]
    done = subprocess.run(
        [*command, "--one", denoiser, str(images), str(draws)], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def score(data_root: Path, denoiser: str, images: int, draws: int) -> dict[str, float]:
    """Seconds of the scoring, seconds without denoiser and judge's network, and the process's memory in MB."""
    keep_freed_memory()
    configs = (REPOSITORY / "config/released.yaml", REPOSITORY / "config/reference_released.yaml")
    config = as_config(read_experiment(*configs)) | {"data_root": str(data_root.resolve())}
    experiment, card = checked_experiment(config), BENCHMARKS[BENCHMARK]
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), None
        ids = load_for(experiment, card.dataset, card.split).ids[:images]
        (folder / "ids.txt").write_text("".join(f"{image_id}\n" for image_id in ids), encoding="utf-8")
        own = {"sigmas": [25], "draws": draws, "subset": str(folder / "ids.txt")}
        config["benchmarks"] = {BENCHMARK: config["benchmarks"][BENCHMARK] | own}
        config["denoisers"] = {denoiser: config["denoisers"][denoiser]}
        small, entry = checked_experiment(config), experiment.entries[denoiser]
        if entry.weights is not None:
            weights = folder / "weights.safetensors"
            import_weights(entry, {"": Path(small.data_root, str(entry.weights))}, weights)
        judge = small.benchmarks[BENCHMARK].judge_file(BENCHMARK, small.places)
        job = ScoreJob(small, BENCHMARK, denoiser, folder / "scores.parquet", Path(str(judge)), weights)
        score_to_file(job)
        seconds = read_scores(job.output).provenance["seconds"]
    own_time = seconds["scoring"] - seconds["network"] - seconds["denoiser"]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"scoring": seconds["scoring"], "own": own_time, "megabytes": memory}


if __name__ == "__main__":
    main()
