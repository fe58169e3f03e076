"""The journal of a score file: rows already computed, one JSON line each, which survive a kill."""

import json
import math
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from usaid.errors import UsaidError
from usaid.files import cannot_write, written
from usaid.scores.columns import is_number, is_statistic, numbers_of_images

RowKey = tuple[str, str, float, int, float | None]
"""(image id, SHA-256 of the decoded image, sigma, draw, told sigma): what one row was computed from."""


class Journal:
    """Rows already computed for a score file, so that a killed job goes on where it was.

    The first line is the fingerprint of all that the rows depend on but the image itself (weights, code, metrics,
    device kind ...). A journal of another fingerprint is started anew. A last line cut short by a kill is cut off, and
    lines that cannot be read are passed over; their rows are computed anew. Nothing is copied: a journal needs no more
    space than it has to go on.

    Attributes:
        path: the file.
        columns: those that every row has, beside what it is about.
        rows: those that the file holds, and those of ``others``.
    """

    def __init__(
        self,
        path: str | Path,
        fingerprint: Mapping[str, Any],
        columns: Collection[str] = (),
        others: Iterable[str | Path] = (),
    ) -> None:
        """Open a journal, or start it.

        Args:
            path: the file.
            fingerprint: of its rows, as JSON-able values.
            columns: names of the metrics; a row that lacks one is computed anew.
            others: journals, there or not, of the same scores, split otherwise into jobs: their rows are known, too.
                They are only read, and those of another fingerprint are not.

        Raises:
            UsaidError: the file cannot be read, or not be written.
        """
        self.path = Path(path)
        self.columns = tuple(columns)
        self.rows: dict[RowKey, dict[str, Any]] = {}
        self._numbers = numbers_of_images()
        header = json.dumps({"fingerprint": dict(fingerprint)}, sort_keys=True).encode("utf-8") + b"\n"
        with written(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for other in others:
                if Path(other).is_file():
                    self._read(Path(other), header)
            self._end = self._read(self.path, header)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            os.ftruncate(self._file, self._end)
        if not self._end:
            try:
                self._append(header)
            except UsaidError:
                os.close(self._file)
                raise

    def _read(self, path: Path, header: bytes) -> int:
        """Take in the rows of a journal that is there.

        Returns:
            Where its last whole line ends; 0: it is to be started anew.
        """
        if not path.exists():
            return 0
        if not path.is_file():
            raise UsaidError(f"{path}: is no file; move it away, rows are to be kept there")
        lost = 0
        with open(path, "rb") as file:
            if file.readline() != header:
                return 0
            end = len(header)
            for line in file:
                row = self._row(line) if line.endswith(b"\n") else None
                if row is None:
                    lost += 1
                else:
                    self.rows[row_key(row)] = row
                end += len(line) if line.endswith(b"\n") else 0
        if lost:
            lines = "1 line" if lost == 1 else f"{lost} lines"
            print(f"{path}: {lines} that cannot be read passed over; what they said is computed anew")
        return end

    def _row(self, line: bytes) -> dict[str, Any] | None:
        """The row of a line; None: it is damaged."""
        try:
            row = json.loads(line)
            return row if isinstance(row, dict) and self._fault_of(row) is None else None
        except (ValueError, OverflowError, RecursionError):
            return None

    def _fault_of(self, row: Mapping[str, Any]) -> str | None:
        """Which key of a row is missing or of the wrong kind; None: none."""
        told = row.get("told_sigma")
        right = {
            "image_id": isinstance(row.get("image_id"), str),
            "image_sha256": isinstance(row.get("image_sha256"), str),
            "sigma": _is_level(row.get("sigma")),
            "draw": isinstance(row.get("draw"), int) and is_number(row["draw"]),
            "told_sigma": told is None or _is_level(told),
        }
        for name in self.columns:
            right[name] = (is_number if name in self._numbers else is_statistic)(row.get(name))
        return next((name for name, is_right in right.items() if not is_right), None)

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows and hand them to the operating system at once.

        Raises:
            UsaidError: the disk is full (what was written before stays usable), or a row lacks a value.
        """
        rows = list(rows)
        for row in rows:
            if (fault := self._fault_of(row)) is not None:
                raise UsaidError(
                    f"image {row.get('image_id')!r}: {fault} = {row.get(fault)!r} is not what it has to be"
                )
        self._append("".join(json.dumps(row) + "\n" for row in rows).encode("utf-8"))
        self.rows.update({row_key(row): row for row in rows})

    def _append(self, content: bytes) -> None:
        """Write bytes at the end; if they do not fit, none of them stay."""
        try:
            os.lseek(self._file, self._end, os.SEEK_SET)
            left = memoryview(content)
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            with suppress(OSError):  # the next append starts at the same place
                os.ftruncate(self._file, self._end)
            raise cannot_write(self.path, error.errno or 0) from error
        self._end += len(content)

    def close(self) -> None:
        """Close the file.

        Raises:
            UsaidError: only now the disk says that it is full.
        """
        file, self._file = self._file, -1  # what a thread adds too late goes into no other file of this number
        with written(self.path):
            os.close(file)


def _is_level(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def row_key(row: Mapping[str, Any]) -> RowKey:
    """The key of a row."""
    return (row["image_id"], row["image_sha256"], float(row["sigma"]), int(row["draw"]), row.get("told_sigma"))
