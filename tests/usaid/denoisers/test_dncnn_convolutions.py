"""Which way of the convolutions is taken, and in which precision: what was measured decides, and it is told."""

import itertools
from types import SimpleNamespace

import pytest
import torch

from usaid.denoisers.dncnn import convolutions, winograd
from usaid.denoisers.dncnn.convolutions import DirectConvolutions, faster_way, fastest_precision, made_convolutions
from usaid.denoisers.dncnn.denoiser import DnCNNDenoiser, folded_convolutions
from usaid.denoisers.dncnn.network import DnCNN
from usaid.errors import UsaidError
from usaid.registries import METHODS

FACTS = METHODS["cdncnn_b"].facts
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def wide_enough(monkeypatch, small_dncnn) -> None:
    """The network of the tests is one that Winograd's algorithm is weighed for."""
    monkeypatch.setattr(convolutions, "FEATURES_FOR_WINOGRAD", small_dncnn.dncnn[0].out_channels)


@pytest.fixture
def measured(monkeypatch):
    """``measured(winograd=1.0, direct=2.0)``: pretends that ways, or precisions, take so many seconds."""

    def set_times(**seconds: float) -> None:
        for choice in (faster_way, fastest_precision):
            choice.cache_clear()
        monkeypatch.setattr(convolutions, "clearly_fastest", lambda names, _: min(names, key=seconds.__getitem__))

    yield set_times
    for choice in (faster_way, fastest_precision):
        choice.cache_clear()


@pytest.fixture
def without_numba(monkeypatch):
    def missing():
        raise ImportError("No module named 'numba'")

    monkeypatch.setattr(winograd, "compiled", missing)
    faster_way.cache_clear()
    yield
    faster_way.cache_clear()


@pytest.mark.parametrize("way", ["direct", "winograd"])
def test_the_faster_way_is_taken_and_told(small_dncnn, measured, monkeypatch, way):
    monkeypatch.setattr(convolutions, "WinogradLayers", lambda layers: torch.relu)
    measured(**{"direct": 1.0, "winograd": 1.0} | {way: 0.1})
    assert DnCNNDenoiser(small_dncnn, FACTS).record == {"convolution": way}
    assert DnCNNDenoiser(small_dncnn, FACTS, precision="bfloat16").record == {"convolution": "direct"}


def test_for_a_narrow_network_nothing_is_measured(small_dncnn, monkeypatch):
    monkeypatch.setattr(convolutions, "FEATURES_FOR_WINOGRAD", small_dncnn.dncnn[0].out_channels + 1)
    monkeypatch.setattr(convolutions, "faster_way", None)
    assert DnCNNDenoiser(small_dncnn, FACTS).record == {"convolution": "direct"}


def test_without_numba_it_is_torchs_convolution(without_numba, small_dncnn):
    assert DnCNNDenoiser(small_dncnn, FACTS).record == {"convolution": "direct"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), TypeError("Failed in nopython mode")])
def test_where_numba_does_not_compile_it_is_torchs_convolution(small_dncnn, monkeypatch, capsys, error):
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(winograd, "compiled", lambda: fails)
    faster_way.cache_clear()
    try:
        assert DnCNNDenoiser(small_dncnn, FACTS).record == {"convolution": "direct"}
    finally:
        faster_way.cache_clear()
    assert str(error) in capsys.readouterr().err


def test_without_inner_layers_there_is_nothing_to_choose():
    layers = folded_convolutions(DnCNN(depth=2, features=4, merged=True))
    assert isinstance(made_convolutions(layers, CPU, "float32"), DirectConvolutions)


@pytest.mark.parametrize(
    ("precision", "times", "told"),
    [
        ("float32", {}, "float32"),
        ("tf32", {}, "float32"),  # there is none on the CPU
        ("bfloat16", {}, "bfloat16"),
        ("auto", {"float32": 1.0, "bfloat16": 0.5}, "bfloat16"),
        ("auto", {"float32": 1.0, "bfloat16": 2.0}, "float32"),
    ],
)
def test_the_precision_is_told(small_dncnn, measured, precision, times, told):
    measured(**times, direct=1.0, winograd=2.0)
    assert DnCNNDenoiser(small_dncnn, FACTS, precision=precision).precision == told


def test_another_precision_is_one_line(small_dncnn):
    message = r"^precision 'float16': must be one of float32, tf32, bfloat16, auto$"
    with pytest.raises(UsaidError, match=message):
        DnCNNDenoiser(small_dncnn, FACTS, precision="float16")


@pytest.mark.parametrize(
    ("took", "way", "precision"), [((2, 1), "winograd", "bfloat16"), ((1, 2), "direct", "float32")]
)
def test_both_choices_are_made_by_measuring(small_dncnn, monkeypatch, took, way, precision):
    """Of two that are called in turn, the first and the second pretend to take so long."""
    times = itertools.cycle(took)

    def seconds_of(function, image):
        assert function(image).shape[2:] == image.shape[2:]
        return next(times)

    monkeypatch.setattr(convolutions, "WinogradLayers", lambda layers: lambda features: features)
    monkeypatch.setattr(convolutions, "seconds_of", seconds_of)
    for choice in (faster_way, fastest_precision):
        choice.cache_clear()
    assert DnCNNDenoiser(small_dncnn, FACTS, precision="auto").precision == precision
    assert DnCNNDenoiser(small_dncnn, FACTS).record == {"convolution": way}
    for choice in (faster_way, fastest_precision):
        choice.cache_clear()


def test_the_shortest_call_counts_and_the_first_does_not(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    durations = itertools.chain([0.5], itertools.cycle([3.0, 2.0, 1.0]))
    monkeypatch.setattr(convolutions, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    image = torch.zeros(1)

    def slow(image):
        now.seconds += next(durations)
        return image

    assert convolutions.seconds_of(slow, image) == 1
