"""FFDNet: the contract, its published sizes, what is padded, and checkpoints that are wrong."""

import pytest
import torch
import torch.nn.functional as F
from kinds.denoisers import DenoiserTests, noisy_images

from usaid.checkpoints import load_state, stored_record
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.dncnn import strips
from usaid.denoisers.ffdnet.denoiser import FFDNetDenoiser
from usaid.denoisers.ffdnet.network import FFDNet, import_ffdnet
from usaid.errors import UsaidError
from usaid.files import sha256_of_file


def small_network():
    torch.manual_seed(0)
    return FFDNet(depth=4, features=8).eval()


@pytest.fixture
def checkpoint(tmp_path):
    torch.save(small_network().state_dict(), tmp_path / "ffdnet_color.pth")
    return tmp_path / "ffdnet_color.pth"


class TestFFDNet(DenoiserTests):
    method = "ffdnet"
    sizes = ((32, 32), (41, 37), (33, 64), (1, 1), (2, 7))

    def make(self):
        torch.save(small_network().state_dict(), self.folder / "kair.pth")
        return FFDNetDenoiser(self.folder / "kair.pth", self.card.facts)


def test_has_the_published_size_and_kairs_keys():
    network = FFDNet()
    assert sum(parameter.numel() for parameter in network.parameters()) == 852_108
    assert [*network.state_dict()] == [f"model.{2 * n}.{name}" for n in range(12) for name in ("weight", "bias")]


@pytest.mark.parametrize("size", [(16, 20), (17, 20), (16, 21), (5, 7)])
def test_is_the_published_function(checkpoint, size):
    """Quarter by quarter: every second pixel of each colour, the level last, the image (not the noise) out."""
    noisy = noisy_images(2, *size)
    even = F.pad(noisy, (0, size[1] % 2, 0, size[0] % 2), mode="replicate")
    quarters = [even[:, colour, y::2, x::2] for colour in range(3) for y in (0, 1) for x in (0, 1)]
    level = torch.full_like(quarters[0], 30 / 255)
    with torch.inference_mode():
        found = small_network().model(torch.stack([*quarters, level], dim=1))
    expected = torch.empty_like(even)
    for number in range(12):
        expected[:, number // 4, number // 2 % 2 :: 2, number % 2 :: 2] = found[:, number]
    denoised = build_denoiser("ffdnet", checkpoint)(noisy, 30.0)
    torch.testing.assert_close(denoised, expected[:, :, : size[0], : size[1]], atol=1e-6, rtol=0)


def test_hears_the_noise_level(checkpoint):
    denoiser, noisy = build_denoiser("ffdnet", checkpoint), noisy_images(1, 16, 16)
    assert (denoiser(noisy, 10.0) - denoiser(noisy, 50.0)).abs().max() > 1e-3
    with torch.inference_mode():
        torch.testing.assert_close(denoiser(noisy, 25.5), small_network()(noisy, 0.1), atol=1e-6, rtol=0)


def test_strips_are_exact(checkpoint, monkeypatch):
    denoiser, noisy = build_denoiser("ffdnet", checkpoint), noisy_images(2, 61, 20)
    whole = denoiser(noisy, 25.0)
    monkeypatch.setattr(strips, "PIXELS_AT_ONCE", 10 * 7)
    assert (denoiser(noisy, 25.0) - whole).abs().max() < 1e-6


def test_an_import_tells_origin_and_layout(checkpoint, tmp_path):
    ours = tmp_path / "ours.safetensors"
    import_ffdnet({"": checkpoint}, ours, sha256_of_file(checkpoint))
    assert load_state(ours).keys() == load_state(checkpoint).keys()
    assert stored_record(ours) == {"imported_from_sha256": sha256_of_file(checkpoint), "layout": "kair"}
    assert build_denoiser("ffdnet", ours).record == {"convolution": "direct", "layout": "kair"}


def test_what_is_no_colour_ffdnet_is_refused(checkpoint, tmp_path):
    state = load_state(checkpoint)
    half_grey = state | {"model.0.weight": torch.zeros(8, 5, 3, 3)}
    less = {key: value for key, value in state.items() if key != "model.4.bias"}
    for content, complaint in (
        (half_grey, r"'model.0.weight' has shape \(8, 5, 3, 3\), not \(8, 13, 3, 3\)"),
        (less, "key 'model.4.bias' is missing"),
        ({"a": torch.zeros(1)}, "key 'model.0.weight' is missing"),
    ):
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(UsaidError, match=rf"other\.pth: not the weights of an FFDNet .*{complaint}"):
            build_denoiser("ffdnet", tmp_path / "other.pth")
    with pytest.raises(UsaidError, match="SHA-256"):
        import_ffdnet({"": checkpoint}, tmp_path / "never.safetensors", "0" * 64)
    with pytest.raises(UsaidError, match="method 'ffdnet' needs weights"):
        build_denoiser("ffdnet")
