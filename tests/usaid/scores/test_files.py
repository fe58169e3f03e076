"""Score files and their journal: round trips, bad files, a full disk and kill -9 in mid-write."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pandas as pd
import pytest

from usaid.errors import UsaidError
from usaid.scores.files import Journal, Scores, read_scores, write_scores

FINGERPRINT = {"weights_sha256": "ab", "device": "cpu"}


def row(image_id: str, sigma: float = 25.0, psnr: float = 30.0) -> dict:
    return {"image_id": image_id, "image_sha256": "00", "sigma": sigma, "draw": 0, "psnr_rgb_float": psnr}


@pytest.fixture
def provenance() -> dict:
    return {
        "experiment": "smoke", "benchmark": "kodak_quality", "denoiser": "noisy", "title": "Noisy",
        "entry": {"method": "noisy"}, "metrics": ["psnr_rgb_float"], "deviations": [], "judge": {},
        "dataset": {"name": "kodak", "split": "all", "n": 2, "n_official": 24, "subset": None, "ids_sha256": "0"},
        "weights_sha256": None, "source_hash": "0", "config_sha256": "0", "noise_version": 1,
        "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p", "device": "cpu",
        "precision": "float32", "seconds": {"denoiser": 1.5}, "pixels": 10, "pixels_per_second": 7, "failure": None,
    }  # fmt: skip


def test_round_trip_keeps_rows_infinities_and_provenance(tmp_path, provenance):
    rows = pd.DataFrame([row("a", psnr=float("inf")), row("b")])
    write_scores(tmp_path / "s.parquet", Scores(rows, provenance))
    back = read_scores(tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(back.rows, rows, check_dtype=False)
    assert back.provenance == provenance


def test_provenance_is_checked(tmp_path, provenance):
    with pytest.raises(UsaidError, match="provenance key"):
        write_scores(tmp_path / "s.parquet", Scores(pd.DataFrame([row("a")]), provenance | {"surprise": 1}))
    provenance["dataset"]["n"] = -1
    with pytest.raises(UsaidError, match=r"provenance key dataset\.n"):
        write_scores(tmp_path / "s.parquet", Scores(pd.DataFrame([row("a")]), provenance))


def test_what_is_no_score_file(tmp_path):
    (tmp_path / "s.parquet").write_bytes(b"PAR1 half a file")
    with pytest.raises(UsaidError, match=r"s\.parquet: not a readable score file"):
        read_scores(tmp_path / "s.parquet")
    pd.DataFrame([row("a")]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UsaidError, match=r"t\.parquet: has no provenance"):
        read_scores(tmp_path / "t.parquet")


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
        from usaid.scores.files import Journal
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


def run_with_file_size_limit(code: str, limit: int) -> subprocess.CompletedProcess:
    """Run Python where no file may grow beyond ``limit`` bytes: what a full disk looks like to a process."""
    prologue = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
    return subprocess.run([sys.executable, "-c", prologue + textwrap.dedent(code)], capture_output=True, text=True)


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_full_disk_while_journalling(tmp_path):
    code = f"""
        from usaid.errors import UsaidError
        from usaid.scores.files import Journal
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


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_full_disk_while_writing_the_score_file(tmp_path, provenance):
    code = f"""
        import pandas as pd
        from usaid.errors import UsaidError
        from usaid.scores.files import Scores, write_scores
        rows = pd.DataFrame({{"image_id": [str(i * 7919 % 10007) for i in range(9999)]}})
        try:
            write_scores({str(tmp_path / "s.parquet")!r}, Scores(rows, {provenance!r}))
        except UsaidError as error:
            print(error)
    """
    done = run_with_file_size_limit(code, 4000)
    assert "s.parquet: cannot be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
