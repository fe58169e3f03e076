"""A DnCNN by every form that people save it in gives what our own denoiser gives."""

import contextlib
import io
import warnings

import pytest
import torch
from torch import Tensor, nn

from usaid.checkpoints import write_weights
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.denoisers.dncnn.network import DnCNN
from usaid.errors import UsaidError
from usaid.registries import METHODS

SIZES = ((40, 44), (45, 51), (97, 90))
NOISE = {"predicts": "noise"}


@pytest.fixture(scope="module")
def network() -> DnCNN:
    torch.manual_seed(5)
    return DnCNN(5, 8).eval()


@pytest.fixture(scope="module")
def ours(network) -> DnCNNDenoiser:
    return DnCNNDenoiser(network, METHODS["cdncnn_b"].facts)


def dynamic(batch: Tensor) -> tuple[dict[int, object], ...]:
    return ({0: torch.export.Dim("b"), 2: torch.export.Dim("h", min=8), 3: torch.export.Dim("w", min=8)},)


def quietly(save, *arguments, **options):
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return save(*arguments, **options)


def as_torchscript(network, path, batch, of_any_size):
    script = torch.jit.script(network) if of_any_size else torch.jit.trace(network, batch)
    torch.jit.save(script, path)


def as_export(network, path, batch, of_any_size):
    shapes = dynamic(batch) if of_any_size else None
    torch.export.save(torch.export.export(network, (batch,), dynamic_shapes=shapes), path)


def as_onnx(network, path, batch, of_any_size):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"writing ONNX files needs {package}")
    shapes = dynamic(batch) if of_any_size else None
    torch.onnx.export(network, (batch,), path, dynamo=True, dynamic_shapes=shapes)


FORMS = {"torchscript": (as_torchscript, ".pt"), "torch_export": (as_export, ".pt2"), "onnx": (as_onnx, ".onnx")}


@pytest.mark.parametrize("of_any_size", [True, False])
@pytest.mark.parametrize("method", list(FORMS))
def test_a_file_of_any_form_denoises_as_ours_does(method, of_any_size, network, ours, tmp_path):
    save, suffix = FORMS[method]
    path = tmp_path / f"network{suffix}"
    quietly(save, network, path, torch.rand(2, 3, 40, 44), of_any_size)
    denoiser = build_denoiser(method, path, adapt=NOISE)
    for height, width in SIZES:
        noisy = torch.rand(3, 3, height, width)
        assert (denoised("mine", denoiser, noisy) - ours(noisy)).abs().max() <= 1e-5
    assert denoiser.facts.blind
    assert denoiser.facts.deep_learning


def test_small_images_are_padded_to_a_fixed_size(network, ours, tmp_path):
    path = tmp_path / "network.pt2"
    quietly(as_export, network, path, torch.rand(2, 3, 40, 44), False)
    noisy = torch.rand(1, 3, 20, 22)
    difference = (build_denoiser("torch_export", path, adapt=NOISE)(noisy) - ours(noisy)).abs()
    assert difference[:, :, :15, :17].max() <= 1e-5, "what sees no padding is exact"


class Told(nn.Module):
    def forward(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        return noisy * sigma


def test_an_onnx_network_of_two_inputs_is_told_the_level(tmp_path):
    path = tmp_path / "told.onnx"
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"writing ONNX files needs {package}")
    quietly(torch.onnx.export, Told(), (torch.rand(1, 3, 8, 8), torch.rand(1, 1, 1, 1)), path, dynamo=True)
    noisy = torch.rand(2, 3, 9, 12)
    denoiser = build_denoiser("onnx", path, adapt={"told_as": "argument"})
    assert (denoiser(noisy, 51.0) - noisy * 0.2).abs().max() < 1e-6
    with pytest.raises(UsaidError, match=r"told.onnx: has 2 inputs, and is given 1; told_as argument"):
        build_denoiser("onnx", path)(noisy)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_an_exported_network_of_two_inputs_is_told_the_level(shape, tmp_path):
    path, noisy = tmp_path / "told.pt2", torch.rand(2, 3, 9, 12)
    quietly(lambda: torch.export.save(torch.export.export(Told(), (noisy, torch.rand(shape))), path))
    denoiser = build_denoiser("torch_export", path, adapt={"told_as": "argument"})
    assert (denoiser(noisy, 51.0) - noisy * 0.2).abs().max() < 1e-6


def test_channels_that_do_not_fit_are_named_with_the_cure(tmp_path):
    cures = [
        (1, 3, "say channels grey"),
        (3, 1, "drop channels grey"),
        (3, 4, "drop told_as map"),
        (4, 3, "say told_as map"),
        (5, 3, "export a network of colour images"),
    ]
    for channels, given, cure in cures:
        path = tmp_path / f"of_{channels}.pt2"
        quietly(as_export, nn.Conv2d(channels, 3, 1), path, torch.rand(1, channels, 8, 8), False)
        with pytest.raises(
            UsaidError, match=rf"of_{channels}.pt2: takes {channels} channels, and is given {given}; {cure}"
        ):
            build_denoiser("torch_export", path)(torch.rand(1, given, 8, 8))


@pytest.mark.parametrize("method", list(FORMS))
def test_other_files_are_refused_in_one_line(method, network, tmp_path):
    if method == "onnx":
        pytest.importorskip("onnxruntime", reason="reading ONNX files needs onnxruntime")
    path = tmp_path / "network.bin"
    write_weights(network, path, {})
    with pytest.raises(UsaidError, match=r"^[^\n]*network.bin: not readable as [^\n]*$"):
        quietly(build_denoiser, method, path)
    with pytest.raises(UsaidError, match=r"^[^\n]*absent"):
        build_denoiser(method, tmp_path / "absent.bin")
    with pytest.raises(UsaidError, match=f"^method '{method}' needs weights"):
        build_denoiser(method)


OWN = """
import torch
from torch import nn
from layers import block

class Net(nn.Module):
    def __init__(self, depth=5, features=8):
        super().__init__()
        self.dncnn = block(depth, features)

    def forward(self, x):
        return self.dncnn(x)

def by_function(x, scale=1.0):
    return x - scale * made(x)
"""
LAYERS = """
from usaid.denoisers.dncnn.network import DnCNN

def block(depth, features):
    return DnCNN(depth, features).dncnn
"""


def test_a_network_of_ones_own_file_is_loaded_with_its_weights(network, ours, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "layers.py").write_text(LAYERS)
    write_weights(network, tmp_path / "w.safetensors", {})
    torch.save({"state_dict": network.state_dict()}, tmp_path / "w.pth")
    noisy = torch.rand(2, 3, 33, 31)
    for weights in ("w.safetensors", "w.pth"):
        denoiser = build_denoiser(f"{tmp_path}/mine.py:Net", tmp_path / weights, adapt=NOISE)
        assert (denoised("mine", denoiser, noisy) - ours(noisy)).abs().max() <= 1e-5
    with pytest.raises(UsaidError, match=r"w.pth: not the weights of Net: .*'dncnn\.0\.weight' has shape"):
        build_denoiser(f"{tmp_path}/mine.py:Net", tmp_path / "w.pth", options={"features": 9, "depth": 5})


def test_a_function_and_an_instance_are_as_ours(network, ours):
    noisy = torch.rand(2, 3, 33, 31)
    for form, adapt in ((lambda batch: batch - network(batch), None), (network, NOISE)):
        assert (denoised("mine", build_denoiser(form, adapt=adapt), noisy) - ours(noisy)).abs().max() <= 1e-5


def test_weights_are_loaded_into_a_copy_of_an_instance(network, tmp_path):
    write_weights(network, tmp_path / "w.safetensors", {})
    other = DnCNN(5, 8).eval()
    before = other.dncnn[0].weight.clone()
    denoiser = build_denoiser(other, tmp_path / "w.safetensors")
    assert torch.equal(other.dncnn[0].weight, before)
    assert (denoiser(torch.ones(1, 3, 8, 8)) - network(torch.ones(1, 3, 8, 8))).abs().max() <= 1e-6


def test_a_program_in_hand_is_called(network, ours):
    program = torch.export.export(network, (torch.rand(2, 3, 40, 44),))
    noisy = torch.rand(2, 3, 40, 44)
    assert (build_denoiser(program, adapt=NOISE)(noisy) - ours(noisy)).abs().max() <= 1e-5
