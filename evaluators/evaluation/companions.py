"""The scores of the paper's denoisers that are at hand, of the same images and noise as an evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from evaluators.scoring.earlier import NotTheSame, check_same_noise, judged_otherwise, rows_of_images
from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.experiment.earlier_scores import EarlierScores, results_named
from usaid.registries import METRICS
from usaid.scores.files import ABOUT, Scores, read_scores
from usaid.scores.whole_set import columns_of

if TYPE_CHECKING:
    import pandas as pd

PAPERS_OWN = ("cdncnn_b", "s_said", "u_said")
"""The denoisers that the paper trains."""

RELEASED = "released"
"""The experiment that has the scores of the authors' checkpoints."""


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


def result_folders(compare_with: str | Path | None) -> list[EarlierScores]:
    """Where scores to compare with may be at hand.

    Args:
        compare_with: as :func:`usaid.experiment.earlier_scores.results_named` has it. None: no scores are wanted.

    Raises:
        UsaidError: there are none of this name, unless it is the default.
    """
    if compare_with is None:
        return []
    folders = results_named(str(compare_with))
    if not folders and str(compare_with) != RELEASED:
        where = "of this name, also below results/ and results/reference/"
        raise UsaidError(f"compare_with = {str(compare_with)!r}: no folder 'scores' in any folder {where}; correct it")
    return folders


def companions_of(scores: Scores, folders: Sequence[EarlierScores]) -> tuple[dict[str, Companion], list[str]]:
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
        path = folder.file(scores.provenance["benchmark"], denoiser)
        if denoiser in found or not path.exists():
            continue
        try:
            found[denoiser] = _cut(read_scores(path), scores, folder.name)
        except UsaidError as error:
            reasons[denoiser] = f"{folder.name}, {denoiser}: {str(error).removeprefix(f'{path}: ')}"
    return found, [f"{reason}." for denoiser, reason in reasons.items() if denoiser not in found]


def _cut(theirs: Scores, mine: Scores, source: str) -> Companion:
    """Their scores of my images, at my noise levels.

    Raises:
        UsaidError: they are of other images or noise, or lack some.
    """
    own, other = mine.provenance, theirs.provenance
    check_same_noise(other, own["benchmark"], own["dataset"])
    rows = rows_of_images(theirs.rows, dict(zip(mine.rows["image_id"], mine.rows["image_sha256"], strict=True)))
    rows = _of_whole_levels(rows[rows["sigma"].isin(mine.rows["sigma"])], mine.rows["image_id"].nunique())
    there = [name for name in own["metrics"] if name in rows]
    lacking = judged_otherwise(own["judge"], other["judge"], there)
    left_out = tuple(metric.name for metric in METRICS.values() if _columns(metric) & lacking.keys())
    kept = [*ABOUT, *(name for name in there if name not in lacking)]
    provenance = {**other, "dataset": own["dataset"], "judge": own["judge"]}
    other_code = other["judge"].get("code") != own["judge"]["code"]
    time = (1 / other["pixels_per_second"], other["device"]) if other["pixels_per_second"] else None
    return Companion(Scores(rows[kept].reset_index(drop=True), provenance), source, other_code, left_out, time)


def _of_whole_levels(rows: "pd.DataFrame", n: int) -> "pd.DataFrame":
    """The rows of those noise levels and draws that have all images.

    Raises:
        NotTheSame: there are none.
    """
    images = rows.groupby(["sigma", "draw", "told_sigma"], dropna=False)["image_id"].transform("nunique")
    if not (images == n).any():
        raise NotTheSame("they have not all of these images at any of these noise levels")
    return rows[images == n]


def _columns(metric: Metric) -> set[str]:
    """The columns of score files that a metric is made from."""
    return {column for convention in metric.conventions for column in columns_of(convention)}
