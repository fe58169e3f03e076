"""DnCNN: the fold of BatchNorm, strips, image sizes, and checkpoints that are wrong."""

import math
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from kinds.denoisers import DenoiserTests
from safetensors.torch import save_file

from usaid.checkpoints import load_state, stored_record
from usaid.denoisers.dncnn import strips
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser, folded_convolutions
from usaid.denoisers.dncnn.importing import import_dncnn
from usaid.denoisers.dncnn.network import FLOP_PER_PIXEL, DnCNN, dncnn_from_state
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.registries import METHODS

FACTS = METHODS["u_said"].facts


class TestCDnCNNB(DenoiserTests):
    method = "cdncnn_b"

    @pytest.fixture(autouse=True)
    def _network(self, small_dncnn):
        self.network = small_dncnn

    def make(self):
        return DnCNNDenoiser(self.network, self.card.facts)


class TestSSAID(TestCDnCNNB):
    method = "s_said"


class TestUSAID(TestCDnCNNB):
    method = "u_said"

    def make(self):
        """Through a file, as jobs do it."""
        save_file(self.network.state_dict(), self.folder / "u_said.safetensors")
        return DnCNNDenoiser(self.folder / "u_said.safetensors", self.card.facts)


def test_has_the_papers_size():
    assert sum(parameter.numel() for parameter in DnCNN().parameters()) == 669_312
    assert FLOP_PER_PIXEL == 1_334_016


def test_folded_equals_unfolded(small_dncnn):
    noisy = torch.rand(2, 3, 33, 47)
    with torch.inference_mode():
        expected = noisy - small_dncnn(noisy)
    assert (DnCNNDenoiser(small_dncnn, FACTS)(noisy) - expected).abs().max() < 1e-5


def test_fold_by_hand():
    """One channel, one weight: conv 2x, then BatchNorm (2x - 1) * 3 / 2 + 0.5 with eps 0."""
    network = DnCNN(depth=3, features=1).eval()
    norm = network.dncnn[3]
    norm.eps = 0.0
    for tensor, value in ((norm.running_mean, 1.0), (norm.running_var, 4.0), (norm.weight, 3.0), (norm.bias, 0.5)):
        tensor.data.fill_(value)
    torch.nn.init.dirac_(network.dncnn[2].weight)
    network.dncnn[2].weight.data *= 2
    weight, bias = folded_convolutions(network)[1]
    assert weight[0, 0, 1, 1].item() == pytest.approx(3.0)
    assert bias.item() == pytest.approx(-1.0)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 3), (41, 30)])
def test_any_image_size(small_dncnn, size):
    noisy = torch.rand(1, 3, *size)
    assert DnCNNDenoiser(small_dncnn, FACTS)(noisy).shape == noisy.shape


def test_strips_are_exact(small_dncnn, monkeypatch):
    noisy = torch.rand(2, 3, 64, 20)
    denoiser = DnCNNDenoiser(small_dncnn, FACTS)
    whole = denoiser(noisy)
    monkeypatch.setattr(strips, "PIXELS_AT_ONCE", 20 * 9)
    assert (denoiser(noisy) - whole).abs().max() < 1e-6


def test_how_a_batch_is_divided_does_not_depend_on_its_size(small_dncnn, monkeypatch):
    noisy = torch.rand(5, 3, 16, 20)
    denoiser = DnCNNDenoiser(small_dncnn, FACTS)
    monkeypatch.setattr(strips, "PIXELS_AT_ONCE", 2 * 16 * 20)
    seen = []
    convolve = denoiser.noise_in
    denoiser.noise_in = lambda some: (seen.append(tuple(some.shape)), convolve(some))[1]
    batch = denoiser(noisy)
    assert seen == [(2, 3, 16, 20), (2, 3, 16, 20), (1, 3, 16, 20)]
    assert torch.equal(batch[4:], denoiser(noisy[4:]))


def test_bfloat16_stays_close(small_dncnn):
    noisy = torch.rand(1, 3, 32, 32)
    exact = DnCNNDenoiser(small_dncnn, FACTS)(noisy)
    rounded = DnCNNDenoiser(small_dncnn, FACTS, precision="bfloat16")(noisy)
    assert rounded.dtype == torch.float32
    assert 0 < F.mse_loss(rounded, exact) < 1e-3 * exact.var()


def test_reads_the_released_layout(small_dncnn, tmp_path):
    """Keys as torch's DataParallel writes them, BatchNorm counters absent."""
    state = OrderedDict(
        (f"module.{key}", value) for key, value in small_dncnn.state_dict().items() if "num_batches" not in key
    )
    torch.save(state, tmp_path / "net.pth")
    network = dncnn_from_state(load_state(tmp_path / "net.pth"), "net.pth")
    noisy = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert torch.equal(network(noisy), small_dncnn(noisy))
    assert not network.training


def test_an_imported_checkpoint_has_our_keys_and_tells_its_origin(small_dncnn, tmp_path):
    released, ours = tmp_path / "net.pth", tmp_path / "weights" / "mine.safetensors"
    torch.save({f"module.{key}": value for key, value in small_dncnn.state_dict().items()}, released)
    import_dncnn({"": released}, ours, sha256_of_file(released))
    state = load_state(ours)
    assert state.keys() == small_dncnn.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in small_dncnn.state_dict().items())
    assert stored_record(ours) == {"imported_from_sha256": sha256_of_file(released)}


def test_a_checkpoint_of_another_hash_or_network_is_not_imported(small_dncnn, tmp_path):
    released, ours = tmp_path / "net.pth", tmp_path / "mine.safetensors"
    torch.save(small_dncnn.state_dict(), released)
    with pytest.raises(UsaidError, match=r"net\.pth: SHA-256 is .*, expected 0000"):
        import_dncnn({"": released}, ours, "0" * 64)
    torch.save({"conv1.weight": torch.zeros(1)}, released)
    with pytest.raises(UsaidError, match=r"net\.pth: not the weights of a DnCNN .*: key 'dncnn.0.weight' is"):
        import_dncnn({"": released}, ours, None)
    assert not ours.exists()


def test_safetensors_round_trip(small_dncnn, tmp_path):
    save_file(small_dncnn.state_dict(), tmp_path / "net.safetensors")
    network = dncnn_from_state(load_state(tmp_path / "net.safetensors"), "net.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), small_dncnn.parameters(), strict=True))


def test_wrong_hash(small_dncnn, tmp_path):
    path = tmp_path / "net.pth"
    torch.save(small_dncnn.state_dict(), path)
    load_state(path, sha256_of_file(path))
    with pytest.raises(UsaidError, match=r"net\.pth: SHA-256 is .*, expected 0000"):
        load_state(path, "0" * 64)


def test_wrong_keys(small_dncnn):
    state = small_dncnn.state_dict()
    with pytest.raises(UsaidError, match=r"x\.pth: not the weights of a DnCNN .*: key 'dncnn.0.weight' is missing"):
        dncnn_from_state({"conv1.weight": torch.zeros(1)}, "x.pth")
    with pytest.raises(UsaidError, match=r"x\.pth: .*released checkpoints' DnCNN\): key 'extra' does not belong"):
        dncnn_from_state({**state, "extra": torch.zeros(1)}, "x.pth")
    without = {key: value for key, value in state.items() if key != "dncnn.3.running_var"}
    with pytest.raises(UsaidError, match=r"not the weights of a DnCNN .*: key 'dncnn.3.running_var' is missing"):
        dncnn_from_state(without, "x.pth")


def test_wrong_shapes(small_dncnn):
    state = small_dncnn.state_dict()
    state["dncnn.2.weight"] = torch.zeros(8, 7, 3, 3)
    with pytest.raises(UsaidError, match=r"'dncnn.2.weight' has shape \(8, 7, 3, 3\), not \(8, 8, 3, 3\)"):
        dncnn_from_state(state, "x.pth")


@pytest.mark.parametrize("name", ["bad.pth", "bad.safetensors"])
def test_unreadable_weights(tmp_path, name):
    (tmp_path / name).write_bytes(b"neither zip nor safetensors")
    with pytest.raises(UsaidError, match=f"{name}: not a readable weights file"):
        load_state(tmp_path / name)


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return (exec, ("raise SystemExit('ran')",))

    torch.save({"weight": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(UsaidError, match=r"evil\.pth: not a readable weights file"):
        load_state(tmp_path / "evil.pth")


def test_missing_weights(tmp_path):
    with pytest.raises(UsaidError, match="weights are missing"):
        load_state(tmp_path / "none.pth")


def test_noise_level_of_untrained_network_is_finite():
    """A fresh network gives finite output, so that training can start from it."""
    denoised = DnCNNDenoiser(DnCNN(depth=4, features=4).eval(), FACTS)(torch.rand(1, 3, 9, 9))
    assert math.isfinite(denoised.sum().item())
