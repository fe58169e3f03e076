"""A user's own denoiser that hangs, crashes, floods the log or returns NaN costs its own cells; earlier scores."""

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from snakemake_runs import planned, run, write_experiment

from usaid.failures import Ledger
from usaid.scores.files import read_provenance, read_scores, write_scores

PLUG_INS = """
import os, signal, time

import torch
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser


class Fine(Denoiser):
    facts = Facts("What the class says", True, False, False, False, "MIT", "none")

    def __call__(self, noisy, told_sigma=None):
        return noisy


class Hanging(Fine):
    def __call__(self, noisy, told_sigma=None):
        time.sleep(1000)


class Crashing(Fine):
    def __call__(self, noisy, told_sigma=None):
        os.kill(os.getpid(), signal.SIGSEGV)


class NotANumber(Fine):
    # at one level of two, which share batches: the noise is told by its size
    def __call__(self, noisy, told_sigma=None):
        return torch.where(noisy.std((1, 2, 3), keepdim=True) > 0.35, torch.nan, noisy)


class Loud(Fine):
    def __call__(self, noisy, told_sigma=None):
        for number in range(150_000):
            print("line", number)
        return noisy
"""

KINDS = {"fine": "Fine", "hanging": "Hanging", "crashing": "Crashing", "nan": "NotANumber", "loud": "Loud"}

EXPERIMENT: dict[str, Any] = {
    "experiment": "plugs",
    "data_root": "data",
    "subsets": {"kodak/all": "data/ids.txt"},
    "time_limit": 0.25,
    "denoisers": {name: {"method": f"plug_ins:{kind}"} for name, kind in KINDS.items()},
    "benchmarks": {"kodak_quality": {"sigmas": [15, 100]}},
}

TABLE = "results/plugs/tables/table_6.csv"


def set_up(folder: Path) -> None:
    """Two small images of Kodak's, a pristine model, and the plug-ins."""
    (folder / "data/kodak").mkdir(parents=True)
    for number in (1, 2):
        pixels = np.random.default_rng(number).integers(60, 196, (96, 192, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"data/kodak/kodim{number:02d}.png")
    (folder / "data/ids.txt").write_text("kodim01\nkodim02\n")
    (folder / "data/niqe").mkdir()
    parameters = {"mu_pris_param": np.zeros((1, 36)), "cov_pris_param": np.eye(36)}
    np.savez(folder / "data/niqe/niqe_live_pris_params.npz", **parameters)
    record = folder / "results/plugs/data/niqe_live.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"found": {}}\n')
    (folder / "plug_ins.py").write_text(PLUG_INS)


def cells_of(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Denoiser and sigma -> our PSNR, and the note."""
    with open(folder / TABLE, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "psnr"]
    return {(row["denoiser"], row["group"]): (row["ours"], row["note"]) for row in rows}


@pytest.mark.parametrize("score_jobs", ["file", "data_set"])
def test_each_kind_of_failure_costs_its_own_cells(tmp_path, score_jobs):
    set_up(tmp_path)
    write_experiment(tmp_path, EXPERIMENT | {"score_jobs": score_jobs})
    output = run(tmp_path, TABLE, fails=True)
    cells = cells_of(tmp_path)
    shown = {name for name in KINDS if cells[name, "15"][0]}
    assert shown == {"fine", "nan", "loud"}
    assert {name for name in KINDS if cells[name, "100"][0]} == {"fine", "loud"}
    assert "hanging: not done after 0.25 minutes; mend it, or raise 'time_limit'" in cells["hanging", "15"][1]
    assert "the process died without a word" in cells["crashing", "15"][1]
    assert "image kodim01: nan: returned values that are not finite" in cells["nan", "100"][1]
    assert "finite" not in cells["nan", "15"][1]
    for name in ("hanging", "crashing", "nan"):
        assert output.count(f"  score kodak_quality/{name} failed: ") == 1
    assert Ledger.at(tmp_path / "results/plugs", "score", ["kodak_quality", "nan"]).state == "partial"
    assert max(path.stat().st_size for path in (tmp_path / "results/plugs/logs").rglob("*.log")) < 5_000_000
    header = (tmp_path / "results/plugs/tables/table_6.md").read_text(encoding="utf-8").splitlines()[2]
    assert header.count("What the class says") == 3
    assert "hanging" in header, "a class that never was made is called by its column's name"
    job = "score kodak_quality/{}" if score_jobs == "file" else "score_kodak_all: 5 score files"
    assert {job.format(name) for name in ("hanging", "crashing", "nan")} <= planned(tmp_path, TABLE)


def test_earlier_scores_stand_beside_ones_own_in_all_pages(tmp_path):
    set_up(tmp_path)
    paper = {name: {"method": "noisy", "title": name.upper()} for name in ("cdncnn_b", "s_said", "u_said")}
    earlier = EXPERIMENT | {"experiment": "earlier", "denoisers": {"noisy": {"method": "noisy"}, **paper}}
    shutil.copytree(tmp_path / "results/plugs", tmp_path / "results/earlier")
    write_experiment(tmp_path, earlier)
    scores = [f"results/earlier/scores/kodak_quality/{name}.parquet" for name in ("noisy", *paper)]
    run(tmp_path, *scores)
    for path in scores[1:]:  # as if they were those networks
        made = read_scores(tmp_path / path)
        made.provenance["entry"]["method"] = Path(path).stem
        write_scores(tmp_path / path, made)
    os.remove(tmp_path / scores[2])

    mine = {"fine": {"method": "plug_ins:Fine", "title": "Mine"}, "s_said": None}
    benchmarks = {"kodak_quality": {"sigmas": [15, 50]}}
    write_experiment(tmp_path, EXPERIMENT | {"compare_with": "earlier", "denoisers": mine, "benchmarks": benchmarks})
    targets = ["all_tables", "statistics", "results/plugs/tables/table_3.csv"]
    assert {job for job in planned(tmp_path, *targets) if "scor" in job and "kodak_quality/" in job} == {
        "score kodak_quality/fine",
        *(f"borrow_scores kodak_quality/{name}" for name in ("noisy", "cdncnn_b", "u_said", "clean")),
    }
    output = run(tmp_path, *targets)
    assert "warning: clean: results/earlier has no scores of it on kodak_quality (will be dashes)" in output
    cells = cells_of(tmp_path)
    assert {name for name, group in cells if group == "15"} == {"noisy", "cdncnn_b", "u_said", "fine", "clean"}
    assert {name for name, group in cells if cells[name, group][0] and group == "15"} == {
        "noisy", "cdncnn_b", "u_said", "fine"
    }  # fmt: skip
    assert "results/earlier has no scores of clean on kodak_quality" in cells["clean", "15"][1]
    assert "results/earlier has no rows at this sigma" in cells["u_said", "50"][1]
    assert cells["fine", "50"][0]
    folder = tmp_path / "results/plugs"
    assert "Taken from results/earlier (" in (folder / "tables/table_6.md").read_text(encoding="utf-8")
    assert "S-SAID" not in (folder / "tables/table_6.tex").read_text(encoding="utf-8")
    assert "fine,u_said" in (folder / "statistics/kodak_quality.csv").read_text(encoding="utf-8")
    assert read_provenance(folder / "scores/kodak_quality/u_said.parquet")["title"] == "U_SAID"
    assert planned(tmp_path, *targets) == set()
