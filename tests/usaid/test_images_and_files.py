"""Decoding, conversion, and files that are whole or absent."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from usaid.errors import UsaidError
from usaid.files import sha256_of_file, text_of_file, written, written_atomically
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


def test_orientation_and_alpha_do_not_change_the_stored_pixels_of_a_data_set(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    pixels = np.arange(4 * 5 * 4, dtype=np.uint8).reshape(4, 5, 4)
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_rgb(tmp_path / "x.png"), pixels[..., :3])


@pytest.mark.parametrize(
    ("name", "pixels", "mode"),
    [("x.png", np.uint16, "I"), ("x.tif", np.uint16, "I"), ("x.tif", np.int32, "I"), ("x.tif", np.float32, "F")],
)
def test_grey_of_more_than_8_bits_is_refused_not_clipped(tmp_path, name, pixels, mode):
    Image.fromarray((np.arange(64, dtype=pixels) * 1000).reshape(8, 8)).save(tmp_path / name)
    with pytest.raises(
        UsaidError, match=rf"{name}: mode {mode}.*: grey values of more than 8 bits; save it as an 8-bit"
    ):
        read_rgb(tmp_path / name)


def test_too_large_an_image_is_one_line(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UsaidError, match=r"x\.png: image is too large \(.*1600 pixels.*\); cut it into parts"):
        read_rgb(tmp_path / "x.png")


def test_formats_that_start_programs_are_not_read(tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(UsaidError, match=r"x\.png: does not decode as an image \(no PNG, .*that Pillow knows\)"):
        read_rgb(tmp_path / "x.png")


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


# What cannot be written


def refused(path: Path, message: str, write=lambda temporary: temporary.write_text("new", encoding="utf-8")) -> None:
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    with pytest.raises(UsaidError) as error, written_atomically(path) as temporary:
        write(temporary)
    assert str(error.value) == f"{path}: {message}"
    assert (sorted(path.parent.iterdir()) if path.parent.is_dir() else []) == before


def fails_with(number: int, path: str | Path | None = None):
    def write(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        raise OSError(number, os.strerror(number), *([str(path or temporary)] if path != "" else []))

    return write


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "cannot be written (No space left on device); make room there, then run the same again"),
        (errno.EDQUOT, "cannot be written (Disk quota exceeded); make room there, then run the same again"),
        (errno.EROFS, "cannot be written (Read-only file system); name a place that can be written"),
        (errno.EIO, "cannot be written (Input/output error); see to it, or name another place"),
    ],
)
def test_a_disk_that_does_not_take_it_is_named_with_the_cure(tmp_path, number, message):
    refused(tmp_path / "f", message, fails_with(number))
    refused(tmp_path / "f", message, fails_with(number, ""))


def test_a_folder_without_permission_is_named(tmp_path):
    cure = f"make {tmp_path} writable, or name another place"
    refused(tmp_path / "f", f"cannot be written (Permission denied); {cure}", fails_with(errno.EACCES))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at inline_container.cc:862] . PytorchStreamWriter failed writing file data/0"),
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
    ],
)
def test_a_full_disk_is_known_by_what_packages_say_of_it(tmp_path, error):
    def write(temporary: Path) -> None:
        raise error

    refused(
        tmp_path / "f", "cannot be written (No space left on device); make room there, then run the same again", write
    )


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file", "another"),
        PermissionError(errno.EACCES, "Permission denied", "another"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset"),
        TimeoutError("timed out"),
        ValueError("wrong"),
        UsaidError("x: wrong"),
    ],
)
def test_errors_about_other_things_come_out_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as raised, written_atomically(tmp_path / "f"):
        raise error
    assert raised.value is error
    assert not any(tmp_path.iterdir())


def test_places_that_are_none(tmp_path):
    (tmp_path / "file").touch()
    a_file = "a part of its path is a file: name another place"
    refused(tmp_path, "is a folder; name a file")
    refused(Path("/dev/null"), "is a device or pipe; name a file")
    refused(tmp_path / "file" / "f", f"cannot be written (File exists); {a_file}")
    refused(tmp_path / "file" / "new" / "f", f"cannot be written (Not a directory); {a_file}")
    refused(tmp_path / ("x" * 300), "cannot be written (File name too long); choose a shorter name")


def test_a_write_protected_file_is_not_replaced(tmp_path):
    (tmp_path / "f").write_text("old", encoding="utf-8")
    (tmp_path / "f").chmod(0o444)
    refused(tmp_path / "f", "is write-protected; make it writable, move it away, or name another file")
    assert (tmp_path / "f").read_text(encoding="utf-8") == "old"


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("kept", encoding="utf-8")
    (tmp_path / f".f.{os.getpid()}.part").symlink_to("other")
    with written_atomically(tmp_path / "f") as temporary:
        temporary.write_text("new", encoding="utf-8")
    assert (tmp_path / "other").read_text(encoding="utf-8") == "kept"
    assert (tmp_path / "f").read_text(encoding="utf-8") == "new"


FILL = """
import sys, torch, numpy as np
from pathlib import Path
from safetensors.torch import save_file
from usaid.errors import UsaidError
from usaid.files import written_atomically

def npz(path):
    with open(path, "wb") as file:
        np.savez(file, a=np.random.rand(10**5))

weights = {"w": torch.rand(10**5)}
writers = {
    "text": lambda path: path.write_text("x" * 10**6), "torch": lambda path: torch.save(weights, path),
    "safetensors": lambda path: save_file(weights, path), "npz": npz,
}
for name, write in writers.items():
    try:
        with written_atomically(Path(sys.argv[1], name)) as temporary:
            write(temporary)
    except UsaidError as error:
        print(error)
"""


def test_what_really_finds_no_room_leaves_nothing_behind(tmp_path):
    """A limit of the process on the size of files stands for the disk."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    lines = done.stdout.splitlines()
    assert [line.split(": cannot be written (")[0] for line in lines] == [
        str(tmp_path / name) for name in ("text", "torch", "safetensors", "npz")
    ]
    assert all(line.endswith("; make room there, then run the same again") for line in lines)
    assert not any(tmp_path.iterdir())


def test_a_writer_that_appends_is_named_too(tmp_path):
    log = tmp_path / "no" / "log"
    message = r"log: cannot be written \(No such file or directory\)"
    with pytest.raises(UsaidError, match=message), written(log), open(log, "a", encoding="utf-8"):
        pass


def test_text_is_read_in_the_encoding_that_it_states(tmp_path):
    (tmp_path / "f").write_bytes("ä\n".encode("utf-16"))
    assert text_of_file(tmp_path / "f") == "ä\n"
    with pytest.raises(FileNotFoundError):
        text_of_file(tmp_path / "absent")
