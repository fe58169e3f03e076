"""Downloads from a local server that misbehaves in every way that real ones do."""

import hashlib
import logging
from pathlib import Path

import pytest
from servers import (
    BODY,
    HALF,
    SHA256,
    WRONG,
    Answer,
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

from usaid.datasets import mirrors
from usaid.datasets.mirrors import download
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
    monkeypatch.setattr(mirrors, "TIMEOUT", 0.3)
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
