"""Score files of many rows: how long writing, reading and summarising one takes, and whether that grows linearly.

    python benchmarks/score_files.py [--rows 10000 100000 1000000] [--draws 10]

A file has the images' PSNR, SSIM, NIQE, top-1 and top-5 accuracy. Reading includes all checks. Summarising is what a
table and a page of statistics do with a denoiser's scores: check that the file is whole, then the mean of each metric
with its interval over images.
"""

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import ratios

from usaid.registries import METRICS
from usaid.report.statistics.sources import estimates_of
from usaid.report.tables.means import Means
from usaid.scores.comparable import check_comparable
from usaid.scores.files import Scores, read_scores, write_scores

BENCHMARK, DENOISER = "kodak_quality", "u_said"
SHOWN = [METRICS[name] for name in ("psnr", "ssim", "niqe", "top1", "top5")]
Made = TypeVar("Made")


def scores_of(images: int, draws: int) -> Scores:
    """Scores of so many images with so many noise draws each, image by image as a judge writes them."""
    rng, rows = np.random.default_rng(0), images * draws
    ids = np.array([f"image{number:07d}.png" for number in range(images)], dtype=object)
    hashes = np.array([hashlib.sha256(name.encode()).hexdigest() for name in ids], dtype=object)
    columns: dict[str, Any] = {"image_id": np.repeat(ids, draws), "image_sha256": np.repeat(hashes, draws)}
    columns |= {"sigma": 25.0, "draw": np.tile(np.arange(draws), images), "told_sigma": np.nan}
    columns |= {metric.conventions[0].name: rng.normal(30, 2, rows) for metric in SHOWN}
    return Scores(pd.DataFrame(columns), provenance_of(images))


def provenance_of(images: int) -> dict[str, Any]:
    """The least that a score file has to say of itself."""
    dataset = {"name": "kodak", "split": "all", "n": images, "n_official": images, "subset": None, "ids_sha256": "0"}
    return {
        **{"experiment": "growth", "benchmark": BENCHMARK, "denoiser": DENOISER, "title": "U-SAID"},
        **{
            "entry": {"method": DENOISER},
            "metrics": [metric.conventions[0].name for metric in SHOWN],
            "deviations": [],
            "judge": {},
        },
        **{"dataset": dataset, "weights_sha256": None, "code_hash": "0", "config_sha256": "0", "noise_version": 1},
        **{"git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "", "device": "cpu"},
        **{"precision": "float32", "seconds": {}, "pixels": 0, "pixels_per_second": 0, "failure": None},
    }


def summarise(scores: Scores) -> dict[str, tuple[float, float | None, float | None]]:
    """Metric -> mean, and the ends of its interval over images."""
    check_comparable(BENCHMARK, {DENOISER: scores})
    means, pair = Means(BENCHMARK, SHOWN, {DENOISER: scores}), (DENOISER, None)
    found = {metric.name: estimates_of(means, "25", metric.name, [pair], "images")[pair] for metric in SHOWN}
    return {name: (own.value, own.low, own.high) for name, own in found.items()}


def timed(call: Callable[[], Made]) -> tuple[float, Made]:
    """Seconds of a call, and what it gave."""
    start = time.perf_counter()
    made = call()
    return time.perf_counter() - start, made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    heads = ("rows", "MB", "write s", "read s", "summary s", "read + summary s", "rows/s", "peak GB")
    print("  ".join(f"{head:>8}" for head in heads))
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), 1_000, options.draws)  # imports what is used
        for rows in options.rows:
            numbers = measure(Path(folder), rows, options.draws)
            print(
                "  ".join(f"{own:>{max(8, len(head))}}" for head, own in zip(heads, numbers, strict=True)), flush=True
            )
            what = f"score file of {rows:,} rows, read and summarised, {numbers[7]} GB"
            ratios.note(what, f"{numbers[5]} s", "", "5 s for 1,000,000 rows")


def measure(folder: Path, rows: int, draws: int) -> list[str]:
    """The numbers of a line."""
    path, scores = folder / f"{DENOISER}.parquet", scores_of(rows // draws, draws)
    write, _ = timed(lambda: write_scores(path, scores))
    read, again = timed(lambda: read_scores(path))
    summary, _ = timed(lambda: summarise(again))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seconds = [f"{own:.2f}" for own in (write, read, summary, read + summary)]
    return [str(rows), f"{path.stat().st_size / 1e6:.1f}", *seconds, f"{rows / (read + summary):.0f}", f"{peak:.2f}"]


if __name__ == "__main__":
    main()
