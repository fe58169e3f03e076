"""Score files: one row per image, sigma and draw, with their provenance."""

import json
from collections.abc import Mapping
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

from usaid.errors import UsaidError
from usaid.files import written_atomically

_METADATA_KEY = b"usaid_provenance"

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
    provenance = _in_todays_words(json.loads(metadata[_METADATA_KEY]))
    _check(provenance, str(path))
    return provenance


def _in_todays_words(provenance: dict[str, Any]) -> dict[str, Any]:
    """The provenance of a file of an earlier version, with the names that its keys have now."""
    return {_RENAMED.get(key, key): value for key, value in provenance.items()}


def _check(provenance: dict[str, Any], path: str) -> None:
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(_schema()).iter_errors(provenance))
    if error is not None:
        raise UsaidError(f"{path}: provenance key {'.'.join(map(str, error.path)) or '(top)'}: {error.message}")


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
