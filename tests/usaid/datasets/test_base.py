"""What readers share: images that are made smaller, and lists of ids."""

from pathlib import Path

import numpy as np
import pytest
from kinds.readers import HEIGHT, WIDTH, picture, refusal, save_text

from usaid.datasets.base import Sample, read_id_list, shrunk
from usaid.errors import UsaidError


def test_images_are_made_smaller_with_their_label_maps() -> None:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[:, WIDTH // 2 :] = 3
    sample = Sample("1", picture(), labels)
    small = shrunk(sample, WIDTH // 2)
    assert small.id == "1"
    assert small.image.shape == (HEIGHT // 2, WIDTH // 2, 3)
    assert small.image.dtype == small.target.dtype == np.uint8
    assert small.target.tolist() == [[0, 0, 3, 3]] * (HEIGHT // 2)  # labels are never mixed
    assert abs(small.image.mean() - sample.image.mean()) < 8


@pytest.mark.parametrize("longest_side", [WIDTH, 1000])
def test_images_that_are_small_enough_stay_as_they_are(longest_side: int) -> None:
    sample = Sample("1", picture(), None)
    assert shrunk(sample, longest_side) is sample


def test_the_longer_side_counts() -> None:
    sample = Sample("1", picture().transpose(1, 0, 2).copy(), np.zeros((WIDTH, HEIGHT), np.uint8))
    assert shrunk(sample, WIDTH // 2).image.shape == (WIDTH // 2, HEIGHT // 2, 3)


def test_only_label_maps_can_be_resized() -> None:
    with pytest.raises(UsaidError, match="image '1': only images with label maps can be resized; drop 'longest_side'"):
        shrunk(Sample("1", picture(), [1, 2]), 4)


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
