"""Checks of form: what a denoiser says of itself, and what it returns for which input."""

from contextlib import suppress

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from usaid.denoisers.adapters import FromCallable
from usaid.denoisers.check.finding import UNNAMED, Finding, reason
from usaid.denoisers.check.subject import SIDE, SIGMA, Subject, noisy_pictures
from usaid.denoisers.contract import checked_kind, cure_by_adapt, hint_of, refuse_8_bit_range, wrong_shape
from usaid.errors import UsaidError

ODD_SIZES = ((33, 47), (65, 63), (32, 32))
"""Height and width: odd, off by one from multiples of 8, 16, 32 and 64, and CIFAR's."""
OF_DIVISOR = {2: (34, 46), 4: (36, 52), 8: (40, 56), 16: (48, 80), 32: (96, 160), 64: (64, 192), 128: (128, 384)}
"""Divisor -> a height and a width that are multiples of it, and of no larger power of two."""


def check_facts(subject: Subject) -> Finding:
    """It says what tables need: a title, and whether it is blind."""
    facts = subject.facts
    if facts is None:
        cure = "facts = usaid.cards.Facts(title='Mine', blind=True, ...) in the class"
        return Finding("facts", "failed", "the class has no attribute 'facts'", cure)
    told = "it is told no noise level (blind)" if facts.blind else "it is told the noise level (not blind)"
    return Finding("facts", "ok", f"called {facts.title!r} in tables; {told}")


def check_output(subject: Subject) -> Finding:
    """Two pictures give a finite float tensor of their shape, and not of 8-bit range.

    Raises:
        UsaidError: what scoring says of an output, too.
    """
    noisy = noisy_pictures(2, SIDE, SIDE)
    try:
        with torch.no_grad():
            output = subject.raw(noisy.clone())
            alone = subject.raw(noisy[:1].clone())
    except (Exception, SystemExit) as error:
        return _of_exception(subject, noisy, error)
    output = checked_kind(UNNAMED, output)
    if output.shape != noisy.shape:
        raise wrong_shape(UNNAMED, output, noisy)
    if isinstance(alone, Tensor) and alone.shape != noisy[:1].shape:
        what = f"returns shape {tuple(alone.shape)} for a batch of one, {tuple(noisy[:1].shape)}"
        return Finding("output", "failed", what, "keep the batch as the first axis: no squeeze() of the output")
    if not bool(torch.isfinite(output).all()):
        share = 1 - float(torch.isfinite(output).float().mean())
        cure = "look for a division by 0, a square root or a logarithm of negative values; noisy values leave [0, 1]"
        return Finding("output", "failed", f"{share:.1%} of the output is NaN or infinite", cure)
    refuse_8_bit_range(UNNAMED, subject.denoiser, output.cpu().float(), noisy)
    if output.dtype != torch.float32:
        what = f"returns {output.dtype}, which the suite converts to float32"
        return Finding("output", "warning", what, "return output.float()")
    return Finding("output", "ok", f"float32, finite, shape {tuple(output.shape)} as given")


def _of_exception(subject: Subject, noisy: Tensor, error: BaseException) -> Finding:
    """What an exception for two pictures means: is it another for one, or for other channels?"""
    if _works(subject, noisy[:1]):
        what = f"takes one image, but not a batch of two: {reason(error)}"
        return Finding("output", "failed", what, "loop over the batch: torch.cat([f(image[None]) for image in noisy])")
    if _works(subject, noisy.mean(1, keepdim=True)):
        what = f"takes grey images only: {reason(error)}"
        return Finding("output", "failed", what, cure_by_adapt("channels", "grey"))
    if _works(subject, torch.cat([noisy, torch.full_like(noisy[:, :1], SIGMA / 255)], 1)):
        what = f"takes four channels: {reason(error)}"
        return Finding("output", "failed", what, f"if the fourth is the noise level: {cure_by_adapt('told_as', 'map')}")
    if cure := _cure_on_arrays(subject, noisy):
        return Finding("output", "failed", f"takes NumPy images: {reason(error)}", cure)
    if isinstance(error, AttributeError) and "numpy" in str(error):
        cure = "it is given a torch tensor (B, 3, H, W): noisy.numpy() is the array, torch.from_numpy leads back"
        return Finding("output", "failed", f"raises {reason(error)}", cure)
    return Finding("output", "failed", f"raises {reason(error)}", _cure_of_exception(error))


def _works(subject: Subject, noisy: Tensor) -> bool:
    try:
        with torch.no_grad():
            return isinstance(subject.raw(noisy.clone()), Tensor)
    except (Exception, SystemExit):
        return False


def _cure_on_arrays(subject: Subject, noisy: Tensor) -> str:
    """What makes a denoiser of a function that takes arrays, or Pillow's images; empty: it takes neither."""
    function = subject.denoiser.network if isinstance(subject.denoiser, FromCallable) else None
    if function is None or isinstance(function, torch.nn.Module):
        return ""
    image = noisy[0].permute(1, 2, 0).numpy()
    in_bytes = (image.clip(0, 1) * 255).round().astype(np.uint8)
    wrap = "put @FromArrays of usaid.denoisers.adapters above it"
    bytes_of = "np.uint8(image.clip(0, 1) * 255 + 0.5)"
    for given, cure in (
        (image, wrap),
        (in_bytes, f"{wrap}, and in it: {bytes_of}, for OpenCV [..., ::-1] (BGR), and / 255"),
        (
            Image.fromarray(in_bytes),
            f"{wrap}, and in it: Image.fromarray({bytes_of}), and np.asarray(...) / 255",
        ),
    ):
        with suppress(Exception, SystemExit):
            if np.shape(function(given)) == image.shape:
                return cure
    return ""


def _cure_of_exception(error: BaseException) -> str:
    if isinstance(error, TypeError) and "told_sigma" in str(error):
        return "the signature is __call__(self, noisy, told_sigma=None)"
    if isinstance(error, RuntimeError) and "same device" in str(error):
        return "move the network to the device that the constructor is given: network.to(device)"
    if hint := hint_of(reason(error)):
        return f"perhaps it is {hint}"
    return f"it is given float32 (2, 3, {SIDE}, {SIDE}) in [0, 1] plus noise; mend the line that is named"


def check_sizes(subject: Subject) -> Finding:
    """It takes images of any size."""
    failures = {size: error for size in ODD_SIZES if (error := _failure(subject, size))}
    if not failures:
        sizes = ", ".join(f"{width}x{height}" for height, width in ODD_SIZES)
        return Finding("sizes", "ok", f"takes {sizes}")
    (height, width), error = next(iter(failures.items()))
    what = f"fails at {width}x{height}: {reason(error)}"
    if list(failures) == [(32, 32)]:
        cure = f"only CIFAR's images are so small: pad them by reflection, e.g. {cure_by_adapt('divisible_by', 64)}"
        return Finding("sizes", "failed", what, cure)
    for divisor, size in OF_DIVISOR.items():
        if _failure(subject, size) is None:
            what += f"; works at {size[1]}x{size[0]}, multiples of {divisor}"
            return Finding("sizes", "failed", what, cure_by_adapt("divisible_by", divisor), {"divisible_by": divisor})
    cure = f"if it takes images of one size only: {cure_by_adapt('tile', SIDE)}; else mend the line that is named"
    return Finding("sizes", "failed", what, cure)


def _failure(subject: Subject, size: tuple[int, int]) -> UsaidError | None:
    try:
        subject(noisy_pictures(1, *size))
    except UsaidError as error:
        return error
    return None


def check_device(subject: Subject) -> Finding:
    """It computes on the device that was asked for. That its output is there, ``output`` and all others see."""
    own = getattr(subject.denoiser, "device", None)
    if not isinstance(own, torch.device):
        return Finding("device", "failed", f"its attribute 'device' is {own!r}", "self.device = torch.device(device)")
    if own.type != subject.wanted.type:
        cure = "let the constructor take 'device', keep self.device = torch.device(device), and move the network there"
        return Finding("device", "warning", f"computes on {own}, though {subject.wanted} was asked for", cure)
    untried = "" if own.type == "cuda" or torch.cuda.is_available() else "; no GPU here to try it on"
    return Finding("device", "ok", f"computes on {own}, and its output is there{untried}")


def check_gradients(subject: Subject) -> Finding:
    """It tracks no gradients where its caller switched them off, as the suite does."""
    with torch.no_grad():
        output = subject.raw(noisy_pictures(1, subject.side, subject.side))
    if isinstance(output, Tensor) and output.requires_grad:
        what = "its output carries a graph for gradients though its caller switched them off: memory grows"
        return Finding(
            "gradients", "warning", what, "return output.detach() where torch.enable_grad() is needed inside"
        )
    return Finding("gradients", "ok", "none are tracked where the caller switched them off")
