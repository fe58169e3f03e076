"""Coverage of the suite's 95 % intervals: how often they hold the true value, on synthetic scores where it is known.

    python benchmarks/coverage_of_intervals.py [--repetitions 1000] [--resamples 1000]

Every repetition draws new images (seeds, noise draws) and makes one interval from them. With 1,000 repetitions the
standard error of a coverage of 95 % is 0.7 points. Rows in brackets are for comparison: the suite does not use them.
"""

import argparse
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from usaid.report.statistics.estimates import Estimate
from usaid.report.statistics.inference import from_bootstrap, hierarchical, paired, score, unpaired
from usaid.report.statistics.resampling import bootstrap_values
from usaid.scores.whole_set import AP50_COCO, MIOU_DATASET, Statistic

Rng = np.random.Generator
Interval = tuple[float, float]
TRUE_SCORE = 30.0
TRUE_DIFFERENCE = 0.1


class Case(NamedTuple):
    """An interval of synthetic scores.

    Attributes:
        interval: its name.
        of: what it is the interval of.
        sample: how many units.
        truth: the true value.
        draw: new scores, from a generator -> their interval.
    """

    interval: str
    of: str
    sample: str
    truth: float
    draw: Callable[[Rng], Interval]


def coverage(case: Case, repetitions: int = 1000, seed: int = 0) -> float:
    """How often the interval holds the true value, in percent."""
    rng = np.random.default_rng(seed)
    intervals = (case.draw(rng) for _ in range(repetitions))
    return 100 * float(np.mean([low <= case.truth <= high for low, high in intervals]))


def interval_of(estimate: Estimate) -> Interval:
    """What it says; without an interval it holds nothing."""
    return (math.nan, math.nan) if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)


# ---------------------------------------------------------------------------------------------------- means over images


def differences_of(rng: Rng, n: int) -> np.ndarray:
    """Differences of two denoisers (n,), which are larger on the few difficult images: their distribution is skewed."""
    difficulty = rng.gamma(4, 0.25, n)
    return TRUE_DIFFERENCE * difficulty + rng.normal(0, 0.1, n)


def draw_paired(rng: Rng, n: int) -> Interval:
    """The paired t-test."""
    return interval_of(paired(differences_of(rng, n), "images"))


def draw_score(rng: Rng, n: int) -> Interval:
    """Student's t of a score."""
    return interval_of(score(TRUE_SCORE + 3 * (rng.gamma(4, 0.25, n) - 1), "images"))


def draw_unpaired(rng: Rng, n: int) -> Interval:
    """The pooled t-test."""
    return interval_of(
        unpaired(rng.normal(TRUE_SCORE + TRUE_DIFFERENCE, 0.1, n), rng.normal(TRUE_SCORE, 0.1, n), "draws")
    )


# ------------------------------------------------------------------------------------------------- scores of a data set


def segmentations(rng: Rng, n: int, classes: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Confusion counts of two segmenters on the same n images, which differ in size, difficulty and classes.

    An image has background and one to three other classes. The second segmenter errs a little less often.
    """
    pixels, difficulty = rng.integers(2_000, 10_000, n), rng.beta(2, 4, n)
    share = np.zeros((n, classes))
    share[:, 0] = rng.gamma(3, 1, n)
    n_others = rng.integers(1, 4, n)
    for other in range(3):
        share[np.arange(n), rng.integers(1, classes, n)] += (n_others > other) * rng.gamma(1.5, 1, n)
    truth = np.round(pixels[:, None] * share / share.sum(axis=1, keepdims=True))
    tables = []
    for less in (0.5, 0.65):
        logit = np.log(difficulty / (1 - difficulty))[:, None] - less + rng.normal(0, 0.5, (n, classes))
        wrong = np.round(truth / (1 + np.exp(-logit)))
        counts = np.round(wrong[:, :, None] * rng.dirichlet(np.full(classes, 0.5), n)[:, None, :])
        counts[:, np.arange(classes), np.arange(classes)] += truth - wrong
        tables.append(pd.DataFrame({"confusion": [*counts.reshape(n, -1)]}))
    return tables[0], tables[1]


def detections(rng: Rng, n: int, classes: int, rarest: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Objects and detections of two detectors on the same n images, which differ in difficulty.

    An object is found less often, and with a lower score, in a difficult image; so it is with false alarms. The second
    detector finds more. Of the k-th class an image has on average ``rarest * classes / k`` objects (Zipf), at most 1.
    """
    difficulty = rng.beta(2, 4, n)
    frequency = np.minimum(1, rarest * classes / np.arange(1, classes + 1))
    counts = rng.poisson(frequency, (n, classes))
    counts[counts.sum(axis=1) == 0, 0] = 1
    image, category = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    objects = [[[c, own[c]] for c in np.flatnonzero(own)] for own in counts]
    visibility = rng.normal(0, 1, len(image))
    tables = []
    for bonus in (0.8, 1.0):
        found = visibility + bonus + rng.normal(0, 0.5, len(image)) > 3 * difficulty[image]
        alarms = rng.poisson(3 * difficulty)
        alarm_image = np.repeat(np.arange(n), alarms)
        images = np.concatenate([image[found], alarm_image])
        of_alarms = rng.choice(classes, len(alarm_image), p=frequency / frequency.sum())
        categories = np.concatenate([category[found], of_alarms])
        is_right = np.arange(len(images)) < found.sum()
        scores = 1 / (1 + np.exp(-rng.normal(1.5 * is_right - difficulty[images], 1)))
        rows = np.stack([categories, scores, is_right, np.zeros(len(images))], axis=1)[np.lexsort((-scores, images))]
        tables.append(np.split(rows, np.cumsum(np.bincount(images, minlength=n))[:-1]))
    return tuple(pd.DataFrame({"matches": matches, "objects": objects}) for matches in tables)  # type: ignore[return-value]


class DataSetScore(NamedTuple):
    """A score of a data set.

    Attributes:
        statistic: how it is made.
        draw: (generator, number of images, number of classes) -> the score rows of two denoisers.
        classes: number of classes.
        images: sizes of the samples.
    """

    statistic: Statistic
    draw: Callable[[Rng, int, int], tuple[pd.DataFrame, pd.DataFrame]]
    classes: int
    images: Sequence[int] = (24, 80, 300)

    @property
    def judge(self) -> dict[str, object]:
        """The judge's record."""
        names = [str(index) for index in range(self.classes)]
        return {"class_names": names, "category_names": dict(zip(names, names, strict=True))}

    def of_weights(self, rng: Rng, n: int) -> list[Callable[[np.ndarray], np.ndarray]]:
        """Of n new images: weights -> scores, of each of the two."""
        resampled = self.statistic.resampled
        assert resampled is not None
        return [resampled(rows, self.judge) for rows in self.draw(rng, n, self.classes)]


DATA_SET_SCORES = {
    "mIoU, 4 classes": DataSetScore(MIOU_DATASET, segmentations, 4),
    "mIoU, 8 classes": DataSetScore(MIOU_DATASET, segmentations, 8),
    "mIoU, 21 classes": DataSetScore(MIOU_DATASET, segmentations, 21, (80,)),
    "AP50, 3 classes": DataSetScore(AP50_COCO, detections, 3),
    "AP50, 80 classes, Zipf": DataSetScore(AP50_COCO, partial(detections, rarest=0.018), 80, (177,)),
}
"""The last as in COCO: 7 objects an image, and in 177 images 3 of the rarest class."""


Sides = tuple[int, int]
DIFFERENCE, SCORE = (-1, 1), (1, 0)
"""How often the scores of the two count: the second minus the first, or the first alone."""


@cache
def true_value(name: str, sides: Sides) -> float:
    """The score or difference of more images than any sample has."""
    of = DATA_SET_SCORES[name]
    tables = of.draw(np.random.default_rng(1), 100_000, of.classes)
    return float(np.dot(sides, [of.statistic.of_data_set(rows, of.judge) for rows in tables]))


def draw_bootstrap(rng: Rng, n: int, name: str, sides: Sides, resamples: int) -> Interval:
    """The suite's interval."""
    values, resampled = bootstrap_values(DATA_SET_SCORES[name].of_weights(rng, n), n, resamples)
    return interval_of(from_bootstrap(float(np.dot(sides, values)), np.dot(sides, resampled), n, "images"))


def draw_scipy(rng: Rng, n: int, name: str, sides: Sides, resamples: int, method: str) -> Interval:
    """scipy's own interval of it: percentile or BCa."""
    of_weights = DATA_SET_SCORES[name].of_weights(rng, n)

    def statistic(drawn: np.ndarray, axis: int) -> np.ndarray:
        weights = np.stack([np.bincount(row, minlength=n) for row in np.atleast_2d(drawn)]).astype(float)
        return np.dot(sides, [of_images(weights) for of_images in of_weights]).reshape(drawn.shape[:-1])

    own, images = np.random.default_rng(0), (np.arange(n),)
    result = stats.bootstrap(images, statistic, n_resamples=resamples, vectorized=True, method=method, random_state=own)
    return result.confidence_interval


# --------------------------------------------------------------------------------------------- seeds, images and draws


class Shares(NamedTuple):
    """How much of a mean's variance comes from what differs between seeds, images, draws, and pairs of them."""

    seeds: float = 0
    images: float = 0
    draws: float = 0
    seeds_images: float = 0
    images_draws: float = 0

    def within(self, shape: tuple[int, int, int]) -> "Shares":
        """As fractions, without those of a source that has one unit: of these a sample knows nothing."""
        seeds, _, draws = (float(n > 1) for n in shape)
        varied = self._replace(seeds=seeds * self.seeds, seeds_images=seeds * self.seeds_images)
        varied = varied._replace(draws=draws * self.draws, images_draws=draws * self.images_draws)
        return Shares(*(share / sum(varied) for share in varied))

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' x ')} {share:.0%}" for name, share in self._asdict().items() if share)


def draw_hierarchical(rng: Rng, shape: tuple[int, int, int], shares: Shares, resamples: int) -> Interval:
    """The hierarchical bootstrap of differences of S seeds, N images and D draws."""
    s, n, d = shape
    shapes = ((s, 1, 1), (1, n, 1), (1, 1, d), (s, n, 1), (1, n, d))
    effects = (
        math.sqrt(share * math.prod(own)) * rng.normal(size=own) for share, own in zip(shares, shapes, strict=True)
    )
    differences = TRUE_DIFFERENCE + sum(effects, np.zeros(shape))
    mean = differences.mean(axis=(0, 2))
    _, resampled = bootstrap_values([lambda weights: weights @ mean / n], n, resamples)
    return interval_of(hierarchical(differences.mean(axis=1), resampled[0], n))


SHAPES: Sequence[tuple[int, int, int]] = ((3, 24, 1), (2, 24, 1), (1, 80, 10), (5, 100, 3))
MIXES = (
    Shares(images=1),
    Shares(seeds=1, images=1),
    Shares(seeds=4, images=1),
    Shares(seeds=1, images=4),
    Shares(images=2, images_draws=1),
    Shares(seeds=1, images=1, seeds_images=0.1, images_draws=0.1),
    Shares(seeds=1, images=1, draws=1, seeds_images=1, images_draws=1),
)


def hierarchical_case(shape: tuple[int, int, int], shares: Shares, resamples: int) -> Case:
    """Seeds x images x draws."""
    own = shares.within(shape)
    draw = partial(draw_hierarchical, shape=shape, shares=own, resamples=resamples)
    return Case("hierarchical bootstrap", str(own), "{} x {} x {}".format(*shape), TRUE_DIFFERENCE, draw)


# ---------------------------------------------------------------------------------------------------------------- table


def cases(resamples: int) -> Iterator[Case]:
    """All rows of the table."""
    for n in (10, 24, 80):
        yield Case("Student's t", "score", f"{n} images", TRUE_SCORE, partial(draw_score, n=n))
        yield Case("paired t-test", "difference", f"{n} images", TRUE_DIFFERENCE, partial(draw_paired, n=n))
    yield Case("two-sample t-test", "difference", "10 draws", TRUE_DIFFERENCE, partial(draw_unpaired, n=10))
    for name, (what, sides) in product(DATA_SET_SCORES, {"difference": DIFFERENCE, "score": SCORE}.items()):
        for n in DATA_SET_SCORES[name].images:
            of, truth, settings = f"{name}: {what}", true_value(name, sides), {"n": n, "name": name, "sides": sides}
            yield Case("bootstrap", of, f"{n} images", truth, partial(draw_bootstrap, resamples=resamples, **settings))
            for method in ("percentile", "BCa") if name == "mIoU, 8 classes" else ():
                draw = partial(draw_scipy, resamples=resamples, method=method, **settings)
                yield Case(f"({method})", of, f"{n} images", truth, draw)
    for shape in SHAPES:
        by_name = {str(mix.within(shape)): mix for mix in MIXES}  # without one source, some are alike
        yield from (hierarchical_case(shape, mix, resamples) for mix in by_name.values())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    rows = [*cases(options.resamples)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(partial(coverage, repetitions=options.repetitions), rows)
        for case, percent in zip(rows, found, strict=True):
            print(f"{case.interval:24}{case.of:76}{case.sample:14}{percent:6.1f} %", flush=True)


if __name__ == "__main__":
    main()
