"""What makes the CPU fast on large images: freed memory is kept."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def keep_freed_memory() -> None:
    """Let the C allocator keep freed blocks instead of handing them back to the kernel (glibc only; else nothing).

    A 64-channel activation of a Kodak image is 100 MB. By default glibc maps such a block anew for every layer, and
    the kernel clears each page of it: that takes as long as a third of the convolutions themselves
    (``benchmarks/denoiser_inference.py`` measures it).
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
