"""Full-reference quality of denoised images, PSNR and SSIM, as the authors computed them, on any device."""

import torch
from torch import Tensor

from usaid.errors import UsaidError

_SSIM_WINDOW = 7
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2

_ROWS_IN_CACHE, _PIXELS_IN_CACHE = 64, 1 << 17
"""What a CPU computes SSIM of at once: rows of a large plane, several small planes; float64, a dozen arrays of them."""


def psnr_rgb_float(denoised: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, as the paper's Tables I, VI, VIII and IX have it; higher is better.

    The denoised image is clamped to [0, 1] and not rounded to 8 bit; the error is averaged over the three channels
    together; the peak is 1.

    Args:
        denoised: float (B, 3, H, W).
        clean: float (B, 3, H, W) in [0, 1].

    Returns:
        float64 (B,) on the batch's device; infinite for identical images, NaN where the denoised image holds NaN.

    Raises:
        UsaidError: the two shapes differ.
    """
    require_same_shape(denoised, clean)
    error = (denoised.clamp(0, 1) - clean).flatten(1)
    root_mean_square = torch.linalg.vector_norm(error, dim=1, dtype=torch.float64) / error.shape[1] ** 0.5
    return -20 * root_mean_square.log10()


def ssim_skimage7(denoised: Tensor, clean: Tensor) -> Tensor:
    """Structural similarity as scikit-image's ``structural_similarity`` computes it by default; higher is better.

    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing 13 (2004) 600-612, equation 13; here with
    scikit-image's uniform 7x7 window and sample covariance (divisor 48), data range 1, K1 = 0.01, K2 = 0.03, averaged
    over the windows that lie inside the image and over the three channels. Computed in float64: in float32 the local
    variances of smooth bright areas are lost beside the squared means.

    Args:
        denoised: float (B, 3, H, W); clamped to [0, 1] here.
        clean: float (B, 3, H, W) in [0, 1].

    Returns:
        float64 (B,) on the batch's device; NaN where an image holds NaN.

    Raises:
        UsaidError: the two shapes differ, or a side is shorter than the window.
    """
    require_same_shape(denoised, clean)
    if min(clean.shape[2:]) < _SSIM_WINDOW:
        raise UsaidError(f"ssim_skimage7: images of {tuple(clean.shape[2:])} pixels are smaller than its 7x7 window")
    first, second = denoised.flatten(0, 1), clean.flatten(0, 1)
    windows_down, windows_across = (side - _SSIM_WINDOW + 1 for side in clean.shape[2:])
    planes, rows = len(first), windows_down
    if clean.device.type == "cpu":
        rows = min(rows, _ROWS_IN_CACHE)
        planes = max(1, _PIXELS_IN_CACHE // (clean.shape[3] * (rows + _SSIM_WINDOW - 1)))
    total = clean.new_zeros(len(first), dtype=torch.float64)
    for plane in range(0, len(first), planes):
        for row in range(0, windows_down, rows):
            part = slice(plane, plane + planes), slice(row, row + rows + _SSIM_WINDOW - 1)
            total[part[0]] += _sum_of_similarities(first[part].double().clamp(0, 1), second[part].double())
    return total.unflatten(0, clean.shape[:2]).mean(dim=1) / (windows_down * windows_across)


def require_same_shape(denoised: Tensor, clean: Tensor) -> None:
    """See that a metric compares images of one shape.

    Raises:
        UsaidError: the two shapes differ.
    """
    if denoised.shape != clean.shape:
        raise UsaidError(
            f"denoised images have shape {tuple(denoised.shape)}, clean ones {tuple(clean.shape)}; "
            "a denoiser returns the shape that it is given"
        )


def _sum_of_similarities(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of all windows of float64 planes (N, H, W), summed: (N,)."""
    size = _SSIM_WINDOW**2
    first_mean, second_mean = _window_sum(first) / size, _window_sum(second) / size
    mean_product, mean_power = first_mean * second_mean, first_mean.square() + second_mean.square()
    covariance = (_window_sum(first * second) - size * mean_product) / (size - 1)
    variances = (_window_sum(first.square() + second.square()) - size * mean_power) / (size - 1)
    similarity = (2 * mean_product + _SSIM_C1) * (2 * covariance + _SSIM_C2)
    return (similarity / (mean_power + _SSIM_C1) / (variances + _SSIM_C2)).sum(dim=(1, 2))


def _window_sum(planes: Tensor) -> Tensor:
    """Sums (N, H - 6, W - 6) over 7x7 windows; four additions a dimension, 7 = 4 + 2 + 1."""
    for dim in (1, 2):
        reach = planes.shape[dim]
        pairs = planes.narrow(dim, 0, reach - 1) + planes.narrow(dim, 1, reach - 1)
        fours = pairs.narrow(dim, 0, reach - 3) + pairs.narrow(dim, 2, reach - 3)
        sevens = fours.narrow(dim, 0, reach - 6) + pairs.narrow(dim, 4, reach - 6)
        planes = sevens.add_(planes.narrow(dim, 6, reach - 6))
    return planes
