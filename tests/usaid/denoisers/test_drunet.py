"""DRUNet: the contract, its published sizes, deepinv's own network beside it, and checkpoints that are wrong."""

import pytest
import torch
import torch.nn.functional as F
from kinds.denoisers import DenoiserTests, noisy_images

from usaid.checkpoints import load_state, stored_record
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.drunet import denoiser as drunet
from usaid.denoisers.drunet.denoiser import DRUNetDenoiser
from usaid.denoisers.drunet.network import DRUNet, import_drunet
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

WIDTHS = (4, 6, 8, 10)


def small_network():
    torch.manual_seed(0)
    return DRUNet(WIDTHS, blocks=2).eval()


@pytest.fixture
def checkpoint(tmp_path):
    torch.save(small_network().state_dict(), tmp_path / "drunet_color.pth")
    return tmp_path / "drunet_color.pth"


class TestDRUNet(DenoiserTests):
    method = "drunet"
    sizes = ((32, 32), (41, 37), (33, 64), (1, 1), (3, 9))

    def make(self):
        torch.save(small_network().state_dict(), self.folder / "kair.pth")
        return DRUNetDenoiser(self.folder / "kair.pth", self.card.facts)


def test_has_the_published_size_and_kairs_keys():
    with torch.device("meta"):
        network = DRUNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == 32_640_960
    keys = {*network.state_dict()}
    assert {"m_head.weight", "m_down1.0.res.0.weight", "m_down1.3.res.2.weight", "m_down3.4.weight"} < keys
    assert {"m_body.3.res.2.weight", "m_up3.0.weight", "m_up1.4.res.2.weight", "m_tail.weight"} < keys
    assert len(keys) == 2 + 3 * 9 + 8 + 3 * 9


@pytest.mark.parametrize("widths", [WIDTHS, (8, 8, 8, 8)])
def test_deepinvs_own_network_is_read(tmp_path, widths):
    deepinv = pytest.importorskip("deepinv")
    torch.manual_seed(0)
    theirs = deepinv.models.DRUNet(nc=widths, nb=3, pretrained=None).eval()
    torch.save(theirs.state_dict(), tmp_path / "drunet.pth")
    denoiser, noisy = build_denoiser("drunet", tmp_path / "drunet.pth"), noisy_images(2, 40, 64)
    for sigma in (5.0, 50.0):
        with torch.inference_mode():
            expected = theirs(noisy, sigma / 255)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(denoiser(noisy, sigma), expected, atol=1e-5, rtol=0)
    assert denoiser.record == {"layout": "kair"}


def test_odd_sizes_are_those_of_the_padded_image(checkpoint):
    denoiser, noisy = build_denoiser("drunet", checkpoint), noisy_images(1, 19, 30)
    larger = F.pad(noisy, (0, 2, 0, 5), mode="replicate")
    torch.testing.assert_close(denoiser(noisy, 25.0), denoiser(larger, 25.0)[:, :, :19, :30], atol=1e-6, rtol=0)


def test_a_large_batch_is_divided(checkpoint, monkeypatch):
    denoiser, noisy = build_denoiser("drunet", checkpoint), noisy_images(3, 16, 24)
    whole = denoiser(noisy, 25.0)
    monkeypatch.setattr(drunet, "PIXELS_AT_ONCE", 2 * 16 * 24)
    torch.testing.assert_close(denoiser(noisy, 25.0), whole, atol=1e-6, rtol=0)


def test_bfloat16_stays_close(checkpoint):
    noisy = noisy_images(1, 32, 32)
    exact = build_denoiser("drunet", checkpoint)(noisy, 25.0)
    rounded = build_denoiser("drunet", checkpoint, precision="bfloat16")(noisy, 25.0)
    assert rounded.dtype == torch.float32
    assert 0 < F.mse_loss(rounded, exact) < 1e-3 * exact.var()


def test_an_import_tells_origin_and_layout(checkpoint, tmp_path):
    ours = tmp_path / "ours.safetensors"
    import_drunet({"": checkpoint}, ours, None)
    assert load_state(ours).keys() == load_state(checkpoint).keys()
    assert stored_record(ours) == {"imported_from_sha256": sha256_of_file(checkpoint), "layout": "kair"}


def test_what_is_no_colour_drunet_is_refused(checkpoint, tmp_path):
    state = load_state(checkpoint)
    for content, complaint in (
        (state | {"m_head.bias": torch.zeros(4)}, "key 'm_head.bias' does not belong"),
        (state | {"m_head.weight": torch.zeros(4, 2, 3, 3)}, r"'m_head.weight' has shape \(4, 2, 3, 3\), not \(4, 4,"),
        (state | {"m_up2.0.weight": torch.zeros(24, 8, 3, 3)}, "'m_up2.0.weight' has shape"),
        (
            {key: own for key, own in state.items() if "m_down2.2" not in key},
            "key 'm_down2.2.weight' is missing|has shape",
        ),
    ):
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(UsaidError, match=rf"other\.pth: not the weights of a DRUNet .*({complaint})"):
            build_denoiser("drunet", tmp_path / "other.pth")
