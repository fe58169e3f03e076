"""CBM3D (Dabov et al. 2007) through the ``bm3d`` package of its authors, which only non-commercial use may import."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from usaid.cards import Facts
from usaid.denoisers.base import Denoiser, checked_told_sigma
from usaid.errors import UsaidError

OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0, -1 / 2], [1 / 4, -1 / 2, 1 / 4]])
"""RGB -> luminance and two colour differences, as in the package."""
CONSTANT = 1e-6
"""A channel that varies by less, on the [0, 1] scale, is the same everywhere; the package divides by its range."""
SMALLEST_SIDE = 9
"""In pixels; the package's blocks are 8x8, and it crashes on an image of a single block."""


def bm3d_package() -> Any:
    """The ``bm3d`` module: the one place where the suite imports it, since its licence forbids commercial use.

    Raises:
        UsaidError: it is not installed.
    """
    try:
        import bm3d
    except ImportError as error:
        cure = "pip install 'usaid[bm3d]' (its licence allows non-commercial use only)"
        raise UsaidError(f"method 'cbm3d' needs the package bm3d ({error}): {cure}") from None
    return bm3d


class CBM3DDenoiser(Denoiser):
    """Colour block-matching and 3-D filtering in the opponent colour space, non-blind.

    K. Dabov, A. Foi, V. Katkovnik and K. Egiazarian, "Color image denoising via sparse 3D collaborative filtering with
    grouping constraint in luminance-chrominance space", ICIP 2007. The package is its authors'. It can also
    reckon with the correlation between overlapping blocks (Y. Mäkinen, L. Azzari and A. Foi, TIP 2020), which takes
    several times as long. With more than one thread it adds in any order: results differ by about 1e-6 from run to
    run.

    Where a channel of the opponent space is the same everywhere, as in a grey image, the others are denoised and it
    stays as it is; an image of one colour is returned as it is.
    """

    def __init__(self, facts: Facts, variances: Literal["classic", "exact"] = "classic", step: int = 3) -> None:
        """Choose the profile; all but the variances is the package's default.

        Args:
            facts: of the method.
            variances: of the transformed groups: ``classic``, those of white noise in blocks that do not overlap, as in
                2007 (the package's ``nf = 0``, ``k = 0``), or ``exact``, as in 2020 (the package's default).
            step: pixels from one reference block to the next, at most a block's side, 8; 3 as published.

        Raises:
            UsaidError: the package is not installed, or no such variances or step.
        """
        if variances not in ("classic", "exact"):
            raise UsaidError(f"CBM3D: variances = {variances!r}: must be one of classic, exact")
        if not (isinstance(step, int) and 1 <= step <= 8):
            raise UsaidError(f"CBM3D: step = {step!r}: must be a whole number from 1 to 8, pixels between blocks")
        self.facts = facts
        self.package = bm3d_package()
        self.profile = self.package.BM3DProfile()
        self.profile.num_threads = torch.get_num_threads()
        self.profile.step_ht = self.profile.step_wiener = step
        if step != 3:
            self.deviations = [*self.deviations, f"CBM3D with a step of {step} pixels between blocks, not 3"]
        if variances == "classic":
            self.profile.nf = self.profile.k = 0
        else:
            exact = "CBM3D with the exact variances of 2020, which the paper cannot have used"
            self.deviations = [*self.deviations, exact]

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        sigma = checked_told_sigma(told_sigma) / 255
        height, width = noisy.shape[2:]
        if min(height, width) < SMALLEST_SIDE:
            smallest = f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
            raise UsaidError(f"CBM3D: an image of {width}x{height} pixels is too small; it needs {smallest}")
        images = noisy.permute(0, 2, 3, 1).double().cpu().numpy()
        denoised = [torch.from_numpy(self._denoised(image, sigma)) for image in images]
        result = torch.stack(denoised).permute(0, 3, 1, 2).to(noisy)
        if not result.isfinite().all():
            raise UsaidError("CBM3D: the result is not finite")
        return result

    def _denoised(self, image: np.ndarray, sigma: float) -> np.ndarray:
        """Denoise float64 (H, W, 3); all on the [0, 1] scale."""
        opponent = image @ OPPONENT.T
        varying = np.flatnonzero(np.ptp(opponent, axis=(0, 1)) > CONSTANT)
        if len(varying) == 3:
            return self.package.bm3d_rgb(image, sigma, self.profile)
        if len(varying) == 0:
            return image
        channels = opponent[..., varying]
        low, extent = channels.min(axis=(0, 1)), np.ptp(channels, axis=(0, 1))
        deviations = np.sqrt(np.diag(OPPONENT @ _covariance(image) @ OPPONENT.T))[varying] * sigma
        scaled = self.package.bm3d(np.squeeze((channels - low) / extent), np.squeeze(deviations / extent), self.profile)
        change = scaled.reshape(channels.shape) * extent + low - channels
        return image + change @ np.linalg.inv(OPPONENT)[:, varying].T


def _covariance(image: np.ndarray) -> np.ndarray:
    """Covariance (3, 3) of the noise of (H, W, 3), for sigma 1: channels that differ by a constant have the same noise.

    A channel that is the same everywhere has none.
    """
    differences = image[..., :, None] - image[..., None, :]
    same = np.ptp(differences, axis=(0, 1)) <= CONSTANT
    varying = np.ptp(image, axis=(0, 1)) > CONSTANT
    return (same & varying[:, None] & varying).astype(float)
