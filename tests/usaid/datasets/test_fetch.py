"""What a source names, fetched into its place."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from servers import BODY, SHA256, Server, good

from usaid.datasets import fetch as fetch_module
from usaid.datasets import items
from usaid.datasets.fetch import fetch, fetchable_names, find_or_fetch
from usaid.errors import UsaidError


def zip_bytes(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return stream.getvalue()


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def archive_entry(url: str, body: bytes, **more: Any) -> dict[str, Any]:
    return {"urls": [url], "sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "unpack_to": "."} | more


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for module in (fetch_module, items):
        monkeypatch.setattr(module, "source_of", entries.__getitem__)
    return entries


def test_fetch_unpacks_archives_and_keeps_them(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    images, labels = zip_bytes({"val2017/1.jpg": b"jpeg"}), zip_bytes({"val.json": b"{}", "train.json": b"[]"})
    sources["coco"] = {
        "archives": [
            archive_entry(server.url("/val2017.zip", good(images)), images, unpack_to="coco"),
            archive_entry(server.url("/labels.zip", good(labels)), labels, unpack_to="coco", only="val.json"),
        ]
    }
    archives = [tmp_path / "downloads/val2017.zip", tmp_path / "downloads/labels.zip"]
    assert fetch("coco", tmp_path) == archives
    assert files_below(tmp_path / "coco") == {"val2017/1.jpg": b"jpeg", "val.json": b"{}"}
    (tmp_path / "coco/val.json").unlink()
    assert fetch("coco", tmp_path) == archives
    assert (tmp_path / "coco/val.json").exists()
    assert len(server.requests) == 2


def test_fetch_places_files(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    entry = {"urls": [server.url("/file", good())], "sha256": SHA256, "size": None, "place_at": "released/DnCNN.pth"}
    sources["released"] = {"files": [entry]}
    assert fetch("released", tmp_path) == [tmp_path / "released/DnCNN.pth"]
    assert files_below(tmp_path / "released") == {"DnCNN.pth": BODY}
    assert [*files_below(tmp_path / "downloads")] == ["released.json"], "the record, and no lock"


def test_fetch_leaves_a_complete_data_set_alone(tmp_path: Path) -> None:
    (tmp_path / "kodak").mkdir()
    for number in range(1, 25):
        (tmp_path / f"kodak/kodim{number:02d}.png").write_bytes(b"counted, not decoded")
    assert fetch("kodak", tmp_path) == []


def test_fetch_says_what_needs_an_account(tmp_path: Path) -> None:
    with pytest.raises(UsaidError, match=f"deepglobe: needs an account: .* at {tmp_path}/deepglobe/land-train"):
        fetch("deepglobe", tmp_path)


def test_fetch_refuses_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UsaidError, match="imagenet: nothing of this name can be fetched; one of voc2012, kodak"):
        fetch("imagenet", tmp_path)


def test_fetchable_names() -> None:
    assert fetchable_names() == [
        "voc2012",
        "kodak",
        "isic2018",
        "cifar100",
        "coco",
        "released",
        "resnet101",
        "yolov3",
        "yolov3u",
        "niqe_live",
        "niqe_matlab",
    ]


def test_nothing_is_fetched_where_something_is(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    sources["kodak"] = {"files": []}
    (tmp_path / "kodak").mkdir()
    (tmp_path / "kodak/kodim07.png").write_bytes(b"counted, not decoded")
    assert find_or_fetch("kodak", tmp_path) == {"all": "1 of 24"}
    assert server.requests == []


def test_a_data_set_of_which_nothing_is_there_is_fetched(
    server: Server, sources: dict[str, Any], tmp_path: Path
) -> None:
    entry = {"urls": [server.url("/file", good())], "sha256": SHA256, "size": None, "place_at": "kodak/kodim01.png"}
    sources["kodak"] = {"files": [entry]}
    assert find_or_fetch("kodak", tmp_path) == {"all": "1 of 24"}
    assert find_or_fetch("kodak", tmp_path) == {"all": "1 of 24"}
    assert len(server.requests) == 1


def test_weights_are_fetched_once(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    entry = {"urls": [server.url("/file", good())], "sha256": SHA256, "size": None, "place_at": "released/DnCNN.pth"}
    sources["released"] = {"files": [entry]}
    assert find_or_fetch("released", tmp_path) == {"DnCNN.pth": "there"}
    assert find_or_fetch("released", tmp_path) == {"DnCNN.pth": "there"}
    assert len(server.requests) == 1


def test_what_needs_an_account_and_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsaidError, match="deepglobe: needs an account"):
        find_or_fetch("deepglobe", tmp_path)


@pytest.mark.parametrize("path", ["/", "/a/", "/..", "/a%2Fb.zip", "/?file=a.zip"])
def test_an_archive_needs_a_name(server: Server, sources: dict[str, Any], tmp_path: Path, path: str) -> None:
    sources["coco"] = {"archives": [archive_entry(server.url(path, good()), BODY)]}
    with pytest.raises(UsaidError, match="must end in the archive's file name"):
        fetch("coco", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_after_the_path_is_no_part_of_the_name(
    server: Server, sources: dict[str, Any], tmp_path: Path
) -> None:
    body = zip_bytes({"a": b"a"})
    sources["coco"] = {"archives": [archive_entry(server.url("/a.zip?raw=1", good(body)), body)]}
    assert fetch("coco", tmp_path) == [tmp_path / "downloads/a.zip"]


def test_limits_of_a_source_are_kept(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    body = zip_bytes({"a": bytes(1000)})
    entry = archive_entry(server.url("/a.zip", good(body)), body, unpacked_at_most=999)
    sources["coco"] = {"archives": [entry]}
    with pytest.raises(UsaidError, match=r"a\.zip: unpacks to more than 999 bytes"):
        fetch("coco", tmp_path)
    entry = {"urls": [server.url("/file.bin", good())], "sha256": None, "size": None, "place_at": "released/file.bin"}
    sources["released"] = {"files": [entry | {"at_most": len(BODY) - 1}]}
    with pytest.raises(UsaidError, match=f"more than the {len(BODY) - 1} that are taken of it"):
        fetch("released", tmp_path)
    sources["released"] = {"files": [entry | {"at_most": len(BODY)}]}
    assert fetch("released", tmp_path) == [tmp_path / "released/file.bin"]


def test_labels_of_the_users_own_stay(server: Server, sources: dict[str, Any], tmp_path: Path) -> None:
    body = zip_bytes({"val.json": b"{}", "more.json": b"[]"})
    sources["coco"] = {"archives": [archive_entry(server.url("/a.zip", good(body)), body, unpack_to="coco")]}
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco/val.json").write_bytes(b"mine")
    with pytest.raises(UsaidError, match=r"coco/val\.json: not what .*a\.zip holds under this name"):
        fetch("coco", tmp_path)
    assert files_below(tmp_path / "coco") == {"val.json": b"mine"}
