"""The demo's trainings, as config/smoke.yaml has them: seconds each, and worth some decibels at sigma 25."""

from pathlib import Path

import pytest
import torch

from evaluators.metrics.psnr_ssim import psnr_rgb_float
from usaid.datasets.loading import load
from usaid.datasets.miniature.writer import write_miniature
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.weights import train_denoiser
from usaid.experiment.reading import read_experiment
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range
from usaid.training.loop import Run

ROOT = Path(__file__).parents[2]
SMOKE = read_experiment(ROOT / "config/smoke.yaml")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    write_miniature(root)
    return root


DECIBELS = dict.fromkeys(("cdncnn_b", "s_said", "u_said"), 5.0) | dict.fromkeys(
    ("unet_mse", "unet_supervised", "unet_unsupervised"), 3.0
)


@pytest.mark.slow
@pytest.mark.parametrize("denoiser", DECIBELS)
def test_demo_denoisers_beat_the_noisy_input_by_some_db(denoiser, data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    entry, weights = SMOKE.denoisers[denoiser], tmp_path / "weights.safetensors"
    run = Run(weights, torch.device("cpu"), denoiser, entry.method, data_root)
    train_denoiser(entry, load("voc2012", data_root, "train"), run)
    network = build_denoiser(entry.method, weights, options=entry.options)
    gains = []
    for sample in load("kodak", data_root, "all"):
        clean = to_unit_range(sample.image)
        noisy = clean + gaussian_noise("kodak", sample.id, 25, 0, *clean.shape[2:])
        gains.append(float(psnr_rgb_float(network(noisy), clean) - psnr_rgb_float(noisy, clean)))
    assert min(gains) > DECIBELS[denoiser], gains
