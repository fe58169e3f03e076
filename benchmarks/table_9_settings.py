"""Which images noise was added to in Table IX: PSNR and SSIM of released denoisers in several settings, beside print.

    python benchmarks/table_9_settings.py --data-root data [--images 177] [--output results/reference/conventions]

Every setting makes other images of MS COCO's validation images at hand, before noise is added: as stored; padded to a
grey square; that square resized to 416x416 as a public PyTorch code of the paper's time does; letterboxed as Darknet
does. The three released denoisers give 9 PSNR and 9 SSIM at sigma 15, 25 and 35, the noisy images (not clipped) their
own, and Table IX prints them all.

Rows are appended to `table_9_settings_rows.csv` as they come, an image at a time: a killed run goes on where it was,
and what it has is summed up at its end in `table_9_settings.csv` and `table_9_settings.md`. `--summary` sums up alone.
`letterbox_2019_float` is the same without rounding to 8 bits: what the suite's 8-bit views cost.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.datasets.coco import COCO
from usaid.datasets.views import GREY, letterboxed, padded_to_square
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.errors import UsaidError
from usaid.files import written_atomically
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.paper.published import published
from usaid.report.text_files import write_texts

SIGMAS = (15, 25, 35)
RELEASED = {"cdncnn_b": "DnCNN.pth", "s_said": "SSAID.pth", "u_said": "USAID.pth"}
"""Denoisers and their files below ``released/``."""

SIDE, PADDING = 416, "pytorch_yolov3_2019"
COLUMNS = ("setting", "image_id", "denoiser", "sigma", "psnr", "ssim")
METRICS = ("psnr", "ssim")
TITLES = {
    "stored": "as stored",
    "padded": "padded to a square",
    "letterbox_2019": "letterboxed to 416, code of 2019",
    "letterbox_darknet": "letterboxed to 416, Darknet",
    "letterbox_2019_float": "letterboxed to 416, code of 2019, not rounded to 8 bits",
}


def _rounded(image: np.ndarray) -> np.ndarray:
    return np.rint(image)


SETTINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "stored": lambda image: image,
    "padded": lambda image: padded_to_square(image, GREY[PADDING])[0],
    "letterbox_2019": lambda image: _rounded(letterboxed(image, SIDE, "pytorch_yolov3_2019")[0]),
    "letterbox_darknet": lambda image: _rounded(letterboxed(image, SIDE, "darknet")[0]),
    "letterbox_2019_float": lambda image: letterboxed(image, SIDE, "pytorch_yolov3_2019")[0],
}
"""Stored image, uint8 (H, W, 3) -> the image that noise is added to, 0-255."""


class Row(NamedTuple):
    """A line of the journal: PSNR in dB and SSIM of one image in one setting."""

    setting: str
    image_id: str
    denoiser: str
    sigma: int
    psnr: float
    ssim: float


def main() -> None:
    """Measure what is missing, and sum up."""
    options = _options()
    journal = options.output / "table_9_settings_rows.csv"
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.summary:
        keep_freed_memory()
        measure(options, journal)
    rows = read_rows(journal)
    if rows.empty:
        sys.exit(f"{journal}: holds no row; run without --summary")
    cells = summed_up(rows)
    with written_atomically(options.output / "table_9_settings.csv") as temporary:
        cells.to_csv(temporary, index=False, float_format="%.5f")
    text = page(cells, rows)
    write_texts({options.output / "table_9_settings.md": text})
    print(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder with coco/ and released/")
    parser.add_argument("--images", type=int, default=177, help="so many of those at hand, evenly spread")
    parser.add_argument("--sigmas", type=int, nargs="+", choices=SIGMAS, default=SIGMAS)
    parser.add_argument("--denoisers", nargs="+", choices=[*RELEASED], default=[*RELEASED])
    parser.add_argument("--settings", nargs="+", choices=[*SETTINGS], default=[*SETTINGS][:4], help="without _float")
    parser.add_argument("--output", type=Path, default=Path("results/reference/conventions"), help="folder")
    parser.add_argument("--summary", action="store_true", help="measure nothing, sum up the rows that are there")
    options = parser.parse_args()
    if options.images < 1:
        parser.error(f"--images {options.images}: must be 1 or more")
    return options


# ------------------------------------------------------------------------------------------------ measuring


def measure(options: argparse.Namespace, journal: Path) -> None:
    """Append the rows that the journal lacks, image by image."""
    there = read_rows(journal)
    done = set(there[["setting", "image_id", "denoiser", "sigma"]].itertuples(index=False, name=None))
    images = COCO(options.data_root, "val")
    at_hand = images.ids_on_disk()
    n = min(options.images, len(at_hand))
    denoisers = {
        name: build_denoiser(name, options.data_root / "released" / RELEASED[name]) for name in options.denoisers
    }
    write_rows(journal, there)  # without a line that was cut off
    for number, image_id in enumerate(at_hand[place * len(at_hand) // n] for place in range(n)):
        image = images[image_id].image
        for setting in options.settings:
            wanted = [
                (name, sigma)
                for name in ("noisy", *denoisers)
                for sigma in options.sigmas
                if (setting, image_id, name, sigma) not in done
            ]
            if wanted:
                clean = torch.from_numpy(SETTINGS[setting](image).astype(np.float32) / 255).permute(2, 0, 1)[None]
                append(journal, scores(setting, image_id, clean, wanted, denoisers))
        print(f"{number + 1} of {n} images", file=sys.stderr, flush=True)


def scores(
    setting: str, image_id: str, clean: Tensor, wanted: Sequence[tuple[str, int]], denoisers: dict[str, Denoiser]
) -> Iterator[Row]:
    """Rows of one image, float32 (1, 3, H, W), with the suite's noise for its id."""
    noisy_at = {
        sigma: clean + gaussian_noise("coco", image_id, sigma, 0, *clean.shape[2:])
        for sigma in dict.fromkeys(sigma for _, sigma in wanted)
    }
    for name, sigma in wanted:
        noisy = noisy_at[sigma]
        if name == "noisy":
            yield Row(setting, image_id, name, sigma, *of_unclamped(noisy, clean))
        else:
            output = denoised(name, denoisers[name], noisy)
            yield Row(
                setting,
                image_id,
                name,
                sigma,
                psnr_rgb_float(output, clean).item(),
                ssim_skimage7(output, clean).item(),
            )


def of_unclamped(noisy: Tensor, clean: Tensor) -> tuple[float, float]:
    """PSNR in dB and scikit-image's SSIM of an image whose noise leaves [0, 1], as Table IX has them."""
    from skimage.metrics import structural_similarity

    psnr = -10 * (noisy - clean).double().square().mean().log10().item()
    first, second = (image[0].double().numpy() for image in (noisy, clean))
    return psnr, float(structural_similarity(first, second, data_range=1, channel_axis=0))


# ------------------------------------------------------------------------------------------------ the journal


def read_rows(journal: Path) -> pd.DataFrame:
    """The whole rows of the journal; none where there is no file.

    Raises:
        UsaidError: a file of something else.
    """
    rows = []
    if journal.is_file():
        with open(journal, encoding="utf-8", newline="") as file:
            lines = [line for line in file if line.endswith("\n")]  # the last one may have been cut off
        rows = [row for row in csv.DictReader(lines) if None not in row.values()]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    try:
        typed = frame.astype({"sigma": int, "psnr": float, "ssim": float})
    except ValueError:
        raise UsaidError(f"{journal}: not a journal of this script; delete it, or name another --output") from None
    if unknown := sorted({*typed["setting"]} - {*SETTINGS}):
        raise UsaidError(f"{journal}: holds setting {unknown[0]!r}, which is none; delete its rows")
    return typed


def write_rows(journal: Path, rows: pd.DataFrame) -> None:
    """Write the journal anew, whole or not at all."""
    with written_atomically(journal) as temporary:
        rows.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")


def append(journal: Path, rows: Iterator[Row]) -> None:
    """Append the rows of one image at once."""
    lines = [f"{','.join(map(str, row[:4]))},{row.psnr:.6f},{row.ssim:.6f}\n" for row in rows]
    with open(journal, "a", encoding="utf-8", newline="") as file:
        file.write("".join(lines))


# ------------------------------------------------------------------------------------------------ summing up


def summed_up(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each setting, denoiser, sigma and metric: the mean over images, what is printed, and the difference.

    Means are over the images that have all rows of their setting, which ``n`` counts.
    """
    cells = []
    for setting, own in rows.groupby("setting"):
        expected = len(own[["denoiser", "sigma"]].drop_duplicates())
        whole = own.groupby("image_id").filter(lambda image, expected=expected: len(image) == expected)
        for (denoiser, sigma), group in whole.groupby(["denoiser", "sigma"]):
            for metric in METRICS:
                ours, printed = group[metric].mean(), published(9, str(sigma), metric, denoiser)
                difference = None if printed is None else ours - printed
                cells.append((setting, denoiser, sigma, metric, len(group), ours, printed, difference))
    names = ["setting", "denoiser", "sigma", "metric", "n", "ours", "printed", "difference"]
    frame = pd.DataFrame(cells, columns=names)
    order = {name: place for place, name in enumerate([*SETTINGS, "noisy", *RELEASED, *METRICS])}
    return frame.sort_values(
        ["setting", "metric", "sigma", "denoiser"], key=lambda column: column.map(lambda value: order.get(value, value))
    )


def page(cells: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Two tables in Markdown: how far each setting is from print, and every cell; with the order of the methods.

    Args:
        cells: of :func:`summed_up`.
        rows: of the journal, for what rounding costs.
    """
    lines = [
        "# Table IX: which images noise was added to",
        "",
        "How far from print, mean over denoisers and sigmas; then every cell. Noisy images are not clipped.",
        "`python benchmarks/table_9_settings.py --data-root data`",
        "",
        "| noise added to | n | PSNR, dB off | SSIM off | noisy SSIM off | order of methods as printed |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for setting in cells["setting"].unique():
        own = cells[cells["setting"] == setting]
        of_denoisers, noisy = own[own["denoiser"] != "noisy"], own[own["denoiser"] == "noisy"]
        distances = [
            f"{part[part['metric'] == metric]['difference'].abs().mean():.{digits}f}"
            for part, metric, digits in ((of_denoisers, "psnr", 2), (of_denoisers, "ssim", 4), (noisy, "ssim", 4))
        ]
        agree, total = _orders(of_denoisers)
        lines.append(f"| {TITLES[setting]} | {own['n'].min()} | {' | '.join(distances)} | {agree} of {total} |")
    lines += _cost_of_rounding(rows)
    lines += [
        "",
        "| noise added to | metric | sigma | denoiser | ours | printed | difference |",
        "|---|---|---:|---|---:|---:|---:|",
    ]
    for cell in cells.itertuples():
        digits = 2 if cell.metric == "psnr" else 4
        values = f"{cell.ours:.{digits}f} | {cell.printed:.{digits}f} | {cell.difference:+.{digits}f}"
        what = f"{cell.metric.upper()} | {cell.sigma} | {cell.denoiser}"
        lines.append(f"| {TITLES[cell.setting]} | {what} | {values} |")
    return "\n".join(lines) + "\n"


def _cost_of_rounding(rows: pd.DataFrame) -> list[str]:
    """A sentence on the same rows with and without rounding to 8 bits, if there are any."""
    keys = ["image_id", "denoiser", "sigma"]
    rounded, exact = (rows[rows["setting"] == name] for name in ("letterbox_2019", "letterbox_2019_float"))
    pairs = rounded[rounded["denoiser"] != "noisy"].merge(exact, on=keys)
    if pairs.empty:
        return []
    psnr, ssim = ((pairs[f"{metric}_x"] - pairs[f"{metric}_y"]).mean() for metric in METRICS)
    of = f"{pairs['image_id'].nunique()} images, {', '.join(pairs['denoiser'].unique())}"
    sigmas = ", ".join(map(str, sorted(pairs["sigma"].unique())))
    return ["", f"Rounding letterboxed images to 8 bits: {psnr:+.3f} dB, {ssim:+.4f} in SSIM ({of}, sigma {sigmas})."]


def _orders(cells: pd.DataFrame) -> tuple[int, int]:
    """In how many of all columns (sigma, metric) with three denoisers these stand in the order of print."""
    groups = [group for _, group in cells.groupby(["sigma", "metric"]) if len(group) == len(RELEASED)]
    alike = [
        [*group.sort_values("ours")["denoiser"]] == [*group.sort_values("printed")["denoiser"]] for group in groups
    ]
    return sum(alike), len(alike)


if __name__ == "__main__":
    from one_line import one_line_errors

    with one_line_errors():
        main()
