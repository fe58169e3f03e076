"""How far Table I can be from ours by which images are at hand: from the committed scores, nothing is measured anew.

    python benchmarks/table_1_sample.py [RUN]

RUN is the folder of a run with ``scores/voc_quality/``. Were its n images drawn at random from the 1,449 of Table I,
the mean of all would lie within ``t s sqrt(1/n - 1/N)`` of theirs in 95 % of all draws (s: standard deviation over
images). They were not drawn at random: they are those of 2007. So these intervals are the least that has to be
reckoned with.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from released_outputs import RELEASED, RESULTS, TITLES, table

from usaid.datasets.voc2012 import CARD
from usaid.files import written_atomically
from usaid.paper.published import published_number
from usaid.report.statistics.distributions import t_quantile
from usaid.report.text_files import write_texts
from usaid.scores.files import read_scores

RELEASED_RUN = Path("results/reference/released")
POPULATION = CARD.splits["val"]
METRICS = {"psnr": ("psnr_rgb_float", 2), "ssim": ("ssim_skimage7", 4), "niqe": ("niqe_live", 3)}
"""Metric of Table I -> column of the score files, digits that are shown."""

LATER = {"psnr": (30.80, 0.33), "ssim": (0.861, 0.006)}
"""CDnCNN-B at sigma 25 on 60 later validation images of another source, animals only: mean and its standard error
(docs/protocol.md, Table I)."""

COLUMNS = ("sigma", "metric", "denoiser", "other", "n", "mean", "sd", "half_width", "half_width_of_1449")
COLUMNS += ("half_width_unpaired", "print", "half_unit", "rest")

Row = dict[str, str]
Values = Mapping[tuple[float, str, str], np.ndarray]
"""(sigma, metric, denoiser) -> one value an image, in one order."""


def main() -> None:
    """Read the scores, write the CSV file and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", default=RELEASED_RUN, metavar="RUN", help="its folder")
    parser.add_argument("--csv", type=Path, default=RESULTS / "table_1_sample.csv", help="what is written")
    options = parser.parse_args()
    rows = [*rows_of(values_of(options.run))]
    with written_atomically(options.csv) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_texts({options.csv.with_suffix(".md"): page(rows, str(options.run))})


def values_of(run: Path) -> dict[tuple[float, str, str], np.ndarray]:
    """Noise draw 0 of the three denoisers, on the images that all have."""
    frames = {}
    for name in RELEASED:
        rows = read_scores(run / f"scores/voc_quality/{name}.parquet").rows
        frames[name] = rows[rows["draw"] == 0].set_index(["sigma", "image_id"]).sort_index()
    values = {}
    for sigma in sorted(set.intersection(*({*frame.index.levels[0]} for frame in frames.values()))):
        of_sigma = {name: frame.loc[sigma] for name, frame in frames.items()}
        for metric, (column, _) in METRICS.items():
            if all(column in frame for frame in of_sigma.values()):
                together = pd.DataFrame({name: frame[column] for name, frame in of_sigma.items()}).dropna()
                values |= {(sigma, metric, name): together[name].to_numpy() for name in RELEASED}
    return values


def half_width(sd: float, n: int) -> float:
    """Of the 95 % interval of the mean of all 1,449, from n of them that were drawn at random."""
    return float(t_quantile(0.975, n - 1)) * sd * math.sqrt(1 / n - 1 / POPULATION)


def rest(mean: float, n: int, whole: float) -> float:
    """The mean that the images which are not at hand must have, for the mean of all to be ``whole``."""
    return (POPULATION * whole - n * mean) / (POPULATION - n)


def rows_of(values: Values) -> Iterator[Row]:
    """A row for each denoiser, then for each two of them (the first minus the second)."""
    for sigma, metric in dict.fromkeys(key[:2] for key in values):
        for name in RELEASED:
            yield row_of(sigma, metric, (name,), values)
        for one, other in combinations(reversed(RELEASED), 2):
            yield row_of(sigma, metric, (one, other), values)


def row_of(sigma: float, metric: str, names: tuple[str, ...], values: Values) -> Row:
    """One row: of one denoiser, or of the difference between two."""
    own = [values[sigma, metric, name] for name in names]
    paper = [number for name in names if (number := published_number(1, f"{sigma:g}", metric, name))]
    sample = own[0] - own[1] if len(own) == 2 else own[0]
    n, mean, sd = len(sample), float(sample.mean()), float(sample.std(ddof=1))
    numbers = {
        "mean": mean,
        "sd": sd,
        "half_width": half_width(sd, n),
        "half_width_of_1449": float(t_quantile(0.975, n - 1)) * sd / math.sqrt(POPULATION),
    }
    if len(own) == 2:
        numbers["half_width_unpaired"] = half_width(math.hypot(*(one.std(ddof=1) for one in own)), n)
    if len(paper) == len(names):
        numbers["print"] = paper[0].value - (paper[1].value if len(paper) == 2 else 0)
        numbers["half_unit"] = sum(number.half_unit for number in paper)
        numbers["rest"] = rest(mean, n, numbers["print"])
    words = {"sigma": f"{sigma:g}", "metric": metric, "denoiser": names[0], "other": "".join(names[1:]), "n": str(n)}
    return dict.fromkeys(COLUMNS, "") | words | {name: f"{value:.6f}" for name, value in numbers.items()}


# ------------------------------------------------------------------------------------------------ the page


def page(rows: list[Row], run: str) -> str:
    """The page, from the rows and the folder of the run that they are of."""
    return PAGE.format(
        run=run,
        n=rows[0]["n"],
        sigmas=", ".join(dict.fromkeys(row["sigma"] for row in rows)),
        levels=levels([row for row in rows if not row["other"]]),
        pairs=pairs([row for row in rows if row["other"]]),
        sharper=sharper(rows),
        later=later(rows),
        inside=inside(rows),
    )


def levels(rows: list[Row]) -> str:
    """Mean, spread and interval of each denoiser."""
    header = ["sigma", "metric", "denoiser", "mean", "standard deviation over images"]
    header += ["half width", "95 % interval of the mean of the 1,449", "print", "print - ours"]
    header += ["half width of any 1,449"]
    lines = []
    for row in rows:
        words = [row["sigma"], row["metric"].upper(), TITLES[row["denoiser"]]]
        lines.append([*words, *numbers_of(row), shown(row, "half_width_of_1449")])
    return table(header, lines, words=3)


def pairs(rows: list[Row]) -> str:
    """Mean difference of each two."""
    header = ["sigma", "metric", "difference", "mean", "standard deviation over images"]
    header += ["half width, paired", "not paired", "95 % interval of that of 1,449", "print", "print - ours"]
    lines = []
    for row in rows:
        mean, sd, width, *others = numbers_of(row, "+")
        unpaired = shown(row, "half_width_unpaired")
        two = f"{TITLES[row['denoiser']]} - {TITLES[row['other']]}"
        lines.append([row["sigma"], row["metric"].upper(), two, mean, sd, width, unpaired, *others])
    return table(header, lines, words=3)


def numbers_of(row: Row, sign: str = "") -> list[str]:
    """Mean, standard deviation, half width, interval, print and its distance."""
    mean, width = float(row["mean"]), float(row["half_width"])
    form = f"{sign}.{digits_of(row)}f"
    interval = f"[{mean - width:{form}}, {mean + width:{form}}]"
    paper = f"{float(row['print']):{form}}" if row["print"] else "-"
    apart = f"{float(row['print']) - mean:+.{digits_of(row)}f}" if row["print"] else "-"
    return [f"{mean:{form}}", shown(row, "sd"), shown(row, "half_width"), interval, paper, apart]


def shown(row: Row, column: str) -> str:
    """A number of a row, with the digits of its metric."""
    return f"{float(row[column]):.{digits_of(row)}f}"


def digits_of(row: Row) -> int:
    """One more for differences and for what is said of the spread than print has."""
    return METRICS[row["metric"]][1] + (METRICS[row["metric"]][1] < 3)


def is_inside(row: Row) -> bool:
    """Whether print, before it was rounded, can lie in the interval of the mean of the 1,449."""
    reach = float(row["half_width"]) + float(row["half_unit"])
    return abs(float(row["print"]) - float(row["mean"])) <= reach


def inside(rows: list[Row]) -> str:
    """How many of the printed levels and differences lie in their intervals: PSNR and SSIM."""
    parts = []
    for metric in LATER:
        own = [row for row in rows if row["metric"] == metric and row["print"]]
        counts = []
        for what, is_pair in (("levels", False), ("differences", True)):
            chosen = [row for row in own if bool(row["other"]) == is_pair]
            counts.append(f"{sum(map(is_inside, chosen))} of {len(chosen)} {what}")
        parts.append(f"{metric.upper()}: {' and '.join(counts)}")
    return "; ".join(parts)


def sharper(rows: list[Row]) -> str:
    """How many times narrower the paired interval of a difference is than that of the level of its first."""
    parts = []
    for metric in METRICS:
        own = [row for row in rows if row["metric"] == metric]
        level = {(row["sigma"], row["denoiser"]): float(row["half_width"]) for row in own if not row["other"]}
        ratios = [
            level[row["sigma"], row["denoiser"]] / float(row["half_width"])
            for row in own
            if row["other"] and float(row["half_width"]) > 0
        ]
        if ratios:
            parts.append(f"{min(ratios):.1f} to {max(ratios):.1f} times in {metric.upper()}")
    return ", ".join(parts)


def later(rows: list[Row]) -> str:
    """What the images that are not at hand must have, beside what sixty of them have."""
    lines = []
    for row in rows:
        if (row["sigma"], row["denoiser"], row["other"]) == ("25", "cdncnn_b", "") and row["metric"] in LATER:
            mean, error = LATER[row["metric"]]
            away = (float(row["rest"]) - mean) / error
            cells = [shown(row, "mean"), shown(row, "print"), shown(row, "rest")]
            lines.append([row["metric"].upper(), *cells, f"{mean:g} ± {error:g}", f"{away:+.1f}"])
    header = ["CDnCNN-B, sigma 25", "ours, at hand", "print", "the others must have", "60 later images have"]
    return table([*header, "standard errors between"], lines)


PAGE = """# Table I and the images at hand

PSNR (dB), SSIM and NIQE of the released checkpoints on the {n} of VOC's 1,449 validation images at hand, noise draw 0,
sigma {sigmas}. Made from the scores of a run by

    python benchmarks/table_1_sample.py {run}

All numbers: [table_1_sample.csv](table_1_sample.csv).

Were the {n} drawn at random from the 1,449, the mean of all would lie within t s sqrt(1/{n} - 1/1449) of theirs in
95 % of all draws (s: standard deviation over images, t: Student's, {n} - 1 degrees of freedom). This half width bounds
the difference between the two means. They were not drawn at random: they are those of 2007, most of them re-encoded.
So the intervals are the least that has to be reckoned with. NIQE is with the LIVE parameters, print with MATLAB's: its
levels do not compare.

## Levels

The last column: by how much the mean of any 1,449 images of this kind would scatter (95 %) about that of all such
images.

{levels}
## Differences between methods

On the same images with the same noise (paired). The interval of a difference is narrower than that of the first one's
level: {sharper}. So which images are at hand matters for levels, and much less for who is ahead.

{pairs}
## Where print lies

In its interval, with the rounding of print: {inside}.

What the images that are not at hand must have, for print to be the mean of all 1,449; and what sixty of the later ones
(another source, animals only) were once measured to have, with the standard error of their mean:

{later}"""


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
