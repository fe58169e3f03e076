"""Runs the benchmarks in their short settings and writes the table of benchmarks/README.md: what `make bench` does.

    python benchmarks/renew.py [--data-root data] [--only noise.py ...]

One after another, each in a process of its own, on an otherwise idle machine. Those that need real images are left out
without `--data-root`, and the page says so. `--only` renews the lines of some and keeps the others.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import ratios
import torch

from usaid.files import written_atomically
from usaid.provenance import git_state

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "benchmarks/README.md"
START, END = "<!-- from here on written by `make bench` -->", "<!-- up to here -->"
LONGEST = 300
"""Seconds that one benchmark may take."""


@dataclass(frozen=True)
class Benchmark:
    """One command.

    Attributes:
        script: its file.
        options: the short setting.
        needs_images: it reads real images below ``--data-root``.
    """

    script: str
    options: str = ""
    needs_images: bool = False

    @property
    def name(self) -> str:
        """Heading of its block."""
        return f"{self.script} {self.options}".strip()

    def command(self, data_root: str) -> str:
        """As a person would type it."""
        root = f"--data-root {data_root}" if self.needs_images else ""
        return " ".join(filter(None, ["python", f"benchmarks/{self.script}", root, self.options]))


BENCHMARKS = (
    Benchmark("noise.py"),
    Benchmark("denoiser_inference.py", "--rounds 2"),
    Benchmark("score_jobs.py", "--images 4", needs_images=True),
    Benchmark("score_jobs.py", "--together voc_quality voc_segmentation --images 4 --rounds 2", needs_images=True),
    Benchmark("growth.py", "--denoisers noisy --images 100 1000 9999 --draws 1 10", needs_images=True),
    Benchmark("score_files.py"),
    Benchmark("statistics_pages.py"),
    Benchmark("training.py", "--rounds 2 --steps 2 --variants plain channels_last"),
    Benchmark("mc_wnnm.py", "--rounds 1"),
    Benchmark("demo_dag.py"),
)


def main() -> None:
    """Run them and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", help="folder with Kodak, VOC 2012 and CIFAR-100")
    parser.add_argument("--only", nargs="+", choices=[*dict.fromkeys(benchmark.script for benchmark in BENCHMARKS)])
    options = parser.parse_args()
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    made, _, after = rest.partition(END)
    blocks = dict(block.split("\n", 1) for block in made.split("\n### ")[1:])
    for benchmark in BENCHMARKS:
        if options.only is None or benchmark.script in options.only:
            blocks[benchmark.name] = measured(benchmark, options.data_root)
    ordered = [f"\n### {b.name}\n{blocks[b.name].strip()}\n" for b in BENCHMARKS if b.name in blocks]
    with written_atomically(PAGE) as temporary:
        temporary.write_text(f"{before}{START}\n{''.join(ordered)}\n{END}{after}", encoding="utf-8")


def measured(benchmark: Benchmark, data_root: str | None) -> str:
    """What a benchmark found, as a block of the page."""
    if benchmark.needs_images and data_root is None:
        return "Left out: needs real images (`--data-root`)."
    print(benchmark.command("data"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        collected = Path(folder, "ratios.jsonl")
        command = [sys.executable, *benchmark.command(str(data_root)).split()[1:]]
        start = time.perf_counter()
        try:
            subprocess.run(
                command, check=True, timeout=LONGEST, cwd=REPOSITORY, env=os.environ | {ratios.FILE: str(collected)}
            )
            ending = ""
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            ending = f" Ended early: {type(error).__name__}."
        seconds = time.perf_counter() - start
        lines = collected.read_text(encoding="utf-8").splitlines() if collected.exists() else []
    rows = [" | ".join(json.loads(line).values()) for line in lines]
    table = ["| what | measured | compared with | limit |", "|---|---:|---|---|", *(f"| {row} |" for row in rows)]
    said = f"`{benchmark.command('data')}`, {seconds:.0f} s; {machine()}.{ending}"
    return "\n".join([said, "", *table])


def machine() -> str:
    """What the numbers were measured on, and when."""
    commit = str(git_state()["commit"])[:7]
    cpu = f"{os.cpu_count()} cores, {processor()} ({torch.backends.cpu.get_cpu_capability()})"
    return f"{cpu}, torch {torch.__version__}, commit {commit}, {date.today()}"


def processor() -> str:
    """Name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
