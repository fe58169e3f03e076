"""Unpacks tar and zip archives, whole or not at all, and never outside their folder."""

import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

from usaid.errors import UsaidError

_DELETE = "delete this archive (and its .sha256 if there is one) and fetch it again"


def unpack(archive: str | Path, destination: str | Path, only: str | None = None) -> None:
    """Unpack a tar or zip archive below a folder, replacing files of the same name.

    All members are unpacked beside their places first and then renamed, so that no half file is left.

    Args:
        archive: tar (plain or compressed) or zip file.
        destination: folder, made if missing.
        only: the one member to unpack; None: all.

    Raises:
        UsaidError: no archive or a damaged one, ``only`` is not in it, or a member that is a link or a device or whose
            name leads out of ``destination``: then nothing is unpacked.
    """
    archive, destination = Path(archive), Path(destination)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination, prefix=f".{archive.name}.") as folder:
            _unpacker(archive)(archive, Path(folder), only)
            _move_files(Path(folder), destination)
    except (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise UsaidError(
            f"{archive}: does not unpack to {destination} ({error}); free the disk, or {_DELETE}"
        ) from None


def _unpacker(archive: Path) -> Callable[[Path, Path, str | None], None]:
    if tarfile.is_tarfile(archive):
        return _unpack_tar
    if zipfile.is_zipfile(archive):
        return _unpack_zip
    raise UsaidError(f"{archive}: is neither a tar nor a zip archive; {_DELETE}")


def _unpack_tar(archive: Path, folder: Path, only: str | None) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        for member in members:
            _check_member(archive, member.name, member.isfile() or member.isdir())
        tar.extractall(folder, _chosen(archive, {member.name: member for member in members}, only), filter="data")


def _unpack_zip(archive: Path, folder: Path, only: str | None) -> None:
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        for member in members:
            _check_member(archive, member.filename, not stat.S_ISLNK(member.external_attr >> 16))
        zipped.extractall(folder, _chosen(archive, {member.filename: member for member in members}, only))


def _check_member(archive: Path, name: str, is_file_or_folder: bool) -> None:
    """Refuse a member that data sets have no use for and that could write outside the folder."""
    path = PureWindowsPath(name)  # reads / and \\ alike, and drive letters
    if path.anchor or path.drive or ".." in path.parts:
        raise UsaidError(f"{archive}: member {name!r} leads out of the folder; do not use this archive")
    if not is_file_or_folder:
        raise UsaidError(f"{archive}: member {name!r} is a link or a device; do not use this archive")


def _chosen(archive: Path, members: dict[str, Any], only: str | None) -> list[Any]:
    if only is None:
        return list(members.values())
    if only not in members:
        raise UsaidError(f"{archive}: has no member {only!r}; {_DELETE}")
    return [members[only]]


def _move_files(folder: Path, destination: Path) -> None:
    for path in sorted(folder.rglob("*")):
        place = destination / path.relative_to(folder)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            os.replace(path, place)
