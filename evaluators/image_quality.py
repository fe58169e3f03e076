"""Full-reference image quality, as the authors computed it: PSNR and SSIM of denoised batches, on any device."""

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_WINDOW = 7
"""Side of SSIM's uniform window, scikit-image's default (PROTOCOL section 2)."""


def psnr_rgb_float(denoised: Tensor, clean: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over all pixels and channels, without rounding to 8 bit (PROTOCOL section 2).

    Args:
        denoised: float (B, 3, H, W); clamped to [0, 1] here.
        clean: same shape, values in [0, 1].

    Returns:
        float64 (B,) in dB for a data range of 1; infinite where the images are equal.
    """
    error = (denoised.clamp(0, 1) - clean).double().square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error)


def ssim_skimage7(denoised: Tensor, clean: Tensor) -> Tensor:
    """Structural similarity as scikit-image's ``structural_similarity`` computes it by default for RGB in [0, 1].

    Uniform 7x7 window, sample covariance (divided by 48), K1 = 0.01, K2 = 0.03, mean over windows that lie inside the
    image, then over channels (Wang et al. 2004; PROTOCOL section 2).

    Args:
        denoised: float (B, 3, H, W), H and W at least 7; clamped to [0, 1] here.
        clean: same shape, values in [0, 1].

    Returns:
        float64 (B,), at most 1.
    """
    x, y = denoised.clamp(0, 1).double(), clean.double()
    c1, c2 = 0.01**2, 0.03**2
    sample = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    variances = sample * (_window_mean(x * x + y * y) - mean_x * mean_x - mean_y * mean_y)
    covariance = sample * (_window_mean(x * y) - mean_x * mean_y)
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2)
    return (numerator / denominator).mean(dim=(1, 2, 3))


def _window_mean(images: Tensor) -> Tensor:
    """Mean over every 7x7 window inside the image: (B, C, H, W) -> (B, C, H - 6, W - 6)."""
    return F.avg_pool2d(F.avg_pool2d(images, (SSIM_WINDOW, 1), stride=1), (1, SSIM_WINDOW), stride=1)
