"""Networks of a user's own: counted once, in another process."""

from pathlib import Path

import pytest

from evaluators.dag.dag import Dag
from evaluators.plan import networks
from evaluators.plan.networks import count_networks, counted_flop, counts_file
from evaluators.plan.work import work_of
from usaid.experiment.reading import checked_experiment

NETWORK = """
import os
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        print("made")  # goes nowhere
        with open(f"{os.environ['XDG_CACHE_HOME']}/made", "a") as file:
            file.write("x")
        self.layers = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, 3, 1))
    def forward(self, noisy):
        return self.layers(noisy)

def scaled(noisy):
    return noisy * 0.9
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(NETWORK)
    return tmp_path


def dag() -> Dag:
    train = {"recipe": "paper", "loss": "mse", "steps": 10}
    denoisers = {
        "own": {"method": "net.py:Net", "train": train},
        "wide": {"method": "net.py:Net", "options": {"width": 8}},
        "function": {"method": "net.py:scaled"},
        "absent": {"method": "elsewhere.py:Net"},
        "noisy": {"method": "noisy"},
    }
    benchmarks = {"kodak_quality": {"sigmas": [25]}}
    return Dag(
        checked_experiment({"experiment": "own", "data_root": "data", "denoisers": denoisers, "benchmarks": benchmarks})
    )


def test_each_is_counted_once_and_its_code_decides(folder):
    jobs = dag()
    assert counted_flop(jobs.entries["own"]) is None
    count_networks(jobs, jobs.entries)
    flop = {name: counted_flop(entry) for name, entry in jobs.entries.items()}
    assert flop == {
        "own": 2 * (27 * 4 + 12),
        "wide": 2 * (27 * 8 + 24),
        "function": None,
        "absent": None,
        "noisy": None,
    }
    count_networks(jobs, jobs.entries)  # nothing is left to count
    assert (folder / "cache/made").read_text() == "xx"
    work = work_of(jobs, "train_denoiser", {"denoiser": "own"})
    assert work.guessed == ()
    assert work.work["training"] == pytest.approx(3 * 240 * 10 * 16 * 48**2 / 1e12)
    assert work_of(jobs, "score", {"benchmark": "kodak_quality", "denoiser": "function"}).guessed == ("function",)
    (folder / "net.py").write_text(NETWORK + "# changed")
    assert counted_flop(jobs.entries["own"]) is None


def test_a_process_that_takes_too_long_costs_the_count_alone(folder, monkeypatch):
    monkeypatch.setattr(networks, "SECONDS", 0.01)
    jobs = dag()
    count_networks(jobs, ["own"])
    assert counted_flop(jobs.entries["own"]) is None
    assert not counts_file().exists()  # it is tried again


def test_a_damaged_file_of_counts_is_none(folder):
    counts_file().parent.mkdir(parents=True)
    counts_file().write_text("{")
    assert counted_flop(dag().entries["own"]) is None
