"""Training steps on this machine: CDnCNN-B and U-SAID, with each option, as a fraction of the rate of matrix products.

    python benchmarks/training.py [--device cuda --batch 64] [--rounds 5] [--psnr 300 --data-root data --subset FILE]

Variants take turns, round after round, so that a change of the machine's speed meets all of them; medians are printed.
FLOPs are counted on the step itself (torch's flop counter: convolutions forward and backward), and the rate of matrix
products is that of the variant's precision. `--psnr` trains CDnCNN-B with each option for so many steps on VOC 2012
train and prints its PSNR on Kodak at sigma 25: what the options cost.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import ratios
import torch
from torch.utils.flop_counter import FlopCounterMode

from evaluators.metrics.psnr_ssim import psnr_rgb_float
from usaid.datasets.loading import load
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.dncnn.training import initialised_dncnn, train_dncnn, without_noise
from usaid.denoisers.training.batches import Batches
from usaid.denoisers.training.segmentation_loss import DenoiserLoss, Segmentation
from usaid.denoisers.training.training import learnt_parts
from usaid.devices import PRECISIONS, pick_device
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range
from usaid.training.loop import Run
from usaid.training.patches import PatchSampler

METHODS = ("cdncnn_b", "u_said")
OPTIONS = {
    "plain": {"channels_last": False},
    "channels_last": {},
    "+ bfloat16": {"precision": "bfloat16"},
    "+ bfloat16, compile": {"precision": "bfloat16", "compile": True},
}


def make_step(method: str, recipe: Recipe, sampler: PatchSampler, data_root: Path) -> Callable[[int], None]:
    """One optimiser step as the training takes it, batch included."""
    device, batches = sampler.pixels.device, Batches(sampler, recipe)
    of_method = recipe.loss_of(method)
    segmentation = None if of_method == "mse" else Segmentation(of_method, recipe, data_root, device)
    learnt = learnt_parts(initialised_dncnn(recipe), recipe, segmentation, device).train()
    loss = DenoiserLoss(recipe, segmentation, without_noise)
    optimizer = torch.optim.Adam(learnt.parameters(), lr=recipe.learning_rate, fused=True)

    def step(number: int) -> None:
        total, _ = loss(learnt, batches(number))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()

    return step


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Wall time of a call, with the GPU's queue empty before and after."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start


def matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """FLOP a second of the product of two matrices of 4096 x 4096, best of five."""
    a, b = (torch.randn(4096, 4096, device=device).to(dtype) for _ in range(2))
    a @ b
    return 2 * 4096**3 / min(seconds(lambda: a @ b, device) for _ in range(5))


def measure(base: Recipe, options: argparse.Namespace, device: torch.device) -> None:
    """Print the table of step times."""
    generator = np.random.default_rng(0)
    images = [(str(i), generator.integers(0, 256, (375, 500, 3), dtype=np.uint8)) for i in range(128)]
    sampler = PatchSampler(images, base.patch, device)
    variants: dict[tuple[str, str], Callable[[int], None]] = {}
    flops: dict[str, int] = {}
    for method in METHODS:
        with FlopCounterMode(display=False) as counter:
            make_step(method, base, sampler, options.data_root)(1)
        flops[method] = counter.get_total_flops()
        for name, changes in OPTIONS.items():
            if name in options.variants:
                variants[method, name] = make_step(method, base.model_copy(update=changes), sampler, options.data_root)
    times: dict[tuple[str, str], list[float]] = {key: [] for key in variants}
    for step in variants.values():
        for number in range(1, 4):
            step(number)
    for round_ in range(options.rounds):
        for key, step in variants.items():

            def some_steps(step: Callable[[int], None] = step, first: int = 4 + round_ * options.steps) -> None:
                for number in range(first, first + options.steps):
                    step(number)

            times[key].append(seconds(some_steps, device) / options.steps)
    rates = {name: matrix_rate(dtype, device) for name, dtype in PRECISIONS.items()}
    print(f"{'':32}{'ms/step':>9}{'steps/s':>9}{'patches/s':>11}{'x CDnCNN-B':>12}{'TFLOP/s':>9}{'of matrix rate':>16}")
    for (method, name), taken in times.items():
        once, precision = statistics.median(taken), OPTIONS[name].get("precision", "float32")
        ratio = statistics.median(a / b for a, b in zip(taken, times["cdncnn_b", name], strict=True))
        rate = flops[method] / once
        cells = f"{1e3 * once:9.1f}{1 / once:9.1f}{base.batch / once:11.0f}{ratio:12.2f}{rate / 1e12:9.2f}"
        print(f"{method + ', ' + name:32}{cells}{rate / rates[precision]:16.2f}")
        plain = statistics.median(a / b for a, b in zip(times[method, next(iter(OPTIONS))], taken, strict=True))
        limit = f"{rate / rates[precision]:.0%} of the rate of matrix products in {precision}"
        ratios.note(f"step of {method}, {name}", f"{plain:.2f} x", f"{next(iter(OPTIONS))}", limit)
    work = ", ".join(f"{method} {flop / 1e9:.0f} GFLOP" for method, flop in flops.items())
    print(f"a step: {work} ({flops['u_said'] / flops['cdncnn_b']:.2f} x)")


def final_psnr(recipe: Recipe, options: argparse.Namespace, device: torch.device) -> float:
    """PSNR in dB on Kodak at sigma 25 of a CDnCNN-B trained for ``options.psnr`` steps; always scored in float32."""
    recipe = recipe.model_copy(update={"steps": options.psnr, "milestones": (60.0, 90.0)})
    images, values = load("voc2012", options.data_root, "train", options.subset), []
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.safetensors")
        train_dncnn(images, recipe, Run(weights, device, "CDnCNN-B", "cdncnn_b", options.data_root))
        denoiser = build_denoiser("cdncnn_b", weights, device)
    for sample in load("kodak", options.data_root, "all"):
        clean = to_unit_range(sample.image)
        noisy = clean + gaussian_noise("kodak", sample.id, 25, 0, *clean.shape[2:])
        values.append(float(psnr_rgb_float(denoiser(noisy.to(device)).cpu(), clean)))
    return statistics.mean(values)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--encoder", default="efficientnet_lite0")
    parser.add_argument("--data-root", type=Path, default=Path("data"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="steps in a round")
    parser.add_argument("--variants", nargs="+", default=list(OPTIONS), choices=list(OPTIONS))
    parser.add_argument("--psnr", type=int, default=0, metavar="STEPS")
    parser.add_argument("--subset")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    device = pick_device(options.device)
    base = Recipe.model_validate({"recipe": "paper", "encoder": options.encoder, "batch": options.batch})
    print(f"{device}, {options.threads} threads, torch {torch.__version__}, batch {base.batch}, encoder {base.encoder}")
    measure(base, options, device)
    if options.psnr:
        for name in options.variants:
            psnr = final_psnr(base.model_copy(update=OPTIONS[name]), options, device)
            print(f"{name:24}{psnr:8.3f} dB on Kodak, sigma 25, after {options.psnr} steps", flush=True)


if __name__ == "__main__":
    main()
