"""Every method of the suite denoises on a GPU without leaving it."""

import inspect
from pathlib import Path

import pytest
import torch

from usaid.checkpoints import write_weights
from usaid.denoisers.build import build_denoiser, load_class
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.drunet.network import DRUNet
from usaid.denoisers.ffdnet.network import FFDNet
from usaid.denoisers.mlp.models import write_models
from usaid.denoisers.mlp.network import MLP
from usaid.registries import METHODS

VARIANTS = [
    *((method, precision, {}) for method in ("cdncnn_b", "s_said", "u_said") for precision in ("float32", "bfloat16")),
    ("cdncnn_b", "tf32", {}),
    *((method, "float32", {}) for method in ("dncnn", "ffdnet", "drunet")),
    *(("mlp", precision, {}) for precision in ("float32", "bfloat16")),
    *(("mc_wnnm", "float32", {"parameters": {"exact": exact, "outer_iterations": 3}}) for exact in (False, True)),
    ("noisy", "float32", {}),
    ("clean", "float32", {}),
]
"""(method, precision, options)."""

ON_THE_CPU = {"cbm3d"}
"""Methods that compute on the CPU whatever the device: their constructors name none."""


IN_FILES = {"torchscript", "torch_export", "onnx"}
"""What a network computes there, its file says."""


def weights_of(method: str, folder: Path) -> Path | None:
    """A small network of the method in a file; None: it has none."""
    path = folder / "weights.safetensors"
    if method == "mlp":
        write_models({15.0: MLP(9, (16,), 5), 25.0: MLP(9, (16,), 5)}, path, {"origin": "published", "sources": {}})
    elif METHODS[method].needs_weights:
        small = {"ffdnet": lambda: FFDNet(4, 8), "drunet": lambda: DRUNet((4, 8, 8, 8))}
        write_weights(small.get(method, lambda: DnCNN(depth=5, features=8))(), path, {})
    else:
        return None
    return path


def test_what_is_put_around_a_network_stays_on_the_gpu(cuda):
    adapt = {"predicts": "noise", "value_range": 255, "told_as": "map", "divisible_by": 8, "channels": "grey"}
    network = torch.nn.Conv2d(2, 1, 3, padding=1)
    denoiser = build_denoiser(network, device=cuda, adapt=adapt | {"tile": 32, "tile_overlap": 4})
    for size in ((41, 37), (9, 70)):
        output = denoiser(torch.rand(2, 3, *size, device=cuda), 25.0)
        assert (output.device.type, output.shape) == ("cuda", (2, 3, *size))


def test_no_method_is_forgotten():
    assert {method for method, _, _ in VARIANTS} | ON_THE_CPU | IN_FILES == METHODS.own.keys()
    for method in METHODS.own.keys() - IN_FILES:
        takes_device = "device" in inspect.signature(load_class(method)).parameters
        assert takes_device == (method not in ON_THE_CPU), method


@pytest.fixture
def weights(method, tmp_path) -> Path | None:
    """Written before the fake GPU is there."""
    return weights_of(method, tmp_path)


@pytest.mark.parametrize(("method", "precision", "options"), VARIANTS)
def test_output_stays_on_the_gpu(method, precision, options, weights, cuda):
    denoiser = build_denoiser(method, weights, cuda, precision, options)
    assert denoiser.device.type == "cuda"
    for size in ((41, 37), (32, 48)):
        noisy = torch.rand(2, 3, *size, device=cuda)
        output = denoiser(noisy, None if denoiser.facts.blind else 20.0)
        assert output.device == noisy.device
        assert output.shape == noisy.shape
        assert output.dtype == torch.float32


def test_images_that_are_denoised_in_parts(small_dncnn, cuda):
    denoiser = DnCNNDenoiser(small_dncnn, METHODS["cdncnn_b"].facts, cuda)
    noisy = torch.rand(1, 3, 2000, 3000, device=cuda)
    assert (denoiser(noisy).device, denoiser(noisy).shape) == (noisy.device, noisy.shape)
