"""Each adapter around an identity is the identity at any size; they are put around a network in the right order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from usaid.cards import Facts
from usaid.denoisers.adapters import (
    FixedSize,
    FromArrays,
    FromCallable,
    NoiseMap,
    PaddedTo,
    PerChannel,
    PredictsNoise,
    Tiled,
    ValueRange,
    adapted,
)
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.padding import reflected
from usaid.errors import UsaidError
from usaid.experiment.adapt import Adapt
from usaid.registries import METHODS

sides = st.integers(1, 70)


def images(batch: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(height * width))


def same(batch):
    return batch


def without_map(batch):
    return batch[:, :-1]


ADAPTS = st.fixed_dictionaries(
    {
        "value_range": st.sampled_from([1, 255]),
        "predicts": st.sampled_from(["image", "noise"]),
        "told_as": st.sampled_from([None, "map"]),
        "divisible_by": st.sampled_from([1, 3, 8, 64]),
        "channels": st.sampled_from(["colour", "grey"]),
        "tile": st.sampled_from([None, 16, 21, 64]),
        "tile_overlap": st.sampled_from([0, 3, 7]),
    }
)


@settings(deadline=None, max_examples=60)
@given(ADAPTS, st.integers(1, 3), sides, sides)
def test_all_that_is_put_around_an_identity_is_the_identity(keys, batch, height, width):
    noisy = images(batch, height, width)
    network = without_map if keys["told_as"] else same
    expected = noisy - noisy if keys["predicts"] == "noise" else noisy
    output = denoised("mine", build_denoiser(network, adapt=keys), noisy, 25.0)
    assert (output - expected).abs().max() <= 1e-6


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), sides, sides, st.sampled_from([None, 1, 2, 4]), st.sampled_from([None, 8, 33]))
def test_a_fixed_size_sees_that_size_only(batch, height, width, images_at_once, side):
    seen = set()

    def network(given_images):
        seen.add(tuple(given_images.shape))
        return given_images

    noisy = images(batch, height, width)
    output = FixedSize(FromCallable(network), side, 16, images_at_once)(noisy)
    assert torch.equal(output, noisy)
    (shape,) = {(shape[0] if images_at_once else None, shape[2] if side else None, shape[3]) for shape in seen}
    assert shape == (images_at_once, side, 16)


@settings(deadline=None, max_examples=40)
@given(sides, sides, st.integers(0, 90), st.integers(0, 90))
def test_reflection_is_that_of_numpy(height, width, further_rows, further_columns):
    batch = images(1, height, width)
    rows, columns = height + further_rows, width + further_columns
    if height > 1 and width > 1:
        expected = np.pad(batch.numpy(), ((0, 0), (0, 0), (0, further_rows), (0, further_columns)), "reflect")
        assert torch.equal(reflected(batch, rows, columns), torch.from_numpy(expected))
    else:
        assert reflected(batch, rows, columns).shape == (1, 3, rows, columns)


# ------------------------------------------------------------------------------------------------ tiles


@pytest.fixture(scope="module")
def network() -> DnCNN:
    torch.manual_seed(3)
    return DnCNN(5, 8).eval()


@pytest.mark.parametrize(("tile", "overlap"), [(16, 5), (33, 8), (40, 16), (64, 31)])
@pytest.mark.parametrize("size", [(70, 61), (15, 90), (41, 40), (16, 16)])
def test_tiles_are_exact_where_the_overlap_covers_what_the_network_sees(network, tile, overlap, size):
    noisy = images(2, *size)
    whole = build_denoiser(network, adapt={"predicts": "noise"})(noisy)
    tiled = build_denoiser(network, adapt={"predicts": "noise", "tile": tile, "tile_overlap": overlap})
    assert (tiled(noisy) - whole).abs().max() <= 1e-6


def test_tiles_with_less_overlap_are_not_exact(network):
    noisy = images(1, 70, 61)
    whole, tiled = FromCallable(network), Tiled(FromCallable(network), 24, 2)
    assert (tiled(noisy) - whole(noisy)).abs().max() > 1e-4


def test_no_more_than_a_tile_is_denoised_at_once():
    seen = []
    Tiled(FromCallable(lambda batch: seen.append(batch.shape[2:]) or batch), 32, 8)(images(1, 300, 200))
    assert {tuple(size) for size in seen} == {(32, 32)}
    with pytest.raises(UsaidError, match=r"^tile = 32 is all overlap; give more than 32 pixels$"):
        Tiled(FromCallable(same), 32, 16)


# ------------------------------------------------------------------------------------------------ order


def test_noise_is_subtracted_on_the_unit_scale_and_the_map_is_in_the_networks_range():
    seen = {}

    def network(batch):
        seen["shape"], seen["level"], seen["brightest"] = batch.shape, batch[:, -1].unique(), batch[:, 0].max()
        return batch[:, :-1] * 0 + 51.0  # noise of 0.2

    keys = {"predicts": "noise", "value_range": 255, "told_as": "map", "divisible_by": 8, "channels": "grey"}
    noisy = images(2, 20, 21)
    output = build_denoiser(network, adapt=keys | {"tile": 16, "tile_overlap": 2})(noisy, 30.0)
    assert (output - (noisy - 0.2)).abs().max() < 1e-6
    assert seen["shape"] == (6, 2, 16, 16)  # tiles of grey images with their map
    assert seen["level"].tolist() == [30.0]
    assert seen["brightest"] > 200


@pytest.mark.parametrize(("white", "level"), [(1, 0.1), (255, 25.5)])
def test_an_argument_is_in_the_networks_range(white, level):
    told = []

    def network(batch, sigma):
        told.append(sigma)
        return batch

    denoiser = build_denoiser(network, adapt={"told_as": "argument", "value_range": white})
    denoiser(images(1, 8, 8), 25.5)
    assert told == [pytest.approx(level)]
    assert not denoiser.facts.blind
    assert denoiser.hears(25.5) == 25.5


def test_a_tensor_has_one_level_for_each_image():
    def network(batch, sigma):
        return batch + sigma.repeat(1, 1, *batch.shape[2:])

    noisy = images(2, 8, 9)
    denoiser = build_denoiser(network, adapt={"told_as": "tensor", "value_range": 255})
    assert (denoiser(noisy, 25.5) - (noisy + 0.1)).abs().max() < 1e-6
    assert not denoiser.facts.blind


def test_a_parameter_told_sigma_is_told_on_the_scale_of_255_whatever_the_range():
    told = []

    def network(batch, *, strength=1.0, told_sigma):
        told.append((strength, told_sigma))
        return batch

    denoiser = build_denoiser(network, options={"strength": 2.0}, adapt={"value_range": 255})
    denoiser(images(1, 8, 8), 12.5)
    assert told == [(2.0, 12.5)]
    assert not denoiser.facts.blind
    with pytest.raises(UsaidError, match=r"^told sigma is missing"):
        denoiser(images(1, 8, 8))


def test_what_is_told_nothing_is_blind():
    denoiser = build_denoiser(lambda batch, sigma=3: batch)
    assert denoiser.facts.blind
    assert denoiser.hears(25) is None
    silenced = build_denoiser(lambda batch, told_sigma=3: batch, adapt={"told_as": "nothing"})
    assert silenced.facts.blind
    silenced(images(1, 8, 8), 25)


def test_a_denoiser_is_told_in_its_own_way():
    class Own(Denoiser):
        facts = Facts("Own", blind=False)

        def __call__(self, noisy, told_sigma=None):
            return noisy[:, :3] * (told_sigma / 255)

    noisy = images(1, 9, 8)
    with pytest.raises(UsaidError, match=r"^Own: told_as argument is for functions and networks; drop 'told_as'"):
        adapted(Own(), Adapt(told_as="argument"))
    assert torch.allclose(NoiseMap(Own())(noisy, 51.0), noisy * 0.2)
    assert torch.allclose(build_denoiser(Own(), adapt={"divisible_by": 8})(noisy, 51.0), noisy * 0.2)


# ------------------------------------------------------------------------------------------------ arrays and bytes


def test_a_function_on_arrays_gets_single_images():
    seen = []

    @FromArrays
    def halved(image, told_sigma):
        seen.append((image.shape, image.dtype, image.flags.c_contiguous, told_sigma))
        return (image / 2).astype(np.float64)

    noisy = images(2, 7, 9)
    assert (denoised("mine", build_denoiser(halved), noisy, 25.0) - noisy / 2).abs().max() < 1e-6
    assert seen == [((7, 9, 3), np.float32, True, 25.0)] * 2
    seen.clear()
    assert (PerChannel(halved)(noisy, 25.0) - noisy / 2).abs().max() < 1e-6
    assert {shape for shape, *_ in seen} == {(7, 9)}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda image: None, "returned NoneType; FromArrays is for NumPy images"),
        (lambda image: image[:-1], r"returned shape \(6, 9, 3\) for an image of \(7, 9, 3\)"),
        (lambda image: (image * 255).astype(np.uint8), "returned torch.uint8; return floats, .* value_range 255"),
    ],
)
def test_what_a_function_on_arrays_may_not_return(output, message):
    with pytest.raises(UsaidError, match=f"{message}$"):
        denoised("mine", FromArrays(output), images(1, 7, 9))


def test_bytes_are_taken_where_white_is_255():
    noisy = images(1, 7, 9)
    output = denoised("mine", ValueRange(FromCallable(lambda batch: batch.round().byte())), noisy)
    assert (output - noisy).abs().max() <= 0.51 / 255


@pytest.mark.parametrize("around", [PredictsNoise, lambda inner: PaddedTo(inner, 8), PerChannel, ValueRange])
def test_what_no_adapter_can_mend_is_refused_by_it(around):
    for output, message in (
        (lambda batch: None, "returned None; end it with `return`"),
        (lambda batch: batch.numpy(), "returned a NumPy array; .*FromArrays"),
        (lambda batch: (batch, batch), "returned a tuple of 2; return the denoised batch alone"),
        (lambda batch: batch[..., :-1], "returned shape .*; crop what was padded.*--divisible-by 8"),
    ):
        with pytest.raises(UsaidError, match=message):
            denoised("mine", around(FromCallable(output)), images(1, 16, 16))


def test_noise_of_one_channel_is_not_spread_over_three():
    with pytest.raises(UsaidError, match=r"returned shape \(1, 1, 8, 8\) .*: --channels grey, "):
        PredictsNoise(FromCallable(lambda batch: batch[:, :1]))(images(1, 8, 8))


def test_a_network_is_put_into_evaluation_mode():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.9)).train()
    noisy = images(1, 8, 8)
    denoiser = build_denoiser(network)
    assert torch.equal(denoiser(noisy), denoiser(noisy))
    assert denoiser.facts.deep_learning


def test_our_own_network_by_hand(network):
    ours = DnCNNDenoiser(network, METHODS["cdncnn_b"].facts)
    noisy = images(2, 33, 31)
    assert (PredictsNoise(FromCallable(network))(noisy) - ours(noisy)).abs().max() <= 1e-5
