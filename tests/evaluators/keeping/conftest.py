"""An experiment on five small images of Kodak's, whose PSNR and SSIM and NIQE are judged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators.metrics.niqe import PristineModel, save_pristine_model
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import checked_experiment

IDS = tuple(f"kodim{number:02}" for number in range(1, 6))

OWN_DENOISERS = """
import torch
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError


class Scaled(Denoiser):
    facts = Facts("Scaled", True, False, False, False, "MIT", "none")
    def __init__(self, factor=0.5):
        self.factor = factor
    def __call__(self, noisy, told_sigma=None):
        return noisy * self.factor


class Told(Scaled):
    facts = Facts("Told", False, False, False, False, "MIT", "none")
    def __call__(self, noisy, told_sigma=None):
        return noisy * (1 - told_sigma / 255)


class Broken(Scaled):
    def __call__(self, noisy, told_sigma=None):
        raise UsaidError("this denoiser is broken")


class Careless(Scaled):
    def __call__(self, noisy, told_sigma=None):
        torch.set_default_dtype(torch.float64)
        return noisy


class Dividing(Scaled):
    def __call__(self, noisy, told_sigma=None):
        return noisy / 0
"""

Experiments = Callable[..., Experiment]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: images of 48x40 and 40x48 pixels, a module of denoisers, NIQE's model."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "data/kodak").mkdir(parents=True)
    for number, name in enumerate(IDS):
        shape = (48, 40, 3) if number == 2 else (40, 48, 3)
        pixels = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/kodak/{name}.png")
    (tmp_path / "data/ids.txt").write_text("\n".join(IDS))
    (tmp_path / "own_denoisers.py").write_text(OWN_DENOISERS)
    save_pristine_model(tmp_path / "niqe.npz", PristineModel("niqe_fitted", torch.zeros(36), torch.eye(36)))
    return tmp_path


@pytest.fixture
def experiment(folder: Path) -> Experiments:
    """Makes the experiment, some of whose keys are changed."""

    def made(**changed: Any) -> Experiment:
        names = ("told", "careless", "broken", "dividing")
        own = {name: {"method": f"own_denoisers:{name.title()}"} for name in names}
        own |= {name: {"method": "own_denoisers:Scaled"} for name in ("u_said", "cdncnn_b")}
        keys = {
            "experiment": "seen",
            "data_root": "data",
            "device": "cpu",
            "niqe": "niqe_fitted",
            "subsets": {"kodak/all": "ids.txt"},
            "denoisers": {"noisy": {"method": "noisy"}, **own},
            "benchmarks": {"kodak_quality": {"sigmas": [15, 25, 35], "notes": ["a trial"]}},
            "keep_images": {"window": 16},
        }
        return checked_experiment(keys | changed)

    return made
