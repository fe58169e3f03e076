"""A job that computes on a GPU has one alone, on one machine, too: with cards that a user names and no machine has."""

import re
from pathlib import Path

import pytest
from snakemake_runs import run, write_experiment

from usaid.datasets.miniature.writer import write_miniature
from usaid.gpu_lease import CUDA, PLACE, SCHEDULERS

OWN_DENOISERS = """
import os
from pathlib import Path

import torch
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.training.loop import finish


class Learnt(Denoiser):
    facts = Facts("Learnt", True, False, False, False, "MIT", "none")
    def __call__(self, noisy, told_sigma=None):
        return noisy
    @staticmethod
    def train(samples, recipe, run):
        Path("cards.txt").open("a").write(os.environ["CUDA_VISIBLE_DEVICES"] + "\\n")
        run.curve.write_text("step,loss\\n")
        finish(run, torch.nn.Linear(1, 1), {"images": recipe.images})
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an experiment that trains a denoiser."""
    write_miniature(tmp_path / "data")
    (tmp_path / "own_denoisers.py").write_text(OWN_DENOISERS)
    entry = {"method": "own_denoisers:Learnt", "train": {"images": "kodak/all"}}
    benchmarks = {"kodak_quality": {"sigmas": [25]}}
    write_experiment(
        tmp_path, {"experiment": "cards", "data_root": "data", "denoisers": {"learnt": entry}, "benchmarks": benchmarks}
    )
    for name in SCHEDULERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(CUDA, "71,72")
    monkeypatch.setenv(PLACE, str(tmp_path / "locks"))
    return tmp_path


def test_as_many_jobs_at_once_as_cards_and_each_sees_one(folder):
    said = run(folder, "results/cards/weights/learnt.safetensors")
    assert re.search("Provided resources: .*gpu.*2", said)
    assert (folder / "cards.txt").read_text() == "71\n"
