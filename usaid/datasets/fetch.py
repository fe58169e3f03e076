"""Fetches data sets and weights: resumed, checked against their SHA-256, and unpacked without leaving their folder."""

import http.client
import logging
import os
import re
import stat
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from tqdm import tqdm

from usaid.datasets import DATASETS, cure_for, read_sources, split_status
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
_DELETE = "delete this archive (and its .sha256 if there is one) and fetch it again"
_log = logging.getLogger(__name__)


class TransferError(Exception):
    """A mirror did not give the file.

    Attributes:
        final: asking this mirror again is of no use.
    """

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


def fetchable_names() -> list[str]:
    """Names that :func:`fetch` takes: data sets that need no account, the released checkpoints, NIQE's parameters."""
    return [name for name, source in read_sources().items() if "by_hand" not in source]


def fetch(name: str, data_root: str | Path) -> list[Path]:
    """Download what is missing of a data set or of a set of weights and put it into its official place.

    Archives stay in ``data_root/downloads``; nothing is deleted. What is on disk in full is not fetched again.

    Args:
        name: one of :func:`fetchable_names`.
        data_root: folder that holds, or will hold, the data sets' official folders.

    Returns:
        The archives and files that were asked for and are now there; empty if the data set was complete.

    Raises:
        UsaidError: unknown name, a data set that needs an account, no mirror that gives the right file, a damaged
            archive, or a disk that cannot be written.
    """
    root = Path(data_root)
    source = read_sources().get(name)
    if source is None:
        raise UsaidError(f"{name}: nothing of this name can be fetched; one of {', '.join(fetchable_names())}")
    if "by_hand" in source:
        raise UsaidError(f"{name}: {cure_for(name, root)}")
    if name in DATASETS and is_complete(name, root):
        return []
    files = [_download_entry(entry, root / entry["place_at"]) for entry in source.get("files", ())]
    return files + [_fetch_archive(entry, root) for entry in source.get("archives", ())]


def is_complete(name: str, data_root: Path) -> bool:
    """Whether all official splits of a data set that its archives bring are on disk in full."""
    reader = DATASETS[name]
    splits = read_sources()[name].get("splits", reader.official_counts)
    return all(split_status(reader, data_root, split).complete for split in splits)


def _fetch_archive(entry: dict[str, Any], root: Path) -> Path:
    archive = _download_entry(entry, root / "downloads" / entry["urls"][0].rpartition("/")[2])
    unpack(archive, root / entry["unpack_to"], entry.get("only"))
    return archive


def _download_entry(entry: dict[str, Any], destination: Path) -> Path:
    return download(entry["urls"], destination, entry["sha256"], entry["size"])


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
            found = sha256_of_file(destination)
            if _is_expected(found, expected):
                return _accept(destination, found, sha256)
            failures.append(f"the file that is there has SHA-256 {found}")
        destination.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                found = _from_mirror(url, part, expected, size)
            except TransferError as error:
                failures.append(f"{url}: {error}")
                continue
            os.replace(part, destination)
            return _accept(destination, found, sha256)
    except OSError as error:
        raise UsaidError(f"{destination}: cannot be written ({error}); free the disk or name another folder") from None
    raise UsaidError(_cure(destination, urls, expected, sha256, failures))


def recorded_sha256(destination: Path) -> str | None:
    """The hash that the first download of a file recorded beside it; None if there was none."""
    record = _record_of(destination)
    return record.read_text().split()[0] if record.is_file() else None


def _is_expected(found: str, expected: str | None) -> bool:
    return expected is None or found.startswith(expected)


def _record_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.sha256")


def _accept(destination: Path, found: str, published: str | None) -> Path:
    """Record the hash of a file that no published hash vouches for, and say so."""
    record = _record_of(destination)
    if published is None and not record.is_file():
        with written_atomically(record) as temporary:
            temporary.write_text(f"{found}  {destination.name}\n")
        _log.warning(
            "%s: no published SHA-256 is known, so this copy is trusted; its hash %s is recorded in %s and checked "
            "from now on",
            *(destination, found, record.name),
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
        found = sha256_of_file(part)
        if _is_expected(found, expected):
            return found
        part.unlink()
        failure = TransferError(f"SHA-256 is {found}, expected {expected}")
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


def unpack(archive: str | Path, destination: str | Path, only: str | None = None) -> None:
    """Unpack a tar or zip archive below a folder, replacing files of the same name.

    All members are unpacked beside their places first and then renamed, so that no half file is left.

    Args:
        archive: tar (plain or compressed) or zip file.
        destination: folder, made if missing.
        only: the one member to unpack; None: all.

    Raises:
        UsaidError: no archive or a damaged one, ``only`` is not in it, or a member that is a link or a device or whose
            name leads out of ``destination``: then nothing is unpacked.
    """
    archive, destination = Path(archive), Path(destination)
    try:
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination, prefix=f".{archive.name}.") as folder:
            _unpacker(archive)(archive, Path(folder), only)
            _move_files(Path(folder), destination)
    except (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error) as error:
        raise UsaidError(
            f"{archive}: does not unpack to {destination} ({error}); free the disk, or {_DELETE}"
        ) from None


def _unpacker(archive: Path) -> Callable[[Path, Path, str | None], None]:
    if tarfile.is_tarfile(archive):
        return _unpack_tar
    if zipfile.is_zipfile(archive):
        return _unpack_zip
    raise UsaidError(f"{archive}: is neither a tar nor a zip archive; {_DELETE}")


def _unpack_tar(archive: Path, folder: Path, only: str | None) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        for member in members:
            _check_member(archive, member.name, member.isfile() or member.isdir())
        tar.extractall(folder, _chosen(archive, {member.name: member for member in members}, only), filter="data")


def _unpack_zip(archive: Path, folder: Path, only: str | None) -> None:
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        for member in members:
            _check_member(archive, member.filename, not stat.S_ISLNK(member.external_attr >> 16))
        zipped.extractall(folder, _chosen(archive, {member.filename: member for member in members}, only))


def _check_member(archive: Path, name: str, is_file_or_folder: bool) -> None:
    """Refuse a member that data sets have no use for and that could write outside the folder."""
    path = PureWindowsPath(name)  # reads / and \\ alike, and drive letters
    if path.anchor or path.drive or ".." in path.parts:
        raise UsaidError(f"{archive}: member {name!r} leads out of the folder; do not use this archive")
    if not is_file_or_folder:
        raise UsaidError(f"{archive}: member {name!r} is a link or a device; do not use this archive")


def _chosen(archive: Path, members: dict[str, Any], only: str | None) -> list[Any]:
    if only is None:
        return list(members.values())
    if only not in members:
        raise UsaidError(f"{archive}: has no member {only!r}; {_DELETE}")
    return [members[only]]


def _move_files(folder: Path, destination: Path) -> None:
    for path in sorted(folder.rglob("*")):
        place = destination / path.relative_to(folder)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            os.replace(path, place)
