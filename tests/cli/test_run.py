"""``usaid run``: which command of Snakemake it becomes, and what it refuses in one line."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

import usaid_cli
import usaid_cli.run
from usaid.errors import UsaidError
from usaid_cli.arguments import experiment_files
from usaid_cli.run import snakemake_command

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
SNAKEMAKE = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(monkeypatch):
    """The command that a command line becomes, instead of it."""
    commands = []
    monkeypatch.setattr(os, "execv", lambda program, command: commands.append(command))

    def run(*arguments: str) -> list[str]:
        usaid_cli.main(["run", *arguments])
        return commands.pop()

    return run


def test_without_arguments_all_of_the_paper_on_all_cores(typed):
    assert typed() == [*SNAKEMAKE, "--cores", "all", "--configfile", str(CONFIG / "paper.yaml")]


def test_targets_and_options_are_handed_on_in_their_order(typed):
    rest = ["all_tables", "--cores", "4", "--config", "data_root=/data", "device=cpu", "-n", "claims"]
    assert typed(*rest, "--experiment", "smoke") == [*SNAKEMAKE, *rest, "--configfile", str(CONFIG / "smoke.yaml")]
    assert typed("--experiment", "smoke", "--dry-run", "all_tables")[5:9] == [
        "--cores",
        "all",
        "--dry-run",
        "all_tables",
    ]


@pytest.mark.parametrize("told", [["-c1"], ["-j", "2"], ["--cores=3"], ["--executor", "touch"], ["--jobs", "1"]])
def test_cores_that_are_told_are_not_told_again(told):
    assert snakemake_command([], told)[5 : 5 + len(told)] == told


def test_several_experiments_override_in_order(typed, folder):
    (folder / "mine.yaml").touch()
    command = typed("--experiment", "released", "mine.yaml", "--experiment", "smoke_all")
    assert command[-4:] == ["--configfile", str(CONFIG / "released.yaml"), "mine.yaml", str(CONFIG / "smoke_all.yaml")]


def test_a_file_counts_before_the_suites_name(folder):
    (folder / "released").write_text("experiment: own")
    assert experiment_files(["released"]) == [Path("released")]
    (folder / "released").unlink()
    (folder / "released").mkdir()
    assert experiment_files(["released"]) == [CONFIG / "released.yaml"], "a folder is no experiment"


def test_the_suites_file_may_be_named_by_its_path_in_the_suite(folder):
    assert experiment_files(["config/smoke.yaml"]) == [CONFIG / "smoke.yaml"]
    (folder / "config").mkdir()
    (folder / "config/smoke.yaml").touch()
    assert experiment_files(["config/smoke.yaml"]) == [Path("config/smoke.yaml")]


@pytest.mark.parametrize("name", ["relaesed", "mine2.yaml", "config/none.yaml", "../config/smoke", "", "usaid/x"])
def test_an_unknown_experiment_names_those_known(name):
    with pytest.raises(
        UsaidError, match=r"neither a file nor an experiment of the suite, which are mine, paper, .*subset$"
    ):
        experiment_files([name])


def test_a_target_behind_experiment_is_told_where_it_belongs(capsys):
    with pytest.raises(SystemExit, match=r"error: all_tables: neither .*; targets stand before --experiment$"):
        usaid_cli.main(["run", "--experiment", "smoke", "all_tables"])


@pytest.mark.parametrize("option", ["--snakefile", "-s", "--configfile", "--configfile=x.yaml"])
def test_options_that_it_sets_itself_are_refused(option):
    with pytest.raises(UsaidError, match=r"usaid run has this option of Snakemake's for itself; "):
        snakemake_command([], [option, "x"])


def without(monkeypatch, package: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))


SLURM = "executor slurm: package snakemake-executor-plugin-slurm is not installed; pip install 'usaid[cluster]'"


@pytest.fixture
def profiles(folder, monkeypatch) -> Path:
    """A suite whose profiles are of this test."""
    (folder / "suite/profiles/slurm").mkdir(parents=True)
    (folder / "suite/profiles/slurm/config.yaml").write_text("executor: slurm\njobs: 100\n")
    (folder / "suite/config").symlink_to(CONFIG)
    monkeypatch.setattr("usaid.suite_files.suite_folder", lambda: folder / "suite")
    return folder / "suite/profiles"


@pytest.mark.parametrize(
    "arguments", [["--profile", "slurm"], ["--profile=slurm"], ["--executor", "slurm"], ["-e", "slurm"]]
)
def test_a_cluster_without_its_plugin_is_one_line(profiles, monkeypatch, arguments):
    without(monkeypatch, "snakemake_executor_plugin_slurm")
    with pytest.raises(UsaidError) as error:
        snakemake_command(["smoke"], ["all_tables", *arguments])
    assert str(error.value) == SLURM


def test_an_executor_that_the_suite_does_not_know_is_installed_by_its_name():
    with pytest.raises(UsaidError, match=r"pip install snakemake-executor-plugin-of-nobody$"):
        snakemake_command([], ["--executor", "of-nobody"])


def test_a_profile_of_the_suite_by_name(profiles, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert snakemake_command([], ["--profile", "slurm", "x"])[5:8] == ["--profile", str(profiles / "slurm"), "x"]
    assert snakemake_command([], ["--profile=slurm"])[5] == f"--profile={profiles / 'slurm'}"
    assert snakemake_command([], ["--profile", "theirs"])[5:7] == ["--profile", "theirs"], "as Snakemake looks for it"
    Path("slurm").mkdir()
    assert snakemake_command([], ["--profile", "slurm"])[6] == "slurm", "a path of the user's counts"


def test_without_snakemake_it_is_one_line(monkeypatch):
    without(monkeypatch, "snakemake")
    with pytest.raises(UsaidError, match=r"^package snakemake is not installed; pip install snakemake$"):
        snakemake_command([], [])
