"""Winograd's F(4x4, 3x3) on the CPU: inner 3x3 convolutions of a network with a quarter of the multiplications.

Lavin and Gray, "Fast algorithms for convolutional neural networks" (CVPR 2016): each tile of 4x4 output pixels takes a
tile of 6x6 input pixels, B^T d B, whose 36 values meet the transformed filters, G g G^T, in 36 matrix products over the
channels; A^T m A of these are the output pixels. The transforms are cheap only where a tile stays in the cache
from one to the next, which takes compiled loops: numba makes them, from the functions below.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

TILE = 4
"""Side of a tile of output pixels."""

MOST_TILES_IN_BLOCK = 64
"""Tiles of an image that are transformed and multiplied together: few enough for the caches, enough for fast matrix
products. No block holds tiles of two images: the last bits of a product may depend on a row's place in the matrix."""

MOST_OF_PRODUCT = 1 << 18
"""Most multiplications in a product of matrices: for larger ones OpenBLAS starts threads of its own."""

BLOCKS_PER_CHUNK = 8
"""Most blocks that a thread works on before it asks for more."""

_TWO, _FOUR, _FIVE, _EIGHT = map(np.float32, (2, 4, 5, 8))  # numba takes a Python number for a float64
_ZERO = np.float32(0)

_G = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6]]
_G += [[1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]


def transformed_filters(weight: Tensor) -> np.ndarray:
    """G g G^T of 3x3 filters, computed in float64.

    Args:
        weight: (features, channels, 3, 3).

    Returns:
        float32 (36, channels, features), contiguous: a matrix for each position of a transformed tile, row by row.
    """
    g = torch.tensor(_G, dtype=torch.float64)
    transformed = torch.einsum("ia,fcab,jb->ijcf", g, weight.cpu().double(), g)
    return transformed.flatten(0, 1).float().contiguous().numpy()


class WinogradLayers:
    """Convolutions 3x3 with as many features as channels, each with a bias and a ReLU behind it.

    A pixel's bits depend on the image alone, not on the batch or the number of threads.
    """

    def __init__(self, layers: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Transform the filters and compile the loops.

        Args:
            layers: weight (C, C, 3, 3) and bias (C,) of each convolution.

        Raises:
            ImportError: numba is not installed.
        """
        self.layers = [(transformed_filters(weight), bias.float().cpu().numpy()) for weight, bias in layers]
        self.convolve = compiled()

    def __call__(self, features: Tensor) -> Tensor:
        """Apply the layers.

        Args:
            features: float32 (B, C, H, W) on the CPU, any size; the first ReLU is applied to it here. It is kept.

        Returns:
            float32 (B, C, H, W), a view of channels-last memory with a border of zeros: that of (B, C, H + 2, W + 2).
        """
        batch, channels, height, width = features.shape
        source, target = (_bordered(features.shape) for _ in range(2))
        inside = source[:, 1 : height + 1, 1 : width + 1]
        torch.clamp_min(features.permute(0, 2, 3, 1), 0, out=inside)
        tiles = -(-height // TILE) * -(-width // TILE)
        block = _tiles_in_block(tiles, channels)
        chunks = _chunks(batch * -(-tiles // block), torch.get_num_threads())
        spaces = [workspace(block, channels) for _ in range(min(torch.get_num_threads(), len(chunks)))]
        with ThreadPoolExecutor(len(spaces)) as pool:
            for filters, bias in self.layers:
                layer = (source.flatten(2).numpy(), target.flatten(2).numpy(), filters, bias, (height, width))
                work = partial(self._work, layer, iter(chunks))  # whoever is done takes the next of the chunks
                list((pool.map if len(spaces) > 1 else map)(work, spaces))
                source, target = target, source
        return source[:, 1 : height + 1, 1 : width + 1].permute(0, 3, 1, 2)

    def _work(self, layer: tuple[Any, ...], chunks: Iterator[tuple[int, int]], space: tuple[np.ndarray, ...]) -> None:
        for chunk in chunks:
            self.convolve(*layer, chunk, space)


def _tiles_in_block(tiles: int, channels: int) -> int:
    """Divides the tiles of an image into blocks as even as can be."""
    most = max(1, min(MOST_TILES_IN_BLOCK, MOST_OF_PRODUCT // channels**2))
    return -(-tiles // -(-tiles // most))


def _chunks(blocks: int, threads: int) -> list[tuple[int, int]]:
    """Ranges of blocks: one for each thread at least, if there are as many blocks."""
    step = min(BLOCKS_PER_CHUNK, -(-blocks // threads))
    return [(start, min(start + step, blocks)) for start in range(0, blocks, step)]


def _bordered(shape: torch.Size) -> Tensor:
    """Memory for features in whole tiles with a pixel around them, (B, h, w, C); all outside of the image is 0."""
    batch, channels, height, width = shape
    bordered = torch.empty(batch, *(TILE * -(-side // TILE) + 2 for side in (height, width)), channels)
    bordered[:, 0] = bordered[:, height + 1 :] = 0
    bordered[:, :, 0] = bordered[:, :, width + 1 :] = 0
    return bordered


def workspace(block: int, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a thread keeps of a block: transformed tiles, their products with the filters, half-transformed rows."""
    transformed = np.zeros((36, block, channels), np.float32)
    return transformed, np.zeros_like(transformed), np.zeros((6, 6 * channels), np.float32)


# ------------------------------------------------------------------------------------------------ compiled by numba


@cache
def compiled() -> Callable[..., None]:
    """:func:`_convolve` as machine code, kept on the disk for later processes where that is possible.

    Raises:
        ImportError: numba is not installed.
    """
    import numba  # heavy, optional
    from numba.extending import register_jitable

    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "nsz"}, "error_model": "numpy"}
    parts = (_input_points, _output_points, _transform_input, _transform_output, _clear_outside, _convolve_block)
    for part in parts:
        register_jitable(**options)(part)
    try:
        return numba.njit(cache=True, **options)(_convolve)
    except RuntimeError:  # there is no folder that it may write to
        return numba.njit(**options)(_convolve)


def _convolve(source, target, filters, bias, size, blocks, space) -> None:  # type: ignore[no-untyped-def]
    """Convolve the blocks ``blocks[0]`` to ``blocks[1]`` of a batch, add the bias, clamp at 0.

    Args:
        source: float32 (B, h, w * C), as :func:`_bordered` has it.
        target: the same, written.
        filters: as :func:`transformed_filters` has them.
        bias: float32 (C,).
        size: height and width of the image.
        blocks: their numbers, counted row by row, image after image.
        space: as :func:`workspace` has it.
    """
    tiles, block = (size[0] + 3) // 4 * ((size[1] + 3) // 4), space[0].shape[1]
    blocks_of_image = (tiles + block - 1) // block
    for number in range(blocks[0], blocks[1]):
        image, start = number // blocks_of_image, number % blocks_of_image * block
        _convolve_block(source[image], target[image], filters, bias, size, (start, min(start + block, tiles)), space)


def _convolve_block(source, target, filters, bias, size, tiles, space) -> None:  # type: ignore[no-untyped-def]
    transformed, products, rows = space
    (height, width), (start, stop) = size, tiles
    across = (width + 3) // 4
    for tile in range(start, stop):
        _transform_input(source, tile // across * 4, tile % across * 4, rows, transformed, tile - start)
    for position in range(36):
        np.dot(transformed[position], filters[position], products[position])
    for tile in range(start, stop):
        y, x = tile // across * 4 + 1, tile % across * 4 + 1
        _transform_output(products, tile - start, rows, bias, target, y, x)
        if y + 3 > height or x + 3 > width:
            _clear_outside(target, y, x, height + 1, width + 1, len(bias))


def _input_points(d0, d1, d2, d3, d4, d5):  # type: ignore[no-untyped-def]
    """B^T d of six values."""
    even, odd = d4 - _FOUR * d2, d3 - _FOUR * d1
    outer_even, outer_odd = d4 - d2, _TWO * (d3 - d1)
    first, last = _FOUR * d0 - _FIVE * d2 + d4, _FOUR * d1 - _FIVE * d3 + d5
    return first, even + odd, even - odd, outer_even + outer_odd, outer_even - outer_odd, last


def _output_points(m0, m1, m2, m3, m4, m5):  # type: ignore[no-untyped-def]
    """A^T m of six values."""
    inner_sum, inner_difference = m1 + m2, m1 - m2
    outer_sum, outer_difference = m3 + m4, m3 - m4
    last = inner_difference + _EIGHT * outer_difference + m5
    return m0 + inner_sum + outer_sum, inner_difference + _TWO * outer_difference, inner_sum + _FOUR * outer_sum, last


def _transform_input(image, y, x, rows, transformed, slot):  # type: ignore[no-untyped-def]
    """B^T d B of a tile of 6x6 pixels: down first, all six columns at once, then across."""
    channels = transformed.shape[2]
    d0, d1, d2 = image[y, x * channels :], image[y + 1, x * channels :], image[y + 2, x * channels :]
    d3, d4, d5 = image[y + 3, x * channels :], image[y + 4, x * channels :], image[y + 5, x * channels :]
    for k in range(6 * channels):
        points = _input_points(d0[k], d1[k], d2[k], d3[k], d4[k], d5[k])
        rows[0, k], rows[1, k], rows[2, k], rows[3, k], rows[4, k], rows[5, k] = points
    for i in range(6):
        row, first = rows[i], 6 * i
        v0, v1, v2 = transformed[first, slot], transformed[first + 1, slot], transformed[first + 2, slot]
        v3, v4, v5 = transformed[first + 3, slot], transformed[first + 4, slot], transformed[first + 5, slot]
        for c in range(channels):
            v0[c], v1[c], v2[c], v3[c], v4[c], v5[c] = _input_points(
                row[c],
                row[channels + c],
                row[2 * channels + c],
                row[3 * channels + c],
                row[4 * channels + c],
                row[5 * channels + c],
            )


def _transform_output(products, slot, rows, bias, image, y, x):  # type: ignore[no-untyped-def]
    """A^T m A of a tile, with bias and ReLU: down first, column by column, then across."""
    channels = products.shape[2]
    for j in range(6):
        m0, m1, m2 = products[j, slot], products[6 + j, slot], products[12 + j, slot]
        m3, m4, m5 = products[18 + j, slot], products[24 + j, slot], products[30 + j, slot]
        first = j * channels
        r0, r1, r2, r3 = rows[0, first:], rows[1, first:], rows[2, first:], rows[3, first:]
        for c in range(channels):
            r0[c], r1[c], r2[c], r3[c] = _output_points(m0[c], m1[c], m2[c], m3[c], m4[c], m5[c])
    for i in range(4):
        row, pixels = rows[i], image[y + i, x * channels :]
        for c in range(channels):
            y0, y1, y2, y3 = _output_points(
                row[c],
                row[channels + c] + bias[c],
                row[2 * channels + c],
                row[3 * channels + c],
                row[4 * channels + c],
                row[5 * channels + c],
            )
            pixels[c] = max(y0, _ZERO)
            pixels[channels + c] = max(y1, _ZERO)
            pixels[2 * channels + c] = max(y2, _ZERO)
            pixels[3 * channels + c] = max(y3, _ZERO)


def _clear_outside(image, y, x, height, width, channels):  # type: ignore[no-untyped-def]
    """Set to 0 what a tile has beyond the image: the next layer's border."""
    for i in range(4):
        for k in range((width - x if y + i < height else 0) * channels, 4 * channels):
            image[y + i, x * channels + k] = 0
