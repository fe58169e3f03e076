"""The wheel: the suite without its checkout, installed in a folder of its own and run from an empty one."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from snakemake_runs import made_once

ROOT = Path(__file__).parents[1]


def build(folder: Path) -> None:
    """Build the wheel from a copy, since building writes beside the sources, and unpack it as pip does."""
    source = folder / "source"
    for name in ("usaid", "evaluators", "usaid_cli"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_dir() and path.name in ("config", "envs", "examples", "profiles", "workflow"):
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    scores = "results/reference/released/scores"
    shutil.copytree(ROOT / scores, source / scores)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-index"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*pip, *options], check=True, capture_output=True)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """What is installed."""
    return made_once(tmp_path_factory, "wheel", build) / "installed"


def usaid(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder."""
    environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "usaid_cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def files_below(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)) for path in paths}


@pytest.mark.parametrize("folder", ["config", "examples", "profiles", "workflow"])
def test_it_has_what_a_checkout_has_beside_the_packages(installed, folder):
    there = files_below(ROOT / folder)
    assert there
    assert files_below(installed / "usaid/suite" / folder) == there


def test_it_has_the_front_door_the_locks_and_the_scores_to_compare_with(installed):
    suite = installed / "usaid/suite"
    for name in ("Snakefile", "envs/run.lock", "envs/suite.yaml", "envs/suite.post-deploy.sh"):
        assert (suite / name).read_bytes() == (ROOT / name).read_bytes()
    assert (suite / "results/reference/released/scores/kodak_quality/u_said.parquet").is_file()


def test_it_brings_no_folder_of_another_name_and_says_that_it_is_typed(installed):
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {
        "usaid",
        "usaid_cli",
        "evaluators",
    }
    assert all((installed / package / "py.typed").is_file() for package in ("usaid", "usaid_cli", "evaluators"))


TINY = """
experiment: tiny
data_root: results/tiny/miniature
data_source: miniature
niqe: niqe_fitted
score_jobs: data_set
denoisers:
  mine: {method: "examples/function.py:smooth"}     # of the suite: the working folder has none
  u_said: {method: u_said, scores_from: released}
benchmarks: {kodak_quality: {sigmas: [25]}}
"""


@pytest.mark.slow
def test_it_runs_from_an_empty_folder(installed, tmp_path):
    before = files_below(installed)
    (tmp_path / "tiny.yaml").write_text(TINY)
    ran = usaid(installed, tmp_path, "run", "table_6", "--experiment", "tiny.yaml", "--cores", "1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = (tmp_path / "results/tiny/tables/table_6.md").read_text(encoding="utf-8")
    assert " Mine |" in table or " mine |" in table
    assert "U-SAID" in table
    assert files_below(installed) == before, "the package stays as it was"


def test_the_suites_experiments_are_right_from_an_empty_folder(installed, tmp_path):
    config = installed / "usaid/suite/config"
    for files in (["smoke.yaml", "smoke_all.yaml"], ["reference_table_4.yaml"], ["mine.yaml"]):
        checked = usaid(installed, tmp_path, "config", "check", *(str(config / file) for file in files))
        assert checked.returncode == 0, checked.stderr
    unknown = usaid(installed, tmp_path, "run", "--experiment", "mien")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(
        "error: mien: neither a file nor an experiment of the suite, which are mine, paper,"
    )
    assert unknown.stderr.count("\n") == 1


def test_the_demos_own_network_is_found_from_an_empty_folder(installed, tmp_path):
    program = (
        "from usaid.registries import load_object\n"
        "print(load_object('examples/small_unet.py:SmallUNet').__name__)\n"
        "from evaluators.dag.code import list_of_ids\n"
        "print(*list_of_ids('data', 'config/subsets/kodak_4.txt'))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["SmallUNet", str(installed / "usaid/suite/config/subsets/kodak_4.txt")]
