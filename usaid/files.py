"""Files that are whole or absent, and errors about files that say what to do: atomic writes, text, SHA-256."""

import codecs
import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from usaid.errors import UsaidError

# ------------------------------------------------------------------------------------------------ writing


@contextmanager
def written_atomically(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends without an exception.

    A job that is killed, or a disk that fills up, inside the block leaves ``path`` as it was. The temporary file
    is removed on an exception; after ``kill -9`` it stays under a name that nothing reads, and the next write of
    the same ``path`` by a process of the same number replaces it.

    Raises:
        UsaidError: ``path`` cannot be written: no room, no permission, a folder, a device, a write-protected file ...;
            it names the path and the cure. What the block raises about other things comes out as it is.
    """
    path = Path(path)
    with written(path):
        _refuse_to_replace(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with written(path, temporary):
            temporary.unlink(missing_ok=True)  # what lies there may be a link to somewhere else
            yield temporary
            with open(temporary, "rb") as content:
                os.fsync(content.fileno())
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def written(path: str | Path, *further: str | Path) -> Iterator[None]:
    """Where a block writes a file: an error about that comes out as the one line of a :class:`UsaidError`.

    Errors about other files come out as they are. Packages that write by themselves have errors of their own for a full
    disk; they are told by the number of the system's error in their text.

    Args:
        path: what is written, as the error names it.
        further: what else the block writes for it: temporary names.
    """
    try:
        yield
    except UsaidError:
        raise
    except Exception as error:
        number = _number_of(error)
        if number is None or not _is_about(error, number, [Path(path), *map(Path, further)]):
            raise
        raise cannot_write(path, number) from error


def cannot_write(path: str | Path, number: int) -> UsaidError:
    """The error that says why a path cannot be written, and what to do.

    Args:
        path: what was to be written.
        number: of the system's error (``errno``).
    """
    cure = _CURES.get(number, "see to it, or name another place").format(folder=Path(path).parent)
    return UsaidError(f"{path}: cannot be written ({os.strerror(number)}); {cure}")


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CURES = {
    **dict.fromkeys(_FULL, "make room there, then run the same again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "make {folder} writable, or name another place"),
    errno.EROFS: "name a place that can be written",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a part of its path is a file: name another place"),
    errno.EISDIR: "name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle: name another place",
}
_OF_THE_DISK = (*_FULL, errno.EROFS, errno.EIO)
"""Errors that are about what is written where they name no file."""


def _refuse_to_replace(path: Path) -> None:
    """Refuse what a rename would put away though it is no plain file, or is protected (a rename does not ask)."""
    if path.is_dir():
        raise UsaidError(f"{path}: is a folder; name a file")
    if not path.exists():
        return
    if not path.is_file():
        raise UsaidError(f"{path}: is a device or pipe; name a file")
    if not path.stat().st_mode & 0o222:
        raise UsaidError(f"{path}: is write-protected; make it writable, move it away, or name another file")


def _number_of(error: Exception) -> int | None:
    """The number of the system's error behind an exception of whatever package; None: it is about something else."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    text = str(error)
    if stated := re.search(r"\b(?:os error|errno) (\d+)", text, re.IGNORECASE):
        return int(stated[1])
    if (
        "PytorchStreamWriter failed" in text or "inline_container" in text or "No space left on device" in text
    ):  # torch says no more
        return errno.ENOSPC
    return None


def _is_about(error: Exception, number: int, paths: list[Path]) -> bool:
    name = getattr(error, "filename", None)
    if not isinstance(name, str | bytes | os.PathLike):
        return number in _OF_THE_DISK
    named = Path(os.fsdecode(name))
    return any(named == path or named in path.parents for path in paths)


# ------------------------------------------------------------------------------------------------ reading


def text_of_file(path: str | Path, longest: int | None = None) -> str:
    """Read a text file that a person wrote: UTF-8, or UTF-16 or UTF-32 that says so by its byte order mark.

    Args:
        path: of a regular file: a device or a pipe might never end.
        longest: bytes; None: any number.

    Raises:
        FileNotFoundError: there is none.
        UsaidError: it is a folder or a device, too long, not readable, or in another encoding.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise UsaidError(f"{path}: is a folder; name a file")
        if path.exists() and not path.is_file():
            raise UsaidError(f"{path}: is a device or pipe; name a file")
        with open(path, "rb") as file:
            content = file.read() if longest is None else file.read(longest + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise UsaidError(f"{path}: cannot be read ({reason}); see to it, or name another file") from None
    if longest is not None and len(content) > longest:
        raise UsaidError(f"{path}: is longer than {longest:,} bytes; is it the right file?")
    return _decoded(content, path)


def _decoded(content: bytes, path: Path) -> str:
    marks = {
        codecs.BOM_UTF8: "utf-8-sig",
        codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
        codecs.BOM_UTF32_BE: "utf-32",
        codecs.BOM_UTF16_LE: "utf-16",
        codecs.BOM_UTF16_BE: "utf-16",
    }
    encoding = next((name for mark, name in marks.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        raise UsaidError(f"{path}: is not UTF-8 text (it has NUL bytes, as UTF-16 has); save it as UTF-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        place = f"byte 0x{content[error.start]:02x} in line {line}"
        raise UsaidError(f"{path}: is not {encoding[:6].upper()} text ({place}); save it as UTF-8") from None


def sha256_of_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
