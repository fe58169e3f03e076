"""What the output of a denoiser has to be, whoever wrote it; checked on every batch."""

import re
from contextlib import chdir
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from torch import Tensor, nn

from usaid.denoisers.base import Denoiser
from usaid.errors import UsaidError, is_signal, reason_of
from usaid.own_files import place_of, plain


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
            float type, in 8-bit range or not finite; names the denoiser, and what its author can do.
    """
    output, is_finite = denoised_if_finite(name, denoiser, noisy, told_sigma)
    if not bool(is_finite.all()):
        raise not_finite(name)
    return output


def denoised_if_finite(
    name: str, denoiser: Denoiser, noisy: Tensor, told_sigma: float | None = None
) -> tuple[Tensor, Tensor]:
    """As :func:`denoised`, but no GPU is waited for: whether the output is finite is a bool (B,) on its device.

    Whoever calls it has to raise :func:`not_finite` if it is not. A denoiser's first output alone is waited for.
    """
    try:
        with torch.no_grad(), chdir("."):  # whatever it changes to, relative paths of ours stay what they are
            output = denoiser(noisy.clone(), told_sigma=told_sigma)
    except UsaidError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        if is_signal(error):
            raise
        raise _failure(name, error) from error
    output = checked_kind(name, output)
    if output.shape != noisy.shape:
        raise wrong_shape(name, output, noisy)
    if output.device != noisy.device:
        raise UsaidError(f"{name}: returned a tensor on {output.device}, not {noisy.device}; move it there")
    output = output.detach().float()
    refuse_8_bit_range(name, denoiser, output, noisy)
    return output, torch.isfinite(output).flatten(1).all(1)


def not_finite(name: str) -> UsaidError:
    """What is said of a denoiser whose output holds NaN or infinity."""
    return UsaidError(f"{name}: returned values that are not finite (NaN or infinity)")


# ------------------------------------------------------------------------------------------------ kind and shape


def checked_kind(name: str, output: Any, white: int = 1) -> Tensor:
    """See that what a denoiser returned is a tensor of floats; where white is 255, bytes become floats.

    Raises:
        UsaidError: it is something else; says what to do.
    """
    if not isinstance(output, Tensor):
        raise UsaidError(f"{name}: returned {_kind(output)}")
    if output.is_floating_point():
        return output
    if white == 255 and not output.is_complex() and output.dtype is not torch.bool:
        return output.float()
    of_bytes = ": divide by 255; if it is to be given 0-255, too: value_range 255" * (output.dtype is torch.uint8)
    raise UsaidError(f"{name}: returned {output.dtype}; return floats, black 0 and white 1{of_bytes}")


def _kind(output: Any) -> str:
    if output is None:
        return "None; end it with `return` and the denoised batch"
    if isinstance(output, np.ndarray):
        wrap = "wrap a function on arrays: usaid.denoisers.adapters.FromArrays(function)"
        return f"a NumPy array; return a torch tensor (torch.from_numpy), or {wrap}"
    if isinstance(output, nn.Module):
        made = type(output).__name__
        return f"a network ({made}): it makes one; write `network = ...()` below it, and name file.py:network"
    if isinstance(output, tuple | list | dict):
        return f"a {type(output).__name__} of {len(output)}; return the denoised batch alone"
    return f"{type(output).__name__}; return the denoised batch, a torch tensor"


def cure_by_adapt(key: str, value: object) -> str:
    """The cure that is a key of ``adapt``: as a flag, and in an experiment."""
    return f"--{key.replace('_', '-')} {value}, in an experiment adapt: {{{key}: {value}}}"


def wrong_shape(name: str, output: Tensor, noisy: Tensor) -> UsaidError:
    """What is said of an output that has not the shape of the input."""
    shapes = f"shape {tuple(output.shape)} for a batch of {tuple(noisy.shape)}"
    return UsaidError(f"{name}: returned {shapes}; {_cure_of_shape(output.shape, noisy.shape)}")


def _cure_of_shape(shape: torch.Size, given: torch.Size) -> str:
    batch, channels, height, width = given
    if shape == (batch, height, width, channels):
        return "the channels are last: output.permute(0, 3, 1, 2)"
    if len(shape) != 4 or shape[0] != batch:
        return "return the shape that is given, (images, channels, height, width): batch first, then channels"
    if shape[2:] == given[2:]:
        grey = f"; a network of grey images denoises each channel by itself: {cure_by_adapt('channels', 'grey')}"
        return f"return the {channels} channels of each image" + grey * (shape[1] == 1)
    if shape[2:] == (width, height):
        return "height comes before width: output.mT"
    cut = "convolutions with padding 0 cut the border off: padding='same', or pad by reflection before them"
    cure = cut if shape[2] < height else "crop what was padded: output[..., :height, :width]"
    return f"{cure}; a network that needs sides divisible by 8, say, is given them: {cure_by_adapt('divisible_by', 8)}"


# ------------------------------------------------------------------------------------------------ values

_IN_RANGE: "WeakValueDictionary[int, Denoiser]" = WeakValueDictionary()
"""Denoisers that have denoised an image to values that are not of 8-bit range, by ``id``: they need no hash."""

_TOO_BRIGHT = 2.0
"""A mean above it is no image in [0, 1], however bad its denoiser."""
_ALIKE = 0.5
"""Correlation with the input, and the factor by which brightness may differ, from which an output is its image."""


def refuse_8_bit_range(name: str, denoiser: Denoiser, output: Tensor, noisy: Tensor) -> None:
    """Refuse an output that is plainly its image, with white = 255; a bad denoiser's may have any values.

    Once a denoiser's output was in range, it is not looked at again.

    Raises:
        UsaidError: says what to do.
    """
    if _IN_RANGE.get(id(denoiser)) is denoiser:
        return
    bright = float(output.mean())
    if not bright > _TOO_BRIGHT:
        if float(noisy.mean()) > 2 * _TOO_BRIGHT / 255:  # a dark image would not tell
            _IN_RANGE[id(denoiser)] = denoiser
        return
    ratio = bright / 255 / max(float(noisy.mean()), 1e-6)
    both = torch.stack([output.flatten(), noisy.flatten()]).double()
    if _ALIKE < ratio < 1 / _ALIKE and float(torch.corrcoef(both)[0, 1]) > _ALIKE:
        values = f"values up to {float(output.max()):.4g} for an image of [0, 1]"
        raise UsaidError(f"{name}: returned {values}; divide it by 255")


# ------------------------------------------------------------------------------------------------ failures


_HINTS = (
    (re.compile(r"to have 1 channels?, but got 3"), "a network of grey images: channels grey"),
    (re.compile(r"to have 4 channels, but got 3"), "a network that is given a noise map: told_as map"),
    (
        re.compile(r"[Ss]izes? of tensor|must match the size"),
        "sides that have to be divisible, by 8 say: divisible_by 8",
    ),
    (
        re.compile(r"'float' object has no attribute|type 'Tensor' for argument|must be Tensor, not float"),
        "a network that is told the noise level as a tensor: told_as tensor",
    ),
    (
        re.compile(r"missing 1 required positional argument|is missing value for argument"),
        "a network that is told the noise level: told_as argument, or tensor",
    ),
    (
        re.compile(r"[Ii]nput type .* should be the same"),
        "a network of another type of floats than float32: give it network.float()",
    ),
    (
        re.compile(r"Guard failed|is invalid for input of size"),
        "a network of one size of images, or that knows a largest: tiles of it, as tile 256",
    ),
    (
        re.compile(
            r"not a numpy array|ndarray|'torch.dtype' object has|'Tensor' object has no attribute '(astype|copy)'"
        ),
        "a function on NumPy images: put @FromArrays of usaid.denoisers.adapters above it",
    ),
    (re.compile(r"out of memory|can't allocate memory", re.I), "large images in tiles: tile 512"),
)
"""What an exception's text may be cured by."""


def _failure(name: str, error: BaseException) -> UsaidError:
    """What is said of a denoiser that raises: what, where in its author's files, and what may help."""
    reason, place = _without_interpreter(plain(reason_of(error))), place_of(error)
    hint = f"; perhaps {found}" if (found := hint_of(reason)) else ""
    return UsaidError(f"{name}: {reason}" + (f" ({place})" if place else "") + hint)


def hint_of(reason: str) -> str:
    """What an exception's text may be cured by; empty: that is not known."""
    return next((hint for pattern, hint in _HINTS if pattern.search(reason)), "")


def _without_interpreter(reason: str) -> str:
    """A reason without the listing of code that TorchScript puts before it."""
    kind, listing, text = reason.partition("The following operation failed in the TorchScript interpreter.")
    return kind + re.split(r"\w+(?:Error|Exception): ", text)[-1] if listing else reason
