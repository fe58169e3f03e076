"""Noise: moments, independence, and the same bits whatever the order, the threads and the device."""

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import ndtri
from torch.utils._python_dispatch import TorchDispatchMode

from usaid import noise
from usaid.errors import UsaidError
from usaid.noise import NoiseField, gaussian_noise, gaussian_noise_batch

SIZE = (256, 384)
FIELDS = [NoiseField("kodim01", 25, 0), NoiseField("kodim02", 15, 3), NoiseField("kodim01", 70.5, 1)]


def version_1(dataset: str, field: NoiseField, height: int, width: int) -> np.ndarray:
    """The definition, in one go."""
    name = "\x1f".join(["usaid-noise", "1", dataset, field.image_id, repr(float(field.sigma)), str(field.draw)])
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    count = 3 * height * width
    words = np.random.Philox(key=key).random_raw((count + 1) // 2).view(np.uint32)[:count]
    deviates = ndtri((words + 0.5) * 2.0**-32) * (field.sigma / 255)
    return deviates.astype(np.float32).reshape(3, height, width)


def on_device(fields: list[NoiseField], height: int, width: int) -> np.ndarray:
    """What a GPU would do, done by the CPU."""
    keys = [noise._key("kodak", field, float(field.sigma)) for field in fields]
    deviates = noise._on_device(keys, [f.sigma / 255 for f in fields], 3 * height * width, torch.device("cpu"))
    return deviates.reshape(-1, 3, height, width).numpy()


def ulps(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """How many float32 numbers apart they are, for numbers of one sign."""
    return np.abs(one.view(np.int32).astype(np.int64) - two.view(np.int32))


@pytest.fixture
def threads():
    """Sets torch's threads; afterwards they are what they were."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def field(dataset: str = "kodak", image_id: str = "kodim01", sigma: float = 25, draw: int = 0) -> np.ndarray:
    return gaussian_noise(dataset, image_id, sigma, draw, *SIZE).numpy()


def test_has_the_moments_and_shape_of_a_normal_distribution():
    noise = field() * 255 / 25
    n = noise.size
    assert abs(noise.mean()) < 4 / math.sqrt(n)
    assert abs(noise.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs(stats.kurtosis(noise, axis=None)) < 4 * math.sqrt(24 / n)
    assert stats.kstest(noise.ravel()[:50_000], "norm").pvalue > 0.001
    assert np.abs(noise).max() > 4  # not clipped


def test_is_white():
    noise = field()[0]
    for shifted in (noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1]):
        correlation = shifted.mean() / noise.var()
        assert abs(correlation) < 4 / math.sqrt(shifted.size)


@pytest.mark.parametrize(
    "other",
    [{"dataset": "voc2012"}, {"image_id": "kodim02"}, {"sigma": 15}, {"draw": 1}, {"draw": 11, "image_id": "k"}],
)
def test_is_independent_across_names(other):
    one, two = field().ravel(), field(**other).ravel()
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / math.sqrt(one.size)


def test_channels_are_independent():
    red, green, blue = (plane.ravel() for plane in field())
    for a, b in ((red, green), (green, blue), (red, blue)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(a.size)


def test_same_bits_whatever_was_drawn_before():
    first = {draw: field(draw=draw) for draw in (0, 1, 2)}
    np.random.seed(3)  # noqa: NPY002 - the global state must not matter
    again = {draw: field(draw=draw) for draw in (2, 0, 1)}
    assert all(np.array_equal(first[draw], again[draw]) for draw in first)


def test_integer_and_float_sigma_are_one_sigma():
    assert np.array_equal(field(sigma=25), field(sigma=25.0))


def test_bits_are_those_of_version_1():
    noise = gaussian_noise("kodak", "kodim01", 25, 0, 16, 16).numpy()
    rounded = np.round(noise * 1e4).astype(np.int32)  # the last bits of ndtri may differ between C libraries
    assert hashlib.sha256(rounded.tobytes()).hexdigest()[:16] == "d3cf31b749bedfa1"


@given(st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_any_size(height, width):
    assert gaussian_noise("d", "i", 10, 0, height, width).shape == (3, height, width)


def test_sigma_zero_is_no_noise():
    assert not gaussian_noise("d", "i", 0, 0, 4, 4).any()


@pytest.mark.parametrize("sigma", [-1, -0.001, math.nan, math.inf])
def test_refuses_bad_sigma(sigma):
    with pytest.raises(UsaidError, match=r"sigma = .*must be a finite number >= 0"):
        gaussian_noise("d", "i", sigma, 0, 4, 4)


@pytest.mark.parametrize("size", [(1, 1), (33, 31), (100, 111), (301, 257)])
def test_the_bits_are_the_definitions(size):
    batch = gaussian_noise_batch("kodak", FIELDS, *size).numpy()
    expected = np.stack([version_1("kodak", field, *size) for field in FIELDS])
    assert np.array_equal(batch.view(np.int32), expected.view(np.int32))


def test_a_batch_is_its_fields_one_by_one():
    batch = gaussian_noise_batch("kodak", FIELDS, 45, 67)
    assert batch.shape == (3, 3, 45, 67)
    assert all(torch.equal(one, gaussian_noise("kodak", *f, 45, 67)) for one, f in zip(batch, FIELDS, strict=True))


def test_no_fields_are_no_noise():
    assert gaussian_noise_batch("kodak", [], 4, 5).shape == (0, 3, 4, 5)
    assert on_device([], 4, 5).shape == (0, 3, 4, 5)


def test_a_bad_sigma_costs_the_batch():
    with pytest.raises(UsaidError, match="sigma = -3"):
        gaussian_noise_batch("kodak", [*FIELDS, NoiseField("kodim03", -3, 0)], 4, 4)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_same_bits_whatever_the_number_of_threads(threads, number):
    threads(number)
    batch = gaussian_noise_batch("kodak", FIELDS, 255, 333).numpy()
    assert np.array_equal(batch, np.stack([version_1("kodak", field, 255, 333) for field in FIELDS]))


def test_one_thread_starts_no_other(threads, monkeypatch):
    monkeypatch.setattr(noise, "_pool", None)
    threads(1)
    assert gaussian_noise_batch("kodak", FIELDS, *SIZE).shape == (3, 3, *SIZE)
    threads(2)
    with pytest.raises(TypeError):
        gaussian_noise_batch("kodak", FIELDS, *SIZE)


def test_same_bits_for_concurrent_callers(threads):
    threads(2)
    names = [str(number) for number in range(12)]
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(lambda name: gaussian_noise("kodak", name, 25, 0, *SIZE).numpy(), names))
    assert all(
        np.array_equal(one, version_1("kodak", NoiseField(name, 25, 0), *SIZE))
        for one, name in zip(found, names, strict=True)
    )


def test_an_error_in_a_thread_reaches_the_caller(threads, monkeypatch):
    threads(2)
    monkeypatch.setattr(noise, "ndtri", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gaussian_noise("kodak", "kodim01", 25, 0, *SIZE)


@given(st.integers(1, 40), st.integers(1, 40), st.lists(st.floats(0, 200), min_size=1, max_size=4), st.data())
@settings(max_examples=15, deadline=None)
def test_another_device_makes_the_same_noise(height, width, sigmas, data):
    fields = [NoiseField(data.draw(st.text(max_size=3)), sigma, number) for number, sigma in enumerate(sigmas)]
    cpu = gaussian_noise_batch("kodak", fields, height, width).numpy()
    assert ulps(on_device(fields, height, width), cpu).max() <= 1


def test_another_device_turns_hardly_a_bit():
    cpu = gaussian_noise_batch("kodak", FIELDS, *SIZE).numpy()
    apart = ulps(on_device(FIELDS, *SIZE), cpu)
    assert np.abs(cpu[0]).max() > 4 * 25 / 255
    assert apart.max() <= 1
    assert (apart > 0).sum() <= 1  # of 884,736; benchmarks/noise.py counts more


def test_another_device_works_in_parts(monkeypatch):
    whole = on_device(FIELDS, 31, 33)
    monkeypatch.setattr(noise, "_DEVICE_BLOCKS", 100)
    assert np.array_equal(on_device(FIELDS, 31, 33), whole)


def test_more_images_are_no_more_operations():
    class Counter(TorchDispatchMode):
        operations = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.operations += 1
            return func(*args, **(kwargs or {}))

    with Counter() as one:
        on_device(FIELDS[:1], 9, 9)
    with Counter() as many:
        on_device(FIELDS * 20, 9, 9)
    assert many.operations == one.operations
