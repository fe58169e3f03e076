"""What is made of scores and images, timed on files that are made up: tables, statistics, figures, report, archives."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluators.detection.judge import match
from evaluators.plan.timing import SECONDS, median_of
from usaid.datasets.coco import Instance
from usaid.report.figures.draw import draw_figure
from usaid.report.page.write import write_report
from usaid.report.statistics.pages import write_statistics
from usaid.report.tables.files import write_table
from usaid.scores.files import Scores, write_scores
from usaid.scores.kept_images import KeptImages, Picture, Window, write_kept

DENOISERS = ("noisy", "cdncnn_b", "s_said", "u_said")
IMAGES, SIGMAS, DRAWS = 24, (15.0, 25.0, 35.0), 3
PICTURES = 8
SIDE = 128
"""Of a window of an image that is kept."""


def _scores(denoiser: str, images: int) -> Scores:
    """Scores of a denoiser on images of Kodak that there are not."""
    about = [(i, sigma, draw) for i in range(images) for sigma in SIGMAS for draw in range(DRAWS)]
    generator = np.random.default_rng(len(denoiser))
    rows = pd.DataFrame(
        {
            "image_id": [f"image_{i:05}" for i, _, _ in about],
            "image_sha256": [f"{i:064}" for i, _, _ in about],
            "sigma": [sigma for _, sigma, _ in about],
            "draw": [draw for _, _, draw in about],
            "told_sigma": np.full(len(about), np.nan),
            "psnr_rgb_float": generator.normal(28, 2, len(about)),
            "ssim_skimage7": generator.uniform(0.6, 0.9, len(about)),
            "niqe_live": generator.uniform(3, 6, len(about)),
        }
    )
    return Scores(rows, _provenance(denoiser, images, [*rows.columns[5:]]))


def _provenance(denoiser: str, images: int, metrics: list[str]) -> dict[str, Any]:
    dataset = {"name": "kodak", "split": "all", "n": images, "n_official": images, "subset": None, "ids_sha256": "0"}
    return {
        "experiment": "measured", "benchmark": "kodak_quality", "denoiser": denoiser, "title": denoiser,
        "entry": {"method": denoiser, "title": denoiser}, "dataset": dataset, "metrics": metrics, "deviations": [],
        "judge": {}, "weights_sha256": None, "code_hash": "0", "config_sha256": "0", "noise_version": 1,
        "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "", "device": "cpu",
        "precision": "float32", "seconds": {}, "pixels": 1, "pixels_per_second": 1, "failure": None,
    }  # fmt: skip


def _score_files(folder: Path, images: int = IMAGES) -> list[Path]:
    """A results folder's score files: ``scores/kodak_quality/<denoiser>.parquet``."""
    files = [folder / "scores/kodak_quality" / f"{name}.parquet" for name in DENOISERS]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_scores(file, _scores(file.stem, images))
    return files


@contextmanager
def _results(images: int = IMAGES) -> Iterator[tuple[Path, list[Path]]]:
    """A results folder, and its score files."""
    with tempfile.TemporaryDirectory() as folder:
        yield (results := Path(folder, "results/measured")), _score_files(results, images)


def _page(images: int = IMAGES) -> float:
    with _results(images) as (results, files):
        return median_of(partial(write_table, "6", files, results / "tables"), SECONDS / 2)


def _thousand_rows() -> float:
    """What a table takes longer for more rows."""
    more = 60 * IMAGES
    rows = (more - IMAGES) * len(SIGMAS) * DRAWS * len(DENOISERS)
    return max(_page(more) - _page(), 0.0) / rows * 1e3


def _statistics() -> float:
    with _results() as (results, files):
        return median_of(partial(write_statistics, "kodak_quality", files, results / "statistics"))


def _figure() -> float:
    with _results() as (results, files):
        write_table("6", files, results / "tables")
        read = {"tables": [str(results / "tables/table_6.csv")]}
        return median_of(partial(draw_figure, "sigma", read, {}, results / "figures"))


def _report() -> float:
    with _results() as (results, files):
        write_table("6", files, results / "tables")
        return median_of(partial(write_report, [results], results / "report/index.html"), SECONDS / 2)


def _pictures() -> tuple[Picture, ...]:
    """Windows of images that are smooth but for their noise, as denoisers leave them."""
    generator = np.random.default_rng(0)
    ramp = np.linspace(0, 200, SIDE)[None, :, None] + np.zeros((SIDE, 1, 3))
    window = Window(0, 0, SIDE, SIDE)
    return tuple(
        Picture(
            "kodak_quality",
            f"image_{number}",
            25.0,
            ("first",),
            (SIDE, SIDE),
            window,
            (ramp + generator.normal(20, 5, ramp.shape)).clip(0, 255).astype(np.uint8),
            scores={"psnr_rgb_float": 28.0},
        )
        for number in range(PICTURES)
    )


def _kept_image() -> float:
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptImages("noisy", "noisy", {}, _pictures())
        return median_of(partial(write_kept, Path(folder, "noisy.zip"), kept)) / PICTURES


def _picture_shown() -> float:
    """What the report takes longer for an image."""
    with _results() as (results, files):
        write_table("6", files, results / "tables")
        without = median_of(partial(write_report, [results], results / "report/index.html"), SECONDS / 2)
        for name in DENOISERS:
            write_kept(results / "images" / f"{name}.zip", KeptImages(name, name, {}, _pictures()))
        shown = median_of(partial(write_report, [results], results / "report/index.html"), SECONDS / 2)
    return max(shown - without, 0.0) / (PICTURES * len(DENOISERS))


def _boxes() -> float:
    """Of an image as COCO's: some 7 objects, and 30 boxes that a detector takes for such."""
    generator, images = np.random.default_rng(0), 20

    def box() -> list[float]:
        return [*generator.uniform(0, 400, 2).tolist(), *generator.uniform(20, 200, 2).tolist()]

    def instance() -> Instance:
        left, top, width, height = box()
        return Instance(int(generator.integers(1, 4)), (left, top, width, height), False, width * height)

    targets = [[instance() for _ in range(7)] for _ in range(images)]
    rows = [
        [[float(generator.integers(1, 4)), *box(), float(generator.uniform())] for _ in range(30)]
        for _ in range(images)
    ]
    return median_of(partial(match, rows, targets)) / images


COMPONENTS_OF_FILES: Mapping[str, Callable[[], float]] = {
    "boxes": _boxes,
    "page": _page,
    "statistics": _statistics,
    "report": _report,
    "figure": _figure,
    "thousand rows": _thousand_rows,
    "kept image": _kept_image,
    "picture shown": _picture_shown,
}
"""Kind of work -> what measures the seconds of its unit."""
