"""PSNR worked by hand, SSIM beside scikit-image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kinds.metrics import MetricTests
from skimage.metrics import structural_similarity

from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.errors import UsaidError

GREY = torch.full((1, 3, 16, 20), 0.5)

images = arrays(np.float32, (3, 9, 12), elements=st.floats(0, 1, width=32))


def noisy(clean: torch.Tensor, sigma: float, seed: int = 0) -> torch.Tensor:
    return clean + sigma / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


def smooth_images(count: int, height: int, width: int) -> torch.Tensor:
    """Random images (count, 3, height, width) in [0, 1] with coarse and fine structure."""
    generator = torch.Generator().manual_seed(7)
    scales = [torch.rand(count, 3, height // side + 1, width // side + 1, generator=generator) for side in (2, 8, 32)]
    grown = [torch.nn.functional.interpolate(scale, (height, width), mode="bicubic") for scale in scales]
    return (sum(grown, torch.zeros(())) / 3).clamp(0, 1)


def skimage_ssim(denoised: torch.Tensor, clean: torch.Tensor) -> float:
    pair = [image.numpy().astype(np.float64) for image in (denoised.clamp(0, 1), clean)]
    return structural_similarity(*pair, win_size=7, channel_axis=0, data_range=1, K1=0.01, K2=0.03)


class TestPsnr(MetricTests):
    convention = "psnr_rgb_float"
    best = math.inf


class TestSsim(MetricTests):
    convention = "ssim_skimage7"
    best = 1


# PSNR.


@pytest.mark.parametrize(("offset", "decibels"), [(0.1, 20), (-0.1, 20), (0.01, 40), (0.001, 60), (1e-5, 100)])
def test_psnr_of_a_constant_offset(offset, decibels):
    clean = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 2 + 0.25
    assert psnr_rgb_float(clean + offset, clean).tolist() == pytest.approx([decibels] * 2, abs=1e-9)


def test_psnr_of_float32_is_not_rounded_to_8_bit():
    assert psnr_rgb_float(GREY + 0.001, GREY).item() == pytest.approx(60, abs=1e-3)


def test_psnr_averages_the_error_over_the_channels_together():
    denoised = GREY.clone()
    denoised[:, 1] += 0.3
    assert psnr_rgb_float(denoised, GREY).item() == pytest.approx(-10 * np.log10(0.09 / 3), abs=1e-5)


def test_psnr_clamps_the_denoised_image():
    assert psnr_rgb_float(torch.full_like(GREY, 7), GREY).item() == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert psnr_rgb_float(torch.full_like(GREY, -7), GREY).item() == pytest.approx(20 * np.log10(2), abs=1e-6)


def test_psnr_of_the_image_itself_is_infinite_and_of_nan_is_nan():
    broken = GREY.clone()
    broken[0, 0, 0, 0] = torch.nan
    assert psnr_rgb_float(torch.cat([GREY, GREY + 0.1]), torch.cat([GREY, GREY])).isinf().tolist() == [True, False]
    assert psnr_rgb_float(broken, GREY).isnan().item()


def test_psnr_of_a_large_image_keeps_its_digits():
    clean = smooth_images(1, 600, 1000)
    denoised = noisy(clean, 5)
    error = denoised.clamp(0, 1).double() - clean.double()
    assert psnr_rgb_float(denoised, clean).item() == pytest.approx(-10 * np.log10((error**2).mean().item()), abs=1e-6)


@given(seed=st.integers(0, 1000), sigma=st.floats(1, 30), factor=st.floats(1.05, 3))
@settings(deadline=None, max_examples=50)
def test_psnr_falls_with_noise(seed, sigma, factor):
    weak, strong = (psnr_rgb_float(noisy(GREY, level, seed), GREY) for level in (sigma, factor * sigma))
    assert weak > strong


# SSIM.


@pytest.mark.parametrize("size", [(7, 7), (7, 30), (32, 32), (71, 70), (150, 97)])
@pytest.mark.parametrize("sigma", [0.5, 25, 75])
def test_ssim_is_scikit_images(size, sigma):
    clean = smooth_images(2, *size)
    denoised = noisy(clean, sigma)
    expected = [skimage_ssim(one, other) for one, other in zip(denoised, clean, strict=True)]
    assert ssim_skimage7(denoised, clean).tolist() == pytest.approx(expected, abs=1e-10)


@given(first=images, second=images)
@settings(deadline=None, max_examples=50)
def test_ssim_is_scikit_images_on_any_values(first, second):
    first, second = torch.from_numpy(first), torch.from_numpy(second)
    assert ssim_skimage7(first[None], second[None]).item() == pytest.approx(skimage_ssim(first, second), abs=1e-9)


def test_ssim_of_grey_levels_is_the_luminance_term():
    expected = (2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4)
    assert ssim_skimage7(GREY + 0.1, GREY).item() == pytest.approx(expected, abs=1e-7)


def test_ssim_keeps_its_digits_in_smooth_bright_areas():
    clean = torch.linspace(0.95, 1, 64).expand(1, 3, 64, 64).contiguous()
    denoised = noisy(clean, 0.2).clamp(0, 1)
    assert ssim_skimage7(denoised, clean).item() == pytest.approx(skimage_ssim(denoised[0], clean[0]), abs=1e-10)


@given(first=images, second=images)
@settings(deadline=None, max_examples=50)
def test_ssim_is_symmetric_and_one_for_the_same_image(first, second):
    first, second = torch.from_numpy(first)[None], torch.from_numpy(second)[None]
    assert ssim_skimage7(first, second).item() == pytest.approx(ssim_skimage7(second, first).item(), abs=1e-12)
    assert ssim_skimage7(first, first).item() == pytest.approx(1, abs=1e-12)


def test_ssim_clamps_and_passes_nan_on():
    clean = smooth_images(2, 32, 40)
    denoised = noisy(clean, 90)
    assert torch.equal(ssim_skimage7(denoised, clean), ssim_skimage7(denoised.clamp(0, 1), clean))
    denoised[1, 2, 20, 20] = torch.nan
    assert ssim_skimage7(denoised, clean).isnan().tolist() == [False, True]


def test_ssim_refuses_images_smaller_than_its_window():
    with pytest.raises(UsaidError, match=r"images of \(6, 40\) pixels are smaller than its 7x7 window"):
        ssim_skimage7(torch.zeros(1, 3, 6, 40), torch.zeros(1, 3, 6, 40))


@pytest.mark.parametrize("score", [psnr_rgb_float, ssim_skimage7])
def test_other_shape_than_the_clean_images_is_refused(score):
    with pytest.raises(UsaidError, match=r"denoised images have shape \(1, 3, 16, 19\), clean ones \(1, 3, 16, 20\)"):
        score(GREY[..., :19], GREY)
