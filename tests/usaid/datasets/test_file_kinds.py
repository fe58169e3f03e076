"""Whether files are what their names say."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image
from safetensors.torch import save

from usaid.datasets.file_kinds import why_not_of_its_kind


def packed(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        tar.addfile(tarfile.TarInfo("a"))
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", "content")
    return stream.getvalue()


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2)).save(stream, kind)
    return stream.getvalue()


def checkpoint(old: bool) -> bytes:
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, stream, _use_new_zipfile_serialization=not old)
    return stream.getvalue()


def arrays(matlab: bool) -> bytes:
    stream = io.BytesIO()
    if matlab:
        scipy.io.savemat(stream, {"a": np.zeros(2)})
    else:
        np.savez(stream, a=np.zeros(2))
    return stream.getvalue()


GOOD = {
    "a.zip": zipped(),
    "a.npz": arrays(matlab=False),
    "a.mat": arrays(matlab=True),
    "a.tar": packed("w"),
    "a.tar.gz": packed("w:gz"),
    "a.tgz": packed("w:gz"),
    "a.tar.bz2": packed("w:bz2"),
    "a.tar.xz": packed("w:xz"),
    "a.png": picture("PNG"),
    "a.JPG": picture("JPEG"),
    "a.tif": picture("TIFF"),
    "new.pth": checkpoint(old=False),
    "old.pth": checkpoint(old=True),
    "old.pt": pickle.dumps({}, protocol=4),
    "a.safetensors": save({"a": torch.zeros(2)}),
    "a.weights": np.array([0, 2, 0], "<i4").tobytes() + bytes(12),
    "a.bin": b"anything",
}
CHECKED = [name for name in GOOD if name != "a.bin"]


@pytest.mark.parametrize("name", GOOD)
def test_files_that_are_what_they_are_called(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.part").write_bytes(GOOD[name])
    assert why_not_of_its_kind(tmp_path / "file.part", name) == ""


@pytest.mark.parametrize("name", GOOD)
def test_empty_files_and_web_pages_are_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert why_not_of_its_kind(tmp_path / "file", name) == "is empty"
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf\n<!DOCTYPE html>" + bytes(100))
    assert why_not_of_its_kind(tmp_path / "file", name) == "is a web page"


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("content", [b"{}", b"abc" * 300, bytes([255]) * 600, b'{"error": "not found"}'])
def test_other_bytes_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert why_not_of_its_kind(tmp_path / "file", name).startswith(f"is no {Path(name).suffix.lower()} file")


@pytest.mark.parametrize("name", ["a.zip", "a.npz", "new.pth", "a.safetensors", "a.weights", "a.tar"])
def test_half_of_them_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(GOOD[name][: min(len(GOOD[name]) // 2, 500)])
    assert why_not_of_its_kind(tmp_path / "file", name).startswith("is no ")
