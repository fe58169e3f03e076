"""Weights in files: whether a state is that of a network."""

import io
import os
import pickle
import subprocess
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from usaid.checkpoints import check_state, load_state, stored_normalisation, stored_record
from usaid.errors import UsaidError


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def refusal(state: dict[str, Tensor]) -> str:
    with pytest.raises(UsaidError) as error:
        check_state(state, network().state_dict(), "net.pth: not the weights of a test")
    return str(error.value)


def test_a_whole_state_is_returned_as_it_is():
    state = network().state_dict()
    state["1.num_batches_tracked"] += 7
    assert check_state(state, network().state_dict(), "") == dict(state)


def test_counters_may_be_missing_and_the_state_stays_as_it_is():
    state = network().state_dict()
    del state["1.num_batches_tracked"]
    checked = check_state(state, network().state_dict(), "")
    assert checked["1.num_batches_tracked"] == 0
    assert "1.num_batches_tracked" not in state
    network().load_state_dict(checked)


def test_what_does_not_fit_is_named_in_one_line():
    state, start = dict(network().state_dict()), "net.pth: not the weights of a test: "
    assert refusal({key: value for key, value in state.items() if key != "1.bias"}) == f"{start}key '1.bias' is missing"
    narrow = state | {"0.bias": torch.zeros(3)}
    assert refusal(narrow) == f"{start}'0.bias' has shape (3,), not (4,)"
    assert refusal(state | {"2.bias": torch.zeros(4)}) == f"{start}key '2.bias' does not belong to it"
    assert refusal({}) == f"{start}key '0.weight' is missing"


def test_whole_numbers_are_no_weights():
    """As a quantised network has them: they would be taken for what they stand for."""
    state = network().state_dict() | {"0.bias": torch.zeros(4, dtype=torch.int8)}
    assert refusal(state) == "net.pth: not the weights of a test: '0.bias' holds int8, not floating-point numbers"
    halves = network().state_dict() | {"0.bias": torch.zeros(4, dtype=torch.float16)}
    assert check_state(halves, network().state_dict(), "")["0.bias"].dtype == torch.float16


# Files as people have them


def unreadable(path: Path) -> str:
    """The one line with which a file is refused: it names the file, and does not advise to switch safety off."""
    with pytest.raises(UsaidError) as error:
        load_state(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "\x1b" not in message
    assert "weights_only" not in message
    return message.removeprefix(f"{path}: ")


def state_of_a_network() -> dict[str, Tensor]:
    return dict(network().state_dict())


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in state_of_a_network().items()}


@pytest.mark.parametrize(
    "content",
    [
        state_of_a_network(),
        *({key: state_of_a_network(), "epoch": 3} for key in ("state_dict", "model", "params", "params_ema", "net")),
        {"model": state_of_a_network(), "optimizer": {"state": {0: {"step": torch.ones(1)}}, "param_groups": [{}]}},
        {"state_dict": state_of_a_network(), "best": torch.tensor(31.4)},
        *(prefixed(prefix) for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.")),
        prefixed("module.module."),
        {"state_dict": prefixed("_orig_mod."), "epoch": 3},
        {key.replace("1.", "1._orig_mod."): value for key, value in state_of_a_network().items()},
        {key: nn.Parameter(value, value.is_floating_point()) for key, value in state_of_a_network().items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_is_found_where_people_save_it(tmp_path, content, zipped):
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=zipped)
    state = load_state(tmp_path / "net.pth")
    assert state.keys() == state_of_a_network().keys()
    assert all(torch.equal(state[key], value) for key, value in state_of_a_network().items())


def test_the_name_of_a_file_does_not_matter(tmp_path):
    save_file(state_of_a_network(), tmp_path / "net.pth")
    torch.save(state_of_a_network(), tmp_path / "net.safetensors")
    for name in ("net.pth", "net.safetensors"):
        assert load_state(tmp_path / name).keys() == state_of_a_network().keys()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (network(), "it holds a pickled object (torch.nn.modules.container.Sequential): a whole model, or something"),
        (
            {"state_dict": state_of_a_network(), "args": Namespace(lr=1)},
            "it holds a pickled object (argparse.Namespace)",
        ),
        ({"state_dict": state_of_a_network(), "psnr": np.float64(3)}, "it holds a pickled object (numpy."),
        (
            {"params": state_of_a_network(), "params_ema": state_of_a_network()},
            "several states ('params', 'params_ema')",
        ),
        (
            {"model": {"state_dict": state_of_a_network()}},
            "holds no dictionary of tensors but 'model'; save the state_",
        ),
        (state_of_a_network() | {"epoch": 3}, "holds no dictionary of tensors but"),
        ({0: torch.zeros(1)}, "holds no dictionary of tensors but 0; save the state_dict"),
        (list(state_of_a_network().values()), "holds no dictionary of tensors but a list; save the state_dict"),
        (torch.zeros(3), "holds no dictionary of tensors but a Tensor; save the state_dict"),
        ({}, "holds no weights; save the state_dict"),
        ({"a": torch.zeros(1), "_orig_mod.a": torch.ones(1)}, "has keys with and without '_orig_mod.'"),
        ({"a": torch.full((2,), torch.nan)}, "'a' holds weights that are not finite"),
        ({"a": torch.tensor([1.0, -torch.inf], dtype=torch.float16)}, "'a' holds weights that are not finite"),
        ({"a": torch.tensor([1e300], dtype=torch.float64)}, "'a' holds weights that are not finite"),
        ({"a": torch.zeros(1).expand(1 << 40)}, "'a' claims 1,099,511,627,776 values, more than are stored"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "'a' is no plain tensor (torch.strided complex64 on cpu)"),
        ({"a": torch.eye(3).to_sparse()}, "'a' is no plain tensor (torch.sparse_coo float32 on cpu)"),
        ({"a": torch.zeros(3, device="meta")}, "'a' is no plain tensor (torch.strided float32 on meta)"),
    ],
)
def test_what_is_no_state_is_named(tmp_path, content, reason):
    torch.save(content, tmp_path / "net.pth")
    assert reason in unreadable(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "it is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html><title>Quota exceeded</title>", "it is a web page"),
        (b'{"error": "not found"}', "it is text"),
        (b"Not Found", "it is text"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "it is HDF5"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), "it is a MATLAB file"),
        (b"\x93NUMPY\x01\0" + bytes(100), "it is a numpy array"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.4.0" + bytes(100), "it is ONNX"),
        (b"GGUF\x03\0\0\0" + bytes(100), "it is GGUF"),
        (b"\x1f\x8b\x08\0" + bytes(100), "it is an archive"),
        (bytes(257) + b"ustar\x0000" + bytes(300), "it is an archive"),
        (bytes(5000), "(damaged, or cut off)"),
        (pickle.dumps({"a": 1}), "(damaged, or cut off)"),
        (b"\x80\x02" + b"]" * 1000, "(damaged, or cut off)"),
    ],
)
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_other_things_in_a_weights_files_place_are_named(tmp_path, content, reason, name):
    (tmp_path / name).write_bytes(content)
    message = unreadable(tmp_path / name)
    assert message.startswith("not a readable weights file")
    assert reason in message or name == "net.safetensors"


def test_damaged_files_are_named(tmp_path):
    torch.save(state_of_a_network(), tmp_path / "net.pth")
    whole = (tmp_path / "net.pth").read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-10], whole[:20]):
        (tmp_path / "cut.pth").write_bytes(content)
        assert unreadable(tmp_path / "cut.pth").startswith("not a readable weights file (damaged, or cut off)")
    save_file(state_of_a_network(), tmp_path / "net.safetensors")
    whole = (tmp_path / "net.safetensors").read_bytes()
    for content in (whole[:-4], whole[:30], whole[:7], b"\xff" * 8 + whole[8:]):
        (tmp_path / "cut.safetensors").write_bytes(content)
        assert unreadable(tmp_path / "cut.safetensors").startswith("not a readable weights file (safetensors: ")


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_zips_that_are_no_checkpoints_are_named(tmp_path):
    scripted = torch.jit.trace(network().eval(), torch.zeros(1, 3, 8, 8))
    torch.jit.save(scripted, tmp_path / "script.pt")
    assert "it is TorchScript, a whole model; save its state_dict" in unreadable(tmp_path / "script.pt")
    np.savez(tmp_path / "arrays.npz", a=np.zeros(3))
    os.rename(tmp_path / "arrays.npz", tmp_path / "arrays.pth")
    assert "it is a zip archive" in unreadable(tmp_path / "arrays.pth")


def test_a_checkpoint_does_not_expand_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("usaid.checkpoints._MOST_EXPANDED", 1 << 20)
    stored = io.BytesIO()
    torch.save({"a": torch.zeros(1 << 20)}, stored)
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for member in source.namelist():
            packed.writestr(member, source.read(member))
    assert "would expand to 4,194," in unreadable(tmp_path / "bomb.pth")


def test_folders_devices_and_locked_files_are_named(tmp_path):
    assert unreadable(tmp_path).startswith("is a folder, not a file of weights")
    assert unreadable(Path("/dev/zero")).startswith("is no regular file, not a file of weights")
    os.mkfifo(tmp_path / "pipe")
    assert unreadable(tmp_path / "pipe").startswith("is no regular file, not a file of weights")
    assert unreadable(tmp_path / ("n" * 300)).startswith("weights ")
    assert unreadable(tmp_path / "none.pth").startswith("weights are missing")


# What is stored beside them


@pytest.mark.parametrize("metadata", [None, {"training": "{"}, {"training": "[1]"}, {"training": "7"}, {"other": "1"}])
def test_a_record_of_others_is_empty(tmp_path, metadata):
    save_file({"a": torch.zeros(1)}, tmp_path / "net.safetensors", metadata)
    assert stored_record(tmp_path / "net.safetensors") == {}


@pytest.mark.parametrize(
    "change",
    [{"mean": None}, {"mean": [0.5, 0.5]}, {"mean": [0.5, 0.5, "0.5"]}, {"std": [0.2, 0.2, 0]}, {"std": [0.2, 0.2, -1]},
     {"mean": [0.5, 0.5, float("nan")]}, {"std": [0.2, 0.2, float("inf")]}, {"std": 0.2}, {"mean": [True, 0.5, 0.5]}],
)  # fmt: skip
def test_a_normalisation_is_two_times_three_numbers(change):
    record: dict[str, Any] = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}
    assert stored_normalisation(record, "net.safetensors") == (record["mean"], record["std"])
    with pytest.raises(UsaidError, match=rf"^net\.safetensors: its '{next(iter(change))}' is .*train it again"):
        stored_normalisation(record | change, "net.safetensors")


FULL = """
import resource, signal, sys, torch
from pathlib import Path
from usaid.checkpoints import write_weights
from usaid.errors import UsaidError
from usaid.files import written_atomically

def write_by_torch(network, path):
    with written_atomically(path) as temporary:
        torch.save(network.state_dict(), temporary)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
network, messages = torch.nn.Linear(300, 300), []
for write in (lambda: write_weights(network, path, {}), lambda: write_by_torch(network, path)):
    path = Path(sys.argv[1])
    try:
        write()
    except UsaidError as error:
        messages.append(str(error))
print("\\n".join(messages))
"""


@pytest.mark.parametrize("room", [0, 1000, 100_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, room):
    """A process may not write files of more bytes than ``room``."""
    path = tmp_path / "weights/net.safetensors"
    command = [sys.executable, "-c", FULL, str(path), str(room)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    first, second = output.splitlines()
    for message in (first, second):
        assert message.startswith(f"{path}: cannot be written (")
        assert "make room there" in message
    assert list(path.parent.iterdir()) == []
