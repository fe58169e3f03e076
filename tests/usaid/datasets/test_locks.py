"""Files that one process at a time writes."""

import os
import threading
from pathlib import Path

import pytest

from usaid.datasets.locks import held_file
from usaid.errors import UsaidError


def test_a_held_file_is_read_written_and_removed_if_empty(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with held_file(path) as file:
        assert path.exists()
        assert file.read() == b""
    assert not path.exists()
    with held_file(path) as file:
        file.write(b"abc")
    with held_file(path) as file:
        assert file.read() == b"abc"
    assert path.read_bytes() == b"abc"


def test_an_error_leaves_what_was_written(tmp_path: Path) -> None:
    def break_off() -> None:
        with held_file(tmp_path / "file") as file:
            file.write(b"abc")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_who_comes_second_waits_and_gets_the_file_that_is_there_then(tmp_path: Path) -> None:
    path, seen = tmp_path / "file", []

    def second() -> None:
        with held_file(path) as file:
            seen.append(file.read())
            file.write(b"second")

    with held_file(path) as file:
        file.write(b"first")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        os.replace(path, tmp_path / "moved")
    thread.join(5)
    assert seen == [b""], "a new file, not the one that was moved"
    assert (path.read_bytes(), (tmp_path / "moved").read_bytes()) == (b"second", b"first")


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe", "second name", "device"])
def test_what_is_not_a_file_of_ours_is_not_opened(tmp_path: Path, kind: str) -> None:
    path, mine = tmp_path / "file", tmp_path / "mine"
    mine.write_bytes(b"mine")
    {
        "link": lambda: path.symlink_to(mine),
        "dangling link": lambda: path.symlink_to(tmp_path / "nowhere"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "second name": lambda: path.hardlink_to(mine),
        "device": lambda: path.symlink_to("/dev/zero"),
    }[kind]()
    with pytest.raises(UsaidError, match=r"file: is .*; move it away"), held_file(path):
        pass
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()
    assert os.path.lexists(path)


def test_a_device_is_not_opened() -> None:
    with pytest.raises(UsaidError, match="/dev/null: is a device"), held_file(Path("/dev/null")):
        pass
