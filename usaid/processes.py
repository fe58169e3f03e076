"""What the system says of processes: whether they live, and when they began."""

import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether this machine has a process of a number that has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else; or is no number of a process
        return pid < 1 << 31
    return pid > 0 and _fields_of(pid)[:1] not in (["Z"], ["X"])  # ended, and nobody has asked how


def birth_of(pid: int | str) -> int:
    """When a process of this machine began, in ticks of its clock; 0: there is none, or the system does not say.

    Args:
        pid: its number, or ``"self"``.
    """
    fields = _fields_of(pid)
    return int(fields[19]) if len(fields) > 19 else 0  # field 22


def _fields_of(pid: int | str) -> list[str]:
    """What Linux says of a process, from its state on (man proc_pid_stat: field 3); empty: nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
