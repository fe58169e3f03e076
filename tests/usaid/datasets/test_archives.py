"""Archives that are whole, damaged, or mean harm."""

import errno
import gzip
import io
import os
import random
import stat
import struct
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from usaid.datasets import archives
from usaid.datasets.archives import unpack
from usaid.errors import UsaidError

BODY = random.Random(0).randbytes(300_000)
HALF = 150_000


def tar_bytes(members: dict[str, bytes], *special: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in special:
            tar.addfile(info)
    return stream.getvalue()


def zip_bytes(members: dict[str, bytes], link: str = "") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK if name == link else stat.S_IFREG) << 16
            zipped.writestr(info, content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def special_member(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo("special")
    info.type, info.linkname = kind, target
    return info


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


MEMBERS = {"data/a.txt": b"a", "data/deep/b.txt": b"b"}


@pytest.mark.parametrize("archived", [tar_bytes(MEMBERS), tar_bytes(MEMBERS, mode="w"), zip_bytes(MEMBERS)])
def test_unpack_adds_what_is_missing_and_leaves_what_is_there(tmp_path: Path, archived: bytes) -> None:
    (tmp_path / "archive").write_bytes(archived)
    place = tmp_path / "place"
    (place / "data").mkdir(parents=True)
    (place / "data/a.txt").write_bytes(MEMBERS["data/a.txt"])
    (place / "data/mine.txt").write_bytes(b"mine")
    before = (place / "data/a.txt").stat()
    unpack(tmp_path / "archive", place)
    assert files_below(place) == MEMBERS | {"data/mine.txt": b"mine"}
    assert [path.name for path in place.iterdir()] == ["data"]
    after = (place / "data/a.txt").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    unpack(tmp_path / "archive", place)
    assert files_below(place) == MEMBERS | {"data/mine.txt": b"mine"}


@pytest.mark.parametrize("archived", [tar_bytes(MEMBERS), zip_bytes(MEMBERS)])
@pytest.mark.parametrize("kind", ["other bytes", "folder", "link", "dangling link", "file for a folder"])
def test_what_is_the_users_own_is_never_written_over(tmp_path: Path, archived: bytes, kind: str) -> None:
    (tmp_path / "archive").write_bytes(archived)
    (tmp_path / "mine").write_bytes(b"mine")
    place, target = tmp_path / "place", tmp_path / "place/data/deep/b.txt"
    target.parent.parent.mkdir(parents=True)
    if kind == "file for a folder":
        target = target.parent
    else:
        target.parent.mkdir()
    {
        "other bytes": lambda: target.write_bytes(b"B"),
        "folder": target.mkdir,
        "link": lambda: target.symlink_to(tmp_path / "mine"),
        "dangling link": lambda: target.symlink_to("nowhere"),
        "file for a folder": lambda: target.write_bytes(b"B"),
    }[kind]()
    before = files_below(tmp_path)
    with pytest.raises(UsaidError) as caught:
        unpack(tmp_path / "archive", place)
    message = str(caught.value)
    assert message.startswith(f"{target}")
    assert "so nothing was unpacked; move your files away" in message
    assert len(message.splitlines()) == 1
    assert files_below(tmp_path) == before


def test_folders_that_are_links_to_elsewhere_are_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on another disk, to which a file cannot be renamed."""
    (tmp_path / "archive").write_bytes(zip_bytes(MEMBERS))
    (tmp_path / "place").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "place/data").symlink_to(tmp_path / "disk")
    rename = os.replace

    def fails_between_disks(source: Path, target: Path) -> None:
        if ".unpacking" in str(source):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    monkeypatch.setattr(os, "replace", fails_between_disks)
    unpack(tmp_path / "archive", tmp_path / "place")
    assert files_below(tmp_path / "disk") == {"a.txt": b"a", "deep/b.txt": b"b"}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(zip_bytes(MEMBERS))
    left = tmp_path / "place/.archive.unpacking"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    (tmp_path / "place/.archive.lock").write_bytes(b"")
    unpack(tmp_path / "archive", tmp_path / "place")
    assert files_below(tmp_path / "place") == MEMBERS
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["data"]


def test_two_that_unpack_the_same_do_so_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(tar_bytes({"data.bin": BODY} | MEMBERS))
    failures: list[UsaidError] = []

    def attempt() -> None:
        try:
            unpack(tmp_path / "archive", tmp_path / "place")
        except UsaidError as error:
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files_below(tmp_path / "place") == MEMBERS | {"data.bin": BODY}


@pytest.mark.parametrize("archived", [tar_bytes(MEMBERS), zip_bytes(MEMBERS)])
def test_unpack_one_member(tmp_path: Path, archived: bytes) -> None:
    (tmp_path / "archive").write_bytes(archived)
    unpack(tmp_path / "archive", tmp_path / "place", only="data/deep/b.txt")
    assert files_below(tmp_path / "place") == {"data/deep/b.txt": b"b"}
    with pytest.raises(UsaidError, match=r"no member 'data/c\.txt'"):
        unpack(tmp_path / "archive", tmp_path / "place", only="data/c.txt")


@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "data/../../evil", "..\\evil", "C:\\evil", "C:evil"])
def test_members_that_lead_out_are_refused(tmp_path: Path, make: Callable[..., bytes], name: str) -> None:
    (tmp_path / "archive").write_bytes(make(MEMBERS | {name: b"evil"}))
    with pytest.raises(UsaidError, match="leads out of the folder"):
        unpack(tmp_path / "archive", tmp_path / "place")
    assert set(files_below(tmp_path)) == {"archive"}


@pytest.mark.parametrize(
    "archived",
    [
        tar_bytes(MEMBERS, special_member(tarfile.SYMTYPE, "../..")),
        tar_bytes(MEMBERS, special_member(tarfile.SYMTYPE, "/etc")),
        tar_bytes(MEMBERS, special_member(tarfile.LNKTYPE, "../../secret")),
        tar_bytes(MEMBERS, special_member(tarfile.FIFOTYPE)),
        tar_bytes(MEMBERS, special_member(tarfile.CHRTYPE)),
        zip_bytes(MEMBERS | {"special": b"/etc"}, link="special"),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, archived: bytes) -> None:
    (tmp_path / "archive").write_bytes(archived)
    with pytest.raises(UsaidError, match="'special' is a link or a device"):
        unpack(tmp_path / "archive", tmp_path / "place")
    assert set(files_below(tmp_path)) == {"archive"}


def damaged_zip() -> bytes:
    archived = bytearray(zip_bytes({"data.bin": BODY}))
    archived[100_000] ^= 1
    return bytes(archived)


@pytest.mark.parametrize(
    "archived",
    [b"", b"<html>", tar_bytes({"data.bin": BODY})[:HALF], zip_bytes({"data.bin": BODY})[:HALF], damaged_zip()],
)
def test_damaged_archives_are_named_and_leave_nothing(tmp_path: Path, archived: bytes) -> None:
    (tmp_path / "archive").write_bytes(archived)
    with pytest.raises(UsaidError, match=r"archive: .*delete this archive \(and its \.sha256 if there is one\)"):
        unpack(tmp_path / "archive", tmp_path / "place")
    assert list((tmp_path / "place").iterdir()) == []


def refused(tmp_path: Path, archived: bytes, **more: Any) -> str:
    """The one line with which an archive is refused; nothing is left of it."""
    (tmp_path / "archive").write_bytes(archived)
    with pytest.raises(UsaidError) as caught:
        unpack(tmp_path / "archive", tmp_path / "place", **more)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'archive'}: ")
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    assert list((tmp_path / "place").iterdir()) == []
    return message


NAMES = {
    "con.txt": "not every system takes",
    "data/NUL": "not every system takes",
    "data/COM1.png": "not every system takes",
    "data/a.": "not every system takes",
    "data/a ": "not every system takes",
    "data/a:b": "not every system takes",
    "data/a\\b": "not every system takes",
    "data/a?": "not every system takes",
    "data//a": "not every system takes",
    "data/\x1b[31m": "not every system takes",
    "data/\n": "not every system takes",
    "x" * 300: "not every system takes",
    "a/" * 600 + "a": "not every system takes",
    "data/A.TXT": "'data/a.txt' and 'data/A.TXT' differ in case only",
    "Data/c.txt": "'data' and 'Data' differ in case only",
    "./data/a.txt": "holds './data/a.txt' twice",
}


@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_the_same_file_everywhere(tmp_path: Path, make: Callable[..., bytes], name: str) -> None:
    assert NAMES[name] in refused(tmp_path, make(MEMBERS | {name: b"evil"}))


@pytest.mark.parametrize("make", [tar_bytes, zip_bytes])
def test_a_file_and_a_folder_of_one_name(tmp_path: Path, make: Callable[..., bytes]) -> None:
    refused(tmp_path, make({"a": b"a", "a/b": b"b"}))


def test_members_that_come_twice(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
        tar.addfile(tarfile.TarInfo("a"))
    assert "holds 'a' twice" in refused(tmp_path, stream.getvalue())
    twins = zip_bytes({"a": b"1", "b": b"2"}).replace(b"b", b"a")
    assert "holds 'a' twice" in refused(tmp_path, twins)


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_what_expands_without_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1_000_000)
    members = {f"{number}.bin": bytes(1_000_000) for number in range(9)}
    archived = zip_bytes(members) if mode == "zip" else tar_bytes(members, mode=mode)
    assert len(archived) < 20_000
    assert "unpacks to more than 1000000 bytes" in refused(tmp_path, archived)
    assert "unpacks to more than 8999999 bytes" in refused(tmp_path, archived, at_most=8_999_999)
    unpack(tmp_path / "archive", tmp_path / "place", at_most=9_000_000)
    assert files_below(tmp_path / "place") == members


def test_members_without_number_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    for make in (tar_bytes, zip_bytes):
        assert "more than 3 members" in refused(tmp_path, make({str(number): b"" for number in range(4)}))


@pytest.mark.parametrize("mode", ["w:gz", "zip"])
def test_small_files_count_with_what_they_take_of_a_disk(tmp_path: Path, mode: str) -> None:
    """A million empty files are some megabytes of an archive, and gigabytes of blocks and inodes."""
    members = {str(number): b"" for number in range(archives.ALWAYS_ALLOWED // archives.BLOCK // 2000)}
    archived = zip_bytes(members) if mode == "zip" else tar_bytes(members, mode=mode)
    most = (len(members) - 1) * archives.BLOCK
    assert f"unpacks to more than {most} bytes" in refused(tmp_path, archived, at_most=most)
    unpack(tmp_path / "archive", tmp_path / "place", at_most=len(members) * archives.BLOCK)
    assert files_below(tmp_path / "place") == members


def sparse(size: int) -> bytes:
    """A tar of 10 kB with a file that has ``size`` bytes, all of them holes."""
    stream = io.BytesIO()
    info = tarfile.TarInfo("hole")
    info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(size), "GNU.sparse.numblocks": "1"}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)
    return stream.getvalue()


def test_a_file_of_holes_counts_in_full(tmp_path: Path) -> None:
    assert "unpacks to more than" in refused(tmp_path, sparse(1 << 40))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_name_of_gigabytes_is_not_read(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, 1 << 32
    packed = gzip.compress(info.tobuf() + bytes(10_000_000))
    assert "a header of 4294967296 bytes" in refused(tmp_path, packed)


def with_size(archived: bytes, size: int, crc: int | None = None) -> bytes:
    """A zip of one member whose headers say another size."""
    changed = bytearray(archived)
    for at, to_crc, to_size in ((0, 14, 22), (archived.rindex(b"PK\x01\x02"), 16, 24)):
        struct.pack_into("<I", changed, at + to_size, size)
        if crc is not None:
            struct.pack_into("<I", changed, at + to_crc, crc)
    return bytes(changed)


@pytest.mark.parametrize("size", [0, 10, 299_999, 300_001, 1 << 31])
def test_a_member_that_is_not_as_large_as_it_says(tmp_path: Path, size: int) -> None:
    refused(tmp_path, with_size(zip_bytes({"data.bin": BODY}), size))


def test_a_member_that_needs_a_password(tmp_path: Path) -> None:
    changed = bytearray(zip_bytes({"data.bin": BODY}))
    for at in (6, changed.rindex(b"PK\x01\x02") + 8):
        changed[at] |= 1
    assert "'data.bin' is encrypted" in refused(tmp_path, bytes(changed))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_is_cut_off_anywhere_is_noticed(tmp_path: Path, mode: str) -> None:
    whole = tar_bytes({"a.bin": BODY[:700], "b.bin": BODY[:512]}, mode=mode)
    unpadded = len(whole.rstrip(b"\0")) if mode == "w" else len(whole)
    for length in [*range(0, unpadded, 101), *range(0, unpadded, 512), unpadded - 1]:
        refused(tmp_path, whole[:length])


def test_a_gz_whose_checksum_is_wrong_is_noticed(tmp_path: Path) -> None:
    archived = bytearray(tar_bytes({"a.bin": BODY[:700]}))
    archived[-5] ^= 1
    assert "is damaged (CRC check failed" in refused(tmp_path, bytes(archived))


def test_archives_in_archives_stay_packed(tmp_path: Path) -> None:
    inner = zip_bytes(MEMBERS)
    (tmp_path / "archive").write_bytes(zip_bytes({"inner.zip": inner}))
    unpack(tmp_path / "archive", tmp_path / "place")
    assert files_below(tmp_path / "place") == {"inner.zip": inner}
    assert "is neither a tar nor a zip" in refused_elsewhere(tmp_path, gzip.compress(tar_bytes(MEMBERS)))


def refused_elsewhere(tmp_path: Path, archived: bytes) -> str:
    (tmp_path / "other").mkdir()
    return refused(tmp_path / "other", archived)


@pytest.mark.parametrize(
    "whole",
    [tar_bytes({"a.bin": BODY[:600]} | MEMBERS, mode="w"), tar_bytes(MEMBERS), zip_bytes({"a": BODY[:600]} | MEMBERS)],
    ids=["tar", "gz", "zip"],
)
def test_damage_anywhere_is_one_line_or_does_no_harm(tmp_path: Path, whole: bytes) -> None:
    chance = random.Random(1)
    for number in range(150):
        damaged = bytearray(whole.rstrip(b"\0") + bytes(1024) if whole[:2] != b"PK" else whole)
        for _ in range(chance.choice([1, 1, 3, 20])):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        place = tmp_path / str(number)
        place.mkdir()
        (place / "archive").write_bytes(damaged)
        message = ""
        try:
            unpack(place / "archive", place / "place")
        except UsaidError as error:
            message = str(error)
        assert len(message.splitlines()) <= 1
        assert message == "" or list((place / "place").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(150)}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_place_that_is_no_folder(tmp_path: Path, kind: str) -> None:
    (tmp_path / "archive").write_bytes(zip_bytes(MEMBERS))
    (tmp_path / "place").write_bytes(b"") if kind == "file" else (tmp_path / "place").symlink_to("nowhere/x")
    with pytest.raises(UsaidError, match="does not unpack to"):
        unpack(tmp_path / "archive", tmp_path / "place")
