"""What every job of the workflow does first: its own log file, its threads, one-line errors."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import torch

from usaid.devices import keep_freed_memory
from usaid.errors import UsaidError


@contextmanager
def job(log: str | Path, threads: int = 1) -> Iterator[None]:
    """Run a block with its output in a log file; a :class:`UsaidError` ends the process with its one line.

    Args:
        log: file that gets what the block prints; anything but a UsaidError leaves its traceback there too.
        threads: CPU threads that torch may use.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        with open(log, "w", buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
            try:
                yield
            except BaseException:
                traceback.print_exc()
                raise
    except UsaidError as error:
        sys.exit(f"error: {error}")
