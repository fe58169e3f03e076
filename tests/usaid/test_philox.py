"""Philox in torch and in Triton: word for word NumPy's."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from usaid import philox
from usaid.philox import as_int64, kernel_works, philox_words, words_by_kernel, words_by_torch

CPU = torch.device("cpu")
KEYS = st.integers(0, 2**128 - 1)


def numpy_words(key: int, count: int, before: int = 0) -> np.ndarray:
    return np.random.Philox(key=key, counter=before).random_raw(4 * count).view(np.int64).reshape(count, 4)


def blocks(key: int, count: int, before: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    keys = torch.tensor([[as_int64(key), as_int64(key >> 64)]]).repeat(count, 1)
    return keys, torch.arange(count) + before + 1


@pytest.fixture
def interpreted(monkeypatch):
    """Triton's kernels run by its interpreter, on the CPU."""
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    philox._kernel.cache_clear()
    kernel_works.cache_clear()
    yield
    philox._kernel.cache_clear()
    kernel_works.cache_clear()


@given(KEYS, st.integers(1, 40), st.integers(0, 2**62))
@settings(max_examples=50, deadline=None)
def test_torch_makes_numpys_words(key, count, before):
    assert np.array_equal(words_by_torch(*blocks(key, count, before)).numpy(), numpy_words(key, count, before))


@pytest.mark.parametrize("key", [0, 1, 2**64 - 1, 2**64, 2**127, 2**128 - 1])
def test_torch_makes_numpys_words_for_extreme_keys(key):
    assert np.array_equal(philox_words(*blocks(key, 1000)).numpy(), numpy_words(key, 1000))


@pytest.mark.parametrize("count", [1, 2])
def test_keys_and_counters_stay_as_they_are(count):
    keys, counters = blocks(2**99 + 7, count)
    words_by_torch(keys, counters)
    assert torch.equal(keys, blocks(2**99 + 7, count)[0])
    assert torch.equal(counters, blocks(2**99 + 7, count)[1])


def test_a_block_of_another_key_changes_nothing():
    pairs = [blocks(3, 5), blocks(2**100, 7)]
    together = words_by_torch(torch.cat([keys for keys, _ in pairs]), torch.cat([counters for _, counters in pairs]))
    assert torch.equal(together, torch.cat([words_by_torch(*pair) for pair in pairs]))


def test_the_kernel_makes_numpys_words(interpreted):
    for key, count in ((2**128 - 5, 1), (2**77 + 3, philox._KERNEL_BLOCKS), (11**30, 2 * philox._KERNEL_BLOCKS + 1)):
        assert np.array_equal(words_by_kernel(*blocks(key, count, 2**40)).numpy(), numpy_words(key, count, 2**40))


def test_a_kernel_that_works_is_taken(interpreted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernel_works(CPU)


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (lambda keys, counters: words_by_torch(keys, counters + 1), "makes other words on cpu"),
        (lambda keys, counters: 1 / 0, r"does not run \(ZeroDivisionError\) on cpu"),
    ],
)
def test_a_kernel_that_fails_is_not_taken(monkeypatch, kernel, said):
    monkeypatch.setattr(philox, "words_by_kernel", kernel)
    kernel_works.cache_clear()
    with pytest.warns(UserWarning, match=said):
        assert not kernel_works(CPU)
    assert not kernel_works(CPU)  # and says so once
    kernel_works.cache_clear()
