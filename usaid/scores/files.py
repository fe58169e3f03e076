"""Score files: one row per image, sigma and draw, with their provenance."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from usaid.errors import UsaidError, one_line
from usaid.files import written_atomically
from usaid.scores.columns import fault_of_rows

_METADATA_KEY = b"usaid_provenance"

_CURE = "delete it; the same command makes it again"
_FOREIGN = "move it away; the same command makes ours"

MESSAGE = 200
"""Characters of somebody else's message that are shown."""

_RENAMED = {"source_hash": "code_hash"}
"""Keys of provenance that earlier versions called otherwise: their name -> ours."""


@dataclass(frozen=True)
class Scores:
    """What a judge said of one denoiser on one benchmark.

    Attributes:
        rows: columns ``image_id`` (str), ``image_sha256`` (str), ``sigma`` (0-255 scale), ``draw`` (int),
            ``told_sigma`` (what a non-blind method was told, 0-255 scale; NaN: the method is blind) and one per metric,
            named by its convention (``psnr_rgb_float`` in dB, ``ssim_skimage7``, ``niqe_live``, ``top1`` ...).
        provenance: as ``provenance.schema.yaml`` describes it. ``failure`` is None, or the one-line reason why
            there are no rows.
    """

    rows: pd.DataFrame
    provenance: dict[str, Any]


@cache
def _schema() -> dict[str, Any]:
    text = files("usaid.scores").joinpath("provenance.schema.yaml").read_text(encoding="utf-8")
    schema: dict[str, Any] = yaml.safe_load(text)
    return schema


def write_scores(path: str | Path, scores: Scores) -> None:
    """Write a score file (Parquet, provenance in its metadata), atomically.

    Raises:
        UsaidError: the provenance does not fit the schema, a column is not what its name says, or the disk is full.
    """
    if fault := _fault_of_provenance(scores.provenance):
        raise UsaidError(f"{path}: {fault}")
    try:
        table = pa.Table.from_pandas(scores.rows, preserve_index=False)
    except pa.ArrowException as error:
        raise UsaidError(f"{path}: rows that no table can hold ({_short(error)}); correct the judge") from None
    if scores.provenance["failure"] is None and (fault := fault_of_rows(table, scores.provenance)):
        raise UsaidError(f"{path}: {fault}; correct the judge")
    table = table.replace_schema_metadata({_METADATA_KEY: json.dumps(scores.provenance, sort_keys=True)})
    with written_atomically(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_scores(path: str | Path) -> Scores:
    """Read a score file.

    Raises:
        UsaidError: missing, not Parquet, without the suite's provenance, or a column that is not what its name says.
    """
    with _opened(path) as file:
        provenance = _provenance_in(file.schema_arrow.metadata, path)
        table = file.read()
        fault = None if provenance["failure"] is not None else fault_of_rows(table, provenance)
        if fault is not None:
            raise UsaidError(f"{path}: {fault}; {_CURE}")
        return Scores(table.replace_schema_metadata(None).to_pandas(), provenance)


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The provenance of a score file, without decoding its rows.

    Raises:
        UsaidError: as :func:`read_scores`.
    """
    with _opened(path) as file:
        return _provenance_in(file.schema_arrow.metadata, path)


@contextmanager
def _opened(path: str | Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file; whatever goes wrong with it in the block is said in one line."""
    if Path(path).is_dir():
        raise UsaidError(f"{path}: is a folder, not a score file; {_FOREIGN}")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except UsaidError:
        raise
    except FileNotFoundError:
        raise UsaidError(f"{path}: score file is missing; score it first, or correct its path") from None
    except PermissionError:
        raise UsaidError(f"{path}: score file cannot be read (permission denied); make it readable") from None
    except Exception as error:  # of whatever class a decoder raises on bytes that are no Parquet
        raise UsaidError(f"{path}: not a readable score file ({_short(error)}); {_CURE}") from None


def _short(error: object) -> str:
    """An error's text on one line, and not longer than that."""
    text = one_line(error)
    return text if len(text) <= MESSAGE else f"{text[:MESSAGE]} ..."


def _provenance_in(metadata: Mapping[bytes, bytes] | None, path: str | Path) -> dict[str, Any]:
    if metadata is None or _METADATA_KEY not in metadata:
        raise UsaidError(f"{path}: has no provenance; it was not written by this suite; {_FOREIGN}")
    try:
        provenance = json.loads(metadata[_METADATA_KEY])
    except (ValueError, RecursionError):
        raise UsaidError(f"{path}: its provenance is not JSON; {_CURE}") from None
    if not isinstance(provenance, dict):
        raise UsaidError(f"{path}: its provenance is a {type(provenance).__name__}, not a mapping; {_CURE}")
    provenance = _in_todays_words(provenance)
    if fault := _fault_of_provenance(provenance):
        raise UsaidError(f"{path}: {fault}; {_CURE}")
    return provenance


def _in_todays_words(provenance: dict[str, Any]) -> dict[str, Any]:
    """The provenance of a file of an earlier version, with the names that its keys have now."""
    return {_RENAMED.get(key, key): value for key, value in provenance.items()}


def _fault_of_provenance(provenance: dict[str, Any]) -> str | None:
    """What does not fit the schema; None: nothing."""
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_schema()).iter_errors(provenance))
    if error is None:
        return None
    return f"provenance key {_short('.'.join(map(str, error.path))) or '(top)'}: {_short(error.message)}"


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
