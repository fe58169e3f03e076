"""The scores of the paper's denoisers that are at hand, of the same images and noise as an evaluation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import usaid
from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.scores.files import Scores, read_scores
from usaid.scores.whole_set import columns_of

if TYPE_CHECKING:
    import pandas as pd

PAPERS_OWN = ("cdncnn_b", "s_said", "u_said")
"""The denoisers that the paper trains."""

RELEASED = "released"
"""The experiment that has the scores of the authors' checkpoints."""

_OF_THE_IMAGES = ("name", "split", "longest_side")
"""What of a score file's data set says which pixels an image has, beside their hash."""


@dataclass(frozen=True)
class Companion:
    """A denoiser's scores, cut to the images and noise levels of an evaluation.

    Attributes:
        scores: its rows; the provenance says of data set and judge what that of the evaluation says.
        source: the results folder that they come from.
        other_code: it was judged by another version of the evaluator, or by one that is not recorded.
        left_out: the metrics whose scores cannot be compared, since another network or model judged.
        time: seconds that the denoiser took for a pixel, and the device that it ran on; None: not known.
    """

    scores: Scores
    source: str
    other_code: bool
    left_out: tuple[str, ...] = ()
    time: tuple[float, str] | None = None


def result_folders(compare_with: str | Path | None) -> list[Path]:
    """Where scores to compare with may be at hand.

    Args:
        compare_with: an experiment's name, whose results lie in ``results/`` or ``results/reference/`` of the working
            folder or of the checkout; or a folder of results. None: no scores are wanted.

    Raises:
        UsaidError: there are none of this name, unless it is the default.
    """
    if compare_with is None:
        return []
    places = _places(str(compare_with))
    folders = [folder for folder in places if (folder / "scores").is_dir()]
    if not folders and str(compare_with) != RELEASED:
        listed = ", ".join(map(str, places))
        raise UsaidError(f"compare_with = {str(compare_with)!r}: no folder 'scores' in any of {listed}; correct it")
    return folders


def companions_of(scores: Scores, folders: Sequence[Path]) -> tuple[dict[str, Companion], list[str]]:
    """The paper's denoisers whose score files are at hand.

    Args:
        scores: of the evaluation.
        folders: of results; of each denoiser the first that has it on the same images and noise counts.

    Returns:
        denoiser -> its scores, and why those that are there but cannot be compared cannot, a sentence each.
    """
    found: dict[str, Companion] = {}
    reasons: dict[str, str] = {}
    for denoiser, folder in product(PAPERS_OWN, folders):
        path = folder / "scores" / scores.provenance["benchmark"] / f"{denoiser}.parquet"
        if denoiser in found or not path.exists():
            continue
        try:
            found[denoiser] = _cut(read_scores(path), scores, _shown(folder))
        except UsaidError as error:
            reasons[denoiser] = f"{_shown(path)}: {str(error).removeprefix(f'{path}: ')}"
    return found, [f"{reason}." for denoiser, reason in reasons.items() if denoiser not in found]


def _places(name: str) -> list[Path]:
    roots = dict.fromkeys([Path(), Path(usaid.__file__).resolve().parents[1]])
    below = [root / "results" / folder for root in roots for folder in (name, f"reference/{name}")]
    return [*below, Path(name)]


def _shown(path: Path) -> str:
    """A path as people read it: below the working folder without that."""
    here = Path.cwd()
    return str(path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path)


def _cut(theirs: Scores, mine: Scores, source: str) -> Companion:
    """Their scores of my images, at my noise levels.

    Raises:
        UsaidError: they are of other images or noise, or lack some.
    """
    own, other = mine.provenance, theirs.provenance
    if other["failure"] is not None:
        raise UsaidError(f"its evaluator failed ({other['failure']})")
    for name, (one, two) in {
        "noise_version": (own["noise_version"], other["noise_version"]),
        **{name: (own["dataset"].get(name), other["dataset"].get(name)) for name in _OF_THE_IMAGES},
    }.items():
        if one != two:
            raise UsaidError(f"{name} is {two!r} there and {one!r} here")
    rows = theirs.rows.astype({"image_id": str})
    rows = rows[rows["image_id"].isin(mine.rows["image_id"]) & rows["sigma"].isin(mine.rows["sigma"])]
    rows = _of_whole_levels(rows, mine.rows)
    left_out = [*_of_another_judge(own["judge"], other.get("judge", {}), rows)]
    kept = [*(name for name in rows if name in ("image_id", "image_sha256", "sigma", "draw", "told_sigma"))]
    kept += [name for name in own["metrics"] if name in rows and name not in _columns(left_out)]
    provenance = {**other, "dataset": own["dataset"], "judge": own["judge"]}
    other_code = other.get("judge", {}).get("code") != own["judge"]["code"]
    time = (1 / other["pixels_per_second"], other["device"]) if other["pixels_per_second"] else None
    return Companion(Scores(rows[kept].reset_index(drop=True), provenance), source, other_code, tuple(left_out), time)


def _of_whole_levels(rows: "pd.DataFrame", mine: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of those noise levels and draws that have all of my images, with the same pixels.

    Raises:
        UsaidError: there are none.
    """
    ids = mine[["image_id", "image_sha256"]].drop_duplicates()
    if rows.empty:
        raise UsaidError("has none of these images at these noise levels")
    if "image_sha256" in rows:
        both = rows[["image_id", "image_sha256"]].drop_duplicates().merge(ids, on="image_id")
        changed = both[both["image_sha256_x"] != both["image_sha256_y"]]
        if len(changed):
            raise UsaidError(f"image {changed['image_id'].iloc[0]} has other pixels there")
    levels = [name for name in ("sigma", "draw", "told_sigma") if name in rows]
    whole = rows.groupby(levels, dropna=False)["image_id"].transform("nunique") == len(ids)
    if not whole.any():
        raise UsaidError("lacks some of these images")
    return rows[whole]


def _of_another_judge(mine: Mapping[str, Any], theirs: Mapping[str, Any], rows: "pd.DataFrame") -> Iterable[str]:
    """The metrics of the rows that another network or model made, so that they say nothing about a denoiser here.

    What is a function of the image alone, as PSNR is, stays.
    """
    shared = (mine.keys() & theirs.keys()) - {"code", "packages", "files", "unavailable"}
    if all(mine[name] == theirs[name] for name in shared):
        return
    for metric in METRICS.values():
        for convention in metric.conventions:
            by_judge = convention.compute is None or convention.of_whole_set
            if by_judge and {*columns_of(convention)} <= {*rows}:
                yield metric.name


def _columns(metrics: Iterable[str]) -> set[str]:
    """The columns that metrics are made from."""
    return {column for name in metrics for own in METRICS[name].conventions for column in columns_of(own)}
