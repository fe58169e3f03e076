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
