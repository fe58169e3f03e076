"""What a convention of SSIM and PSNR costs, against what the paper prints in Tables I and VI.

    python benchmarks/ssim_conventions.py --data-root data

The three released checkpoints and the noisy image, noise draw 0: all 24 images of Kodak at sigma 15, 25 and 35, and
every eighth of the VOC images at hand at sigma 25. Each line changes one convention of ``ssim_skimage7`` and
``psnr_rgb_float``. The CSV file is written after each image, and a run goes on where the last one ended. ``--page``
makes the page from the file alone.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from released_outputs import (
    RELEASED,
    TITLES,
    Journal,
    Outputs,
    check_whole,
    commit_of,
    differences,
    interval,
    order,
    parser_of,
    printed,
    read_columns,
    table,
)
from skimage.metrics import structural_similarity
from torch import Tensor

from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.datasets.base import Dataset
from usaid.datasets.kodak import Kodak
from usaid.datasets.voc2012 import VOC2012
from usaid.report.text_files import write_texts
from usaid.tensors import to_unit_range

SIGMAS, CROP, EVERY = (15.0, 25.0, 35.0), 500, 8
SIGMA = 25.0
"""Of the tables that show every number, and of VOC."""

Pair = tuple[np.ndarray, np.ndarray]
"""Output and clean image, float64 (H, W, 3) or, of luma, (H, W)."""

_GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
"""The window of Wang et al. 2004: 11x11 Gaussian, weighted covariances."""


def clamped(output: np.ndarray, clean: np.ndarray) -> Pair:
    """As ours."""
    return output.clip(0, 1), clean


def as_it_is(output: np.ndarray, clean: np.ndarray) -> Pair:
    """Whatever the output's values."""
    return output, clean


def rounded(output: np.ndarray, clean: np.ndarray) -> Pair:
    """The output as an 8-bit file holds it."""
    return (output.clip(0, 1) * 255).round() / 255, clean


def of_luma(output: np.ndarray, clean: np.ndarray) -> Pair:
    """Y of YCbCr (ITU-R BT.601) as MATLAB's ``rgb2ycbcr`` has it, from 16 / 255 to 235 / 255."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return output.clip(0, 1) @ weights + 16 / 255, clean @ weights + 16 / 255


def of_grey(output: np.ndarray, clean: np.ndarray) -> Pair:
    """Luma in [0, 1], as ``rgb2gray`` has it."""
    weights = np.array([0.299, 0.587, 0.114])
    return output.clip(0, 1) @ weights, clean @ weights


def of_middle(output: np.ndarray, clean: np.ndarray) -> Pair:
    """The square in the middle, cut after denoising; what an image has of it."""
    tops = [max(0, (side - CROP) // 2) for side in clean.shape[:2]]
    part = tuple(slice(top, top + CROP) for top in tops)
    return output[part].clip(0, 1), clean[part]


def in_float32(output: np.ndarray, clean: np.ndarray) -> Pair:
    """As ours, computed in float32."""
    return output.clip(0, 1).astype(np.float32), clean.astype(np.float32)


class Convention(NamedTuple):
    """How an output is compared: ``prepared``, then scikit-image's SSIM with ``options``."""

    title: str
    prepared: Callable[[np.ndarray, np.ndarray], Pair]
    options: Mapping[str, object]


OURS = "ours"
CONVENTIONS = {
    OURS: Convention("ours: uniform 7x7, sample covariance, RGB, data range 1", clamped, {}),
    "gaussian": Convention("Gaussian 11x11, sigma 1.5", clamped, _GAUSSIAN),
    "population": Convention("covariance over 49, not 48", clamped, {"use_sample_covariance": False}),
    "float32": Convention("computed in float32", in_float32, {}),
    "not_clamped": Convention("output not clamped", as_it_is, {}),
    "rounded": Convention("output rounded to 8 bits", rounded, {}),
    "rounded_gaussian": Convention("output rounded, Gaussian", rounded, _GAUSSIAN),
    "luma": Convention("luma (Y of YCbCr)", of_luma, {}),
    "luma_gaussian": Convention("luma (Y of YCbCr), Gaussian", of_luma, _GAUSSIAN),
    "grey": Convention("grey in [0, 1]", of_grey, {}),
    "grey_gaussian": Convention("grey in [0, 1], Gaussian", of_grey, _GAUSSIAN),
    "range_2": Convention("data range 2 (scikit-image's default for floats then)", clamped, {"data_range": 2.0}),
    "middle": Convention(f"{CROP}x{CROP} pixels in the middle", of_middle, {}),
}
PSNR_OF = (OURS, "not_clamped", "rounded", "luma", "grey", "middle")
"""The conventions that are conventions of PSNR too."""

NEAR = (OURS, "gaussian", "population", "not_clamped", "rounded")
"""What comes near print at sigma 25, and is measured at the other levels too."""

KEYS = ("dataset", "sigma", "image", "denoiser")
COLUMNS = (*(f"ssim_{name}" for name in CONVENTIONS), *(f"psnr_{name}" for name in PSNR_OF))

Scores = dict[tuple[str, float, str], dict[str, np.ndarray]]
"""(data set, sigma, denoiser) -> column -> value of each image, in one order."""


def main() -> None:
    """Measure what the file lacks, write the page."""
    parser = parser_of(__doc__, "ssim_conventions")
    options = parser.parse_args()
    made_by = commit_of(options)
    if not options.page:
        torch.set_num_threads(options.threads)
        journal, outputs = Journal(options.csv, KEYS, COLUMNS), Outputs(options.data_root, options.cache)
        kodak = Kodak(options.data_root, "all")
        voc = VOC2012(options.data_root, "val", "subsets/voc2012_val.txt")
        measure(kodak, kodak.ids, SIGMA, outputs, journal)
        measure(voc, voc.ids[::EVERY], SIGMA, outputs, journal)
        for sigma in SIGMAS:
            measure(kodak, kodak.ids, sigma, outputs, journal)
    scores = read(options.csv)
    images = {of: len(own["ssim_ours"]) for of, own in scores.items()}
    check_whole(options.csv, images, product(["kodak"], SIGMAS, (*RELEASED, "noisy")))
    check_whole(options.csv, images, product(["voc2012"], [SIGMA], (*RELEASED, "noisy")))
    write_texts({options.csv.with_suffix(".md"): page(scores, made_by)})


def measure(dataset: Dataset, ids: Sequence[str], sigma: float, outputs: Outputs, journal: Journal) -> None:
    """Score images of a data set at one noise level."""
    for image_id in ids:
        if journal.lacks(dataset.name, f"{sigma:g}", image_id, "noisy"):
            clean = to_unit_range(dataset[image_id].image)
            rows = {}
            for name, output in outputs.of(clean, dataset.name, image_id, sigma).items():
                scores = scored(output, clean, CONVENTIONS if sigma == SIGMA else NEAR)
                values = [scores.get(column, np.nan) for column in COLUMNS]
                rows[dataset.name, f"{sigma:g}", image_id, name] = values
            journal.add(rows)
            print(f"{dataset.name} {image_id}, sigma {sigma:g}", file=sys.stderr, flush=True)


def scored(output: Tensor, clean: Tensor, names: Iterable[str] = CONVENTIONS) -> dict[str, float]:
    """SSIM and PSNR (dB) of one output, float (1, 3, H, W), by some conventions or by all."""
    scores = {}
    arrays = [image[0].permute(1, 2, 0).double().numpy() for image in (output, clean)]
    for name in names:
        convention = CONVENTIONS[name]
        pair = convention.prepared(*arrays)
        if name == OURS:
            scores["ssim_ours"], scores["psnr_ours"] = (
                ssim_skimage7(output, clean).item(),
                psnr_rgb_float(output, clean).item(),
            )
            continue
        scores[f"ssim_{name}"] = similarity(pair, convention.options)
        if name in PSNR_OF:
            scores[f"psnr_{name}"] = float(-10 * np.log10(np.square(pair[0] - pair[1]).mean()))
    return scores


def similarity(pair: Pair, options: Mapping[str, object]) -> float:
    """scikit-image's SSIM; of colour the mean over the channels."""
    axis = 2 if pair[0].ndim == 3 else None
    return float(structural_similarity(*pair, **{"data_range": 1.0, "channel_axis": axis, **options}))


def read(path: Path) -> Scores:
    """What the CSV file holds."""
    held = read_columns(path, ("dataset", "sigma", "denoiser"), COLUMNS)
    return {(dataset, float(sigma), denoiser): own for (dataset, sigma, denoiser), own in held.items()}


# ------------------------------------------------------------------------------------------------ the page


def page(scores: Scores, commit: str) -> str:
    """The page, from what was measured."""
    return HEAD.format(
        n=len(scores["kodak", SIGMA, "noisy"]["ssim_ours"]),
        n_voc=len(scores["voc2012", SIGMA, "noisy"]["ssim_ours"]),
        commit=commit,
        kodak_ssim=levels(scores, "kodak", "ssim"),
        kodak_psnr=levels(scores, "kodak", "psnr"),
        voc_ssim=levels(scores, "voc2012", "ssim"),
        voc_psnr=levels(scores, "voc2012", "psnr"),
        intervals=intervals(scores),
        ssim_apart=apart_at(scores, "ssim"),
        psnr_apart=apart_at(scores, "psnr"),
        costs=costs(scores),
        **summary(scores),
    )


def print_of(dataset: str, metric: str, sigma: float = SIGMA) -> dict[str, float]:
    """What Table I (VOC) or VI (Kodak) prints."""
    return printed({"voc2012": 1, "kodak": 6}[dataset], sigma, metric)


def means_of(scores: Scores, dataset: str, column: str, sigma: float = SIGMA) -> dict[str, float]:
    """The mean over images of each denoiser."""
    return {name: float(scores[dataset, sigma, name][column].mean()) for name in RELEASED}


def names_of(metric: str) -> tuple[str, ...]:
    """The conventions of a metric."""
    return tuple(CONVENTIONS) if metric == "ssim" else PSNR_OF


def levels(scores: Scores, dataset: str, metric: str) -> str:
    """Mean and distance to print by convention, the largest distance, the order."""
    digits = 4 if metric == "ssim" else 2
    paper = print_of(dataset, metric)
    header = ["convention", *(TITLES[name] for name in RELEASED), "largest distance", "order", "noisy"]
    rows = [["print", *(f"{paper[name]:.{digits}f}" for name in RELEASED), "", order(paper, False), ""]]
    for name in names_of(metric):
        means = means_of(scores, dataset, f"{metric}_{name}")
        apart = {denoiser: means[denoiser] - paper[denoiser] for denoiser in RELEASED}
        cells = [f"{means[denoiser]:.{digits}f} ({apart[denoiser]:+.{digits}f})" for denoiser in RELEASED]
        noisy = scores[dataset, SIGMA, "noisy"][f"{metric}_{name}"].mean()
        largest = max(map(abs, apart.values()))
        row = [CONVENTIONS[name].title, *cells, f"{largest:.{digits}f}", order(means, False), f"{noisy:.{digits}f}"]
        rows.append(row)
    return table(header, rows)


def apart_at(scores: Scores, metric: str) -> str:
    """By convention and noise level: the three distances to Table VI."""
    digits = 4 if metric == "ssim" else 3
    rows = []
    for name in names_of(metric):
        if name not in NEAR:
            continue
        row = [CONVENTIONS[name].title]
        for sigma in SIGMAS:
            means, paper = means_of(scores, "kodak", f"{metric}_{name}", sigma), print_of("kodak", metric, sigma)
            row += [", ".join(f"{means[denoiser] - paper[denoiser]:+.{digits}f}" for denoiser in RELEASED)]
        rows.append(row)
    return table([f"{metric.upper()} - print", *(f"sigma {sigma:g}" for sigma in SIGMAS)], rows)


def costs(scores: Scores) -> str:
    """The convention minus ours on Kodak, U-SAID: SSIM and PSNR."""
    own = scores["kodak", SIGMA, "u_said"]
    rows = []
    for name, convention in CONVENTIONS.items():
        if name != OURS:
            cells = [differences(own[f"ssim_{name}"], own["ssim_ours"], 4)]
            cells += [differences(own[f"psnr_{name}"], own["psnr_ours"]) if name in PSNR_OF else ""]
            rows.append([convention.title, *cells])
    return table(["convention, minus ours", "SSIM", "PSNR (dB)"], rows)


def intervals(scores: Scores) -> str:
    """Ours on the VOC images with an interval, beside print."""
    rows = []
    for metric, digits in (("ssim", 4), ("psnr", 2)):
        paper = print_of("voc2012", metric)
        for name in RELEASED:
            text = interval(scores["voc2012", SIGMA, name][f"{metric}_ours"], digits)
            rows.append([metric.upper(), TITLES[name], text, f"{paper[name]:.{digits}f}"])
    return table(["metric", "denoiser", "ours, mean and 95 % interval", "print (1,449 images)"], rows, words=2)


def summary(scores: Scores) -> dict[str, str]:
    """The numbers of the sentences: how far each convention of SSIM is from Table VI."""
    paper = print_of("kodak", "ssim")
    apart = {}
    for name in CONVENTIONS:
        means = means_of(scores, "kodak", f"ssim_{name}")
        apart[name] = max(abs(means[denoiser] - paper[denoiser]) for denoiser in RELEASED)
    near = sorted((name for name in apart if apart[name] < 0.0015), key=apart.__getitem__)
    far = min((name for name in apart if name not in near), key=apart.__getitem__)
    return {
        "ours": f"{apart[OURS]:.4f}",
        "near": "; ".join(f"{CONVENTIONS[name].title} ({apart[name]:.4f})" for name in near if name != OURS),
        "far": f"{CONVENTIONS[far].title} ({apart[far]:.4f})",
    }


HEAD = """# SSIM and PSNR under other conventions

The three released checkpoints and the noisy image, noise draw 0, float32: all {n} Kodak images (Table VI), and at
sigma 25 {n_voc} of the 321 VOC validation images at hand, every eighth (Table I is of 1,449). Each line changes one
convention of `ssim_skimage7` and `psnr_rgb_float`. Made by commit {commit} with

    python benchmarks/ssim_conventions.py --data-root /folder/with/the/data

Per image: [ssim_conventions.csv](ssim_conventions.csv). In brackets: minus print. C: CDnCNN-B, S: S-SAID, U: U-SAID,
the best mean first.

## Kodak, SSIM, sigma 25

{kodak_ssim}
Ours is within {ours} of all three printed numbers. Within 0.0015 are besides: {near}. The next is {far}.

## Kodak, PSNR (dB), sigma 25

{kodak_psnr}
## Kodak, at each sigma

The distances to Table VI of CDnCNN-B, S-SAID and U-SAID, in this order. A convention that print was made with has to
fit at each noise level.

{ssim_apart}
{psnr_apart}
## What each costs

U-SAID on Kodak at sigma 25: mean over images and its 95 % interval over images (Student's t, paired).

{costs}
## VOC, SSIM, sigma 25

The levels are of other images than print's: {n_voc} of 1,449 that were not drawn at random.

{voc_ssim}
## VOC, PSNR (dB), sigma 25

{voc_psnr}
What the choice of {n_voc} images alone leaves open:

{intervals}"""


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
