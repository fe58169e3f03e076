"""Score files made by hand."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from usaid.scores.files import Scores, write_scores

DATASETS = {"kodak_quality": ("kodak", 24), "voc_quality": ("voc2012", 1449)}


@pytest.fixture
def score_file(tmp_path: Path) -> Callable[..., Path]:
    """``score_file("kodak_quality", "u_said", {25: {"psnr_rgb_float": [30.1, 29.8]}})`` -> its path.

    One value an image. In place of the sigma may stand (sigma, draw), or (sigma, draw, told sigma); a keyword replaces
    that key of the provenance.
    """

    def make(
        benchmark: str, denoiser: str, values: Mapping[Any, Mapping[str, Sequence[float]]], **changed: Any
    ) -> Path:
        rows = pd.concat([rows_of(key, columns) for key, columns in values.items()], ignore_index=True)
        name, n_official = DATASETS[benchmark]
        dataset = {"name": name, "split": "all", "n": rows["image_id"].nunique(), "n_official": n_official}
        provenance = {
            "experiment": "made", "benchmark": benchmark, "denoiser": denoiser, "title": denoiser, "deviations": [],
            "entry": {"method": denoiser}, "judge": {}, "metrics": [*next(iter(values.values()))], "code_hash": "0",
            "dataset": dataset | {"subset": None, "ids_sha256": "0"}, "weights_sha256": None, "config_sha256": "0",
            "noise_version": 1, "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p",
            "device": "cpu", "precision": "float32", "seconds": {}, "pixels": 10, "pixels_per_second": 7,
            "failure": None,
        } | changed  # fmt: skip
        path = tmp_path / "scores" / benchmark / ("draws" if changed.get("draws") else "") / f"{denoiser}.parquet"
        write_scores(path, Scores(rows if provenance["failure"] is None else rows[:0], provenance))
        return path

    return make


def rows_of(key: Any, columns: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    given = key if isinstance(key, tuple) else (key,)
    sigma, draw, told = (*given, *(0, None)[len(given) - 1 :])
    n = len(next(iter(columns.values())))
    ids = [f"image_{index:02}" for index in range(n)]
    about = {"image_id": ids, "image_sha256": ids, "sigma": float(sigma), "draw": draw, "told_sigma": told}
    return pd.DataFrame(about | dict(columns)).astype({"told_sigma": float})
