"""A limit of time: what hangs ends its process, with the reason, also where no other thread gets a turn."""

import subprocess
import sys
import textwrap

import pytest

from usaid import time_limit as module
from usaid.time_limit import time_limit, watched


def ended(code: str) -> subprocess.CompletedProcess[str]:
    """A process that runs some code under a limit of a moment."""
    before = """
        import os, time
        from usaid import time_limit as module
        from usaid.time_limit import time_limit, watched
        def give_up(reason):
            print(reason, flush=True)
            os._exit(7)
    """
    program = textwrap.dedent(before) + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


def test_a_block_that_hangs_is_given_up_with_its_place_in_the_log():
    done = ended(
        """
        with time_limit(0.3, give_up), watched("image kodim01: mine"):
            time.sleep(100)
        """
    )
    assert done.returncode == 7
    assert done.stdout.startswith("image kodim01: mine: not done after 0.005 minutes; mend it, or raise 'time_limit'")
    assert "time.sleep" in done.stderr or "<module>" in done.stderr


def test_one_that_lets_no_thread_run_ends_without_a_word_but_its_place():
    done = ended(
        """
        module.GRACE = 0.3
        with time_limit(0.2, give_up), watched("image kodim01: mine"):
            import re
            re.match("(a+)+b", "a" * 200)  # keeps the interpreter to itself
        """
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert done.stdout == ""


def test_without_a_limit_and_in_time_nothing_happens():
    def give_up(reason: str) -> None:
        pytest.fail(reason)

    with watched("free"):
        pass
    with time_limit(1000, give_up):  # type: ignore[arg-type]
        with watched("quick"):
            assert module._limits
        with pytest.raises(ZeroDivisionError), watched("raises"):
            raise ZeroDivisionError
    assert not module._limits
