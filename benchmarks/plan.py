"""A plan against what a run took: by rule and in all, with the ratio.

    python benchmarks/plan.py config/smoke.yaml [--device measured] [--wall SECONDS]
    python benchmarks/plan.py benchmarks/plan_subset.yaml --run --data-root DATA [--target all_tables]

Reads the ledgers of the experiment's results below the working folder (each job's start, imports and work) and, of
the wall time, Snakemake's records of when jobs started and ended. Nothing is run, but with ``--run``: then it runs the
experiment itself, in an empty folder that it deletes, with the lists of ids that lie beside the experiment's file. The
ratio is planned by measured: above 1, the run was faster than its plan.

The two checks, on a machine that does nothing else, after ``usaid plan --measure``: the demo, and a real subset (six
images of Kodak, the authors' checkpoints):

    python benchmarks/plan.py config/smoke.yaml --device measured --run
    python benchmarks/plan.py benchmarks/plan_subset.yaml --device measured --run --data-root DATA --target all_tables
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import ratios
from demo_dag import REPOSITORY, causes_in, jobs_in

from evaluators.dag.dag import Dag
from evaluators.plan.jobs import jobs_of
from evaluators.plan.plan import of_one_kind, planned_jobs, wall_of
from evaluators.plan.rates import rates_of
from usaid.experiment.reading import read_experiment

WITHIN = 1.5
"""What the ratio in all should be within, either way."""


def main() -> None:
    """Run, if asked to, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, nargs="+", metavar="YAML")
    parser.add_argument("--device", help="whose rates (default: as usaid plan)")
    parser.add_argument("--target", nargs="+", default=["all"])
    parser.add_argument("--data-root", type=Path, metavar="FOLDER", help="in place of the experiment's")
    parser.add_argument("--run", action="store_true", help="run it first, in an empty folder")
    parser.add_argument(
        "--wall", type=float, metavar="SECONDS", help="measured from start to end (default: by records)"
    )
    options = parser.parse_args()
    options.experiment = [path.resolve() for path in options.experiment]
    with tempfile.TemporaryDirectory() as folder:
        if options.data_root is not None:
            (overlay := Path(folder, "data.yaml")).write_text(
                f"data_root: {json.dumps(str(options.data_root.resolve()))}\n"
            )
            options.experiment.append(overlay)
        if not options.run:
            report(options)
            return
        with chdir(folder):
            options.wall = run(options.experiment, options.target)
            report(options)


def run(experiment: list[Path], targets: list[str]) -> float:
    """Run an experiment in the working folder; seconds, with the start of the workflow."""
    for listed in experiment[0].parent.glob("*.txt"):
        shutil.copy(listed, listed.name)
    command = [sys.executable, "-m", "snakemake", "--cores", "all", *targets, "--quiet", "all"]
    command += ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", *map(str, experiment)]
    paths = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    start = time.perf_counter()
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": paths})
    return time.perf_counter() - start


def report(options: argparse.Namespace) -> None:
    """Print the table of the results below the working folder."""
    dag = Dag(read_experiment(*options.experiment))
    rates = rates_of(options.device)
    planned = [replace(job, is_done=False) for job in planned_jobs(dag, rates, jobs_of(dag, options.target))]
    measured = measured_in(Path(dag.results))
    of_rules: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for job in planned:
        of_rules[of_one_kind(job.job.rule)][0] += job.seconds
    for rule, seconds in measured.items():
        of_rules[rule][1] += seconds
    print(f"rates: {rates.title}\n{'rule':20}{'planned':>10}{'measured':>10}{'ratio':>8}")
    for rule, (plan, took) in of_rules.items():
        print(line(rule, plan, took))
    print(line("all jobs", *(sum(pair[side] for pair in of_rules.values()) for side in (0, 1))))
    whole, wall = wall_of(planned, rates, rates.gpus), options.wall
    if wall is None:  # records begin with the first job
        whole -= rates.seconds({"workflow": 1})
        wall = wall_in(Path(".snakemake/metadata"), dag.results)
    print(line("start to end", whole, wall))
    if wall:
        ratios.note(f"plan of {dag.experiment.experiment}", f"{whole / wall:.2f} x", "what it took", f"within {WITHIN}")


def line(name: str, planned: float, measured: float) -> str:
    """One line of the table."""
    return f"{name:20}{planned:9.1f}s{measured:9.1f}s" + (f"{planned / measured:8.2f}" if measured else "")


def measured_in(results: Path) -> dict[str, float]:
    """Seconds by rule, as the ledgers of the jobs noted them."""
    seconds: dict[str, float] = defaultdict(float)
    for rule, causes in causes_in(results / "jobs").items():
        seconds[of_one_kind(rule)] += sum(causes.values())
    return seconds


def wall_in(metadata: Path, results: str) -> float:
    """Seconds from the first job's start to the last one's end, as Snakemake noted them; 0: nothing is noted."""
    if not metadata.is_dir():
        return 0.0
    jobs = jobs_in(metadata, Path(results))
    return max(end for _, end, _ in jobs.values()) - min(start for start, _, _ in jobs.values()) if jobs else 0.0


if __name__ == "__main__":
    main()
