"""Whether a file is of the kind that its name says, by its first bytes: what is asked where no hash is published."""

import tarfile
import zipfile
from pathlib import Path

_HDF5 = b"\x89HDF\r\n\x1a\n"

_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".gz": (b"\x1f\x8b\x08",),
    ".tgz": (b"\x1f\x8b\x08",),
    ".bz2": (b"BZh",),
    ".xz": (b"\xfd7zXZ\x00",),
    ".png": (b"\x89PNG\r\n\x1a\n",),
    ".jpg": (b"\xff\xd8\xff",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".tif": (b"II*\x00", b"MM\x00*"),
    ".tiff": (b"II*\x00", b"MM\x00*"),
    ".npy": (b"\x93NUMPY",),
    ".mat": (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"),
    ".h5": (_HDF5,),
}
_ZIPS = {".zip", ".npz"}
_CHECKPOINTS = {".pth", ".pt"}
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


def why_not_of_its_kind(file: Path, name: str) -> str:
    """What speaks against a file being what a name says; empty if nothing does.

    Args:
        file: path of the bytes, whatever it is called.
        name: the name that the file has or will get.

    Raises:
        OSError: the file cannot be read.
    """
    size, suffix = file.stat().st_size, Path(name).suffix.lower()
    if size == 0:
        return "is empty"
    with open(file, "rb") as stream:
        start = stream.read(512)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page"
    return "" if _is_kind(file, start, suffix, size) else f"is no {suffix} file (it begins with {start[:8]!r})"


def _is_kind(file: Path, start: bytes, suffix: str, size: int) -> bool:
    if suffix in _ZIPS:
        return zipfile.is_zipfile(file)  # looks at its end, too
    if suffix in _CHECKPOINTS:
        return start.startswith(_PICKLES) or zipfile.is_zipfile(file)
    if suffix == ".tar":
        return _is_tar(start)
    if suffix == ".safetensors":
        return start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= size - 8
    if suffix == ".weights":  # Darknet: three small little-endian integers, its version, then the images seen
        return size > 20 and all(int.from_bytes(start[at : at + 4], "little") < 100 for at in (0, 4, 8))
    return suffix not in _BEGINNINGS or start.startswith(_BEGINNINGS[suffix])


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
