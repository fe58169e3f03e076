"""The losses that trainings share, held against values worked out by hand."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from usaid.training.losses import cross_entropy, psnr

LN3 = math.log(3)  # logits (ln 3, 0) are the probabilities 3/4 and 1/4


def logits_of(*pixels: list[float]) -> Tensor:
    """One image, one row: (1, K, 1, pixels)."""
    return torch.tensor(pixels, dtype=torch.float64).T[None, :, None, :]


def random_logits(*shape: int) -> Tensor:
    return 3 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


# Cross-entropy with true labels


def test_cross_entropy_of_three_quarters_and_a_quarter():
    logits = logits_of([LN3, 0], [LN3, 0])
    assert float(cross_entropy(logits, torch.tensor([[[0, 0]]]))) == pytest.approx(math.log(4 / 3))
    assert float(cross_entropy(logits, torch.tensor([[[0, 1]]]))) == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)


def test_pixels_without_a_label_change_neither_the_cross_entropy_nor_its_slope():
    labels = torch.randint(5, (2, 6, 7), generator=torch.Generator().manual_seed(1))
    labels[0, :2] = 255
    void = (labels == 255)[:, None]
    one = random_logits(2, 5, 6, 7)
    other = torch.where(void, one.flip(1) * 7 + 3, one)
    slopes = []
    for logits in (one.requires_grad_(), other.requires_grad_()):
        loss = cross_entropy(logits, labels)
        loss.backward()
        slopes.append(logits.grad)
        assert loss.item() == pytest.approx(F.cross_entropy(one, labels, ignore_index=255).item())
    assert torch.equal(slopes[0], slopes[1])
    assert torch.all(slopes[0].masked_select(void) == 0)
    assert slopes[0].abs().sum() > 0


def test_cross_entropy_of_a_batch_without_labels_is_zero_with_zero_slope():
    logits = random_logits(2, 5, 3, 3).requires_grad_()
    loss = cross_entropy(logits, torch.full((2, 3, 3), 255))
    loss.backward()
    assert loss.item() == 0
    assert torch.all(logits.grad == 0)


@pytest.mark.parametrize(("size", "coarse"), [((48, 48), (12, 12)), ((50, 37), (13, 10))])
def test_labels_are_brought_to_stride_4_by_nearest_neighbour(size, coarse):
    labels = torch.from_numpy(np.random.default_rng(0).choice([0, 1, 2, 255], (2, *size)))
    rows = [row * size[0] // coarse[0] for row in range(coarse[0])]
    columns = [column * size[1] // coarse[1] for column in range(coarse[1])]
    logits = random_logits(2, 3, *coarse)
    expected = F.cross_entropy(logits, labels[:, rows][:, :, columns], ignore_index=255)
    assert float(cross_entropy(logits, labels)) == pytest.approx(float(expected))
    assert rows[:3] == [0, size[0] // coarse[0], 2 * size[0] // coarse[0]]


# PSNR


def test_psnr_of_errors_worked_out_by_hand():
    clean = torch.full((1, 3, 2, 2), 0.5)
    assert float(psnr(clean + 0.1, clean)) == pytest.approx(20, abs=1e-4)
    assert float(psnr(clean + 0.01, clean)) == pytest.approx(40, abs=1e-3)


def test_psnr_clamps_the_denoised_image_and_takes_the_batch_as_one_image():
    clean = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    denoised = torch.tensor([1.7, 0.2]).view(2, 1, 1, 1).expand(2, 3, 4, 4)  # errors 0 (clamped) and 0.2
    assert float(psnr(denoised, clean)) == pytest.approx(-10 * math.log10(0.04 / 2), abs=1e-4)
