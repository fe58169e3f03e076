"""Table V by three conventions of mIoU, from score files: do the printed numbers and their order come back?

    python benchmarks/table_5_conventions.py [--scores FOLDER ...] [--output FOLDER]

Each folder holds the score files of one segmenter (``noisy.parquet`` ...). Differences are paired: all denoisers see
the same 10,000 resamples of the images. Writes ``table_5_conventions.csv`` and ``.md``, and prints the latter.

The committed page has two segmenters of one recipe, one seed and the same images: that of the committed scores, and the
one before it, trained on another CPU by earlier code. Its scores are in the history:

    git archive 1201d97 results/reference/released/scores/voc_segmentation | tar -x -C earlier
    python benchmarks/table_5_conventions.py --scores results/reference/released/scores/voc_segmentation \\
        earlier/results/reference/released/scores/voc_segmentation
"""

import argparse
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from usaid.errors import UsaidError
from usaid.paper.figures import printed_rows
from usaid.paper.published import published
from usaid.report.statistics.inference import from_bootstrap
from usaid.report.statistics.resampling import bootstrap_values
from usaid.report.text_files import write_texts
from usaid.scores.confusion import image_iou
from usaid.scores.files import read_scores
from usaid.scores.whole_set import MIOU_DATASET, MIOU_FOREGROUND_21, MIOU_PER_IMAGE, Statistic

COMMITTED = Path("results/reference/released/scores/voc_segmentation")
OUTPUT = Path("results/reference/conventions")

TITLES = {"noisy": "noisy", "cdncnn_b": "CDnCNN-B", "s_said": "S-SAID", "u_said": "U-SAID", "clean": "clean"}
DENOISED = ("cdncnn_b", "s_said", "u_said")
PRINTED = ("noisy", *DENOISED)
PAIRS = (("s_said", "cdncnn_b"), ("u_said", "cdncnn_b"), ("s_said", "u_said"), ("cdncnn_b", "noisy"))
"""A denoiser and the one that is subtracted."""

CONVENTIONS: dict[str, Statistic] = {
    "miou_dataset": MIOU_DATASET,
    "miou_foreground_21": MIOU_FOREGROUND_21,
    "miou_per_image": MIOU_PER_IMAGE,
}


DETAILED = 25
"""The noise level of which the page shows what counts in the mean of an image."""

READING = """A segmenter is named by the hash of its weights. In bold: the three denoisers stand in the printed
order; the last column says in how many of 10,000 resamples of the images they do. `best - noisy`: how far noisy images
are from the best of the denoised ones, which is next to nothing in print."""

COUNTED = """The convention, and the released code, average over the classes of an image's truth or prediction,
background among them. Void counts as background there and is left out here: stored counts do not tell what it was taken
for."""

NEAR = """Their images are not named. How many of ours have, for all three denoisers at that sigma, a score of their own
within 0.02 of the printed one."""


class Row(NamedTuple):
    """One noise level by one convention.

    Attributes:
        scores: denoiser -> score; of the print four.
        differences: of PAIRS: value, and the ends of its 95 % interval, NaN in print.
        as_printed: the fraction of resamples in which the three denoisers stand in the printed order.
    """

    segmenter: str
    sigma: float
    convention: str
    scores: Mapping[str, float]
    differences: Mapping[tuple[str, str], tuple[float, float, float]]
    as_printed: float


def main() -> None:
    """Read, compare, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path, nargs="+", default=[COMMITTED], help="folders of score files")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder to write to")
    options = parser.parse_args()
    runs = [read_run(folder) for folder in options.scores]
    rows = [row for name, rows_of in runs for row in rows_of_run(name, rows_of)]
    text = "\n".join(page(rows, runs)).rstrip() + "\n"
    stem = options.output / "table_5_conventions"
    write_texts({stem.with_suffix(".md"): text, stem.with_suffix(".csv"): as_csv(rows)})
    print(text, end="")


Run = tuple[str, dict[str, tuple[pd.DataFrame, dict[str, object]]]]
"""A segmenter's name, and denoiser -> rows of the first draw, the judge's record."""


def read_run(folder: Path) -> Run:
    """The score files of one segmenter, which is named by the hash of its weights.

    Raises:
        UsaidError: one is missing or failed, they are of several segmenters, or not at sigma 25.
    """
    files = {name: read_scores(folder / f"{name}.parquet") for name in TITLES}
    for name, scores in files.items():
        if (reason := scores.provenance["failure"]) is not None:
            raise UsaidError(f"{folder / name}.parquet: failed ({reason}); score it again")
    judges = {str(scores.provenance["judge"].get("weights_sha256"))[:8] for scores in files.values()}
    if len(judges) > 1:
        raise UsaidError(f"{folder}: judged by several segmenters, {', '.join(sorted(judges))}; score all by one")
    (segmenter,) = judges
    first = {
        name: (own.rows[own.rows["draw"] == own.rows["draw"].min()], own.provenance["judge"])
        for name, own in files.items()
    }
    if any(own[own["sigma"] == DETAILED].empty for own, _ in first.values()):
        raise UsaidError(f"{folder}: has not all rows at sigma {DETAILED}, of which the page tells more; score them")
    return segmenter, first


def at(run: Mapping[str, tuple[pd.DataFrame, dict[str, object]]], sigma: float) -> dict[str, pd.DataFrame]:
    """Denoiser -> its rows of a noise level, the same images in the same order."""
    rows = {name: own[own["sigma"] == sigma].sort_values("image_id") for name, (own, _) in run.items()}
    images = {tuple(own["image_id"]) for own in rows.values()}
    if len(images) > 1:
        raise UsaidError(f"score files of different images at sigma {sigma:g}; score all denoisers on the same")
    return rows


def rows_of_run(segmenter: str, run: Mapping[str, tuple[pd.DataFrame, dict[str, object]]]) -> Iterator[Row]:
    """All noise levels that Table V has, by all conventions."""
    for sigma in filter(in_print, sorted(run["noisy"][0]["sigma"].unique())):
        rows = at(run, sigma)
        for convention, statistic in CONVENTIONS.items():
            assert statistic.resampled is not None
            of_weights = [statistic.resampled(own, run[name][1]) for name, own in rows.items()]
            values, resampled = bootstrap_values(of_weights, len(rows["noisy"]))
            value, draws = dict(zip(rows, values.tolist(), strict=True)), dict(zip(rows, resampled, strict=True))
            found = {}
            for pair in PAIRS:
                first, other = pair
                difference = value[first] - value[other]
                estimate = from_bootstrap(difference, draws[first] - draws[other], len(rows["noisy"]), "images")
                assert estimate.low is not None
                assert estimate.high is not None
                found[pair] = (difference, estimate.low, estimate.high)
            held = [draws[first] > draws[then] for first, then in pairwise(order_of(in_print(sigma), DENOISED))]
            yield Row(segmenter, float(sigma), convention, value, found, float(np.logical_and(*held).mean()))


def in_print(sigma: float) -> dict[str, float]:
    """Denoiser -> Table V's number."""
    numbers = {name: published(5, f"{sigma:g}", "miou", name) for name in PRINTED}
    return {name: number for name, number in numbers.items() if number is not None}


def order_of(scores: Mapping[str, float], names: Sequence[str] = PRINTED) -> list[str]:
    """Names, the best first."""
    return sorted(names, key=lambda name: -scores[name])


def in_order(scores: Mapping[str, float], names: Sequence[str] = PRINTED) -> str:
    """``"S-SAID > U-SAID > noisy"``."""
    return " > ".join(TITLES[name] for name in order_of(scores, names))


# ------------------------------------------------------------------------------------------------ what is written


def page(rows: Sequence[Row], runs: Sequence[Run]) -> Iterator[str]:
    """Markdown: scores and orders, differences, what the mean of images counts, and Figure 3's captions."""
    sigmas = sorted({row.sigma for row in rows})
    yield from ("# Table V by three conventions of mIoU", "")
    images = len(at(runs[0][1], sigmas[0])["noisy"])
    yield "Written by `benchmarks/table_5_conventions.py`, which says of which score files."
    yield ""
    yield f"{images} images of PASCAL VOC 2012 val, first noise draw. {READING}"
    yield ""
    yield from table_of_scores(rows, sigmas)
    yield from ("## Differences, with 95 % intervals over images", "")
    yield from table_of_differences(rows, sigmas)
    yield from ("## What counts in the mean of an image, sigma 25", "")
    yield from (COUNTED, "")
    yield from table_of_details(runs)
    yield from ("## Figure 3's captions", "")
    yield from captions(runs)


def table_of_scores(rows: Sequence[Row], sigmas: Sequence[float]) -> Iterator[str]:
    """Scores, orders, and how far noisy images are from denoised ones."""
    header = ["sigma", "segmenter", "convention", *TITLES.values(), "best - noisy", "order", "as printed"]
    yield from heading(header)
    for sigma in sigmas:
        printed = in_print(sigma)
        gap = max(printed[name] for name in DENOISED) - printed["noisy"]
        cells = [f"{sigma:g}", "print", "", *(f"{printed[name]:.4f}" for name in PRINTED), "", f"{gap:+.4f}"]
        yield line([*cells, f"**{in_order(printed)}**", ""])
        for row in (own for own in rows if own.sigma == sigma):
            gap = max(row.scores[name] for name in DENOISED) - row.scores["noisy"]
            same = order_of(row.scores, DENOISED) == order_of(printed, DENOISED)
            order = f"**{in_order(row.scores)}**" if same else in_order(row.scores)
            scores = [f"{row.scores[name]:.4f}" for name in TITLES]
            cells = [f"{sigma:g}", row.segmenter, row.convention, *scores, f"{gap:+.4f}", order]
            yield line([*cells, f"{100 * row.as_printed:.0f} %"])
    yield ""


def table_of_differences(rows: Sequence[Row], sigmas: Sequence[float]) -> Iterator[str]:
    """Paired differences beside those of the print."""
    yield from heading(["sigma", "segmenter", "convention", *(f"{TITLES[a]} - {TITLES[b]}" for a, b in PAIRS)])
    for sigma in sigmas:
        printed = in_print(sigma)
        yield line([f"{sigma:g}", "print", "", *(f"{printed[a] - printed[b]:+.4f}" for a, b in PAIRS)])
        for row in (own for own in rows if own.sigma == sigma):
            cells = [f"{value:+.4f} [{low:+.4f}, {high:+.4f}]" for value, low, high in row.differences.values()]
            yield line([f"{sigma:g}", row.segmenter, row.convention, *cells])
    yield ""


def table_of_details(runs: Sequence[Run]) -> Iterator[str]:
    """The mean of images by what could be meant."""
    yield from heading(["segmenter", "classes of an image", "background", *TITLES.values(), "order"])
    printed = in_print(DETAILED)
    for segmenter, run in runs:
        rows = at(run, DETAILED)
        for of_truth in (False, True):
            for background in (True, False):
                scores = {name: mean_of_images(own, of_truth, background) for name, own in rows.items()}
                classes = "truth" if of_truth else "truth or prediction"
                order = in_order(scores)
                if order_of(scores, DENOISED) == order_of(printed, DENOISED):
                    order = f"**{order}**"
                cells = [f"{scores[name]:.4f}" for name in TITLES]
                yield line([segmenter, classes, "counts" if background else "left out", *cells, order])
    yield ""


def mean_of_images(rows: pd.DataFrame, of_truth: bool, background: bool) -> float:
    """Mean over images of the mean over classes: those of the truth alone, or also what was predicted."""
    counts = np.stack([*rows["confusion"]])
    values = image_iou(counts)
    if of_truth:
        classes = values.shape[1]
        values[counts.reshape(-1, classes, classes).sum(axis=2) == 0] = np.nan
    values = values if background else values[:, 1:]
    values = values[~np.isnan(values).all(axis=1)]
    return float(np.nanmean(values, axis=1).mean())


def captions(runs: Sequence[Run]) -> Iterator[str]:
    """How many images have scores of their own near the printed captions."""
    yield from (NEAR, "")
    yield from heading(["sigma", "printed", *(segmenter for segmenter, _ in runs)])
    for printed in printed_rows(3):
        numbers = {name: float(printed.number("miou", name)) for name in DENOISED}
        cells = []
        for _, run in runs:
            rows = at(run, printed.sigma)
            if not len(rows["noisy"]):
                cells.append("not scored")
                continue
            own = {name: np.nanmean(image_iou(np.stack([*rows[name]["confusion"]])), axis=1) for name in DENOISED}
            near = np.all([np.abs(own[name] - numbers[name]) <= 0.02 for name in DENOISED], axis=0)
            cells.append(f"{int(near.sum())} of {len(near)}")
        yield line([f"{printed.sigma:g}", ", ".join(f"{number:.4f}" for number in numbers.values()), *cells])


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each score and difference."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["segmenter", "sigma", "convention", "denoiser", "minus", "value", "low", "high", "printed"])
    for row in rows:
        printed = in_print(row.sigma)
        place = [row.segmenter, f"{row.sigma:g}", row.convention]
        for name, value in row.scores.items():
            writer.writerow([*place, name, "", f"{value:.6f}", "", "", printed.get(name, "")])
        for (first, other), numbers in row.differences.items():
            difference = f"{printed[first] - printed[other]:.4f}"
            writer.writerow([*place, first, other, *(f"{number:.6f}" for number in numbers), difference])
    return text.getvalue()


def heading(cells: Sequence[str]) -> Iterator[str]:
    """The head of a table."""
    yield line(cells)
    yield line(["---"] * len(cells))


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
