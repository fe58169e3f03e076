"""Kill runs of a small workflow at random moments, go on with the same command, and compare every table, byte by byte.

The workflow has two images, three denoisers and one training. Half of the kills (SIGKILL) are of the whole process
group, as a cluster's limit kills; half of the main process alone, which leaves jobs behind that still write.

    python benchmarks/kills.py --kills 100 [--score-jobs data_set]
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from usaid.datasets.loading import load
from usaid.datasets.miniature import cifar100

REPOSITORY = Path(__file__).parents[1]

EXPERIMENT: dict[str, Any] = {
    "experiment": "kills",
    "data_root": "data",
    "subsets": {"cifar100/train": "train.txt", "cifar100/test": "test.txt"},
    "denoisers": {"noisy": {"method": "noisy"}, "clean": {"method": "clean"}, "cbm3d": {"method": "cbm3d"}},
    "benchmarks": {
        "cifar100_classification": {
            "sigmas": [25],
            "classifier": {"network": "resnet8", "train": {"batch": 16, "epochs": 2, "optimizer": "adamw"}},
        }
    },
}


def main() -> None:
    """Kill, and say how many of the kills left tables that are equal to the undisturbed run's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--score-jobs", choices=["file", "data_set"], default="file")
    arguments = parser.parse_args()
    EXPERIMENT["score_jobs"] = arguments.score_jobs
    with tempfile.TemporaryDirectory() as folder:
        equal, tried = kill_often(Path(folder), arguments.kills, random.Random(arguments.seed))
    print(f"kills tried / byte-equal: {tried} / {equal}")
    sys.exit(equal != tried)


def kill_often(folder: Path, kills: int, moments: random.Random) -> tuple[int, int]:
    """Kill runs in a folder.

    Args:
        folder: to work in.
        kills: how many.
        moments: draws when, and what is killed.

    Returns:
        The kills after which the same command came to tables equal to the undisturbed run's, and all kills.
    """
    set_up(folder)
    start = time.monotonic()
    finish(folder)
    most = time.monotonic() - start
    undisturbed = tables(folder)
    print(f"undisturbed: {most:.0f} s, {len(undisturbed)} files", flush=True)
    tried = equal = 0
    while tried < kills:
        (folder / "results").rename(folder / f"results_{tried}")
        since = tried
        while tried < kills and kill_one(folder, moments.uniform(0.2, 0.5 * most), alone=tried % 2 == 1):
            tried += 1
        finish(folder)
        made = tables(folder)
        differing = sorted(name for name in made.keys() | undisturbed if made.get(name) != undisturbed.get(name))
        equal += 0 if differing else tried - since
        if differing:
            print(f"not equal: {', '.join(differing)}")
        print(f"{tried} kills, {equal} byte-equal, {time.monotonic() - start:.0f} s", flush=True)
    return equal, tried


def set_up(folder: Path) -> None:
    """A copy of the code, which nobody edits meanwhile; images, lists of some of them, and the experiment."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("envs", "evaluators", "profiles", "usaid", "workflow"):
        shutil.copytree(REPOSITORY / name, folder / "suite" / name, ignore=ignored)
    shutil.copy(REPOSITORY / "Snakefile", folder / "suite")
    for name, content in cifar100.draw(seed=0):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for split, count in (("train", 64), ("test", 2)):
        ids = load("cifar100", folder / "data", split).ids[:count]
        (folder / f"data/{split}.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT), encoding="utf-8")


def start_run(folder: Path) -> subprocess.Popen[bytes]:
    """The command that a user types again and again."""
    command = ["-m", "snakemake", "--cores", "2", "--snakefile", "suite/Snakefile", "all_tables"]
    with open(folder / "output.txt", "ab") as output:
        return subprocess.Popen(
            [sys.executable, *command, "--configfile", "experiment.yaml"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder / "suite"), "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            stdout=output,
            stderr=output,
        )


def finish(folder: Path) -> None:
    """A run to its end, which has to be a good one."""
    if start_run(folder).wait() != 0:
        sys.exit((folder / "output.txt").read_text(encoding="utf-8")[-5000:])


def kill_one(folder: Path, seconds: float, alone: bool) -> bool:
    """Start a run and kill it after a time; False: it ended before.

    Args:
        folder: where it works.
        seconds: until the kill.
        alone: kill the main process alone, not its jobs.
    """
    process = start_run(folder)
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        if alone:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def tables(folder: Path) -> dict[str, bytes]:
    """What must be equal: every table in every format, the page of all, and the trained weights."""
    results = folder / "results/kills"
    files = [*(results / "tables").iterdir(), *(results / "weights").glob("*.safetensors")]
    return {path.name: path.read_bytes() for path in files if path.name != "provenance.json"}


if __name__ == "__main__":
    main()
