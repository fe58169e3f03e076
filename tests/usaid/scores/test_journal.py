"""The journal of a score file: goes on where it was, after kill -9 in mid-write and on a full disk."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from usaid.errors import UsaidError
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


def test_rows_of_other_journals_are_known_and_stay_where_they_are(tmp_path):
    for name, fingerprint in (("other", FINGERPRINT), ("stranger", FINGERPRINT | {"device": "cuda"})):
        journal = Journal(tmp_path / name, fingerprint)
        journal.add([row(name)])
        journal.close()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    others = [tmp_path / name for name in ("other", "stranger", "absent")]
    journal = Journal(tmp_path / "j", FINGERPRINT, others=others)
    assert [key[0] for key in journal.rows] == ["other"]
    journal.add([row("own")])
    journal.close()
    assert [key[0] for key in Journal(tmp_path / "j", FINGERPRINT).rows] == ["own"]
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "absent").exists()


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
    assert "make room there, then run the same again" in done.stdout
    kept = Journal(tmp_path / "j", FINGERPRINT)
    assert 0 < len(kept.rows) < 1000
    kept.add([row("next")])
    kept.close()
    assert len(Journal(tmp_path / "j", FINGERPRINT).rows) == len(kept.rows)


# Lines that are damaged, and disks without room


METRICS = ("psnr_rgb_float", "confusion")
WHOLE = row("a") | {"confusion": [1, 2]}

DAMAGED = {
    "NUL bytes": b"\0" * 300,
    "no JSON": b'{"image_id": "b", ',
    "no text": b"\xff\xfe{}",
    "a number": b"7",
    "nested without end": b"[" * 100_000,
    "a number without end": b'{"sigma": ' + b"9" * 5000 + b"}",
    "no image": json.dumps({key: value for key, value in WHOLE.items() if key != "image_id"}).encode(),
    "no hash": json.dumps(WHOLE | {"image_sha256": None}).encode(),
    "no metric": json.dumps({key: value for key, value in WHOLE.items() if key != "psnr_rgb_float"}).encode(),
    "no value": json.dumps(WHOLE | {"psnr_rgb_float": None}).encode(),
    "text for a number": json.dumps(WHOLE | {"psnr_rgb_float": "30"}).encode(),
    "text for a statistic": json.dumps(WHOLE | {"confusion": ["1", 2]}).encode(),
    "sigma not finite": json.dumps(WHOLE | {"sigma": float("nan")}).encode(),
    "sigma too large": b'{"image_id": "b", "image_sha256": "0", "draw": 0, "sigma": 1' + b"0" * 400 + b"}",
    "draw no integer": json.dumps(WHOLE | {"draw": 0.5}).encode(),
    "told text": json.dumps(WHOLE | {"told_sigma": "25"}).encode(),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("place", [1, 2])
def test_a_line_that_cannot_be_read_costs_its_own_rows_only(tmp_path, capsys, damaged, place):
    journal = Journal(tmp_path / "j", FINGERPRINT, METRICS)
    journal.add([WHOLE, WHOLE | {"image_id": "c"}])
    journal.close()
    lines = (tmp_path / "j").read_bytes().splitlines()
    lines.insert(place, damaged)
    (tmp_path / "j").write_bytes(b"\n".join(lines) + b"\n")
    again = Journal(tmp_path / "j", FINGERPRINT, METRICS)
    assert f"{tmp_path / 'j'}: 1 line that cannot be read passed over" in capsys.readouterr().out
    assert [key[0] for key in again.rows] == ["a", "c"]
    again.add([WHOLE | {"image_id": "b"}])
    again.close()
    assert [key[0] for key in Journal(tmp_path / "j", FINGERPRINT, METRICS).rows] == ["a", "c", "b"]


def test_nul_bytes_at_the_end_are_cut_off(tmp_path):
    """What some file systems leave of a write when the power fails."""
    journal = Journal(tmp_path / "j", FINGERPRINT, METRICS)
    journal.add([WHOLE])
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole + b"\0" * 4096)
    Journal(tmp_path / "j", FINGERPRINT, METRICS).close()
    assert (tmp_path / "j").read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"no header", b'{"fingerprint": {}}\n{}\n', b"\n\n"])
def test_what_has_no_header_of_ours_is_started_anew(tmp_path, content):
    (tmp_path / "j").write_bytes(content)
    journal = Journal(tmp_path / "j", FINGERPRINT)
    assert journal.rows == {}
    journal.add([row("a")])
    journal.close()
    assert len(Journal(tmp_path / "j", FINGERPRINT).rows) == 1


def test_a_row_without_a_value_is_not_taken(tmp_path):
    journal = Journal(tmp_path / "j", FINGERPRINT, METRICS)
    with pytest.raises(UsaidError, match="image 'b': confusion = None is not what it has to be"):
        journal.add([WHOLE, row("b")])
    journal.close()
    assert journal.rows == {}
    assert Journal(tmp_path / "j", FINGERPRINT, METRICS).rows == {}


def test_a_finished_journal_opens_on_a_full_disk_and_is_left_as_it_was(tmp_path, run_with_file_size_limit):
    journal = Journal(tmp_path / "j", FINGERPRINT)
    journal.add([row(str(i)) for i in range(200)])
    journal.close()
    before = (tmp_path / "j").read_bytes()
    code = f"""
        from usaid.scores.journal import Journal
        print(len(Journal({str(tmp_path / "j")!r}, {FINGERPRINT!r}).rows))
    """
    done = run_with_file_size_limit(code, 10)
    assert done.stdout == "200\n", done.stderr
    assert (tmp_path / "j").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_journal_of_other_rows_needs_no_room_to_start_anew(tmp_path, run_with_file_size_limit):
    journal = Journal(tmp_path / "j", FINGERPRINT | {"device": "cuda"})
    journal.add([row(str(i)) for i in range(200)])
    journal.close()
    code = f"""
        from usaid.scores.journal import Journal
        print(len(Journal({str(tmp_path / "j")!r}, {FINGERPRINT!r}).rows))
    """
    assert run_with_file_size_limit(code, 200).stdout == "0\n"
    assert len((tmp_path / "j").read_bytes()) < 200


def test_a_write_that_stops_half_way_leaves_no_half_of_a_line(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "j", FINGERPRINT)
    journal.add([row("a")])
    before, real = (tmp_path / "j").read_bytes(), os.write

    def write(file, content):
        if len(content) < 60:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, content[:50])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(UsaidError, match=r"j: cannot be written \(No space left on device\); make room there"):
        journal.add([row("b"), row("c")])
    assert (tmp_path / "j").read_bytes() == before
    monkeypatch.setattr(os, "write", real)
    journal.add([row("d")])
    journal.close()
    assert [key[0] for key in Journal(tmp_path / "j", FINGERPRINT).rows] == ["a", "d"]


def test_a_disk_that_is_full_from_the_start(tmp_path, run_with_file_size_limit):
    code = f"""
        from usaid.errors import UsaidError
        from usaid.scores.journal import Journal
        try:
            Journal({str(tmp_path / "j")!r}, {FINGERPRINT!r})
        except UsaidError as error:
            print(error)
    """
    assert "j: cannot be written (File too large)" in run_with_file_size_limit(code, 10).stdout
    assert Journal(tmp_path / "j", FINGERPRINT).rows == {}


def test_a_journal_that_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(UsaidError, match=f"{name}: is no file; move it away"):
            Journal(tmp_path / name, FINGERPRINT)
