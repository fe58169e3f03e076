"""``score_jobs: data_set``: one process scores a whole data set, and each score file keeps its own fate."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from snakemake_runs import LOOKS, kill_after_rows, made_once, planned, run, write_experiment

from usaid.datasets.miniature.writer import write_miniature
from usaid.failures import Ledger
from usaid.scores.files import read_provenance, read_scores

OWN_DENOISERS = """
import os, signal, time
from pathlib import Path

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError


class Same(Denoiser):
    facts = Facts("Same", True, False, False, False, "MIT", "none")
    def __init__(self, seconds=0.0):
        self.seconds = seconds
    def __call__(self, noisy, told_sigma=None):
        time.sleep(self.seconds)
        return noisy


class Broken(Same):
    def __call__(self, noisy, told_sigma=None):
        if Path("broken").exists():
            raise UsaidError("this denoiser is broken; delete the file")
        return noisy


class Dying(Same):
    def __call__(self, noisy, told_sigma=None):
        if Path("broken").exists():
            os.kill(os.getpid(), signal.SIGSEGV)
        return noisy
"""

EXPERIMENT: dict[str, Any] = {
    "experiment": "whole",
    "data_root": "data",
    "subsets": {"kodak/all": "two.txt"},
    "niqe": "niqe_fitted",
    "score_jobs": "data_set",
    "denoisers": {
        "dying": {"method": "own_denoisers:Dying"},
        "broken": {"method": "own_denoisers:Broken"},
        "imported": {"method": "cdncnn_b", "weights": "absent.pth"},
        "dying_too": {"method": "own_denoisers:Dying"},
        "noisy": {"method": "noisy"},
    },
    "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    "draws": {"draws": 3, "denoisers": ["noisy"]},
}

MADE = ("score kodak_quality/noisy", "score_draws kodak_quality/noisy")

JOB = "score_kodak_all: 6 score files"

PAGES = {"table 4", "table 6", "table 10", "statistics_page kodak_quality", "claims", "index", *LOOKS}


def set_up(folder: Path, experiment: dict[str, Any]) -> None:
    write_miniature(folder / "data")
    (folder / "data/two.txt").write_text("kodim01\nkodim02\n")
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    write_experiment(folder, experiment)


def fail(folder: Path) -> None:
    """A run in which one denoiser breaks, one lacks its weights, and two end the process without a word."""
    set_up(folder, EXPERIMENT)
    (folder / "broken").touch()
    (folder / "output.txt").write_text(run(folder, "all", fails=True))


@pytest.fixture(scope="session")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be read."""
    return made_once(tmp_path_factory, "whole", fail)


@pytest.fixture
def folder(failed: Path, tmp_path: Path) -> Path:
    """A copy, to be written."""
    return shutil.copytree(failed, tmp_path / "whole")


def ledger(folder: Path, name: str) -> Ledger:
    rule, wildcards = name.split()
    return Ledger.at(folder / "results/whole", rule, wildcards.split("/"))


def scores(folder: Path, denoiser: str) -> Path:
    return folder / f"results/whole/scores/kodak_quality/{denoiser}.parquet"


class TestFailures:
    """Of a denoiser, of an input, of the process: each costs its own score files."""

    def test_the_others_are_made(self, failed):
        for name in MADE:
            assert ledger(failed, name).state == "made"
        assert len(read_scores(scores(failed, "noisy")).rows) == 2
        assert len(read_scores(scores(failed, "draws/noisy")).rows) == 2 * 2

    @pytest.mark.parametrize(
        ("denoiser", "reason"),
        [
            ("broken", "this denoiser is broken; delete the file"),
            ("imported", "import_weights imported failed: data/absent.pth: "),
            ("dying", "the process died without a word"),
            ("dying_too", "the process died without a word"),
        ],
    )
    def test_each_says_why_in_file_and_ledger(self, failed, denoiser, reason):
        assert reason in read_provenance(scores(failed, denoiser))["failure"]
        of_it = ledger(failed, f"score kodak_quality/{denoiser}")
        assert (of_it.state, of_it.failures) == ("failed", 1)

    def test_the_message_at_the_end_speaks_of_score_files(self, failed):
        text = (failed / "output.txt").read_text()
        end = text[text.index("\nTables: ") :]
        for name in ("broken", "dying", "dying_too"):
            assert end.count(f"  score kodak_quality/{name} failed: ") == 1
        assert "import_weights imported failed: " in end
        assert "so these are not made: score kodak_quality/imported" in end
        assert "(log: results/whole/logs/scores/score_kodak_all.log)" in end
        assert "warning: data/absent.pth: the weights of imported is missing" in text

    def test_the_log_has_a_section_for_what_shares_work(self, failed):
        log = (failed / "results/whole/logs/scores/score_kodak_all.log").read_text()
        for name in ("noisy", "broken"):
            assert f"---- score kodak_quality/{name}" in log
        assert log.count("Segmentation fault") == 2, "the logs of the processes that died are kept"

    def test_the_same_command_tries_again_and_makes_it_whole(self, folder):
        assert planned(folder, "all") == {JOB, "import_weights imported"} | PAGES | {"statistics_page kodak_quality"}
        (folder / "broken").unlink()
        before = read_scores(scores(folder, "noisy")).rows
        run(folder, "all", fails=True)
        states = {name: ledger(folder, f"score kodak_quality/{name}").state for name in EXPERIMENT["denoisers"]}
        assert states == dict.fromkeys(states, "made") | {"imported": "failed"}
        after = read_scores(scores(folder, "noisy"))
        assert after.rows.equals(before)
        assert after.provenance["pixels"] == 0, "all rows came from the journal"

    def test_one_more_denoiser_computes_nothing_of_the_others(self, folder):
        (folder / "broken").unlink()
        experiment = json.loads(json.dumps(EXPERIMENT))
        del experiment["denoisers"]["imported"]
        experiment["denoisers"]["more"] = {"method": "own_denoisers:Same"}
        write_experiment(folder, experiment)
        run(folder, "all")
        assert read_provenance(scores(folder, "more"))["pixels"] > 0
        assert read_provenance(scores(folder, "noisy"))["pixels"] == 0
        assert "Nothing to be done" in run(folder, "all", "--dry-run")


def test_after_kill_9_the_same_command_goes_on_and_is_whole(tmp_path):
    slow = {"method": "own_denoisers:Same", "options": {"seconds": 1}}
    experiment = EXPERIMENT | {"denoisers": {"noisy": {"method": "noisy"}, "slow": slow}, "subsets": {}, "draws": None}
    set_up(tmp_path, experiment)
    target = "results/whole/scores/kodak_quality/slow.parquet"
    kill_after_rows(tmp_path, target, 2)
    assert (ledger(tmp_path, "score kodak_quality/noisy").state, scores(tmp_path, "slow").exists()) == ("made", False)
    assert ledger(tmp_path, "score kodak_quality/slow").state == "running"
    run(tmp_path, target)
    whole = read_scores(tmp_path / target)
    assert list(whole.rows.image_id) == [f"kodim{i:02d}" for i in range(1, 7)]
    assert 0 < whole.provenance["pixels"] <= 4 * 288 * 192, "at least two images came from before the kill"
    assert read_provenance(scores(tmp_path, "noisy"))["failure"] is None
    assert {ledger(tmp_path, f"score kodak_quality/{name}").failures for name in ("noisy", "slow")} == {0}
