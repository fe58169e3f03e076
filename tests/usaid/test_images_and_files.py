"""Decoding, conversion, and files that are whole or absent."""

import numpy as np
import pytest
import torch
from PIL import Image

from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically
from usaid.images import read_rgb
from usaid.tensors import to_uint8, to_unit_range


def test_uint8_round_trip():
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    batch = to_unit_range(image)
    assert batch.shape == (1, 3, 16, 16)
    assert batch.dtype == torch.float32
    assert (batch.min(), batch.max()) == (0, 1)
    assert np.array_equal(to_uint8(batch), image)


def test_to_uint8_clamps_and_rounds():
    batch = torch.tensor([-0.3, 0.499 / 255, 0.501 / 255, 1.2]).reshape(1, 1, 2, 2).repeat(1, 3, 1, 1)
    assert to_uint8(batch)[0, ..., 0].tolist() == [[0, 0], [1, 255]]


def test_grey_and_palette_images_become_rgb(tmp_path):
    grey = np.full((4, 5), 7, np.uint8)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(read_rgb(tmp_path / "grey.png"), np.full((4, 5, 3), 7))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"plain text"])
def test_what_is_no_image(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UsaidError, match=r"x\.png: does not decode"):
        read_rgb(tmp_path / "x.png")


def test_missing_image(tmp_path):
    with pytest.raises(UsaidError, match="no such image"):
        read_rgb(tmp_path / "x.png")


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")

    def interrupted_write() -> None:
        with written_atomically(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_write()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_write_replaces(tmp_path):
    with written_atomically(tmp_path / "new" / "file.txt") as temporary:
        temporary.write_text("whole", encoding="utf-8")
    assert (tmp_path / "new" / "file.txt").read_text(encoding="utf-8") == "whole"


def test_sha256_of_the_empty_file(tmp_path):
    (tmp_path / "empty").touch()
    assert sha256_of_file(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
