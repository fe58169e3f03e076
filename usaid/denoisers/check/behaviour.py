"""Checks of behaviour: what an output depends on, and what a call changes."""

import torch

from usaid.denoisers.adapters import FromCallable
from usaid.denoisers.check.finding import Finding, Status
from usaid.denoisers.check.subject import (
    GRAVE,
    SIGMA,
    Subject,
    noisy_pictures,
    random_numbers_kept,
    settings_of_process,
    states_of_random_numbers,
)
from usaid.denoisers.contract import cure_by_adapt
from usaid.denoisers.facts import parameters_of

TOLERANCE = 1e-4
"""Largest difference of values in [0, 1] that sums in another order make."""
TOLD = (15.0, 50.0)
"""Two noise levels that are no truth, 0-255 scale."""
HARDLY = 0.005
"""Largest difference between outputs told these two that no denoiser shows which takes them for what they are."""


def _largest(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


def _closely(difference: float) -> str:
    return f"to {difference:.0e}: sums in another order" if difference else "bit by bit"


def check_batch(subject: Subject) -> Finding:
    """An image alone comes out as in a batch."""
    noisy = noisy_pictures(3, subject.side, subject.side)
    batch = subject(noisy)
    alone = torch.cat([subject(noisy[number : number + 1]) for number in range(len(noisy))])
    difference = _largest(batch, alone)
    values = {"difference": difference}
    if difference <= TOLERANCE:
        return Finding("batch", "ok", f"an image alone is as in a batch, {_closely(difference)}", values=values)
    what = f"an image changes by up to {difference:.3f} with the others of its batch"
    return Finding("batch", "failed", what, _eval(subject) or "use no statistics of the batch, image by image", values)


def check_repeats(subject: Subject) -> Finding:
    """The same input gives the same output, whatever was denoised in between."""
    noisy = noisy_pictures(2, subject.side, subject.side)
    first, other = noisy[:1], noisy[1:]
    once = subject(first).clone()
    subject(other)
    difference = _largest(once, subject(first))
    values = {"difference": difference}
    if difference <= TOLERANCE:
        what = f"the same input gives the same output, {_closely(difference)}"
        return Finding("repeats", "ok", what, values=values)
    what = f"the same input gives outputs that differ by up to {difference:.3f}"
    cure = _eval(subject) or "draw random numbers from a generator of its own, seeded in each call; keep no state"
    return Finding("repeats", "failed", what, cure, values)


def _eval(subject: Subject) -> str:
    layers = subject.layers_in_training()
    return f"{', '.join(layers)} in training mode: call network.eval() in the constructor" if layers else ""


def check_input(subject: Subject) -> Finding:
    """The input is left as it is."""
    given = noisy_pictures(1, subject.side, subject.side).to(subject.device)
    before = given.clone()
    with torch.no_grad():
        subject.denoiser(given, told_sigma=subject.told(SIGMA))
    if torch.equal(given, before):
        return Finding("input", "ok", "its input is left as it is")
    what = "it changes its input; the suite gives it a copy, other callers lose their image"
    return Finding(
        "input", "warning", what, "noisy = noisy.clone() first, and no in-place operations on noisy (+=, add_)"
    )


def check_told(subject: Subject) -> Finding:
    """A noise level that it is told changes the output if it says that it is told one, and only then."""
    noisy = noisy_pictures(1, subject.side, subject.side).to(subject.device)
    with torch.no_grad():
        low, high = (subject.denoiser(noisy.clone(), told_sigma=told).float().cpu() for told in TOLD)
        untold = subject.denoiser(noisy.clone(), told_sigma=None).float().cpu() if subject.is_blind else low
    difference = max(_largest(low, high), _largest(low, untold))
    values = {"difference": difference}
    told = f"told {TOLD[0]:g} and {TOLD[1]:g}, outputs"
    if subject.is_blind and difference > TOLERANCE:
        what = f"it says that it is blind, but {told} differ by up to {difference:.3f}"
        return Finding(
            "told", "failed", what, "facts.blind=False if it is to be told; else do not use told_sigma", values
        )
    if not subject.is_blind and difference <= TOLERANCE:
        what = f"it says that it is told the noise level, but {told} are the same"
        cure = "use told_sigma, and as what it is: on the 0-255 scale, not 0-1; or say facts.blind=True"
        return Finding("told", "warning", what, cure, values)
    if not subject.is_blind and difference <= HARDLY:
        what = f"{told} hardly differ, by up to {difference:.3f}"
        cure = "see that it is told on its scale: told_as means sigma / 255, a parameter named told_sigma means 0-255"
        return Finding("told", "warning", what, cure, values)
    if subject.is_blind and (name := _level_that_is_not_told(subject)):
        what = f"it has a parameter {name!r} which is not told: it keeps its default, whatever the noise"
        return Finding("told", "warning", what, _CURE_OF_UNTOLD, values)
    what = "blind, as it says" if subject.is_blind else f"{told} differ by up to {difference:.3f}: the level is heard"
    return Finding("told", "ok", what, values=values)


_LEVELS = ("sigma", "noise_level", "noise")
"""What authors call a noise level."""
_CURE_OF_UNTOLD = (
    f"if it is the noise level: {cure_by_adapt('told_as', 'argument')}, where it comes second and white is 1 "
    "(sigma / 255); or rename it told_sigma (0-255 scale)"
)


def _level_that_is_not_told(subject: Subject) -> str:
    """A parameter of a function or network that its name calls a noise level, and nobody gives; empty: it has none."""
    called = subject.called
    if not isinstance(called, FromCallable):
        return ""
    _, *others = parameters_of(called.network) or [""]
    return next((name for name in others if name in _LEVELS and name not in called.options), "")


def check_state(subject: Subject) -> Finding:
    """It leaves the process as it is: working folder, default dtype, threads, random numbers."""
    noisy = noisy_pictures(1, subject.side, subject.side)
    with random_numbers_kept():
        random_numbers = states_of_random_numbers()
        subject(noisy)
        before = subject.before | random_numbers
        after = settings_of_process() | states_of_random_numbers()
    changed = [name for name in before if before[name] != after[name]]
    if not changed:
        return Finding("state", "ok", "the process is left as it was: folder, dtype, threads, random numbers")
    shown = [f"{name} ({before[name]} -> {after[name]})" if name in subject.before else name for name in changed]
    cure = "set it back when the call ends, in a 'finally'"
    if all(name in random_numbers for name in changed):
        cure = "draw from a generator of its own: torch.Generator().manual_seed(0), numpy.random.default_rng(0)"
    status: Status = "failed" if any(name in GRAVE for name in changed) else "warning"
    return Finding("state", status, f"it changes, for all others in the process: {', '.join(shown)}", cure)
