"""What every job of the workflow does first: its own log file, its threads, one-line errors."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from usaid.errors import UsaidError
from usaid.memory import keep_freed_memory


@contextmanager
def job(log: str | Path, threads: int | None = None) -> Iterator[None]:
    """Run a block with its output in a log file; a :class:`UsaidError` ends the process with its one line.

    Args:
        log: file that gets what the block prints; anything but a UsaidError leaves its traceback there too.
        threads: CPU threads that torch may use; None: the block needs no torch, which is not imported then.
    """
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
        keep_freed_memory()
    try:
        with open(log, "w", buffering=1, encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
            try:
                yield
            except BaseException:
                traceback.print_exc()
                raise
    except UsaidError as error:
        sys.exit(f"error: {error}")
