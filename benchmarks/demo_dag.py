"""Where the time of the demo's DAG goes: the whole, and the sum over the jobs of each rule, by cause.

    python benchmarks/demo_dag.py [--cores 2]             # runs config/smoke.yaml in an empty folder
    python benchmarks/demo_dag.py --of results/smoke      # reads a run that has ended, in this folder

Jobs side by side add up to more than the whole. ``start``: Python until the job begins. ``imports``: of what it needs.
``rest``: what Snakemake does around its process. Further draws and jobs that score whole
data sets count as ``score``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import ratios

REPOSITORY = Path(__file__).resolve().parents[1]
CAUSES = ("start", "imports", "work")


def main() -> None:
    """Run the DAG, or read a run, and print its rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", default=str(os.cpu_count()))
    parser.add_argument("--of", type=Path, metavar="RESULTS", help="results of a run that has ended")
    options = parser.parse_args()
    if options.of is not None:
        report(Path(), options.of)
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(command_in(folder, options.cores), check=True)
        whole = time.perf_counter() - start
        print(f"{options.cores} cores: {whole:.0f} s in all, with the plan")
        ratios.note(f"the demo's DAG, {options.cores} cores", f"{whole:.0f} s", "", "150 s on 2 cores")
        report(Path(folder), Path("results/smoke"))


def command_in(folder: str, cores: str) -> list[str]:
    """The demo's tables, made in a folder."""
    return [
        *(sys.executable, "-m", "snakemake", "--cores", cores, "all_tables", "--quiet", "all"),
        *("--snakefile", str(REPOSITORY / "Snakefile"), "--directory", folder),
        *("--configfile", str(REPOSITORY / "config/smoke.yaml")),
    ]


def report(folder: Path, results: Path) -> None:
    """Print where the time went.

    Args:
        folder: the working folder of the run.
        results: of its experiment, below that.
    """
    jobs = jobs_in(folder / ".snakemake/metadata", results)
    causes = causes_in(folder / results / "jobs")
    began, ended = min(start for start, _, _ in jobs.values()), max(end for _, end, _ in jobs.values())
    print(f"{'rule':20} jobs  seconds " + "".join(f"{cause:>9}" for cause in (*CAUSES, "rest")))
    seconds: dict[str, list[float]] = defaultdict(list)
    for start, end, rule in jobs.values():
        seconds[rule].append(end - start)
    for rule, of_rule in sorted(seconds.items(), key=lambda item: -sum(item[1])):
        print(line(rule, of_rule, causes[rule]))
    of_all = {cause: sum(of_rule[cause] for of_rule in causes.values()) for cause in CAUSES}
    of_jobs = [second for of_rule in seconds.values() for second in of_rule]
    print(line("all", of_jobs, of_all))
    share = of_all["imports"] / sum(of_jobs)
    ratios.note(f"the demo's DAG, {len(of_jobs)} jobs: imports", f"{share:.0%}", "the time of all jobs")
    print(f"from the first job's start to the last one's end: {ended - began:.1f} s")


def line(name: str, seconds: list[float], causes: dict[str, float]) -> str:
    """One line of the table."""
    parts = [causes[cause] for cause in CAUSES]
    whole = sum(seconds)
    return f"{name:20}{len(seconds):5}{whole:9.1f} " + "".join(f"{part:9.1f}" for part in (*parts, whole - sum(parts)))


def jobs_in(metadata: Path, results: Path) -> dict[str, tuple[float, float, str]]:
    """Start, end and rule of each job that Snakemake recorded of an experiment, by its log file."""
    jobs = {}
    for path in metadata.iterdir():
        record = json.loads(path.read_text())  # one for each output
        log = (record.get("log") or [""])[0]
        if log.startswith(f"{results}/") and record["endtime"] is not None:
            jobs[log] = (record["starttime"], record["endtime"], of_one_kind(record["rule"]))
    return jobs


def causes_in(ledgers: Path) -> dict[str, dict[str, float]]:
    """The seconds that the ledgers of an experiment's jobs have noted, by rule and cause."""
    causes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for path in ledgers.rglob("*.json"):
        rule = of_one_kind(path.relative_to(ledgers).parts[0].removesuffix(".json"))
        for cause, value in json.loads(path.read_text()).get("seconds", {}).items():
            causes[rule][cause] += value
    return causes


def of_one_kind(rule: str) -> str:
    """The rules that score are one."""
    return "score" if rule.startswith("score") else rule


if __name__ == "__main__":
    main()
