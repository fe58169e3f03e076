"""A method of scikit-image, which works on NumPy images and is told the noise level.

usaid evaluate examples/non_blind.py:wavelets --benchmark kodak_quality --data-root data --images 3
"""

import numpy as np
from skimage.restoration import denoise_wavelet

from usaid.denoisers.adapters import FromArrays


def shrink(image: np.ndarray, told_sigma: float) -> np.ndarray:
    """BayesShrink: float (H, W, 3), a [0, 1] image plus noise of ``told_sigma`` (0-255 scale), to the same shape."""
    return denoise_wavelet(image, sigma=told_sigma / 255, convert2ycbcr=True, rescale_sigma=True, channel_axis=-1)


wavelets = FromArrays(shrink)
