"""Winograd's algorithm: against torch's convolution at any size, in any batch, with any number of threads."""

from importlib.util import find_spec

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usaid.denoisers.dncnn import winograd
from usaid.denoisers.dncnn.convolutions import DirectConvolutions, Layers, WinogradConvolutions
from usaid.denoisers.dncnn.denoiser import folded_convolutions
from usaid.denoisers.dncnn.network import DnCNN
from usaid.denoisers.dncnn.winograd import WinogradLayers

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")


@pytest.fixture(params=["interpreted", pytest.param("compiled", marks=needs_numba)])
def loops(request, monkeypatch) -> str:
    """The loops as they are written, for machines without numba, and as numba compiles them."""
    if request.param == "interpreted":
        monkeypatch.setattr(winograd, "compiled", lambda: winograd._convolve)
    return request.param


@pytest.fixture
def threads():
    """``threads(2)`` sets their number for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def random_layers(number: int, channels: int, seed: int = 0) -> Layers:
    generator = torch.Generator().manual_seed(seed)
    scale = (2 / (9 * channels)) ** 0.5
    weights = torch.randn(number, channels, channels, 3, 3, generator=generator) * scale
    return list(zip(weights, torch.randn(number, channels, generator=generator), strict=True))


def directly(layers: Layers, features: torch.Tensor) -> torch.Tensor:
    """What the layers have to give, in float64."""
    features = F.relu(features.double())
    for weight, bias in layers:
        features = F.relu(F.conv2d(features, weight.double(), bias.double(), padding=1))
    return features.float()


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    batch=st.integers(1, 2),
    channels=st.integers(1, 3),
    number=st.integers(1, 2),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_size_batch_and_width(loops, size, batch, channels, number, seed):
    layers = random_layers(number, channels, seed)
    features = torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(seed))
    kept = features.clone()
    assert (WinogradLayers(layers)(features) - directly(layers, features)).abs().max() < 1e-5
    assert torch.equal(features, kept)


@needs_numba
@given(size=st.tuples(st.integers(1, 70), st.integers(1, 70)), batch=st.integers(1, 5), channels=st.integers(1, 130))
@settings(max_examples=30, deadline=None)
def test_larger_ones(size, batch, channels):
    layers = random_layers(2, channels)
    features = torch.randn(batch, channels, *size, generator=torch.Generator().manual_seed(1))
    expected = directly(layers, features)
    assert (WinogradLayers(layers)(features) - expected).abs().max() < 2e-5 * (1 + expected.abs().max())


@needs_numba
@pytest.mark.parametrize("size", [(32, 32), (31, 45), (5, 5)])
def test_bits_depend_on_the_image_alone(size, threads):
    layers, features = random_layers(3, 64), torch.randn(40, 64, *size, generator=torch.Generator().manual_seed(2))
    apply = WinogradLayers(layers)
    threads(1)
    batch = apply(features)
    for number in (0, 17, 39):
        assert torch.equal(apply(features[number : number + 1])[0], batch[number])
    assert torch.equal(apply(features[3:20]), batch[3:20])
    for count in (2, 3, 7):
        threads(count)
        assert torch.equal(apply(features), batch)


def test_what_is_no_number_stays_none(loops):
    features = torch.zeros(1, 2, 4, 4)
    features[0, 0, 1, 1] = float("nan")
    assert WinogradLayers(random_layers(1, 2))(features).isnan().any()


def test_beyond_the_image_there_is_nothing(loops):
    """A last layer may look at the border: it is 0, as padding is."""
    layers = random_layers(2, 2)
    inside = WinogradLayers(layers)(torch.rand(1, 2, 5, 6))
    whole = inside.as_strided((1, 2, 7, 8), inside.stride(), 0)
    assert torch.equal(whole[:, :, 1:6, 1:7], inside)
    assert whole.count_nonzero() == inside.count_nonzero()


@pytest.mark.parametrize(("blocks", "threads"), [(1, 4), (2, 2), (1000, 3), (7, 2)])
def test_chunks_hold_every_block_once(blocks, threads):
    chunks = winograd._chunks(blocks, threads)
    assert [block for chunk in chunks for block in range(*chunk)] == list(range(blocks))
    assert len(chunks) >= min(threads, blocks)


@pytest.mark.parametrize("channels", [1, 64, 96, 128, 600])
@pytest.mark.parametrize("tiles", [1, 63, 64, 65, 144, 24576])
def test_blocks_are_even_and_products_too_small_for_threads_of_their_own(tiles, channels):
    block = winograd._tiles_in_block(tiles, channels)
    assert 1 <= block <= winograd.MOST_TILES_IN_BLOCK
    assert block == 1 or block * channels**2 <= winograd.MOST_OF_PRODUCT
    assert -tiles % block < -(-tiles // block)


@pytest.mark.parametrize("size", [(17, 16), (20, 24), (3, 2)])
def test_the_whole_network(loops, size):
    network = DnCNN(depth=4, features=4, merged=True).eval()
    layers, noisy = folded_convolutions(network), torch.rand(2, 3, *size)
    with torch.inference_mode():
        expected = network(noisy)
    for convolutions in (WinogradConvolutions(layers), DirectConvolutions(layers, torch.device("cpu"), "float32")):
        predicted = convolutions(noisy)
        assert predicted.shape == noisy.shape
        assert (predicted - expected).abs().max() < 1e-5


@needs_numba
def test_psnr_does_not_drift():
    """Twenty layers of 64 features, an error of 26 dB; a benchmark prints it for trained ones and real images."""
    network = DnCNN(merged=True).eval()
    for convolution in network.dncnn[::2]:
        torch.nn.init.kaiming_normal_(convolution.weight, generator=torch.Generator().manual_seed(3))
    layers = folded_convolutions(network)
    clean = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        exact = network.double()(clean.double())
        ways = WinogradConvolutions(layers), DirectConvolutions(layers, torch.device("cpu"), "float32")
        noises = [way(clean).double() for way in ways] + [exact]
    scale = 0.05 / exact.std()
    of_winograd, of_direct, of_exact = (-10 * (scale * noise).square().mean().log10().item() for noise in noises)
    assert 20 < of_exact < 30
    assert abs(of_winograd - of_direct) < 1e-4
    assert abs(of_winograd - of_exact) < 1e-4
