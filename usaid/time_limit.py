"""A limit for work that may never end: a stranger's denoiser, say, that waits for something that does not come."""

import faulthandler
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, NoReturn

GRACE = 60.0
"""Seconds after the limit by which the process ends without a word if no thread of it gets a turn."""


class _Limit(NamedTuple):
    seconds: float
    give_up: Callable[[str], NoReturn]


_limits: list[_Limit] = []
"""The limit of this process, if it has one."""


@contextmanager
def time_limit(seconds: float, give_up: Callable[[str], NoReturn]) -> Iterator[None]:
    """A block in which each :func:`watched` one has to end in time, or the process does.

    Python cannot stop a thread that hangs. Where that one keeps all others from running, too, the process ends
    :data:`GRACE` seconds later, without a word but the place where it hangs.

    Args:
        seconds: that a watched block may take.
        give_up: called in another thread with the reason, one line; it has to end the process.
    """
    _limits.append(_Limit(seconds, give_up))
    try:
        yield
    finally:
        _limits.pop()


@contextmanager
def watched(what: str) -> Iterator[None]:
    """A block under the limit of the process, if that has one; not to be nested.

    Args:
        what: it is about; the reason begins with it.
    """
    if not _limits:
        yield
        return
    limit, lock, ended = _limits[-1], threading.Lock(), threading.Event()

    def end() -> None:
        with lock:
            if not ended.is_set():
                _print_stacks()
                minutes = f"{limit.seconds / 60:g} minutes"
                limit.give_up(f"{what}: not done after {minutes}; mend it, or raise 'time_limit' of the experiment")

    timer = threading.Timer(limit.seconds, end)
    timer.daemon = True
    timer.start()
    with suppress(OSError, ValueError, AttributeError):  # no file behind stderr
        faulthandler.dump_traceback_later(limit.seconds + GRACE, exit=True, file=sys.stderr)
    try:
        yield
    finally:
        with lock:
            ended.set()
        timer.cancel()
        faulthandler.cancel_dump_traceback_later()


def _print_stacks() -> None:
    """Where all threads but this one are."""
    for number, frame in sys._current_frames().items():
        if number != threading.get_ident():
            print("".join(["A thread is here:\n", *traceback.format_stack(frame)]), file=sys.stderr)
