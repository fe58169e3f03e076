"""``score_jobs: file``: who scores a benchmark also scores others of the same images, and an image is denoised once."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from snakemake_runs import ENCODER, made_once, planned, run, write_experiment

from usaid.datasets.miniature.writer import write_miniature
from usaid.failures import Ledger
from usaid.scores.files import read_provenance, read_scores

OWN_DENOISERS = """
from pathlib import Path

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser


class Counting(Denoiser):
    facts = Facts("Counting", True, False, False, False, "MIT", "none")
    def __call__(self, noisy, told_sigma=None):
        if noisy.shape[-2:] != (64, 64):  # a plan, which counts what a network computes
            with open("calls.txt", "a") as file:
                file.write(f"{len(noisy)}\\n")
        return noisy
"""

SEGMENTER = {
    "network": "pspnet",
    "encoder": ENCODER,
    "train": {"crop": 32, "batch": 2, "steps": 2, "optimizer": "adamw", "learning_rate": 0.001},
}

EXPERIMENT: dict[str, Any] = {
    "experiment": "pair",
    "data_root": "data",
    "subsets": {"voc2012/val": "val.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {name: {"method": "own_denoisers:Counting"} for name in ("first", "second")},
    "benchmarks": {"voc_quality": {"sigmas": [25]}, "voc_segmentation": {"sigmas": [25], "segmenter": SEGMENTER}},
}

WEIGHTS, SCORES = "results/pair/weights", "results/pair/scores"


def calls(folder: Path) -> int:
    """How many images have been denoised so far."""
    return sum(map(int, (folder / "calls.txt").read_text().split()))


def make_one_then_all(folder: Path) -> None:
    """Judges, then one score file of the first denoiser, then all, those of the second one side by side."""
    write_miniature(folder / "data")
    ids = (folder / "data/VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").read_text().split()
    (folder / "data/val.txt").write_text("\n".join(ids[:2]) + "\n")
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    write_experiment(folder, EXPERIMENT)
    run(folder, f"{WEIGHTS}/voc_segmentation.safetensors", f"{WEIGHTS}/niqe_fitted.npz")
    run(folder, f"{SCORES}/voc_quality/first.parquet", "--set-threads", "score=1")
    (folder / "calls_of_one.txt").write_text(str(calls(folder)))
    journal = folder / f"{SCORES}/voc_segmentation/first.parquet.rows.jsonl"
    (folder / "journalled.txt").write_text(journal.read_text() if journal.exists() else "")
    companion = Ledger.at(folder / "results/pair", "score", ["voc_segmentation", "first"])
    (folder / "state.txt").write_text(f"{companion.state} {companion.path.parent.parent.is_dir()}")
    run(folder, "all", "--set-threads", "score=1")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be read."""
    return made_once(tmp_path_factory, "pair", make_one_then_all)


def test_a_companions_rows_are_in_its_journal_and_its_file_is_not_made(made):
    header, *rows = (made / "journalled.txt").read_text().splitlines()
    assert "fingerprint" in header
    assert len(rows) == 2
    assert (made / "state.txt").read_text() == "new True"


def test_its_own_job_finds_them(made):
    for benchmark in EXPERIMENT["benchmarks"]:
        assert len(read_scores(made / f"{SCORES}/{benchmark}/first.parquet").rows) == 2
    assert read_provenance(made / f"{SCORES}/voc_segmentation/first.parquet")["pixels"] == 0
    assert (made / "calls_of_one.txt").read_text() == "2"


def test_side_by_side_each_image_is_denoised_once(made):
    assert calls(made) == 2 * 2, "two images by two denoisers"


def test_there_is_nothing_left_to_do(made):
    assert planned(made, "all") == set()


DEADLY = """
    def __call__(self, noisy, told_sigma=None):
        if noisy.std((1, 2, 3)).max() > 0.6:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_companion_that_kills_the_process_costs_its_own_file_alone(made, tmp_path):
    """Here by the noise level that it alone has; a judge that uses up the memory does the same."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    code = OWN_DENOISERS.replace("from pathlib", "import os, signal\nfrom pathlib").replace(
        "    def __call__(self, noisy, told_sigma=None):\n", DEADLY.lstrip("\n")
    )
    (tmp_path / "own_denoisers.py").write_text(code)
    deadly = {"voc_segmentation": EXPERIMENT["benchmarks"]["voc_segmentation"] | {"sigmas": [200]}}
    write_experiment(tmp_path, EXPERIMENT | {"benchmarks": EXPERIMENT["benchmarks"] | deadly})
    run(tmp_path, f"{SCORES}/voc_quality/first.parquet", "--set-threads", "score=1")
    assert read_provenance(tmp_path / f"{SCORES}/voc_quality/first.parquet")["failure"] is None
    run(tmp_path, f"{SCORES}/voc_segmentation/first.parquet", "--set-threads", "score=1", fails=True)
    failure = read_provenance(tmp_path / f"{SCORES}/voc_segmentation/first.parquet")["failure"]
    assert failure.startswith("the process died without a word")
