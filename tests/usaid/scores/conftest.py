"""What the tests of score files and journals share."""

import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest


@pytest.fixture
def run_with_file_size_limit() -> Callable[[str, int], subprocess.CompletedProcess]:
    """Run Python where no file may grow beyond ``limit`` bytes: what a full disk looks like to a process."""

    def run(code: str, limit: int) -> subprocess.CompletedProcess:
        prologue = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        return subprocess.run([sys.executable, "-c", prologue + textwrap.dedent(code)], capture_output=True, text=True)

    return run
