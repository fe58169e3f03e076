"""DnCNN inference on this machine: against the plain module, and as a fraction of the rate of matrix products.

    python benchmarks/denoiser_inference.py [--rounds 5] [--weights released/USAID.pth --image kodim05.png]

Every variant runs in a process of its own (the C allocator's settings belong to a process), in turn, round after
round, so that a change of the machine's speed meets all of them. Printed are medians and ratios within a round. The
drift of bfloat16 is measured on `--image` with `--weights` if both are given.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from usaid.checkpoints import load_state
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.denoisers.dncnn.network import FLOP_PER_PIXEL, DnCNN, dncnn_from_state
from usaid.images import read_rgb
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.registries import METHODS
from usaid.tensors import to_unit_range

HEIGHT, WIDTH = 512, 768  # a Kodak image
SGEMM = 4096
FACTS = METHODS["cdncnn_b"].facts


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(variant: str, repeats: int) -> float:
    """GFLOP a second of one variant, in this process."""
    if variant.startswith("sgemm"):
        dtype = torch.bfloat16 if "bfloat16" in variant else torch.float32
        a, b = torch.randn(SGEMM, SGEMM).to(dtype), torch.randn(SGEMM, SGEMM).to(dtype)
        return 2 * SGEMM**3 / seconds(lambda: a @ b, repeats) / 1e9
    network, noisy = DnCNN().eval(), torch.rand(1, 3, HEIGHT, WIDTH)
    if variant != "plain":
        keep_freed_memory()
    if variant.startswith("plain"):
        call: Callable[[], object] = lambda: noisy - network(noisy)  # noqa: E731
    else:
        denoiser = DnCNNDenoiser(network, FACTS, precision=variant.removeprefix("ours "))
        call = lambda: denoiser(noisy)  # noqa: E731
    with torch.inference_mode():
        return FLOP_PER_PIXEL * HEIGHT * WIDTH / seconds(call, repeats) / 1e9


VARIANTS = ["sgemm", "plain", "plain, memory kept", "ours float32", "sgemm bfloat16", "ours bfloat16"]


def bfloat16_drift(weights: str, image: str) -> list[str]:
    """PSNR of a denoised image in float32 and the drift of bfloat16, at three sigmas."""
    network = dncnn_from_state(load_state(weights), weights)
    clean = to_unit_range(read_rgb(image))
    lines = []
    for sigma in (15, 25, 35):
        noisy = clean + gaussian_noise("benchmark", "image", sigma, 0, *clean.shape[2:])
        psnr = [
            -10 * ((DnCNNDenoiser(network, FACTS, precision=p)(noisy).clamp(0, 1) - clean) ** 2).mean().log10()
            for p in ("float32", "bfloat16")
        ]
        lines.append(f"sigma {sigma}: float32 {psnr[0]:.3f} dB, bfloat16 {psnr[1] - psnr[0]:+.4f} dB")
    return lines


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--weights")
    parser.add_argument("--image")
    parser.add_argument("--only", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only:
        print(json.dumps(measure(options.only, 3)))
        return
    rates: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(options.rounds):
        for variant in VARIANTS:
            command = [sys.executable, __file__, "--only", variant, "--threads", str(options.threads)]
            rates[variant].append(
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            )
    print(f"{HEIGHT}x{WIDTH}, {options.threads} threads, torch {torch.__version__}, {options.rounds} rounds; medians")
    print(f"{'':20}{'GFLOP/s':>9}{'x plain':>9}{'of matrix rate':>16}")
    for variant in VARIANTS:
        limit = rates["sgemm bfloat16" if "bfloat16" in variant else "sgemm"]
        over_plain, of_limit = (
            statistics.median(a / b for a, b in zip(rates[variant], other, strict=True))
            for other in (rates["plain"], limit)
        )
        print(f"{variant:20}{statistics.median(rates[variant]):9.0f}{over_plain:9.2f}{of_limit:16.2f}")
    if options.weights and options.image:
        print("\n".join(bfloat16_drift(options.weights, options.image)))


if __name__ == "__main__":
    main()
