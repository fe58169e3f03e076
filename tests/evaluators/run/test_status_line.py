"""The status line: on a terminal below all that is logged, elsewhere a line now and then."""

import fcntl
import io
import logging
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from evaluators.run import status_line
from evaluators.run.look import JobSight, Sight
from evaluators.run.record import RecordedJob, RunRecord, write_record
from evaluators.run.status_line import ERASE, Above, StatusLine, Terminal, can_redraw, handlers_on_terminals

JOBS = tuple(
    RecordedJob(f"table {number}", "table", "", f"table/{number}", {f"table/{number}": 0}) for number in (4, 6)
)
RECORD = RunRecord("small", "snakemake", ".", "here", 1, 0, 0.0, JOBS)


def sight(done: int) -> Sight:
    return Sight(tuple(JobSight(job, "made" if number < done else "waiting") for number, job in enumerate(JOBS)), 1.0)


@pytest.fixture
def terminal(monkeypatch) -> Iterator[TextIO]:
    """A terminal of 40 columns, to be read with :func:`shown`."""
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with open(theirs, "w", encoding="utf-8") as stream:
        _OURS.append((ours, stream))
        yield stream
    _OURS.pop()
    os.close(ours)


_OURS: list[tuple[int, TextIO]] = []


def shown() -> str:
    """What was written to the terminal since the last call: all before a last sign of ours."""
    ours, stream = _OURS[-1]
    stream.write("\0")
    stream.flush()
    read = b""
    while not read.endswith(b"\0"):
        read += os.read(ours, 1 << 16)
    return read[:-1].decode().replace("\r\n", "\n")


@pytest.fixture
def logger(terminal) -> Iterator[logging.Logger]:
    """A logger on the terminal, as Snakemake's."""
    logger, handler = logging.getLogger("a.strangers"), logging.StreamHandler(terminal)
    logger.addHandler(handler)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)


def test_log_lines_stand_above_the_line(terminal, logger):
    of = Terminal(terminal)
    of.take()
    of.draw("1 of 2 jobs")
    assert shown() == f"{ERASE}1 of 2 jobs\r"
    logger.warning("Job 3: table 6")
    of.draw("2 of 2 jobs")
    assert shown() == f"{ERASE}Job 3: table 6\n{ERASE}2 of 2 jobs\r"
    of.leave()
    assert shown() == ERASE
    logger.warning("as before")
    of.leave()
    assert shown() == "as before\n"


def test_a_log_line_that_has_only_begun_is_not_overwritten(terminal, logger):
    of = Terminal(terminal)
    of.take()
    (stream,) = (h.stream for h in logger.handlers if isinstance(getattr(h, "stream", None), Above))
    stream.write("Finished ")
    of.draw("1 of 2 jobs")
    stream.write("jobid 3\n")
    stream.flush()
    of.draw("2 of 2 jobs")
    of.leave()
    assert shown() == f"Finished jobid 3\n{ERASE}2 of 2 jobs\r{ERASE}"
    assert stream.isatty()
    assert stream.fileno() == terminal.fileno()


def test_the_line_is_cut_to_forty_columns(terminal, logger):
    line = StatusLine("results/small", RECORD, terminal)
    jobs = tuple(JobSight(job, "running") for job in JOBS * 5)
    line.say(Sight(jobs, 1.0))
    assert shown() == f"{ERASE}0 of 10 jobs: table 4, table 6, tabl...\r"
    line.stop()
    assert shown() == ERASE


def test_a_terminal_that_is_gone_is_no_error(terminal, logger):
    of = Terminal(io.StringIO())
    of._stream.close()
    of.draw("1 of 2 jobs")
    assert of.width == 80


def test_where_nothing_can_be_redrawn(terminal, logger, monkeypatch):
    assert can_redraw(terminal)
    assert not can_redraw(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not can_redraw(terminal)
    monkeypatch.setenv("TERM", "xterm")
    logger.handlers.clear()
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    assert can_redraw(terminal) == bool(handlers_on_terminals()), "a plug-in of Snakemake's draws as it likes"


def test_elsewhere_it_is_a_line_now_and_then_and_only_if_something_changed(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("evaluators.run.status_line.time.monotonic", lambda: now[0])
    said = io.StringIO()
    line = StatusLine("results/small", RECORD, said)
    line.say(sight(0))
    assert said.getvalue() == "", "a short run says nothing"
    for seconds, done in ((30, 0), (10, 1), (20, 1), (30, 1), (30, 2)):
        now[0] += seconds
        line.say(sight(done))
    assert said.getvalue() == "0 of 2 jobs\n1 of 2 jobs\n2 of 2 jobs\n"


def test_the_thread_ends_with_the_run_and_a_vanished_folder_does_not_end_it(tmp_path, terminal, logger, monkeypatch):
    monkeypatch.setattr(status_line, "SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr(status_line, "SECONDS_BETWEEN_WORDS", 0.0)
    monkeypatch.setattr(status_line, "LOOKS_TAKE_AT_MOST", 1)
    write_record(tmp_path, RECORD)
    os.utime(tmp_path / "jobs/run.json", (0, 0))
    line, drawn = StatusLine(tmp_path, RECORD, terminal), threading.Event()
    draw = line._terminal.draw
    monkeypatch.setattr(line._terminal, "draw", lambda text: (draw(text), drawn.set()))
    line.start()
    assert drawn.wait(60)
    line.stop()
    assert not line.is_alive()
    assert line.daemon
    assert (tmp_path / "jobs/run.json").stat().st_mtime > 0, "it showed that it lives"
    assert "0 of 2 jobs" in shown()
    assert not any(isinstance(handler.stream, Above) for handler in logger.handlers)
    line.stop()
