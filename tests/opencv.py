"""Whether OpenCV can be imported, asked without harm."""

import subprocess
import sys
from functools import cache

import pytest


def require_opencv() -> None:
    """Skip where OpenCV lacks a library of the system, as on a bare Debian.

    Asked in a process of its own: an import that fails leaves folders on ``sys.path`` that shadow Python's own modules.
    """
    if not _is_there():
        pytest.skip("OpenCV cannot be imported: it lacks a library of the system (libGL)", allow_module_level=True)


@cache
def _is_there() -> bool:
    return subprocess.run([sys.executable, "-c", "import cv2"], capture_output=True).returncode == 0
