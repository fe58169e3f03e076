"""The network of MLP (Burger et al. 2012), and what networks of several noise levels are called together."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from usaid.errors import UsaidError


class MLP(nn.Module):
    """Maps noisy patches to the clean patches in their middle.

    H. C. Burger, C. J. Schuler and S. Harmeling, "Image denoising: can plain neural networks compete with BM3D?", CVPR
    2012: fully connected layers with tanh between them and a linear output. The default is the published network with
    27.8 million parameters: 55.6 MFLOP a patch (a multiplication and an addition are two).

    Attributes:
        input_side: side of the noisy patches in pixels.
        output_side: side of the clean patches in pixels.
        border: pixels of a noisy patch on each side of its clean patch.
    """

    def __init__(
        self, input_side: int = 39, hidden: Sequence[int] = (3072, 3072, 2559, 2047), output_side: int = 17
    ) -> None:
        """Make the layers.

        Args:
            input_side: side of the noisy patches in pixels.
            hidden: units of each hidden layer.
            output_side: side of the clean patches in pixels.

        Raises:
            UsaidError: a clean patch does not lie in the middle of a noisy one.
        """
        super().__init__()
        self.border = border_of(input_side, output_side, "MLP")
        self.input_side, self.output_side = input_side, output_side
        sizes = [input_side**2, *hidden, output_side**2]
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))

    def forward(self, patches: Tensor) -> Tensor:
        """Denoise a batch of patches.

        Args:
            patches: float (N, input_side**2), noisy, row by row, as :func:`normalised` gives them.

        Returns:
            float (N, output_side**2), clean, row by row, on the same scale.
        """
        features = patches
        for layer in self.layers[:-1]:
            features = torch.tanh(layer(features))
        return self.layers[-1](features)


def border_of(input_side: int, output_side: int, source: str) -> int:
    """Pixels between the edges of a noisy patch and of the clean patch in its middle.

    Raises:
        UsaidError: the clean patch is the larger one, or the border is no whole number; names ``source``.
    """
    if output_side > input_side or (input_side - output_side) % 2:
        patches = f"output patches of {output_side}x{output_side} and input patches of {input_side}x{input_side}"
        raise UsaidError(
            f"{source}: has {patches}; the sides must differ by 0, 2, 4, ..., the input's being the larger"
        )
    return (input_side - output_side) // 2


def normalised(image: Tensor) -> Tensor:
    """Values of a [0, 1] image on the scale that the network works on: mean and variance roughly 0 and 1."""
    return (image - 0.5) / 0.2


def denormalised(image: Tensor) -> Tensor:
    """The inverse of :func:`normalised`."""
    return image * 0.2 + 0.5


def as_one_module(models: Mapping[float, MLP]) -> nn.ModuleDict:
    """The models by their names in a file of weights."""
    return nn.ModuleDict({model_name(sigma): network for sigma, network in models.items()})


def model_name(sigma: float) -> str:
    """Name of a noise level's model: ``sigma25``, ``sigma12_5`` (names of modules hold no dots)."""
    return "sigma" + str(float(sigma)).removesuffix(".0").replace(".", "_")
