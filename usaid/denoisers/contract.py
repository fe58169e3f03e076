"""What the output of a denoiser has to be, whoever wrote it; checked on every batch."""

import torch
from torch import Tensor

from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError, is_signal, reason_of


def denoised(name: str, denoiser: Denoiser, noisy: Tensor, told_sigma: float | None = None) -> Tensor:
    """Denoise a batch and check what comes back.

    Args:
        name: of the denoiser, for errors.
        denoiser: what denoises. It gets a copy, which it may change.
        noisy: float32 (B, 3, H, W), a [0, 1] image plus unclipped noise, on the denoiser's device.
        told_sigma: noise level on the 0-255 scale that a non-blind method is told.

    Returns:
        float32 (B, 3, H, W), finite, on the device of ``noisy``.

    Raises:
        UsaidError: the denoiser fails, or its output is no tensor, of another shape or on another device, not of a
            float type or not finite; names the denoiser.
    """
    output, is_finite = denoised_if_finite(name, denoiser, noisy, told_sigma)
    if not bool(is_finite.all()):
        raise not_finite(name)
    return output


def denoised_if_finite(
    name: str, denoiser: Denoiser, noisy: Tensor, told_sigma: float | None = None
) -> tuple[Tensor, Tensor]:
    """As :func:`denoised`, but no GPU is waited for: whether the output is finite is a bool (B,) on its device.

    Whoever calls it has to raise :func:`not_finite` if it is not.
    """
    try:
        with torch.no_grad():
            output = denoiser(noisy.clone(), told_sigma=told_sigma)
    except UsaidError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        if is_signal(error):
            raise
        raise UsaidError(f"{name}: {reason_of(error)}") from error
    if not isinstance(output, Tensor):
        raise UsaidError(f"{name}: returned {type(output).__name__}; a denoiser returns a torch tensor")
    if output.shape != noisy.shape:
        shapes = f"{tuple(output.shape)} for a batch of {tuple(noisy.shape)}"
        raise UsaidError(f"{name}: returned shape {shapes}; a denoiser returns the shape that it is given")
    if not output.is_floating_point():
        raise UsaidError(f"{name}: returned {output.dtype}; a denoiser returns floats, a [0, 1] image")
    if output.device != noisy.device:
        raise UsaidError(f"{name}: returned a tensor on {output.device}, not {noisy.device}; move it there")
    output = output.detach().float()
    return output, torch.isfinite(output).flatten(1).all(1)


def not_finite(name: str) -> UsaidError:
    """What is said of a denoiser whose output holds NaN or infinity."""
    return UsaidError(f"{name}: returned values that are not finite (NaN or infinity)")
