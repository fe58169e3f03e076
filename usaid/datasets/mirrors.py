"""Downloads a file from one of its mirrors: tried again, resumed, and checked against its SHA-256."""

import http.client
import logging
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically

TRIES = 4
"""Requests to one mirror before the next one is tried."""

BACKOFF = 1.0
"""Seconds before the second request to a mirror; doubled before each further one."""

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as dead."""

_CHUNK = 1 << 16
_RETRIED_STATUS = {408, 425, 429, 500, 502, 503, 504}
_log = logging.getLogger(__name__)


class TransferError(Exception):
    """A mirror did not give the file.

    Attributes:
        final: asking this mirror again is of no use.
    """

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def download(urls: Sequence[str], destination: str | Path, sha256: str | None, size: int | None = None) -> Path:
    """Fetch a file, or find that it is there already.

    The bytes gather in ``<destination>.part``, which a later call continues, and get the file's name once their hash
    is right. Mirrors are tried in order, each up to ``TRIES`` times.

    Args:
        urls: http(s) addresses of the same bytes.
        destination: path of the file; a file there is kept if its hash is right, and replaced only by one that is.
        sha256: hexadecimal digits, all 64 or the first few if the publisher tells no more; None: trust on first use,
            that is, the hash of the first file seen is recorded in ``<destination>.sha256`` and demanded from then on.
        size: bytes, if known: a mirror that announces another size is passed over at once.

    Returns:
        ``destination``.

    Raises:
        UsaidError: no mirror gave the right file, or the disk cannot be written.
    """
    destination = Path(destination)
    expected = sha256 or recorded_sha256(destination)
    part = destination.with_name(f"{destination.name}.part")
    failures = []
    try:
        if destination.is_file():
            digest = sha256_of_file(destination)
            if _is_expected(digest, expected):
                return _accept(destination, digest, sha256)
            failures.append(f"the file that is there has SHA-256 {digest}")
        destination.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                digest = _from_mirror(url, part, expected, size)
            except TransferError as error:
                failures.append(f"{url}: {error}")
                continue
            os.replace(part, destination)
            return _accept(destination, digest, sha256)
    except OSError as error:
        raise UsaidError(f"{destination}: cannot be written ({error}); free the disk or name another folder") from None
    raise UsaidError(_cure(destination, urls, expected, sha256, failures))


def recorded_sha256(destination: Path) -> str | None:
    """The hash that the first download of a file recorded beside it; None if there was none."""
    record = _record_of(destination)
    return record.read_text(encoding="utf-8").split()[0] if record.is_file() else None


def _is_expected(digest: str, expected: str | None) -> bool:
    return expected is None or digest.startswith(expected)


def _record_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.sha256")


def _accept(destination: Path, digest: str, published: str | None) -> Path:
    """Record the hash of a file that no published hash vouches for, and say so."""
    record = _record_of(destination)
    if published is None and not record.is_file():
        with written_atomically(record) as temporary:
            temporary.write_text(f"{digest}  {destination.name}\n", encoding="utf-8")
        _log.warning(
            "%s: no published SHA-256 is known, so this copy is trusted; its hash %s is recorded in %s and checked "
            "from now on",
            *(destination, digest, record.name),
        )
    return destination


def _cure(
    destination: Path, urls: Sequence[str], expected: str | None, published: str | None, failures: Sequence[str]
) -> str:
    """One line that says what was expected, what each mirror did, and how to go on by hand."""
    demand = f" with SHA-256 {expected}" if expected else ""
    if expected and not published:
        demand += f" (of the first download; delete {_record_of(destination)} if the publisher changed the file)"
    return (
        f"{destination}: no mirror gave this file{demand}: {'; '.join(failures)}; "
        f"download it from {urls[0]} and place the file here: {destination}"
    )


def _from_mirror(url: str, part: Path, expected: str | None, size: int | None) -> str:
    """Fetch into ``part`` from one mirror, in several requests if need be; return the SHA-256 of the whole file."""
    failure = TransferError("was not asked")
    for attempt in range(TRIES):
        if attempt:
            time.sleep(BACKOFF * 2 ** (attempt - 1))
        resumed = part.is_file()
        try:
            _transfer(url, part, size)
        except TransferError as error:
            if error.final:
                raise
            failure = error
            continue
        digest = sha256_of_file(part)
        if _is_expected(digest, expected):
            return digest
        part.unlink()
        failure = TransferError(f"SHA-256 is {digest}, expected {expected}")
        if not resumed:  # else the fault may lie in what an earlier request left: begin again
            break
    raise failure


def _transfer(url: str, part: Path, size: int | None) -> None:
    """Bring ``part`` to its full length with one request, continuing after the bytes it holds."""
    offset = part.stat().st_size if part.is_file() else 0
    if size is not None and offset > size:
        part.unlink()
        offset = 0
    if size is not None and offset == size:
        return
    with _request(url, part, offset) as response:
        offset, total = _extent(response, part, offset)
        if size is not None and total not in (None, size):
            raise TransferError(f"has {total} bytes, expected {size}", final=True)
        total = size if total is None else total
        _write_body(response, part, offset, total)
    received = part.stat().st_size
    if total is not None and received != total:
        raise TransferError(f"connection ended after {received} of {total} bytes")


def _request(url: str, part: Path, offset: int) -> http.client.HTTPResponse:
    """Ask for a file from ``offset`` on."""
    headers = {"User-Agent": "usaid"} | ({"Range": f"bytes={offset}-"} if offset else {})
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
        return response
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the server's file ends before our part does, so the part is of something else
            part.unlink(missing_ok=True)
        raise TransferError(f"HTTP {error.code} {error.reason}", error.code not in _RETRIED_STATUS | {416}) from None
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(f"no answer ({error})") from None


def _extent(response: http.client.HTTPResponse, part: Path, offset: int) -> tuple[int, int | None]:
    """Where the answer's body begins in the file, and the length of the whole file if the server tells it."""
    if response.headers.get_content_type() == "text/html":
        raise TransferError("answered with a web page instead of the file", final=True)
    if response.status != 206:  # the server ignores Range: the whole file comes again
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    content_range = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
    if match is None or int(match[1]) != offset:
        part.unlink(missing_ok=True)
        raise TransferError(f"answered with range {content_range!r} to a request for the bytes from {offset}")
    return offset, None if match[2] == "*" else int(match[2])


def _write_body(response: http.client.HTTPResponse, part: Path, offset: int, total: int | None) -> None:
    """Write the answer's body into ``part`` from ``offset`` on, with a progress bar on a terminal."""
    bar = tqdm(desc=part.stem, initial=offset, total=total, unit="B", unit_scale=True, disable=None)
    with bar, open(part, "ab" if offset else "wb") as file:
        for chunk in _read_body(response):
            file.write(chunk)
            bar.update(len(chunk))


def _read_body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The chunks of an answer's body; a TransferError where the connection breaks or stalls."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise TransferError(f"connection broke ({error})") from None
        if not chunk:
            return
        yield chunk
