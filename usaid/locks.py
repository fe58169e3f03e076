"""Locks on open files that die with their process, on whatever file system."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # no POSIX system: two processes are not kept apart there
    fcntl = None  # type: ignore[assignment]


def lock_if_free(file: int) -> bool:
    """Lock an open file; False, at once: another process has it. A file system without locks goes on without.

    Args:
        file: its descriptor; the lock ends when it is closed.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def wait_for_lock(file: int) -> None:
    """Lock an open file once nobody else has it; as :func:`lock_if_free` where there are no locks."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


@contextmanager
def opened_to_lock(path: Path) -> Iterator[int]:
    """A file that is made if it is not there, open for reading and writing: its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def locked(path: Path, why: str) -> Iterator[None]:
    """Keep a file for this process; waits for a process that has it.

    Args:
        path: an empty file, made if it is not there.
        why: what is said before the wait.
    """
    with opened_to_lock(path) as file:
        if not lock_if_free(file):
            print(why, file=sys.stderr)
            wait_for_lock(file)
        yield
