"""Refuses to put scores in one table that were not made from the same images, noise and judge."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from usaid.errors import UsaidError
from usaid.scores.failed_levels import failed_levels_of

if TYPE_CHECKING:
    import pandas as pd

ROW_NAME = ["image_id", "sigma", "draw"]
"""What a row is about, but for the level that a non-blind method was told."""

SAME_IN_ALL = ("dataset", "judge", "noise_version")
"""Provenance that has to agree, the judge's with the hash of its code; what else may differ (the denoiser's code,
device, precision) is said in a footnote. Of scores that were taken from an earlier run the judge's has been looked at
when they were: what another one computed was left out, and that the code may be another is said in a footnote."""


class ScoresLike(Protocol):
    """What a table needs of a score file; :class:`usaid.scores.files.Scores` is one.

    Attributes:
        rows: one row per image, sigma and draw: columns ``image_id``, ``sigma``, ``draw``, one per metric named by
            its convention, and if known ``image_sha256``. Empty if it was not scored.
        provenance: with the keys ``benchmark``, ``title``, ``dataset``, ``deviations``, ``weights_sha256``, for Table
            II ``entry``, and ``failure`` (None, or why there are no rows); ``metrics``, the names of the conventions
            that the rows hold, may be left out, and ``denoiser``, where it is what the scores are called.
    """

    @property
    def rows(self) -> "pd.DataFrame": ...

    @property
    def provenance(self) -> Mapping[str, Any]: ...


def check_comparable(benchmark: str, scores: Mapping[str, ScoresLike], sigma: float | None = None) -> None:
    """Check that all scores are of one benchmark and were made from the same images, sigmas, draws and judge.

    Args:
        benchmark: the benchmark that they have to be of.
        scores: denoiser -> its scores; those that were not scored are only checked for the benchmark.
        sigma: the only one whose rows have to agree; None: all that two files have both.

    Raises:
        UsaidError: they are not, or a file has a row twice or lacks images; names the files.
    """
    for denoiser, of_denoiser in scores.items():
        if (own := of_denoiser.provenance["benchmark"]) != benchmark:
            raise UsaidError(f"scores of {denoiser!r} are of benchmark {own!r}; give those of {benchmark!r}")
    check_alike({f"{benchmark}/{denoiser}.parquet": of_denoiser for denoiser, of_denoiser in scores.items()}, sigma)


def check_alike(scores: Mapping[str, ScoresLike], sigma: float | None = None) -> None:
    """Check that scores of one benchmark were made from the same images, sigmas, draws and judge.

    Args:
        scores: name of the file, for messages -> its scores; those that were not scored are not looked at.
        sigma: the only one whose rows have to agree; None: all that two files have both.

    Raises:
        UsaidError: as :func:`check_comparable`.
    """
    judged = {file: own for file, own in scores.items() if own.provenance["failure"] is None}
    for file, of_denoiser in judged.items():
        _check_whole(file, of_denoiser)
    whole_first = sorted(judged.items(), key=lambda item: (_is_borrowed(item[1]), len(_lost(item[1]))))
    for (first_file, first), (second_file, second) in pairwise(whole_first):
        if difference := _difference(first, second, sigma):
            raise UsaidError(f"{first_file} and {second_file}: {difference}; score both denoisers on the same terms")
    for file, of_denoiser in judged.items():
        _check_levels(file, of_denoiser)


def _is_borrowed(scores: ScoresLike) -> bool:
    return scores.provenance.get("borrowed_from") is not None


def _lost(scores: ScoresLike) -> set[float]:
    """The sigmas that a file says it lacks, as some method was told them."""
    return {level["sigma"] for level in failed_levels_of(scores.provenance)}


def _check_whole(file: str, scores: ScoresLike) -> None:
    duplicates = scores.rows[
        scores.rows.duplicated([name for name in (*ROW_NAME, "told_sigma") if name in scores.rows])
    ]
    if len(duplicates):
        raise UsaidError(f"{file}: {_row_text(duplicates.iloc[0])} is there twice; delete it and rerun")
    images, expected = scores.rows["image_id"].nunique(), scores.provenance["dataset"]["n"]
    if images != expected:
        raise UsaidError(f"{file}: has rows of {images} images, its provenance says {expected}; delete it and rerun")


def _check_levels(file: str, scores: ScoresLike) -> None:
    """Check that every noise level and draw, as told, has all images: a lost row would be a mean over fewer."""
    levels = [name for name in ("sigma", "told_sigma", "draw") if name in scores.rows]
    images_by_level = scores.rows.groupby(levels, dropna=False)["image_id"].nunique()
    fewest, expected = images_by_level.min(), scores.provenance["dataset"]["n"]
    if fewest != expected:
        raise UsaidError(f"{file}: has {fewest} of its {expected} images at some noise level; delete it and rerun")


def _difference(first: ScoresLike, second: ScoresLike, sigma: float | None) -> str | None:
    """In what two files differ that have to agree, or None."""
    if difference := _other_images(first.provenance["dataset"], second.provenance["dataset"]):
        return difference
    keys = [key for key in SAME_IN_ALL if key != "judge" or not _is_borrowed(second)]
    if difference := difference_of_provenance(first.provenance, second.provenance, keys):
        return difference
    common = {*first.rows["sigma"].unique()} & {*second.rows["sigma"].unique()}
    if sigma is not None:
        common = common & {sigma} or {sigma} - _lost(first) - _lost(second)
    return _difference_of_rows(*(one.rows[one.rows["sigma"].isin(common)] for one in (first, second)))


def _other_images(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """How many images each of two files has, if these are of one data set but not the same; else None."""
    is_same_set = all(first.get(key) == second.get(key) for key in ("name", "split"))
    if not is_same_set or all(first.get(key) == second.get(key) for key in ("n", "ids_sha256")):
        return None
    n, other = first["n"], second["n"]
    return f"{n:,} images each, other lists" if n == other else f"{n:,} and {other:,} images, other lists"


def difference_of_provenance(first: Mapping[str, Any], second: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    """In which of some keys the provenance of two files differs, with both values; None: in none."""
    for key in keys:
        one, other = _flat(key, first.get(key)), _flat(key, second.get(key))
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name):
                return f"{name} is {one.get(name)!r} in the first and {other.get(name)!r} in the second"
    return None


def _flat(key: str, value: Any) -> dict[str, Any]:
    return {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, Mapping) else {key: value}


def _difference_of_rows(first: "pd.DataFrame", second: "pd.DataFrame") -> str | None:
    named = [rows[[name for name in (*ROW_NAME, "image_sha256") if name in rows]] for rows in (first, second)]
    if named[0].reset_index(drop=True).equals(named[1].reset_index(drop=True)):
        return None
    named = [rows.drop_duplicates() for rows in named]
    both = named[0].merge(named[1], on=ROW_NAME, how="outer", indicator="place")
    alone = both[both["place"] != "both"]
    if len(alone):
        place = {"left_only": "first", "right_only": "second"}[alone.iloc[0]["place"]]
        return f"{_row_text(alone.iloc[0])} is only in the {place}"
    if "image_sha256_x" in both and len(other := both[both["image_sha256_x"] != both["image_sha256_y"]]):
        return f"image {other.iloc[0]['image_id']!r} has not the same pixels in the two"
    return None


def _row_text(row: "pd.Series[Any]") -> str:
    return f"image {row['image_id']!r} at sigma {row['sigma']:g}, draw {row['draw']:g}"
