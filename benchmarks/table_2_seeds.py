"""Whether Table II has a peak at K = 21: the height of one K above the others, against the spread of seeds.

    python benchmarks/table_2_seeds.py [--table results/reference/table_2] [--seeds results/reference/subset]

Reads the scores of Table II's trainings (`u_said`, `u_said_k10`, ...) and of the seeds of the same training
(`u_said`, `u_said_1`, ...), on the same images, and writes `seeds.md` into the first folder. Three questions: how far
is K = 21 from the mean of the others, how far do the others differ among each other, and how far do seeds? Print can
answer the first two, since it has one training of each.
"""

import argparse
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scipy import stats

from usaid.paper.layouts import TABLES
from usaid.paper.published import all_published
from usaid.registries import METRICS
from usaid.report.text_files import write_texts
from usaid.scores.files import read_scores

(SPEC,) = (spec for spec in TABLES.values() if spec.ablated)
(BENCHMARK,) = SPEC.benchmarks
PEAK = 21
CONVENTIONS = {"psnr": "psnr_rgb_float", "niqe": "niqe_live"}
"""Columns of the score files for the metrics of the table."""


PAGE = f"""# Table II: a peak at K = {PEAK}?

U-SAID by number of classes K, {BENCHMARK} at sigma {SPEC.sigma:g}, n = {{n}} images; one training for each K. The seeds
are those of the run `{{seeds}}` at K = {PEAK}, on the same images. NIQE is lower where it is better, and ours has the
parameters of the LIVE release: compare its spread, not its values. Made with

    python benchmarks/table_2_seeds.py

{{table}}

p: two-sided, one value against the mean of the others, by the spread of that row; not corrected for the number of rows.
"""


class Height(NamedTuple):
    """How one value stands out of others.

    Attributes:
        height: it minus the mean of the others.
        spread: standard deviation of values that differ by chance alone.
        p: two-sided, of a t-test of the height: one value against the mean of the others.
    """

    height: float
    spread: float
    p: float


def against(value: float, others: Sequence[float], chance: Sequence[float]) -> Height:
    """The height of a value above others, in units of the spread of values that differ by chance.

    Args:
        value: of the K in question.
        others: of the other K.
        chance: at least two values that nothing but chance sets apart; they may be ``others``.
    """
    height, spread = value - statistics.mean(others), statistics.stdev(chance)
    error = spread * (1 + 1 / len(others)) ** 0.5
    p = float(2 * stats.t.sf(abs(height) / error, len(chance) - 1)) if error else float(height == 0)
    return Height(height, spread, p)


def read_means(
    folder: Path, pattern: str, image_ids: set[str] | None = None
) -> tuple[dict[str, dict[str, float]], set[str]]:
    """Means at the table's sigma of the score files of a run whose names match.

    Args:
        folder: results of the run.
        pattern: regular expression of the whole name of a denoiser.
        image_ids: of the images that count; None: all, which have to be the same for all files.

    Returns:
        Denoiser -> metric -> mean over images; ids of the images.
    """
    means = {}
    for path in sorted((folder / "scores" / BENCHMARK).glob("*.parquet")):
        if not re.fullmatch(pattern, path.stem):
            continue
        rows = read_scores(path).rows
        rows = rows[(rows["sigma"] == SPEC.sigma) & (rows["draw"] == 0)]
        image_ids = set(rows["image_id"]) if image_ids is None else image_ids
        rows = rows[rows["image_id"].isin(image_ids)]
        if set(rows["image_id"]) != image_ids:
            sys.exit(f"{path}: lacks {len(image_ids - set(rows['image_id']))} of the images of the others; score them")
        means[path.stem] = {metric: float(rows[CONVENTIONS[metric]].mean()) for metric in SPEC.metrics}
    return means, image_ids or set()


def printed() -> dict[int, dict[str, float]]:
    """The paper's table: K -> metric -> value."""
    found: dict[int, dict[str, float]] = {}
    for one in all_published():
        if one.table == SPEC.number:
            found.setdefault(int(one.denoiser.rpartition("k")[2]), {})[one.metric] = one.value
    return found


def lines_of(ours: Mapping[int, Mapping[str, float]], seeds: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lines of Markdown: the table, then what stands out of what."""
    paper, metrics = printed(), list(SPEC.metrics)
    titles = {metric: METRICS[metric].title for metric in metrics}
    lines = [f"| K | {' | '.join(f'{titles[m]}, ours | {titles[m]}, print' for m in metrics)} |"]
    lines.append(f"|---:|{'---:|' * (2 * len(metrics))}")
    for k in sorted(ours):
        cells = [f"{ours[k][m]:.3f} | {paper[k][m]:.{2 if m == 'psnr' else 4}f}" for m in metrics]
        lines.append(f"| {k} | {' | '.join(cells)} |")
    lines += ["", f"| | K = {PEAK} minus the mean of the others | spread (standard deviation) of | spread | p |"]
    lines.append("|---|---:|---|---:|---:|")
    for metric in metrics:
        for name, values in (("ours", ours), ("print", paper)):
            others = [values[k][metric] for k in values if k != PEAK]
            chances = {f"the other {len(others)} K": others}
            if name == "ours":
                chances[f"{len(seeds)} seeds at K = {PEAK}"] = [seed[metric] for seed in seeds.values()]
            for of, chance in chances.items():
                one = against(values[PEAK][metric], others, chance)
                lines.append(
                    f"| {titles[metric]}, {name} | {one.height:+.3f} | {of} | {one.spread:.3f} | {one.p:.3f} |"
                )
    return lines


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path("results/reference/table_2"), help="results of Table II")
    parser.add_argument("--seeds", type=Path, default=Path("results/reference/subset"), help="results with seeds")
    options = parser.parse_args()
    columns, image_ids = read_means(options.table, r"u_said(_k\d+)?")
    ours = {int(name.rpartition("k")[2]) if "_k" in name else PEAK: means for name, means in columns.items()}
    seeds, _ = read_means(options.seeds, r"u_said(_\d+)?", image_ids)
    if len(seeds) < 2 or PEAK not in ours or set(ours) != set(printed()):
        sys.exit(
            f"{options.table}: K = {sorted(ours)}, and {len(seeds)} seeds; Table II needs {sorted(printed())}, and two"
        )
    text = PAGE.format(n=len(image_ids), table="\n".join(lines_of(ours, seeds)), seeds=options.seeds.name)
    write_texts({options.table / "seeds.md": text})
    print(f"{options.table / 'seeds.md'} written")


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
