"""NIQE under other conventions than ours: each is one field, and what is not changed is the suite's own function."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from evaluators.metrics import niqe as suite

BLOCK = suite.BLOCK

RGB2GRAY = (0.298936021293775, 0.587043074451121, 0.114020904255103)
"""MATLAB's weights of red, green and blue: the luma of ITU-R BT.601 with more digits."""

ANTIALIASED = (-0.01171875, -0.03515625, 0.11328125, 0.43359375)
_PLAIN_BICUBIC = (-0.0625, 0.5625, 0.5625, -0.0625)
"""Keys' cubic, a = -1/2, half-way between two pixels."""


@dataclass(frozen=True)
class Convention:
    """How NIQE is computed; the defaults are the suite's ``niqe_live``.

    Attributes:
        is_stored: the image is rounded to 8 bits first.
        is_transposed: width by height, as the released code hands images to MATLAB.
        weights: of red, green and blue; None: the suite's sums in float32.
        is_grey_rounded: to whole numbers from 0 to 255.
        white: what the brightest grey is; the constant in the contrast normalisation stays 1.
        halve: (B, H, W), even sides, to half size.
        padding: beyond the border, of the 7x7 Gaussian window: ``replicate``, ``reflect`` or ``constant`` (zeros).
        has_exact_window: its weights sum to 1, where the suite keeps an excess of 1.1e-8.
        is_cropped_last: windows see what lies beyond the last whole block.
        is_shifted_whole: neighbours' products reach over the borders of blocks.
        sharper_than: blocks count that are sharper than so much of the sharpest; 0: all blocks.
        has_whole_blocks_only: blocks with NaN are left out of the mean too, not of the covariance alone.
        divisor_less: the covariance of n blocks is divided by n less this.
        invert: of the mean of both covariances.
    """

    is_stored: bool = False
    is_transposed: bool = False
    weights: tuple[float, float, float] | None = None
    is_grey_rounded: bool = True
    white: float = 255.0
    halve: Callable[[Tensor], Tensor] = suite._halved
    padding: str = "replicate"
    has_exact_window: bool = False
    is_cropped_last: bool = False
    is_shifted_whole: bool = False
    sharper_than: float = 0.0
    has_whole_blocks_only: bool = False
    divisor_less: int = 1
    invert: Callable[[Tensor], Tensor] = torch.linalg.pinv

    @property
    def of_features(self) -> "Convention":
        """Those that have the same features of blocks have this in common."""
        own = Convention()
        return replace(
            self,
            sharper_than=own.sharper_than,
            has_whole_blocks_only=own.has_whole_blocks_only,
            divisor_less=own.divisor_less,
            invert=own.invert,
        )


def niqe_scores(image: Tensor, conventions: dict[str, Convention], model: suite.PristineModel) -> dict[str, float]:
    """NIQE of one float image (1, 3, H, W) by each convention; features that two share are computed once."""
    features_of = cache(lambda convention: features_and_sharpness(image, convention))
    return {
        name: distance(*features_of(convention.of_features), convention, model)
        for name, convention in conventions.items()
    }


def distance(features: Tensor, sharpness: Tensor, convention: Convention, model: suite.PristineModel) -> float:
    """NIQE of one image from its blocks: features (1, blocks, 36), sharpness (1, blocks)."""
    if convention.sharper_than > 0:
        features = features[:, sharpness[0] > convention.sharper_than * sharpness.max()]
    if convention.has_whole_blocks_only:
        features = features[:, ~features.isnan().any(dim=2)[0]]
    mean, covariance = suite._mean_and_covariance(features)
    n = int((~features.isnan().any(dim=2)).sum())
    if convention.divisor_less != 1:
        covariance = covariance * ((n - 1) / (n - convention.divisor_less))
    if not bool(covariance.isfinite().all()):
        return float("nan")
    difference = model.mean - mean
    inverse = convention.invert((model.covariance + covariance[0]) / 2)
    return float((difference @ inverse @ difference.mT).sqrt())


def features_and_sharpness(image: Tensor, convention: Convention) -> tuple[Tensor, Tensor]:
    """Features (1, blocks, 36) and sharpness (1, blocks) of one image (1, 3, H, W), clamped to [0, 1] here."""
    image = image.clamp(0, 1)
    if convention.is_stored:
        image = (image * 255).round() / 255
    if convention.is_transposed:
        image = image.mT
    height, width = (side // BLOCK * BLOCK for side in image.shape[2:])
    if not convention.is_cropped_last:
        image = image[:, :, :height, :width]
    grey = grey_of(image, convention)
    half = convention.halve(grey[:, : grey.shape[1] // 2 * 2, : grey.shape[2] // 2 * 2])
    parts = []
    for scale, plane in ((1, grey), (2, half)):
        normalised, deviation = normalised_and_deviation(plane, convention)
        normalised = normalised[:, : height // scale, : width // scale]
        parts.append(features_of_scale(normalised, BLOCK // scale, convention))
        if scale == 1:
            sharpness = suite._blocks(deviation[:, :height, :width], BLOCK).mean(dim=(2, 3))
    return torch.cat(parts, dim=2), sharpness


def grey_of(image: Tensor, convention: Convention) -> Tensor:
    """RGB (1, 3, H, W) in [0, 1] -> grey (1, H, W), float64, from 0 to ``white``."""
    if convention.weights is None and convention.is_grey_rounded:
        return suite._luma(image) * (convention.white / 255)
    weights = torch.tensor(convention.weights or suite._LUMA_WEIGHTS, dtype=torch.float64)
    grey = (image.double() * weights[:, None, None]).sum(dim=1) * 255
    return (grey.round() if convention.is_grey_rounded else grey) * (convention.white / 255)


def normalised_and_deviation(grey: Tensor, convention: Convention) -> tuple[Tensor, Tensor]:
    """Grey less its local mean, over its local deviation + 1; and this deviation: (1, H, W) each."""
    if convention.padding == "replicate" and not convention.has_exact_window:
        return suite._normalised(grey)
    mean, power = (window_mean(values, convention) for values in (grey, grey.square()))
    deviation = (power - mean.square()).abs().sqrt()
    return (grey - mean) / (deviation + 1), deviation


def window_mean(grey: Tensor, convention: Convention) -> Tensor:
    """Mean (1, H, W) by the 7x7 Gaussian window of sigma 7/6."""
    taps = np.array(suite._window_taps())
    if convention.has_exact_window:
        taps /= taps.sum()
    padded = torch.nn.functional.pad(grey[None], (len(taps) // 2,) * 4, mode=convention.padding)[0]
    weights = tuple(taps.tolist())
    return suite._filtered(suite._filtered(padded, weights, dim=1, stride=1), weights, dim=2, stride=1)


def features_of_scale(normalised: Tensor, side: int, convention: Convention) -> Tensor:
    """18 features (1, blocks, 18) of one scale."""
    if not convention.is_shifted_whole:
        return suite._features(suite._blocks(normalised, side))
    shape, left, right = suite._fitted_asymmetric_gaussian(suite._blocks(normalised, side))
    features = [shape, (left + right) / 2]
    for shift in suite._NEIGHBOURS:
        products = normalised * normalised.roll(shift, dims=(1, 2))
        shape, left, right = suite._fitted_asymmetric_gaussian(suite._blocks(products, side))
        mean = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
        features += [shape, mean, left, right]
    return torch.stack(features, dim=2)


# ------------------------------------------------------------------------------------------------ half size


def imresize_halved(grey: Tensor) -> Tensor:
    """MATLAB's bicubic ``imresize`` to half size, by its definition: weights of each output pixel, normalised.

    The kernel (Keys' cubic, a = -1/2) is stretched twofold against aliasing; pixels beyond the border are mirrored.
    """
    rows, columns = (_weights_of_imresize(size) for size in grey.shape[1:])
    return rows @ grey @ columns.mT


@cache
def _weights_of_imresize(size: int) -> Tensor:
    """(size / 2, size): what each output pixel takes of each input pixel."""
    weights = np.zeros((size // 2, size))
    for output in range(size // 2):
        centre = 2 * output + 0.5  # of the output pixel, in input pixels counted from 0
        inputs = np.arange(int(np.floor(centre - 4)), int(np.ceil(centre + 4)) + 1)
        own = _keys_cubic((inputs - centre) / 2)
        mirrored = np.where(inputs < 0, -1 - inputs, np.where(inputs >= size, 2 * size - 1 - inputs, inputs))
        np.add.at(weights[output], mirrored, own / own.sum())
    return torch.from_numpy(weights)


def _keys_cubic(distances: np.ndarray) -> np.ndarray:
    x = np.abs(distances)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def plain_halved(grey: Tensor) -> Tensor:
    """Bicubic interpolation at the centres of the output pixels, without antialiasing."""
    for dim in (1, 2):
        size = grey.shape[dim]
        padded = torch.cat([grey.narrow(dim, 0, 1), grey, grey.narrow(dim, size - 1, 1)], dim=dim)
        grey = suite._filtered(padded, _PLAIN_BICUBIC, dim, stride=2)
    return grey
