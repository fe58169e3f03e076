"""Nothing stops the whole: each kind of job is made to fail, the rest is made, and the same command makes it whole."""

import base64
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from snakemake_runs import (
    ENCODER,
    LOOKS,
    REPOSITORY,
    command,
    environment,
    made_once,
    planned,
    run,
    write_experiment,
)

from evaluators.run import lock
from usaid.datasets.miniature.writer import write_miniature
from usaid.failures import failure_in
from usaid.scores.files import read_provenance
from usaid.segmentation.supervisions import SUPERVISIONS

OWN_DENOISERS = """
import os, signal
from pathlib import Path

import torch
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError
from usaid.training.loop import finish


class Same(Denoiser):
    facts = Facts("Same", True, False, False, False, "MIT", "none")
    def __init__(self, weights=None):
        pass
    def __call__(self, noisy, told_sigma=None):
        return noisy


class Broken(Same):
    def __call__(self, noisy, told_sigma=None):
        if Path("broken").exists():
            raise UsaidError("this denoiser is broken; delete the file")
        return noisy


class Tired(Same):
    # of one image and noise draw the scores are fine, those of several draws are not
    images = 0
    def __call__(self, noisy, told_sigma=None):
        self.images += len(noisy)
        if self.images >= 3 and Path("broken").exists():
            raise UsaidError("this denoiser is tired; delete the file")
        return noisy


class Learnt(Same):
    @staticmethod
    def train(samples, recipe, run):
        if Path("broken").exists():
            raise UsaidError("this training is broken; delete the file")
        run.curve.write_text("step,loss\\n")
        finish(run, torch.nn.Linear(1, 1), {"images": recipe.images})


class Dying(Same):
    def __call__(self, noisy, told_sigma=None):
        how = Path("broken").read_text() if Path("broken").exists() else ""
        if how == "exit":
            os._exit(9)
        if how == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        return noisy
"""

QUICK = {"outer_iterations": 1, "admm_iterations": 1, "group": 20, "window": 6, "step": 6}
"""Parameters of MC-WNNM that take a second an image."""

CURVE = f"convergence_{SUPERVISIONS[0]}.csv"

ON_KODAK = {"benchmarks": ["kodak_quality"]}

CLASSIFIER = {"network": "resnet8", "train": {"batch": 16, "epochs": 1, "optimizer": "adamw"}}

EXPERIMENT: dict[str, Any] = {
    "experiment": "kinds",
    "data_root": "data",
    "subsets": {"kodak/all": "one.txt", "cifar100/train": "train.txt", "cifar100/test": "test.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {
        "noisy": {"method": "noisy"},
        "imported": {"method": "cdncnn_b", "weights": "released.pth", **ON_KODAK},
        "learnt": {"method": "own_denoisers:Learnt", "train": {"images": "kodak/all"}, **ON_KODAK},
        "broken": {"method": "own_denoisers:Broken", **ON_KODAK},
        "tired": {"method": "own_denoisers:Tired", **ON_KODAK},
    },
    "benchmarks": {
        "kodak_quality": {"sigmas": [25]},
        "cifar100_classification": {"sigmas": [25], "classifier": CLASSIFIER},
    },
    "draws": {"draws": 5, "denoisers": ["noisy", "tired"]},
    "convergence": {"encoder": ENCODER, "crop": 64, "batch": 2, "steps": 2},
}


def set_up(folder: Path, experiment: Mapping[str, Any] = EXPERIMENT) -> None:
    write_miniature(folder / "data")
    for name, ids in (
        ("one", ["kodim01"]),
        ("test", ["test_00000", "test_00001"]),
        ("train", [f"train_{row:05d}" for row in range(32)]),
    ):
        (folder / f"data/{name}.txt").write_text("\n".join(ids) + "\n")
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    write_experiment(folder, experiment)


def save_weights(path: Path) -> None:
    """A small checkpoint of CDnCNN-B."""
    code = (
        "import torch; from usaid.denoisers.dncnn.network import DnCNN; "
        f"torch.save(DnCNN(depth=3, features=4).state_dict(), {str(path)!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(REPOSITORY))


def fail_and_mend(folder: Path) -> None:
    """Two runs with broken things, and one with none."""
    set_up(folder)
    data, results = folder / "data", folder / "results/kinds"
    (data / "cifar-100-python").rename(folder / "elsewhere")
    (folder / "broken").touch()
    (folder / "first.txt").write_text(run(folder, "all", fails=True))
    shutil.copytree(results, folder / "first")

    (folder / "elsewhere").rename(data / "cifar-100-python")
    (data / "train.txt").write_text("train_00000\nno_such_id\n")
    (folder / "broken").unlink()
    save_weights(data / "released.pth")
    for damaged in (results / "scores/kodak_quality/noisy.parquet", results / f"figures/{CURVE}"):
        times = damaged.stat()
        damaged.write_bytes(b"\x00 damaged")
        os.utime(damaged, ns=(times.st_atime_ns, times.st_mtime_ns))
    (results / "figures/figure_2.csv").unlink()
    (folder / "second.txt").write_text(run(folder, "all", fails=True))
    shutil.copytree(results, folder / "second")

    (data / "train.txt").write_text("train_00000\ntrain_00001\n")
    (results / "scores/kodak_quality/noisy.parquet").unlink()
    (results / f"figures/{CURVE}").unlink()
    (folder / "last.txt").write_text(run(folder, "all"))


@pytest.fixture(scope="session")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of each of the runs. Only to be read."""
    return made_once(tmp_path_factory, "kinds", fail_and_mend)


class TestEachKindOfJob:
    """It costs what needs it, and no more; the root cause is what is said."""

    def test_everything_else_is_made(self, mended):
        first = mended / "first"
        assert cells_of(first, "6")["noisy"][0]
        for name in ("tables/index.md", *(f"tables/table_{n}.md" for n in (3, 4, 6, 8, 10)), "figures/figure_2.png"):
            assert failure_in(first / name) is None, name

    @pytest.mark.parametrize(
        ("table", "denoiser", "root"),
        [
            ("6", "imported", "import_weights imported failed: data/released.pth: "),
            ("6", "learnt", "train_denoiser learnt failed: this training is broken; delete the file"),
            ("6", "broken", "this denoiser is broken; delete the file"),
            ("8", "noisy", "data cifar100 failed: "),
        ],
    )
    def test_what_needs_it_is_a_dash_with_the_root_cause(self, mended, table, denoiser, root):
        ours, note = cells_of(mended / "first", table)[denoiser]
        assert ours == ""
        assert root in note

    def test_failed_further_draws_cost_cells_of_table_x_alone(self, mended):
        first = mended / "first"
        for table in ("4", "6"):
            ours, note = cells_of(first, table)["tired"]
            assert ours
            assert "is tired" not in note
        with open(first / "tables/table_10.csv", encoding="utf-8", newline="") as file:
            cells = {row["denoiser"]: row for row in csv.DictReader(file) if row["metric"] == "niqe_mean"}
        reason = "kodak_quality/draws/tired.parquet: image kodim01: this denoiser is tired; delete the file"
        assert (cells["tired"]["ours"], reason in cells["tired"]["note"]) == ("", True)
        assert cells["noisy"]["ours"], "its further draws are there"

    def test_one_message_at_the_end_names_each_root_cause_once(self, mended):
        text = (mended / "first.txt").read_text()
        end = text[text.index("\nTables: ") :]
        assert "Tables: results/kinds/tables/index.md" in end
        roots = ("import_weights imported", "train_denoiser learnt", "data cifar100", "score kodak_quality/broken")
        for root in (*roots, "score_draws kodak_quality/tired"):
            assert end.count(f"  {root} failed: ") == 1, root
        assert "so these are not made: score kodak_quality/learnt" in end
        assert "(log: results/kinds/logs/weights/learnt.log)" in end
        assert "type the same command again" in end
        assert "warning: data/released.pth: the weights of imported is missing" in text

    def test_a_failed_judge_is_the_root_of_its_scores(self, mended):
        ours, note = cells_of(mended / "second", "8")["noisy"]
        assert ours == ""
        assert "train_judge cifar100_classification failed: " in note
        assert "no_such_id" in note
        assert (
            "warning: train.txt: id 'no_such_id' is not in split 'train' of cifar100"
            in (mended / "second.txt").read_text()
        )

    def test_a_failed_table_is_said_on_the_page_of_all(self, mended):
        second = mended / "second"
        for name in ("csv", "html", "json", "md", "tex"):
            assert failure_in(second / f"tables/table_6.{name}") is not None
        index = (second / "tables/index.md").read_text(encoding="utf-8")
        assert "**Table VI failed:** results/kinds/scores/kodak_quality/noisy.parquet: not a readable score" in index
        assert "  table 6: failed" in (mended / "second.txt").read_text()
        assert cells_of(mended / "second", "8").keys() >= {"noisy"}

    def test_a_failed_figure_costs_no_table(self, mended):
        for name in ("csv", "png", "pdf", "json"):
            failure = failure_in(mended / f"second/figures/figure_2.{name}")
            assert failure is not None
            assert failure.job == "figure_2_files"
            assert CURVE in failure.reason
        assert "  figure_2_files: failed" in (mended / "second.txt").read_text()

    def test_mended_the_same_command_makes_it_whole(self, mended):
        assert "Failed" not in (mended / "last.txt").read_text()
        results = mended / "results/kinds"
        assert [path for path in results.rglob("*") if path.is_file() and failure_in(path)] == []
        scores = [*results.glob("scores/**/*.parquet")]
        assert len(scores) == 6 + 3, "denoisers on benchmarks, and further draws"
        assert {read_provenance(path)["failure"] for path in scores} == {None}
        assert "Nothing to be done" in run(mended, "all", "--dry-run")


def cells_of(results: Path, table: str) -> dict[str, tuple[str, str]]:
    """Of each denoiser at sigma 25 of a table: our number in the first metric, and the note."""
    numbers: dict[str, tuple[str, str]] = {}
    with open(results / f"tables/table_{table}.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["group"].endswith("25"):
                numbers.setdefault(row["denoiser"], (row["ours"], row["note"]))
    return numbers


ONLY_KODAK: dict[str, Any] = {
    "experiment": "kinds",
    "data_root": "data",
    "denoisers": {
        "noisy": {"method": "noisy"},
        "cdncnn_b": {"method": "cdncnn_b", "weights": "released/CDnCNN-B.pth", **ON_KODAK},
        "mlp": {"method": "mlp", "weights": {"25": "mlp/25.mat"}, **ON_KODAK},
        "mc_wnnm": {"method": "mc_wnnm", "options": {"parameters": QUICK}, **ON_KODAK},
    },
    "benchmarks": {
        "kodak_quality": {"sigmas": [25], "told_sigmas": ["oracle", 25]},
        "cifar100_classification": {"sigmas": [25], "classifier": {"network": "resnet8", "train": {"epochs": 1}}},
        "deepglobe_segmentation": {"sigmas": [25], "segmenter": {"network": "pspnet", "encoder": ENCODER, "train": {}}},
    },
}


def test_with_only_kodak_at_hand_its_tables_are_whole_and_the_others_dashes(tmp_path):
    (tmp_path / "data/kodak").mkdir(parents=True)
    for number in range(1, 25):
        pixels = np.random.default_rng(number).integers(0, 256, (96, 192, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/kodak/kodim{number:02d}.png")
    (tmp_path / "data/niqe").mkdir()
    parameters = {"mu_pris_param": np.zeros((1, 36)), "cov_pris_param": np.eye(36)}
    np.savez(tmp_path / "data/niqe/niqe_live_pris_params.npz", **parameters)
    record = tmp_path / "results/kinds/data/niqe_live.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"found": {}}\n')
    write_experiment(tmp_path, ONLY_KODAK)
    output = run(tmp_path, "all", "--cores", "4", fails=True)
    results = tmp_path / "results/kinds"
    assert {name: bool(ours) for name, (ours, _) in cells_of(results, "6").items()} == {
        "noisy": True, "cdncnn_b": False, "s_said": False, "u_said": False
    }  # fmt: skip
    of_table_4 = cells_of(results, "4")
    assert (of_table_4["mc_wnnm"][0] != "", of_table_4["mlp"][0]) == (True, "")
    assert "import_weights mlp failed: data/mlp/25.mat: " in of_table_4["mlp"][1]
    assert "import_weights cdncnn_b failed: data/released/CDnCNN-B.pth: " in of_table_4["cdncnn_b"][1]
    assert "n = 24" not in of_table_4["mc_wnnm"][1], "all images were scored"
    assert "data cifar100 failed: " in cells_of(results, "8")["noisy"][1]
    with open(results / "tables/table_7.csv", encoding="utf-8", newline="") as file:
        notes = {row["note"] for row in csv.DictReader(file)}
    assert any("data deepglobe failed: " in note and "account" in note for note in notes)
    for name in ("3", "4", "6", "7", "8"):
        assert failure_in(results / f"tables/table_{name}.md") is None
        assert f"table_{name}.csv" in (results / "tables/index.md").read_text(encoding="utf-8")
    assert "warning: data set deepglobe is not there" in output


DYING: dict[str, Any] = EXPERIMENT | {
    "denoisers": {"noisy": {"method": "noisy"}, "dying": {"method": "own_denoisers:Dying"}},
    "benchmarks": {"cifar100_classification": {"sigmas": [25], "classifier": CLASSIFIER}},
    "draws": None,
    "convergence": None,
}


def crash(folder: Path) -> None:
    """A run in which a denoiser ends its process without a word."""
    set_up(folder, DYING)
    (folder / "broken").write_text("crash")
    (folder / "output.txt").write_text(run(folder, "all", fails=True))


@pytest.fixture(scope="session")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with a failure. Only to be read."""
    return made_once(tmp_path_factory, "crashed", crash)


@pytest.fixture
def folder(crashed: Path, tmp_path: Path) -> Path:
    """A copy, to be written."""
    return shutil.copytree(crashed, tmp_path / "crashed")


class TestDeathWithoutAWord:
    """Of a job's process: killed, out of memory, a crash of a library."""

    def test_costs_its_own_cells(self, crashed):
        cells = cells_of(crashed / "results/kinds", "8")
        assert cells["noisy"][0]
        log = "results/kinds/logs/scores/cifar100_classification/dying.log"
        assert f"the process died without a word: killed, or out of memory; see {log}" in cells["dying"][1]
        assert "Segmentation fault" in (crashed / log).read_text()

    def test_is_tried_again_by_the_same_command(self, folder):
        pages = {"table 8", "statistics_page cifar100_classification", "claims", "index", *LOOKS}
        assert planned(folder, "all") == {"score cifar100_classification/dying", *pages}
        (folder / "broken").write_text("exit")
        run(folder, "all", fails=True)
        run(folder, "all", "--config", "allow_failures=true")
        (folder / "broken").unlink()
        run(folder, "all")
        assert cells_of(folder / "results/kinds", "8")["dying"][0]
        assert planned(folder, "all") == set()


def state(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    """Every file and folder, outside Snakemake's own, with its time and content."""
    paths = [path for path in folder.rglob("*") if ".snakemake" not in path.parts and "__pycache__" not in path.parts]
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else "folder") for path in paths
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dry-run", "all"),
        ("--dry-run", "all", "--forceall"),
        ("--summary", "all"),
        ("--detailed-summary", "all"),
        ("--list",),
        ("--lint",),
        ("--report", "report.zip", "all"),
        ("--report", "report.html", "all"),
        ("--dag", "all"),
        ("--list-changes", "params", "all"),
        ("--config", "sigmas=25"),
        ("--config", "benchmarks=none", "--dry-run"),
    ],
    ids=" ".join,
)
def test_looking_never_writes(folder, tmp_path, arguments):
    before = state(folder)
    asked = [str(tmp_path / argument) if argument.startswith("report.") else argument for argument in arguments]
    look(folder, command(*asked))
    assert state(folder) == before
    assert all(Path(path).exists() for path in asked if path.startswith(str(tmp_path)))


def test_snakemakes_report_shows_tables_claims_statistics_and_figures_with_captions(mended, tmp_path):
    """Offline: there is no network here. What it shows are the files as they are."""
    before = state(mended)
    look(mended, command("--report", str(tmp_path / "report.html"), "all"))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = json_in(text, "results")
    results = "results/kinds"
    assert {f"{results}/{name}" for name in PAGES} <= {*shown}
    assert {shown[f"{results}/{name}"]["mime_type"] for name in PAGES} == {"text/html", "image/png"}
    for name, caption in PAGES.items():
        entry = shown[f"{results}/{name}"]
        assert caption in " ".join(entry["caption"].split()), name
        content = base64.b64decode(entry["data_uri"].partition(";base64,")[2])
        assert content == (mended / results / name).read_bytes()
        assert "system-message" not in entry["caption"], "what docutils complains of is shown"
    assert {*json_in(text, "categories")} == {"Tables", "Claims", "Comparisons", "Figures"}
    assert shown[f"{results}/tables/table_6.html"]["labels"] == {"No.": "06", "Table": "Table VI"}
    assert "Experiment kinds of the reproducibility suite" in text
    assert state(mended) == before


PAGES = {
    "tables/table_6.html": "Table 6 of the paper, made again in experiment kinds.",
    "tables/table_10_print.html": "Table 10 in print of the paper",
    "claims.html": "Which of the paper's sentences hold in experiment kinds",
    "statistics/kodak_quality.html": "How sure the numbers of benchmark kodak_quality are",
    "figures/figure_2.png": "Figure 2 of the paper, made again in experiment kinds",
}
"""What Snakemake's report shows, among others: file -> the beginning of its caption."""


def json_in(report: str, name: str) -> Any:
    """What Snakemake's report knows of its results, or of its categories."""
    script = report.partition(f'<script id="{name}">')[2]
    return json.JSONDecoder().raw_decode(script.partition(" = ")[2])[0]


@pytest.mark.parametrize(
    "arguments",
    [("data", "status", "--data-root", "data"), ("config", "keys"), ("progress", "results/kinds")],
    ids=" ".join,
)
def test_looking_by_the_command_line_never_writes(folder, arguments):
    before = state(folder)
    code = "import sys, usaid_cli; usaid_cli.main(sys.argv[1:])"
    assert look(folder, [sys.executable, "-c", code, *arguments]).returncode == 0
    assert state(folder) == before


def look(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    variables = environment(REPOSITORY, folder) | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(arguments, cwd=folder, env=variables, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done


def test_a_second_run_is_told_of_the_first(folder):
    with lock(folder / "results/kinds"):
        before = state(folder)
        last = run(folder, "all", fails=True).strip().splitlines()[-1]
        assert last.startswith(f"error: results/kinds: process {os.getpid()} on ")
        assert last.endswith(f": kill {os.getpid()}")
        assert state(folder) == before


def test_failed_miniature_and_failed_niqe_are_dashes_and_mended_they_are_made(tmp_path):
    place = tmp_path / "results/kinds/miniature"
    place.mkdir(parents=True)
    (place / "mine.txt").write_text("not generated")
    experiment = {
        "experiment": "kinds",
        "data_root": "results/kinds/miniature",
        "data_source": "miniature",
        "niqe": "niqe_fitted",
        "denoisers": {"noisy": {"method": "noisy"}},
        "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    }
    write_experiment(tmp_path, experiment)
    run(tmp_path, "all_tables", fails=True)
    tables = tmp_path / "results/kinds/tables"
    why = "miniature failed: results/kinds/miniature: holds files that are no miniature data sets"
    assert why in cells_of(tables.parent, "6")["noisy"][1]
    assert failure_in(tables / "table_3.md") is None
    assert (place / "mine.txt").read_text() == "not generated"

    (place / "mine.txt").unlink()
    run(tmp_path, "results/kinds/data/kodak.json", "results/kinds/data/voc2012.json")
    names = (place / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt").read_text().split()
    image = place / f"VOCdevkit/VOC2012/JPEGImages/{names[0]}.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[:200])
    assert "fit_niqe failed: " in run(tmp_path, "all_tables", fails=True)
    assert "fit_niqe failed: " in cells_of(tables.parent, "6")["noisy"][1]
    image.write_bytes(whole)
    run(tmp_path, "all_tables")
    assert cells_of(tables.parent, "6")["noisy"][0]


def test_after_kills_the_same_command_ends_with_equal_tables():
    """A short version of what ``benchmarks/kills.py`` does."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "benchmarks/kills.py"), "--kills", "5"],
        env=environment(REPOSITORY), capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "kills tried / byte-equal: 5 / 5", done.stdout + done.stderr
