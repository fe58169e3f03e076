"""A log keeps the beginning and the end of a flood."""

import threading
from pathlib import Path

from usaid.bounded_log import BoundedLog


def written(path: Path, texts: list[str], most: int = 20, last: int = 10) -> str:
    with open(path, "w", encoding="utf-8") as file:
        log = BoundedLog(file, most, last)
        for text in texts:
            print(text, file=log)
        log.finish()
        log.finish()
    return path.read_text(encoding="utf-8")


def test_what_fits_is_as_it_is(tmp_path):
    assert written(tmp_path / "log", ["a line", "another"]) == "a line\nanother\n"


def test_of_a_flood_beginning_and_end_are_kept_and_what_is_left_out_is_counted(tmp_path):
    lines = written(tmp_path / "log", ["begin", *(f"{number:06}" for number in range(1000)), "the end"]).splitlines()
    assert lines[:3] == ["begin", "000000", "000001"]
    assert lines[-1] == "the end"
    assert sum("left out here" in line for line in lines) == 1
    assert sum("log is full" in line for line in lines) == 1
    assert len(lines) < 10


def test_one_huge_text_is_cut(tmp_path):
    text = written(tmp_path / "log", ["x" * 1_000_000 + "end"])
    assert text.endswith("end\n")
    assert len(text) < 200


def test_it_is_finished_while_another_thread_floods_it(tmp_path):
    """As when a denoiser that prints without end is given up."""
    is_over = threading.Event()

    def flood() -> None:
        while not is_over.is_set():
            print("denoising", file=log)

    with open(tmp_path / "log", "w", buffering=1, encoding="utf-8") as file:
        log = BoundedLog(file, most=1000)
        thread = threading.Thread(target=flood)
        thread.start()
        while not log._left_out:
            is_over.wait(0.001)
        log.finish()
        is_over.set()
        thread.join()
    assert "are left out here" in (tmp_path / "log").read_text(encoding="utf-8")


def test_bytes_and_descriptor_are_those_of_the_file(tmp_path):
    with open(tmp_path / "log", "w", encoding="utf-8") as file:
        log = BoundedLog(file)
        assert log.fileno() == file.fileno()
        assert log.buffer is file.buffer
        assert not log.isatty()
