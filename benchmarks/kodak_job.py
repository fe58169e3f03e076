"""Where the time of one score job goes: Kodak, one denoiser, three sigmas, all metrics.

    python benchmarks/kodak_job.py --data-root data [--images 24] [--threads 2]

Runs `usaid score` in a process of its own, so that the start (interpreter, imports, weights) counts, and prints each
stage's share of the whole.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from usaid.scores import read_scores


def main() -> None:
    """Run the job and print its stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    root = options.data_root.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ids.txt").write_text("".join(f"kodim{i:02d}\n" for i in range(1, options.images + 1)))
        experiment = {
            "experiment": "benchmark",
            "data_root": str(root),
            "subsets": {"kodak/all": str(folder / "ids.txt")},
            "denoisers": {"u_said": {"method": "u_said", "weights": "released/USAID.pth"}},
            "benchmarks": {"kodak_quality": {"sigmas": [15, 25, 35]}},
        }
        (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))
        command = [
            *(sys.executable, "-m", "usaid_cli", "score", str(folder / "experiment.yaml")),
            *("--benchmark", "kodak_quality", "--denoiser", "u_said", "--output", str(folder / "scores.parquet")),
            *("--weights", str(root / "released/USAID.pth")),
            *("--judge-file", str(root / "niqe/niqe_live_pris_params.npz")),
        ]
        start = time.perf_counter()
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": str(options.threads)})
        whole = time.perf_counter() - start
        stages = read_scores(folder / "scores.parquet").provenance["seconds"]
    stages["start and end of the process"] = whole - stages.pop("total")
    print(f"{options.images} images x 3 sigmas, {options.threads} threads, {whole:.1f} s")
    for stage, seconds in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"{stage:30}{seconds:8.1f} s {seconds / whole:6.1%}")


if __name__ == "__main__":
    main()
