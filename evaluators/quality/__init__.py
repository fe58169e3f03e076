"""Image quality: PSNR and SSIM against the clean image, NIQE without it (Tables I, II, IV, VI)."""

from typing import Any

from usaid.cards import Benchmark

_SHARED: dict[str, Any] = {
    "judge": "evaluators.quality.judge:make_judge",
    "cost": "evaluators.quality.cost:cost",
    "settings": "evaluators.quality.settings:QualitySettings",
    "metrics": ("psnr", "ssim", "niqe"),
}

CARDS = (
    Benchmark("voc_quality", "voc2012", "val", **_SHARED),
    Benchmark("kodak_quality", "kodak", "all", **_SHARED),
)
