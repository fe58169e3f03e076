"""NIQE beside pyiqa's numbers, beside independent formulas, and on what it cannot score.

The values under calibration/ were measured with pyiqa 0.1.16's own functions (``calculate_niqe`` of
``archs/niqe_arch.py``, colour space ``yiq``, and the features that it makes on its way; torch 2.14.1 on a CPU), on the
images and with the pristine model that this module makes, or on Kodak images with the LIVE parameters.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
import torch
from kinds.metrics import NoReferenceMetricTests
from PIL import Image
from scipy.special import gamma

from evaluators.metrics.niqe import (
    PristineModel,
    _fitted_asymmetric_gaussian,
    _halved,
    fit_pristine_model,
    load_pristine_model,
    niqe,
    niqe_features,
    save_pristine_model,
)
from evaluators.quality.settings import PRISTINE_FILES
from usaid.errors import UsaidError
from usaid.images import read_rgb
from usaid.tensors import to_unit_range

CALIBRATION = Path(__file__).parent / "calibration"
SHAPES = [first + offset for first in (0, 18) for offset in (0, 2, 6, 10, 14)]
"""Positions of the shapes among the 36 features; they come from a table in steps of 0.001."""


# Images made of whole numbers only, so that they are the same bits on every machine.


def random_bytes(height: int, width: int, key: int) -> np.ndarray:
    words = np.random.Philox(key=key).random_raw(height * width)
    return (words >> np.uint64(56)).astype(np.int64).reshape(height, width)


def octave(height: int, width: int, key: int, side: int) -> np.ndarray:
    """Random bytes summed over squares of ``side`` pixels: mean 0, standard deviation 74, smooth at that scale."""
    sums = (random_bytes(height + side, width + side, key) - 128).cumsum(0).cumsum(1)
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) // side


def clouds(height: int, width: int, key: int, finest: int = 1) -> np.ndarray:
    """(height, width, 3) around 0 with a standard deviation of about 45: equal contrast in each of six octaves."""

    def plane(layer: int) -> np.ndarray:
        octaves = range(finest, finest + 6)
        return sum((octave(height, width, 100 * key + 10 * layer + i, 2**i) for i in octaves), np.zeros(1, np.int64))

    return np.stack([plane(0) // 4 + plane(channel) // 16 for channel in (1, 2, 3)], axis=2)


def noise(height: int, width: int, key: int) -> np.ndarray:
    """(height, width, 3) around 0, nearly Gaussian with a standard deviation of about 37."""
    layers = np.stack([random_bytes(height, width, 20 * key + i) - 128 for i in range(12)], axis=2)
    return layers.reshape(height, width, 3, 4).sum(axis=3) // 4


def levels(image: np.ndarray) -> torch.Tensor:
    """Whole numbers (H, W, 3) -> float32 (1, 3, H, W) as an 8-bit image gives."""
    return to_unit_range(image.clip(0, 255).astype(np.uint8))


def smooth_image() -> torch.Tensor:
    return levels(128 + clouds(192, 288, key=1, finest=3))


def noisy_image() -> torch.Tensor:
    return levels(128 + clouds(203, 310, key=2) + noise(203, 310, key=3))


def striped_image() -> torch.Tensor:
    rows, columns = np.ogrid[:288, :192]
    stripes = abs((5 * rows + 3 * columns) % 32 - 16) - 8
    return levels(128 + clouds(288, 192, key=4) // 4 + 4 * stripes[:, :, None])


def clipped_image() -> torch.Tensor:
    """Large areas of one grey level, among them a whole block."""
    image = 128 + 5 * clouds(288, 290, key=5)
    image[80:208, :112] = 200
    return levels(image)


def unrounded_image() -> torch.Tensor:
    """Between 8-bit levels, and beyond [0, 1] by a little."""
    image = 512 + 5 * clouds(193, 97, key=6) + noise(193, 97, key=7) // 4
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 1024


IMAGES = {
    "smooth": smooth_image,
    "noisy": noisy_image,
    "striped": striped_image,
    "clipped": clipped_image,
    "unrounded": unrounded_image,
}


def plausible_model() -> PristineModel:
    """Means and deviations of the size that photographs have; neighbouring features correlate."""
    half = [2.8, 0.9] + 4 * [0.8, 0.05, 0.15, 0.2]
    deviation = torch.tensor([0.4, 0.1] + 4 * [0.1, 0.05, 0.05, 0.05], dtype=torch.float64).repeat(2)
    positions = torch.arange(36)
    correlation = 0.5 ** (positions[:, None] - positions).abs().double()
    covariance = correlation * deviation.outer(deviation)
    return PristineModel("niqe_fitted", torch.tensor(2 * half, dtype=torch.float64), covariance)


@cache
def fitted_model() -> PristineModel:
    return fit_pristine_model(levels(128 + clouds(288, 384, key))[0] for key in range(10, 20))


@pytest.fixture
def fitted() -> PristineModel:
    return fitted_model()


class TestNiqe(NoReferenceMetricTests):
    """NIQE has no function on its card: the judge knows the pristine model."""

    convention = "niqe_fitted"

    def compute(self, denoised, clean):
        return niqe(denoised, fitted_model())

    def clean(self):
        return torch.cat([levels(128 + clouds(192, 290, key)) for key in (30, 31, 32)])


# Beside pyiqa.


@pytest.mark.parametrize("name", IMAGES)
def test_features_are_pyiqas(name):
    measured = pd.read_csv(CALIBRATION / "niqe_features.csv").query("image == @name").iloc[:, 2:].to_numpy()
    np.testing.assert_allclose(niqe_features(IMAGES[name]())[0], measured, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", IMAGES)
def test_scores_are_pyiqas(name):
    measured = pd.read_csv(CALIBRATION / "niqe_scores.csv", index_col="image")["niqe"]
    assert niqe(IMAGES[name](), plausible_model()).item() == pytest.approx(measured[name], abs=1e-4)


@pytest.mark.skipif("USAID_DATA_ROOT" not in os.environ, reason="USAID_DATA_ROOT names no folder with Kodak and NIQE")
def test_scores_of_photographs_with_the_live_parameters_are_pyiqas():
    root = Path(os.environ["USAID_DATA_ROOT"])
    if not (root / PRISTINE_FILES["niqe_live"]).is_file() or not (root / "kodak").is_dir():
        pytest.skip(f"{root} holds no Kodak images or no LIVE parameters (usaid data fetch kodak, niqe_live)")
    model = load_pristine_model("niqe_live", Path(root) / PRISTINE_FILES["niqe_live"])
    measured = pd.read_csv(CALIBRATION / "niqe_live_kodak.csv")
    ours = [niqe(kodak_image(root, row.image, row.noisy), model).item() for row in measured.itertuples()]
    np.testing.assert_allclose(ours, measured["niqe"], rtol=0, atol=2e-3)


def kodak_image(root: Path, image_id: str, noisy: bool) -> torch.Tensor:
    image = to_unit_range(read_rgb(root / "kodak" / f"{image_id}.png"))
    return image + torch.from_numpy(noise(*image.shape[2:], key=8)).permute(2, 0, 1) / 255 if noisy else image


# Beside independent formulas.


@pytest.mark.parametrize(("shape", "left", "right"), [(2, 1, 1), (1, 1, 1), (0.8, 0.3, 0.5), (3, 2, 0.7)])
def test_fit_recovers_the_distribution_that_values_were_drawn_from(shape, left, right):
    rng = np.random.default_rng(0)
    size = 400_000
    magnitudes = rng.gamma(1 / shape, size=size) ** (1 / shape)  # density proportional to exp(-x ** shape)
    sides = np.where(rng.random(size) < left / (left + right), -left, right)
    values = torch.from_numpy((sides * magnitudes).reshape(1, 1, 400, 1000))
    found = [value.item() for value in _fitted_asymmetric_gaussian(values)]
    np.testing.assert_allclose(found, [shape, left, right], rtol=0.02)


def test_fit_is_the_search_of_the_whole_table():
    values = torch.from_numpy(np.random.default_rng(1).laplace(size=(1, 5, 8, 8)) - 0.3)
    shapes = np.arange(200, 10001) / 1000
    table = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))
    for block, found in zip(values[0].numpy(), _fitted_asymmetric_gaussian(values)[0][0], strict=True):
        asymmetry = np.sqrt((block[block < 0] ** 2).mean() / (block[block > 0] ** 2).mean())
        ratio = abs(block).mean() ** 2 / (block**2).mean()
        ratio *= (asymmetry**3 + 1) * (asymmetry + 1) / (asymmetry**2 + 1) ** 2
        assert found.item() == shapes[abs(table - ratio).argmin()]


def test_halving_is_pillows_bicubic_reduction_away_from_the_border():
    image = noisy_image()[0, 0, :96, :160].numpy()
    expected = np.asarray(Image.fromarray(image).resize((80, 48), Image.Resampling.BICUBIC))
    halved = _halved(torch.from_numpy(image)[None].double())[0].numpy()
    np.testing.assert_allclose(halved[2:-2, 2:-2], expected[2:-2, 2:-2], rtol=0, atol=1e-6)


def test_halving_keeps_a_grey_level_up_to_the_border():
    assert torch.allclose(_halved(torch.full((1, 8, 12), 200.0, dtype=torch.float64)), torch.tensor(200.0).double())


def test_fitted_model_is_the_gaussian_of_the_sharp_blocks():
    images = [levels(128 + clouds(288, 384, key))[0] for key in range(20, 26)]
    for image in images:
        image[:, :, 96:] = 0.5 + (image[:, :, 96:] - 0.5) / 4  # all but the left column of blocks loses its contrast
    sharp = np.concatenate([niqe_features(image[None])[0, ::4] for image in 3 * images])
    model = fit_pristine_model(3 * images)
    np.testing.assert_allclose(model.mean, sharp.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.covariance, np.cov(sharp, rowvar=False), rtol=0, atol=1e-12)


# Properties.


def test_transposed_image_swaps_the_features_of_the_two_directions():
    image = levels(128 + clouds(192, 96, key=9))
    horizontal, vertical = [*range(2, 6), *range(20, 24)], [*range(6, 10), *range(24, 28)]
    features, transposed = niqe_features(image)[0], niqe_features(image.mT)[0]
    features[:, horizontal + vertical] = features[:, vertical + horizontal]
    np.testing.assert_allclose(transposed, features, rtol=0, atol=1e-9)


def test_batch_scores_are_those_of_each_image():
    batch = torch.cat([smooth_image()[..., :192, :192], noisy_image()[..., :192, :192]])
    scores = niqe(batch, plausible_model())
    assert scores.dtype == torch.float64
    assert scores.tolist() == [niqe(image[None], plausible_model()).item() for image in batch]


def test_pixels_beyond_whole_blocks_are_not_looked_at():
    image = noisy_image()
    assert niqe(image, plausible_model()) == niqe(image[..., :192, :288], plausible_model())


def test_image_is_clamped():
    image = unrounded_image()
    assert not torch.equal(image, image.clamp(0, 1))
    assert niqe(image, plausible_model()) == niqe(image.clamp(0, 1), plausible_model())


def test_grows_with_noise(fitted):
    image, disturbance = 128 + clouds(288, 384, key=30), noise(288, 384, key=31)
    scores = [niqe(levels(image + disturbance * parts // 4), fitted).item() for parts in (0, 1, 2, 4)]
    assert scores == sorted(scores)
    assert scores[-1] > 2 * scores[0]


# What cannot be scored.


@pytest.mark.parametrize("size", [(32, 32), (95, 300), (300, 95), (96, 96), (191, 191)])
def test_fewer_than_two_blocks_have_no_score(size):
    scores = niqe(torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0)), plausible_model())
    assert scores.shape == (3,)
    assert scores.isnan().all()


def test_image_without_score_leaves_the_rest_of_the_batch():
    good = smooth_image()
    flat = torch.full_like(good, 0.4)
    broken = good.clone()
    broken[0, 1, 5, 5] = torch.nan
    scores = niqe(torch.cat([flat, good, torch.zeros_like(good), broken]), plausible_model())
    assert scores.isnan().tolist() == [True, False, True, True]
    assert scores[1] == niqe(good, plausible_model())


def test_blocks_without_contrast_are_left_out():
    features = niqe_features(clipped_image())[0]
    assert features.isnan().any(dim=1).tolist() == [False] * 3 + [True] + [False] * 5
    assert niqe(clipped_image(), plausible_model()).isfinite()


def test_too_few_sharp_blocks_are_refused():
    images = [smooth_image()[0], torch.zeros(3, 20, 20), torch.zeros(3, 96, 96)]
    with pytest.raises(UsaidError, match=r"have [1-6] sharp blocks of 96x96 pixels, a pristine model needs 37; give"):
        fit_pristine_model(images)


# Files.


def test_saved_model_is_read_back(tmp_path, fitted):
    path = tmp_path / "weights/niqe_fitted.npz"
    save_pristine_model(path, fitted)
    found = load_pristine_model("niqe_fitted", path)
    assert found.name == "niqe_fitted"
    assert torch.equal(found.mean, fitted.mean)
    assert torch.equal(found.covariance, fitted.covariance)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_parameters_of_live_and_matlab_are_read(tmp_path):
    mean, covariance = np.arange(36.0)[None], np.eye(36)
    np.savez(tmp_path / "live.npz", mu_pris_param=mean, cov_pris_param=covariance, gaussian_window=np.eye(7))
    scipy.io.savemat(tmp_path / "matlab.mat", {"mu_prisparam": mean, "cov_prisparam": covariance})
    for name, file in (("niqe_live", "live.npz"), ("niqe_matlab", "matlab.mat")):
        model = load_pristine_model(name, tmp_path / file)
        assert model.name == name
        assert model.mean.tolist() == list(range(36))
        assert torch.equal(model.covariance, torch.eye(36, dtype=torch.float64))


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("niqe_live", "usaid data fetch niqe_live"),
        ("niqe_matlab", "usaid data fetch niqe_matlab"),
        ("niqe_fitted", "fit it to clean images first"),
    ],
)
def test_missing_parameters_name_the_file_and_the_cure(tmp_path, name, cure):
    path = tmp_path / "parameters"
    with pytest.raises(UsaidError, match=f"parameters of {name} are missing; .*{cure}") as caught:
        load_pristine_model(name, path)
    assert str(path) in str(caught.value)


def test_cells_and_folders_are_no_parameters(tmp_path):
    cells = np.empty((1, 2), object)
    cells[0] = [np.eye(2), "text"]
    scipy.io.savemat(tmp_path / "cells.mat", {"mu_prisparam": cells, "cov_prisparam": np.eye(36)})
    with pytest.raises(UsaidError, match=r"cells\.mat: mu_prisparam holds no real numbers"):
        load_pristine_model("niqe_matlab", tmp_path / "cells.mat")
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(UsaidError, match="are no file but a folder or device"):
            load_pristine_model("niqe_live", path)


@pytest.mark.parametrize("name", [*PRISTINE_FILES, "niqe_fitted"])
@pytest.mark.parametrize("content", [b"<html>", b"\x80\x04}.", b"\x93NUMPY\1\0", b"PK\x03\x04 then nothing", b""])
def test_damaged_file_is_refused(tmp_path, name, content):
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(UsaidError, match=f"damaged: not readable as the parameters of {name}"):
        load_pristine_model(name, path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu_pris_param": np.zeros(36)}, "holds no cov_pris_param"),
        (
            {"mu_pris_param": np.zeros(35), "cov_pris_param": np.eye(35)},
            r"has shape \(35,\) and cov_pris_param \(35, 35\)",
        ),
        ({"mu_pris_param": np.zeros(36), "cov_pris_param": np.full((36, 36), np.nan)}, "values that are not finite"),
        ({"mu_pris_param": np.full(36, -np.inf), "cov_pris_param": np.eye(36)}, "values that are not finite"),
        ({"mu_pris_param": np.full(36, "0.1"), "cov_pris_param": np.eye(36)}, "mu_pris_param holds no real numbers"),
        ({"mu_pris_param": np.zeros(36), "cov_pris_param": 1j * np.eye(36)}, "cov_pris_param holds no real numbers"),
        ({"mu_pris_param": np.zeros(36), "cov_pris_param": np.eye(36, k=1)}, "cov_pris_param is not symmetric"),
        ({"mu_pris_param": np.array([{}] * 36), "cov_pris_param": np.eye(36)}, "not readable as the parameters"),
        ({"mu_pris_param": np.zeros(1 << 20), "cov_pris_param": np.eye(36)}, "is too long for the parameters"),
    ],
)
def test_wrong_parameters_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(UsaidError, match=message):
        load_pristine_model("niqe_fitted", tmp_path / "wrong.npz")


def test_unknown_name_is_refused(tmp_path):
    with pytest.raises(
        UsaidError, match="niqe_mat: no such pristine model; choose from niqe_live, niqe_matlab, niqe_f"
    ):
        load_pristine_model("niqe_mat", tmp_path)
