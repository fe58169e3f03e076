"""What image quality costs: metrics of whole images."""

from evaluators.quality.settings import QualitySettings
from usaid.costs import Cost


def cost(settings: QualitySettings, n_images: int) -> Cost:
    """PSNR, SSIM, NIQE, and further metrics, each counted like NIQE."""
    further = {"niqe": 1e-6 * (1 + len(settings.further_metrics))}
    return Cost(pixel={"psnr and ssim": 1e-6, **further}, memory=300)
