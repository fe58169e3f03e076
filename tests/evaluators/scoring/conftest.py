"""A job of two small images."""

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators.metrics.niqe import PristineModel, save_pristine_model
from evaluators.scoring.score_job import ScoreJob
from usaid.experiment.reading import checked_experiment


@pytest.fixture
def job(tmp_path, monkeypatch) -> ScoreJob:
    """Two images of Kodak's, 24x32 pixels, on the quality benchmark."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/kodak").mkdir(parents=True)
    for name in ("kodim01", "kodim02"):
        pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/kodak/{name}.png")
    (tmp_path / "data/ids.txt").write_text("kodim01\nkodim02\n")
    save_pristine_model(tmp_path / "niqe.npz", PristineModel("niqe_fitted", torch.zeros(36), torch.eye(36)))
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": "data",
            "niqe": "niqe_fitted",
            "device": "cpu",
            "subsets": {"kodak/all": "ids.txt"},
            "denoisers": {name: {"method": name} for name in ("noisy", "clean", "cbm3d")},
            "benchmarks": {"kodak_quality": {"sigmas": [25], "draws": 2, "notes": ["a trial"]}},
        }
    )
    output = tmp_path / "scores/noisy.parquet"
    return ScoreJob(experiment, "kodak_quality", "noisy", output, tmp_path / "niqe.npz", code_hash="c0de")
