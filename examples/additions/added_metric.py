"""Two metrics: one that is computed here, and one that a judge gives."""

from torch import Tensor

from evaluators.metrics.psnr_ssim import require_same_shape
from usaid.cards import Convention, Metric

CARDS = (
    Metric("mae", "MAE", "", "lower", digits=3, conventions=(Convention("mae_float", "added_metric:mae_float"),)),
    Metric("brightness", "Brightness", "", "higher", digits=3, conventions=(Convention("brightness_mean"),)),
)


def mae_float(denoised: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute error of each image: float (B, 3, H, W) in [0, 1], twice -> (B,)."""
    require_same_shape(denoised, clean)
    return (denoised.clamp(0, 1) - clean).abs().mean(dim=(1, 2, 3))
