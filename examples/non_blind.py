"""A method of scikit-image, which takes NumPy images one by one and is told the noise level.

usaid evaluate examples/non_blind.py:non_local_means --benchmark kodak_quality --data-root data --images 3
"""

import numpy as np
from skimage.restoration import denoise_nl_means

from usaid.denoisers.adapters import FromArrays


@FromArrays
def non_local_means(image: np.ndarray, told_sigma: float) -> np.ndarray:
    """Float (H, W, 3), a [0, 1] image plus noise of ``told_sigma`` (0-255 scale), to the same shape."""
    sigma = told_sigma / 255
    return denoise_nl_means(image, patch_size=5, patch_distance=6, h=0.6 * sigma, sigma=sigma, channel_axis=-1)
