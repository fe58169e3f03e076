"""CBM3D (Dabov et al. 2007) through the ``bm3d`` package of its authors, which only non-commercial use may import."""

from typing import Any

import torch
from torch import Tensor

from usaid.denoisers.base import Denoiser, Facts, checked_told_sigma
from usaid.errors import UsaidError

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
    grouping constraint in luminance-chrominance space", ICIP 2007. The package is its authors' (4.x, "exact transform
    domain variance", TIP 2020), with its default profile; the paper's numbers are from their older MATLAB code. With
    more than one thread it adds in any order: results differ by about 1e-6 from run to run.
    """

    def __init__(self, facts: Facts) -> None:
        """Find the package.

        Raises:
            UsaidError: it is not installed.
        """
        self.facts = facts
        self.package = bm3d_package()
        self.profile = self.package.BM3DProfile()
        self.profile.num_threads = torch.get_num_threads()

    def __call__(self, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
        sigma = checked_told_sigma(told_sigma) / 255
        height, width = noisy.shape[2:]
        if min(height, width) < SMALLEST_SIDE:
            raise UsaidError(
                f"CBM3D: an image of {width}x{height} pixels is too small, give {SMALLEST_SIDE}x{SMALLEST_SIDE} at least"
            )
        images = noisy.permute(0, 2, 3, 1).double().cpu().numpy()
        denoised = [torch.from_numpy(self.package.bm3d_rgb(image, sigma, self.profile)) for image in images]
        return torch.stack(denoised).permute(0, 3, 1, 2).to(noisy)
