"""The workflow as jobs of a real Slurm, on loopback: killed jobs go on, and each has the card that it asked for."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from slurm.loopback import slurm, why_not
from snakemake_runs import REPOSITORY, environment, run, write_experiment

from usaid.datasets.miniature.writer import write_miniature
from usaid.failures import Ledger
from usaid.scores.files import read_provenance, read_scores

REASON = why_not() or (
    "" if find_spec("snakemake_executor_plugin_slurm") else "no Slurm executor: pip install usaid[cluster]"
)

pytestmark = pytest.mark.skipif(bool(REASON), reason=f"no Slurm here: {REASON}")

PATIENCE = 240
"""Seconds that a job may take to begin, and the run to end after the last kill."""

OWN_DENOISERS = """
import json, os, time
from pathlib import Path

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser


class Slow(Denoiser):
    facts = Facts("Slow", True, False, False, False, "MIT", "none")
    def __init__(self, name):
        self.place = Path("jobs", name)
    def __call__(self, noisy, told_sigma=None):
        processes = len(list(self.place.parent.glob(f"{self.place.name}.*")))
        written = self.place.with_suffix(f".{processes}")
        said = {"pid": os.getpid(), "job": os.environ["SLURM_JOB_ID"], "card": os.environ.get("CUDA_VISIBLE_DEVICES")}
        part = Path(f"{self.place.parent}/part-{self.place.name}")
        part.write_text(json.dumps(said))
        part.rename(written)
        if processes == 0:
            time.sleep(200)  # until it is killed
        return noisy
"""

EXPERIMENT: dict[str, Any] = {
    "experiment": "cluster",
    "data_root": "data",
    "subsets": {"kodak/all": "one.txt"},
    "niqe": "niqe_fitted",
    "denoisers": {
        "noisy": {"method": "noisy"},
        **{name: {"method": "own_denoisers:Slow", "options": {"name": name}} for name in ("cancelled", "killed")},
    },
    "benchmarks": {"kodak_quality": {"sigmas": [25]}},
}

SNAKEMAKE = """
import asyncio, sys
import snakemake.cli
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.sleep = lambda executor: asyncio.sleep(1)
snakemake.cli.main(sys.argv[1:])
"""
"""As ``snakemake``, which looks less and less often whether a job has ended: here each second."""

COMMAND = [
    sys.executable, "-c", SNAKEMAKE, "--snakefile", str(REPOSITORY / "Snakefile"),
    "--profile", str(REPOSITORY / "profiles/slurm"), "--latency-wait", "10",
    "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1", "--slurm-no-account",
]  # fmt: skip


class Cluster:
    """A folder and a cluster to run in it."""

    def __init__(self, folder: Path, login: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment(REPOSITORY, folder) | {
            name: login[name] for name in ("PATH", "SLURM_CONF")
        }  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Snakemake, as on a login node; what it prints is in ``output.txt``."""
        with open(self.folder / "output.txt", "wb") as output:
            return subprocess.Popen(
                [*COMMAND, *arguments, "--configfile", "experiment.yaml"], cwd=self.folder, env=self.environment,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def said(self, job: str) -> dict[str, Any]:
        """What a process of a denoiser says of itself, as soon as it is at work."""
        path, deadline = self.folder / "jobs" / job, time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.2)
        return json.loads(path.read_text())

    def ask(self, *command: str) -> str:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30).stdout


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A run in which one job is cancelled by the cluster, and the process of another is killed."""
    folder = tmp_path_factory.mktemp("cluster")
    write_miniature(folder / "data")
    (folder / "data/one.txt").write_text("kodim01\n")
    (folder / "own_denoisers.py").write_text(OWN_DENOISERS)
    (folder / "jobs").mkdir()
    write_experiment(folder, EXPERIMENT)
    run(folder, "results/cluster/weights/niqe_fitted.npz")  # what was made on one machine is made
    with slurm() as login:
        cluster = Cluster(folder, login)
        process = cluster.start("table_6")
        try:
            cluster.ask("scancel", cluster.said("cancelled.0")["job"])
            os.kill(cluster.said("killed.0")["pid"], signal.SIGKILL)
            assert process.wait(PATIENCE) == 0, cluster.output
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        yield cluster


def minutes(job: str) -> int:
    """The time limit that ``scontrol show job`` prints."""
    days, hours, rest = re.search("TimeLimit=(?:([0-9]+)-)?([0-9]+):([0-9]+):00", job).groups()
    return (int(days or 0) * 24 + int(hours)) * 60 + int(rest)


def megabytes(job: str) -> float:
    """The memory that ``scontrol show job`` prints, which has a unit."""
    size, unit = re.search("TRES=.*mem=([0-9.]+)([MG])", job).groups()
    return float(size) * {"M": 1, "G": 1024}[unit]


@pytest.mark.slow
class TestARunOnACluster:
    def test_ends_with_its_table_in_spite_of_kills(self, ended):
        assert (ended.folder / "results/cluster/tables/table_6.csv").is_file()
        for name in ("noisy", "cancelled", "killed"):
            scores = ended.folder / f"results/cluster/scores/kodak_quality/{name}.parquet"
            assert read_provenance(scores)["failure"] is None
            ledger = Ledger.at(ended.folder / "results/cluster", "score", ["kodak_quality", name])
            assert (ledger.state, ledger.failures) == ("made", 0)
        psnr = [self.rows(ended, name)["psnr_rgb_float"].tolist() for name in ("noisy", "killed", "cancelled")]
        assert psnr[0] == psnr[1] == psnr[2] != []

    def rows(self, ended: Cluster, denoiser: str) -> Any:
        return read_scores(ended.folder / f"results/cluster/scores/kodak_quality/{denoiser}.parquet").rows

    def test_only_what_was_killed_has_a_second_job(self, ended):
        assert sorted(path.name for path in ended.folder.glob("jobs/*")) == [
            "cancelled.0", "cancelled.1", "killed.0", "killed.1",
        ]  # fmt: skip

    def test_a_job_has_a_card_and_what_was_planned_and_its_second_one_twice_the_time_and_memory(self, ended):
        first, second = (
            ended.ask("scontrol", "show", "job", "--details", ended.said(name)["job"])
            for name in ("killed.0", "killed.1")
        )
        assert minutes(second) == 2 * minutes(first) >= 20
        assert megabytes(second) == 2 * megabytes(first) > 0
        assert re.search("TresPerJob=gres[:/]gpu[:=]1", first), first
        assert ended.said("killed.0")["card"] in ("0", "1")

    def test_what_takes_seconds_is_no_job_of_the_cluster(self, ended):
        submitted = re.findall("Job [0-9]+ has been submitted", ended.output)
        assert len(submitted) == len(["noisy", *2 * ["cancelled", "killed"]])

    def test_the_same_command_makes_nothing_again(self, ended):
        done = subprocess.run(
            [*COMMAND, "table_6", "--dry-run", "--configfile", "experiment.yaml"],
            cwd=ended.folder, env=ended.environment, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert "Nothing to be done" in done.stdout + done.stderr
