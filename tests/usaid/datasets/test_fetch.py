"""Downloads from a local server that misbehaves in every way that real ones do, and archives that mean harm."""

import hashlib
import io
import logging
import random
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from usaid import download as module
from usaid.datasets.fetch import download, fetch, fetchable_names, unpack
from usaid.errors import UsaidError

BODY = random.Random(0).randbytes(300_000)
WRONG = bytes([BODY[0] ^ 1]) + BODY[1:]
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = 150_000

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Answers the n-th request for a path with the n-th answer of its script, and further ones with the last."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.released = threading.Event()

    def url(self, path: str, *answers: Answer) -> str:
        self.script[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def ranges(self, path: str = "/file") -> list[str | None]:
        """The Range header of each request for a path."""
        return [header for requested, header in self.requests if requested == path]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers["Range"]))
        answers = self.server.script.get(self.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *arguments: Any) -> None:
        pass

    @property
    def offset(self) -> int:
        return int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def reply(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def good(body: bytes = BODY) -> Answer:
    """Serve ranges as a proper server does."""

    def answer(request: Handler) -> None:
        if request.offset == 0:
            return request.reply(200, body)
        if request.offset >= len(body):
            return request.reply(416, b"", Content_Range=f"bytes */{len(body)}")
        span = f"bytes {request.offset}-{len(body) - 1}/{len(body)}"
        return request.reply(206, body[request.offset :], Content_Range=span)

    return answer


def drop(after: int, body: bytes = BODY) -> Answer:
    """Announce the whole rest and close the connection after ``after`` bytes of it."""

    def answer(request: Handler) -> None:
        rest = body[request.offset :]
        span = f"bytes {request.offset}-{len(body) - 1}/{len(body)}"
        headers = {"Content_Range": span} if request.offset else {}
        request.reply(206 if request.offset else 200, rest[:after], Content_Length=str(len(rest)), **headers)

    return answer


def stall(after: int) -> Answer:
    """Send ``after`` bytes, then keep the connection open and say nothing more."""

    def answer(request: Handler) -> None:
        request.reply(200, BODY[:after], Content_Length=str(len(BODY)))
        request.wfile.flush()
        request.server.released.wait(10)

    return answer


def ignore_range(body: bytes = BODY) -> Answer:
    return lambda request: request.reply(200, body)


def shifted_range(request: Handler) -> None:
    """Answer a request for a range with another one."""
    if request.offset == 0:
        return request.reply(200, BODY)
    return request.reply(206, BODY[7:], Content_Range=f"bytes 7-{len(BODY) - 1}/{len(BODY)}")


def bare_range(request: Handler) -> None:
    """Answer a request for a range with 206, but without saying which range it is."""
    return request.reply(206 if request.offset else 200, BODY[request.offset :])


def without_length(request: Handler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(BODY)


def status(code: int) -> Answer:
    return lambda request: request.reply(code, b"sorry")


def web_page(request: Handler) -> None:
    request.reply(200, b"<html>log in</html>", Content_Type="text/html; charset=utf-8")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "BACKOFF", 0.01)
    monkeypatch.setattr(module, "TIMEOUT", 5.0)
    monkeypatch.setenv("no_proxy", "*")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.bin"


def part_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.part")


def leave_part(destination: Path, body: bytes) -> None:
    destination.parent.mkdir(parents=True)
    part_of(destination).write_bytes(body)


def assert_arrived(destination: Path) -> None:
    assert destination.read_bytes() == BODY
    assert not part_of(destination).exists()


def test_a_good_server_is_asked_once(server: Server, destination: Path) -> None:
    assert download([server.url("/file", good())], destination, SHA256, len(BODY)) == destination
    assert_arrived(destination)
    assert sorted(path.name for path in destination.parent.iterdir()) == ["file.bin"]
    assert server.ranges() == [None]


def test_the_first_digits_of_a_hash_are_enough_to_know_the_right_file(server: Server, destination: Path) -> None:
    url = server.url("/file", good())
    download([url], destination, SHA256[:8])
    download([url], destination, SHA256[:8])
    assert_arrived(destination)
    assert len(server.requests) == 1
    assert [path.name for path in destination.parent.iterdir()] == ["file.bin"], "a published hash is not recorded"


def test_the_first_digits_of_a_hash_refuse_a_wrong_file(server: Server, destination: Path) -> None:
    wrong = server.url("/wrong", good(WRONG))
    with pytest.raises(UsaidError, match=f"SHA-256 is {hashlib.sha256(WRONG).hexdigest()}, expected {SHA256[:8]}"):
        download([wrong], destination, SHA256[:8])
    assert not destination.exists()
    later = f"0{SHA256[1:]}" if SHA256[0] != "0" else f"1{SHA256[1:]}"
    with pytest.raises(UsaidError, match=f"no mirror gave this file with SHA-256 {later[:8]}"):
        download([server.url("/file", good())], destination, later[:8])
    assert not destination.exists()


def test_the_first_digits_of_a_hash_replace_a_wrong_file_that_is_there(server: Server, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(WRONG)
    download([server.url("/file", good())], destination, SHA256[:8])
    assert_arrived(destination)


def test_a_file_that_is_there_is_not_fetched_again(server: Server, destination: Path) -> None:
    url = server.url("/file", good())
    download([url], destination, SHA256)
    download([url], destination, SHA256)
    assert len(server.requests) == 1


def test_a_wrong_file_that_is_there_is_replaced(server: Server, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b"half a file")
    download([server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)


def test_a_wrong_file_that_is_there_stays_if_no_mirror_has_the_right_one(server: Server, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b"half a file")
    with pytest.raises(
        UsaidError, match=f"file that is there has SHA-256 {hashlib.sha256(b'half a file').hexdigest()}"
    ):
        download([server.url("/file", status(404))], destination, SHA256)
    assert destination.read_bytes() == b"half a file"


def test_a_dropped_body_is_continued(server: Server, destination: Path) -> None:
    download([server.url("/file", drop(HALF), drop(50_000), good())], destination, SHA256)
    assert_arrived(destination)
    assert server.ranges() == [None, f"bytes={HALF}-", f"bytes={HALF + 50_000}-"]


def test_a_part_of_an_earlier_call_is_continued(server: Server, destination: Path) -> None:
    leave_part(destination, BODY[:HALF])
    download([server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)
    assert server.ranges() == [f"bytes={HALF}-"]


def test_a_killed_transfer_leaves_a_part_that_the_next_mirror_continues(server: Server, destination: Path) -> None:
    first, second = server.url("/first", drop(HALF), status(404)), server.url("/second", good())
    download([first, second], destination, SHA256)
    assert_arrived(destination)
    assert server.ranges("/second") == [f"bytes={HALF}-"]


def test_a_complete_part_is_only_checked(server: Server, destination: Path) -> None:
    leave_part(destination, BODY)
    download([server.url("/file", status(500))], destination, SHA256, len(BODY))
    assert_arrived(destination)
    assert server.requests == []


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_part_longer_than_the_file_is_dropped(server: Server, destination: Path, size: int | None) -> None:
    leave_part(destination, BODY + b"more")
    download([server.url("/file", good())], destination, SHA256, size)
    assert_arrived(destination)


def test_a_part_of_something_else_is_dropped_and_fetched_anew(server: Server, destination: Path) -> None:
    leave_part(destination, bytes(HALF))
    download([server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)
    assert server.ranges() == [f"bytes={HALF}-", None]


@pytest.mark.parametrize("answer", [ignore_range(), shifted_range, bare_range, without_length])
def test_servers_that_do_not_serve_ranges(server: Server, destination: Path, answer: Answer) -> None:
    leave_part(destination, BODY[:HALF])
    download([server.url("/file", answer)], destination, SHA256)
    assert_arrived(destination)


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_a_server_in_trouble_is_asked_again(server: Server, destination: Path, code: int) -> None:
    download([server.url("/file", status(code), status(code), good())], destination, SHA256)
    assert_arrived(destination)


def test_a_stalled_connection_is_given_up_and_continued(
    server: Server, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    download([server.url("/file", stall(HALF), good())], destination, SHA256)
    assert_arrived(destination)
    resumed = server.ranges()[1]
    assert resumed is not None
    assert 0 < int(resumed.removeprefix("bytes=").removesuffix("-")) <= HALF


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_file_that_is_gone_is_not_asked_for_again(server: Server, destination: Path, code: int) -> None:
    download([server.url("/gone", status(code)), server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)
    assert len(server.ranges("/gone")) == 1


def test_wrong_bytes_send_us_to_the_next_mirror(server: Server, destination: Path) -> None:
    wrong = server.url("/wrong", good(WRONG))
    download([wrong, server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)
    assert server.ranges("/wrong") == [None]
    assert server.ranges() == [None]


def test_another_size_is_noticed_before_the_body_is_read(server: Server, destination: Path) -> None:
    with pytest.raises(UsaidError, match=f"has 5 bytes, expected {len(BODY)}"):
        download([server.url("/file", good(b"short"))], destination, SHA256, len(BODY))
    assert not part_of(destination).exists()


def test_a_web_page_is_not_the_file(server: Server, destination: Path) -> None:
    with pytest.raises(UsaidError, match="web page"):
        download([server.url("/file", web_page)], destination, None)
    assert not destination.exists()


def test_the_last_error_names_file_hashes_and_place(server: Server, destination: Path) -> None:
    urls = [server.url("/wrong", good(WRONG)), server.url("/gone", status(404))]
    with pytest.raises(UsaidError) as caught:
        download(urls, destination, SHA256)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{urls[0]}: SHA-256 is {hashlib.sha256(WRONG).hexdigest()}, expected {SHA256}" in message
    assert f"{urls[1]}: HTTP 404" in message
    assert message.endswith(f"place the file here: {destination}")
    assert list(destination.parent.iterdir()) == []


def test_a_mirror_that_always_drops_is_given_up(server: Server, destination: Path) -> None:
    with pytest.raises(UsaidError, match="connection ended after 4000 of 300000 bytes"):
        download([server.url("/file", drop(1000))], destination, SHA256)


def test_tries_are_limited(server: Server, destination: Path) -> None:
    with pytest.raises(UsaidError, match="HTTP 500"):
        download([server.url("/file", status(500))], destination, SHA256)
    assert len(server.requests) == module.TRIES


def test_no_server_at_all(server: Server, destination: Path) -> None:
    with pytest.raises(UsaidError, match="no answer"):
        download(["http://127.0.0.1:9/file"], destination, SHA256)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsaidError, match="cannot be written"):
        download([server.url("/file", good())], tmp_path / "file" / "data.bin", SHA256)


def test_without_a_published_hash_the_first_copy_is_trusted_and_said_so(
    server: Server, destination: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = server.url("/file", good())
    with caplog.at_level(logging.WARNING):
        download([url], destination, None)
        download([url], destination, None)
    assert_arrived(destination)
    assert (destination.parent / "file.bin.sha256").read_text() == f"{SHA256}  file.bin\n"
    assert [record.getMessage().count(SHA256) for record in caplog.records] == [1]
    assert len(server.requests) == 1


def test_a_recorded_hash_is_demanded_from_then_on(server: Server, destination: Path) -> None:
    url = server.url("/file", good(), good(b"replaced"))
    download([url], destination, None)
    destination.unlink()
    with pytest.raises(UsaidError, match=rf"SHA-256 {SHA256} \(of the first download; delete .*file\.bin\.sha256"):
        download([url], destination, None)
    assert not destination.exists()


def test_a_file_placed_by_hand_is_recorded(server: Server, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(BODY)
    download([server.url("/file", status(404))], destination, None)
    assert (destination.parent / "file.bin.sha256").read_text().startswith(SHA256)
    assert server.requests == []


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


def archive_entry(url: str, body: bytes, **more: Any) -> dict[str, Any]:
    return {"urls": [url], "sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "unpack_to": "."} | more


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    monkeypatch.setattr(module, "read_sources", lambda: entries)
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
    assert files_below(tmp_path) == {"released/DnCNN.pth": BODY}


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
