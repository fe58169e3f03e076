"""What a convention of NIQE costs, and what of the distance to print is left to the parameters.

    python benchmarks/niqe_conventions.py --data-root data

The three released checkpoints on the 24 images of Kodak, noise draw 0, with the LIVE parameters: ours (``niqe_live``)
and one convention changed at a time; then all as MATLAB's ``niqe`` has them on what the released code hands it. Last,
our conventions with two other sets of parameters, fitted to VOC's training images. The CSV file is written after each
image, and a run goes on where the last one ended. ``--page`` makes the page from the file, and measures nothing.
"""

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from niqe_variants import RGB2GRAY, Convention, distance, features_and_sharpness, imresize_halved, niqe_scores
from niqe_variants import plain_halved as without_antialiasing
from released_outputs import (
    RELEASED,
    TITLES,
    Journal,
    Outputs,
    check_whole,
    commit_of,
    differences,
    order,
    parser_of,
    printed,
    read_columns,
    table,
)

from evaluators.metrics.niqe import PristineModel, load_pristine_model, save_pristine_model
from evaluators.metrics.niqe import _mean_and_covariance as mean_and_covariance
from usaid.datasets.kodak import Kodak
from usaid.datasets.voc2012 import VOC2012
from usaid.report.text_files import write_texts
from usaid.tensors import to_unit_range

SIGMAS = (15.0, 25.0, 35.0)
OURS, MATLAB = "ours", "all_matlab"

_OURS = Convention()
_MATLAB = Convention(
    is_transposed=True, weights=RGB2GRAY, is_grey_rounded=False, halve=imresize_halved, has_exact_window=True
)
CONVENTIONS: dict[str, tuple[str, Convention]] = {
    OURS: ("ours (`niqe_live`)", _OURS),
    "transposed": ("image transposed", replace(_OURS, is_transposed=True)),
    "8_bits": ("image rounded to 8 bits", replace(_OURS, is_stored=True)),
    "grey_not_rounded": ("grey not rounded", replace(_OURS, is_grey_rounded=False)),
    "rgb2gray": ("weights of MATLAB's rgb2gray", replace(_OURS, weights=RGB2GRAY)),
    "imresize": ("half size by the definition of imresize", replace(_OURS, halve=imresize_halved)),
    "exact_window": ("window that sums to 1", replace(_OURS, has_exact_window=True)),
    "whole_blocks": ("blocks with NaN left out of the mean too", replace(_OURS, has_whole_blocks_only=True)),
    "inverse": ("inverse in place of pinv", replace(_OURS, invert=torch.linalg.inv)),
    MATLAB: ("**all as MATLAB's `niqe`**", _MATLAB),
    "matlab_8_bits": ("the same, image rounded to 8 bits", replace(_MATLAB, is_stored=True)),
    "sharp_blocks": ("blocks above 0.75 of the sharpest", replace(_OURS, sharper_than=0.75)),
    "divisor_n": ("covariance divided by n", replace(_OURS, divisor_less=0)),
    "cropped_last": ("cropped after filtering", replace(_OURS, is_cropped_last=True)),
    "across_blocks": ("neighbours across blocks' borders", replace(_OURS, is_shifted_whole=True)),
    "zeros": ("window padded with zeros", replace(_OURS, padding="constant")),
    "no_antialiasing": ("half size without antialiasing", replace(_OURS, halve=without_antialiasing)),
    "unit_range": ("grey left in [0, 1]", replace(_OURS, white=1.0)),
}
"""Name -> title and convention: ours, those in question, all of them as in MATLAB, and what others may do."""

FITTED = {
    "fitted_sharp": ("parameters fitted to VOC's training images, blocks above 0.75 of the sharpest", 0.75),
    "fitted_all": ("parameters fitted to VOC's training images, all blocks", 0.0),
}
KEYS, COLUMNS = ("image", "sigma", "denoiser"), (*CONVENTIONS, *FITTED)
TITLE_OF = {name: title for name, (title, _) in (*CONVENTIONS.items(), *FITTED.items())}

Scores = dict[tuple[str, str], dict[str, np.ndarray]]
"""(sigma, denoiser) -> convention -> NIQE of each image, in one order."""


def main() -> None:
    """Measure what the file lacks, write the page."""
    parser = parser_of(__doc__, "niqe_conventions")
    options = parser.parse_args()
    made_by = commit_of(options)
    if not options.page:
        torch.set_num_threads(options.threads)
        measure(options.data_root, options.cache, Journal(options.csv, KEYS, COLUMNS))
    scores = read(options.csv)
    wanted = [("0", "clean"), *product([f"{sigma:g}" for sigma in SIGMAS], (*RELEASED, "noisy"))]
    check_whole(options.csv, {of: len(own[OURS]) for of, own in scores.items()}, wanted)
    write_texts({options.csv.with_suffix(".md"): page(scores, made_by)})


def measure(data_root: Path, cache: Path, journal: Journal) -> None:
    """NIQE of every image, noise level and denoiser under every convention; clean images have sigma 0."""
    live = load_pristine_model("niqe_live", data_root / "niqe/niqe_live_pris_params.npz")
    fitted = fitted_models(data_root, cache)
    outputs, kodak = Outputs(data_root, cache), Kodak(data_root, "all")
    conventions = {name: convention for name, (_, convention) in CONVENTIONS.items()}
    for sigma, image_id in product((0.0, 25.0, *SIGMAS), kodak.ids):
        if not journal.lacks(image_id, f"{sigma:g}", "noisy" if sigma else "clean"):
            continue
        clean = to_unit_range(kodak[image_id].image)
        images = outputs.of(clean, kodak.name, image_id, sigma) if sigma else {"clean": clean}
        rows = {}
        for name, image in images.items():
            scores = niqe_scores(image, conventions, live)
            blocks = features_and_sharpness(image, _OURS)
            scores |= {model: distance(*blocks, _OURS, fitted[model]) for model in FITTED}
            rows[image_id, f"{sigma:g}", name] = [scores[column] for column in COLUMNS]
        journal.add(rows)
        print(f"{image_id}, sigma {sigma:g}", file=sys.stderr, flush=True)


def fitted_models(data_root: Path, cache: Path) -> dict[str, PristineModel]:
    """Parameters of blocks of VOC's training images at hand, kept in ``cache``."""
    paths = {name: cache / f"niqe_{name}.npz" for name in FITTED}
    if not all(path.is_file() for path in paths.values()):
        voc = VOC2012(data_root, "train", "subsets/voc2012_train.txt")
        blocks = [features_and_sharpness(to_unit_range(sample.image), _OURS) for sample in voc]
        for name, (_, threshold) in FITTED.items():
            save_pristine_model(paths[name], fit(blocks, threshold))
    return {name: load_pristine_model("niqe_fitted", path) for name, path in paths.items()}


def fit(blocks: list[tuple[torch.Tensor, torch.Tensor]], threshold: float) -> PristineModel:
    """As the suite's ``fit_pristine_model``, from features (1, blocks, 36) and sharpness (1, blocks) of each image."""
    chosen = [features[sharpness > threshold * sharpness.max()] for features, sharpness in blocks]
    features = torch.cat([own[~own.isnan().any(dim=1)] for own in chosen])
    mean, covariance = mean_and_covariance(features[None])
    return PristineModel("niqe_fitted", mean[0], covariance[0])


def read(path: Path) -> Scores:
    """What the CSV file holds."""
    held = read_columns(path, ("sigma", "denoiser"), COLUMNS)
    return {(sigma, denoiser): own for (sigma, denoiser), own in held.items()}


# ------------------------------------------------------------------------------------------------ the page


def page(scores: Scores, commit: str) -> str:
    """The page, from what was measured."""
    n = len(scores["0", "clean"][OURS])
    parts = [HEAD.format(n=n, commit=commit), *(offsets(scores, sigma) for sigma in SIGMAS), ORDER, orders(scores)]
    return "\n".join([*parts, LEFT.format(**summary(scores)), remaining(scores), PARAMETERS, parameters(scores)])


def offsets(scores: Scores, sigma: float) -> str:
    """Each convention minus ours, at one noise level."""
    columns = [(f"{sigma:g}", name) for name in (*RELEASED, "noisy")] + [("0", "clean")]
    header = ["convention", *(TITLES[name] for _, name in columns)]
    rows = [[f"{TITLE_OF[OURS]}: mean", *(f"{scores[of][OURS].mean():.3f}" for of in columns)]]
    for name, (title, _) in CONVENTIONS.items():
        if name != OURS:
            rows.append([title, *(differences(scores[of][name], scores[of][OURS]) for of in columns)])
    return f"### Sigma {sigma:g}\n\n{table(header, rows)}"


def orders(scores: Scores) -> str:
    """The three denoisers from the best on, and U-SAID minus S-SAID, under each convention."""
    header = ["convention", *(f"{what}, {sigma:g}" for sigma in SIGMAS for what in ("order", "U-SAID - S-SAID"))]
    rows = [["print (Table VI)"]]
    for sigma in SIGMAS:
        means = printed(6, sigma, "niqe")
        rows[0] += [order(means, True), f"{means['u_said'] - means['s_said']:+.3f}"]
    for name in COLUMNS:
        row = [TITLE_OF[name]]
        for sigma in SIGMAS:
            own = {denoiser: scores[f"{sigma:g}", denoiser][name] for denoiser in RELEASED}
            there = ~np.isnan(sum(own.values()))
            means = {denoiser: float(values[there].mean()) for denoiser, values in own.items()}
            row += [order(means, True), differences(own["u_said"], own["s_said"])]
        rows.append(row)
    return table(header, rows)


def distances(scores: Scores, name: str) -> dict[tuple[float, str], float]:
    """Ours minus print under a convention, for each of the nine printed numbers."""
    return {
        (sigma, denoiser): float(scores[f"{sigma:g}", denoiser][name].mean()) - value
        for sigma in SIGMAS
        for denoiser, value in printed(6, sigma, "niqe").items()
    }


def remaining(scores: Scores) -> str:
    """The distance to print: ours, as MATLAB, and what conventions change of it."""
    ours, matlab = (distances(scores, name) for name in (OURS, MATLAB))
    header = ["sigma", "denoiser", "print", "ours", "ours - print", "all as MATLAB - print", "all as MATLAB - ours"]
    rows = []
    for sigma, denoiser in ours:
        mean = scores[f"{sigma:g}", denoiser][OURS].mean()
        own, other = ours[sigma, denoiser], matlab[sigma, denoiser]
        texts = [f"{mean - own:.3f}", f"{mean:.3f}", f"{own:+.3f}", f"{other:+.3f}", f"{other - own:+.3f}"]
        rows.append([f"{sigma:g}", TITLES[denoiser], *texts])
    return table(header, rows, words=2)


def summary(scores: Scores) -> dict[str, str]:
    """The numbers of the sentences."""
    ours, matlab = (np.array([*distances(scores, name).values()]) for name in (OURS, MATLAB))
    return {
        "change": f"{(matlab - ours).min():+.3f} to {(matlab - ours).max():+.3f}",
        "ours": f"{ours.min():+.3f} to {ours.max():+.3f}, mean {ours.mean():+.3f}",
        "matlab": f"{matlab.min():+.3f} to {matlab.max():+.3f}, mean {matlab.mean():+.3f}",
        "spread": f"{matlab.std(ddof=1):.3f}",
    }


def parameters(scores: Scores) -> str:
    """Ours minus print with other parameters."""
    rows = []
    for name in (OURS, *FITTED):
        own = distances(scores, name)
        for sigma in SIGMAS:
            rows.append([TITLE_OF[name], f"{sigma:g}", *(f"{own[sigma, denoiser]:+.3f}" for denoiser in RELEASED)])
    return table(["parameters", "sigma", *(f"{TITLES[denoiser]} - print" for denoiser in RELEASED)], rows, words=2)


HEAD = """# NIQE under other conventions

The three released checkpoints on all {n} Kodak images, noise draw 0, float32, with the LIVE parameters. Each
line but the first changes one convention of `niqe_live`. Made by commit {commit} with

    python benchmarks/niqe_conventions.py --data-root /folder/with/the/data

Per image: [niqe_conventions.csv](niqe_conventions.csv).

## Offsets

The convention minus ours: mean over the {n} images and its 95 % interval over images (Student's t, paired).
Without an interval: no image differs, or all differ by the same. "n = ...": the other images have too few blocks that
are so sharp. Clean images have no noise; they stand beside each level.

What ours has from MATLAB already: half size by bicubic `imresize` with antialiasing, 7x7 Gaussian window with replicate
padding, all blocks, means that leave out NaN and a covariance of whole blocks, pinv of the mean of both covariances.
Below "all as MATLAB" stand things that neither does, for their size.
"""
ORDER = """## Order

C: CDnCNN-B, S: S-SAID, U: U-SAID; the lowest (best) mean first, and U-SAID minus S-SAID with its 95 % interval
over images.
"""
LEFT = """## What is left to the parameters

Ours minus Table VI is {ours}. With all as in MATLAB it is {matlab}, standard deviation {spread} over the nine numbers:
conventions change it by {change}. What they leave, the parameters have to explain, and what is not known of MATLAB's
function. Noise draws matter less: by Table X's variances over draws (1.7e-4 to 6.0e-4 at sigma 25) the mean of one
draw has a standard deviation of 0.013 to 0.024.
"""
PARAMETERS = """## What other parameters do

Our conventions, with parameters fitted to the 311 of VOC's 1,464 training images at hand in place of the LIVE
ones. They stand for no one's: they show how far parameters alone move the level.
"""


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
