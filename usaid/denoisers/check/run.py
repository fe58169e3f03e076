"""Runs the checks of a denoiser, within a minute."""

import time
from collections.abc import Callable, Iterator, Sequence

import torch

from usaid.denoisers.base import Denoiser
from usaid.denoisers.check.apart import Apart, Ended, Late, made
from usaid.denoisers.check.checks import CHECKS, NEEDED, run_check
from usaid.denoisers.check.finding import Finding
from usaid.errors import UsaidError, one_line

SECONDS = 20.0
"""For one check."""
TOTAL = 45.0
"""Seconds for all of them and for the imports."""
FIRST = 2
"""The first call may take so many times as long: it may compile."""
CRASHES = 2
"""After so many, what is left is not tried."""
FLOOD = 1000
"""Lines on stdout that fail."""


def check(
    make: Callable[[], Denoiser],
    device: torch.device | str = "cpu",
    *,
    names: Sequence[str] | None = None,
    seconds: float = SECONDS,
    total: float = TOTAL,
    apart: bool = True,
) -> list[Finding]:
    """Find out what an author has to know of a denoiser; no data set is needed.

    Args:
        make: makes it, e.g. ``functools.partial(build_denoiser, "mine.py:MyDenoiser")``. A process of its own gets it
            by pickle.
        device: where it was asked to compute.
        names: the checks to run; None: all of :data:`usaid.denoisers.check.checks.CHECKS`.
        seconds: longest time of a check.
        total: longest time of all of them.
        apart: in a process of its own. Else a crash or a hang ends or stops this one, and prints go where they go.

    Returns:
        One finding a check, in the order of :data:`usaid.denoisers.check.checks.CHECKS`, behind ``made`` and before
        ``prints``. Where ``made`` or ``output`` fails, or time is over, ``untried`` names the checks that are missing.

    Raises:
        UsaidError: there is no such check, or ``make`` cannot be sent to another process.
    """
    return list(findings(make, device, names=names, seconds=seconds, total=total, apart=apart))


def findings(
    make: Callable[[], Denoiser],
    device: torch.device | str = "cpu",
    *,
    names: Sequence[str] | None = None,
    seconds: float = SECONDS,
    total: float = TOTAL,
    apart: bool = True,
) -> Iterator[Finding]:
    """As :func:`check`, one after another as they are found."""
    asked = list(CHECKS if names is None else names)
    if unknown := [name for name in asked if name not in CHECKS]:
        raise UsaidError(f"check {unknown[0]!r}: must be one of {', '.join(CHECKS)}")
    if not apart:
        return _here(make, str(device), asked)
    return _apart(Apart(make, str(device)), asked, seconds, total)


def is_fit(found: Sequence[Finding], strict: bool = False) -> bool:
    """Whether a denoiser can be scored: nothing failed; if ``strict``, nothing is warned of either."""
    return not any(finding.status == "failed" or (strict and finding.status == "warning") for finding in found)


def _here(make: Callable[[], Denoiser], device: str, names: Sequence[str]) -> Iterator[Finding]:
    subject, finding = made(make, device)
    yield finding
    if subject is None:
        return
    for number, name in enumerate(names):
        finding = run_check(name, subject)
        yield finding
        if name == NEEDED and finding.status == "failed":
            yield from _untried(names[number + 1 :], f"before '{NEEDED}' is right")
            return


def _apart(process: Apart, names: Sequence[str], seconds: float, total: float) -> Iterator[Finding]:
    end = time.monotonic() + total
    process.start()
    try:
        yield from _asked(process, names, seconds, end)
        yield _of_prints(process)
    finally:
        process.stop()


def _asked(process: Apart, names: Sequence[str], seconds: float, end: float) -> Iterator[Finding]:
    """Ask for one check after another; after a crash, of a new process."""
    pending, crashes, again = ["made", *names], 0, False
    while pending or again:
        name = "made" if again else pending.pop(0)
        limit = seconds * (FIRST if name == NEEDED else 1)
        left = end - time.monotonic()
        try:
            if left < 1:
                raise Late
            finding = process.ask(name, min(limit, left))
        except Ended as ended:
            if isinstance(ended, Late) and left < limit:
                yield from _untried([name, *pending], "for want of time", AGAIN)
                return
            yield Finding(name, "failed", str(ended), "mend the line that is named, or what is called there")
            crashes += 1
            if name in ("made", NEEDED) or crashes == CRASHES:
                yield from _untried(pending, f"after {'this' if crashes == 1 else 'two such ends'}")
                return
            process.start()
            again = True
            continue
        if not again or finding.status == "failed":
            yield finding
        again = False
        if name in ("made", NEEDED) and finding.status == "failed":
            yield from _untried(pending, f"before '{name}' is right")
            return


AGAIN = "it is slow, or this machine is busy: check again when it is idle, or on a GPU (--device cuda)"


def _untried(names: Sequence[str], why: str, cure: str = "mend that, and check again") -> Iterator[Finding]:
    if names:
        yield Finding("untried", "warning", f"not tried {why}: {', '.join(names)}", cure)


def _of_prints(process: Apart) -> Finding:
    lines = process.printed.lines
    values = {"lines": float(lines)}
    if not process.printed.first:
        return Finding("prints", "ok", "prints nothing to stdout", values=values)
    first = next(iter(process.printed.first.decode("utf-8", "replace").split("\n")), "")
    what = (
        f"prints {lines} line{'' if lines == 1 else 's'} to stdout while it is checked, first: {one_line(first)[:80]!r}"
    )
    cure = "drop the prints, or send them to logging or stderr: results are read from stdout"
    return Finding("prints", "failed" if lines > FLOOD else "warning", what, cure, values)
