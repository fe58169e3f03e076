"""Files that one process at a time writes: opened as they are, never through a link, and held."""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from usaid.errors import UsaidError
from usaid.locks import lock_if_free, wait_for_lock

_log = logging.getLogger(__name__)

_FLAGS = os.O_RDWR | os.O_CREAT
for _name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # a link, a pipe; not all systems have all
    _FLAGS |= getattr(os, _name, 0)


@contextmanager
def held_file(path: Path) -> Iterator[FileIO]:
    """Open a file for reading and writing, made if missing, and hold it until the block ends.

    Another process that asks for the same path waits until then. A file that is empty at the end is removed. Where a
    file system knows no locks, nobody waits.

    Raises:
        UsaidError: the path is a link, a folder, a device or has a second name.
        OSError: it cannot be opened.
    """
    while True:
        file = _opened(path)
        if not lock_if_free(file.fileno()):
            _log.warning("%s: another process is at work on it; waiting", path)
            wait_for_lock(file.fileno())
        if _is_at(file, path):
            break
        file.close()  # who held it renamed or removed it meanwhile
    try:
        yield file
    finally:
        with file, contextlib.suppress(OSError):
            if _is_at(file, path) and not os.fstat(file.fileno()).st_size:
                path.unlink()


def _opened(path: Path) -> FileIO:
    try:
        file = FileIO(path, "r+", opener=lambda name, _: os.open(name, _FLAGS, 0o666))
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise UsaidError(f"{path}: is a link, a folder or a device, not a file; move it away") from None
        raise
    state = os.fstat(file.fileno())
    if stat.S_ISREG(state.st_mode) and state.st_nlink <= 1:
        return file
    file.close()
    raise UsaidError(f"{path}: is a device, or a file that has a second name elsewhere; move it away")


def _is_at(file: FileIO, path: Path) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False
