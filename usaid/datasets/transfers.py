"""One HTTP request for the rest of a file: what it may bring, how long it may take, and where it may lead.

A server is believed nothing: the body ends at the announced size or at a stated limit, a connection that is too slow is
cut, and only http and https are followed.
"""

import contextlib
import email.utils
import errno
import functools
import http.client
import os
import re
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dead."""

SLOW_WINDOW = 60.0
"""Seconds over which the speed of a connection is looked at."""

SLOWEST = 1000
"""Bytes of the file a second that a connection has to bring over each such window."""

_CHUNK = 1 << 16
_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}
_WEB_PAGES = {"text/html", "application/xhtml+xml"}


Report = Callable[[int, int | None], None]
"""Is told where a file's bytes stand: how many are there, and of how many if that is known."""


class TransferError(Exception):
    """A mirror did not give the file.

    Attributes:
        final: asking this mirror again is of no use.
        wait: seconds that the server asks us to stay away.
    """

    def __init__(self, message: str, final: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.final = final
        self.wait = wait


@dataclass(frozen=True)
class Wanted:
    """What is known of a file before it comes.

    Attributes:
        size: in bytes; None: unknown.
        at_most: bytes that are taken of a file of unknown size.
        is_known: whether a hash will tell the right file from a wrong one.
    """

    size: int | None
    at_most: int
    is_known: bool


def transfer(url: str, part: FileIO, wanted: Wanted, report: Report = lambda *_: None) -> None:
    """Bring a file to its full length with one request, continuing after the bytes it holds.

    ``report`` is told of each piece that came; what it raises ends the transfer.

    Raises:
        TransferError: the server did not give the rest; what came is kept unless it is of something else.
        OSError: the disk cannot be written.
    """
    offset = _size_of(part)
    if wanted.size is not None and offset > wanted.size:
        offset = _start_anew(part)
    if wanted.size is not None and offset == wanted.size:
        return
    with _Watch() as watch:
        try:
            _receive(url, part, wanted, watch, report)
        except TransferError:
            if watch.has_cut:
                raise TransferError(_too_slow(), final=True) from None
            raise


def _receive(url: str, part: FileIO, wanted: Wanted, watch: "_Watch", report: Report) -> None:
    offset = _size_of(part)
    response = _request(url, part, offset, watch)
    if response is None:
        return
    with response:
        extent = _extent(response, part, offset, wanted)
        _write_body(_read_body(response), part, extent, watch, report)
    received = _size_of(part)
    if watch.has_cut or (extent.total is not None and received != extent.total):
        raise TransferError(f"connection ended after {received} of {extent.total} bytes")
    if not received:
        raise TransferError("answered with an empty file", final=True)


def plain(text: object) -> str:
    """What a server says, fit for one line: no line breaks, no escape codes, not without end."""
    words = " ".join(str(text).split())
    return "".join(character for character in words if character.isprintable())[:200]


def path_of(part: FileIO) -> Path:
    """Where an open file lies."""
    return Path(os.fsdecode(part.name))


def version_note(part: Path) -> Path:
    """Where it stands which version of a file a part of it comes from."""
    return part.with_name(f"{part.name}.version")


def _size_of(part: FileIO) -> int:
    return os.fstat(part.fileno()).st_size


def _start_anew(part: FileIO) -> int:
    part.truncate(0)
    return 0


def _too_slow() -> str:
    return f"brought fewer than {SLOWEST} bytes a second over {SLOW_WINDOW:g} s"


# --------------------------------------------------------------------------------------------------------- the request


class _Watch:
    """Cuts a connection that brings too few bytes, whatever else keeps it busy: head, redirects, body."""

    def __init__(self) -> None:
        self.received = 0
        self.has_cut = False
        self._sockets: list[socket.socket] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    def add(self, connected: socket.socket) -> None:
        """Watch a connection, by a second handle that outlives its wrapping for https."""
        self._sockets.append(connected.dup())
        if self.has_cut:
            raise TransferError(_too_slow(), final=True)

    def _look(self) -> None:
        seen = 0
        while not self._done.wait(SLOW_WINDOW):
            if self.received - seen < SLOWEST * SLOW_WINDOW:
                self.has_cut = True
                for each in self._sockets:
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
                return
            seen = self.received


class _Connection(http.client.HTTPConnection):
    watch: _Watch

    def connect(self) -> None:
        super().connect()
        self.watch.add(self.sock)


class _SecureConnection(http.client.HTTPSConnection, _Connection):  # in this order: watched before the handshake
    pass


def _watched(kind: type[_Connection], watch: _Watch, host: str, **more: Any) -> _Connection:
    connection = kind(host, **more)
    connection.watch = watch
    return connection


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens http and https by watched connections."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_watched, _Connection, self._watch), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        context = ssl.create_default_context()
        return self.do_open(functools.partial(_watched, _SecureConnection, self._watch), request, context=context)

    http_request = urllib.request.AbstractHTTPHandler.do_request_
    https_request = urllib.request.AbstractHTTPHandler.do_request_


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https, never from encrypted to not, and takes no credentials along."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request:
        fp.close()  # its body is not read, however long it is
        check_address(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise TransferError(f"sends from https to {plain(newurl)}, which is not encrypted", final=True)
        return _request_for(newurl, req.get_header("Range"))


def check_address(url: str) -> None:
    """Refuse what is not the http(s) address of a host.

    Raises:
        TransferError: another scheme, no host, or a user name or a password in it.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise TransferError(f"{plain(url)!r} is no address ({plain(error)})", final=True) from None
    if parts.scheme not in {"http", "https"}:
        raise TransferError(f"only http and https are followed, not {plain(url)!r}", final=True)
    if not host or "@" in parts.netloc:
        raise TransferError("an address must name a host, and no user name or password", final=True)


def _request_for(url: str, wanted_range: str | None) -> urllib.request.Request:
    return urllib.request.Request(
        url, headers={"User-Agent": "usaid"} | ({"Range": wanted_range} if wanted_range else {})
    )


def _request(url: str, part: FileIO, offset: int, watch: _Watch) -> http.client.HTTPResponse | None:
    """Ask for a file from ``offset`` on; None if the server says that this is where it ends."""
    check_address(url)
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), _Handler(watch), _Redirects()):
        opener.add_handler(handler)
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    try:
        response: http.client.HTTPResponse = opener.open(
            _request_for(url, f"bytes={offset}-" if offset else None), timeout=TIMEOUT
        )
        return response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416:
            raise _refusal(error) from None
        if error.headers.get("Content-Range", "") == f"bytes */{offset}":
            return None
        _start_anew(part)  # the server's file ends before our part does, so the part is of something else
        raise TransferError(f"HTTP 416 {plain(error.reason)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TransferError(f"no answer ({plain(error)})") from None


def _refusal(error: urllib.error.HTTPError) -> TransferError:
    if 300 <= error.code < 400:
        return TransferError(f"HTTP {error.code}: redirects that lead in a circle, or nowhere", final=True)
    wait = _seconds(error.headers.get("Retry-After")) if error.code in {429, 503} else 0.0
    return TransferError(f"HTTP {error.code} {plain(error.reason)}", error.code not in _RETRIED_STATUS, wait)


def _seconds(retry_after: str | None) -> float:
    """How long ``Retry-After`` asks to wait, which it says in seconds or as a date; 0 for anything else."""
    if retry_after and (seconds := _number(retry_after.strip())) is not None:
        return float(seconds)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after or "").timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


# ------------------------------------------------------------------------------------------------------------ the body


@dataclass(frozen=True)
class _Extent:
    """Where a body begins in the file and where it must end, and the length of the whole file if that is known."""

    begin: int
    end: int
    total: int | None


def _extent(response: http.client.HTTPResponse, part: FileIO, offset: int, wanted: Wanted) -> _Extent:
    """Read the head of an answer, and refuse what cannot be the file."""
    if response.headers.get_content_type() in _WEB_PAGES:
        raise TransferError("answered with a web page instead of the file", final=True)
    if len(set(response.headers.get_all("Content-Length", []))) > 1:
        raise TransferError("announces two lengths", final=True)
    begin, end, total = (0, None, response.length) if response.status == 200 else _range(response, part, offset)
    _check_version(response, part, begin, wanted)
    if wanted.size is not None and total not in (None, wanted.size):
        raise TransferError(f"has {total} bytes, expected {wanted.size}", final=True)
    if wanted.size is None and total is not None and total > wanted.at_most:
        raise TransferError(f"has {total} bytes, more than the {wanted.at_most} that are taken of it", final=True)
    if total is None and wanted.size is None and not wanted.is_known and not response.chunked:
        raise TransferError("does not say where the file ends, so that half of it would be taken for all", final=True)
    total = wanted.size if total is None else total
    if total is not None:
        _check_room(part, total - begin)
    limit = wanted.at_most if total is None else total
    return _Extent(begin, limit if end is None else min(end, limit), total)


def _range(response: http.client.HTTPResponse, part: FileIO, offset: int) -> tuple[int, int | None, int | None]:
    """Begin and end of the range that an answer brings, and the whole file's length."""
    told = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15}|\*)", told)
    begin, last, total = (int(match[1]), int(match[2]), _number(match[3])) if match else (-1, -1, None)
    length = response.length if response.length is not None else last + 1 - begin
    is_sound = begin <= last and length == last + 1 - begin and (total is None or last < total)
    if response.status != 206 or not offset or begin != offset or not is_sound:
        _start_anew(part)
        question = f"a request for the bytes from {offset}" if offset else "a request for the file"
        raise TransferError(f"answered with HTTP {response.status}, range {plain(told)!r}, to {question}")
    return begin, last + 1, total


def _check_version(response: http.client.HTTPResponse, part: FileIO, begin: int, wanted: Wanted) -> None:
    """See that a file that no hash vouches for is not put together from two versions of it.

    Which version the bytes that are there come from stands in ``<part>.version``.
    """
    if wanted.is_known:
        return
    version = plain(response.headers.get("ETag") or response.headers.get("Last-Modified") or "")
    note = version_note(path_of(part))
    if begin and (not version or not note.is_file() or note.read_bytes() != version.encode()):
        _start_anew(part)
        raise TransferError("the file may have changed since its first bytes came")
    if not begin:
        _start_anew(part)
        note.unlink(missing_ok=True)
        if version:
            note.write_bytes(version.encode())


def _check_room(part: FileIO, needed: int) -> None:
    free = shutil.disk_usage(path_of(part).parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed} bytes are still to come, {free} are free")


def _write_body(chunks: Iterator[bytes], part: FileIO, extent: _Extent, watch: _Watch, report: Report) -> None:
    """Write an answer's body into its place."""
    part.truncate(extent.begin)
    position = part.seek(extent.begin)
    report(position, extent.total)
    for chunk in chunks:
        if position + len(chunk) > extent.end:
            _start_anew(part)
            raise TransferError(f"sends more than {extent.end} bytes", final=True)
        rest = memoryview(chunk)
        while rest:
            rest = rest[part.write(rest) :]
        position += len(chunk)
        watch.received += len(chunk)
        report(position, extent.total)


def _read_body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The pieces of an answer's body as they come; a TransferError where the connection breaks or stalls."""
    while True:
        try:
            chunk = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TransferError(f"connection broke ({plain(error)})") from None
        if not chunk:
            return
        yield chunk
