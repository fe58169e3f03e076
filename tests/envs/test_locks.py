"""The three locks: each has the smaller one in it, and what a user of the demo installs is free code."""

import importlib.metadata
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("run", "extras", "development")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


@cache
def pinned(lock: str) -> dict[str, set[str]]:
    """Package -> its versions; a universal lock has several where Pythons or machines differ."""
    packages: dict[str, set[str]] = {}
    text = (ROOT / f"envs/{lock}.lock").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([a-z0-9.-]+)==([^ ]+)", text, flags=re.MULTILINE):
        packages.setdefault(name, set()).add(version)
    return packages


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(*extras: str) -> set[str]:
    """Packages that pyproject.toml asks for with some extras, and with those that these name."""
    names = set()
    for requirement in (*PROJECT["dependencies"], *(each for extra in extras for each in EXTRAS[extra])):
        name, of_it = re.match(r"([A-Za-z0-9_.-]+)(?:\[(.*?)\])?", requirement).groups()
        names |= required(*of_it.split(",")) if name == "usaid" else {normal(name)}
    return names


@pytest.mark.parametrize(("smaller", "larger"), [("run", "extras"), ("extras", "development")])
def test_each_lock_has_the_smaller_one_in_the_same_versions(smaller, larger):
    assert pinned(smaller).items() <= pinned(larger).items()
    assert pinned(smaller).keys() < pinned(larger).keys()


@pytest.mark.parametrize("lock", NAMES)
def test_every_package_has_hashes(lock):
    text = (ROOT / f"envs/{lock}.lock").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE) if entry]
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text, "no address of a registry"


@pytest.mark.parametrize(
    ("lock", "extras"), [("run", ("run",)), ("extras", ("all",)), ("development", ("all", "test", "docs"))]
)
def test_a_lock_has_what_pyproject_asks_for(lock, extras):
    assert required(*extras) <= pinned(lock).keys()


def test_all_has_every_extra_but_those_of_developers():
    wanted = required(*(set(EXTRAS) - {"all", "docs", "test"}))
    assert required("all") == wanted
    assert {"bm3d", "pyiqa", "ultralytics", "onnxruntime", "h5py", "snakemake-executor-plugin-slurm"} <= wanted


NOT_FREE = {"ultralytics", "bm3d", "bm4d", "pyiqa"}


def test_the_demo_installs_no_package_that_is_not_free():
    assert not NOT_FREE & pinned("run").keys()
    assert pinned("extras").keys() >= NOT_FREE
    assert not {"pytest", "ruff"} & pinned("run").keys()
    assert not {"mypy", "mkdocs"} & pinned("extras").keys(), "of developers; pyiqa asks for pytest and ruff by itself"


def licence_of(package: str) -> str:
    """What a package's metadata say of its licence; its text counts where they have no name for it."""
    about = importlib.metadata.metadata(package)
    named = [about.get("License-Expression"), *(about.get_all("Classifier") or ())]
    return " ".join([str(about.get("License"))[:500], *(text for text in named if text)])


def test_no_licence_of_the_demo_s_packages_is_agpl_or_forbids_commercial_use():
    read = 0
    for package in pinned("run"):
        try:
            licence = licence_of(package)
        except importlib.metadata.PackageNotFoundError:  # of another system, or another Python
            continue
        read += 1
        assert not re.search(r"affero|agpl|non-?commercial", licence, flags=re.IGNORECASE), f"{package}: {licence}"
    assert read > 80
    assert re.search("agpl", licence_of("ultralytics"), flags=re.IGNORECASE), "the metadata tell"


def test_the_python_versions_that_are_stated_are_those_of_the_locks():
    stated = {text.split(" :: ")[-1] for text in PROJECT["classifiers"] if "Python :: 3." in text}
    assert stated == {"3.11", "3.12", "3.13"}
    assert PROJECT["requires-python"] == ">=3.11"
    assert "--universal --python-version 3.11" in (ROOT / "envs/lock.sh").read_text(encoding="utf-8")
