"""The one exception that users see: a single line that names the file or key at fault and the cure."""

import re

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""What colours a terminal."""

_SIGNAL = 128
"""A process that a signal asks to end exits with this and the signal's number (:mod:`usaid.jobs`)."""


class UsaidError(Exception):
    """A mistake in what was given to the suite: a file, a key, a value.

    The message names the file or key, and says what to do. The command line prints it without a traceback; anything
    else that is raised is a bug. It is one line: line breaks of what it quotes become spaces.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(message))


def reason_of(error: BaseException) -> str:
    """An exception in one line; the type is said of those that are not ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, UsaidError) else f"{type(error).__name__}: {text}".rstrip(": ")


def is_signal(error: BaseException) -> bool:
    """Whether an exception is the exit of a process that a signal asks to end (:mod:`usaid.jobs`): no failure."""
    return isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > _SIGNAL


def one_line(message: object) -> str:
    """A message without line breaks, control characters and the codes that colour a terminal."""
    text = _ESCAPES.sub("", str(message)).strip()
    return re.sub(r"\s*[\x00-\x1f\x7f-\x9f\u2028\u2029]+\s*", " ", text)
