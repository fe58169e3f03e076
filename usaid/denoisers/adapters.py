"""Adapters: denoisers made of what people have, whatever its conventions. Each is put around another.

    ``FromCallable``  a function or network on batches          ``FromArrays``   a function on NumPy images
    ``NoiseMap``      the noise level as a further channel      ``ValueRange``   white is 255
    ``PredictsNoise`` the noise comes out                       ``PaddedTo``     sides that a number divides
    ``PerChannel``    one grey channel                          ``Tiled``        large images in parts
    ``FixedSize``     one size of images and batches only

:func:`adapted` puts them around a network in the order of this list, from within: ``Tiled(PerChannel(PaddedTo(...)))``.
So tiles are padded, not cut from a padded image; noise is subtracted on the [0, 1] scale; a noise map is in the
network's own range, and is padded, tiled and taken channel by channel with its image. The level that a denoiser is told
is on the 0-255 scale everywhere; only what meets the network, ``FromCallable`` and ``NoiseMap``, brings it to the
network's range.

By hand, in ``mine.py``, as a method ``mine.py:ffdnet``::

    ffdnet = NoiseMap(FromCallable(network))
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser, checked_facts, checked_told_sigma
from usaid.denoisers.contract import checked_kind, wrong_shape
from usaid.denoisers.facts import TOLD_SIGMA, facts_of_code, hears_told_sigma, name_of
from usaid.denoisers.padding import reflected
from usaid.denoisers.sliding_window import starts_of_patches
from usaid.devices import float32_products
from usaid.errors import UsaidError

if TYPE_CHECKING:
    from usaid.experiment.adapt import Adapt

ToldAs = Literal["nothing", "argument", "tensor", "keyword"]
"""How code is told the noise level: not, as its second argument in units of white, which is a float or a tensor
(B, 1, 1, 1), as ``told_sigma`` (0-255 scale)."""


def adapted(denoiser: Denoiser, adapt: Adapt) -> Denoiser:
    """Put around a denoiser what its conventions need.

    Raises:
        UsaidError: it is told the noise level in its own way, so that ``told_as`` cannot say another.
    """
    if adapt.told_as == "map":
        denoiser = NoiseMap(
            denoiser.telling("nothing") if isinstance(denoiser, FromCallable) else denoiser, adapt.value_range
        )
    elif adapt.told_as is not None:
        if not isinstance(denoiser, FromCallable):
            cure = "drop 'told_as'; a Denoiser is told it by its argument told_sigma"
            raise UsaidError(
                f"{checked_facts(denoiser).title}: told_as {adapt.told_as} is for functions and networks; {cure}"
            )
        denoiser = denoiser.telling(adapt.told_as, adapt.value_range)
    if adapt.value_range != 1:
        denoiser = ValueRange(denoiser, adapt.value_range)
    if adapt.predicts == "noise":
        denoiser = PredictsNoise(denoiser)
    if adapt.divisible_by > 1:
        denoiser = PaddedTo(denoiser, adapt.divisible_by)
    if adapt.channels == "grey":
        denoiser = PerChannel(denoiser)
    if adapt.tile is not None:
        denoiser = Tiled(denoiser, adapt.tile, adapt.tile_overlap)
    return denoiser


# ------------------------------------------------------------------------------------------------ what is adapted


class FromCallable(Denoiser):
    """A function or network on batches: ``network(noisy)`` gives the denoised batch.

    For what is no :class:`Denoiser` and takes float batches. A network is put into evaluation mode on ``device``.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        facts: Facts | None = None,
        device: torch.device | str = "cpu",
        precision: str = "float32",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """
        Args:
            network: takes float32 (B, C, H, W), returns the same shape. One that has a parameter ``told_sigma`` is told
                the noise level by it, on the 0-255 scale; :meth:`telling` says otherwise.
            facts: what tables say of it; None: its attribute ``facts``, or what shows in it.
            device: where its input has to be.
            precision: ``tf32`` lets a GPU round the factors of products; else they are float32.
            options: further keyword arguments of each call.
        """
        self.network, self.options = network, dict(options or {})
        self.facts = facts or facts_of_code(network, name_of(network))
        self.device = torch.device(device)
        self.precision = "tf32" if precision == "tf32" else "float32"
        self.told_as: ToldAs = "keyword" if hears_told_sigma(network) else "nothing"
        self.white = 1
        if isinstance(network, nn.Module):
            network.to(self.device)
            if not isinstance(network, torch.fx.GraphModule):  # an exported one has no modes
                network.eval()

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.facts.title

    def telling(self, told_as: ToldAs, white: int = 1) -> FromCallable:
        """The same, told the noise level in another way.

        Args:
            told_as: ``argument``: the second one, a float; ``tensor``: the same as a tensor (B, 1, 1, 1).
            white: what the argument is for a noise level of 255: 1 or 255.
        """
        other = copy.copy(self)
        other.told_as, other.white = told_as, white
        other.facts = replace(self.facts, blind=told_as == "nothing")
        return other

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch (B, C, H, W) in one call; the output may be of any type and shape, which others check."""
        arguments: list[float | Tensor] = []
        options = self.options
        if self.told_as != "nothing":
            told_sigma = checked_told_sigma(told_sigma)
        if self.told_as in ("argument", "tensor"):
            level = checked_told_sigma(told_sigma) * self.white / 255
            arguments = [noisy.new_full((len(noisy), 1, 1, 1), level) if self.told_as == "tensor" else level]
        elif self.told_as == "keyword":
            options = {**options, TOLD_SIGMA: told_sigma}
        with float32_products(self.precision, self.device):
            output: Tensor = self.called(noisy, *arguments, **options)
        return output

    def called(self, noisy: Tensor, *arguments: float | Tensor, **options: Any) -> Any:
        """Call the network."""
        return self.network(noisy, *arguments, **options)


class FromArrays(FromCallable):
    """A function on single NumPy images, as those of scikit-image and OpenCV; also as a decorator.

    It is given float32 (H, W, 3), or (H, W) where :class:`PerChannel` is around it, and returns the same shape. It
    computes on the CPU.
    """

    def __init__(self, function: Callable[..., Any], facts: Facts | None = None, **options: Any) -> None:
        """
        Args:
            function: of one image; one that has a parameter ``told_sigma`` is told the noise level, 0-255 scale.
            facts: what tables say of it.
            options: further keyword arguments of each call.
        """
        super().__init__(function, facts, options=options)

    def called(self, noisy: Tensor, *arguments: float | Tensor, **options: Any) -> Any:
        """Call the function for each image."""
        outputs = []
        for image in noisy.permute(0, 2, 3, 1).numpy():
            given = np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image)
            output = self.network(given, *arguments, **options)
            if not isinstance(output, np.ndarray):
                raise UsaidError(f"{self.name}: returned {type(output).__name__}; FromArrays is for NumPy images")
            if output.shape != given.shape:
                raise UsaidError(f"{self.name}: returned shape {output.shape} for an image of {given.shape}")
            outputs.append(torch.from_numpy(np.ascontiguousarray(output).reshape(image.shape)))
        return torch.stack(outputs).permute(0, 3, 1, 2)


# ------------------------------------------------------------------------------------------------ conventions


class Adapter(Denoiser):
    """What is put around a denoiser, and is in all else as that."""

    def __init__(self, inner: Denoiser) -> None:
        """
        Args:
            inner: what denoises.
        """
        self.inner = inner
        self.facts = checked_facts(inner)
        self.device, self.precision = inner.device, inner.precision
        self.deviations, self.record = inner.deviations, inner.record

    def hears(self, told_sigma: float) -> float | None:
        """As the denoiser within."""
        return self.inner.hears(told_sigma)

    def asked(self, images: Tensor, told_sigma: float | None, white: int = 1) -> Tensor:
        """What the denoiser within makes of a batch (B, C, H, W): floats of (B, any C, H, W).

        Raises:
            UsaidError: it returns something else, which no adapter could mend.
        """
        output = checked_kind(self.facts.title, self.inner(images, told_sigma), white)
        if output.ndim != 4 or (len(output), *output.shape[2:]) != (len(images), *images.shape[2:]):
            raise wrong_shape(self.facts.title, output, images)
        return output


class NoiseMap(Adapter):
    """For a network that is told the noise level as a last, constant channel of its input (FFDNet, DRUNet)."""

    def __init__(self, inner: Denoiser, white: int = 1) -> None:
        """
        Args:
            inner: takes (B, C + 1, H, W), returns (B, C, H, W).
            white: of the network's images, 1 or 255: the map of noise level s, 0-255 scale, is s * white / 255.
        """
        super().__init__(inner)
        self.white = white
        self.facts = replace(self.facts, blind=False)

    def hears(self, told_sigma: float) -> float | None:
        """Any level."""
        return checked_told_sigma(told_sigma)

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch with its map."""
        told_sigma = checked_told_sigma(told_sigma)
        level = noisy.new_full((len(noisy), 1, *noisy.shape[2:]), told_sigma * self.white / 255)
        output: Tensor = self.inner(torch.cat([noisy, level], dim=1), told_sigma)
        return output


class ValueRange(Adapter):
    """For a network whose images have another white than 1: 255, and may come out in bytes."""

    def __init__(self, inner: Denoiser, white: int = 255) -> None:
        """
        Args:
            inner: takes and returns images of this white.
            white: 255.
        """
        super().__init__(inner)
        self.white = white

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch; what comes out is between 0 and 1 again."""
        return self.asked(noisy * self.white, told_sigma, self.white) / self.white


class PredictsNoise(Adapter):
    """For a network that returns the noise in its input."""

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Subtract the noise."""
        noise = self.asked(noisy.clone(), told_sigma)  # which may change what it is given
        if noise.shape != noisy.shape:
            raise wrong_shape(self.facts.title, noise, noisy)
        return noisy - noise


class PaddedTo(Adapter):
    """For a network whose images have sides that a number divides (8, 16, 64): padded by reflection, and cropped."""

    def __init__(self, inner: Denoiser, divisible_by: int) -> None:
        """
        Args:
            inner: takes such images.
            divisible_by: the number.
        """
        super().__init__(inner)
        self.divisible_by = divisible_by

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch of any size."""
        height, width = noisy.shape[2:]
        sides = [-(-side // self.divisible_by) * self.divisible_by for side in (height, width)]
        return self.asked(reflected(noisy, *sides), told_sigma)[:, :, :height, :width]


class PerChannel(Adapter):
    """For a network of grey images: each colour channel is an image of its own."""

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch (B, C, H, W) as (B * C, 1, H, W)."""
        grey = noisy.reshape(-1, 1, *noisy.shape[2:])
        output = self.asked(grey, told_sigma)
        if output.shape != grey.shape:
            raise wrong_shape(self.facts.title, output, grey)
        return output.reshape(noisy.shape)


# ------------------------------------------------------------------------------------------------ sizes


class Tiled(Adapter):
    """For images that are too large for a network's memory: denoised in overlapping tiles.

    All tiles have the same size, but along a side that is shorter than a tile. Each contributes what is further than
    ``overlap`` from its rim, unless the rim is the image's: exact for a network whose output depends on no pixel
    further away than that. At most a batch of tiles is in the network at once.
    """

    def __init__(self, inner: Denoiser, tile: int | tuple[int, int], overlap: int = 32) -> None:
        """
        Args:
            inner: takes images of the size of a tile, and smaller ones.
            tile: its side in pixels, or height and width.
            overlap: pixels that a tile sees beyond what it contributes, on each side.

        Raises:
            UsaidError: a tile is all overlap.
        """
        super().__init__(inner)
        self.tile = (tile, tile) if isinstance(tile, int) else tile
        self.overlap = overlap
        if min(self.tile) <= 2 * overlap:
            raise UsaidError(f"tile = {min(self.tile)} is all overlap; give more than {2 * overlap} pixels")

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch of any size."""
        height, width = noisy.shape[2:]
        rows, columns = (self._parts(side, tile) for side, tile in zip((height, width), self.tile, strict=True))
        if len(rows) == len(columns) == 1:
            return self.asked(noisy, told_sigma)
        bands = []
        for row, top, bottom in rows:
            tiles = []
            for column, left, right in columns:
                tile = noisy[:, :, row : row + self.tile[0], column : column + self.tile[1]].contiguous()
                output = self.asked(tile, told_sigma)
                tiles.append(output[:, :, top - row : bottom - row, left - column : right - column].clone())
            bands.append(torch.cat(tiles, dim=3))
        return torch.cat(bands, dim=2)

    def _parts(self, side: int, tile: int) -> list[tuple[int, int, int]]:
        """Of each tile along a side: where it starts, and from where to where it contributes."""
        if side <= tile:
            return [(0, 0, side)]
        starts = starts_of_patches(side, tile, tile - 2 * self.overlap)
        seams = [0, *(start + self.overlap for start in starts[1:]), side]
        return list(zip(starts, seams, seams[1:], strict=False))


class FixedSize(Adapter):
    """For a network that takes one size only: of images (smaller ones padded, larger ones tiled) and of batches."""

    def __init__(
        self, inner: Denoiser, height: int | None = None, width: int | None = None, batch: int | None = None
    ) -> None:
        """
        Args:
            inner: takes such batches.
            height: in pixels; None: any.
            width: in pixels; None: any.
            batch: images; None: any number.
        """
        super().__init__(inner)
        self.height, self.width, self.batch = height, width, batch

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch of any size."""
        height, width = noisy.shape[2:]
        tile = self.height or height, self.width or width
        padded = reflected(noisy, max(height, tile[0]), max(width, tile[1]))
        overlap = min(32, *((side - 1) // 4 for side in tile))
        output = Tiled(_InBatchesOf(self.inner, self.batch), tile, overlap)(padded, told_sigma)
        return output[:, :, :height, :width]


class _InBatchesOf(Adapter):
    """For a network that takes a number of images only; the last batch is filled up."""

    def __init__(self, inner: Denoiser, size: int | None) -> None:
        super().__init__(inner)
        self.size = size

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        if self.size is None:
            return self.asked(noisy, told_sigma)
        outputs = []
        for part in noisy.split(self.size):
            filled = torch.cat([part, part[-1:].expand(self.size - len(part), *part.shape[1:])])
            outputs.append(self.asked(filled, told_sigma)[: len(part)])
        return torch.cat(outputs)
