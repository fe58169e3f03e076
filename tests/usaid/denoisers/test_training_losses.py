"""The losses that only DnCNN's trainings have, held against values worked out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from usaid.denoisers.training.losses import entropy, focal, mse

LN3 = math.log(3)  # logits (ln 3, 0) are the probabilities 3/4 and 1/4


def logits_of(*pixels: list[float]) -> Tensor:
    """One image, one row: (1, K, 1, pixels)."""
    return torch.tensor(pixels, dtype=torch.float64).T[None, :, None, :]


def random_logits(*shape: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


# Entropy


@pytest.mark.parametrize("classes", [2, 5, 21])
@pytest.mark.parametrize("level", [0, -7, 1000])
def test_entropy_of_equal_logits_is_ln_k(classes, level):
    assert float(entropy(torch.full((2, classes, 3, 4), float(level)))) == pytest.approx(math.log(classes))


def test_entropy_of_three_quarters_and_a_quarter():
    expected = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)  # 0.5623
    assert float(entropy(logits_of([LN3, 0]))) == pytest.approx(expected)
    assert float(entropy(logits_of([5, LN3 + 5]))) == pytest.approx(expected)


def test_entropy_of_a_sure_network_is_zero():
    assert 0 <= float(entropy(logits_of([60, 0, 0]))) < 1e-20


def test_entropy_is_the_mean_over_pixels():
    assert float(entropy(logits_of([0, 0], [60, 0], [60, 0], [LN3, 0]))) == pytest.approx(
        (math.log(2) + 0.56233514) / 4
    )


def test_slope_of_the_entropy_makes_a_network_surer():
    logits = logits_of([LN3, 0]).requires_grad_()
    entropy(logits).backward()
    first = -0.75 * (math.log(0.75) + 0.56233514)  # dH/dz = -p (log p + H)
    assert logits.grad.flatten().tolist() == pytest.approx([first, -first])
    assert first < 0


@pytest.mark.parametrize("loss", [entropy, lambda logits: focal(logits, 2), lambda logits: focal(logits, 0)])
def test_huge_logits_give_no_nan(loss):
    logits = torch.tensor([1e4, -1e4, 0.0])[None, :, None, None].requires_grad_()
    value = loss(logits)
    value.backward()
    assert value.item() == 0
    assert logits.grad.flatten().tolist() == [0, 0, 0]


# Focal loss against the network's own arg-max


@pytest.mark.parametrize("logits", [[LN3, 0], [0, LN3]])
def test_focal_loss_of_three_quarters_and_a_quarter(logits):
    assert float(focal(logits_of(logits), 2)) == pytest.approx(0.25**2 * math.log(4 / 3))  # 0.01798
    assert float(focal(logits_of(logits), 1)) == pytest.approx(0.25 * math.log(4 / 3))


def test_focal_loss_is_the_mean_over_pixels():
    assert float(focal(logits_of([0, 0], [60, 0]), 2)) == pytest.approx(0.25 * math.log(2) / 2)


def test_focal_loss_with_gamma_0_is_the_cross_entropy_with_the_arg_max():
    logits = random_logits(2, 5, 6, 7).requires_grad_()
    other = logits.detach().clone().requires_grad_()
    focal(logits, 0).backward()
    expected = F.cross_entropy(other, other.argmax(dim=1))
    expected.backward()
    assert focal(logits, 0).item() == pytest.approx(expected.item())
    assert torch.allclose(logits.grad, other.grad, atol=1e-7)


# Reconstruction


def test_half_sum_is_half_the_sum_of_squares_of_an_image_averaged_over_the_batch():
    clean = torch.rand(4, 3, 8, 8)
    assert float(mse(clean + 0.1, clean, "half_sum")) == pytest.approx(3 * 8 * 8 * 0.01 / 2)
    error = torch.tensor([1.0, 2.0, 3.0, 0.0]).view(2, 1, 1, 2)  # sums of squares 5 and 9
    assert float(mse(error, torch.zeros(2, 1, 1, 2), "half_sum")) == pytest.approx((5 + 9) / 2 / 2)


def test_mean_is_over_all_pixels_and_channels():
    clean = torch.rand(4, 3, 8, 8)
    assert float(mse(clean - 0.1, clean, "mean")) == pytest.approx(0.01)
    error = torch.tensor([1.0, 2.0, 3.0, 0.0]).view(2, 1, 1, 2)
    assert float(mse(error, torch.zeros(2, 1, 1, 2), "mean")) == pytest.approx(14 / 4)


def test_at_48x48_the_half_sum_is_3456_times_the_mean():
    clean, denoised = torch.rand(2, 4, 3, 48, 48)
    ratio = float(mse(denoised, clean, "half_sum") / mse(denoised, clean, "mean"))
    assert ratio == pytest.approx(3456)
