"""Networks in files that hold the code as well as the weights, and say which shapes they take."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from usaid.denoisers.adapters import FixedSize, FromCallable
from usaid.denoisers.facts import DerivedFacts
from usaid.errors import UsaidError


class FromFile(FromCallable):
    """A network out of a file, called with the shapes that it takes: images of one size are padded to it, or tiled.

    Attributes:
        shape: batch, channels, height and width that it takes; None: any.
        inputs: how many it has, the images included.
    """

    facts = DerivedFacts("network", deep_learning=True)

    def __init__(
        self,
        path: str | Path,
        network: Callable[..., Any],
        shape: Sequence[int | None] = (None, None, None, None),
        inputs: int | None = None,
        device: torch.device | str = "cpu",
        precision: str = "float32",
    ) -> None:
        """
        Args:
            path: the file.
            network: what it holds.
            shape: of its first input.
            inputs: how many it has; None: that is not known.
            device: where its input has to be.
            precision: as :class:`FromCallable` has it.

        Raises:
            UsaidError: it takes no batches of images.
        """
        if len(shape) != 4:
            raise UsaidError(f"{path}: takes {len(shape)} dimensions; export it for (images, channels, height, width)")
        super().__init__(network, self.facts, device, precision)
        self.path, self.shape, self.inputs = path, tuple(shape), inputs

    @property
    def name(self) -> str:
        """The file."""
        return str(self.path)

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch of any size."""
        batch, channels, height, width = self.shape
        if channels is not None and channels != noisy.shape[1]:
            raise self._wrong_channels(channels, noisy.shape[1])
        if self.inputs is not None and self.inputs != 1 + (self.told_as in ("argument", "tensor")):
            cure = (
                "told_as argument, if the second is the noise level (or tensor)"
                if self.inputs == 2
                else "export it with one"
            )
            raise UsaidError(
                f"{self.path}: has {self.inputs} inputs, and is given {2 if self.inputs == 1 else 1}; {cure}"
            )
        if batch is height is width is None:
            return super().__call__(noisy, told_sigma)
        of_one_size = copy.copy(self)
        of_one_size.shape = (None, channels, None, None)
        return FixedSize(of_one_size, height, width, batch)(noisy, told_sigma)

    def _wrong_channels(self, takes: int, given: int) -> UsaidError:
        cures = {
            1: "say channels grey: each colour channel by itself",
            3: f"drop {'told_as map' if given > 3 else 'channels grey'}",
            given + 1: "say told_as map, if the last is a noise map",
        }
        cure = cures.get(takes, "export a network of colour images")
        return UsaidError(f"{self.path}: takes {takes} channels, and is given {given}; {cure}")


def level_told(told: float | Tensor) -> float:
    """The noise level that a network is told, whether it comes as a number or as a tensor of equal ones."""
    return float(torch.as_tensor(told).flatten()[0])


def shape_of_level(shape: Sequence[int | str | None], images: int) -> list[int]:
    """The shape of a noise level for an input of any number of dimensions; a first dynamic one counts images."""
    sides = [side if isinstance(side, int) else 1 for side in shape]
    return [images, *sides[1:]] if shape and not isinstance(shape[0], int) else sides
