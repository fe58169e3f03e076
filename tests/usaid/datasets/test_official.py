"""Images that are not what their data set's name promises: another size, other bytes than those published."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from kinds.readers import picture, save

from usaid.datasets import official
from usaid.datasets.kodak import Kodak
from usaid.datasets.loading import load
from usaid.datasets.official import differences, differences_of

SIZE = (8, 6)
"""Of :func:`picture`."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Five images with published hashes."""
    paths = [tmp_path / f"toy/{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        save(path, picture(number))
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    entries = [{"place_at": f"toy/{path.name}", "sha256": digest} for path, digest in zip(paths, hashes, strict=True)]
    entries[1]["sha256"] = hashes[1][:8]  # a publisher that tells only the first digits
    monkeypatch.setattr(official, "source_of", {"toy": {"files": entries}, "other": {}}.__getitem__)
    return paths


def test_official_files_have_none(tmp_path: Path, files: list[Path]) -> None:
    assert differences("toy", tmp_path, files, [SIZE]) == []
    assert differences("toy", tmp_path, files, []) == []


def test_other_sizes_are_counted_and_named(tmp_path: Path, files: list[Path]) -> None:
    save(files[0], np.zeros((3, 4, 3), np.uint8))
    save(files[3], np.zeros((6, 7, 3), np.uint8))
    sentence = "2 of 5 images of toy are not 8x6 or 6x8 pixels (0.png: 4x3, 3.png: 7x6)"
    assert differences("toy", tmp_path, files, [SIZE, (6, 8)]) == [sentence]


def test_other_bytes_are_counted_and_some_named(tmp_path: Path, files: list[Path]) -> None:
    for path in files[:4]:
        path.write_bytes(path.read_bytes() + b"x")
    sentence = "4 of 5 files of toy are not the published ones (0.png, 1.png, 2.png, ...)"
    assert differences("toy", tmp_path, files, [SIZE]) == [sentence]
    assert differences("other", tmp_path, files, [SIZE]) == []  # nothing is published


def test_missing_and_damaged_files_are_left_to_the_reader(tmp_path: Path, files: list[Path]) -> None:
    files[0].unlink()
    files[1].write_bytes(b"no image")
    sentence = "1 of 4 files of toy are not the published ones (1.png)"
    assert differences("toy", tmp_path, files, [SIZE]) == [sentence]


def test_kodak_of_another_size_says_so(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / f"kodak/kodim{number:02d}.png", picture(number))
    (note,) = differences_of(load("kodak", tmp_path, "all"))
    assert note.startswith("2 of 2 images of kodak are not 768x512 or 512x768 pixels (kodim01.png: 8x6, ")


def test_kodak_of_the_right_size_with_other_pixels_says_so(tmp_path: Path) -> None:
    save(tmp_path / "kodak/kodim01.png", np.zeros((512, 768, 3), np.uint8))
    assert differences_of(Kodak(tmp_path, "all")) == ["1 of 1 files of kodak are not the published ones (kodim01.png)"]
