"""The words of NumPy's Philox generator on any torch device: integer operations of torch, or one Triton kernel."""

import functools
import warnings
from typing import Any

import torch

ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
"""Philox4x64-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011, table 2 and section 3.3)."""

_HALF = 0xFFFFFFFF
_KERNEL_BLOCKS = 256  # that one program of the kernel makes


def as_int64(word: int) -> int:
    """The int64 that has the 64 lowest bits of ``word``: torch multiplies no unsigned integers."""
    word &= (1 << 64) - 1
    return word - (1 << 64) if word >> 63 else word


def philox_words(keys: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """The blocks of Philox4x64-10 for these keys and counters.

    ``np.random.Philox(key=key).random_raw(4 * n)`` is the blocks of the counters 1 to n.

    Args:
        keys: int64 (n, 2), the bits of each block's key, low word first.
        counters: int64 (n,), the lowest word of each block's counter; the other three are 0.

    Returns:
        int64 (n, 4) on the same device, the bits of each block's four words.
    """
    # a tensor of FakeTensorMode, which no kernel can take, is an instance of a subclass
    if keys.is_cuda and type(keys) is torch.Tensor and kernel_works(keys.device):
        return words_by_kernel(keys, counters)
    return words_by_torch(keys, counters)


# ------------------------------------------------------------------------------------------------ operations of torch


def words_by_torch(keys: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """`philox_words` in some 240 operations of torch, whatever the number of blocks."""
    multipliers, weyl = (
        torch.tensor([[as_int64(word)] for word in words]).to(keys.device, non_blocking=True)
        for words in (MULTIPLIERS, WEYL)
    )
    key = keys.T
    even = torch.stack((counters, torch.zeros_like(counters)))  # words 0 and 2 of the blocks
    odd = torch.zeros_like(even)  # words 1 and 3
    for number in range(ROUNDS):
        if number:
            key = key + weyl
        high = _high_words(multipliers, even)
        even, odd = high.flip(0).bitwise_xor_(odd).bitwise_xor_(key), (multipliers * even).flip(0)
    return torch.stack((even, odd), 1).reshape(4, -1).T.contiguous()


def _high_words(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The upper 64 bits of the 128-bit products, in 32-bit halves; no sum exceeds 64 bits."""
    a_low, a_high, b_low, b_high = a & _HALF, _upper(a), b & _HALF, _upper(b)
    middle = _upper(a_low * b_low).add_(a_high * b_low)
    cross = (a_low * b_high).add_(middle & _HALF)
    return (a_high * b_high).add_(_upper(middle)).add_(_upper(cross))


def _upper(word: torch.Tensor) -> torch.Tensor:
    """The upper half: a shift of int64 copies the sign into the bits that it frees."""
    return (word >> 32).bitwise_and_(_HALF)


# ------------------------------------------------------------------------------------------------ one Triton kernel


@functools.cache
def kernel_works(device: torch.device) -> bool:
    """Whether the Triton kernel runs on this device and makes the words that torch makes (tried once a process)."""
    keys = torch.tensor([[as_int64(5 * word), as_int64(7 * word)] for word in WEYL], device=device)
    counters = torch.tensor([1, 1 << 40], device=device)
    try:
        if torch.equal(words_by_kernel(keys, counters), words_by_torch(keys, counters)):
            return True
        reason = "makes other words"
    except Exception as error:  # no Triton, no C compiler for its launcher, a GPU that it does not know ...
        reason = f"does not run ({type(error).__name__})"
    warnings.warn(f"the Triton kernel for noise {reason} on {device}; torch makes the noise, more slowly", stacklevel=2)
    return False


def words_by_kernel(keys: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """`philox_words` in one kernel, where there is Triton and a device that it knows."""
    words = torch.empty(len(keys), 4, dtype=torch.int64, device=keys.device)
    programs = (-(-len(keys) // _KERNEL_BLOCKS),)
    with torch.cuda.device_of(keys):
        _kernel()[programs](keys.contiguous(), counters, words, len(keys), _KERNEL_BLOCKS, ROUNDS, MULTIPLIERS + WEYL)
    return words


@functools.cache
def _kernel() -> Any:
    import triton
    import triton.language as tl

    @triton.jit(do_not_specialize=["total"])
    def kernel(  # type: ignore[no-untyped-def]
        keys, counters, words, total, size: tl.constexpr, rounds: tl.constexpr, constants: tl.constexpr
    ):
        index = tl.program_id(0) * size + tl.arange(0, size)
        inside = index < total
        k0 = tl.load(keys + 2 * index, mask=inside).to(tl.uint64)
        k1 = tl.load(keys + 2 * index + 1, mask=inside).to(tl.uint64)
        c0 = tl.load(counters + index, mask=inside).to(tl.uint64)
        zero = tl.full([size], 0, tl.uint64)
        c1, c2, c3 = zero, zero, zero
        a = tl.full([size], constants[0], tl.uint64)
        b = tl.full([size], constants[1], tl.uint64)
        for _ in tl.static_range(rounds):
            c0, c1, c2, c3 = tl.umulhi(b, c2) ^ c1 ^ k0, b * c2, tl.umulhi(a, c0) ^ c3 ^ k1, a * c0
            k0 += tl.full([size], constants[2], tl.uint64)
            k1 += tl.full([size], constants[3], tl.uint64)
        tl.store(words + 4 * index, c0.to(tl.int64), mask=inside)
        tl.store(words + 4 * index + 1, c1.to(tl.int64), mask=inside)
        tl.store(words + 4 * index + 2, c2.to(tl.int64), mask=inside)
        tl.store(words + 4 * index + 3, c3.to(tl.int64), mask=inside)

    return kernel
