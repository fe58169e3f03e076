"""What every job of the workflow does first."""

import subprocess
import sys

import pytest

from usaid.errors import UsaidError
from usaid.jobs import job


def test_output_goes_to_the_log_and_an_error_of_ours_is_one_line(tmp_path):
    log = tmp_path / "job.log"

    def work() -> None:
        with job(log):
            print("at work")
            raise UsaidError("bad.png: does not decode")

    with pytest.raises(SystemExit, match=r"^error: bad\.png: does not decode$"):
        work()
    assert log.read_text().startswith("at work\nTraceback")


def test_any_other_error_is_raised_and_its_traceback_logged(tmp_path):
    with pytest.raises(ZeroDivisionError), job(tmp_path / "job.log"):
        print(1 / 0)
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()


def test_torch_is_imported_only_for_jobs_with_threads(tmp_path):
    code = """
        import sys
        from usaid.jobs import job
        with job("a.log"):
            assert "torch" not in sys.modules
        with job("b.log", 1):
            assert sys.modules["torch"].get_num_threads() == 1
        """
    lines = "\n".join(line[8:] for line in code.splitlines())
    subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, check=True)
