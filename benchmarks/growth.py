"""How time and memory grow: score jobs over images and noise draws, and a score file of a million rows.

    python benchmarks/growth.py --data-root data [--images 100 1000] [--draws 1 3 10] [--rows 1000000] [--threads 2]

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
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from evaluators.scoring.job import score_to_file
from evaluators.scoring.score_job import ScoreJob
from usaid.datasets.loading import load_for
from usaid.denoisers.weights import import_weights
from usaid.experiment.reading import as_config, checked_experiment, read_experiment
from usaid.memory import keep_freed_memory
from usaid.registries import BENCHMARKS
from usaid.scores.files import Scores, read_scores, rows_at, write_scores

REPOSITORY = Path(__file__).resolve().parents[1]
BENCHMARK = "cifar100_classification"


def main() -> None:
    """Print a line for each job, then one for the score file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--denoisers", nargs="+", default=["noisy", "cdncnn_b"])
    parser.add_argument("--most", type=int, default=10_000, help="images times draws of a job of a network")
    parser.add_argument("--rows", type=int, default=1_000_000)
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
        base = in_process(options, denoiser, 2, 1)["megabytes"]
        for images in options.images:
            for draws in options.draws:
                if denoiser == "noisy" or images * draws <= options.most:
                    one = in_process(options, denoiser, images, draws)
                    times = (1000 * one[key] / (images * draws) for key in ("scoring", "own"))
                    columns = "".join(f"{value:{width}.3f}" for value, width in zip(times, (13, 17), strict=True))
                    print(f"{denoiser:12}{images:8}{draws:7}{columns}{one['megabytes'] - base:9.0f}", flush=True)
    time_of_file(options.rows)


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


def time_of_file(rows: int) -> None:
    """Write a score file of so many rows, read it, and summarise it as tables do: mean and its 95 % interval."""
    images, draws, sigmas = -(-rows // 100), 20, (5.0, 15.0, 25.0, 35.0, 50.0)
    generator = np.random.default_rng(0)
    of_image = np.repeat(np.arange(images), 100)[:rows]
    within = np.tile(np.arange(100), images)[:rows]
    table = pd.DataFrame(
        {
            "image_id": [f"{image:012}" for image in of_image],
            "image_sha256": [f"{image:064x}" for image in of_image],
            "sigma": np.array(sigmas)[within // draws],
            "draw": within % draws,
            "told_sigma": np.nan,
            "psnr_rgb_float": generator.normal(30, 3, rows),
            "ssim_skimage7": generator.uniform(0.5, 1, rows),
        }
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "scores.parquet")
        write_scores(path, Scores(table, provenance_of(images)))
        start = time.perf_counter()
        scores = read_scores(path)
        read = time.perf_counter() - start
        for sigma in sigmas:
            own = rows_at(scores.rows, sigma)
            for metric in scores.provenance["metrics"]:
                of_images = own.groupby("image_id")[metric].mean()
                of_images.mean(), 1.96 * of_images.std() / len(of_images) ** 0.5
        whole = time.perf_counter() - start
        size = path.stat().st_size / 2**20
    print(f"score file of {rows:,} rows ({size:.0f} MB): read {read:.2f} s, read and summarised {whole:.2f} s")


def provenance_of(images: int) -> dict[str, object]:
    """What a score file has to say of itself."""
    dataset = {"name": "cifar100", "split": "test", "n": images, "n_official": images, "subset": None}
    return {
        **dict.fromkeys(("experiment", "benchmark", "denoiser", "title", "code_hash", "config_sha256"), "growth"),
        **dict.fromkeys(("python", "platform", "device"), "any"),
        **dict.fromkeys(("weights_sha256", "pixels_per_second", "failure")),
        "entry": {"method": "noisy"},
        "dataset": dataset | {"ids_sha256": None},
        "metrics": ["psnr_rgb_float", "ssim_skimage7"],
        "deviations": [],
        "noise_version": 1,
        "git": {"commit": None, "dirty": None},
        "packages": {},
        "seconds": {},
        "pixels": 0,
    }


if __name__ == "__main__":
    main()
