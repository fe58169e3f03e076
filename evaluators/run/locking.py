"""The lock of an experiment's results: one run at a time."""

import json
import os
import socket
from pathlib import Path
from typing import IO

from usaid.errors import UsaidError
from usaid.locks import lock_if_free


def lock(results: str | Path) -> IO[str]:
    """Keep an experiment's results for this process as long as it lives; no kill leaves the lock behind.

    Returns:
        The open file that holds the lock.

    Raises:
        UsaidError: another process has it, or the folder cannot be written.
    """
    path = Path(results, ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    except OSError as error:
        raise UsaidError(f"{path}: cannot be written ({error.strerror}); make {results} writable") from None
    if not lock_if_free(file.fileno()):
        raise UsaidError(_held(path, file))
    file.truncate(0)
    json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
    file.flush()
    return file


def _held(path: Path, file: IO[str]) -> str:
    file.seek(0)
    try:
        owner = json.load(file)
        who, where = f"process {owner['pid']} on {owner['host']}", f"on {owner['host']}: kill {owner['pid']}"
    except (ValueError, KeyError, TypeError):
        who, where = "another process", f"fuser -k {path}"
    return f"{path.parent}: {who} is at work on this experiment; wait for it to end, or stop it with: {where}"
