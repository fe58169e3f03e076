"""The journal of a score file: rows already computed, one JSON line each, which survive a kill."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from usaid.errors import UsaidError
from usaid.files import written_atomically

RowKey = tuple[str, str, float, int, float | None]
"""(image id, SHA-256 of the decoded image, sigma, draw, told sigma): what one row was computed from."""


class Journal:
    """Rows already computed for a score file, so that a killed job goes on where it was.

    The first line is the fingerprint of all that the rows depend on but the image itself (weights, code, metrics,
    device kind ...). A journal of another fingerprint is started anew. A last line cut short by a kill is dropped.
    """

    def __init__(self, path: str | Path, fingerprint: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.rows: dict[RowKey, dict[str, Any]] = {}
        header = json.dumps({"fingerprint": dict(fingerprint)}, sort_keys=True)
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        if lines and lines[0].decode("utf-8") == header:
            for line in lines[1:]:
                row = json.loads(line)
                self.rows[row_key(row)] = row
        else:
            lines = [header.encode("utf-8")]
        with written_atomically(self.path) as temporary:
            temporary.write_bytes(b"\n".join(lines) + b"\n")
        self.file: IO[str] = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - closed by close()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows and hand them to the operating system at once.

        Raises:
            UsaidError: the disk is full; what was written before stays usable.
        """
        rows = list(rows)
        try:
            self.file.write("".join(json.dumps(row) + "\n" for row in rows))
            self.file.flush()
        except OSError as error:
            raise UsaidError(
                f"{self.path}: cannot be written ({os.strerror(error.errno or 0)}); free some space and rerun"
            ) from None
        self.rows.update({row_key(row): row for row in rows})

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def row_key(row: Mapping[str, Any]) -> RowKey:
    """The key of a row."""
    return (row["image_id"], row["image_sha256"], float(row["sigma"]), int(row["draw"]), row.get("told_sigma"))
