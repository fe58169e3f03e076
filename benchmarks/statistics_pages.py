"""How long the statistics of the committed reference runs take, by run and benchmark.

    python benchmarks/statistics_pages.py [--results results/reference]

Each page is written to a temporary folder, with all of its sources of chance, tests and resamples; import time and
reading are in the whole. Ablations are left out: which files are Table II's only an experiment says.
"""

import argparse
import tempfile
import time
from pathlib import Path

import ratios

from usaid.report.statistics.pages import write_statistics
from usaid.report.statistics.sections import tables_with

REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write every page and print how long it took."""
    started = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "results/reference")
    options = parser.parse_args()
    print("| run | benchmark | score files | comparisons | seconds |\n|---|---|---:|---:|---:|")
    for scores in sorted(options.results.glob("*/scores/*")):
        run, benchmark = scores.parent.parent.name, scores.name
        files = score_files(scores.parent, benchmark)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write_statistics(benchmark, files, folder)
            seconds = time.perf_counter() - start
            lines = Path(folder, f"{benchmark}.csv").read_text(encoding="utf-8").count(",difference,")
        print(f"| {run} | {benchmark} | {len(files)} | {lines:,} | {seconds:.1f} |", flush=True)
    whole = time.perf_counter() - started
    print(f"| all | | | | {whole:.1f} |")
    ratios.note("statistics of all committed runs", f"{whole:.0f} s", "")


def score_files(scores: Path, benchmark: str) -> list[Path]:
    """The score files of a benchmark and of those that share a table with it, with those of further noise draws."""
    benchmarks = {name: None for spec in tables_with(benchmark) for name in spec.benchmarks}
    return [path for name in benchmarks for path in sorted(scores.glob(f"{name}/**/*.parquet"))]


if __name__ == "__main__":
    main()
