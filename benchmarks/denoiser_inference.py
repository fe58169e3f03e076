"""DnCNN inference on this machine: against its peers, and as a fraction of the rate of matrix products.

    python benchmarks/denoiser_inference.py [--rounds 5] [--weights released/USAID.pth --image kodim05.png]

Every variant runs in a process of its own (the C allocator's settings belong to a process), in turn, round after
round, so that a change of the machine's speed meets all of them: on an image of Kodak's size and on a batch of CIFAR's.
Printed are medians, and ratios within a round. Winograd's GFLOP/s are those of the direct convolution, so they may
exceed the rate of matrix products. Peers that are not installed are left out. With `--weights` and `--image`, the
drift of PSNR against the direct convolution in float32 is printed, and what `auto` chooses.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import ratios
import torch
from torch import Tensor, nn

from usaid.checkpoints import load_state
from usaid.denoisers.dncnn.convolutions import DirectConvolutions, WinogradConvolutions
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser, folded_convolutions
from usaid.denoisers.dncnn.network import FLOP_PER_PIXEL, DnCNN, dncnn_from_state
from usaid.images import read_rgb
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.registries import METHODS
from usaid.tensors import to_unit_range

SHAPES = {"768x512": (1, 3, 512, 768), "256 of 32x32": (256, 3, 32, 32)}
SGEMM = 4096
CPU = torch.device("cpu")


def merged(network: DnCNN) -> DnCNN:
    """The same network with BatchNorm merged into plain convolutions."""
    plain = DnCNN(merged=True).eval()
    convolutions = (layer for layer in plain.dncnn if isinstance(layer, nn.Conv2d))
    for layer, (weight, bias) in zip(convolutions, folded_convolutions(network), strict=True):
        layer.weight.data, layer.bias.data = weight, bias
    return plain


def of_deepinv(network: DnCNN) -> Callable[[Tensor], Tensor]:
    """deepinv's DnCNN of the same depth and width, without downloaded weights."""
    import deepinv

    return deepinv.models.DnCNN(in_channels=3, out_channels=3, depth=20, bias=True, nf=64, pretrained=None).eval()


def of_onnxruntime(network: DnCNN) -> Callable[[Tensor], Tensor]:
    """A network of the same shape, and the same weights, in onnxruntime."""
    import onnx
    import onnxruntime

    make, nodes, constants = onnx.helper, [], []
    layers = folded_convolutions(network)
    for number, (weight, bias) in enumerate(layers):
        names = [f"weight{number}", f"bias{number}"]
        arrays = zip((weight, bias), names, strict=True)
        constants += [onnx.numpy_helper.from_array(array.numpy(), name) for array, name in arrays]
        last = number == len(layers) - 1
        nodes.append(make.make_node("Conv", [f"x{number}", *names], ["y" if last else f"z{number}"], pads=[1, 1, 1, 1]))
        nodes += [] if last else [make.make_node("Relu", [f"z{number}"], [f"x{number + 1}"])]
    ends = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", 3, "h", "w"]) for name in ("x0", "y")]
    model = make.make_model(
        make.make_graph(nodes, "dncnn", ends[:1], ends[1:], constants),
        opset_imports=[make.make_opsetid("", 17)],
        ir_version=8,
    )
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return lambda noisy: noisy - torch.from_numpy(session.run(None, {"x0": noisy.numpy()})[0])


def residual(predict: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The denoiser of a network that predicts noise."""
    return lambda noisy: noisy - predict(noisy)


VARIANTS: dict[str, tuple[Callable[[DnCNN], Callable[[Tensor], Tensor]], tuple[str, ...]]] = {
    "plain": (residual, ()),
    "plain, merged, memory kept": (lambda network: residual(merged(network)), ()),
    "deepinv": (of_deepinv, ("deepinv",)),
    "onnxruntime": (of_onnxruntime, ("onnx", "onnxruntime")),
    "ours direct": (lambda n: residual(DirectConvolutions(folded_convolutions(n), CPU, "float32")), ()),
    "ours winograd": (lambda n: residual(WinogradConvolutions(folded_convolutions(n))), ("numba",)),
    "ours, as chosen": (lambda n: DnCNNDenoiser(n, METHODS["cdncnn_b"].facts), ()),
    "ours bfloat16": (lambda n: residual(DirectConvolutions(folded_convolutions(n), CPU, "bfloat16")), ()),
}
"""Name -> what makes a denoiser of a network, and the packages that it needs."""


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a call after one that is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(variant: str, repeats: int) -> dict[str, float]:
    """GFLOP a second of one variant by shape, in this process."""
    if variant == "sgemm":
        a, b = torch.randn(SGEMM, SGEMM), torch.randn(SGEMM, SGEMM)
        return dict.fromkeys(SHAPES, 2 * SGEMM**3 / seconds(lambda: a @ b, repeats) / 1e9)
    if variant not in ("plain", "deepinv", "onnxruntime"):
        keep_freed_memory()
    rates = {}
    with torch.inference_mode():
        denoise = VARIANTS[variant][0](DnCNN().eval())
        for name, shape in SHAPES.items():
            noisy, pixels = torch.rand(shape), shape[0] * shape[2] * shape[3]
            rates[name] = FLOP_PER_PIXEL * pixels / seconds(lambda noisy=noisy: denoise(noisy), repeats) / 1e9
    return rates


def drift(weights: str, image: str) -> list[str]:
    """PSNR of a denoised image with the direct convolution in float32 and the drift of the others, at three sigmas."""
    keep_freed_memory()  # as jobs do, and the variants that are measured
    network = dncnn_from_state(load_state(weights), weights)
    chosen = DnCNNDenoiser(network, METHODS["cdncnn_b"].facts, precision="auto")
    lines = [f"auto is {chosen.precision}, {chosen.record['convolution']}"]
    clean = to_unit_range(read_rgb(image))
    names = ["ours direct", *(name for name in ("ours winograd", "ours bfloat16") if not missing(name))]
    for sigma in (15, 25, 35):
        noisy = clean + gaussian_noise("benchmark", "image", sigma, 0, *clean.shape[2:])
        with torch.inference_mode():
            errors = {name: VARIANTS[name][0](network)(noisy).clamp(0, 1) - clean for name in names}
        psnr = {name: -10 * error.double().square().mean().log10().item() for name, error in errors.items()}
        others = ", ".join(f"{name} {psnr[name] - psnr['ours direct']:+.1e} dB" for name in names[1:])
        lines.append(f"sigma {sigma}: {psnr['ours direct']:.3f} dB; {others}")
    return lines


def missing(variant: str) -> list[str]:
    """The packages that a variant needs and that are not installed."""
    return [name for name in VARIANTS[variant][1] if importlib.util.find_spec(name) is None]


def in_a_process(variant: str, options: argparse.Namespace) -> dict[str, float]:
    """:func:`measure` in a process of its own."""
    command = [sys.executable, __file__, "--only", variant, "--threads", str(options.threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def table(rates: dict[str, list[dict[str, float]]], shape: str) -> list[str]:
    """Lines on one shape: GFLOP a second, and ratios within a round."""

    def over(variant: str, other: str) -> float:
        return statistics.median(a[shape] / b[shape] for a, b in zip(rates[variant], rates[other], strict=True))

    lines = [f"\n{shape:28}{'GFLOP/s':>9}{'x plain':>9}{'x direct':>10}{'of sgemm':>10}"]
    for variant, of_rounds in rates.items():
        rate = statistics.median(rates_of_round[shape] for rates_of_round in of_rounds)
        over_plain, over_direct, of_limit = (over(variant, other) for other in ("plain", "ours direct", "sgemm"))
        lines.append(f"{variant:28}{rate:9.0f}{over_plain:9.2f}{over_direct:10.2f}{of_limit:10.2f}")
        if variant not in ("sgemm", "plain"):
            what, limit = f"DnCNN, {shape}, {variant}", f"{of_limit:.0%} of the rate of matrix products in float32"
            ratios.note(what, f"{over_plain:.2f} x", "the plain module", limit)
    if "ours winograd" in rates:
        over_direct = over("ours winograd", "ours direct")
        ratios.note(f"DnCNN, {shape}, ours winograd", f"{over_direct:.2f} x", "ours direct", "1.3")
    return lines


def main() -> None:
    """Run the rounds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--weights")
    parser.add_argument("--image")
    parser.add_argument("--only", choices=["sgemm", *VARIANTS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only:
        print(json.dumps(measure(options.only, 2)))
        return
    for variant in VARIANTS:
        if packages := missing(variant):
            print(f"left out: {variant}: {', '.join(packages)} not installed")
    there = ["sgemm", *(variant for variant in VARIANTS if not missing(variant))]
    rates: dict[str, list[dict[str, float]]] = {variant: [] for variant in there}
    for _ in range(options.rounds):
        for variant in there:
            rates[variant].append(in_a_process(variant, options))
    print(f"{options.threads} threads, torch {torch.__version__}, {options.rounds} rounds; medians")
    for shape in SHAPES:
        print("\n".join(table(rates, shape)))
    if options.weights and options.image:
        print("\n".join(["", *drift(options.weights, options.image)]))


if __name__ == "__main__":
    main()
