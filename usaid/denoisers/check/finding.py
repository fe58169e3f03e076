"""What a check found, in one line, with its cure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from usaid.errors import one_line, reason_of
from usaid.own_files import innermost_place, place_of

Status = Literal["ok", "warning", "failed"]

UNNAMED = "it"
"""What a denoiser under check is called where errors name it: a finding speaks of no other."""
LONGEST_REASON = 300
"""Characters of somebody else's exception that are shown."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        status: ``failed``: scores would be wrong or missing; ``warning``: scores can be had, but read this.
        what: what is the case, one line.
        cure: what to do, one line; empty where nothing is wrong.
        values: what was measured, plain numbers by name.
    """

    name: str
    status: Status
    what: str
    cure: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        status = {"name": self.name, "status": self.status, "what": self.what, "cure": self.cure}
        return status | {"values": dict(self.values)}


def reason(error: BaseException) -> str:
    """An exception in one line, with the file and line of the author's code that it comes from."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    text = one_line(reason_of(cause if str(error).startswith(f"{UNNAMED}: ") else error)).removeprefix(f"{UNNAMED}: ")
    text = text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 3]}..."
    place = place_of(cause)
    return text if place in text else f"{text} ({place})"


_DUMPED = re.compile(r'File "([^"\n]+)", line (\d+)')


def dumped_place(traceback: str) -> str:
    """``"mine.py, line 12"`` of a traceback that :mod:`faulthandler` wrote; empty: it has no line of the author's."""
    return innermost_place((file, int(line)) for file, line in reversed(_DUMPED.findall(traceback)))
