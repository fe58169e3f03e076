"""One network in every form that people have: the PSNR of each, and how far it is from our own.

    python benchmarks/forms_of_a_network.py --data-root data [--images 24] [--forms callable onnx ...]

The released CDnCNN-B (`released/DnCNN.pth`) denoises Kodak's images with noise of sigma 25 as the suite reads it, as a
callable, an `nn.Module`, TorchScript, `torch.export` and ONNX, and in KAIR's, deepinv's and its authors' MATLAB
layouts, whose files are made here from the released weights. A file is given as it is: what it is has to be recognised.
The exit status is 1 if a form fails, or differs from our own by 1e-3 dB or more on any image.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ratios
import torch
from dncnn_files import as_deepinv, as_kair, simplenn, write_matlab_73
from torch import Tensor

from evaluators.metrics.psnr_ssim import psnr_rgb_float
from usaid.checkpoints import load_state
from usaid.datasets.kodak import Kodak
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.denoisers.dncnn.importing import import_dncnn
from usaid.denoisers.dncnn.network import DnCNN, dncnn_from_state
from usaid.denoisers.recognise import method_and_weights
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.tensors import to_unit_range

RELEASED = "released/DnCNN.pth"
SIGMA = 25.0
LIMIT = 1e-3
"""dB, of the largest difference on an image."""

NOISE: dict[str, Any] = {"adapt": {"predicts": "noise"}}
"""How a network is called that returns the noise."""

EXAMPLE = torch.zeros(2, 3, 40, 48)


def from_file(write: Callable[[Path, DnCNN], object], **how: Any) -> Callable[[Path, Path, DnCNN], Denoiser]:
    """What makes a denoiser of a file that is written first."""

    def make(folder: Path, released: Path, network: DnCNN) -> Denoiser:
        path = folder / "network"
        write(path, network)
        method, weights = method_and_weights(str(path))
        print(f"recognised as {method}", file=sys.stderr)
        return build_denoiser(method, weights, **how)

    return make


def imported(folder: Path, released: Path, network: DnCNN) -> Denoiser:
    """As an experiment reads it: checked, and written anew."""
    import_dncnn({"": released}, folder / "own.safetensors", None)
    return build_denoiser("cdncnn_b", folder / "own.safetensors")


def as_callable(folder: Path, released: Path, network: DnCNN) -> Denoiser:
    """A function on batches."""

    def denoise(noisy: Tensor) -> Tensor:
        return noisy - network(noisy)

    return build_denoiser(denoise)


def write_exported(path: Path, network: DnCNN) -> None:
    """As ``torch.export`` saves it, for images of any size."""
    sizes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height", min=8), 3: torch.export.Dim("width", min=8)}
    with open(path, "wb") as file:  # of a path, torch would ask the suffix
        torch.export.save(torch.export.export(network, (EXAMPLE,), dynamic_shapes={"noisy": sizes}), file)


def write_onnx(path: Path, network: DnCNN) -> None:
    """As torch exports it, for images of any size."""
    axes = {"noisy": {0: "batch", 2: "height", 3: "width"}}
    names: dict[str, Any] = {"input_names": ["noisy"], "output_names": ["noise"], "dynamic_axes": axes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (EXAMPLE,), str(path), dynamo=False, **names)


FORMS: dict[str, Callable[[Path, Path, DnCNN], Denoiser]] = {
    "imported": imported,
    "callable": as_callable,
    "nn.Module": lambda folder, released, network: build_denoiser(network, **NOISE),
    "TorchScript": from_file(lambda path, network: torch.jit.save(torch.jit.script(network), path), **NOISE),
    "torch.export": from_file(write_exported, **NOISE),
    "ONNX": from_file(write_onnx, **NOISE),
    "KAIR": from_file(lambda path, network: torch.save(as_kair(network), path)),
    "deepinv": from_file(lambda path, network: torch.save(as_deepinv(network), path)),
    "MATLAB": from_file(lambda path, network: write_matlab_73(path, simplenn(network))),
}
"""Name -> what makes a denoiser of the network, given a folder of its own, the released file and what it holds."""


def made(names: list[str], released: Path, folder: Path) -> tuple[dict[str, Denoiser], dict[str, str]]:
    """The denoisers, our own first, and why there is none."""
    network = dncnn_from_state(load_state(released), str(released))
    denoisers, failures = {"ours": build_denoiser("cdncnn_b", released)}, {}
    for number, name in enumerate(names):
        own = folder / str(number)
        own.mkdir()
        try:
            denoisers[name] = FORMS[name](own, released, network)
        except Exception as error:  # one form must not cost the others
            failures[name] = f"{type(error).__name__}: {error}"
    return denoisers, failures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder with kodak/ and released/")
    parser.add_argument("--images", type=int, default=24, help="the first so many of Kodak's")
    parser.add_argument("--forms", nargs="+", default=[*FORMS], choices=[*FORMS])
    options = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        denoisers, failures = made(options.forms, options.data_root / RELEASED, Path(folder))
        decibels: dict[str, list[float]] = {name: [] for name in denoisers}
        seconds = dict.fromkeys(denoisers, 0.0)
        kodak = Kodak(options.data_root, "all")
        for number, image_id in enumerate(kodak.ids[: options.images], start=1):
            clean = to_unit_range(kodak[image_id].image)
            noisy = clean + gaussian_noise("kodak", image_id, SIGMA, 0, *clean.shape[2:])
            for name, denoiser in denoisers.items():
                if name in failures:
                    continue
                start = time.perf_counter()
                try:
                    decibels[name].append(psnr_rgb_float(denoised(name, denoiser, noisy), clean).item())
                except Exception as error:  # one form must not cost the others
                    failures[name] = f"{type(error).__name__}: {error}"
                seconds[name] += time.perf_counter() - start
            print(f"{number} of {min(options.images, len(kodak))} images", file=sys.stderr, flush=True)
    print_table(decibels, seconds, failures)
    if failures or largest(decibels) >= LIMIT:
        raise SystemExit(1)


def largest(decibels: dict[str, list[float]]) -> float:
    """The largest difference of any form to ours on an image, dB."""
    pairs = [pair for name in decibels for pair in zip(decibels[name], decibels["ours"], strict=False)]
    return max(abs(own - ours) for own, ours in pairs)


def print_table(decibels: dict[str, list[float]], seconds: dict[str, float], failures: dict[str, str]) -> None:
    """A line for each form."""
    n = len(decibels["ours"])
    print(f"CDnCNN-B, sigma {SIGMA:g}, {n} images of Kodak")
    print(f"{'form':14}{'PSNR dB':>12}{'largest difference dB':>24}{'s an image':>12}")
    for name, values in decibels.items():
        if name not in failures:
            apart = largest({"ours": decibels["ours"], name: values})
            print(f"{name:14}{sum(values) / n:12.5f}{apart:24.2e}{seconds[name] / n:12.2f}")
            ratios.note(f"CDnCNN-B as {name}, {n} Kodak images", f"{apart:.1e} dB", "our own PSNR", f"{LIMIT} dB")
    for name, reason in failures.items():
        print(f"{name:14}failed: {reason}")


if __name__ == "__main__":
    main()
