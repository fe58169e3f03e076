"""The demo's trainings, as config/smoke.yaml has them: seconds each, and worth at least 5 dB at sigma 25."""

from pathlib import Path

import pytest
import torch

from evaluators.metrics.psnr_ssim import psnr_rgb_float
from usaid.checkpoints import load_state
from usaid.datasets.loading import load
from usaid.datasets.miniature.writer import write_miniature
from usaid.denoisers.dncnn.network import dncnn_from_state
from usaid.denoisers.dncnn.training import train_dncnn
from usaid.experiment.reading import read_experiment
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range
from usaid.training.loop import Run

SMOKE = read_experiment(Path(__file__).parents[2] / "config/smoke.yaml")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    write_miniature(root)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("denoiser", ["cdncnn_b", "s_said", "u_said"])
def test_demo_denoisers_beat_the_noisy_input_by_5_db(denoiser, data_root, tmp_path):
    weights = tmp_path / "weights.safetensors"
    run = Run(weights, torch.device("cpu"), denoiser, SMOKE.denoisers[denoiser].method, data_root)
    train_dncnn(load("voc2012", data_root, "train"), SMOKE.denoisers[denoiser].train, run)
    network = dncnn_from_state(load_state(weights), "trained")
    gains = []
    for sample in load("kodak", data_root, "all"):
        clean = to_unit_range(sample.image)
        noisy = clean + gaussian_noise("kodak", sample.id, 25, 0, *clean.shape[2:])
        with torch.inference_mode():
            denoised = noisy - network(noisy)
        gains.append(float(psnr_rgb_float(denoised, clean) - psnr_rgb_float(noisy, clean)))
    assert min(gains) > 5, gains
