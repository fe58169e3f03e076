"""Hashes that a user vouches for: read strictly, laid over what is known, and demanded."""

from pathlib import Path
from typing import Any

import pytest
from servers import BODY, SHA256, WRONG, Server, good

from usaid.datasets import fetch, items, pins
from usaid.datasets.fetch import missing_items
from usaid.datasets.items import items_of
from usaid.datasets.pins import Pins, read_pins
from usaid.errors import UsaidError

PLACE = "downloads/x.bin"


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One source, of which nobody publishes a hash."""
    entry = {"urls": ["http://a.org/x.bin"], "sha256": None, "size": len(BODY), "place_at": PLACE}
    entries = {"released": {"files": [entry]}}
    for module in (fetch, items):
        monkeypatch.setattr(module, "source_of", lambda name: entries.get(name, {}))
    monkeypatch.setattr(pins, "source_names", lambda: ("released",))
    return entry


def refusal(root: Path, text: str | bytes) -> str:
    (root / "pins.sha256").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsaidError) as refused:
        read_pins(root)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_they_are_read_as_sha256sum_writes_them(tmp_path: Path) -> None:
    assert read_pins(tmp_path) == Pins()
    for line in (f"{SHA256}  {PLACE}", f"{SHA256.upper()} *./{PLACE}\r\n", f"\ufeff# mine\n\n{SHA256}  {PLACE}  "):
        (tmp_path / "pins.sha256").write_text(line, encoding="utf-8")
        (pinned,) = [read_pins(tmp_path).of(item, tmp_path) for item in items_of("released")]
        assert pinned.sha256 == SHA256
        assert pinned.trust(tmp_path).startswith("pinned by you (")
    other = tmp_path / "other"
    other.write_text(f"{SHA256}  {PLACE}\n")
    assert read_pins(tmp_path / "nowhere", other).lines == {PLACE: (SHA256, 1)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("what is this\n", "line 1 is not '<64 hexadecimal digits>"),
        (f"\n{SHA256[:-1]}  {PLACE}\n", "line 2 is not"),
        (f"{SHA256}\n", "line 1 is not"),
        (f"{SHA256}  downloads/typo.bin\n", "line 1 pins 'downloads/typo.bin', which nothing is fetched to"),
        (f"{SHA256}  ../{PLACE}\n", f"line 1 pins '../{PLACE}', which nothing is fetched to"),
        (f"{SHA256}  {PLACE}\n{SHA256}  {PLACE}\n", "line 2 pins downloads/x.bin again, after line 1; delete one"),
        (b"\x00\x01", "is not UTF-8 text"),
        (b"\xff\xff", "is not UTF-8 text"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path: Path, text: str | bytes, reason: str) -> None:
    assert f"{tmp_path}/pins.sha256: {reason}" in refusal(tmp_path, text)


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsaidError, match=r"no\.txt: is missing; it holds lines of sha256sum"):
        read_pins(tmp_path, tmp_path / "no.txt")


def test_a_pin_against_what_the_suite_knows_names_both(tmp_path: Path, sources: dict[str, Any]) -> None:
    (tmp_path / "pins.sha256").write_text(f"{SHA256}  {PLACE}\n")
    sources["sha256"] = "deadbeef"
    with pytest.raises(UsaidError, match=f"line 1: pins {PLACE} to {SHA256}, but the suite knows deadbeef of it"):
        missing_items("released", tmp_path, read_pins(tmp_path))
    sources["sha256"] = SHA256[:8]
    (item,) = missing_items("released", tmp_path, read_pins(tmp_path))
    assert item.sha256 == SHA256, "all digits, where the publisher tells some"


def test_a_pin_against_the_first_download_names_both(server: Server, tmp_path: Path, sources: dict[str, Any]) -> None:
    sources["urls"] = [server.url("/x", good())]
    fetch.fetch("released", tmp_path)
    (tmp_path / "pins.sha256").write_text(f"{'a' * 64}  {PLACE}\n")
    with pytest.raises(UsaidError, match=f"pins {PLACE} to aaa+, but the first download had {SHA256} .*x.bin.sha256"):
        fetch.fetch("released", tmp_path)
    (tmp_path / "pins.sha256").write_text(f"{SHA256}  {PLACE}\n")
    fetch.fetch("released", tmp_path)


def test_what_comes_has_to_be_what_is_pinned(server: Server, tmp_path: Path, sources: dict[str, Any]) -> None:
    sources["urls"] = [server.url("/x", good(WRONG), good(WRONG), good())]
    (tmp_path / "pins.sha256").write_text(f"{SHA256}  {PLACE}\n")
    with pytest.raises(UsaidError) as refused:
        fetch.fetch("released", tmp_path)
    assert f"expected {SHA256}" in str(refused.value)
    assert str(refused.value).endswith(f"; its hash is pinned in {tmp_path}/pins.sha256, line 1")
    assert not (tmp_path / PLACE).exists()
    sources["urls"] = [server.url("/y", good())]
    fetch.fetch("released", tmp_path)
    assert (tmp_path / PLACE).read_bytes() == BODY
    assert not (tmp_path / f"{PLACE}.sha256").exists(), "a pin is no trust on first use"
