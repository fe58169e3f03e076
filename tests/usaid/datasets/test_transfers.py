"""What a server may do to us: every fault costs its mirror, never the disk, the night or a wrong file."""

import email.utils
import errno
import resource
import shutil
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from servers import (
    BODY,
    HALF,
    SHA256,
    Answer,
    Server,
    ask_to_wait,
    drop,
    good,
    head,
    in_chunks,
    raw,
    redirect,
    repeated,
    silent,
    stall,
    status,
    typed,
    versions,
    web_page,
    with_range,
    without_length,
)

from usaid.datasets import mirrors, transfers
from usaid.datasets.mirrors import download
from usaid.datasets.transfers import TransferError
from usaid.errors import UsaidError

SIZE = len(BODY)
LENGTH = f"Content-Length: {SIZE}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNK = b"10000\r\n" + bytes(0x10000) + b"\r\n"
REST = BODY[HALF:]

FAULTS: dict[str, Answer] = {
    "more than announced": raw(head(LENGTH) + BODY + bytes(SIZE)),
    "less than announced": drop(100),
    "nothing at all": silent,
    "hangs up": raw(b""),
    "an empty file": raw(head("Content-Length: 0")),
    "an empty file, no length": raw(head()),
    "half a file, no length": raw(head() + BODY[:HALF]),
    "half a file in chunks, no end": in_chunks(BODY[:HALF], ended=False),
    "a body without end": repeated(head(), bytes(1 << 16)),
    "chunks without end": repeated(head(CHUNKED), CHUNK),
    "chunks without end that announce a size": repeated(head(CHUNKED, LENGTH), CHUNK),
    "a chunk that cannot be": raw(head(CHUNKED) + b"xyz\r\n" + BODY),
    "a huge chunk": raw(head(CHUNKED) + b"ffffffffffffffff\r\n" + BODY),
    "3 GB announced": raw(head("Content-Length: 3000000000") + BODY),
    "a length that is none": raw(head("Content-Length: many") + BODY[:HALF]),
    "a negative length": raw(head("Content-Length: -5") + BODY[:HALF]),
    "a length without end": raw(head("Content-Length: " + "9" * 5000) + BODY[:HALF]),
    "two lengths": raw(head("Content-Length: 5", LENGTH) + BODY),
    "a byte at a time": repeated(head(LENGTH), b"x", 0.02),
    "chunks of a byte": repeated(head(CHUNKED), b"1\r\nx\r\n", 0.02),
    "a chunk's head a byte at a time": repeated(head(CHUNKED), b"0", 0.02),
    "a head a byte at a time": repeated(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.02),
    "head lines without end": repeated(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.001),
    "'go on' without end": repeated(b"", head(code="100 Continue"), 0.001),
    "trailers without end": repeated(head(CHUNKED) + b"0\r\n", b"X: y\r\n", 0.001),
    "stalls": stall(HALF),
    "no HTTP": raw(b"220 ftp.example.org ready\r\n" * 10),
    "bytes": raw(bytes(range(256)) * 10),
    "HTTP of the future": raw(b"HTTP/9.9 200 OK\r\n\r\n" + BODY),
    "a code of text": raw(b"HTTP/1.1 abc\r\n\r\n"),
    "escape codes": raw(b"HTTP/1.1 500 \x1b[31mred\x1b[0m\x07\r\n\r\n"),
    "a web page": web_page,
    "a web page called data": typed(b"\n<!DOCTYPE html><p>log in", "application/octet-stream"),
    "no content": raw(head(code="204 No Content")),
    "another code of success": raw(head(LENGTH, code="203 Changed") + BODY),
    "a range nobody asked for": with_range(f"bytes {HALF}-{SIZE - 1}/{SIZE}", REST),
    "a range beyond the file": with_range(f"bytes 0-{SIZE}/{SIZE}", BODY + b"x"),
    "a range of another length": with_range(f"bytes 0-{SIZE - 1}/{SIZE}", BODY[:HALF]),
    "a range backwards": with_range(f"bytes {SIZE - 1}-0/{SIZE}", BODY),
    "a range of another file": with_range("bytes 0-9/10", BODY[:10]),
    "a range of text": with_range("bytes all", BODY),
    "no such range": with_range(f"bytes */{SIZE}", b"", "416 No"),
    "too many requests": status(429),
    "in trouble": status(503),
    "comes back tomorrow": ask_to_wait("86400"),
    "comes back never": ask_to_wait("9" * 14, 429),
    "comes back some day": ask_to_wait("some day", 429),
    "asks for a password": raw(head('WWW-Authenticate: Basic realm="x"', "Content-Length: 0", code="401 No")),
    "redirects to itself": redirect("/file"),
    "redirects nowhere": raw(head("Content-Length: 0", code="302 Found")),
    "redirects to no address": redirect("http://[bad/"),
    "redirects to a file": redirect("file:///etc/passwd"),
    "redirects to ftp": redirect("ftp://127.0.0.1/file"),
    "redirects to data": redirect("data:text/plain,hello"),
    "redirects to a script": redirect("javascript:alert(1)"),
    "redirects with a password": redirect("http://me:secret@127.0.0.1:9/file"),
    "redirects to no host": redirect("http:///file"),
    "redirects to no port": redirect("http://127.0.0.1:99999999/file"),
    "redirects to a long name": redirect(f"http://{'a' * 300}.invalid/"),
    "redirects with a body without end": repeated(head("Location: /file", code="302 Found"), bytes(1 << 16)),
    "not modified": raw(head(code="304 Not Modified")),
}


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "file.bin"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "TIMEOUT", 0.25)
    monkeypatch.setattr(transfers, "SLOW_WINDOW", 0.4)
    monkeypatch.setattr(mirrors, "AT_MOST", 2 * SIZE)
    monkeypatch.setattr(mirrors, "TRIES", 2)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(UsaidError) as caught:
        action()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    return message


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("sha256", "size"), [(SHA256, SIZE), (None, None)], ids=["known", "unknown"])
def test_a_fault_costs_a_mirror_and_nothing_else(
    server: Server, destination: Path, fault: str, sha256: str | None, size: int | None
) -> None:
    """Alone it is one line, or the right file comes; what is written has a bound; another mirror saves it all."""
    url = server.url("/file", FAULTS[fault])
    part = destination.with_name("file.bin.part")
    try:
        download([url], destination, sha256, size)
    except UsaidError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert message.isprintable()
        assert message.startswith(f"{destination}: no mirror gave this file")
        assert len(message) < 800 + len(message.split("file.bin: ")[0]) * 5
        assert not destination.exists()
        assert not (destination.with_name("file.bin.sha256")).exists()
    if part.exists():
        assert part.stat().st_size <= (size or 2 * SIZE)
    if not destination.exists():
        download([url, server.url("/good", good())], destination, sha256, size)
    assert destination.read_bytes() == BODY
    assert not part.exists()


def test_the_body_stops_at_the_known_size(server: Server, destination: Path) -> None:
    url = server.url("/file", repeated(head(), bytes(1 << 16)))
    assert "sends more than 300000 bytes" in refusal(lambda: download([url], destination, SHA256, SIZE))
    assert names_in(destination.parent) == []
    deadline = time.monotonic() + 5
    while (sent := server.sent) and time.monotonic() < deadline:
        time.sleep(0.05)
        if sent == server.sent:
            break
    assert server.sent < 20_000_000, "the connection is closed, too"


def test_without_a_size_the_body_stops_at_a_limit(server: Server, destination: Path) -> None:
    url = server.url("/file", repeated(head(CHUNKED), CHUNK))
    message = refusal(lambda: download([url], destination, None, at_most=1_000_000))
    assert "sends more than 1000000 bytes" in message
    announced = server.url("/announced", good())
    message = refusal(lambda: download([announced], destination, None, at_most=SIZE - 1))
    assert "has 300000 bytes, more than the 299999 that are taken of it" in message
    assert download([announced], destination, None, at_most=SIZE).path.read_bytes() == BODY


@pytest.mark.parametrize("fault", [name for name in FAULTS if "at a time" in name or "of a byte" in name])
def test_a_server_that_is_too_slow_is_left_after_one_window(
    server: Server, destination: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(transfers, "SLOW_WINDOW", 0.3)
    start = time.monotonic()
    message = refusal(lambda: download([server.url("/file", FAULTS[fault])], destination, SHA256))
    assert "brought fewer than 1000 bytes a second over 0.3 s" in message
    assert time.monotonic() - start < 3
    assert len(server.requests) == 1


def test_a_handshake_a_byte_at_a_time_is_too_slow(destination: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "SLOW_WINDOW", 0.3)
    monkeypatch.setenv("no_proxy", "*")

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 kB follows
            while True:
                connection.sendall(b"\x02")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/file"
        assert "brought fewer than" in refusal(lambda: download([url], destination, SHA256))
        thread.join(5)
    assert not thread.is_alive()


def test_a_server_that_speaks_no_https(server: Server, destination: Path) -> None:
    url = server.url("/file", good()).replace("http:", "https:")
    assert "no answer" in refusal(lambda: download([url], destination, SHA256))


def test_a_body_in_chunks_that_ends_is_whole(server: Server, destination: Path) -> None:
    download([server.url("/file", in_chunks(BODY[:7], BODY[7:]))], destination, None)
    assert destination.read_bytes() == BODY


def test_a_body_whose_end_cannot_be_told_needs_a_hash(server: Server, destination: Path) -> None:
    url = server.url("/file", without_length)
    assert "does not say where the file ends" in refusal(lambda: download([url], destination, None))
    download([url], destination, SHA256)
    assert destination.read_bytes() == BODY


def test_a_server_that_asks_to_wait_is_waited_for(server: Server, destination: Path) -> None:
    start = time.monotonic()
    download([server.url("/file", ask_to_wait("1"), good())], destination, SHA256)
    assert time.monotonic() - start >= 1
    later = email.utils.formatdate(time.time() + 3, usegmt=True)
    start = time.monotonic()
    download([server.url("/later", ask_to_wait(later, 429), good())], destination.with_name("later.bin"), SHA256)
    assert time.monotonic() - start >= 1.5


def test_a_server_that_asks_to_wait_for_long_is_passed_over(server: Server, destination: Path) -> None:
    url = server.url("/file", ask_to_wait("3600"))
    assert "asks to come back in 3600 s only" in refusal(lambda: download([url], destination, SHA256))
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(server: Server, destination: Path, code: int) -> None:
    destination.with_name("file.bin.part").write_bytes(BODY[:HALF])
    server.url("/there", good())
    download([server.url("/file", redirect("/there", code))], destination, SHA256)
    assert destination.read_bytes() == BODY
    assert server.ranges("/there") == [f"bytes={HALF}-"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("itself", "redirects that lead in a circle"),
        ("a file", "redirects that lead in a circle, or nowhere"),
        ("ftp", "only http and https are followed, not 'ftp://127.0.0.1/file'"),
        ("a password", "no user name or password"),
    ],
)
def test_redirects_that_are_not_followed(server: Server, destination: Path, name: str, reason: str) -> None:
    fault = next(answer for title, answer in FAULTS.items() if title.startswith("redirects") and title.endswith(name))
    assert reason in refusal(lambda: download([server.url("/file", fault)], destination, None))
    assert "secret" not in refusal(lambda: download([server.url("/file", fault)], destination, None))


def test_a_redirect_drops_encryption_and_credentials_never() -> None:
    asked = urllib.request.Request("https://a.org/x", headers={"Range": "bytes=5-", "Proxy-Authorization": "secret"})

    def redirected(address: str) -> urllib.request.Request:
        with open("/dev/null", "rb") as body:
            return transfers._Redirects().redirect_request(asked, body, 302, "", {}, address)

    with pytest.raises(TransferError, match=r"sends from https to http://b\.org/x, which is not encrypted") as caught:
        redirected("http://b.org/x")
    assert caught.value.final
    assert redirected("https://b.org/x").header_items() == [("User-agent", "usaid"), ("Range", "bytes=5-")]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.org/x", "data:,x", "/etc/passwd", "", "http://", "http://[bad", "http://a:b@c/x"],
)
def test_addresses_that_are_not_asked(destination: Path, url: str) -> None:
    message = refusal(lambda: download([url], destination, None))
    assert "only http and https" in message or "no address" in message or "must name a host" in message
    assert "a:b@" not in message
    assert names_in(destination.parent) == []


def test_what_is_not_vouched_for_is_not_put_together_from_two_versions(server: Server, destination: Path) -> None:
    other = bytes(reversed(BODY))
    answers = versions(('"1"', other, HALF), ('"2"', BODY, SIZE), ('"2"', BODY, HALF), ('"2"', BODY, SIZE))
    download([server.url("/file", *answers)], destination, None, SIZE)
    assert destination.read_bytes() == BODY
    assert server.ranges() == [None, f"bytes={HALF}-", None, f"bytes={HALF}-"]
    assert names_in(destination.parent) == ["file.bin", "file.bin.sha256"]


def test_without_versions_what_is_not_vouched_for_begins_anew(server: Server, destination: Path) -> None:
    destination.with_name("file.bin.part").write_bytes(bytes(HALF))
    download([server.url("/file", good())], destination, None, SIZE)
    assert destination.read_bytes() == BODY
    assert server.ranges() == [f"bytes={HALF}-", None]


def test_a_whole_part_that_was_not_renamed_is_not_fetched_again(server: Server, destination: Path) -> None:
    destination.with_name("file.bin.part").write_bytes(BODY)
    download([server.url("/file", good())], destination, SHA256)
    assert destination.read_bytes() == BODY
    assert server.ranges() == [f"bytes={SIZE}-"]


def test_a_disk_that_fills_up_keeps_the_part(server: Server, destination: Path) -> None:
    url = server.url("/file", good())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, hard))  # every write beyond fails, as on a full disk
    try:
        message = refusal(lambda: download([url], destination, SHA256, SIZE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert message.startswith(f"{destination}: cannot be written")
    assert f"{destination}.part is kept and continued next time; free the disk" in message
    assert destination.with_name("file.bin.part").read_bytes() == BODY[:HALF]
    download([url], destination, SHA256, SIZE)
    assert destination.read_bytes() == BODY
    assert server.ranges() == [None, f"bytes={HALF}-"]


def test_a_disk_without_room_is_known_before_the_body(
    server: Server, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage(destination.parent)._replace(free=SIZE - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    message = refusal(lambda: download([server.url("/file", good())], destination, SHA256))
    assert f"[Errno {errno.ENOSPC}] {SIZE} bytes are still to come, {SIZE - 1} are free" in message
    assert names_in(destination.parent) == []


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that nobody can write")
def test_a_folder_that_nobody_can_write(server: Server) -> None:
    assert "cannot be written" in refusal(lambda: download([server.url("/f", good())], "/proc/usaid/f.bin", SHA256))
    assert "cannot be written" in refusal(lambda: download([server.url("/f", good())], "/proc/f.bin", SHA256))


def test_no_thread_and_no_connection_is_left(server: Server, destination: Path) -> None:
    before = threading.active_count()
    download([server.url("/file", drop(HALF), good())], destination, SHA256)
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
