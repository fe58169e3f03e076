"""NIQE, a no-reference image quality score: how far an image's local statistics lie from those of pristine photographs.

A. Mittal, R. Soundararajan and A. C. Bovik, "Making a 'completely blind' image quality analyzer", IEEE Signal
Processing Letters 20 (2013) 209-212. The paper's features are computed as pyiqa's ``niqe`` (0.1.16) computes them; the
calibration tests hold both side by side. Three names, which differ only in the pristine model that an image is
compared with: ``niqe_live`` (parameters of the authors' release), ``niqe_matlab`` (those of MATLAB's built-in ``niqe``;
pyiqa's convention, the features stay the same) and ``niqe_fitted`` (fitted by an experiment to its own clean images).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.io
import torch
from torch import Tensor

from usaid.errors import UsaidError
from usaid.files import written_atomically

BLOCK = 96
"""Side of a block in pixels at full resolution; half of it at half resolution (paper, section II-B)."""

FEATURES = 36
"""Features of a block: 18 at each of two scales (paper, section II-C)."""

_LUMA_WEIGHTS = tuple(float(np.float32(weight)) for weight in (0.299, 0.587, 0.114))
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
_WINDOW_WIDTH, _WINDOW_SIGMA = 7, 7 / 6
_BICUBIC_HALVING = (-0.01171875, -0.03515625, 0.11328125, 0.43359375)
"""Half of the 8 symmetric taps: half of Keys' cubic (a = -1/2) at the distances 1.75, 1.25, 0.75 and 0.25."""


@dataclass(frozen=True, eq=False)
class PristineModel:
    """Gaussian model of the features of sharp blocks of undistorted images.

    ``mean`` (36,) and ``covariance`` (36, 36) are float64; the first 18 features belong to full resolution.
    ``name`` is the name of the metric: ``niqe_live``, ``niqe_matlab`` or ``niqe_fitted``.
    """

    name: str
    mean: Tensor
    covariance: Tensor


def niqe(batch: Tensor, model: PristineModel) -> Tensor:
    """NIQE of each image (paper, equation 10); lower is better.

    Args:
        batch: float (B, 3, H, W), RGB; clamped to [0, 1] here. What exceeds multiples of 96 pixels at the right and at
            the bottom is not looked at.
        model: the pristine model to compare with.

    Returns:
        float64 (B,) on the batch's device. NaN where NIQE cannot be computed: with fewer than two blocks of 96x96
        pixels that have contrast there is no covariance (so NIQE cannot be computed on CIFAR's 32x32 images), and
        where the image holds NaN.
    """
    return niqe_of_statistics(niqe_statistics(batch), model).to(batch.device)


def niqe_statistics(batch: Tensor) -> Tensor:
    """What NIQE is computed from, on the batch's device, which is not waited for.

    Args:
        batch: as of :func:`niqe`.

    Returns:
        float64 (B, 37, 36): mean and, below it, covariance of the features; NaN where there is none.
    """
    mean, covariance = _mean_and_covariance(niqe_features(batch))
    is_number = ~batch.isnan().flatten(1).any(dim=1)[:, None, None]
    return torch.cat([mean[:, None], covariance], dim=1).where(is_number, torch.nan)


def niqe_of_statistics(statistics: Tensor, model: PristineModel) -> Tensor:
    """NIQE of the images that :func:`niqe_statistics` looked at, (B,) on the CPU: a few small matrices."""
    mean, covariance = statistics[:, 0].cpu(), statistics[:, 1:].cpu()
    computable = covariance.isfinite().all(dim=(1, 2))
    average = (model.covariance + covariance) / 2
    average = average.where(computable[:, None, None], torch.eye(FEATURES, dtype=torch.float64))
    difference = (model.mean - mean)[:, None]
    distance = difference @ torch.linalg.pinv(average, hermitian=True) @ difference.mT
    return distance.flatten().sqrt().where(computable, torch.nan)


def niqe_features(batch: Tensor) -> Tensor:
    """The 36 features of every block (paper, sections II-A to II-C).

    At each scale: shape and scale of the generalised Gaussian fitted to the normalised luminance, then shape, mean,
    left and right scale of the one fitted to its products with the horizontal, the vertical and the two diagonal
    neighbours.

    Args:
        batch: float (B, 3, H, W), RGB; clamped to [0, 1] here.

    Returns:
        float64 (B, H // 96 * (W // 96), 36), blocks in rows from the top left. Blocks without contrast have NaN.
    """
    return _features_and_sharpness(batch)[0]


def fit_pristine_model(images: Iterable[Tensor], sharpness_threshold: float = 0.75) -> PristineModel:
    """Fit a pristine model to undistorted images (paper, sections II-B and II-D).

    Args:
        images: float (3, H, W) each, RGB in [0, 1], of any sizes. Only blocks whose sharpness (mean local standard
            deviation) exceeds ``sharpness_threshold`` times that of the image's sharpest block are used.
        sharpness_threshold: the paper's 0.75.

    Returns:
        The model, named ``niqe_fitted``, on the CPU.

    Raises:
        UsaidError: fewer than 37 usable blocks; the covariance of the 36 features would be singular.
    """
    chosen = [torch.zeros(0, FEATURES, dtype=torch.float64)]
    for image in images:
        features, sharpness = _features_and_sharpness(image[None])
        if sharpness.numel():
            sharp = sharpness > sharpness_threshold * sharpness.max()
            chosen.append(features[sharp & ~features.isnan().any(dim=2)].cpu())
    blocks = torch.cat(chosen)
    if len(blocks) <= FEATURES:
        raise UsaidError(
            f"niqe_fitted: the images have {len(blocks)} sharp blocks of {BLOCK}x{BLOCK} pixels, "
            f"a pristine model needs {FEATURES + 1}; give more or larger images"
        )
    mean, covariance = _mean_and_covariance(blocks[None])
    return PristineModel("niqe_fitted", mean[0], covariance[0])


def save_pristine_model(path: str | Path, model: PristineModel) -> None:
    """Write a model as ``niqe_fitted`` is read, atomically (``.npz``, keys as in the LIVE parameters)."""
    with written_atomically(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, mu_pris_param=model.mean.numpy(), cov_pris_param=model.covariance.numpy())


def load_pristine_model(name: str, path: str | Path) -> PristineModel:
    """Read the pristine model of a variant of NIQE from its file.

    Args:
        name: ``niqe_live``: an ``.npz`` with ``mu_pris_param`` and ``cov_pris_param`` as in the authors' release;
            ``niqe_matlab``: a ``.mat`` with ``mu_prisparam`` and ``cov_prisparam`` as in MATLAB; ``niqe_fitted``: what
            :func:`save_pristine_model` wrote.
        path: the file.

    Raises:
        UsaidError: unknown name, or the file is missing or unreadable, lacks a key, or holds other shapes than 36 and
            36x36 or values that are not finite.
    """
    path = Path(path)
    if name not in _READERS:
        raise UsaidError(f"{name}: no such pristine model; choose from {', '.join(_READERS)}")
    fitted = name == "niqe_fitted"
    cure = "fit it to clean images first (fit_pristine_model)" if fitted else f"run: usaid data fetch {name}"
    if not path.is_file():
        what = "are missing" if not path.exists() else "are no file but a folder or device"
        raise UsaidError(f"{path}: the parameters of {name} {what}; {cure}")
    if path.stat().st_size > _MOST_BYTES:
        raise UsaidError(f"{path}: is too long for the parameters of {name}; {cure}")
    try:
        arrays = _READERS[name](path)
    except Exception as error:  # damaged files raise anything; their common base is Exception
        raise UsaidError(f"{path}: not readable as the parameters of {name} ({type(error).__name__}); {cure}") from None
    return _model_from_arrays(name, path, arrays, *_KEYS[name])


_MOST_BYTES = 1 << 18  # the parameters are 1,332 numbers; a packed file of this size expands to 300 MB at most


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in _KEYS["niqe_live"] if key in arrays}


def _read_mat(path: Path) -> dict[str, np.ndarray]:
    return dict(scipy.io.loadmat(path, variable_names=_KEYS["niqe_matlab"]))


_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    "niqe_live": _read_npz,
    "niqe_matlab": _read_mat,
    "niqe_fitted": _read_npz,
}
_KEYS = {
    "niqe_live": ("mu_pris_param", "cov_pris_param"),
    "niqe_matlab": ("mu_prisparam", "cov_prisparam"),
    "niqe_fitted": ("mu_pris_param", "cov_pris_param"),
}
"""Names of mean and covariance in the file of each."""


def _model_from_arrays(
    name: str, path: Path, arrays: dict[str, np.ndarray], mean_key: str, covariance_key: str
) -> PristineModel:
    for key in (mean_key, covariance_key):
        if key not in arrays:
            raise UsaidError(f"{path}: holds no {key}; these are no parameters of {name}, fetch or fit them again")
        if not isinstance(arrays[key], np.ndarray) or arrays[key].dtype.kind not in "fiu":
            raise UsaidError(f"{path}: {key} holds no real numbers; fetch or fit the parameters of {name} again")
    mean, covariance = np.squeeze(arrays[mean_key]), arrays[covariance_key]
    if mean.shape != (FEATURES,) or covariance.shape != (FEATURES, FEATURES):
        raise UsaidError(
            f"{path}: {mean_key} has shape {mean.shape} and {covariance_key} {covariance.shape}, "
            f"expected ({FEATURES},) and ({FEATURES}, {FEATURES}); fetch or fit them again"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise UsaidError(f"{path}: holds values that are not finite; fetch or fit the parameters again")
    if not np.allclose(covariance, covariance.T):
        raise UsaidError(f"{path}: {covariance_key} is not symmetric, so no covariance; fetch or fit them again")
    return PristineModel(
        name, torch.from_numpy(mean.astype(np.float64)), torch.from_numpy(covariance.astype(np.float64))
    )


def _features_and_sharpness(batch: Tensor) -> tuple[Tensor, Tensor]:
    """Features (B, blocks, 36) and sharpness (B, blocks) of every block."""
    rows, columns = batch.shape[2] // BLOCK, batch.shape[3] // BLOCK
    if rows * columns == 0:
        empty = batch.new_zeros(len(batch), 0, FEATURES, dtype=torch.float64)
        return empty, empty[..., 0]
    batch = batch[:, :, : rows * BLOCK, : columns * BLOCK]
    images_at_once = 1 if batch.device.type == "cpu" else len(batch)  # what fits the CPU's cache
    features, sharpness = zip(*map(_features_of_whole_blocks, batch.split(images_at_once)), strict=True)
    return torch.cat(features), torch.cat(sharpness)


def _features_of_whole_blocks(batch: Tensor) -> tuple[Tensor, Tensor]:
    """As :func:`_features_and_sharpness`, of images whose sides are multiples of 96."""
    luma = _luma(batch)
    normalised, deviation = _normalised(luma)
    normalised_half, _ = _normalised(_halved(luma))
    features = torch.cat(
        [_features(_blocks(normalised, BLOCK)), _features(_blocks(normalised_half, BLOCK // 2))], dim=2
    )
    return features, _blocks(deviation, BLOCK).mean(dim=(2, 3))


def _luma(batch: Tensor) -> Tensor:
    """RGB (B, 3, H, W) -> the Y of YIQ (B, H, W), float64, rounded to whole numbers from 0 to 255.

    Intermediate sums are kept in float32, as a matrix product of float32 (pyiqa's) keeps them: this decides to which
    grey level values halfway between two go, about one pixel in a thousand of an 8-bit image. A few dozen pixels
    rounded the other way move the NIQE of a photograph by 0.002.
    """
    luma = torch.zeros_like(batch[:, 0])
    for weight, channel in zip(_LUMA_WEIGHTS, batch.clamp(0, 1).unbind(dim=1), strict=True):
        luma = (luma + channel.double() * weight).float()
    return luma.mul_(255).round_().double()


def _normalised(luma: Tensor) -> tuple[Tensor, Tensor]:
    """Mean-subtracted, contrast-normalised luminance and local deviation, (B, H, W) each (paper, equations 1 to 3)."""
    mean = _window_mean(luma)
    deviation = (_window_mean(luma.square()) - mean.square()).abs_().sqrt_()
    return (luma - mean).div_(deviation + 1), deviation


def _window_mean(image: Tensor) -> Tensor:
    """Weighted mean (B, H, W) over the Gaussian 7x7 window, border pixels repeated."""
    taps = _window_taps()
    reach = len(taps) // 2
    padded = torch.nn.functional.pad(image, (reach,) * 4, mode="replicate")
    return _filtered(_filtered(padded, taps, dim=1, stride=1), taps, dim=2, stride=1)


@cache
def _window_taps() -> tuple[float, ...]:
    """The 7 weights of the separable window.

    pyiqa rounds its 7x7 window to float32, after which the weights sum to 1 + 1.1e-8. That excess is kept here, since
    it decides the sign of the normalised luminance in areas of one grey level (clipped highlights, say). With a sum of
    exactly 1 rounding errors would decide it, and the features would depend on the processor and the order of sums.
    """
    distances = np.arange(_WINDOW_WIDTH) - _WINDOW_WIDTH // 2
    taps = np.exp(-(distances**2) / (2 * _WINDOW_SIGMA**2))
    taps /= taps.sum()
    excess = np.outer(taps, taps).astype(np.float32).sum(dtype=np.float64)
    return tuple((taps * math.sqrt(excess)).tolist())


def _halved(luma: Tensor) -> Tensor:
    """Images of even sides at half size, (B, H / 2, W / 2): MATLAB's ``imresize``, bicubic with antialiasing."""
    taps = _BICUBIC_HALVING + _BICUBIC_HALVING[::-1]
    for dim in (1, 2):
        size = luma.shape[dim]
        mirrored = torch.cat([luma.narrow(dim, 0, 3).flip(dim), luma, luma.narrow(dim, size - 3, 3).flip(dim)], dim=dim)
        luma = _filtered(mirrored, taps, dim, stride=2)
    return luma


def _filtered(image: Tensor, taps: tuple[float, ...], dim: int, stride: int) -> Tensor:
    """Weighted sums along one dimension, no padding: torch's float64 convolution takes several times as long."""
    reach = image.shape[dim] - len(taps) + 1
    views = [image.narrow(dim, first, reach) for first in range(len(taps))]
    if stride > 1:
        views = [view[:, ::stride] if dim == 1 else view[:, :, ::stride] for view in views]
    total = views[0] * taps[0]
    for view, tap in zip(views[1:], taps[1:], strict=True):
        total.add_(view, alpha=tap)
    return total


def _blocks(image: Tensor, side: int) -> Tensor:
    """(B, H, W), sides multiples of ``side`` -> (B, blocks, side, side)."""
    return image.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3).flatten(1, 2).contiguous()


def _features(blocks: Tensor) -> Tensor:
    """18 features (B, blocks, 18) of normalised blocks (B, blocks, side, side) (paper, section II-C)."""
    shape, left, right = _fitted_asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2]
    for shift in _NEIGHBOURS:
        shape, left, right = _fitted_asymmetric_gaussian(blocks * blocks.roll(shift, dims=(2, 3)))
        mean = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()  # equation 8
        features += [shape, mean, left, right]
    return torch.stack(features, dim=2)


def _fitted_asymmetric_gaussian(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Shape, left scale and right scale of the distribution of each block's values, by its moments (equations 4 to 7).

    Args:
        values: float64 (B, blocks, side, side).

    Returns:
        Three tensors (B, blocks). Without values on one side that side's scale is NaN, and the shape, which cannot be
        fitted, is the smallest of the table: MATLAB's and pyiqa's convention.
    """
    values = values.flatten(2)
    below, above = values.clamp(max=0), values.clamp(min=0)
    left_power, right_power = below.square().sum(dim=2), above.square().sum(dim=2)
    left_deviation = (left_power / (below < 0).sum(dim=2)).sqrt()
    right_deviation = (right_power / (above > 0).sum(dim=2)).sqrt()
    asymmetry = left_deviation / right_deviation
    ratio = (above.sum(dim=2) - below.sum(dim=2)).square() / values.shape[2] / (left_power + right_power)
    ratio = ratio * (asymmetry**3 + 1) * (asymmetry + 1) / (asymmetry**2 + 1) ** 2
    shape = _shape_of_ratio(ratio)
    scale = ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()
    return shape, left_deviation * scale, right_deviation * scale


def _shape_of_ratio(ratio: Tensor) -> Tensor:
    """The shape in the table 0.2, 0.201 ... 10 whose ratio of moments is nearest; 0.2 where the ratio is NaN."""
    shapes, ratios = _shape_table(ratio.device)
    above = torch.searchsorted(ratios, ratio.contiguous()).clamp(1, len(ratios) - 1)
    nearest = torch.where(ratio - ratios[above - 1] <= ratios[above] - ratio, above - 1, above)
    return shapes[nearest.masked_fill(ratio.isnan(), 0)]


@cache
def _shape_table(device: torch.device) -> tuple[Tensor, Tensor]:
    """Shapes a from 0.2 to 10 in steps of 0.001 and Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a)), which grows with a."""
    shapes = torch.arange(200, 10001, dtype=torch.float64) / 1000
    log_ratios = 2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)
    return shapes.to(device), log_ratios.exp().to(device)


def _mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (B, 36) and covariance (B, 36, 36, divisor n - 1) over blocks (paper, equation 9).

    As MATLAB's ``nanmean`` and ``nancov``: the mean of a feature leaves out its own NaN, the covariance leaves out
    blocks with any NaN. With fewer than two blocks left the covariance is NaN.
    """
    whole = ~features.isnan().any(dim=2, keepdim=True)
    count = whole.sum(dim=1, keepdim=True)
    centre = features.where(whole, 0).sum(dim=1, keepdim=True) / count
    deviations = (features - centre).where(whole, 0)
    covariance = deviations.mT @ deviations / (count - 1)
    return features.nanmean(dim=1), covariance.where(count > 1, torch.nan)
