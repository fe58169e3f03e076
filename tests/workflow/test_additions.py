"""One of each kind is added by one file and one registration, and seen in experiment, DAG, command line and table."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_runs import LOOKS, REPOSITORY, environment, made_once, planned, run, write_experiment

from usaid.datasets.miniature.writer import write_miniature
from usaid.scores.files import read_scores

ADDITIONS = REPOSITORY / "examples/additions"
FILES = ("added_method.py", "added_data_set.py", "added_judge.py", "added_metric.py")
"""What CONTRIBUTING.md shows, too."""

EXPERIMENT = {
    "experiment": "added",
    "data_root": "data",
    "subsets": {"kodak/all": "two.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {
        "noisy": {"method": "noisy"},
        "tiny": {"method": "tiny", "train": {"images": "dots/train", "steps": 30}},
    },
    "benchmarks": {
        "kodak_quality": {"sigmas": [25], "metrics": ["mae"]},
        "dots_brightness": {"sigmas": [25], "exposure": 2.0},
    },
}


def add_and_run(folder: Path) -> None:
    """Files and registrations of a package, as if it were installed, and a run of an experiment that uses them."""
    for name in FILES:
        shutil.copy(ADDITIONS / name, folder)
    information = folder / "added-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: added\nVersion: 1.0\n")
    shutil.copy(ADDITIONS / "entry_points.txt", information)
    write_miniature(folder / "data")
    (folder / "data/two.txt").write_text("kodim01\nkodim02\n")
    for split in ("train", "test"):
        (folder / "data/dots" / split).mkdir(parents=True)
        for number in (1, 2):
            shutil.copy(folder / f"data/kodak/kodim0{number}.png", folder / f"data/dots/{split}/dot{number}.png")
    write_experiment(folder, EXPERIMENT)
    (folder / "planned.txt").write_text("\n".join(planned(folder, "all")))
    run(folder, "all", "--set-threads", "score=1", "train_denoiser=1")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "added", add_and_run)


def usaid(folder: Path, *arguments: str) -> str:
    """What the command prints."""
    code = "import sys, usaid_cli; usaid_cli.main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment(REPOSITORY, folder), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def table_6(finished: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Cells of Table VI at sigma 25, by denoiser and metric."""
    with open(finished / "results/added/tables/table_6.csv", encoding="utf-8", newline="") as file:
        return {(row["denoiser"], row["metric"]): row for row in csv.DictReader(file) if row["group"] == "25"}


def test_the_dag_has_their_jobs(finished):
    jobs = set((finished / "planned.txt").read_text().splitlines())
    assert jobs == {
        *("data kodak", "data dots", "data voc2012", "fit_niqe", "train_denoiser tiny"),
        *(f"score {name}/{denoiser}" for name in EXPERIMENT["benchmarks"] for denoiser in EXPERIMENT["denoisers"]),
        *("table 3", "table 4", "table 6", "table 10_print", "table dots_brightness", "index"),
        *(f"statistics_page {name}" for name in EXPERIMENT["benchmarks"]),
        *("claims", *LOOKS),
    }


def test_a_method_is_a_column_and_a_metric_a_row_that_are_not_in_the_paper(finished):
    cells = table_6(finished)
    assert 0 < float(cells["tiny", "mae"]["ours"]) < 0.3
    assert float(cells["tiny", "psnr"]["ours"]) > 15
    for place in (("tiny", "mae"), ("tiny", "psnr"), ("noisy", "mae")):
        assert cells[place]["paper"] == ""
        assert "not in the paper" in cells[place]["note"]
    page = (finished / "results/added/tables/table_6.md").read_text()
    assert "MAE" in page
    assert "Tiny" in page
    assert "Tiny" in (finished / "results/added/tables/table_3.md").read_text()


def test_a_judge_has_scores_and_a_table_of_its_own(finished):
    scores = read_scores(finished / "results/added/scores/dots_brightness/noisy.parquet")
    assert scores.provenance["judge"]["exposure"] == 2.0
    assert scores.provenance["judge"]["code"], "the version of the evaluator"
    assert list(scores.rows.image_id) == ["dot1", "dot2"]
    with open(finished / "results/added/tables/table_dots_brightness.csv", encoding="utf-8", newline="") as file:
        cells = {row["denoiser"]: row for row in csv.DictReader(file)}
    assert list(cells) == ["noisy", "tiny"]
    assert float(cells["noisy"]["ours"]) == pytest.approx(scores.rows.brightness_mean.mean(), abs=5e-4)
    assert cells["noisy"]["group"] == "25"
    assert cells["noisy"]["paper"] == ""
    page = (finished / "results/added/tables/index.md").read_text()
    assert "**Benchmark dots_brightness.** Dots, split test; not in the paper." in page
    assert page.index("Table VI,") < page.index("Benchmark dots_brightness")


def test_the_command_line_knows_them(finished, tmp_path):
    keys = usaid(finished, "config", "keys")
    for name in ("dots_brightness", "exposure", "tiny", "`dots`"):
        assert name in keys, name
    assert "dots       test        2        2" in usaid(finished, "data", "status")
    (tmp_path / "data").symlink_to(finished / "data")
    for name in FILES:
        shutil.copy(finished / name, tmp_path)
    shutil.copytree(finished / "added-1.0.dist-info", tmp_path / "added-1.0.dist-info")
    shutil.copy(finished / "experiment.yaml", tmp_path)
    usaid(tmp_path, "train", "--denoiser", "tiny", "--set", "images=dots/train", "steps=10")
    judged = ["score", "experiment.yaml", "--benchmark", "dots_brightness", "--denoiser", "tiny"]
    usaid(tmp_path, *judged, "--weights", "results/tiny/weights/tiny.safetensors", "--output", "tiny.parquet")
    assert len(read_scores(tmp_path / "tiny.parquet").rows) == 2
    usaid(tmp_path, "table", "dots_brightness", "tiny.parquet", "--output", "tables")
    assert "Brightness" in (tmp_path / "tables/table_dots_brightness.tex").read_text()


def test_an_edit_reruns_their_own_jobs(finished, tmp_path):
    folder = tmp_path / "added"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("data"))
    (folder / "data").symlink_to(finished / "data")
    shutil.copytree(finished / "results/added/data", folder / "results/added/data")
    metric = folder / "added_metric.py"
    metric.write_text(metric.read_text().replace(".abs()", ".abs().abs()"))
    scores = {f"score kodak_quality/{name}" for name in ("noisy", "tiny")}
    assert planned(folder, "all") == scores | {
        *("table 4", "table 6", "statistics_page kodak_quality", "claims", "index", *LOOKS)
    }
