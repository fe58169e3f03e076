"""Whether the scores of an earlier run are those that scoring again would give: same images, noise and judge."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from usaid import noise
from usaid.cards import Convention
from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.scores.whole_set import columns_of

if TYPE_CHECKING:
    import pandas as pd

_OF_THE_IMAGES = ("name", "split")
"""What of a score file's data set says which pixels an image has, beside their view and hash."""

_OF_SOME_METRICS = ("packages", "files", "unavailable")
"""What of a judge's record is about the metrics that it names."""

_IF_SET = {"confusion": ("void", "input_size"), "matches": ("input_size", "letterbox")}
"""Column -> keys that count though one of two records lacks them: a segmenter's are there only where an experiment sets
them, and of a detector's input earlier files do not tell."""


class NotTheSame(UsaidError):
    """Why scores cannot be taken over: a dash, but no failure of a job."""


def check_same_noise(theirs: Mapping[str, Any], benchmark: str, dataset: Mapping[str, Any]) -> None:
    """See that earlier scores are of this benchmark, of noise that is drawn as now, and of this data set.

    Args:
        theirs: their provenance.
        benchmark: our own.
        dataset: our own, as score files record it.

    Raises:
        NotTheSame: they are not, or there are none.
    """
    if (failure := theirs["failure"]) is not None:
        raise NotTheSame(f"they were not scored: {failure}")
    pairs = {
        "benchmark": (theirs["benchmark"], benchmark),
        "noise_version": (theirs["noise_version"], noise.VERSION),
        **{f"data set's {name}": (theirs["dataset"].get(name), dataset.get(name)) for name in _OF_THE_IMAGES},
        "data set's view": (_view(theirs["dataset"]), _view(dataset)),
    }
    for what, (other, own) in pairs.items():
        if other != own:
            raise NotTheSame(f"their {what} is {other}, not {own}")


def _view(dataset: Mapping[str, Any]) -> str:
    """What was made of stored images, as text; files of earlier versions know :class:`Shrunk` alone, by its side."""
    longest_side = dataset.get("longest_side")
    shrunk = None if longest_side is None else {"kind": "shrunk", "longest_side": longest_side}
    view = dataset.get("view", shrunk)
    return "none" if view is None else json.dumps(view, sort_keys=True)


def rows_of_images(rows: "pd.DataFrame", pixels: Mapping[str, str]) -> "pd.DataFrame":
    """The rows of some images.

    Args:
        rows: of earlier scores.
        pixels: id -> SHA-256 of the decoded image, of all images that are wanted.

    Raises:
        NotTheSame: an image is not there, or has other pixels.
    """
    if "image_sha256" not in rows:
        raise NotTheSame("they do not say of which pixels they are")
    known = dict(zip(rows["image_id"], rows["image_sha256"], strict=True))
    if missing := [image_id for image_id in pixels if image_id not in known]:
        there = f"{len(pixels) - len(missing):,} of the {len(pixels):,} images"
        raise NotTheSame(f"they are of {there}; not of {missing[0]!r}")
    if other := [image_id for image_id, sha256 in pixels.items() if known[image_id] != sha256]:
        raise NotTheSame(f"image {other[0]!r} has other pixels there")
    kept = rows[rows["image_id"].isin(list(pixels))]
    return kept.assign(told_sigma=kept["told_sigma"].astype(float) if "told_sigma" in kept else float("nan"))


def judged_otherwise(own: Mapping[str, Any], theirs: Mapping[str, Any], columns: Iterable[str]) -> dict[str, str]:
    """The columns that another network, model, package or file made there, and in what that differs.

    What is a function of the images alone, as PSNR is, depends on none of these. The version of the judge's code is
    for others to tell.

    Args:
        own: what our judge says of itself.
        theirs: what theirs said.
        columns: of scores, that ours has.
    """
    own, theirs = json.loads(json.dumps(dict(own))), dict(theirs)
    columns = [*columns]
    both = [key for key in theirs if key in own and key not in ("code", *_OF_SOME_METRICS)]
    if_set = (key for column in columns for key in _IF_SET.get(column, ()))
    of_all = _difference({key: (own.get(key), theirs.get(key)) for key in dict.fromkeys([*both, *if_set])})
    made_by = {column: one for metric in METRICS.values() for one in metric.conventions for column in columns_of(one)}
    reasons = {column: _reason(made_by.get(column), of_all, own, theirs) for column in columns}
    return {column: reason for column, reason in reasons.items() if reason is not None}


def _reason(
    made_by: Convention | None, of_all: str | None, own: Mapping[str, Any], theirs: Mapping[str, Any]
) -> str | None:
    """Why a column of a convention cannot be compared."""
    if made_by is None or made_by.compute is None or made_by.of_whole_set:
        return of_all
    read = [("files", name) for name in made_by.files]
    if made_by.package is not None:
        read.append(("packages", made_by.package))
    return _difference({name: (own.get(kind, {}).get(name), theirs.get(kind, {}).get(name)) for kind, name in read})


def _difference(pairs: Mapping[str, tuple[Any, Any]]) -> str | None:
    """The first of some values that differ, ours and theirs."""
    for name, (own, their) in pairs.items():
        if own != their:
            return f"their judge's {name} is {_short(their)}, not {_short(own)}"
    return None


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]} ..."
