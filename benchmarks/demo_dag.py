"""Where the time of the demo's DAG goes: the whole, and the sum over the jobs of each rule.

    python benchmarks/demo_dag.py [--cores 2]

Runs config/smoke.yaml in an empty folder, import time included; jobs side by side add up to more than the whole.
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

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run the DAG and print its rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", default=str(os.cpu_count()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "snakemake", "--cores", options.cores, "all_tables", "--quiet", "all"),
            *("--snakefile", str(REPOSITORY / "Snakefile"), "--directory", folder),
            *("--configfile", str(REPOSITORY / "config/smoke.yaml")),
        ]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        whole = time.perf_counter() - start
        rules: dict[str, dict[str, float]] = defaultdict(dict)
        for record in Path(folder, ".snakemake/metadata").iterdir():
            job = json.loads(record.read_text())
            rules[job["rule"]][str(job["log"])] = job["endtime"] - job["starttime"]  # one record for each output
    print(f"{options.cores} cores: {whole:.0f} s in all")
    for rule, jobs in sorted(rules.items(), key=lambda item: -sum(item[1].values())):
        print(f"{rule:20}{len(jobs):3} jobs {sum(jobs.values()):7.1f} s")


if __name__ == "__main__":
    main()
