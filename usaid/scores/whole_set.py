"""Scores that only a whole data set has: mIoU from confusion counts, average precision from matched detections."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from usaid.cards import Convention
from usaid.errors import UsaidError
from usaid.registries import load_object
from usaid.scores.average_precision import average_precision
from usaid.scores.confusion import class_iou, miou_per_image, resampled_iou
from usaid.scores.resampled_precision import resampled_precision

if TYPE_CHECKING:
    import pandas as pd

Resampled = Callable[["pd.DataFrame", Mapping[str, Any]], Callable[[np.ndarray], np.ndarray]]
"""How scores of resamples are made: :attr:`Statistic.resampled`."""


class Statistic(NamedTuple):
    """A score of a data set, most often a mean over classes.

    Attributes:
        columns: of the score file, that it is made from.
        of_classes: (rows of one sigma and draw, the judge's record) -> class -> its score; NaN: left out of the mean.
        resampled: (such rows, the judge's record) -> the scores of resamples: (B, N) whole numbers >= 0, how often each
            of N rows is in each of B resamples -> float64 (B,), NaN where no class has a score. Equal to
            :meth:`of_data_set` of the rows repeated in their places, and exactly so where every row comes once.
            None: there is no faster way than that.
        score: (rows of one sigma and draw, the judge's record) -> the score, where it is another than the mean of
            ``of_classes``; NaN: there is none. None: it is that mean.
    """

    columns: tuple[str, ...]
    of_classes: "Callable[[pd.DataFrame, Mapping[str, Any]], dict[str, float]]"
    resampled: Resampled | None = None
    score: "Callable[[pd.DataFrame, Mapping[str, Any]], float] | None" = None

    def of_data_set(self, rows: "pd.DataFrame", judge: Mapping[str, Any]) -> float:
        """The score, which is the mean over classes unless ``score`` says otherwise; NaN if none has a score."""
        if self.score is not None:
            return self.score(rows, judge)
        return _mean(self.of_classes(rows, judge))


def _mean(of_classes: Mapping[Any, float]) -> float:
    values = np.array([*of_classes.values()])
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _recorded(judge: Mapping[str, Any], key: str) -> Any:
    """A key of a judge's record.

    Raises:
        UsaidError: the record lacks it.
    """
    if key not in judge:
        raise UsaidError(f"the judge's record has no {key!r}, which its score is named by; let the judge record it")
    return judge[key]


def _iou(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> dict[str, float]:
    values = class_iou(np.stack([*rows["confusion"]]))
    names = _recorded(judge, "class_names")
    if len(names) != len(values):
        raise UsaidError(f"confusion counts are of {len(values)} classes, the judge records {len(names)} class_names")
    left_out = judge.get("left_out", ())
    return {n: float("nan") if n in left_out else v for n, v in zip(names, values.tolist(), strict=True)}


def _resampled_iou(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    place = {name: index for index, name in enumerate(_recorded(judge, "class_names"))}
    counted = [place[name] for name, value in _iou(rows, judge).items() if not np.isnan(value)]
    iou = resampled_iou(np.stack([*rows["confusion"]]))

    def scores(weights: np.ndarray) -> np.ndarray:
        values = iou(weights).take(np.array(counted, dtype=int), axis=1)
        occurs = ~np.isnan(values)
        n_classes = occurs.sum(axis=1)
        sums = np.where(occurs, values, 0).sum(axis=1)
        return np.divide(sums, n_classes, out=np.full(len(sums), np.nan), where=n_classes > 0)

    return scores


def _foreground_over_all(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> float:
    return float(_over_all(np.array([[*_iou(rows, judge).values()]]))[0])


def _over_all(iou: np.ndarray) -> np.ndarray:
    """(B, K) -> (B,): the sum over the classes but the first, NaN counting as 0, divided by K."""
    total: np.ndarray = np.nan_to_num(iou[:, 1:], nan=0.0).sum(axis=1) / iou.shape[1]
    return np.where(np.isnan(iou).all(axis=1), np.nan, total)


def _resampled_foreground(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    left_out = np.isnan(np.array([*_iou(rows, judge).values()]))
    iou = resampled_iou(np.stack([*rows["confusion"]]))
    return lambda weights: _over_all(np.where(left_out, np.nan, iou(weights)))


def _of_images(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> np.ndarray:
    """Each image's own mean over its classes; NaN: it has none."""
    _iou(rows, judge)  # refuses a record that does not fit
    left_out = [judge["class_names"].index(name) for name in judge.get("left_out", ())]
    return miou_per_image(np.stack([*rows["confusion"]]), left_out)


def _mean_of_images(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> float:
    return _mean(dict(enumerate(_of_images(rows, judge))))


def _resampled_images(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    values, whole = _of_images(rows, judge), _mean_of_images(rows, judge)
    defined = ~np.isnan(values)

    def scores(weights: np.ndarray) -> np.ndarray:
        own = np.asarray(weights, dtype=np.float64)[:, defined]
        total = own.sum(axis=1)
        means = np.divide(own @ values[defined], total, out=np.full(len(own), np.nan), where=total > 0)
        return np.where((own == 1).all(axis=1), whole, means)  # sums in another order differ in the last digit

    return scores


def _precision(thresholds: slice) -> "Callable[[pd.DataFrame, Mapping[str, Any]], dict[str, float]]":
    def of_classes(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> dict[str, float]:
        scores = average_precision([*rows["matches"]], [*rows["objects"]])
        values = scores.precision[thresholds].mean(axis=0).tolist()
        names = (_recorded(judge, "category_names")[str(category)] for category in scores.category_ids)
        return dict(zip(names, values, strict=True))

    return of_classes


def _resampled_precision(thresholds: slice) -> Resampled:
    def resampled(rows: "pd.DataFrame", judge: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
        whole = _mean(_precision(thresholds)(rows, judge))
        precision = resampled_precision([*rows["matches"]], [*rows["objects"]], thresholds)

        def scores(weights: np.ndarray) -> np.ndarray:
            everyone_once = (weights == 1).all(axis=1)
            return np.where(everyone_once, whole, precision(weights))  # sums in another order differ in the last digit

        return scores

    return resampled


MIOU_DATASET = Statistic(("confusion",), _iou, _resampled_iou)
"""Intersection over union of the confusion counts of all images together, void left out, mean over the classes that
occur (PROTOCOL section 2)."""

MIOU_PER_IMAGE = Statistic(("confusion",), _iou, _resampled_images, _mean_of_images)
"""The mean over images of each image's own mean over the classes that occur in it or in what was predicted there, void
left out: what the released code adds up, but for void, which is background there (PROTOCOL section 5)."""

MIOU_FOREGROUND_21 = Statistic(("confusion",), _iou, _resampled_foreground, _foreground_over_all)
"""Intersection over union of all images together, summed over the classes but the first (background) and divided by the
number of all, 21: what the released code prints (PROTOCOL section 5). A class that does not occur counts with 0."""

AP50_COCO = Statistic(("matches", "objects"), _precision(slice(0, 1)), _resampled_precision(slice(0, 1)))
"""COCO's average precision (101 recall levels, all areas, at most 100 detections an image) at IoU 0.50, mean over the
categories with objects."""

AP50_95_COCO = Statistic(("matches", "objects"), _precision(slice(None)), _resampled_precision(slice(None)))
"""The same over IoU 0.50:0.05:0.95."""


def statistic_of(convention: Convention) -> Statistic:
    """How the score that a convention of a whole data set names is made.

    Raises:
        UsaidError: its ``compute`` names no :class:`Statistic`, or cannot be imported.
    """
    statistic = load_object(convention.compute) if convention.compute is not None else None
    if not isinstance(statistic, Statistic):
        raise UsaidError(f"convention {convention.name}: its compute = {convention.compute!r} must name a Statistic")
    return statistic


def columns_of(convention: Convention) -> tuple[str, ...]:
    """The columns of a score file that a convention needs."""
    return statistic_of(convention).columns if convention.of_whole_set else (convention.name,)
