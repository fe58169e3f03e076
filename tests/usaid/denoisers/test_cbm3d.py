"""CBM3D is the package's, on our scale and in our shapes; what it cannot do is refused in one line."""

import sys

import bm3d
import numpy as np
import pytest
import torch
from kinds.denoisers import DenoiserTests

from usaid.denoisers.build import build_denoiser
from usaid.errors import UsaidError
from usaid.noise import gaussian_noise


def noisy_pair(height: int = 40, width: int = 48, sigma: float = 25) -> tuple[torch.Tensor, torch.Tensor]:
    """A clean image of two colours, and the same with noise: float32 (1, 3, H, W)."""
    clean = torch.full((1, 3, height, width), 0.5)
    clean[..., width // 2 :] = torch.tensor([0.7, 0.4, 0.2]).view(1, 3, 1, 1)
    return clean, clean + gaussian_noise("cbm3d", f"{height}x{width}", sigma, 0, height, width)


class TestCBM3D(DenoiserTests):
    method = "cbm3d"
    removes_noise = True

    def make(self):
        return build_denoiser("cbm3d")


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    return float(-10 * (image.clamp(0, 1) - clean).square().mean().log10())


def test_noise_goes_and_the_image_stays():
    clean, noisy = noisy_pair()
    denoiser = build_denoiser("cbm3d")
    denoised = denoiser(noisy, 25)
    assert denoised.shape == noisy.shape
    assert denoised.dtype == torch.float32
    assert psnr(denoised, clean) > psnr(noisy, clean) + 10


def test_too_little_is_told_leaves_noise_and_too_much_is_not_the_same():
    clean, noisy = noisy_pair()
    denoiser = build_denoiser("cbm3d")
    assert psnr(denoiser(noisy, 10), clean) < psnr(denoiser(noisy, 25), clean) - 3
    assert not torch.equal(denoiser(noisy, 25), denoiser(noisy, 35))


def test_exact_variances_are_the_packages_default():
    _, noisy = noisy_pair()
    denoiser = build_denoiser("cbm3d", options={"variances": "exact"})
    profile = bm3d.BM3DProfile()
    profile.num_threads = 1
    image = noisy[0].permute(1, 2, 0).double().numpy()
    wanted = np.transpose(bm3d.bm3d_rgb(image, 25 / 255, profile), (2, 0, 1))
    np.testing.assert_allclose(denoiser(noisy, 25)[0].numpy(), wanted, atol=1e-5)
    assert denoiser.deviations == ["CBM3D with the exact variances of 2020, which the paper cannot have used"]
    classic = build_denoiser("cbm3d")
    assert classic.deviations == ()
    assert 1e-4 < (classic(noisy, 25) - denoiser(noisy, 25)).abs().max() < 0.2


def test_a_batch_is_denoised_image_by_image():
    _, first = noisy_pair()
    second = first.flip(3)
    denoiser = build_denoiser("cbm3d")
    both = denoiser(torch.cat([first, second]), 25)
    torch.testing.assert_close(both, torch.cat([denoiser(first, 25), denoiser(second, 25)]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (None, "told sigma is missing"),
        (0, "told sigma = 0: must be a finite number > 0"),
        (-5, "told sigma = -5: must be a finite number > 0"),
        (float("nan"), "told sigma = nan"),
    ],
)
def test_bad_told_sigma(told, message):
    with pytest.raises(UsaidError, match=message):
        build_denoiser("cbm3d")(noisy_pair()[1], told)


@pytest.mark.parametrize("size", [(8, 8), (8, 40), (40, 5)])
def test_too_small_an_image_is_refused_before_the_package_crashes(size):
    with pytest.raises(UsaidError, match=rf"image of {size[1]}x{size[0]} pixels is too small; it needs 9x9"):
        build_denoiser("cbm3d")(torch.zeros(1, 3, *size), 25)


def test_an_image_of_one_colour_stays():
    image = torch.tensor([0.5, 0.1, 0.9]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    torch.testing.assert_close(build_denoiser("cbm3d")(image, 25), image, atol=1e-6, rtol=0)


@pytest.mark.parametrize("hue", [(0.0, 0.0, 0.0), (0.1, 0.0, -0.1)])
def test_a_grey_image_loses_its_noise_and_gets_no_colour(hue):
    clean, noisy = (image[:, :1].repeat(1, 3, 1, 1) for image in noisy_pair())
    hue = torch.tensor(hue).view(1, 3, 1, 1)
    denoised = build_denoiser("cbm3d")(noisy + hue, 25)
    assert psnr(denoised - hue, clean) > psnr(noisy, clean) + 10
    torch.testing.assert_close((denoised - hue)[:, 0], (denoised - hue)[:, 2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", [[1], [0, 2], [0, 1]])
def test_the_channels_that_vary_lose_their_noise(channels):
    clean, noisy = noisy_pair()
    clean, noisy = (
        image * torch.tensor([float(c in channels) for c in range(3)]).view(3, 1, 1) for image in (clean, noisy)
    )
    if channels == [0, 2]:  # red and blue are one channel
        clean[:, 2], noisy[:, 2] = clean[:, 0], noisy[:, 0]
    denoised = build_denoiser("cbm3d")(noisy, 25)
    assert psnr(denoised, clean) > psnr(noisy, clean) + 8


def test_a_wider_step_costs_little_and_is_told():
    clean, noisy = noisy_pair()
    denoiser = build_denoiser("cbm3d", options={"step": 6})
    assert denoiser.deviations == ["CBM3D with a step of 6 pixels between blocks, not 3"]
    difference = psnr(denoiser(noisy, 25), clean) - psnr(build_denoiser("cbm3d")(noisy, 25), clean)
    assert -1 < difference < 0.2
    assert difference != 0


@pytest.mark.parametrize("step", [0, 9, 2.5])
def test_a_step_that_leaves_pixels_out_is_refused(step):
    with pytest.raises(UsaidError, match=r"^CBM3D: step = .*: must be a whole number from 1 to 8"):
        build_denoiser("cbm3d", options={"step": step})


def test_smallest_image():
    _, noisy = noisy_pair(9, 9)
    assert build_denoiser("cbm3d")(noisy, 25).isfinite().all()


def test_without_the_package_the_cure_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(UsaidError, match=r"needs the package bm3d .*pip install 'usaid\[bm3d\]'.*non-commercial"):
        build_denoiser("cbm3d")


def test_options_are_checked():
    with pytest.raises(UsaidError, match="variances = 'old': must be one of classic, exact"):
        build_denoiser("cbm3d", options={"variances": "old"})
    with pytest.raises(UsaidError, match="method 'cbm3d' has no option 'profile'; its options: variances"):
        build_denoiser("cbm3d", options={"profile": "np"})
