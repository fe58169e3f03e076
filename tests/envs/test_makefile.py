"""The Makefile's commands: what each installs, once; and the environments that type the same."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def made(folder: Path, *targets: str) -> list[str]:
    """What make would type."""
    result = subprocess.run(
        ["make", "--dry-run", "--file", str(ROOT / "Makefile"), *targets],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return result.stdout.splitlines()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A checkout as far as make looks at it, in which nothing is installed."""
    (tmp_path / "envs").mkdir()
    for name in ("pyproject.toml", "envs/run.lock", "envs/extras.lock", "envs/development.lock"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1e9, 1e9))
    return tmp_path


def installed(lines: list[str]) -> list[str]:
    return re.findall(r"--require-hashes -r envs/(\w+)\.lock", "\n".join(lines))


@pytest.mark.parametrize(
    ("target", "lock"),
    [
        ("demo", "run"), ("subset", "run"), ("demo-all", "extras"),
        ("reference", "extras"), ("reference-continue", "extras"),
        ("test", "development"), ("check", "development"), ("docs", "development"), ("bench", "development"),
    ],
)  # fmt: skip
def test_a_command_installs_its_lock_and_the_suite(folder, target, lock):
    lines = made(folder, target)
    assert installed(lines) == [lock]
    assert len([line for line in lines if line.endswith("--no-deps --no-build-isolation --editable .")]) == 1


def touched(lines: list[str]) -> list[str]:
    return next(line for line in lines if line.startswith("touch")).split()[1:]


def test_nothing_is_installed_twice_and_a_larger_lock_counts_as_the_smaller_ones(folder):
    (folder / ".venv").mkdir()
    for target, adds in (("demo", ["run"]), ("demo", []), ("test", ["development"]), ("check", []), ("demo-all", [])):
        lines = made(folder, target)
        assert installed(lines) == adds
        for stamp in touched(lines) if adds else ():
            (folder / stamp).touch()


def test_a_new_lock_is_installed(folder):
    (folder / ".venv").mkdir()
    for stamp in touched(made(folder, "test")):
        (folder / stamp).touch()
    os.utime(folder / "envs/extras.lock", (4e9, 4e9))
    assert installed(made(folder, "demo", "demo-all")) == ["extras"]


def test_the_demo_asks_for_no_package_that_is_not_free(folder):
    (run,) = (line for line in made(folder, "demo") if "snakemake" in line)
    (run_all,) = (line for line in made(folder, "demo-all") if "snakemake" in line)
    assert run.endswith("--configfile config/smoke.yaml")
    assert run_all.endswith("--configfile config/smoke.yaml config/smoke_all.yaml")


# ------------------------------------------------------------------------------------------------ conda, containers

INSTALLS = (
    r"python -m pip install (?:--quiet |--no-cache-dir )*--require-hashes -r (?:\S*envs/.+\.lock|\$<)",
    r"python -m pip install (?:--quiet |--no-cache-dir )*--no-deps --no-build-isolation --editable \S+",
)


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "envs/usaid.def", "envs/suite.post-deploy.sh"])
def test_every_environment_installs_a_lock_with_hashes_then_the_suite(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    packages, suite = (re.search(pattern, text) for pattern in INSTALLS)
    assert packages.start() < suite.start()
    assert {lock for lock in re.findall(r"(\w+)\.lock", text) if lock != "LOCK"} <= {"run", "extras", "development"}


def test_containers_copy_what_is_there():
    definition = (ROOT / "envs/usaid.def").read_text(encoding="utf-8")
    copied = re.findall(r"^    (\S+) /usaid/(\S+)$", definition, flags=re.MULTILINE)
    assert len(copied) > 10
    assert [there for there, place in copied if place != there or not (ROOT / there).exists()] == []
    packaged = {path.split("/")[0] for path in re.findall(r'^    "(\S+)",$', (ROOT / "setup.py").read_text(), re.M)}
    assert packaged <= {there.split("/")[0] for there, _ in copied}


@pytest.mark.parametrize("name", ["Dockerfile", "envs/usaid.def", "envs/suite.yaml"])
def test_what_was_not_tried_says_so_at_once(name):
    top = (ROOT / name).read_text(encoding="utf-8").splitlines()[:3]
    assert re.search("[Nn]ot (built|tried) where this was written", " ".join(top))


FAKE_PIP = '#!/bin/sh\necho "python $*" >> "$CALLS"\n'


@pytest.mark.parametrize("is_checkout", [True, False])
def test_conda_installs_the_suite_that_runs(tmp_path, is_checkout):
    """Snakemake runs a copy of the script in the working folder: nothing in it may depend on where it is."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(FAKE_PIP)
    (tmp_path / "bin/python").chmod(0o755)
    copy = tmp_path / "copy.sh"
    copy.write_bytes((ROOT / "envs/suite.post-deploy.sh").read_bytes())
    suite = ROOT if is_checkout else tmp_path
    names = {"USAID_SUITE": str(suite), "USAID_VERSION": "1.2", "CALLS": str(tmp_path / "calls")}
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["bash", str(copy)], cwd=tmp_path, check=True, env=os.environ | names | {"PATH": path})
    packages, itself = (tmp_path / "calls").read_text().splitlines()
    assert packages == f"python -m pip install --quiet --require-hashes -r {suite}/envs/extras.lock"
    wanted = f"--no-build-isolation --editable {ROOT}" if is_checkout else "usaid==1.2"
    assert itself == f"python -m pip install --quiet --no-deps {wanted}"


def test_conda_s_environment_has_python_and_its_script_has_the_name_that_snakemake_looks_for():
    environment = yaml.safe_load((ROOT / "envs/suite.yaml").read_text(encoding="utf-8"))
    assert environment["dependencies"] == ["python =3.11", "pip"]
    named = {*re.findall(r'"(\S+\.yaml)"', (ROOT / "workflow/rules/scores.smk").read_text(encoding="utf-8"))}
    assert named == {"../../envs/suite.yaml"}


# ------------------------------------------------------------------------------------------------ the fresh machine


@pytest.mark.parametrize(
    ("arguments", "says"), [(("sid",), "sid: must be bookworm or trixie"), (("--demo", "3.13"), "3.13: must be")]
)
def test_a_machine_of_another_name_is_one_line(arguments, says):
    script = [str(ROOT / "envs/fresh_machine.sh"), *arguments]
    result = subprocess.run(script, capture_output=True, text=True)
    assert result.returncode == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
