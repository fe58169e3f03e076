"""Files of a part of a score file's rows: what they hold, and whether they belong together."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from evaluators.scoring.shard import Shard, shards_of
from usaid.errors import UsaidError
from usaid.scores.columns import numbers_of_images
from usaid.scores.files import ABOUT, Scores, read_scores, write_scores

ROW = "row"
"""The column that holds a whole row as JSON: what a judge counted comes back as it was, digit for digit."""

_KINDS: dict[str, Any] = {
    "image_id": "string",
    "image_sha256": "string",
    "sigma": float,
    "draw": int,
    "told_sigma": float,
}

SAME = (
    *("benchmark", "denoiser", "draws", "entry", "dataset", "metrics", "judge", "weights_sha256", "code_hash"),
    *("noise_version", "precision", "packages", "title", "deviations"),
)
"""Provenance in which all shards agree; of one that does not the rows are of something else."""


class ShardRecord(NamedTuple):
    """What the file of a shard says of it, beside what any score file says.

    Attributes:
        number: from 1 to ``of``.
        of: how many shards there are.
        device: the kind of device that judged, which decides what is denoised together.
        images: places of its images in the data set, from 0, in ascending order.
        failed_at: of each of ``failed_levels`` the number of the group of images that failed first, the same count in
            all shards; -1: the denoiser cannot be told the level.
        has_findings: the judge writes files of its own from the rows of all images.
    """

    number: int
    of: int
    device: str
    images: list[int]
    failed_at: list[int]
    has_findings: bool


class ReadShard(NamedTuple):
    """The file of a shard."""

    path: Path
    provenance: dict[str, Any]
    record: ShardRecord
    rows: list[dict[str, Any]]


def scores_of(rows: Sequence[Mapping[str, Any]], provenance: dict[str, Any]) -> Scores:
    """A score file's content from its rows as the journal has them, in order."""
    return Scores(pd.DataFrame(rows).astype({"told_sigma": float}), provenance)


def write_shard(path: Path, rows: Sequence[Mapping[str, Any]], provenance: dict[str, Any], record: ShardRecord) -> None:
    """Write the file of a shard, atomically. It may have no rows: there are more shards than images.

    Args:
        path: the file.
        rows: of its images, as the journal has them, in order.
        provenance: what a score file of these rows says.
        record: what is said of the shard beside that.

    Raises:
        UsaidError: as :func:`usaid.scores.files.write_scores`.
    """
    numbers = [name for name in provenance["metrics"] if name in numbers_of_images()]
    kinds: Any = {**_KINDS, **dict.fromkeys(numbers, float), ROW: "string"}
    named = [{name: row.get(name) for name in (*ABOUT, *numbers)} | {ROW: json.dumps(row)} for row in rows]
    table = pd.DataFrame(named, columns=[*kinds]).astype(kinds)
    write_scores(path, Scores(table, provenance | {"shard": record._asdict()}))


def read_shard(path: Path) -> ReadShard:
    """Read the file of a shard.

    Raises:
        UsaidError: missing, damaged, or no shard.
    """
    scores = read_scores(path)
    said = scores.provenance.pop("shard", None)
    if said is None or ROW not in scores.rows:
        raise UsaidError(f"{path}: is no shard of a score file; give those that `shards` of a benchmark makes")
    return ReadShard(path, scores.provenance, ShardRecord(**said), [json.loads(row) for row in scores.rows[ROW]])


def check_same(shards: Sequence[ReadShard]) -> None:
    """See that shards are all parts of one score file: made from the same, each image in one of them.

    Raises:
        UsaidError: they are not; says which two differ, and in what.
    """
    first = shards[0]
    for other in shards[1:]:
        ours, theirs = ({name: one.provenance.get(name) for name in SAME} for one in (first, other))
        ours, theirs = ours | {"device": first.record.device}, theirs | {"device": other.record.device}
        if (name := next((name for name in ours if ours[name] != theirs[name]), None)) is not None:
            what = _difference(name, ours[name], theirs[name])
            cure = "they are not of one run: delete the older of the two and run again"
            raise UsaidError(f"{other.path}: its {what} {first.path.name}; {cure}")
    known = [Shard(shard.record.number, shard.record.of) for shard in shards]
    if sorted(known) != shards_of(known[0].of):
        names = ", ".join(str(shard) for shard in known)
        raise UsaidError(f"{first.path.parent}: shards {names} are not all parts of one whole; give each of them once")
    places = sorted(place for shard in shards for place in shard.record.images)
    if places != [*range(first.provenance["dataset"]["n"])]:
        why = "shards do not share out the images of the data set; delete this folder and run again"
        raise UsaidError(f"{first.path.parent}: {why}")


def _difference(name: str, ours: Any, theirs: Any) -> str:
    """What differs, of a record the first key that does: ``"packages.torch is '2.3', that of"``."""
    while isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        key = next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
        name, ours, theirs = f"{name}.{key}", ours.get(key), theirs.get(key)
    mine, other = (text if len(text := repr(value)) <= 40 else f"{text[:40]} ..." for value in (ours, theirs))
    return f"{name} is {other}, not {mine} as in"
