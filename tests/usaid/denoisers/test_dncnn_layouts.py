"""DnCNN's checkpoints in other people's layouts: the same function, the layout recorded, what is none refused."""

import pytest
import torch
from kinds.denoisers import DenoiserTests, noisy_images
from torch import nn

from benchmarks.dncnn_files import (
    as_deepinv,
    as_kair,
    merged,
    simplenn,
    simplenn_with_batchnorm,
    write_matlab_5,
    write_matlab_73,
)
from usaid.checkpoints import load_state, stored_record, write_weights
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.denoisers.dncnn.importing import import_dncnn
from usaid.denoisers.dncnn.network import KAIR_EPSILON, DnCNN, dncnn_from_state
from usaid.errors import UsaidError
from usaid.files import sha256_of_file


class TestDnCNN(DenoiserTests):
    method = "dncnn"

    @pytest.fixture(autouse=True)
    def _network(self, small_dncnn):
        self.network = small_dncnn

    def make(self):
        torch.save(as_kair(self.network), self.folder / "kair.pth")
        return DnCNNDenoiser(self.folder / "kair.pth", self.card.facts)


def torch_file(state):
    return lambda path, network: torch.save(state(network), path)


WRITERS = {
    "released": torch_file(lambda network: {f"module.{key}": own for key, own in network.state_dict().items()}),
    "merged": torch_file(lambda network: merged(network).state_dict()),
    "kair": torch_file(as_kair),
    "deepinv": torch_file(as_deepinv),
    "matconvnet": lambda path, network: write_matlab_73(path, simplenn(network)),
    "matconvnet, version 5": lambda path, network: write_matlab_5(path, simplenn(network)),
    "matconvnet, BatchNorm": lambda path, network: write_matlab_73(path, simplenn_with_batchnorm(network)),
    "matconvnet, version 5, BatchNorm": lambda path, network: write_matlab_5(path, simplenn_with_batchnorm(network)),
}


@pytest.mark.parametrize("written", WRITERS)
def test_each_layout_is_the_same_function_as_it_is_and_imported(small_dncnn, tmp_path, written):
    checkpoint, ours = tmp_path / "theirs", tmp_path / "ours.safetensors"
    WRITERS[written](checkpoint, small_dncnn)
    import_dncnn({"": checkpoint}, ours, sha256_of_file(checkpoint))
    noisy, layout = noisy_images(2, 16, 21), written.partition(",")[0]
    with torch.inference_mode():
        expected = noisy - small_dncnn(noisy)
    for path in (checkpoint, ours):
        for method in ("dncnn", "cdncnn_b", "u_said"):
            denoiser = build_denoiser(method, path)
            torch.testing.assert_close(denoiser(noisy), expected, atol=1e-5, rtol=0)
            assert denoiser.record == {"convolution": "direct", "layout": layout}
    origin = {"imported_from_sha256": sha256_of_file(checkpoint)}
    assert stored_record(ours) == origin | ({} if layout == "released" else {"layout": layout})


def test_an_import_of_an_import_keeps_the_first_layout(small_dncnn, tmp_path):
    torch.save(as_kair(small_dncnn), tmp_path / "kair.pth")
    import_dncnn({"": tmp_path / "kair.pth"}, tmp_path / "once.safetensors", None)
    import_dncnn({"": tmp_path / "once.safetensors"}, tmp_path / "twice.safetensors", None)
    assert stored_record(tmp_path / "twice.safetensors")["layout"] == "kair"


def test_a_network_that_is_no_file_has_no_layout(small_dncnn):
    assert "layout" not in DnCNNDenoiser(small_dncnn, TestDnCNN().card.facts).record


class OfKair(nn.Module):
    """KAIR's network as it is trained: biases and BatchNorm of another epsilon than torch's; x - model(x)."""

    def __init__(self, depth, features):
        super().__init__()
        layers = []
        for number in range(depth):
            before, after = (3 if number == 0 else features), (3 if number == depth - 1 else features)
            layers.append(nn.Conv2d(before, after, 3, padding=1))
            if 0 < number < depth - 1:
                layers.append(nn.BatchNorm2d(features, eps=1e-4))
            layers.append(nn.ReLU())
        self.model = nn.Sequential(*layers[:-1])


def test_kairs_training_layout_is_read_with_its_own_epsilon(tmp_path):
    torch.manual_seed(1)
    network = OfKair(5, 6).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_var.uniform_(1e-4, 4e-4)  # so small that the epsilon matters
            part.running_mean.uniform_(-0.01, 0.01)
            nn.init.uniform_(part.weight, 0.001, 0.02)
    torch.save(network.state_dict(), tmp_path / "train.pth")
    denoiser, noisy = build_denoiser("dncnn", tmp_path / "train.pth"), noisy_images(1, 20, 20)
    with torch.inference_mode():
        expected = noisy - network.model(noisy)
    torch.testing.assert_close(denoiser(noisy), expected, atol=1e-5, rtol=0)
    assert (denoiser.record["layout"], KAIR_EPSILON) == ("kair_batchnorm", 1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_deepinvs_own_network_is_read(tmp_path, bias):
    deepinv = pytest.importorskip("deepinv")
    torch.manual_seed(0)
    theirs = deepinv.models.DnCNN(depth=6, nf=12, bias=bias, pretrained=None).eval()
    torch.save({"state_dict": theirs.state_dict(), "epoch": 3}, tmp_path / "ckp.pth.tar")
    denoiser, noisy = build_denoiser("dncnn", tmp_path / "ckp.pth.tar"), noisy_images(2, 17, 30)
    with torch.inference_mode():
        expected = theirs(noisy, 0.1)
    assert (expected - noisy).abs().max() > 0.01
    torch.testing.assert_close(denoiser(noisy), expected, atol=1e-5, rtol=0)
    assert denoiser.record["layout"] == "deepinv"


def test_reading_draws_no_random_numbers_and_keeps_nothing_of_the_state(small_dncnn):
    state = {key: value for key, value in small_dncnn.state_dict().items() if "num_batches" not in key}
    before = torch.get_rng_state()
    read = dncnn_from_state(state, "x.pth").state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    for key, value in small_dncnn.state_dict().items():
        assert torch.equal(read.pop(key), torch.zeros_like(value) if key.endswith("num_batches_tracked") else value)
        assert key not in state or dncnn_from_state(state, "x.pth").state_dict()[key].data_ptr() != value.data_ptr()
    assert not read


def without(state, key):
    return {own: value for own, value in state.items() if own != key}


def test_what_is_no_dncnn_is_answered_with_the_nearest_and_the_first_key_that_differs(small_dncnn):
    kair, deepinv, ours = as_kair(small_dncnn), as_deepinv(small_dncnn), small_dncnn.state_dict()
    half = {f"model.{key.removeprefix('dncnn.')}": value for key, value in ours.items()}
    ircnn = as_kair(DnCNN(7, 8).eval())
    for content, complaint in (
        (
            half,
            r"\(nearest: KAIR's DnCNN with BatchNorm\): key 'model.0.bias' is missing; save the state_dict of a known",
        ),
        (ours | {"dncnn.0.bias": torch.zeros(8)}, "has BatchNorm beside biases"),
        (ircnn, "IRCNN's 7 layers"),
        (
            kair | {"model.0.weight": torch.zeros(8, 1, 3, 3)},
            r"KAIR's DnCNN\): 'model.0.weight' has shape \(8, 1, 3, 3\)",
        ),
        (without(kair, "model.2.bias"), r"KAIR's DnCNN\): key 'model.2.bias' is missing"),
        (without(deepinv, "conv_list.1.bias"), r"deepinv's DnCNN\): key 'conv_list.1.bias' is missing"),
        (kair | {"model.0.bias": torch.zeros(8, dtype=torch.int64)}, r"'model.0.bias' holds int64"),
        ({"a": torch.zeros(3)}, r"released checkpoints' DnCNN\): key 'dncnn.0.weight' is missing"),
    ):
        with pytest.raises(UsaidError, match=rf"^x\.pth: .*{complaint}"):
            dncnn_from_state(content, "x.pth")


def test_an_unknown_layout_in_the_record_is_not_believed(small_dncnn, tmp_path):
    write_weights(small_dncnn, tmp_path / "own.safetensors", {"layout": ["of", "theirs"]})
    denoiser = build_denoiser("dncnn", tmp_path / "own.safetensors")
    assert denoiser.record["layout"] == "released"
    assert load_state(tmp_path / "own.safetensors").keys() == small_dncnn.state_dict().keys()
