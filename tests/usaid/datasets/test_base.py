"""What readers share: lists of ids, images and masks."""

from pathlib import Path

import pytest
from kinds.readers import refusal, save_text

from usaid.datasets.base import read_id_list


def test_blank_lines_and_spaces_of_a_list_do_not_count(tmp_path: Path) -> None:
    save_text(tmp_path / "ids.txt", " a\n\nb \r\n\n")
    assert read_id_list(tmp_path / "ids.txt") == ["a", "b"]


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    assert "list of ids cannot be read" in refusal(lambda: read_id_list(tmp_path))


def test_a_line_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    save_text(tmp_path / "ids.txt", "a\n\nb\n a\nb\n")
    message = refusal(lambda: read_id_list(tmp_path / "ids.txt"))
    assert message == f"{tmp_path / 'ids.txt'}: line 4 repeats id 'a' of line 1; remove one of the two"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_lists_are_read_as_editors_save_them(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "ids.txt").write_bytes("2007_1\r\n\u00e9tude\r\n".encode(encoding))
    assert read_id_list(tmp_path / "ids.txt") == ["2007_1", "\u00e9tude"]


@pytest.mark.parametrize("content", ["\u00e9tude\n".encode("latin-1"), "2007_1\n".encode("utf-16-le"), b"\xff\xfe\0"])
def test_lists_in_other_encodings_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ids.txt").write_bytes(content)
    message = refusal(lambda: read_id_list(tmp_path / "ids.txt"))
    assert message.startswith(f"{tmp_path / 'ids.txt'}: list of ids cannot be read: ")
    assert message.endswith("save it as UTF-8")


def test_a_device_is_no_list() -> None:
    assert "/dev/zero: list of ids cannot be read: " in refusal(lambda: read_id_list(Path("/dev/zero")))
