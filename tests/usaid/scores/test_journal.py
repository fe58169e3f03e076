"""The journal of a score file: goes on where it was, after kill -9 in mid-write and on a full disk."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from usaid.scores.journal import Journal

FINGERPRINT = {"weights_sha256": "ab", "device": "cpu"}


def row(image_id: str, sigma: float = 25.0, psnr: float = 30.0) -> dict:
    return {"image_id": image_id, "image_sha256": "00", "sigma": sigma, "draw": 0, "psnr_rgb_float": psnr}


def test_journal_goes_on_where_it_was(tmp_path):
    journal = Journal(tmp_path / "j", FINGERPRINT)
    journal.add([row("a"), row("b", psnr=float("nan"))])
    journal.close()
    again = Journal(tmp_path / "j", FINGERPRINT)
    assert [key[0] for key in again.rows] == ["a", "b"]
    again.add([row("c")])
    again.close()
    assert len(Journal(tmp_path / "j", FINGERPRINT).rows) == 3


def test_journal_of_other_provenance_is_not_mixed_in(tmp_path):
    journal = Journal(tmp_path / "j", FINGERPRINT)
    journal.add([row("a")])
    journal.close()
    assert Journal(tmp_path / "j", FINGERPRINT | {"weights_sha256": "cd"}).rows == {}
    assert Journal(tmp_path / "j", FINGERPRINT).rows == {}  # the other one took its place


def test_a_line_cut_short_is_dropped(tmp_path):
    journal = Journal(tmp_path / "j", FINGERPRINT)
    journal.add([row("a"), row("b")])
    journal.close()
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(content[:-20])
    cut = Journal(tmp_path / "j", FINGERPRINT)
    assert [key[0] for key in cut.rows] == ["a"]
    cut.add([row("b"), row("c")])
    cut.close()
    lines = (tmp_path / "j").read_text().splitlines()
    assert [json.loads(line)["image_id"] for line in lines[1:]] == ["a", "b", "c"]


def test_kill_in_the_middle_of_a_score_file_and_rerun(tmp_path):
    """A writer is killed with SIGKILL while it writes rows; the journal that is left can be read and completed."""
    writer = textwrap.dedent(
        f"""
        import itertools
        from usaid.scores.journal import Journal
        journal = Journal({str(tmp_path / "j")!r}, {FINGERPRINT!r})
        for i in itertools.count():
            row = {{"image_id": str(i), "image_sha256": "00", "sigma": 25.0, "draw": 0, "padding": "x" * 5000}}
            journal.add([row])
        """
    )
    process = subprocess.Popen([sys.executable, "-c", writer])
    deadline = time.monotonic() + 60
    while not ((tmp_path / "j").exists() and (tmp_path / "j").stat().st_size > 200_000):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = Journal(tmp_path / "j", FINGERPRINT).rows
    assert len(found) >= 30
    assert [key[0] for key in found] == [str(i) for i in range(len(found))]
    assert all(len(kept["padding"]) == 5000 for kept in found.values())


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_full_disk_while_journalling(tmp_path, run_with_file_size_limit):
    code = f"""
        from usaid.errors import UsaidError
        from usaid.scores.journal import Journal
        journal = Journal({str(tmp_path / "j")!r}, {FINGERPRINT!r})
        try:
            for i in range(1000):
                journal.add([{{"image_id": str(i), "image_sha256": "00", "sigma": 25.0, "draw": 0}}])
        except UsaidError as error:
            print(error)
    """
    done = run_with_file_size_limit(code, 2000)
    assert "cannot be written" in done.stdout
    assert "free some space and rerun" in done.stdout
    kept = Journal(tmp_path / "j", FINGERPRINT)
    assert 0 < len(kept.rows) < 1000
    kept.add([row("next")])
    kept.close()
    assert len(Journal(tmp_path / "j", FINGERPRINT).rows) == len(kept.rows)
