"""What a job is at, in a file: written rarely and whole, read whatever lies there."""

import json
import math
import os
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from usaid import job_state
from usaid.job_state import JobReport, JobState, current_report, read_state, reported, states_below
from usaid.processes import is_alive
from usaid.progress import progress_of, stages

STATE = JobState(
    name="score kodak/noisy", title="kodak", done=30, total=120, unit="image", rate=3.0, parts_done=0, parts=1,
    since=1000.0, updated=1010.0, pid=os.getpid(), host=socket.gethostname(), log="job.log",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    """Every state is written, not one a second."""
    monkeypatch.setattr(job_state, "SECONDS_BETWEEN_STATES", 0.0)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """What the time is; the test moves it."""
    now = [100.0]
    monkeypatch.setattr("usaid.job_state.time.monotonic", lambda: now[0])
    return now


def test_a_quarter_is_done_and_the_rest_takes_what_the_rate_says():
    assert STATE.fraction == 0.25
    assert STATE.seconds_left == 30.0
    assert replace(STATE, rate=None).seconds_left is None
    assert replace(STATE, total=None, done=5).fraction == 0


def test_a_job_of_several_results_goes_on_as_so_far():
    state = replace(STATE, parts_done=1, parts=5, done=60)
    assert state.fraction == pytest.approx(0.3)
    assert state.seconds_left == pytest.approx(10 * 0.7 / 0.3), "each image of a further denoiser may take longer"
    assert replace(state, parts_done=5).fraction == 1


def test_the_rate_is_that_of_the_last_half_minute(tmp_path, clock):
    path = tmp_path / "score/kodak/noisy.progress"
    report = JobReport(path, "score kodak/noisy", "job.log")
    report.begin("kodak", 1000, "image", done=100)
    for seconds, images in ((10, 10), (20, 10), (30, 40), (10, 40)):
        clock[0] += seconds
        report.advance(images)
    state = read_state(path)
    assert state is not None
    assert (state.done, state.total, state.title, state.log) == (200, 1000, "kodak", "job.log")
    assert state.rate == pytest.approx(40 / 10), "what is half a minute old is forgotten"
    report.advance(500, is_work=False)
    assert read_state(path).done == 700
    assert report.counts == {"image": 100}, "what was there before is no work"
    report.remove()
    assert not path.exists()


def test_at_most_one_is_written_a_second(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(job_state, "SECONDS_BETWEEN_STATES", 1.0)
    path = tmp_path / "a.progress"
    report = JobReport(path, "a")
    path.unlink()
    report.begin("kodak", 9, "image", 0)
    report.advance(1)
    clock[0] += 0.9
    report.advance(1)
    assert not path.exists()
    clock[0] += 0.1
    report.advance(1)
    assert read_state(path).done == 3


def test_progress_reaches_the_report_of_the_job_and_nothing_without_one(tmp_path):
    path = tmp_path / "a.progress"
    with progress_of(3, "alone") as progress:
        progress.update()
    assert current_report() is None
    with reported(JobReport(path, "a")) as report:
        with progress_of(10, "kodak", "step", done=2) as progress:
            progress.update(3)
            progress.skip(4)
            assert progress.n == 9
            state = read_state(path)
        assert (state.title, state.done, state.total, state.unit) == ("kodak", 9, 10, "step")
        assert report.counts == {"step": 3}
    assert current_report() is None
    assert not path.exists()


def test_a_job_in_stages_only_ever_goes_on(tmp_path):
    path, fractions = tmp_path / "a.progress", []
    with reported(JobReport(path, "a")):
        for sigma in stages([15, 25]):
            with progress_of(2, f"mlp, sigma = {sigma}", "step") as progress:
                for _ in range(2):
                    progress.update()
                    fractions.append(read_state(path).fraction)
    assert fractions == [0.25, 0.5, 0.75, 1.0]
    assert [*stages("ab")] == ["a", "b"], "without a job"


@pytest.mark.parametrize("place", ["file/a.progress", "/proc/nothing/a.progress"])
def test_a_place_that_cannot_be_written_fails_no_job(tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("no folder")
    report = JobReport(tmp_path / place, "a")
    report.advance(1)
    report.remove()
    assert report.counts == {"image": 1}


def test_a_full_disk_fails_no_job_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    JobReport(tmp_path / "a.progress", "a").advance(1)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 70_000, b'{"name": 3}', json.dumps(asdict(STATE)).encode()[:-9],
        json.dumps({**asdict(STATE), "done": "3"}).encode(), json.dumps({**asdict(STATE), "done": None}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_state_is_passed_over(tmp_path, content):
    (tmp_path / "a.progress").write_bytes(content)
    (tmp_path / "folder.progress").mkdir()
    assert states_below(tmp_path) == {}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 10**400, -(10**400), 1e308, 5e-324, True])
@pytest.mark.parametrize("key", ["done", "total", "rate", "parts_done", "parts", "since", "updated", "pid"])
def test_numbers_that_cannot_be_are_damage(tmp_path, key, number):
    (path := tmp_path / "a.progress").write_text(json.dumps({**asdict(STATE), key: number}))
    assert read_state(path) is None


@given(some.binary(max_size=200))
def test_no_bytes_are_an_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("state") / "a.progress"
    path.write_bytes(content)
    assert read_state(path) is None


def test_a_state_of_a_later_version_is_read(tmp_path):
    (tmp_path / "score").mkdir()
    (tmp_path / "score/a.progress").write_text(json.dumps({**asdict(STATE), "mood": "good"}))
    assert states_below(tmp_path) == {"score/a": STATE}


def test_processes_that_are_gone_are_known_on_this_machine_only():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(gone.pid), "it has ended, though nobody has asked how"
    gone.wait()
    assert STATE.may_live
    assert not replace(STATE, pid=gone.pid).may_live
    assert replace(STATE, pid=gone.pid, host="elsewhere").may_live
    assert not is_alive(1 << 40)
    assert not is_alive(-5)
