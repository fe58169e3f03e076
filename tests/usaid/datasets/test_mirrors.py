"""Downloads from a local server that misbehaves in every way that real ones do."""

import hashlib
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from servers import (
    BODY,
    HALF,
    SHA256,
    WRONG,
    Answer,
    Handler,
    Server,
    bare_range,
    drop,
    good,
    ignore_range,
    shifted_range,
    stall,
    status,
    web_page,
    without_length,
)

from usaid.datasets import mirrors, transfers
from usaid.datasets.mirrors import Download, download
from usaid.errors import UsaidError


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
    url = server.url("/file", good())
    assert download([url], destination, SHA256, len(BODY)) == Download(destination, SHA256, url)
    assert download([url], destination, SHA256, len(BODY)) == Download(destination, SHA256, None)
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


def test_a_wrong_file_that_is_there_is_replaced_and_kept_under_another_name(server: Server, destination: Path) -> None:
    destination.parent.mkdir()
    destination.write_bytes(b"half a file")
    download([server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)
    assert (destination.parent / "file.bin.replaced").read_bytes() == b"half a file"
    destination.write_bytes(b"another")
    download([server.url("/file", good())], destination, SHA256)
    assert_arrived(destination)
    assert (destination.parent / "file.bin.replaced").read_bytes() == b"half a file"
    assert (destination.parent / "file.bin.replaced1").read_bytes() == b"another"


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
    monkeypatch.setattr(transfers, "TIMEOUT", 0.3)
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
    assert len(server.requests) == mirrors.TRIES


def test_no_server_at_all(server: Server, destination: Path) -> None:
    with pytest.raises(UsaidError, match="no answer"):
        download(["http://127.0.0.1:9/file"], destination, SHA256)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
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
    assert (destination.parent / "file.bin.sha256").read_text(encoding="utf-8") == f"{SHA256}  file.bin\n"
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
    assert (destination.parent / "file.bin.sha256").read_text(encoding="utf-8").startswith(SHA256)
    assert server.requests == []


def record_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.sha256")


DAMAGED = {
    "empty": b"",
    "blank": b"\n\n",
    "half a hash": SHA256[:40].encode(),
    "more than a hash": f"{SHA256}00".encode(),
    "a dump": b"00000000: 6162 63                                  abc\n",
    "utf-16": f"{SHA256}  file.bin\n".encode("utf-16"),
    "bytes": bytes(range(256)),
    "zeros": bytes(1_000_000),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_damaged_record_is_one_line_with_a_cure(
    server: Server, destination: Path, content: bytes, is_there: bool
) -> None:
    destination.parent.mkdir()
    record_of(destination).write_bytes(content)
    if is_there:
        destination.write_bytes(BODY)
    with pytest.raises(UsaidError) as caught:
        download([server.url("/file", good())], destination, None)
    message = str(caught.value)
    assert message.startswith(f"{record_of(destination)}: holds no SHA-256 (64 hexadecimal digits) of file.bin; ")
    assert "delete it" in message
    assert len(message.splitlines()) == 1
    assert record_of(destination).read_bytes() == content
    assert server.requests == []
    record_of(destination).unlink()
    download([server.url("/file", good())], destination, None)
    assert record_of(destination).read_text(encoding="utf-8") == f"{SHA256}  file.bin\n"


def test_a_record_that_is_no_file(server: Server, destination: Path) -> None:
    destination.parent.mkdir()
    record_of(destination).mkdir()
    with pytest.raises(UsaidError, match="holds no SHA-256"):
        download([server.url("/file", good())], destination, None)
    record_of(destination).rmdir()
    record_of(destination).symlink_to("/dev/zero")
    with pytest.raises(UsaidError, match="holds no SHA-256"):
        download([server.url("/file", good())], destination, None)


@pytest.mark.parametrize("text", [f"{SHA256.upper()}\r\n", f"\ufeff{SHA256} *file.bin", f"\\{SHA256}  file.bin\n"])
def test_records_that_other_programs_write_are_read(server: Server, destination: Path, text: str) -> None:
    destination.parent.mkdir()
    record_of(destination).write_text(text, encoding="utf-8")
    download([server.url("/file", good())], destination, None)
    destination.unlink()
    with pytest.raises(UsaidError, match=f"expected {SHA256}"):
        download([server.url("/wrong", good(WRONG))], destination, None)


@pytest.mark.parametrize("name", ["file.zip", "file.pth", "file.tar.gz", "file.png", "file.mat", "file.npz"])
def test_what_is_not_what_it_is_called_is_not_trusted(server: Server, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    for answer in (good(b"{}"), good(b"PK" + b"x" * 500), ignore_range(b"<html>no</html>"), good(b"")):
        with pytest.raises(UsaidError, match=r"is no \.\w+ file|is a web page|an empty file") as caught:
            download([server.url("/file", answer)], place, None)
        assert len(str(caught.value).splitlines()) == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"<html>", b"text"])
def test_a_file_placed_by_hand_is_not_trusted_for_its_name(server: Server, tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "file.zip"
    place.write_bytes(content)
    with pytest.raises(UsaidError, match=r"the file that is there is (empty|a web page|no \.zip file)"):
        download([server.url("/file", status(404))], place, None)
    assert place.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file.zip"]


def test_a_part_that_is_a_link_is_not_followed(server: Server, destination: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    destination.parent.mkdir()
    part_of(destination).symlink_to(tmp_path / "mine")
    with pytest.raises(UsaidError, match=r"file\.bin\.part: is a link, a folder or a device, not a file; move it away"):
        download([server.url("/file", good())], destination, SHA256)
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert server.requests == []


def test_a_link_in_the_files_place_is_read_but_never_written_through(
    server: Server, destination: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(BODY)
    destination.parent.mkdir()
    destination.symlink_to(elsewhere)
    download([server.url("/file", good())], destination, SHA256)
    assert destination.is_symlink()
    assert server.requests == []
    elsewhere.write_bytes(b"mine")
    download([server.url("/file", good())], destination, SHA256)
    assert elsewhere.read_bytes() == b"mine"
    assert not destination.is_symlink()
    assert_arrived(destination)


@pytest.mark.parametrize("kind", ["folder", "dangling link", "link to a device"])
def test_what_is_in_the_files_place_but_no_file_stays(server: Server, destination: Path, kind: str) -> None:
    destination.parent.mkdir()
    if kind == "folder":
        destination.mkdir()
    else:
        destination.symlink_to("/dev/zero" if "device" in kind else "nowhere")
    with pytest.raises(UsaidError, match="is a folder, a device or a link that leads nowhere, not a file"):
        download([server.url("/file", good())], destination, SHA256)
    assert [path.name for path in destination.parent.iterdir()] == ["file.bin"]
    assert server.requests == []


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_of_two_that_want_a_file_one_waits_and_finds_it(server: Server, destination: Path, sha256: str | None) -> None:
    def slow(request: Handler) -> None:
        time.sleep(0.3)
        request.reply(200, BODY)

    url = server.url("/file", slow)
    threads = [threading.Thread(target=download, args=([url], destination, sha256)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_arrived(destination)
    assert len(server.requests) == 1


def test_a_killed_process_leaves_a_part_that_is_continued_and_no_lock(server: Server, destination: Path) -> None:
    url = server.url("/file", stall(HALF), good())
    code = f"from usaid.datasets.mirrors import download; download([{url!r}], {str(destination)!r}, {SHA256!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        deadline = time.monotonic() + 30
        while not (part_of(destination).exists() and part_of(destination).stat().st_size == HALF):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    download([url], destination, SHA256)
    assert_arrived(destination)
    assert server.ranges() == [None, f"bytes={HALF}-"]
