"""Score files: one row per image, sigma and draw, with their provenance; and the journal that survives a kill."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import jsonschema
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from usaid.errors import UsaidError
from usaid.files import written_atomically

_METADATA_KEY = b"usaid_provenance"

RowKey = tuple[str, str, float, int, float | None]
"""(image id, SHA-256 of the decoded image, sigma, draw, told sigma): what one row was computed from."""


@dataclass(frozen=True)
class Scores:
    """What a judge said of one denoiser on one benchmark.

    Attributes:
        rows: columns ``image_id`` (str), ``image_sha256`` (str), ``sigma`` (0-255 scale), ``draw`` (int),
            ``told_sigma`` (what a non-blind method was told, 0-255 scale; NaN: the method is blind) and one per metric,
            named by its convention (``psnr_rgb_float`` in dB, ``ssim_skimage7``, ``niqe_live``, ``top1`` ...).
        provenance: as ``schemas/scores.schema.yaml`` describes it. ``failure`` is None, or the one-line reason why
            there are no rows.
    """

    rows: pd.DataFrame
    provenance: dict[str, Any]


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(files("usaid").joinpath("schemas/scores.schema.yaml").read_text())
    return schema


def write_scores(path: str | Path, scores: Scores) -> None:
    """Write a score file (Parquet, provenance in its metadata), atomically.

    Raises:
        UsaidError: the provenance does not fit the schema, or the disk is full.
    """
    _check(scores.provenance, str(path))
    table = pa.Table.from_pandas(scores.rows, preserve_index=False)
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(scores.provenance, sort_keys=True)})
    try:
        with written_atomically(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
    except OSError as error:
        raise UsaidError(f"{path}: cannot be written ({error.strerror or error}); free some space and rerun") from None


def read_scores(path: str | Path) -> Scores:
    """Read a score file.

    Raises:
        UsaidError: missing, not Parquet, or without the suite's provenance.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise _unreadable(path, error) from None
    provenance = _provenance_in(table.schema.metadata, path)
    return Scores(table.replace_schema_metadata(None).to_pandas(), provenance)


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The provenance of a score file, without decoding its rows.

    Raises:
        UsaidError: as :func:`read_scores`.
    """
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise _unreadable(path, error) from None
    return _provenance_in(schema.metadata, path)


def _unreadable(path: str | Path, error: Exception) -> UsaidError:
    return UsaidError(f"{path}: not a readable score file ({str(error).splitlines()[0]}); delete and rerun")


def _provenance_in(metadata: Mapping[bytes, bytes] | None, path: str | Path) -> dict[str, Any]:
    if metadata is None or _METADATA_KEY not in metadata:
        raise UsaidError(f"{path}: has no provenance; it was not written by this suite")
    provenance: dict[str, Any] = json.loads(metadata[_METADATA_KEY])
    _check(provenance, str(path))
    return provenance


def _check(provenance: dict[str, Any], path: str) -> None:
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_schema()).iter_errors(provenance))
    if error is not None:
        raise UsaidError(f"{path}: provenance key {'.'.join(map(str, error.path)) or '(top)'}: {error.message}")


class Journal:
    """Rows already computed for a score file, one JSON line each, so that a killed job goes on where it was.

    The first line is the fingerprint of all that the rows depend on but the image itself (weights, code, metrics,
    device kind ...). A journal of another fingerprint is started anew. A last line cut short by a kill is dropped.
    """

    def __init__(self, path: str | Path, fingerprint: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.rows: dict[RowKey, dict[str, Any]] = {}
        header = json.dumps({"fingerprint": dict(fingerprint)}, sort_keys=True)
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        if lines and lines[0].decode() == header:
            for line in lines[1:]:
                row = json.loads(line)
                self.rows[row_key(row)] = row
        else:
            lines = [header.encode()]
        with written_atomically(self.path) as temporary:
            temporary.write_bytes(b"\n".join(lines) + b"\n")
        self.file: IO[str] = open(self.path, "a")  # noqa: SIM115 - closed by close()

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


def rows_at(rows: pd.DataFrame, sigma: float, told_sigma: float | None = None) -> pd.DataFrame:
    """The rows of one noise level, as the denoiser was told it.

    Args:
        rows: of a score file; those of a blind method serve whatever was told (files written before methods could be
            told a level have no column ``told_sigma``: their methods are blind).
        sigma: 0-255 scale.
        told_sigma: 0-255 scale; None: the truth.
    """
    at_sigma = rows[rows["sigma"] == sigma]
    if "told_sigma" not in rows:
        return at_sigma
    told = at_sigma["told_sigma"]
    return at_sigma[told.isna() | (told == (sigma if told_sigma is None else told_sigma))]
