"""The DAG on a few small images: tables come out, reruns are exact, kills and failures leave nothing half done."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake_runs import (
    ENCODER,
    LOOKS,
    REPOSITORY,
    command,
    environment,
    kill_after_rows,
    made_once,
    planned,
    run,
    write_experiment,
)

from evaluators.run.report import seen_run
from evaluators.run.status_line import ERASE
from usaid.datasets.miniature.writer import write_miniature
from usaid.scores.files import read_scores

OWN_DENOISERS = '''
import time
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.training.loop import finish


class Scaled(Denoiser):
    facts = Facts("Scaled", True, False, False, False, "MIT", "none")
    def __init__(self, factor, seconds=0.0):
        self.factor, self.seconds = factor, seconds
    def __call__(self, noisy, told_sigma=None):
        time.sleep(self.seconds)
        return noisy * self.factor


class Told(Scaled):
    facts = replace(Scaled.facts, title="Told", blind=False)
    def __call__(self, noisy, told_sigma=None):
        return noisy * (1 - told_sigma / 255)


class Weighted(Scaled):
    def __init__(self, weights):
        super().__init__(float(Path(weights).read_text()))


class Learnt(Scaled):
    def __init__(self, weights):
        super().__init__(float(load_file(weights)["bias"]))
    @staticmethod
    def train(samples, recipe, run):
        network = torch.nn.Linear(1, 1)
        network.bias.data.fill_(recipe.factor * len(list(samples)))
        run.curve.write_text("step,loss\\n")
        finish(run, network, {"images": recipe.images})


class Dividing(Scaled):
    """By zero, on a black pixel of one image."""
    def __init__(self):
        super().__init__(1)
    def __call__(self, noisy, told_sigma=None):
        output = noisy.clone()
        output[0, 0, 0, 0] = torch.nan
        return output
'''

ON_KODAK, ON_VOC = {"benchmarks": ["kodak_quality"]}, {"benchmarks": ["voc_quality"]}

SMALL = {"recipe": "paper", "depth": 3, "features": 4, "patch": 16, "batch": 4, "steps": 2, "encoder": ENCODER}

QUICK = {"outer_iterations": 1, "admm_iterations": 1, "group": 20, "window": 6, "step": 6}
"""Parameters of MC-WNNM that take a second an image."""

EXPERIMENT: dict[str, Any] = {
    "experiment": "tiny",
    "data_root": "data",
    "subsets": {"kodak/all": "two.txt", "voc2012/val": "one.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {
        "noisy": {"method": "noisy"},
        "clean": {"method": "clean", "benchmarks": ["kodak_quality", "isic_segmentation"]},
        **{name: {"method": name, "train": SMALL, **ON_VOC} for name in ("cdncnn_b", "s_said", "u_said")},
        "mlp": {
            "method": "mlp",
            "train": {
                "sigmas": [25], "hidden": [64], "input_side": 9, "output_side": 5, "batch": 64, "steps": 20
            },
            "options": {"stride": 5},
            **ON_KODAK,
        },
        "mc_wnnm": {
            "method": "mc_wnnm", "options": {"parameters": QUICK}, "sigmas": [25], **ON_KODAK
        },
        "cbm3d": {"method": "cbm3d", **ON_KODAK},
        "halved": {
            "method": "own_denoisers:Scaled", "title": "Halved_1", "options": {"factor": 0.5}, **ON_KODAK
        },
        "told": {"method": "own_denoisers:Told", "options": {"factor": 1}, **ON_KODAK},
        "weighted": {"method": "own_denoisers:Weighted", "weights": "factor.txt", **ON_KODAK},
        "learnt": {"method": "own_denoisers:Learnt", "train": {"images": "kodak/all", "factor": 0.25}, **ON_KODAK},
        "without_weights": {"method": "own_denoisers:Weighted", "weights": "absent.txt", **ON_KODAK},
        "of_another_hash": {
            "method": "own_denoisers:Weighted", "weights": "factor.txt", "sha256": "0" * 64, **ON_KODAK
        },
        "dividing": {"method": "own_denoisers:Dividing", **ON_KODAK},
        "absent": {"method": "no_such_module:Denoiser", **ON_KODAK},
    },
    "benchmarks": {
        "kodak_quality": {"sigmas": [15, 25], "told_sigmas": ["oracle", 25]},
        "voc_quality": {"sigmas": [25]},
        "isic_segmentation": {
            "sigmas": [25],
            "segmenter": {
                "network": "pspnet",
                "encoder": ENCODER,
                "train": {"crop": 32, "batch": 2, "steps": 2, "optimizer": "adamw", "learning_rate": 0.001},
            },
            "notes": ["two steps are no training"],
        },
        "coco_detection": {"sigmas": [25], "detector": {"network": "darknet:yolov3,weights/absent.weights"}},
    },
    "ablation": {"denoiser": "u_said", "classes": [2, 21]},
}  # fmt: skip

SIDE_BY_SIDE = ("score=1", "train_denoiser=1", "train_judge=1")
"""Threads of rules, so that their jobs run side by side on two cores."""

FAILED = {
    *(f"score kodak_quality/{name}" for name in ("cbm3d", "without_weights", "of_another_hash", "dividing", "absent")),
    "score coco_detection/noisy",
}
"""What is tried again by every run."""


ENDS = ("csv", "html", "json", "md", "tex")
"""Of a table's files."""


def copy_of(value: Any) -> Any:
    """That may be changed."""
    return json.loads(json.dumps(value))


def set_up(folder: Path) -> None:
    """Write generated data with lists of ids, and denoisers of the user's own."""
    write_miniature(folder / "data")
    (folder / "data/two.txt").write_text("kodim01\nkodim02\n")
    (folder / "data/one.txt").write_text("2012_001001\n")
    (folder / "data/factor.txt").write_text("0.5")
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    (folder / "bm3d.py").write_text("raise ImportError('absent on purpose')")


def times_of_data(folder: Path) -> dict[str, int]:
    files = [path for path in (folder / "data").rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def run_all(folder: Path) -> None:
    """One run that many tests look at."""
    set_up(folder)
    write_experiment(folder, EXPERIMENT)
    (folder / "times.json").write_text(json.dumps(times_of_data(folder)))
    (folder / "output.txt").write_text(run(folder, "all", "--set-threads", *SIDE_BY_SIDE, fails=True))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole experiment was run. Only to be read."""
    return made_once(tmp_path_factory, "tiny", run_all)


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished folder, for further runs; its data are those of the original."""
    shutil.copytree(finished, tmp_path / "tiny", ignore=shutil.ignore_patterns("data"))
    (tmp_path / "tiny/data").symlink_to(finished / "data")
    shutil.copytree(finished / "results/tiny/data", tmp_path / "tiny/results/tiny/data")
    return tmp_path / "tiny"


def table(finished: Path, number: int) -> dict[tuple[str, str, str], dict[str, str]]:
    """The cells of a table by group, denoiser and metric."""
    with open(finished / f"results/tiny/tables/table_{number}.csv", encoding="utf-8", newline="") as file:
        return {(row["group"], row["denoiser"], row["metric"]): row for row in csv.DictReader(file)}


def page(finished: Path, name: str) -> str:
    return (finished / f"results/tiny/tables/{name}.md").read_text(encoding="utf-8")


class TestFinished:
    """What one run of everything left."""

    def test_tables_in_all_formats_with_the_papers_numbers_and_how_many_images(self, finished):
        tables = finished / "results/tiny/tables"
        names = {path.name for path in tables.iterdir()}
        assert {f"table_{n}.{end}" for n in (1, 2, 3, 4, 6, 7, 9) for end in ENDS} <= names
        header = (tables / "table_6.csv").read_text().splitlines()[0]
        assert header == "table,group,denoiser,metric,ours,low,high,paper,delta,n,verdict,reason,note"
        noisy = table(finished, 6)["25", "noisy", "psnr"]
        assert abs(float(noisy["ours"]) - 20.17) < 0.2  # 20 log10(255 / 25), the borders of [0, 1] aside
        assert "n = 2 of 24" in page(finished, "table_6")

    def test_every_benchmark_has_statistics_which_say_who_failed(self, finished):
        names = {path.name for path in (finished / "results/tiny/statistics").iterdir()}
        assert names == {f"{name}.{end}" for name in EXPERIMENT["benchmarks"] for end in ("csv", "html", "md")}
        with open(finished / "results/tiny/statistics/kodak_quality.csv", encoding="utf-8", newline="") as file:
            rows = [
                row
                for row in csv.DictReader(file)
                if (row["table"], row["group"], row["metric"]) == ("6", "25", "psnr")
            ]
        found = {(row["denoiser"], row["other"]): row for row in rows}
        assert found["halved", "noisy"]["units"] == "images=2"
        assert found["halved", "noisy"]["verdict"] in ("differ", "no difference found")
        assert found["absent", "noisy"]["verdict"] == "not testable"
        assert "no_such_module" in found["absent", "noisy"]["reason"]
        assert "(../statistics/kodak_quality.md)" in page(finished, "index")

    def test_files_of_data_root_are_as_they_were(self, finished):
        """Snakemake deletes outputs before it makes them again: nothing in an official data_root may be one."""
        assert times_of_data(finished) == json.loads((finished / "times.json").read_text())

    def test_every_training_leaves_weights_curve_and_record(self, finished):
        names = {path.name for path in (finished / "results/tiny/weights").iterdir()}
        trained = ("cdncnn_b", "s_said", "u_said", "u_said_k2", "mlp", "learnt", "isic_segmentation")
        expected = {f"{name}.{end}" for name in trained for end in ("safetensors", "csv", "json")}
        assert names == expected | {"niqe_fitted.npz"}, "no checkpoint is left"
        mlp = (finished / "results/tiny/weights/mlp.csv").read_text()
        assert mlp.startswith("sigma,step")

    def test_table_ii_has_a_column_for_each_number_of_classes(self, finished):
        assert {denoiser for _, denoiser, _ in table(finished, 2)} >= {"u_said_k2", "u_said_k21"}
        assert table(finished, 2)["25", "u_said_k2", "psnr"]["ours"]
        assert (
            table(finished, 2)["25", "u_said_k21", "psnr"]["ours"] == table(finished, 1)["25", "u_said", "psnr"]["ours"]
        )

    def test_a_judge_is_trained_and_a_missing_one_fails_its_own_scores_only(self, finished):
        assert "score coco_detection/noisy failed: " in (finished / "output.txt").read_text()
        assert table(finished, 7)["isic2018", "clean", "miou"]["ours"].startswith("0.")
        assert table(finished, 7)["deepglobe", "noisy", "miou"]["note"] == "not in this experiment"
        text = page(finished, "table_7")
        assert "n = 8 of 100 images of isic2018, split val; sigma 25" in text
        for deviation in ("two steps are no training", "trained on 32 of the 2,594", "lite0 in place of resnet101"):
            assert deviation in text
        assert "weights/absent.weights: weights are missing" in page(finished, "table_9")
        classes = (finished / "results/tiny/tables/classes.csv").read_text()
        assert "isic_segmentation,miou_dataset,25,lesion,clean,0." in classes

    def test_non_blind_methods_are_told_what_table_iv_says(self, finished):
        rows = read_scores(finished / "results/tiny/scores/kodak_quality/told.parquet").rows
        told = sorted(zip(rows["sigma"], rows["told_sigma"], strict=True))
        assert told == [(15, 15)] * 2 + [(15, 25)] * 2 + [(25, 25)] * 2
        ours = {place: cell["ours"] for place, cell in table(finished, 4).items()}
        assert ours["median_sigma/25", "mlp", "psnr"] == ours["oracle_sigma/25", "mlp", "psnr"] != ""
        assert ours["median_sigma/15", "told", "psnr"] != ours["oracle_sigma/15", "told", "psnr"]
        assert ours["oracle_sigma/25", "mc_wnnm", "psnr"] != ""
        assert ours["oracle_sigma/15", "mc_wnnm", "psnr"] == ours["oracle_sigma/25", "cbm3d", "psnr"] == ""
        assert "trained by this suite" in page(finished, "table_4")
        assert not {denoiser for _, denoiser, _ in table(finished, 6)} & {"mlp", "mc_wnnm", "cbm3d"}

    def test_own_classes_get_their_weights_as_a_path_or_train_themselves(self, finished):
        ours = {name: table(finished, 6)["25", name, "psnr"]["ours"] for name in ("halved", "weighted", "learnt")}
        assert len(set(ours.values())) == 1, "0.5, from an option, from a file, and 0.25 for each of two images"
        record = json.loads((finished / "results/tiny/weights/learnt.json").read_text())
        assert record["training"]["images"] == "kodak/all"
        assert "Halved_1" in page(finished, "table_6")
        assert {denoiser for _, denoiser, _ in table(finished, 3)} >= {"halved", "told", "learnt"}

    @pytest.mark.parametrize(
        ("denoiser", "reasons"),
        [
            ("dividing", ["dividing", "kodim01", "not finite"]),
            ("without_weights", ["data/absent.txt: weights are missing"]),
            ("of_another_hash", ["data/factor.txt: SHA-256 is", "expected 000"]),
            ("absent", ["no_such_module:Denoiser", "cannot be imported"]),
            ("cbm3d", ["needs the package bm3d (absent on purpose)"]),
        ],
    )
    def test_a_failure_is_a_dash_with_its_reason_in_its_own_column(self, finished, denoiser, reasons):
        cells = {place[1:]: cell for place, cell in table(finished, 4).items() if place[0] == "oracle_sigma/25"}
        assert {cells[denoiser, metric]["ours"] for metric in ("psnr", "niqe")} == {""}
        assert "" not in {cells[name, metric]["ours"] for name in ("noisy", "halved") for metric in ("psnr", "niqe")}
        note = cells[denoiser, "psnr"]["note"]
        failed = f"  score kodak_quality/{denoiser} failed: "
        (line,) = (line for line in (finished / "output.txt").read_text().splitlines() if line.startswith(failed))
        assert f"(log: results/tiny/logs/scores/kodak_quality/{denoiser}.log)" in line
        for reason in reasons:
            assert reason in note
            assert reason in line


class TestReruns:
    """What a further run does."""

    def test_only_failures_are_tried_again(self, folder):
        jobs = planned(folder, "all")
        statistics = {"statistics_page kodak_quality", "statistics_page coco_detection"}
        assert jobs == FAILED | statistics | LOOKS | {"table 4", "table 6", "table 9", "classes", "claims", "index"}
        for file in ("scores/kodak_quality/noisy.parquet", "tables/table_1.csv"):
            assert (folder / "results/tiny" / file).exists()

    def test_a_changed_entry_reruns_its_denoiser_only(self, folder):
        changed = copy_of(EXPERIMENT)
        changed["denoisers"]["halved"]["options"]["factor"] = 0.6
        changed["denoisers"]["mine_too"] = {"method": "noisy", **ON_KODAK}
        changed["denoisers"]["s_said"]["train"]["steps"] = 3
        changed["benchmarks"]["isic_segmentation"]["segmenter"]["train"]["steps"] = 3
        write_experiment(folder, changed)
        jobs = planned(folder, "all")
        assert {job for job in jobs if not job.startswith("table ")} - FAILED == {
            *("score kodak_quality/halved", "score kodak_quality/mine_too"),
            *("train_denoiser s_said", "score voc_quality/s_said"),
            *("train_judge isic_segmentation", "score isic_segmentation/noisy", "score isic_segmentation/clean"),
            *(f"statistics_page {name}" for name in EXPERIMENT["benchmarks"]),
            *("classes", "claims", "index", *LOOKS),
        }
        assert {job for job in jobs if job.startswith("table ")} == {f"table {number}" for number in (1, 4, 6, 7, 9)}

    def test_a_failed_score_is_made_when_its_cause_is_gone(self, folder):
        experiment = copy_of(EXPERIMENT)
        experiment["benchmarks"] = {"kodak_quality": experiment["benchmarks"]["kodak_quality"]}
        experiment["denoisers"] = {"noisy": {"method": "noisy"}, "later": {"method": "clean"}}
        del experiment["ablation"]
        write_experiment(folder, experiment)
        data = (folder / "data").resolve()
        (folder / "data").unlink()
        shutil.copytree(data, folder / "data")
        image = folder / "data/kodak/kodim02.png"
        whole = image.read_bytes()
        image.write_bytes(whole[:500])
        assert "kodim02.png: does not decode as an image" in run(folder, "table_6", fails=True)
        image.write_bytes(whole)
        run(folder, "table_6")
        scores = read_scores(folder / "results/tiny/scores/kodak_quality/later.parquet")
        assert scores.provenance["failure"] is None
        assert len(scores.rows) == 4


def test_kill_9_in_mid_score_and_rerun_is_whole(tmp_path):
    slow = copy_of(EXPERIMENT)
    slow["benchmarks"] = {"kodak_quality": {"sigmas": [25]}}
    slow["subsets"] = {}
    options = {"factor": 0.5, "seconds": 1}
    slow["denoisers"] = {"halved": EXPERIMENT["denoisers"]["halved"] | {"options": options}}
    del slow["ablation"]
    set_up(tmp_path)
    write_experiment(tmp_path, slow)
    data = times_of_data(tmp_path)
    scores = "results/tiny/scores/kodak_quality/halved.parquet"
    kill_after_rows(tmp_path, scores, 2)
    assert not (tmp_path / scores).exists()
    seen = seen_run(tmp_path / "results/tiny")
    assert (seen.how, seen.record.folder) == ("killed", str(tmp_path))
    assert [job.job.rule for job in seen.sight.of("waiting", "running")] == ["score"]
    end = run(tmp_path, scores)
    assert re.search(r"1 job; see it from another terminal with: \S*usaid progress results/tiny\n", end)
    assert ERASE not in end, "here is no terminal"
    seen = seen_run(tmp_path / "results/tiny")
    assert (seen.how, [job.how for job in seen.sight.jobs]) == ("done", ["made"])
    whole = read_scores(tmp_path / scores)
    assert list(whole.rows.image_id) == [f"kodim{i:02d}" for i in range(1, 7)]
    assert 0 < whole.provenance["pixels"] <= 4 * 288 * 192  # at least two images came from before the kill

    slow["denoisers"]["halved"]["options"]["seconds"] = 0
    write_experiment(tmp_path, slow)
    run(tmp_path, scores, "--forceall")
    assert times_of_data(tmp_path) == data, "nothing in an official data_root is ever made again"


def error_of(folder: Path, *arguments: str) -> str:
    """The one line that a refused run prints."""
    done = subprocess.run(
        command(*arguments), cwd=folder, env=environment(REPOSITORY, folder), capture_output=True, text=True
    )
    assert done.returncode == 1
    using_profile, line = done.stderr.strip().splitlines()
    assert "profiles/default" in using_profile
    return line


def test_a_wrong_key_is_one_line(tmp_path):
    write_experiment(tmp_path, EXPERIMENT | {"sigma": 25})
    assert error_of(tmp_path, "all_tables").startswith("error: experiment: unknown key 'sigma'")


def test_a_key_that_stands_twice_is_one_line(tmp_path):
    """Snakemake's own reader takes the last of them without a word."""
    write_experiment(tmp_path, EXPERIMENT)
    with open(tmp_path / "experiment.yaml", "a", encoding="utf-8") as file:
        file.write("niqe: niqe_live\n")
    assert "key 'niqe' stands there and in line" in error_of(tmp_path, "all_tables")


TRAININGS = {"paper": 3 + 1 + 6, "released_code": 3 + 1, "released": 1, "smoke": 3 + 1 + 2 + 3}
"""Trainings of denoisers that an experiment plans: its own, MLP's, those of Table II, and the demo's U-Nets."""


JUDGES = {"paper": 5, "released_code": 4, "released": 5, "smoke": 6}
"""Trainings of the networks that judge: three segmenters, CIFAR-100's classifier, in the demo a detector, and
but for one the segmenter of Table V's variant."""

VARIANTS = {"paper": 2, "released_code": 0, "released": 2, "smoke": 1}
"""Tables of benchmarks that are there a second time."""


@pytest.mark.parametrize("experiment", TRAININGS)
def test_shipped_experiments_plan(tmp_path, experiment):
    shutil.copy(REPOSITORY / f"config/{experiment}.yaml", tmp_path / "experiment.yaml")
    rules = [job.split()[0] for job in planned(tmp_path, "all")]
    has_ablation = "ablation" in yaml.safe_load((tmp_path / "experiment.yaml").read_text())
    assert rules.count("train_denoiser") == TRAININGS[experiment]
    assert rules.count("table") == 10 + has_ablation + VARIANTS[experiment]
    assert rules.count("score_draws") == (0 if experiment == "smoke" else 3 * 3)
    assert sum(rule.startswith("score_") and rule != "score_draws" for rule in rules) == 6 * (experiment == "smoke")
    assert rules.count("train_judge") == JUDGES[experiment]
    assert rules.count("train_convergence") == 3 * has_ablation


def test_a_null_in_a_later_file_removes_an_entry(tmp_path):
    shutil.copy(REPOSITORY / "config/paper.yaml", tmp_path / "experiment.yaml")
    benchmarks = "{coco_detection: null, coco_detection_stored: null}"
    (tmp_path / "less.yaml").write_text(f"benchmarks: {benchmarks}\nablation: null\ndenoisers: {{mlp: null}}\n")
    jobs = planned(tmp_path, "all", configs=("experiment.yaml", "less.yaml"))
    assert "table 8" in jobs
    assert not [job for job in jobs if "coco" in job or "mlp" in job or "_k1" in job or job in ("table 2", "table 9")]
