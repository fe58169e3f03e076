"""MC-WNNM: the pieces against numerical minimisers, brute force and plain NumPy; the whole; images of any size."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from kinds.denoisers import DenoiserTests
from scipy.optimize import minimize_scalar

from usaid.denoisers.build import build_denoiser
from usaid.denoisers.mc_wnnm import denoiser as mc_wnnm
from usaid.denoisers.mc_wnnm.denoiser import (
    Parameters,
    denoised,
    local_sigma,
    matched_patches,
    pass_over_groups,
    shrunk,
    weighted_nuclear_norm_admm,
    weighted_nuclear_norm_scalar_admm,
)
from usaid.denoisers.sliding_window import starts_of_patches
from usaid.errors import UsaidError

SOLVERS = [weighted_nuclear_norm_admm, weighted_nuclear_norm_scalar_admm]


class TestMCWNNM(DenoiserTests):
    method = "mc_wnnm"
    removes_noise = True
    tolerance = 0.0

    def make(self):
        return build_denoiser("mc_wnnm", options={"parameters": {"outer_iterations": 2}})


@pytest.fixture(scope="module")
def plain():
    """The plain NumPy implementation, which is also the benchmark's yardstick."""
    path = Path(__file__).parents[3] / "benchmarks" / "mc_wnnm_numpy.py"
    spec = importlib.util.spec_from_file_location("mc_wnnm_numpy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def smooth_image(height, width):
    """Slow waves and an edge, float32 (3, height, width), 0-255."""
    y, x = torch.meshgrid(torch.arange(height) / 9, torch.arange(width) / 11, indexing="ij")
    waves = torch.stack([torch.sin(x + y), torch.cos(x - y), torch.sin(x) * torch.cos(y)])
    return 128 + 60 * waves + 40 * (x > y)


def noisy_groups(count, n, random, sigma):
    """Matrices of rank 3 plus noise ``sigma`` (count, 3), float64 (count, 108, n), rows of mean zero."""
    low_rank = torch.randn(count, 108, 3, generator=random) @ torch.randn(count, 3, n, generator=random) * 20
    noise = torch.randn(count, 108, n, generator=random) * sigma.repeat_interleave(36, 1)[:, :, None]
    groups = (low_rank + noise).double()
    return groups - groups.mean(2, keepdim=True)


def psnr(a, b):
    return (20 * math.log10(255) - 10 * (a - b).square().mean().log10()).item()


@pytest.mark.parametrize("value", [2.01, 2.5, 4.0, 30.0])
def test_shrunk_minimises_with_the_weight_of_its_own_result(value):
    """A fixed point of: weight w = C / s_x, then s_x = argmin (s_x - s)^2 / 2 + w s_x over s_x >= 0."""
    result = shrunk(torch.tensor([[value]], dtype=torch.float64), torch.ones(1, 1)).item()
    weight = 1 / result
    minimum = minimize_scalar(
        lambda x: (x - value) ** 2 / 2 + weight * x, bounds=(0, value), method="bounded", options={"xatol": 1e-9}
    )
    assert minimum.x == pytest.approx(result, abs=1e-6)


def test_shrunk_is_where_reweighting_ends():
    """Weighting anew by the last result, from s: ends at the larger fixed point, or at 0 below 2 sqrt(C)."""
    for value in (0.0, 1.0, 1.99, 2.1, 3.0, 10.0):
        x = value
        for _ in range(2000):
            x = max(0.0, value - 1 / x) if x > 0 else 0.0
        assert shrunk(torch.tensor([[value]], dtype=torch.float64), torch.ones(1, 1)).item() == pytest.approx(
            x, abs=1e-9
        )


@pytest.mark.parametrize("solver", SOLVERS)
def test_equal_noise_is_plain_wnnm_outside_the_zone_of_two_solutions(solver, random):
    """Between sqrt(4 C) and sqrt(2 rho C), ADMM from zero stays at 0 where plain WNNM keeps the singular value."""
    n, sigma, parameters = 8, 1.0, Parameters(admm_iterations=60, mu=1.0)
    constant = parameters.constant * math.sqrt(n) * sigma**2
    values = torch.tensor([0.5, 1.9, 2.1, 2.4, 2.5, 3.0, 5.0, 40.0]).double() * math.sqrt(constant)
    left = torch.linalg.qr(torch.randn(108, n, generator=random, dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(n, n, generator=random, dtype=torch.float64))[0]
    solved = solver((left * values @ right.T)[None], torch.full((1, 3), sigma).double(), parameters)[0]
    diagonal = left.T @ solved @ right
    expected = shrunk(values[None], torch.full((1, 1), constant).double())[0]
    in_zone = (values > math.sqrt(4 * constant)) & (values < math.sqrt(2 * parameters.rho * constant))
    assert in_zone.sum() == 2
    assert (expected[in_zone] > 0).all()
    expected[in_zone] = 0
    assert (diagonal - torch.diag(expected)).abs().max() < 1e-4


def test_the_two_solvers_agree_exactly_for_equal_noise(random):
    sigma = torch.tensor([[9.0, 9.0, 9.0], [4.0, 4.0, 4.0]])
    groups = noisy_groups(2, 40, random, sigma)
    exact, fast = (solver(groups, sigma.double(), Parameters()) for solver in SOLVERS)
    assert exact.abs().max() > 10
    assert (exact - fast).abs().max() < 1e-7


def test_the_two_solvers_are_close_for_unequal_noise(random):
    sigma = torch.tensor([10.0, 10.0, 10.0]) * (0.6 + 0.4 * torch.rand(16, 3, generator=random))
    groups = noisy_groups(16, 40, random, sigma)
    exact, fast = (solver(groups, sigma.double(), Parameters()) for solver in SOLVERS)
    assert (exact - fast).norm() < 0.03 * exact.norm()


UNEQUAL = torch.tensor([[12.0, 8.0, 10.0], [3.0, 20.0, 9.0], [5.0, 5.0, 5.0], [0.0, 6.0, 7.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_batch_is_the_plain_loop(dtype, plain, random):
    groups = noisy_groups(len(UNEQUAL), 50, random, UNEQUAL)
    solved = weighted_nuclear_norm_admm(groups.to(dtype), UNEQUAL.to(dtype), Parameters()).double()
    loop = [
        plain.admm(y, sigma, Parameters()) for y, sigma in zip(groups.numpy(), UNEQUAL.double().numpy(), strict=True)
    ]
    assert (solved - torch.from_numpy(np.stack(loop))).abs().max() < (5e-3 if dtype == torch.float32 else 1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_channels_without_noise(solver, random):
    """They are kept but for what ten iterations leave out, and the others have no say (as the authors' W has it)."""
    groups = noisy_groups(len(UNEQUAL), 30, random, UNEQUAL)[3:]
    solved = solver(groups, UNEQUAL[3:].double(), Parameters())
    assert (solved[0, :36] - groups[0, :36]).norm() < 0.01 * groups[0, :36].norm()
    assert solved[0, 36:].abs().max() < 1e-6
    assert (solved[1] - groups[1]).norm() < 0.01 * groups[1].norm()


def test_reference_grid_covers_the_side():
    assert starts_of_patches(6, 6, 5) == [0]
    assert starts_of_patches(7, 6, 5) == [0, 1]
    assert starts_of_patches(16, 6, 5) == [0, 5, 10]
    assert starts_of_patches(18, 6, 5) == [0, 5, 10, 12]


def test_local_sigma_by_hand():
    residual = torch.zeros(3, 6, 11)
    residual[0, :, 5:] = 3.0
    residual[1] = 7.0
    found = local_sigma(residual, torch.tensor([5.0, 5.0, 5.0]), torch.tensor([0]), torch.tensor([0, 5]), 6)
    expected = torch.tensor([[math.sqrt(25 - 9 / 6), 0, 5], [4, 0, 5]])
    assert torch.allclose(found, expected)


def test_matching_is_brute_force(plain, random):
    """Including borders, where the window is cut off, over several tiles."""
    image = (smooth_image(31, 64) + 10 * torch.randn(3, 31, 64, generator=random)).contiguous()
    parameters = Parameters(window=9)
    rows, columns = starts_of_patches(31, 6, 5), starts_of_patches(64, 6, 5)
    members = matched_patches(image, rows, columns, 30, 9, 6)
    assert members.shape == (len(rows) * len(columns), 30)
    references = [(row, column) for row in rows for column in columns]
    for reference, found in zip(references, members.tolist(), strict=True):
        expected = plain.matched(image.double().numpy(), *reference, 30, parameters)
        assert {divmod(position, 64) for position in found} == set(expected)


def test_matching_a_flat_image_keeps_the_reference_itself():
    members = matched_patches(torch.full((3, 30, 30), 200.0), [0, 12, 24], [0, 12, 24], 5, 20, 6)
    references = [30 * row + column for row in (0, 12, 24) for column in (0, 12, 24)]
    assert all(reference in found for reference, found in zip(references, members.tolist(), strict=True))


def test_groups_that_stay_as_they_are_give_the_image_back(monkeypatch, random):
    monkeypatch.setattr(mc_wnnm, "weighted_nuclear_norm_scalar_admm", lambda groups, sigma, parameters: groups)
    image = 255 * torch.rand(3, 23, 31, generator=random)
    members = matched_patches(image, starts_of_patches(23, 6, 5), starts_of_patches(31, 6, 5), 12, 20, 6)
    back = pass_over_groups(image, members, torch.ones(len(members), 3), Parameters())
    assert (back - image).abs().max() < 1e-3


def test_whole_algorithm_is_the_plain_one(plain, random):
    """With other noise in each channel; the authors' ADMM to rounding, ours with one decomposition closely."""
    sigma = torch.tensor([30.0, 15.0, 25.0])
    clean = smooth_image(24, 28)
    noisy = clean + sigma[:, None, None] * torch.randn(3, 24, 28, generator=random)
    parameters = Parameters(group=45)
    expected = torch.from_numpy(plain.denoised(noisy.double().numpy(), sigma.double().numpy(), parameters))
    exact, fast = (denoised(noisy, sigma, Parameters(group=45, exact=exact)).double() for exact in (True, False))
    assert (exact - expected).square().mean().sqrt() < 0.01
    assert abs(psnr(fast, clean) - psnr(expected, clean)) < 0.1
    assert psnr(fast, expected) > 45


@pytest.mark.parametrize("exact", [False, True])
def test_sizes_of_batches_and_tiles_do_not_matter(exact, monkeypatch, random):
    noisy = smooth_image(40, 52) + 25 * torch.randn(3, 40, 52, generator=random)
    arguments = noisy, torch.full((3,), 25.0), Parameters(outer_iterations=3, exact=exact)
    whole = denoised(*arguments)
    monkeypatch.setattr(mc_wnnm, "GROUPS_AT_ONCE", 7)
    monkeypatch.setattr(mc_wnnm, "REFERENCES_PER_TILE", 3)
    assert (denoised(*arguments) - whole).square().mean().sqrt() < 0.01


def test_never_more_groups_than_a_batch_at_once(monkeypatch, random):
    sizes = []

    def spy(groups, sigma, parameters):
        sizes.append(len(groups))
        return groups

    monkeypatch.setattr(mc_wnnm, "weighted_nuclear_norm_scalar_admm", spy)
    monkeypatch.setattr(mc_wnnm, "GROUPS_AT_ONCE", 10)
    denoised(255 * torch.rand(3, 40, 45, generator=random), torch.full((3,), 25.0), Parameters(outer_iterations=1))
    assert max(sizes) == 10
    assert sum(sizes) == 8 * 9


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_removes_noise(sigma, random):
    clean = smooth_image(48, 48)
    noisy = clean + sigma * torch.randn(3, 48, 48, generator=random)
    result = build_denoiser("mc_wnnm")(noisy[None] / 255, sigma)[0] * 255
    assert result.dtype == torch.float32
    assert psnr(result, clean) > psnr(noisy, clean) + 9


@pytest.mark.parametrize("size", [(6, 6), (6, 7), (9, 50), (30, 8), (47, 41)])
def test_any_image_size(size, random):
    noisy = torch.rand(1, 3, *size, generator=random)
    result = build_denoiser("mc_wnnm")(noisy, 25.0)
    assert result.shape == noisy.shape
    assert result.isfinite().all()


def test_a_batch_is_its_images_one_by_one_and_runs_repeat(random):
    noisy = torch.stack([smooth_image(20, 33), smooth_image(33, 20).mT]) / 255
    noisy = noisy + 0.1 * torch.randn(noisy.shape, generator=random)
    denoiser = build_denoiser("mc_wnnm", options={"parameters": {"outer_iterations": 2}})
    batch = denoiser(noisy, 25.0)
    assert torch.equal(batch, torch.cat([denoiser(image[None], 25.0) for image in noisy]))
    assert torch.equal(batch, denoiser(noisy, 25.0))


@pytest.mark.parametrize("sigma", [None, 0, -5.0, math.nan, math.inf])
def test_needs_a_noise_level(sigma):
    with pytest.raises(UsaidError, match=r"^told sigma (is missing|= .*: must be a finite number > 0)"):
        build_denoiser("mc_wnnm")(torch.zeros(1, 3, 8, 8), sigma)


def test_needs_a_patch():
    with pytest.raises(UsaidError, match=r"^image of 40x5 pixels: MC-WNNM needs at least 6x6$"):
        build_denoiser("mc_wnnm")(torch.zeros(1, 3, 5, 40), 25.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"admm_iterations": 0}, r"^admm_iterations = 0: must be >= 1$"),
        ({"step": 7}, r"^step = 7: must be <= patch = 6, or pixels between patches are lost$"),
        ({"group": 30}, r"^group = 30: must be > 30, which groups lose until the last matching$"),
    ],
)
def test_parameters_that_cannot_work(changes, message):
    with pytest.raises(UsaidError, match=message):
        Parameters(**changes)


def test_parameters_by_name_and_what_differs_from_the_authors():
    fast = build_denoiser("mc_wnnm")
    assert fast.deviations == [
        "MC-WNNM: each group is decomposed once, not in every iteration of ADMM as by its authors"
    ]
    assert build_denoiser("mc_wnnm", options={"parameters": {"exact": True}}).deviations == []
    changed = build_denoiser("mc_wnnm", options={"parameters": {"exact": True, "step": 4, "delta": 0.2}})
    assert changed.deviations == ["MC-WNNM with step = 4 (the authors' is 5), delta = 0.2 (the authors' is 0.1)"]
    assert changed.parameters == Parameters(exact=True, step=4, delta=0.2)
    with pytest.raises(UsaidError, match="MC-WNNM: unknown parameter 'steps'; allowed: patch, step, window"):
        build_denoiser("mc_wnnm", options={"parameters": {"steps": 4}})
    with pytest.raises(UsaidError, match="must be <= patch"):
        build_denoiser("mc_wnnm", options={"parameters": {"step": 7}})
