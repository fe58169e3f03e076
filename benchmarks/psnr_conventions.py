"""What a convention costs: the PSNR of one denoiser, computed as people compute it.

    python benchmarks/psnr_conventions.py --data-root data [--images 24] [--sigma 25]

The released CDnCNN-B (`released/DnCNN.pth`) denoises Kodak's images. Each line changes one convention of
`psnr_rgb_float`: how the noisy image is stored, how the output is rounded, which channels are compared, which part of
the image is.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import ratios
import torch
from torch import Tensor

from evaluators.metrics.psnr_ssim import psnr_rgb_float
from usaid.datasets.kodak import Kodak
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range

RELEASED = "released/DnCNN.pth"
CROP = 500
"""Pixels: the side of the squares in the middle that some papers cut from Kodak's images."""

Y_WEIGHTS = torch.tensor([65.481, 128.553, 24.966])[:, None, None] / 255
"""Red, green and blue in the luma of ITU-R BT.601, as MATLAB's ``rgb2ycbcr`` has it; its offset of 16 cancels."""


def as_it_is(images: Tensor) -> Tensor:
    """Float, whatever its values."""
    return images


def rounded(images: Tensor) -> Tensor:
    """As 8-bit files hold them: float in [0, 1] in steps of 1 / 255."""
    return (images.clamp(0, 1) * 255).round() / 255


def of_luma(output: Tensor, clean: Tensor) -> Tensor:
    """PSNR of the luma alone, dB, as papers on super-resolution have it."""
    error = ((output.clamp(0, 1) - clean) * Y_WEIGHTS).sum(dim=1)
    return -10 * error.square().mean(dim=(1, 2)).log10()


def of_channels(output: Tensor, clean: Tensor) -> Tensor:
    """The mean of the three channels' own PSNR, dB."""
    return -10 * (output.clamp(0, 1) - clean).square().mean(dim=(2, 3)).log10().mean(dim=1)


def of_middle(output: Tensor, clean: Tensor) -> Tensor:
    """PSNR of the square in the middle; the whole image was denoised."""
    top, left = ((side - CROP) // 2 for side in clean.shape[2:])
    part = (..., slice(top, top + CROP), slice(left, left + CROP))
    return psnr_rgb_float(output[part], clean[part])


NOISY: dict[str, Callable[[Tensor], Tensor]] = {
    "float, not clipped": as_it_is,
    "clipped and stored with 8 bits": rounded,
}
"""What the denoiser is given, the suite's own first."""

COMPARED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "output rounded to 8 bits": lambda output, clean: psnr_rgb_float(rounded(output), clean),
    "mean of three channels' PSNR": of_channels,
    "Y channel alone": of_luma,
    f"{CROP}x{CROP} pixels in the middle": of_middle,
}
"""What else is made of the output of the suite's own noisy image."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder with kodak/ and released/")
    parser.add_argument("--images", type=int, default=24, help="so many of Kodak's, evenly spread")
    parser.add_argument("--sigma", type=float, default=25.0, help="noise level, 0-255 scale")
    options = parser.parse_args()
    keep_freed_memory()
    denoiser = build_denoiser("cdncnn_b", options.data_root / RELEASED)
    kodak = Kodak(options.data_root, "all")
    decibels: dict[str, list[float]] = {}
    n = min(options.images, len(kodak))
    chosen = [kodak.ids[place * len(kodak) // n] for place in range(n)]
    for number, image_id in enumerate(chosen, start=1):
        clean = to_unit_range(kodak[image_id].image)
        noisy = clean + gaussian_noise("kodak", image_id, options.sigma, 0, *clean.shape[2:])
        for stored_as, stored in NOISY.items():
            output = denoised("cdncnn_b", denoiser, stored(noisy))
            decibels.setdefault(f"noisy image {stored_as}", []).append(psnr_rgb_float(output, clean).item())
            if stored is as_it_is:
                for compared, psnr in COMPARED.items():
                    decibels.setdefault(compared, []).append(psnr(output, clean).item())
        print(f"{number} of {n} images", file=sys.stderr, flush=True)
    print(f"CDnCNN-B, sigma {options.sigma:g}, {n} images of Kodak: {', '.join(chosen)}")
    print_table(decibels)


def print_table(decibels: dict[str, list[float]]) -> None:
    """A line for each convention, the suite's own first."""
    own, *_ = decibels.values()
    n = len(own)
    print(f"{'convention':44}{'PSNR dB':>10}{'difference dB':>15}")
    for name, values in decibels.items():
        apart = (sum(values) - sum(own)) / n
        print(f"{name:44}{sum(values) / n:10.3f}{apart:+15.3f}")
        ratios.note(f"PSNR, {name}", f"{apart:+.3f} dB", "psnr_rgb_float, noise not clipped")


if __name__ == "__main__":
    main()
