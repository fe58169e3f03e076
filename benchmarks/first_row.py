"""From `pip install` to a row: how long a newcomer with a denoiser waits.

    python benchmarks/first_row.py --data-root data [--images 3] [--sigma 15 25 35]

Makes an empty virtual environment, installs this working tree into it (most of it is torch; what pip has in its cache
is not fetched again), runs `usaid check` and `usaid evaluate` on a denoiser of the examples, and prints the seconds of
each and the table.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DENOISER = ROOT / "examples/function.py:smooth"


def timed(*command: object) -> tuple[float, str]:
    """Seconds that a command took, and what it printed."""
    start = time.perf_counter()
    output = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return time.perf_counter() - start, output


def main() -> None:
    """Print a line a step, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--sigma", nargs="+", default=["15", "25", "35"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bin = Path(folder, "bin")
        asked = ("--benchmark", "kodak_quality", "--data-root", options.data_root.resolve())
        size = ("--images", options.images, "--sigma", *options.sigma)
        steps = {
            "virtual environment": (sys.executable, "-m", "venv", folder),
            "pip install": (bin / "pip", "install", "--quiet", ROOT),
            "usaid check": (bin / "usaid", "check", DENOISER),
            "usaid evaluate": (bin / "usaid", "evaluate", DENOISER, *asked, *size),
        }
        total, output = 0.0, ""
        for name, command in steps.items():
            seconds, output = timed(*command)
            total += seconds
            print(f"{seconds:6.1f} s  {name}", flush=True)
        print(f"{total:6.1f} s  together\n\n{output}")


if __name__ == "__main__":
    main()
