"""Runs of the workflow in folders of their own, and what the tests of the DAG share."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]

ENCODER = "efficientnet_lite0"

LOOKS = {"figure reproduction", "figure differences", "figure sigma", "report_page"}
"""The jobs that follow from all tables and scores."""

NO_PROXY_HERE = "http://127.0.0.1:9"
"""Nobody listens there: what wants the network fails at once."""


def write_experiment(folder: Path, experiment: Mapping[str, Any]) -> None:
    """Write ``experiment.yaml``, which :func:`run` runs."""
    (folder / "experiment.yaml").write_text(yaml.safe_dump(dict(experiment), sort_keys=False), encoding="utf-8")


def command(*arguments: str, repository: Path = REPOSITORY, configs: Sequence[str] = ("experiment.yaml",)) -> list[str]:
    """Snakemake on ``experiment.yaml`` of the working folder, or on several files."""
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(repository / "Snakefile")]
    return [*snakemake, *arguments, "--configfile", *configs]


def environment(*folders: Path) -> dict[str, str]:
    """Of a process that finds modules in some folders, the repository among them, and no network."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NO_PROXY_HERE)
    return os.environ | proxies | {"PYTHONPATH": ":".join(map(str, folders)), "OMP_NUM_THREADS": "1"}


def run(folder: Path, *arguments: str, repository: Path = REPOSITORY, fails: bool = False, **options: Any) -> str:
    """Run the workflow in a folder; what it prints. Further options are those of :func:`command`.

    Args:
        folder: the working folder.
        arguments: of Snakemake.
        repository: whose Snakefile.
        fails: whether the exit status has to be 1, not 0.
        options: of :func:`command`.
    """
    done = subprocess.run(
        command(*arguments, repository=repository, **options),
        cwd=folder, env=environment(repository, folder), capture_output=True, text=True,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == fails, output
    return output


def kill_after_rows(folder: Path, scores: str, rows: int) -> None:
    """Start the workflow on a score file, and kill it and its jobs once so many rows are in the journal."""
    process = subprocess.Popen(
        command(scores), cwd=folder, env=environment(REPOSITORY, folder), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    journal = folder / f"{scores}.rows.jsonl"
    deadline = time.monotonic() + 180
    while not (journal.exists() and journal.read_text().count("\n") > rows):  # a line before them says what they are of
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def planned(folder: Path, *targets: str, **options: Any) -> set[str]:
    """The jobs that a dry run would make: rule and wildcards, ``"score kodak_quality/noisy"``."""
    return jobs_in(run(folder, "--dry-run", *targets, **options))


def jobs_in(output: str) -> set[str]:
    """The jobs that Snakemake printed, targets aside: these have no message."""
    return set(re.findall(r"^Job \d+: (.*)", output, flags=re.MULTILINE))


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that is made once for all processes of a test run; they only read it, or copy it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / name
    with _locked(shared / f"{name}.lock"):
        if not (folder / ".made").exists():
            folder.mkdir()
            make(folder)
            (folder / ".made").touch()
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
