"""Downloads a file from one of its mirrors: tried again, resumed, and checked against its SHA-256."""

import hashlib
import itertools
import logging
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from usaid.datasets.file_kinds import why_not_of_its_kind
from usaid.datasets.locks import held_file
from usaid.datasets.transfers import Report, TransferError, Wanted, path_of, plain, transfer, version_note
from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically

TRIES = 4
"""Requests to one mirror before the next one is tried."""

BACKOFF = 1.0
"""Seconds before the second request to a mirror; doubled before each further one."""

LONGEST_WAIT = 120.0
"""Seconds that a server may ask us to wait; one that asks for more is passed over."""

AT_MOST = 2_000_000_000
"""Bytes that are taken of a file whose size is not known, unless its source says otherwise."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Conduct:
    """How a download behaves beside others.

    Attributes:
        turn: is entered with an address while its host is asked.
        report: is told where the file's bytes stand; what it raises ends the download.
    """

    turn: Callable[[str], AbstractContextManager[object]] = lambda url: nullcontext()
    report: Report = lambda *_: None


@dataclass(frozen=True)
class Download:
    """A file that is in its place.

    Attributes:
        path: of the file.
        sha256: of its bytes.
        url: the mirror that gave it; None: it was there already.
    """

    path: Path
    sha256: str
    url: str | None


def download(
    urls: Sequence[str],
    destination: str | Path,
    sha256: str | None,
    size: int | None = None,
    at_most: int | None = None,
    conduct: Conduct = Conduct(),
) -> Download:
    """Fetch a file, or find that it is there already.

    The bytes gather in ``<destination>.part``, which a later call continues, and get the file's name once their hash
    is right. Mirrors are tried in order, each up to ``TRIES`` times. Of two processes that want the same file one
    waits, and finds it there.

    Args:
        urls: http(s) addresses of the same bytes.
        destination: path of the file; a file there is kept if its hash is right. One that is wrong is kept under
            another name (``<destination>.replaced``) once the right one is there.
        sha256: hexadecimal digits, all 64 or the first few if the publisher tells no more; None: trust on first use,
            that is, the hash of the first file seen is recorded in ``<destination>.sha256`` and demanded from then on.
            Then the file must at least be of the kind that its name says.
        size: bytes, if known: a mirror that announces another size is passed over at once.
        at_most: bytes that are taken where no size is known; None: ``AT_MOST``.
        conduct: how it behaves beside other downloads.

    Returns:
        The file at ``destination``, and where it came from.

    Raises:
        UsaidError: no mirror gave the right file, the record of its hash is damaged, or the disk cannot be written.
    """
    destination = Path(destination)
    sizes = size, AT_MOST if at_most is None else at_most
    try:
        digest, _ = _look_at(destination, _expected(destination, sha256))
        if digest is None:
            destination.parent.mkdir(parents=True, exist_ok=True)
            got = _fetch(urls, destination, sha256, sizes, conduct)
        else:
            got = Download(destination, digest, None)
        if sha256 is None:
            _record(destination, got.sha256)
        return got
    except OSError as error:
        part = part_of(destination)
        kept = f"{part} is kept and continued next time; " if part.is_file() else ""
        raise UsaidError(
            f"{destination}: cannot be written or read ({plain(error)}); {kept}free the disk or name another folder"
        ) from None


def _fetch(
    urls: Sequence[str], destination: Path, sha256: str | None, sizes: tuple[int | None, int], conduct: Conduct
) -> Download:
    """Bring a file that is not there or not right to its place, alone."""
    with held_file(part_of(destination)) as part:
        expected = _expected(destination, sha256)  # asked again: another process may have brought the file meanwhile
        digest, wrong = _look_at(destination, expected)
        if digest is not None:
            return Download(destination, digest, None)
        failures = [wrong] if wrong else []
        for url in urls:
            try:
                wanted = Wanted(*sizes, is_known=expected is not None)
                with conduct.turn(url):
                    digest = _from_mirror(url, part, expected, wanted, conduct.report)
            except TransferError as error:
                failures.append(f"{_without_password(url)}: {error}")
                continue
            if sha256 is None:
                _record(destination, digest)  # before anybody can see the file
            _put_into_place(part, destination)
            return Download(destination, digest, _without_password(url))
        if not part.seek(0, os.SEEK_END):
            version_note(path_of(part)).unlink(missing_ok=True)
        raise UsaidError(_cure(destination, urls, expected, sha256, failures))


def _cure(
    destination: Path, urls: Sequence[str], expected: str | None, published: str | None, failures: Sequence[str]
) -> str:
    """One line that says what was expected, what each mirror did, and how to go on by hand."""
    demand = f" with SHA-256 {expected}" if expected else ""
    if expected and not published:
        demand += f" (of the first download; delete {_record_of(destination)} if the publisher changed the file)"
    return (
        f"{destination}: no mirror gave this file{demand}: {'; '.join(failures)}; "
        f"download it from {_without_password(urls[0])} and place the file here: {destination}"
    )


def _without_password(url: str) -> str:
    return plain(re.sub(r"//[^/?#]*@", "//", url))


def part_of(destination: Path) -> Path:
    """Where the bytes of a file gather until it is whole."""
    return destination.with_name(f"{destination.name}.part")


def _expected(destination: Path, published: str | None) -> str | None:
    return published.lower() if published else recorded_sha256(destination)


def recorded_sha256(destination: Path) -> str | None:
    """The hash that the first download of a file recorded beside it; None if there was none.

    Raises:
        UsaidError: there is a record, but no hash in it.
    """
    record = _record_of(destination)
    if not os.path.lexists(record):
        return None
    text = ""
    if record.is_file():
        with open(record, "rb") as file:
            text = file.read(1000).decode("utf-8-sig", errors="replace")
    match = re.match(r"\\?([0-9a-fA-F]{64})(?:\s|\Z)", text)
    if match is None:
        raise UsaidError(
            f"{record}: holds no SHA-256 (64 hexadecimal digits) of {destination.name}; write its publisher's hash "
            f"there, or delete it to have the hash of {destination.name} recorded anew"
        )
    return match[1].lower()


def _record_of(destination: Path) -> Path:
    return destination.with_name(f"{destination.name}.sha256")


def _look_at(destination: Path, expected: str | None) -> tuple[str | None, str]:
    """The hash of a file that is there and right; else None, and what is wrong with it if one is there."""
    if not os.path.lexists(destination):
        return None, ""
    if not destination.is_file():
        raise UsaidError(f"{destination}: is a folder, a device or a link that leads nowhere, not a file; move it away")
    digest = sha256_of_file(destination)
    if expected is not None:
        return (digest, "") if digest.startswith(expected) else (None, f"the file that is there has SHA-256 {digest}")
    reason = why_not_of_its_kind(destination, destination.name)
    return (None, f"the file that is there {reason}") if reason else (digest, "")


def _put_into_place(file: FileIO, destination: Path) -> None:
    """Give a whole file its name; a wrong one that has the name is kept under another."""
    os.fsync(file.fileno())
    if destination.is_symlink() or (destination.exists() and destination.stat().st_size):
        names = (f"{destination.name}.replaced{number or ''}" for number in itertools.count())
        other = next(path for path in map(destination.with_name, names) if not os.path.lexists(path))
        os.rename(destination, other)
        _log.warning("%s: was not the right file; it is replaced, and kept as %s", destination, other.name)
    part = path_of(file)
    os.replace(part, destination)
    version_note(part).unlink(missing_ok=True)


def _record(destination: Path, digest: str) -> None:
    """Record the hash of a file that no published hash vouches for, and say so."""
    record = _record_of(destination)
    if record.is_file():
        return
    with written_atomically(record) as temporary:
        temporary.write_text(f"{digest}  {destination.name}\n", encoding="utf-8")
    _log.warning(
        "%s: no published SHA-256 is known, so this copy is trusted; its hash %s is recorded in %s and checked "
        "from now on",
        *(destination, digest, record.name),
    )


def _from_mirror(url: str, part: FileIO, expected: str | None, wanted: Wanted, report: Report) -> str:
    """Fetch into ``part`` from one mirror, in several requests if need be; return the SHA-256 of the whole file."""
    failure = TransferError("was not asked")
    for attempt in range(TRIES):
        if attempt:
            time.sleep(max(BACKOFF * 2 ** (attempt - 1), failure.wait))
        resumed = part.seek(0, os.SEEK_END) > 0
        try:
            transfer(url, part, wanted, report)
        except TransferError as error:
            if error.wait > LONGEST_WAIT:
                raise TransferError(f"{error}, asks to come back in {error.wait:.0f} s only", final=True) from None
            if error.final:
                raise
            failure = error
            continue
        wrong = _why_wrong(part, expected)
        if not wrong:
            return _digest_of(part)
        part.truncate(0)
        failure = TransferError(wrong)
        if not resumed:  # else the fault may lie in what an earlier request left: begin again
            break
    raise failure


def _why_wrong(part: FileIO, expected: str | None) -> str:
    """What is wrong with a whole file; empty if nothing is."""
    if expected is None:
        path = path_of(part)
        return why_not_of_its_kind(path, path.stem)
    digest = _digest_of(part)
    return "" if digest.startswith(expected) else f"SHA-256 is {digest}, expected {expected}"


def _digest_of(part: FileIO) -> str:
    part.seek(0)
    return hashlib.file_digest(part, "sha256").hexdigest()
