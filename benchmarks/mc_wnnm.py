"""MC-WNNM on this machine: against plain NumPy, one decomposition against all, and how best to decompose.

    OMP_NUM_THREADS=1 python benchmarks/mc_wnnm.py [--image kodim05.png] [--size 96] [--rounds 3]

Ours and the plain NumPy implementation (`mc_wnnm_numpy.py`) denoise the same square from the middle of the image, or a
generated one, at sigma 25. OMP_NUM_THREADS, set outside, holds for both. Printed are seconds (the fastest round; the
plain one runs once), their ratio, PSNR against the clean image, and PSNR against the plain result.
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import mc_wnnm_numpy as plain
import numpy as np
import ratios
import torch
from torch import Tensor

from usaid.denoisers.mc_wnnm.denoiser import Parameters, denoised
from usaid.images import read_rgb
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range

SIGMA = 25.0


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Time of the fastest call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def clean_square(path: str | None, size: int) -> Tensor:
    """The middle of an image, or waves and an edge without one: float32 (3, size, size), 0-255."""
    if path is None:
        y, x = torch.meshgrid(torch.arange(size) / 9, torch.arange(size) / 11, indexing="ij")
        return 128 + 60 * torch.stack([torch.sin(x + y), torch.cos(x - y), torch.sin(x) * torch.cos(y)]) + 40 * (x > y)
    image = to_unit_range(read_rgb(path))[0] * 255
    size = min(size, *image.shape[1:])
    top, left = ((side - size) // 2 for side in image.shape[1:])
    return image[:, top : top + size, left : left + size].contiguous()


def psnr(a: Tensor, b: Tensor) -> float:
    """Of two images on the 0-255 scale, clamped."""
    return 20 * math.log10(255) - 10 * math.log10((a.clamp(0, 255) - b.clamp(0, 255)).square().mean().item())


def against_plain(clean: Tensor, rounds: int) -> list[str]:
    """A line for the plain implementation and one for each of our two solvers."""
    height, width = clean.shape[1:]
    noisy = clean + 255 * gaussian_noise("benchmark", "image", SIGMA, 0, height, width)
    sigma = torch.full((3,), SIGMA)
    start = time.perf_counter()
    expected = plain.denoised(noisy.double().numpy(), sigma.double().numpy(), Parameters())
    plain_seconds = time.perf_counter() - start
    reference = torch.from_numpy(expected).float()
    lines = [f"{'plain NumPy':30}{plain_seconds:8.2f} s{'':8}{psnr(reference, clean):10.3f} dB"]
    for name, exact in (("ours, every iteration", True), ("ours, one decomposition", False)):
        parameters = Parameters(exact=exact)
        ours = denoised(noisy, sigma, parameters)
        took = seconds(partial(denoised, noisy, sigma, parameters), rounds)
        quality = f"{psnr(ours, clean):10.3f} dB{psnr(ours, reference):14.1f} dB"
        lines.append(f"{name:30}{took:8.2f} s{plain_seconds / took:7.1f}x{quality}")
        size = f"{width}x{height}"
        ratios.note(f"MC-WNNM, {name}, {size}", f"{plain_seconds / took:.1f} x", "a NumPy loop of the same algorithm")
    return lines


def decompositions(rounds: int) -> list[str]:
    """Microseconds for the singular values and right singular vectors of a group, by three ways and group sizes."""
    lines = []
    for n in (60, 50, 40):
        groups = torch.randn(256, 108, n)
        ways: list[Callable[[Tensor], object]] = [
            torch.linalg.svd,
            lambda t: torch.linalg.eigh(t.mT @ t),
            lambda t: torch.linalg.eigh((t.mT @ t).double()),
        ]
        times = [seconds(partial(way, groups), rounds) / len(groups) * 1e6 for way in ways]
        lines.append(f"{n:4} patches" + "".join(f"{value:14.0f} us" for value in times))
    return lines


def main() -> None:
    """Run and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    clean = clean_square(options.image, options.size)
    versions = f"torch {torch.__version__}, NumPy {np.__version__}"
    threads = torch.get_num_threads()
    print(f"{clean.shape[2]}x{clean.shape[1]} pixels, sigma {SIGMA:g}, {threads} threads, {versions}")
    print(f"{'':30}{'time':>10}{'ratio':>8}{'PSNR':>13}{'to the plain':>17}")
    print("\n".join(against_plain(clean, options.rounds)))
    print(f"\n{'':12}{'svd':>17}{'eigh float32':>17}{'eigh float64':>17}")
    print("\n".join(decompositions(options.rounds)))


if __name__ == "__main__":
    main()
