"""Archives that are whole, damaged, or mean harm."""

import io
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

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
            zipped.writestr(info, content)
    return stream.getvalue()


def special_member(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo("special")
    info.type, info.linkname = kind, target
    return info


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


MEMBERS = {"data/a.txt": b"a", "data/deep/b.txt": b"b"}


@pytest.mark.parametrize("archived", [tar_bytes(MEMBERS), tar_bytes(MEMBERS, mode="w"), zip_bytes(MEMBERS)])
def test_unpack_keeps_what_is_there_and_replaces_what_is_in_the_archive(tmp_path: Path, archived: bytes) -> None:
    (tmp_path / "archive").write_bytes(archived)
    place = tmp_path / "place"
    (place / "data").mkdir(parents=True)
    (place / "data/a.txt").write_bytes(b"half a f")
    (place / "data/mine.txt").write_bytes(b"mine")
    unpack(tmp_path / "archive", place)
    assert files_below(place) == MEMBERS | {"data/mine.txt": b"mine"}
    assert [path.name for path in place.iterdir()] == ["data"]


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
