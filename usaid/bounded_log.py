"""A log that a flood of output cannot fill: its beginning and its end are kept."""

import io
import threading
from collections import deque
from typing import TextIO

MOST = 4_000_000
"""Characters from the beginning that a log keeps."""

LAST = 200_000
"""So many more, about, are kept from the end: a traceback stands there."""


class BoundedLog(io.TextIOBase):
    """Writes to an open text file up to a limit; what came last follows when it is finished, by any thread.

    Attributes:
        buffer: of the file, for who writes bytes; nothing counts those.
    """

    encoding = "utf-8"

    def __init__(self, file: TextIO, most: int = MOST, last: int = LAST) -> None:
        """
        Args:
            file: the log; it stays open.
            most: characters from the beginning that are kept.
            last: from the end; a single text is kept or left out as a whole, so that it may be a few more.
        """
        self.buffer = file.buffer
        self._file, self._room, self._last = file, most, last
        self._waiting: deque[str] = deque()
        self._held, self._left_out = 0, 0
        self._lock = threading.RLock()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Write a text, or keep it for the end, or drop it."""
        with self._lock:
            if not self._waiting and len(text) <= self._room:
                self._room -= len(text)
                self._file.write(text)
            else:
                self._keep(text)
        return len(text)

    def _keep(self, text: str) -> None:
        if not self._waiting:
            self._file.write("\n... the log is full: what comes last is written when the job ends\n")
        kept = text[-self._last :]
        self._waiting.append(kept)
        self._held += len(kept)
        self._left_out += len(text) - len(kept)
        while self._held - len(self._waiting[0]) >= self._last:
            lost = len(self._waiting.popleft())
            self._held -= lost
            self._left_out += lost

    def flush(self) -> None:
        """Hand what is written to the operating system."""
        self._file.flush()

    def fileno(self) -> int:
        """Of the file."""
        return self._file.fileno()

    def finish(self) -> None:
        """Write what came last; nothing is kept of what comes later."""
        with self._lock:
            if self._waiting:
                self._file.write(f"... {self._left_out:,} characters are left out here\n")
                self._file.writelines(self._waiting)
                self._file.flush()
                self._waiting.clear()
                self._held, self._left_out, self._room = 0, 0, 0
