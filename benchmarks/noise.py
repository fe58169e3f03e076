"""Noise: Mpixel a second by one thread, by all, and on a device, against the plain code, side by side.

    python benchmarks/noise.py [--device cuda] [--mpixel 4] [--rounds 5]

The noise is of a batch of images of Kodak's size. Every variant runs in turn, round after round, so that a change of
the machine's speed meets all of them; printed are medians, and medians of the ratios within a round. "torch" is what
a GPU without Triton does; on the CPU (without --device) it shows nothing but the bits. The last line counts the
deviates of the device that are not the CPU's to the last bit.
"""

import argparse
import functools
import hashlib
import statistics
import time
from collections.abc import Callable

import numpy as np
import ratios
import torch
from scipy.special import ndtri

from usaid import noise, philox
from usaid.devices import device_description, pick_device
from usaid.memory import keep_freed_memory
from usaid.noise import VERSION, NoiseField, gaussian_noise_batch

HEIGHT, WIDTH = 512, 768  # a Kodak image
SIGMAS = (5, 15, 25, 35, 50, 70.5)
Noise = Callable[[list[NoiseField]], torch.Tensor]


def plain(fields: list[NoiseField]) -> torch.Tensor:
    """The definition, image by image: each step an array of the whole image, one thread."""
    images = []
    for field in fields:
        name = ["usaid-noise", str(VERSION), "benchmark", field.image_id, repr(float(field.sigma)), str(field.draw)]
        key = int.from_bytes(hashlib.sha256("\x1f".join(name).encode()).digest()[:16], "little")
        count = 3 * HEIGHT * WIDTH
        words = np.random.Philox(key=key).random_raw((count + 1) // 2).view(np.uint32)[:count]
        uniform = (words + 0.5) * 2.0**-32
        deviates = ndtri(uniform, out=uniform)
        deviates *= field.sigma / 255
        images.append(torch.from_numpy(deviates.astype(np.float32).reshape(3, HEIGHT, WIDTH)))
    return torch.stack(images)


def with_threads(number: int, fields: list[NoiseField]) -> torch.Tensor:
    """The package's noise on the CPU, by this many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        return gaussian_noise_batch("benchmark", fields, HEIGHT, WIDTH)
    finally:
        torch.set_num_threads(before)


def on_device(device: torch.device, fields: list[NoiseField]) -> torch.Tensor:
    """What the package does on other devices, on this one (the CPU too)."""
    keys = [noise._key("benchmark", field, float(field.sigma)) for field in fields]
    deviates = noise._on_device(keys, [field.sigma / 255 for field in fields], 3 * HEIGHT * WIDTH, device)
    return deviates.reshape(-1, 3, HEIGHT, WIDTH)


def without_kernel(device: torch.device, fields: list[NoiseField]) -> torch.Tensor:
    """The same where there is no Triton."""
    chosen, noise.philox_words = noise.philox_words, philox.words_by_torch
    try:
        return on_device(device, fields)
    finally:
        noise.philox_words = chosen


def variants(device: torch.device) -> dict[str, Noise]:
    """What is measured, by its name; the first is what the others are compared with."""
    calls: dict[str, Noise] = {"plain": plain}
    for number in sorted({1, 2, torch.get_num_threads()}):
        calls[f"threads: {number}"] = functools.partial(with_threads, number)
    if device.type == "cuda" and philox.kernel_works(torch.empty(0, device=device).device):
        calls["Triton"] = functools.partial(on_device, device)
    calls["torch"] = functools.partial(without_kernel, device)
    return calls


def seconds(call: Noise, fields: list[NoiseField]) -> float:
    """Wall time of a call, the device's work included."""
    start = time.perf_counter()
    if call(fields).is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def differing_bits(device: torch.device, fields: list[NoiseField]) -> tuple[int, int, int]:
    """How many deviates, how many of them differ from the CPU's, and by how many float32 numbers at most."""
    cpu = gaussian_noise_batch("benchmark", fields, HEIGHT, WIDTH)
    own = on_device(device, fields).cpu()
    apart = (own.view(torch.int32).long() - cpu.view(torch.int32).long()).abs()
    return cpu.numel(), int((apart > 0).sum()), int(apart.max())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--mpixel", type=float, default=4, help="size of the batch")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    keep_freed_memory()
    images = max(1, round(arguments.mpixel * 1e6 / (HEIGHT * WIDTH)))
    fields = [NoiseField(f"image{number}", SIGMAS[number % len(SIGMAS)], 0) for number in range(images)]
    calls = variants(device)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(arguments.rounds + 1):
        for name, call in calls.items():
            took = seconds(call, fields)
            if number:  # the first round warms up
                times[name].append(took)
    print(f"{images} images of {WIDTH}x{HEIGHT}; device: {device_description(device)}")
    for name, own in times.items():
        ratio = statistics.median(first / second for first, second in zip(times["plain"], own, strict=True))
        rate = images * HEIGHT * WIDTH / statistics.median(own) / 1e6
        print(f"{name:12s} {rate:10.1f} Mpixel/s {ratio:8.2f} x plain")
        if name != "plain":
            ratios.note(f"noise, {name}, {rate:.0f} Mpixel/s", f"{ratio:.2f} x", "one thread, whole images at once")
    values, differ, most = differing_bits(device, fields)
    print(f"{differ} of {values} deviates on the device differ from the CPU's, by at most {most} float32 numbers")


if __name__ == "__main__":
    main()
