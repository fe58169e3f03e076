"""MLP (Burger et al. 2012): a network that denoises grey-scale patches, for one noise level each, as a baseline."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy.io import loadmat
from torch import Tensor, nn

from usaid.checkpoints import first_line, load_state, require_weights, stored_facts, write_weights
from usaid.denoisers.base import Denoiser, Facts, checked_told_sigma
from usaid.denoisers.dncnn.denoiser import PRECISIONS
from usaid.denoisers.sliding_window import starts_of_patches
from usaid.errors import UsaidError
from usaid.files import sha256_of_file

PATCHES_PER_CHUNK = 4096
"""Most patches that are denoised at once (3,072 hidden units hold 50 MB for them in float32)."""

AUTHORS_STRIDE = 3
"""Of the sliding window, in pixels."""

# ------------------------------------------------------------------------------------------------ the network


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


# ------------------------------------------------------------------------------------------------ files of weights


def write_models(models: Mapping[float, MLP], weights: Path, facts: Mapping[str, Any]) -> None:
    """Write the models of one or more noise levels as one safetensors file.

    Args:
        models: sigma (0-255 scale) -> network.
        weights: the file; its keys are ``sigma25.layers.0.weight`` or, for sigma 12.5, ``sigma12_5.layers.0.weight``.
        facts: JSON-able, about where the weights come from: ``origin`` is ``published`` or ``trained``.
    """
    write_weights(as_one_module(models), weights, facts)


def as_one_module(models: Mapping[float, MLP]) -> nn.ModuleDict:
    """The models by their names in a file of weights."""
    return nn.ModuleDict({model_name(sigma): network for sigma, network in models.items()})


def load_models(weights: str | Path) -> dict[float, MLP]:
    """Read a file that :func:`write_models` wrote; the sizes of the networks are read off the shapes.

    Returns:
        sigma (0-255 scale) -> network, in ascending order.

    Raises:
        UsaidError: as :func:`usaid.checkpoints.load_state`, or a key is missing, unknown, or of a wrong shape.
    """
    state = load_state(weights)
    numbers: dict[float, set[int]] = {}
    for key in state:
        sigma, number = _place_of(key, weights)
        numbers.setdefault(sigma, set()).add(number)
    if not numbers:
        raise UsaidError(f"{weights}: holds no weights; write the file again")
    models = {}
    for sigma in sorted(numbers):
        layers = {}
        for number in range(max(numbers[sigma]) + 1):
            name = f"{model_name(sigma)}.layers.{number}"
            for key in (f"{name}.weight", f"{name}.bias"):
                if key not in state:
                    raise UsaidError(f"{weights}: key {key!r} is missing; write the file again")
            layers[name] = (state[f"{name}.weight"], state[f"{name}.bias"])
        models[sigma] = network_of(layers, weights)
    return models


def model_name(sigma: float) -> str:
    """Name of a noise level's model: ``sigma25``, ``sigma12_5`` (names of modules hold no dots)."""
    return "sigma" + str(float(sigma)).removesuffix(".0").replace(".", "_")


def _place_of(key: str, weights: str | Path) -> tuple[float, int]:
    """Sigma and number of the layer that a key belongs to."""
    found = re.fullmatch(r"sigma(\d+(?:_\d+)?)\.layers\.(\d+)\.(?:weight|bias)", key)
    if found is None:
        raise UsaidError(f"{weights}: key {key!r} does not belong to MLP; its keys are like 'sigma25.layers.0.weight'")
    return float(found[1].replace("_", ".")), int(found[2])


def network_of(layers: Mapping[str, tuple[Tensor, Tensor]], source: str | Path) -> MLP:
    """The network that has these layers; its sizes are read off their shapes.

    Args:
        layers: name in the file -> weight (outputs, inputs) and bias (outputs), from the first layer to the last.
        source: the file, for error messages.

    Raises:
        UsaidError: shapes that do not fit together, or patches that are not square or not centred.
    """
    for name, (weight, bias) in layers.items():
        if weight.ndim != 2 or bias.shape != weight.shape[:1]:
            shapes = f"a weight of shape {tuple(weight.shape)} and a bias of shape {tuple(bias.shape)}"
            raise UsaidError(f"{source}: {name!r} has {shapes}; MLP needs (outputs, inputs) and (outputs,)")
    for (before, (weight, _)), (name, (next_weight, _)) in pairwise(layers.items()):
        if len(weight) != next_weight.shape[1]:
            sizes = f"{name!r} has {next_weight.shape[1]} inputs, {before!r} before it {len(weight)} outputs"
            raise UsaidError(f"{source}: {sizes}; they must be as many")
    names, weights = list(layers), [weight for weight, _ in layers.values()]
    input_side = _side_of_square(weights[0].shape[1], f"{source}: {names[0]!r} has {weights[0].shape[1]} inputs")
    output_side = _side_of_square(len(weights[-1]), f"{source}: {names[-1]!r} has {len(weights[-1])} outputs")
    border_of(input_side, output_side, str(source))
    network = MLP(input_side, [len(weight) for weight in weights[:-1]], output_side)
    for layer, (weight, bias) in zip(network.layers, layers.values(), strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    return network.requires_grad_(False).eval()


def _side_of_square(pixels: int, found: str) -> int:
    side = math.isqrt(pixels)
    if pixels == 0 or side**2 != pixels:
        raise UsaidError(f"{found}, no square number of pixels; MLP works on square patches")
    return side


# ------------------------------------------------------------------------------------------------ the authors' files


def import_mlp(files: Mapping[str, Path], weights: Path, sha256: str | None = None) -> None:
    """Check the weights that an experiment names and write them as one file that :func:`load_models` reads.

    Args:
        files: sigma (0-255 scale, as text) that a model was trained at -> the authors' file; or "" -> a file of ours,
            which names its sigmas itself.
        weights: safetensors file to write.
        sha256: expected hash, if it is a single file.

    Raises:
        UsaidError: as :func:`read_mat` or :func:`load_models`, or an authors' file without its sigma.
    """
    if sha256 is not None:
        (single,) = files.values()
        require_weights(single, sha256)
    if "" not in files:
        return import_published({float(sigma): path for sigma, path in files.items()}, weights)
    if files[""].suffix == ".mat":
        raise UsaidError(f"{files['']}: does not say at which sigma it was trained; give {{sigma: file}}")
    write_models(load_models(files[""]), weights, stored_facts(files[""]))


def import_published(mat_files: Mapping[float, Path], weights: Path) -> None:
    """Convert the authors' published weights to a file that :func:`load_models` reads.

    Args:
        mat_files: sigma (0-255 scale) that a model was trained at -> its file, as :func:`read_mat` takes it.
        weights: safetensors file to write; names and SHA-256 of the sources are in its metadata.

    Raises:
        UsaidError: a sigma that is not above 0, or as :func:`read_mat`.
    """
    models = {checked_told_sigma(sigma): read_mat(path) for sigma, path in mat_files.items()}
    sources = {f"{sigma:g}": {"file": path.name, "sha256": sha256_of_file(path)} for sigma, path in mat_files.items()}
    write_models(models, weights, {"origin": "published", "sources": sources})


def read_mat(path: Path) -> MLP:
    """Read the weights that the authors published as a MATLAB file (version 5 to 7.2), without running code.

    Two toolboxes with the name ``fdenoiseNeural`` are theirs. That of the CVPR paper (March 2012) has one file for
    sigma 25, ``weights_cvpr.mat``: a cell array ``w`` of one matrix a layer, for patches that are read column by
    column. The later one (November 2012) has a file for each of a few sigmas, ``neuralweights_sig<sigma>.mat``:
    matrices ``w_1``, ``w_2``, ..., for patches that are read row by row. The last column of a matrix is the bias in
    both.

    Returns:
        The network, for patches that are read row by row.

    Raises:
        UsaidError: the file is missing or does not decode, has neither ``w`` nor ``w_1``, or has matrices that do not
            make a network.
    """
    require_weights(path)
    try:
        content = loadmat(path, appendmat=False)
    except Exception as error:  # a damaged file raises anything; their common base is Exception
        raise UsaidError(f"{path}: not a readable MATLAB file of version 5 to 7.2 ({first_line(error)})") from None
    by_column = "w" in content
    matrices = _cells(content["w"], path) if by_column else _numbered(content, path)
    layers = {}
    for name, matrix in matrices.items():
        if not isinstance(matrix, np.ndarray) or matrix.dtype.kind not in "fiu" or matrix.ndim != 2:
            raise UsaidError(f"{path}: {name!r} is no matrix of numbers; MLP needs one of shape (outputs, inputs + 1)")
        values = torch.from_numpy(np.array(matrix, np.float32))
        layers[name] = (values[:, :-1], values[:, -1:].flatten())
    network = network_of(layers, path)
    return _for_rows(network) if by_column else network


def _cells(cells: Any, path: Path) -> dict[str, Any]:
    if cells.dtype != object or cells.size == 0:
        raise UsaidError(f"{path}: 'w' is no cell array of one matrix a layer; fetch the authors' file again")
    return {f"w{{{number}}}": matrix for number, matrix in enumerate(cells.flat, start=1)}


def _numbered(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    names = [f"w_{number}" for number in range(1, len(content) + 1)]
    if names[0] not in content:
        raise UsaidError(f"{path}: holds neither 'w' nor 'w_1'; these are not the authors' weights")
    return {name: content[name] for name in names if name in content}


def _for_rows(network: MLP) -> MLP:
    """A network for patches that are read column by column, changed to one that reads them row by row."""
    inputs, outputs = (
        torch.arange(side**2).view(side, side).T.flatten() for side in (network.input_side, network.output_side)
    )
    state, last = network.state_dict(), f"layers.{len(network.layers) - 1}"
    state["layers.0.weight"] = state["layers.0.weight"][:, inputs]
    state[f"{last}.weight"], state[f"{last}.bias"] = state[f"{last}.weight"][outputs], state[f"{last}.bias"][outputs]
    network.load_state_dict(state)
    return network


# ------------------------------------------------------------------------------------------------ the denoiser


class MLPDenoiser(Denoiser):
    """MLPs for one or more noise levels as a denoiser: a sliding window over each of the channels by itself.

    As in the authors' code, the image is reflected at its borders, and every pixel is the mean of all output patches
    that hold it, weighted by a Gaussian window over the patch. The network knows grey-scale images only; a colour image
    is denoised channel by channel. On a GPU the patches are added in any order: the last bits differ from run to run.

    Attributes:
        models: sigma (0-255 scale) -> network that was trained at it.
    """

    def __init__(
        self,
        weights: str | Path,
        facts: Facts,
        device: torch.device | str = "cpu",
        precision: str = "float32",
        sigma_choice: Literal["nearest", "trained"] = "nearest",
        stride: int = AUTHORS_STRIDE,
    ) -> None:
        """Load and place the networks.

        Args:
            weights: file that :func:`write_models` or :func:`import_published` wrote.
            facts: of the method.
            device: where to compute.
            precision: ``float32``, or ``bfloat16`` for the network (the patches are averaged in float32).
            sigma_choice: a told sigma is answered by the model of the ``nearest`` sigma (of two, the larger), or has to
                be one that a model was ``trained`` at.
            stride: of the sliding window, in pixels; the authors' is 3, smaller is slower and slightly better.

        Raises:
            UsaidError: as :func:`load_models`, or a stride that leaves pixels out.
        """
        self.facts, self.device, self.dtype = facts, torch.device(device), PRECISIONS[precision]
        self.sigma_choice, self.stride = sigma_choice, stride
        self.models = {sigma: model.to(self.device, self.dtype) for sigma, model in load_models(weights).items()}
        smallest = min(model.output_side for model in self.models.values())
        if not 1 <= stride <= smallest:
            raise UsaidError(f"'stride' = {stride}: must be from 1 to {smallest}, the side of the MLP's output patch")
        self.deviations = [origin_of_weights(stored_facts(weights))]
        if stride != AUTHORS_STRIDE:
            self.deviations.append(f"MLP: a sliding window of stride {stride}; its authors' is {AUTHORS_STRIDE}")

    def hears(self, told_sigma: float | None) -> float:
        """The noise level of the model that a told one is answered by.

        Args:
            told_sigma: 0-255 scale.

        Returns:
            A key of ``models``.

        Raises:
            UsaidError: as :func:`usaid.denoisers.base.checked_told_sigma`, or no model was trained at this sigma and
                ``sigma_choice`` asks for one.
        """
        told = checked_told_sigma(told_sigma)
        if self.sigma_choice == "nearest":
            return min(self.models, key=lambda sigma: (abs(sigma - told), -sigma))
        if told not in self.models:
            trained = ", ".join(f"{sigma:g}" for sigma in self.models)
            raise UsaidError(f"told sigma = {told:g}: no MLP was trained at it, only at {trained}; see 'sigma_choice'")
        return told

    @torch.inference_mode()
    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        """Denoise a batch, as the base class says.

        Raises:
            UsaidError: as :meth:`hears`, or an image that is smaller than an output patch or than what is reflected.
        """
        model = self.models[self.hears(told_sigma)]
        batch, channels, height, width = noisy.shape
        if min(height, width) < (smallest := max(model.output_side, model.border + 1)):
            raise UsaidError(f"MLP: an image of {width}x{height} pixels is too small; it needs {smallest}x{smallest}")
        padded = F.pad(normalised(noisy), (model.border,) * 4, mode="reflect").flatten(0, 1).to(self.dtype)
        windows = padded.unfold(1, model.input_side, 1).unfold(2, model.input_side, 1)

        place: dict[str, Any] = {"device": self.device}
        starts = (starts_of_patches(size, model.output_side, self.stride) for size in (height, width))
        tops, lefts = (torch.tensor(numbers, **place) for numbers in starts)
        gaussian = gaussian_window(model.output_side).to(**place)
        pixels = torch.arange(model.output_side, **place)
        patch_weights, patch_pixels = gaussian.outer(gaussian).flatten(), (pixels[:, None] * width + pixels).flatten()

        weighted_sum = torch.zeros(noisy.numel(), **place)
        corners = torch.cartesian_prod(torch.arange(batch * channels, **place), tops, lefts)
        for chunk in corners.split(PATCHES_PER_CHUNK):
            image, top, left = chunk.unbind(1)
            denoised = model(windows[image, top, left].flatten(1)).float() * patch_weights
            first_pixel = (image * height + top) * width + left
            weighted_sum.index_add_(0, (first_pixel[:, None] + patch_pixels).flatten(), denoised.flatten())
        sum_of_weights = coverage(tops, gaussian, height).outer(coverage(lefts, gaussian, width))
        return denormalised(weighted_sum.view(noisy.shape) / sum_of_weights)


def gaussian_window(side: int) -> Tensor:
    """Weights of a patch's pixels along one of its sides: a Gaussian of standard deviation ``side // 2 / 2`` pixels.

    Returns:
        float32 (side,), symmetric; 1 in the middle of an odd side.
    """
    distance = torch.arange(side) - (side - 1) / 2
    deviation = max(side // 2, 1) / 2
    return torch.exp(-distance.square() / (2 * deviation**2))


def coverage(starts: Tensor, window: Tensor, size: int) -> Tensor:
    """Sum of the windows that begin at ``starts``, along one side of an image.

    The positions are a grid and the Gaussian is a product of its values down and across, and so is the sum over both.

    Returns:
        float32 (size,).
    """
    pixels = starts[:, None] + torch.arange(len(window), device=window.device)
    return torch.zeros(size, device=window.device).index_add_(0, pixels.flatten(), window.repeat(len(starts)))


def origin_of_weights(facts: Mapping[str, Any]) -> str:
    """One sentence, for the tables' footnotes, on where weights come from.

    Args:
        facts: what :func:`usaid.checkpoints.stored_facts` reads from their file.
    """
    if facts.get("origin") == "published":
        sigmas = ", ".join(facts["sources"])
        return f"MLP: the weights that its authors published for sigma {sigmas}; the paper does not say which it used"
    if facts.get("origin") == "trained":
        steps, batch, images = facts["steps"], facts["batch"], facts["n_images"]
        amount = f"{steps * batch:,} patches ({steps:,} steps of {batch}) of {images:,} images at each sigma"
        return f"MLP: trained by this suite, with Adam, on {amount}, not the weights that its authors published"
    return "MLP: weights of unknown origin"
