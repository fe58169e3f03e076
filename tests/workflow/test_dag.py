"""The DAG on two small images: tables come out, reruns are exact, kills and failures leave nothing half done."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from usaid import datasets
from usaid.datasets.miniature.writer import write_miniature
from usaid.scores.files import read_scores

REPOSITORY = Path(__file__).parents[2]

EXPERIMENT = {
    "experiment": "tiny",
    "data_root": "data",
    "subsets": {"kodak/all": "two.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {
        "noisy": {"method": "noisy"},
        "halved": {"method": "own_denoiser:Scaled", "title": "Halved_1", "options": {"factor": 0.5}},
    },
    "benchmarks": {"kodak_quality": {"sigmas": [25]}},
}

ENCODER = "efficientnet_lite0"

OWN_DENOISER = """
import time
from usaid.denoisers import FACTS
from usaid.denoisers.base import Denoiser

class Scaled(Denoiser):
    facts = FACTS["cdncnn_b"]
    def __init__(self, factor, seconds=0.0):
        self.factor, self.seconds = factor, seconds
    def __call__(self, noisy, told_sigma=None):
        time.sleep(self.seconds)
        return noisy * self.factor
"""


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature") / "data"
    write_miniature(root)
    (root / "two.txt").write_text("kodim01\nkodim02\n")
    return root


@pytest.fixture
def folder(tmp_path, data_root) -> Path:
    """A working folder with a copy of the data, an experiment and a denoiser of the user's own."""
    shutil.copytree(data_root, tmp_path / "data")
    (tmp_path / "own_denoiser.py").write_text(OWN_DENOISER)
    write_experiment(tmp_path, EXPERIMENT)
    return tmp_path


def write_experiment(folder: Path, experiment: dict) -> None:
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))


def command(*arguments: str, repository: Path = REPOSITORY) -> list[str]:
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(repository / "Snakefile")]
    return [*snakemake, *arguments, "--configfile", "experiment.yaml"]


def environment(folder: Path, repository: Path = REPOSITORY) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{repository}:{folder}", "OMP_NUM_THREADS": "1"}


def run(folder: Path, *arguments: str, repository: Path = REPOSITORY) -> str:
    done = subprocess.run(
        command(*arguments, repository=repository),
        cwd=folder, env=environment(folder, repository), capture_output=True, text=True,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def planned_scores(folder: Path, repository: Path = REPOSITORY) -> set[str]:
    """Denoisers whose scores a dry run would make."""
    output = run(folder, "--dry-run", "all_tables", repository=repository)
    return {line.split("denoiser=")[1] for line in output.splitlines() if "denoiser=" in line}


def test_from_nothing_to_tables_and_exact_reruns(folder):
    output = run(folder, "all_tables")
    tables = folder / "results/tiny/tables"
    assert {"table_4.csv", "table_6.csv", "table_6.tex", "table_6.md", "table_3.csv"} <= {
        path.name for path in tables.iterdir()
    }
    assert "Table X (ten noise draws) is not built yet" in output
    assert "not built yet" in (tables / "index.md").read_text()
    csv = (tables / "table_6.csv").read_text().splitlines()
    assert csv[0] == "table,group,method,metric,ours,paper,delta,n,note"
    noisy_psnr = next(line.split(",") for line in csv if line.startswith("6,25,noisy,psnr,"))
    assert abs(float(noisy_psnr[4]) - 20.17) < 0.2  # 20 log10(255 / 25), the borders of [0, 1] aside
    assert "n = 2 of 24" in (tables / "table_6.md").read_text()
    assert "Nothing to be done" in run(folder, "all_tables")

    changed = yaml.safe_load(yaml.safe_dump(EXPERIMENT))
    changed["denoisers"]["halved"]["options"]["factor"] = 0.6
    write_experiment(folder, changed)
    assert planned_scores(folder) == {"halved"}

    changed["denoisers"]["mine_too"] = {"method": "noisy"}
    write_experiment(folder, changed)
    assert planned_scores(folder) == {"halved", "mine_too"}


def test_editing_code_reruns_what_depends_on_it(folder):
    repository = folder / "repository"
    ignored = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", "*.egg-info", "__pycache__", "tests")
    shutil.copytree(REPOSITORY, repository, ignore=ignored)
    run(folder, "all_tables", repository=repository)
    identity = repository / "usaid/denoisers/identity.py"
    identity.write_text(identity.read_text().replace("return noisy", "return noisy * 1"))
    assert planned_scores(folder, repository) == {"noisy"}
    noise = repository / "usaid/noise.py"
    noise.write_text(noise.read_text() + "\n# a remark\n")
    assert planned_scores(folder, repository) == {"noisy"}
    noise.write_text(noise.read_text().replace("VERSION = 1", "VERSION = 2"))
    assert planned_scores(folder, repository) == {"noisy", "halved"}


def test_a_failure_is_a_dash_with_its_reason_and_is_tried_again(folder):
    image = folder / "data/kodak/kodim02.png"
    whole = image.read_bytes()
    experiment = yaml.safe_load(yaml.safe_dump(EXPERIMENT))
    experiment["denoisers"]["absent"] = {"method": "no_such_module:Denoiser"}
    write_experiment(folder, experiment)
    run(folder, "all_tables")
    markdown = (folder / "results/tiny/tables/table_6.md").read_text()
    assert "no_such_module:Denoiser" in markdown
    assert "cannot be imported" in markdown
    rows = [line for line in (folder / "results/tiny/tables/table_6.csv").read_text().splitlines() if ",psnr," in line]
    assert any(line.startswith("6,25,absent,psnr,,") for line in rows)
    assert not any(line.startswith("6,25,noisy,psnr,,") for line in rows)
    assert planned_scores(folder) == {"absent"}

    image.write_bytes(whole[:500])
    del experiment["denoisers"]["absent"]
    experiment["denoisers"]["later"] = {"method": "clean"}
    write_experiment(folder, experiment)
    output = run(folder, "all_tables")
    assert "kodim02.png: does not decode as an image" in output
    image.write_bytes(whole)
    run(folder, "all_tables")
    assert read_scores(folder / "results/tiny/scores/kodak_quality/later.parquet").provenance["failure"] is None


def test_kill_9_in_mid_score_and_rerun_is_whole(folder):
    slow = yaml.safe_load(yaml.safe_dump(EXPERIMENT))
    slow["subsets"] = {}
    slow["denoisers"] = {"halved": EXPERIMENT["denoisers"]["halved"] | {"options": {"factor": 0.5, "seconds": 2}}}
    write_experiment(folder, slow)
    process = subprocess.Popen(
        command("all_tables"), cwd=folder, env=environment(folder), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = folder / "results/tiny/scores/kodak_quality/halved.parquet.rows.jsonl"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_text().count("\n") >= 3):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not journal.with_name("halved.parquet").exists()
    run(folder, "--unlock")
    run(folder, "all_tables", "--rerun-incomplete")
    scores = read_scores(journal.with_name("halved.parquet"))
    assert list(scores.rows.image_id) == [f"kodim{i:02d}" for i in range(1, 7)]
    assert 0 < scores.provenance["pixels"] <= 4 * 288 * 192  # at least two images came from before the kill


def test_files_of_data_root_are_never_touched(folder):
    """Snakemake deletes outputs before it makes them again: nothing in an official data_root may be one."""

    def files() -> dict[str, int]:
        root = folder / "data"
        return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}

    before = files()
    run(folder, "all_tables")
    run(folder, "all_tables", "--forceall")
    assert files() == before


def test_a_wrong_key_is_one_line(folder):
    write_experiment(folder, EXPERIMENT | {"sigma": 25})
    done = subprocess.run(command("all_tables"), cwd=folder, env=environment(folder), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        next(line for line in done.stderr.splitlines() if "unknown key 'sigma'; allowed: ablation, benchmarks" in line)
    ]


TRAININGS = {"paper": 3 + 1 + 6, "released_code": 3 + 1, "released": 1, "smoke": 3 + 1 + 2}
"""Trainings of denoisers that an experiment plans: its own, MLP's, and those of Table II."""


JUDGES = {"paper": 4, "released_code": 4, "released": 3, "smoke": 5}
"""Trainings of the networks that judge: three segmenters, CIFAR-100's classifier, and in the demo a detector."""


@pytest.mark.parametrize("experiment", TRAININGS)
def test_shipped_experiments_plan(tmp_path, experiment):
    shutil.copy(REPOSITORY / f"config/{experiment}.yaml", tmp_path / "experiment.yaml")
    output = run(tmp_path, "--dry-run", "all")
    assert output.count("rule train_denoiser:") == TRAININGS[experiment]
    has_ablation = experiment in ("paper", "smoke")
    assert output.count("rule table:") == 8 + has_ablation
    assert output.count("rule train_judge:") == JUDGES[experiment]
    assert output.count("rule train_convergence:") == 3 * has_ablation


def test_changing_one_recipe_trains_that_denoiser_only(tmp_path, data_root):
    (tmp_path / "data").symlink_to(data_root)
    small = {"recipe": "paper", "depth": 3, "features": 4, "patch": 16, "batch": 4, "steps": 2, "encoder": ENCODER}
    experiment = EXPERIMENT | {
        "denoisers": {name: {"method": name, "train": small} for name in ("cdncnn_b", "s_said", "u_said")},
        "benchmarks": {"voc_quality": {"sigmas": [25]}},
        "subsets": {"voc2012/val": "one.txt"},
        "ablation": {"denoiser": "u_said", "classes": [2, 21]},
    }
    (data_root / "one.txt").write_text("2012_001001\n")
    write_experiment(tmp_path, experiment)
    output = run(tmp_path, "table_2", "table_1")
    assert output.count("rule train_denoiser:") == 4
    weights = tmp_path / "results/tiny/weights"
    for name in ("cdncnn_b", "s_said", "u_said", "u_said_k2"):
        assert {f"{name}.safetensors", f"{name}.csv", f"{name}.json"} <= {path.name for path in weights.iterdir()}
    table = (tmp_path / "results/tiny/tables/table_2.csv").read_text()
    assert "2,25,u_said_k2,psnr," in table
    assert "2,25,u_said_k21,psnr," in table

    experiment["denoisers"]["s_said"]["train"] = small | {"steps": 3}
    write_experiment(tmp_path, experiment)
    output = run(tmp_path, "--dry-run", "table_2", "table_1")
    assert output.count("rule train_denoiser:") == 1
    assert planned_scores(tmp_path) == {"s_said"}


def test_judges_are_trained_and_a_missing_one_fails_its_own_scores_only(tmp_path, data_root):
    (tmp_path / "data").symlink_to(data_root)
    small = {"crop": 32, "batch": 2, "steps": 2, "optimizer": "adamw", "learning_rate": 0.001}
    segmenter = {"network": "pspnet", "encoder": ENCODER, "train": small}
    experiment = EXPERIMENT | {
        "denoisers": {"noisy": {"method": "noisy"}, "clean": {"method": "clean"}},
        "benchmarks": {
            "isic_segmentation": {"sigmas": [25], "segmenter": segmenter, "notes": ["two steps are no training"]},
            "coco_detection": {"sigmas": [25], "detector": {"network": "darknet:yolov3,weights/absent.weights"}},
        },
        "subsets": {},
    }
    write_experiment(tmp_path, experiment)
    output = run(tmp_path, "all_tables")
    assert output.count("rule train_judge:") == 1
    assert "coco_detection x clean" in output
    results = tmp_path / "results/tiny"
    weights = results / "weights"
    assert {f"isic_segmentation.{end}" for end in ("safetensors", "csv", "json")} <= {p.name for p in weights.iterdir()}
    assert not [*weights.glob("*.checkpoint.pt")]
    rows = (results / "tables/table_7.csv").read_text().splitlines()
    assert any(line.startswith("7,isic2018,clean,miou,0.") for line in rows)
    assert "7,deepglobe,noisy,miou,,0.1309,,,not in this experiment" in rows
    page = (results / "tables/table_7.md").read_text()
    assert "n = 8 of 100 images of isic2018, split val; sigma 25" in page
    for deviation in ("two steps are no training", "trained on 32 of the 2,594", "lite0 in place of resnet101"):
        assert deviation in page
    assert "weights/absent.weights: weights are missing" in (results / "tables/table_9.md").read_text()
    assert "isic_segmentation,miou_dataset,25,lesion,clean,0." in (results / "tables/classes.csv").read_text()
    assert planned_scores(tmp_path) == {"noisy", "clean"}  # the failed ones only, which are tried again
    assert run(tmp_path, "--dry-run", "all_tables").count("benchmark=isic_segmentation") == 0

    experiment["benchmarks"]["isic_segmentation"]["segmenter"]["train"]["steps"] = 3
    write_experiment(tmp_path, experiment)
    assert run(tmp_path, "--dry-run", "table_7").count("rule train_judge:") == 1


@pytest.mark.slow
def test_non_blind_methods_in_both_settings_and_without_a_package(folder):
    """Table IV: MLP is trained, MC-WNNM runs, and CBM3D, whose package is absent, is a dash with the reason."""
    (folder / "bm3d.py").write_text("raise ImportError('absent on purpose')")
    (folder / "own_denoiser.py").write_text(
        OWN_DENOISER
        + """
from dataclasses import replace
class Told(Scaled):
    facts = replace(FACTS["cdncnn_b"], title="Told", blind=False)
    def __call__(self, noisy, told_sigma=None):
        return noisy * (1 - told_sigma / 255)
"""
    )
    mlp = {"sigmas": [25], "hidden": [64], "input_side": 9, "output_side": 5, "batch": 64, "steps": 20}
    only = {"benchmarks": ["kodak_quality"]}
    experiment = EXPERIMENT | {
        "denoisers": {
            "noisy": {"method": "noisy"},
            "mlp": {"method": "mlp", "train": mlp, "options": {"stride": 5}, **only},
            "mc_wnnm": {
                "method": "mc_wnnm",
                "options": {"parameters": {"outer_iterations": 1}},
                "sigmas": [25],
                **only,
            },
            "cbm3d": {"method": "cbm3d", **only},
            "told": {"method": "own_denoiser:Told", "options": {"factor": 1}},
        },
        "benchmarks": {
            "kodak_quality": {"sigmas": [15, 25], "told_sigmas": ["oracle", 25]},
            "voc_quality": {"sigmas": [25], "subset": "val.txt"},
        },
    }
    (folder / "data/val.txt").write_text("\n".join(datasets.load("voc2012", folder / "data", "val").ids[:2]))
    write_experiment(folder, experiment)
    output = run(folder, "all_tables")
    scores = folder / "results/tiny/scores"
    assert sorted(path.stem for path in scores.glob("voc_quality/*.parquet")) == ["noisy", "told"]
    assert "needs the package bm3d (absent on purpose)" in output
    rows = read_scores(scores / "kodak_quality/told.parquet").rows
    assert (
        sorted(zip(rows["sigma"], rows["told_sigma"], strict=True)) == [(15, 15)] * 2 + [(15, 25)] * 2 + [(25, 25)] * 2
    )
    table = (folder / "results/tiny/tables/table_4.csv").read_text()
    ours = {tuple(line.split(",")[1:4]): line.split(",")[4] for line in table.splitlines()}
    assert ours["median_sigma/25", "mlp", "psnr"] == ours["oracle_sigma/25", "mlp", "psnr"] != ""
    assert ours["median_sigma/15", "told", "psnr"] != ours["oracle_sigma/15", "told", "psnr"]
    assert ours["oracle_sigma/25", "mc_wnnm", "psnr"] != ""
    assert ours["oracle_sigma/15", "mc_wnnm", "psnr"] == ours["oracle_sigma/25", "cbm3d", "psnr"] == ""
    page = (folder / "results/tiny/tables/table_4.md").read_text()
    assert "trained by this suite" in page
    assert "absent on purpose" in page
    assert "mlp" not in (folder / "results/tiny/tables/table_6.csv").read_text()
    curve = (folder / "results/tiny/weights/mlp.csv").read_text().splitlines()
    assert curve[0].startswith("sigma,step")
    assert "Nothing to be done" in run(folder, "table_6")
