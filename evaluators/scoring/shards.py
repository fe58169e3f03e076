"""Files of a part of a score file's rows, and how they become the score file that one job would have written."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from evaluators.scoring.shard import Shard
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

OF_MACHINE = ("git", "python", "platform", "device", "inference")
"""Provenance that may differ, and is then recorded of each shard."""


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
    if sorted(known) != [Shard(index + 1, known[0].of) for index in range(known[0].of)]:
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


def merged(shards: Sequence[ReadShard]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and the provenance that the score file of one job would have.

    Args:
        shards: all of one score file (:func:`check_same`), in any order.

    Returns:
        rows in the order of the data set, without the levels that one of the shards lacks; and their provenance, with
        the sums of the shards' times and pixels.

    Raises:
        UsaidError: no level is left.
    """
    shards = sorted(shards, key=lambda shard: shard.record.number)
    lacking = _failed_levels(shards)
    lost = {(level["sigma"], level["told_sigma"]) for level in lacking}
    by_place: dict[int, list[dict[str, Any]]] = {}
    for shard in shards:
        by_place |= _by_place(shard, lost)
    rows = [row for place in sorted(by_place) for row in by_place[place]]
    if not rows:
        raise UsaidError(lacking[0]["reason"] if lacking else f"{shards[0].path.parent}: shards without rows")
    return rows, _provenance(shards) | ({"failed_levels": lacking} if lacking else {})


def _by_place(shard: ReadShard, lost: Iterable[tuple[float, float | None]]) -> dict[int, list[dict[str, Any]]]:
    """The rows of a shard, but for those of some levels, by the place of their image."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in shard.rows:
        rows.setdefault(row["image_id"], []).append(row)
    if len(rows) != len(shard.record.images):
        raise UsaidError(f"{shard.path}: lacks rows of an image; delete it and run again")
    return {
        place: [row for row in of_image if (row["sigma"], row.get("told_sigma")) not in lost]
        for place, of_image in zip(shard.record.images, rows.values(), strict=True)
    }


def _failed_levels(shards: Iterable[ReadShard]) -> list[dict[str, Any]]:
    """The levels that a shard lacks, each with what failed first in the order of a job of all images."""
    lost = [
        (at, level)
        for shard in shards
        for at, level in zip(shard.record.failed_at, shard.provenance.get("failed_levels", ()), strict=True)
    ]
    levels: dict[tuple[float, float | None], dict[str, Any]] = {}
    for _, level in sorted(lost, key=lambda one: one[0]):
        levels.setdefault((level["sigma"], level["told_sigma"]), level)
    return [*levels.values()]


def _provenance(shards: Sequence[ReadShard]) -> dict[str, Any]:
    """That of the first of some shards, with the sums of all, and of each its machine if they differ."""
    known = [shard.provenance for shard in shards]
    stages = dict.fromkeys(stage for one in known for stage in one["seconds"])
    seconds = {stage: round(sum(one["seconds"].get(stage, 0.0) for one in known), 3) for stage in stages}
    rates = [(rate, one["seconds"]["denoiser"]) for one in known if (rate := one["pixels_per_second"]) is not None]
    spent = sum(seconds_of_one for _, seconds_of_one in rates)
    machines = [{name: one[name] for name in OF_MACHINE if name in one} for one in known]
    differ = any(machine != machines[0] for machine in machines)
    return known[0] | {
        "seconds": seconds,
        "pixels": sum(one["pixels"] for one in known),
        "pixels_per_second": round(sum(rate * own for rate, own in rates) / spent) if spent else None,
        "shards": {"n": len(shards)} | ({"machines": machines} if differ else {}),
    }
