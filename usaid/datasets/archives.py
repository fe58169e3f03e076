"""Unpacks tar and zip archives, whole or not at all, never outside their folder and never over another file.

An archive is believed nothing: what comes out of it is counted while it is written.
"""

import bz2
import errno
import filecmp
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, Any, BinaryIO

from usaid.datasets.locks import held_file
from usaid.errors import UsaidError
from usaid.files import written_atomically

EXPANSION = 50
"""How many times an archive's size its files may have in all (photographs: once; the JSON of COCO: 4 times)."""

ALWAYS_ALLOWED = 100_000_000
"""Bytes that the files of an archive may have in all however small it is."""

MOST_MEMBERS = 1_000_000
"""Files and folders that an archive may hold (COCO's images of 2017: 123 thousand)."""

BLOCK = 4096
"""Bytes that a file or a folder counts at least: what it takes of a disk, however many fit into a packed archive."""

_DELETE = "delete this archive (and its .sha256 if there is one) and fetch it again"
_DO_NOT = "do not use this archive"
_CHUNK = 1 << 18
_MOST_PADDING = 1 << 24
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_DAMAGE = (
    gzip.BadGzipFile,
    EOFError,
    IndexError,
    KeyError,
    RuntimeError,
    ValueError,
    OverflowError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class _Member:
    """A file or folder in an archive.

    Attributes:
        name: its path in the archive, as it is written there.
        size: bytes that it says it has.
        is_folder: whether it is one.
        is_file: whether it is a plain file.
        open: gives its bytes.
    """

    name: str
    size: int
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes]]


@dataclass
class _Seen:
    """What came out of an archive so far, and how much may."""

    archive: Path
    most: int
    size: int = 0
    members: int = 0
    files: set[str] = field(default_factory=set)
    spellings: dict[str, str] = field(default_factory=dict)

    def add(self, member: _Member) -> None:
        """Check a member before anything of it is written."""
        self.members += 1
        if self.members > MOST_MEMBERS:
            raise UsaidError(f"{self.archive}: holds more than {MOST_MEMBERS} members; {_DO_NOT}")
        _check_name(self.archive, member.name)
        if not (member.is_file or member.is_folder):
            raise UsaidError(f"{self.archive}: member {member.name!r} is a link or a device; {_DO_NOT}")
        self._check_twins(member)
        self.size += max(member.size, BLOCK)
        if self.size > self.most:
            raise UsaidError(f"{self.archive}: unpacks to more than {self.most} bytes, too many for it; {_DO_NOT}")

    def _check_twins(self, member: _Member) -> None:
        """Refuse names that are one on a file system that knows no case, or that come twice."""
        path = ""
        for part in filter(lambda part: part not in {"", "."}, member.name.split("/")):
            path += f"/{part}"
            key = unicodedata.normalize("NFC", path).casefold()
            if self.spellings.setdefault(key, path) != path:
                names = f"{self.spellings[key][1:]!r} and {path[1:]!r}"
                raise UsaidError(f"{self.archive}: {names} differ in case only; {_DO_NOT}")
        if member.is_file and path in self.files:
            raise UsaidError(f"{self.archive}: holds {member.name!r} twice; {_DO_NOT}")
        if member.is_file:
            self.files.add(path)


def unpack(archive: str | Path, destination: str | Path, only: str | None = None, at_most: int | None = None) -> None:
    """Unpack a tar or zip archive below a folder.

    All members are unpacked beside their places first and then renamed, so that no half file is left. Files that are
    there already stay as they are: one with the content of the archive's is left alone, one with another content is
    taken for the user's own, and then nothing is unpacked.

    Args:
        archive: tar (plain or compressed) or zip file.
        destination: folder, made if missing.
        only: the one member to unpack; None: all.
        at_most: bytes that its files may take in all, ``BLOCK`` each at least; None: ``EXPANSION`` times the
            archive's, ``ALWAYS_ALLOWED`` at least.

    Raises:
        UsaidError: no archive or a damaged one; ``only`` is not in it; a member that is a link, a device or encrypted,
            whose name leads out of ``destination`` or is not a name everywhere, that comes twice or is larger than it
            says; too many members or bytes; a file with another content is in a member's place: then nothing is
            unpacked.
    """
    archive, destination = Path(archive), Path(destination)
    folder = destination / f".{archive.name}.unpacking"
    try:
        destination.mkdir(parents=True, exist_ok=True)
        with held_file(destination / f".{archive.name}.lock"), ExitStack() as stack:
            _remove(folder)  # of a process that was killed
            folder.mkdir()
            stack.callback(_remove, folder)
            most = max(ALWAYS_ALLOWED, EXPANSION * archive.stat().st_size) if at_most is None else at_most
            _unpack_to(folder, stack.enter_context(_opened(archive)), _Seen(archive, most), only)
            _move_files(archive, folder, destination)
    except _DAMAGE as error:
        raise UsaidError(f"{archive}: is damaged ({_plain(error)}); {_DELETE}") from None
    except OSError as error:
        raise UsaidError(
            f"{archive}: does not unpack to {destination} ({_plain(error)}); free the disk, or {_DELETE}"
        ) from None


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _unpack_to(folder: Path, members: Iterator[_Member], seen: _Seen, only: str | None) -> None:
    has_only = False
    for member in members:
        seen.add(member)
        if only not in (None, member.name):
            continue
        has_only = True
        place = folder / member.name
        if member.is_folder:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(member, place, seen.archive)
    if only is not None and not has_only:
        raise UsaidError(f"{seen.archive}: has no member {only!r}; {_DELETE}")


def _write(member: _Member, place: Path, archive: Path) -> None:
    """Write a member's bytes to a new file, no more than it says it has."""
    left = member.size
    with member.open() as packed, open(place, "xb") as file:
        while chunk := packed.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            file.write(chunk)
    if left:
        raise UsaidError(f"{archive}: member {member.name!r} has not the {member.size} bytes that it says; {_DELETE}")


def _check_name(archive: Path, name: str) -> None:
    """Refuse a name that could lead outside the folder, or that is not the same file on every system."""
    path = PureWindowsPath(name)  # reads / and \\ alike, and drive letters
    if path.anchor or path.drive or ".." in path.parts:
        raise UsaidError(f"{archive}: member {name!r} leads out of the folder; {_DO_NOT}")
    parts = name.removesuffix("/").split("/")
    if any(not _is_name(part) for part in parts if part != ".") or len(name) > 1000:
        raise UsaidError(f"{archive}: member {name[:200]!r} has a name that not every system takes; {_DO_NOT}")


def _is_name(part: str) -> bool:
    return (
        0 < len(part.encode("utf-8", "surrogateescape")) <= 255
        and part.isprintable()
        and not set(part) & set('\\:*?"<>|')
        and part[-1] not in ". "
        and not _RESERVED.fullmatch(part)
    )


# ------------------------------------------------------------------------------------------------------------- members


class _Source(io.RawIOBase):
    """A tar's bytes, of which nobody takes a large piece at once: names in it may claim to be gigabytes long."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    """The members of an archive, in its order, while it is open."""
    with open(archive, "rb") as file, ExitStack() as stack:
        start = file.read(6)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield _zip_members(archive, stack.enter_context(zipfile.ZipFile(file)))
            return
        unpacked = next((kind for magic, kind in _COMPRESSIONS.items() if start.startswith(magic)), None)
        stream: Any = stack.enter_context(unpacked(file)) if unpacked else file
        try:
            tar = stack.enter_context(tarfile.open(fileobj=_Source(stream), mode="r:"))
        except (tarfile.TarError, *_DAMAGE, OSError) as error:
            raise UsaidError(f"{archive}: is neither a tar nor a zip archive ({_plain(error)}); {_DELETE}") from None
        yield _tar_members(tar, stream)


_COMPRESSIONS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


def _tar_members(tar: tarfile.TarFile, stream: BinaryIO) -> Iterator[_Member]:
    """The members of a tar; at its end, that it has one, and the checksum of what it is compressed with."""
    for info in tar:
        yield _Member(info.name, info.size, info.isdir(), info.isfile(), partial(_bytes_of, tar, info))
    stream.seek(tar.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends before its end mark")
    for _ in range(_MOST_PADDING // _CHUNK):
        if not stream.read(_CHUNK):
            return
    raise tarfile.ReadError("its end mark is far from its end")


def _bytes_of(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(info)
    assert content is not None, "it was asked for a plain file"
    return content


def _zip_members(archive: Path, zipped: zipfile.ZipFile) -> Iterator[_Member]:
    for info in zipped.infolist():
        if info.flag_bits & 1:
            raise UsaidError(f"{archive}: member {info.filename!r} is encrypted; {_DO_NOT}, or unpack it by hand")
        is_plain = stat.S_IFMT(info.external_attr >> 16) in {0, stat.S_IFREG, stat.S_IFDIR}
        is_file, is_folder = is_plain and not info.is_dir(), is_plain and info.is_dir()
        yield _Member(info.orig_filename, info.file_size, is_folder, is_file, partial(zipped.open, info))


# -------------------------------------------------------------------------------------------------------- their places


def _move_files(archive: Path, folder: Path, destination: Path) -> None:
    """Move what is unpacked to where nothing is; nothing at all if something else is in the way."""
    moved, in_the_way = [], []
    for path in sorted(folder.rglob("*")):
        place = destination / path.relative_to(folder)
        if not os.path.lexists(place):
            moved.append((path, place))
        elif path.is_dir() != place.is_dir() or not (path.is_dir() or _are_equal(path, place)):
            in_the_way.append(place)
    if in_the_way:
        count = f"{in_the_way[0]}" + (f" and {len(in_the_way) - 1} more" if len(in_the_way) > 1 else "")
        raise UsaidError(
            f"{count}: not what {archive} holds under this name, so nothing was unpacked; move your files away and "
            "fetch again"
        )
    for path, place in moved:
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            _move(path, place)


def _are_equal(path: Path, place: Path) -> bool:
    return place.is_file() and filecmp.cmp(path, place, shallow=False)


def _move(path: Path, place: Path) -> None:
    try:
        os.replace(path, place)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a folder that is a link to another disk
            raise
        with written_atomically(place) as temporary:
            shutil.copyfile(path, temporary)
