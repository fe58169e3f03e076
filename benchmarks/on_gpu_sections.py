"""What `on_gpu.py` measures: a function a section, with what it imports inside, but for number formats.

A section takes the options of `on_gpu.py` and the device, and returns what JSON can hold. Where the machine lacks a
package, the section that needs it fails alone.
"""

import argparse
import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from on_gpu import REPOSITORY
from torch import Tensor

from usaid.devices import PRECISIONS, float32_products, precisions_of

Options = argparse.Namespace
Record = dict[str, Any]
SIGMA = 25.0

# ------------------------------------------------------------------------------------------------ what sections share


def seconds(call: Callable[[], object], device: torch.device, most: float = 1.5) -> float:
    """Median time of a call in about so many seconds, after five calls on a GPU, one on the CPU, that do not count."""
    for _ in range(5 if device.type == "cuda" else 1):
        call()
    taken: list[float] = []
    while sum(taken) < most:
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def shapes(options: Options) -> dict[str, tuple[int, int, int]]:
    """Images, height and width of a batch like Kodak's and one like CIFAR's."""
    if options.small:
        return {"kodak_like": (1, 64, 96), "cifar_like": (8, 32, 32)}
    return {"kodak_like": (8, 512, 768), "cifar_like": (4096, 32, 32)}


@functools.cache
def rate(precision: str, device: torch.device, side: int) -> float:
    """FLOP a second of the product of two matrices."""
    a, b = (torch.randn(side, side, device=device).to(PRECISIONS[precision]) for _ in range(2))
    with float32_products(precision, device):
        return 2 * side**3 / seconds(lambda: a @ b, device, most=0.5)


def peak(precision: str, options: Options, device: torch.device) -> float:
    """The rate that fractions are of."""
    return rate(precision, device, 512 if options.small else 8192)


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Four digits of each."""
    return {name: float(f"{value:.4g}") for name, value in values.items()}


def trained_weights(options: Options) -> Path:
    """Of a DnCNN: those that are asked for, or those in the tree."""
    return options.weights or REPOSITORY / "results/reference/subset/weights/cdncnn_b.safetensors"


def data_root(options: Options, name: str) -> tuple[Path, str]:
    """Where the folder of a data set lies, and whether it is ``official`` or ``generated``."""
    if options.data_root is not None and (options.data_root / name).is_dir():
        return options.data_root, "official"
    return Path(_generated(name, options.small).name), "generated"


@functools.cache
def _generated(name: str, small: bool) -> "tempfile.TemporaryDirectory[str]":
    """A folder with a generated data set, which is gone when the process ends."""
    import on_gpu_images

    folder = tempfile.TemporaryDirectory()
    on_gpu_images.DRAWN[name](Path(folder.name), small)
    return folder


def kodak(options: Options) -> tuple[list[tuple[str, Tensor]], str]:
    """Ids and images, float32 (1, 3, H, W) in [0, 1], of Kodak, and whether they are ``official`` or ``generated``."""
    from usaid.datasets.loading import load
    from usaid.tensors import to_unit_range

    root, source = data_root(options, "kodak")
    images = [(sample.id, to_unit_range(sample.image)) for sample in load("kodak", root, "all")]
    return [(name, image[..., :128, :160]) for name, image in images[:2]] if options.small else images, source


def noisy_of(image_id: str, clean: Tensor, sigma: float) -> Tensor:
    """A clean image (1, 3, H, W) with the suite's noise."""
    from usaid.noise import gaussian_noise

    return clean + gaussian_noise("kodak", image_id, sigma, 0, *clean.shape[2:])


# ------------------------------------------------------------------------------------------------ the sections


def rates(options: Options, device: torch.device) -> Record:
    """TFLOP a second of matrix products."""
    return {name: rounded({"tflops": peak(name, options, device) / 1e12})["tflops"] for name in precisions_of(device)}


def noise(options: Options, device: torch.device) -> Record:
    """Mpixel of noise a second on the device and on the CPU, and whether the bits are the same."""
    from usaid.noise import NoiseField, gaussian_noise_batch

    record: Record = {}
    for name, (count, height, width) in shapes(options).items():
        fields = [NoiseField(str(number), SIGMA, 0) for number in range(count)]
        pixels = count * height * width / 1e6
        make = functools.partial(gaussian_noise_batch, name, fields, height, width)
        on_device, on_cpu = make(device=device).cpu(), make()
        apart = (on_device.view(torch.int32) - on_cpu.view(torch.int32)).abs()
        rate_of = {
            "mpixel_per_s": pixels / seconds(lambda make=make: make(device=device), device),
            "mpixel_per_s_on_cpu": pixels / seconds(make, torch.device("cpu"), most=1),
            "share_of_values_that_differ": float((apart > 0).double().mean()),
        }
        record[name] = rounded(rate_of) | {"largest_difference_in_last_bits": int(apart.max())}
    return record


def denoiser(options: Options, device: torch.device) -> Record:
    """DnCNN: Mpixel a second, and as a fraction of matrix products."""
    from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
    from usaid.denoisers.dncnn.network import FLOP_PER_PIXEL, DnCNN
    from usaid.registries import METHODS

    record: Record = {}
    for precision in precisions_of(device):
        dncnn = DnCNNDenoiser(DnCNN().eval(), METHODS["cdncnn_b"].facts, device, precision)
        for name, (count, height, width) in shapes(options).items():
            noisy = torch.rand(count, 3, height, width, device=device)
            once = seconds(functools.partial(dncnn, noisy), device)
            pixels = count * height * width / once
            fraction = FLOP_PER_PIXEL * pixels / peak(precision, options, device)
            numbers = rounded({"mpixel_per_s": pixels / 1e6, "of_matrix_rate": fraction})
            record.setdefault(name, {})[precision] = numbers
        record.setdefault("how", {})[precision] = dict(dncnn.record)
    return record


def equality(options: Options, device: torch.device) -> Record:
    """How far PSNR, SSIM and NIQE on the device are from those on the CPU: the largest difference over images."""
    from evaluators.metrics.niqe import FEATURES, PristineModel, niqe
    from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
    from usaid.denoisers.build import build_denoiser

    images, source = kodak(options)
    images = images[: 1 if options.small else 4]
    pristine = PristineModel("niqe_fitted", torch.zeros(FEATURES).double(), torch.eye(FEATURES).double())
    methods = {f"dncnn_{name}": ("cdncnn_b", name, images) for name in precisions_of(device)}
    side = 32 if options.small else 96
    methods["mc_wnnm"] = (
        "mc_wnnm",
        "float32",
        [(image_id, clean[..., :side, :side]) for image_id, clean in images[:1]],
    )
    differences: Record = {}
    for name, (method, precision, chosen) in methods.items():
        weights = trained_weights(options) if method == "cdncnn_b" else None
        on_cpu, there = build_denoiser(method, weights), build_denoiser(method, weights, device, precision)
        for image_id, clean in chosen:
            noisy = noisy_of(image_id, clean, SIGMA)
            expected, output = on_cpu(noisy, SIGMA), there(noisy.to(device), SIGMA)
            values = {
                "psnr_db": psnr_rgb_float(output, clean.to(device)).cpu() - psnr_rgb_float(expected, clean),
                "ssim_metric": ssim_skimage7(output, clean.to(device)).cpu() - ssim_skimage7(output.cpu(), clean),
                "niqe_metric": niqe(output, pristine).cpu() - niqe(output.cpu(), pristine),
            }
            of_method = differences.setdefault(name, dict.fromkeys(values, 0.0))
            for key, value in values.items():
                of_method[key] = max(of_method[key], abs(float(value.nan_to_num())))
    return {"images": source, **{name: rounded(values) for name, values in differences.items()}}


def mc_wnnm(options: Options, device: torch.device) -> Record:
    """Seconds of MC-WNNM for an image: a quarter of one like Kodak's, and the whole if that takes under 20 s."""
    from usaid.denoisers.build import build_denoiser

    method, record = build_denoiser("mc_wnnm", device=device), {}
    whole = (24, 32) if options.small else (512, 768)
    method(torch.rand(1, 3, 12, 16, device=device), SIGMA)
    for name, divisor in (("quarter", 2), ("whole", 1)):
        if record.get("quarter", 0) * 4 < 20:
            noisy = torch.rand(1, 3, whole[0] // divisor, whole[1] // divisor, device=device)
            _wait(device)
            start = time.perf_counter()
            method(noisy, SIGMA)
            _wait(device)
            record[name] = time.perf_counter() - start
    return {"height": whole[0], "width": whole[1], **rounded(record)}


def training_steps(options: Options, device: torch.device) -> Record:
    """Milliseconds of a step of CDnCNN-B and U-SAID, and as a fraction of matrix products; random encoder weights."""
    from torch.utils.flop_counter import FlopCounterMode
    from torchvision.models import resnet101
    from training import make_step

    from usaid.denoisers.dncnn.recipe import Recipe
    from usaid.segmentation.encoders import default_weights

    changes = {"depth": 5, "features": 24, "patch": 32, "batch": 2} if options.small else {"batch": 64}
    paper = Recipe.model_validate({"recipe": "paper", **changes})
    sampler, record = _random_patches(paper.patch, device), {"batch": paper.batch}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        default_weights("resnet101", root).parent.mkdir()
        torch.save(resnet101(weights=None).state_dict(), default_weights("resnet101", root))
        for method in ("cdncnn_b", "u_said"):
            with FlopCounterMode(display=False) as counter:
                make_step(method, paper, sampler, root)(1)
            for precision in precisions_of(device):
                step = make_step(method, paper.model_copy(update={"precision": precision}), sampler, root)
                numbers = itertools.count(1)
                with float32_products(precision, device):
                    once = seconds(lambda step=step, numbers=numbers: step(next(numbers)), device)
                fraction = counter.get_total_flops() / once / peak(precision, options, device)
                values = rounded({"ms": 1e3 * once, "of_matrix_rate": fraction})
                record.setdefault(method, {})[precision] = values
    return record


def _random_patches(patch: int, device: torch.device) -> Any:
    import numpy as np

    from usaid.training.patches import PatchSampler

    generator = np.random.default_rng(0)
    images = [(str(number), generator.integers(0, 256, (375, 500, 3), dtype=np.uint8)) for number in range(128)]
    return PatchSampler(images, patch, device)


def training(options: Options, device: torch.device) -> Record:
    """PSNR on Kodak of a CDnCNN-B that was trained for so many seconds; bfloat16 on a GPU."""
    from training import make_step

    from evaluators.metrics.psnr_ssim import psnr_rgb_float
    from usaid.datasets.loading import load
    from usaid.denoisers.build import build_denoiser
    from usaid.denoisers.dncnn.recipe import Recipe
    from usaid.denoisers.dncnn.training import train_dncnn
    from usaid.training.loop import Run

    precision = "bfloat16" if device.type == "cuda" else "float32"
    changes = {"depth": 5, "features": 24, "batch": 8, "learning_rate": 0.005} if options.small else {"batch": 64}
    recipe = Recipe.model_validate({"recipe": "paper", "precision": precision, "milestones": [60, 90], **changes})
    with tempfile.TemporaryDirectory() as folder:
        root, source = data_root(options, "VOCdevkit")
        samples = list(itertools.islice(load("voc2012", root, "train"), 400))
        step, numbers = make_step("cdncnn_b", recipe, _random_patches(recipe.patch, device), root), itertools.count(1)
        once = seconds(lambda: step(next(numbers)), device)
        recipe = recipe.model_copy(update={"steps": max(10, round(options.train_seconds / once))})
        weights, start = Path(folder, "cdncnn_b.safetensors"), time.perf_counter()
        train_dncnn(samples, recipe, Run(weights, device, "CDnCNN-B", "cdncnn_b", root))
        took, denoiser = time.perf_counter() - start, build_denoiser("cdncnn_b", weights, device)
    images, scored_on = kodak(options)
    psnr: dict[str, list[float]] = {}
    for sigma, (image_id, clean) in itertools.product((15.0, 25.0, 35.0), images):
        noisy = noisy_of(image_id, clean, sigma).to(device)
        for name, output in (("noisy", noisy), ("denoised", denoiser(noisy))):
            psnr.setdefault(f"{name}_{sigma:g}", []).append(float(psnr_rgb_float(output, clean.to(device))))
    keys = {"steps": recipe.steps, "batch": recipe.batch, "precision": precision, "training_s": round(took, 1)}
    means = {name: round(statistics.mean(values), 3) for name, values in psnr.items()}
    return {"trained_on": f"{len(samples)} images, {source}", "scored_on": scored_on, **keys, "psnr_db": means}


def score_jobs(options: Options, device: torch.device) -> Record:
    """Score jobs of a DnCNN on images like Kodak's and CIFAR's: images a second, and how long the GPU idles."""
    import on_gpu_jobs

    return {name: measured_job(job, n, device) for name, job, n in on_gpu_jobs.jobs(options, device)}


def measured_job(run: Callable[[], Record], images: int, device: torch.device) -> Record:
    """Run a job twice, and look at the second time: its provenance's seconds by stage, and what the GPU did."""
    run()
    with _busy(device) as busy:
        start = time.perf_counter()
        stages = run()
        _wait(device)
        whole = time.perf_counter() - start
    record = {"images_denoised": images, **rounded({"images_per_s": images / whole, "whole_s": whole})}
    if busy:
        record["gpu_idle"] = round(1 - busy[0] / whole, 3)
    return record | {"stages_s": stages}


@contextmanager
def _busy(device: torch.device) -> Iterator[list[float]]:
    """Seconds in which the GPU computed or copied during the block, once it is over; empty on a CPU."""
    busy: list[float] = []
    if device.type != "cuda":
        yield busy
        return
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        yield busy
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    total, end = 0.0, 0.0
    for first, last in spans:
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    busy.append(total / 1e6)
