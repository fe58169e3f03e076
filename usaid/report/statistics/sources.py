"""How sure scores and differences of denoisers are, by source of chance: noise draws, images, training seeds, all."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from usaid.errors import UsaidError
from usaid.experiment.seeds import without_seed
from usaid.report.statistics import inference
from usaid.report.statistics.estimates import PERMUTATION, Estimate, Over
from usaid.report.statistics.resampling import bootstrap_values, permutation_p
from usaid.report.statistics.samples import DataSetSample, ImageSample, Resampled, Sample, difference_of, sample_of
from usaid.report.tables.cells import Place
from usaid.report.tables.means import Means
from usaid.scores.comparable import ScoresLike

Pair = tuple[str, str | None]
"""A denoiser and the one that is subtracted from it; None: nothing, it is about the score itself."""

Members = Mapping[str, Mapping[int, str]]
"""Denoisers that are trained alike: name -> training seed -> denoiser."""

ONE_TRAINING = "one training at most; give files of several seeds"
"""Why nothing can be said of one denoiser over seeds."""

NO_COMMON_SEED = "no training seed that both have"
"""Why two denoisers cannot be compared over seeds."""

MOST_SWAPPED = 2_000
"""With more images than these the permutation test of average precision takes hours (5,000 images: several minutes for
each pair and noise level), and Student's t on the bootstrap standard error takes its place."""

BOOTSTRAP_T = "bootstrap t-test"
"""The name of that test."""

NOT_RESAMPLED = "its statistic has no `resampled`, so that it cannot be made from resampled images"
"""Why a score of a whole data set has no interval over images."""


def estimates_of(
    means: Means,
    group: str,
    metric: str,
    wanted: Sequence[Pair],
    over: Over,
    members: Members | None = None,
    paired: bool = True,
) -> dict[Pair, Estimate]:
    """Scores and differences of one group of rows and metric, with intervals and p-values.

    An image whose metric is undefined for one of two denoisers is left out of their difference. Over images, a mean
    over images has the paired t-test, a score of the whole data set the bootstrap and the permutation test, both of
    the mean over draws. Over draws, one score a draw is tested; over seeds, one score a training seed that both have;
    over all, whichever of the three there are several of, by the hierarchical bootstrap.

    Args:
        means: the score files of a benchmark, comparable ones (:func:`usaid.scores.comparable.check_comparable`).
        group: a group of rows, as ``means.groups`` names it.
        metric: name of a metric.
        wanted: what to estimate; all of a call see the same resamples.
        over: the source of chance.
        members: over ``"seeds"`` and ``"all"``, the denoisers that the names in ``wanted`` stand for, if only one; a
            name that it lacks is a denoiser without a training seed.
        paired: over ``"draws"``, whether the noise of a draw pairs two denoisers; else the two-sample t-test of the
            paper's Table X.

    Returns:
        the wanted ones, in their order; what cannot be had is not testable and says why.

    Raises:
        UsaidError: two denoisers are not scored on the same noise draws, or for a score of the whole data set on the
            same images; names both files.
    """
    return _Cells(means, group, metric, wanted, over, members).estimates(paired)


def intervals_of(
    means: Means, group: str, metric: str, wanted: Sequence[Pair], over: Over, members: Members | None = None
) -> dict[Pair, Estimate]:
    """As :func:`estimates_of`, without the permutation test, which takes most of the time.

    Differences of scores of the whole data set have interval and standard error, but no p-value.
    """
    return _Cells(means, group, metric, wanted, over, members).estimates(permuted=False)


def training_groups(scores: Iterable[tuple[str, ScoresLike]]) -> dict[str, dict[int, str]]:
    """The trained denoisers, grouped by all of their entries but title and seed.

    Args:
        scores: denoiser and scores, of one benchmark or several of one experiment.

    Returns:
        name of the first of a group -> training seed -> denoiser; also groups of one seed.

    Raises:
        UsaidError: a denoiser has another entry on another benchmark, or two are trained alike with one seed.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    groups: dict[str, tuple[str, dict[int, str]]] = {}
    for denoiser, own in scores:
        if own.provenance.get("borrowed_from") is not None and own.provenance["failure"] is not None:
            continue  # it has the entry of this experiment, not that of the earlier one
        entry, file = own.provenance.get("entry", {}), f"{own.provenance['benchmark']}/{denoiser}.parquet"
        if entries.setdefault(denoiser, entry) != entry:
            raise UsaidError(f"{file}: not the {denoiser} of another benchmark; give files of one experiment")
        if "seed" not in entry.get("train", {}):
            continue
        _, members = groups.setdefault(without_seed(entry), (denoiser, {}))
        twin = members.setdefault(entry["train"]["seed"], denoiser)
        if twin != denoiser:
            raise UsaidError(f"{file}: trained as {twin} is, seed and all; give only one of the two")
    return dict(groups.values())


class _Cells:
    """The cells of one group of rows and metric; what each is made of is read once, and resampled once."""

    def __init__(
        self, means: Means, group: str, metric: str, wanted: Sequence[Pair], over: Over, members: Members | None
    ) -> None:
        self.means, self.group, self.metric, self.wanted, self.over = means, group, metric, wanted, over
        self.members = members if members is not None and over in ("seeds", "all") else {}
        self._samples: dict[str, Sample] = {}
        self._faults: dict[str, str | None] = {}
        self._resampled: dict[frozenset[str], dict[str, np.ndarray]] = {}

    def estimates(self, paired: bool = True, permuted: bool = True) -> dict[Pair, Estimate]:
        """The wanted ones."""
        sources: dict[Over, Callable[[Pair], Estimate]] = {
            "images": lambda pair: self.over_images(pair, permuted),
            "draws": self.over_draws if paired else self.over_draws_not_paired,
            "seeds": self.over_seeds,
            "all": self.over_all,
        }
        return {pair: sources[self.over](pair) for pair in self.wanted}

    # ---------------------------------------------------------------------------------------------------- by source

    def over_images(self, pair: Pair, permuted: bool) -> Estimate:
        """One value an image, its mean over draws; of a score of the whole data set those of resampled images."""
        if fault := self._fault(pair):
            return _not_testable("images", fault)
        samples = self._together(_names(pair))
        if not all(sample.can_be_resampled for sample in samples):
            return _not_testable("images", NOT_RESAMPLED)
        values = [own.values.mean(axis=0) for own in samples if isinstance(own, ImageSample)]
        estimate = _tested(values, "images") if values else self._of_data_set(pair, permuted)
        n_draws = len(samples[0].draws)
        return _with_units(estimate, {"draws": n_draws} if n_draws > 1 else {})

    def over_draws(self, pair: Pair) -> Estimate:
        """One score a draw, of the images that both have."""
        if fault := self._fault(pair):
            return _not_testable("draws", fault)
        samples = self._together(_names(pair))
        return _with_units(_tested([own.scores for own in samples], "draws"), {"images": len(samples[0].images)})

    def over_draws_not_paired(self, pair: Pair) -> Estimate:
        """As :meth:`over_draws`, as if each denoiser had draws of its own."""
        if pair[1] is None or self._fault(pair):
            return self.over_draws(pair)
        first, other = self._together(_names(pair))
        return _with_units(inference.unpaired(first.scores, other.scores, "draws"), {"images": len(first.images)})

    def over_seeds(self, pair: Pair) -> Estimate:
        """One score a training seed that both have: its mean over images and draws, as the tables show it.

        Left out is a seed whose score is missing, not finite, or over fewer images than that of others.
        """
        by_seed = [self._scores_by_seed(name) for name in _names(pair)]
        for name, scores in zip(pair, by_seed, strict=False):
            if len(self.members.get(str(name), ())) < 2:
                return _not_testable("seeds", f"{name}: {ONE_TRAINING}")
            if not scores:
                return _not_testable("seeds", f"{name}: no score of a training seed")
        common = sorted(set.intersection(*map(set, by_seed)))
        if not common:
            return _not_testable("seeds", NO_COMMON_SEED)
        estimate = _tested([np.array([scores[seed] for seed in common]) for scores in by_seed], "seeds")
        n_images = self.means.values[self._place(self.members[pair[0]][common[0]])].n
        return _with_units(estimate, {"images": n_images})

    def over_all(self, pair: Pair) -> Estimate:
        """Seeds that both have, images and draws.

        A denoiser without a seed is the same for all seeds of another: it is not trained, or its weights were given.
        Two denoisers of one seed each are compared as they are, whichever these are.
        """
        by_seed: list[dict[int | None, str]] = []
        for name in _names(pair):
            faults = {seed: self._fault((denoiser, None)) for seed, denoiser in self._denoisers(name).items()}
            by_seed.append({seed: self._denoisers(name)[seed] for seed, fault in faults.items() if fault is None})
            if not by_seed[-1]:
                return _not_testable("all", f"{name}: {next(iter(faults.values()))}")
        if all(len(denoisers) == 1 for denoisers in by_seed):
            by_seed = [{None: denoiser} for denoisers in by_seed for denoiser in denoisers.values()]
        seeded = [{*denoisers} for denoisers in by_seed if None not in denoisers]
        seeds = set.intersection(*seeded) if seeded else {None}
        if not seeds:
            return _not_testable("all", NO_COMMON_SEED)
        names = [own.get(seed, own.get(None, "")) for own in by_seed for seed in sorted(seeds, key=str)]
        samples = self._together(names)
        if not all(sample.can_be_resampled for sample in samples):
            return _not_testable("all", NOT_RESAMPLED)
        resampled = self._resamples(samples[0].defined)
        observed = _difference([sample.scores for sample in samples], len(by_seed))
        resamples = _difference([resampled[name] for name in names], len(by_seed)).mean(axis=0)
        return inference.hierarchical(observed, resamples, len(samples[0].images), is_score=pair[1] is None)

    def _of_data_set(self, pair: Pair, permuted: bool) -> Estimate:
        """The bootstrap of a score of the whole data set; of a difference also the permutation test."""
        samples = self._together(_names(pair))
        n, resampled = len(samples[0].images), self._resamples(samples[0].defined)
        (value,) = _difference([sample.scores.mean() for sample in samples], len(samples))
        (resamples,) = _difference([resampled[name] for name in _names(pair)], len(samples))
        first, *others = [sample for sample in samples if isinstance(sample, DataSetSample)]
        if not others or not permuted:
            return inference.from_bootstrap(value, resamples, n, "images")
        if n > MOST_SWAPPED:
            by_t = inference.from_bootstrap(value, resamples, n, "images")
            tails = (by_t.p_above(0.0), by_t.p_below(0.0))
            p_of_t = 2 * min((tail for tail in tails if tail is not None), default=0.5)  # 1 of equal scores
            return inference.from_bootstrap(value, resamples, n, "images", p_of_t, BOOTSTRAP_T)
        p = permutation_p(_mean_over_draws(first.swapped(others[0])), n)
        return inference.from_bootstrap(value, resamples, n, "images", p, PERMUTATION)

    # ---------------------------------------------------------------------------------------------------- what they are

    def _place(self, denoiser: str) -> Place:
        return Place(self.group, denoiser, self.metric)

    def _denoisers(self, name: str) -> dict[int | None, str]:
        """Training seed -> denoiser; None: it has no seed."""
        return dict(self.members[name].items()) if name in self.members else {None: name}

    def _fault(self, pair: Pair) -> str | None:
        """Why nothing can be said of a score or difference; None: something can."""
        faults = {name: fault for name in _names(pair) if (fault := self._fault_of(name)) is not None}
        return next((fault if pair[1] is None else f"{name}: {fault}" for name, fault in faults.items()), None)

    def _fault_of(self, denoiser: str) -> str | None:
        if denoiser not in self._faults:
            self._faults[denoiser] = self._why_no_sample(denoiser)
        return self._faults[denoiser]

    def _why_no_sample(self, denoiser: str) -> str | None:
        if self.metric not in self.means.metrics:
            return f"no {self.metric} in the score files"
        if (missing := self.means.why_missing(self._place(denoiser))) is not None:
            return missing.reason
        sample = self._sample(denoiser)
        return "a score is infinite" if isinstance(sample, ImageSample) and np.isinf(sample.values).any() else None

    def _sample(self, denoiser: str) -> Sample:
        if denoiser not in self._samples:
            self._samples[denoiser] = sample_of(self.means, self._place(denoiser))
        return self._samples[denoiser]

    def _together(self, denoisers: Sequence[str]) -> list[Sample]:
        """The samples of denoisers, of the images that are defined for all of them.

        Raises:
            UsaidError: they are of other draws, or scores of other data sets.
        """
        samples = [self._sample(denoiser) for denoiser in denoisers]
        first = samples[0]
        for denoiser, sample in zip(denoisers, samples, strict=True):
            other_images = isinstance(sample, DataSetSample) and sample.images != first.images
            if sample.draws != first.draws or other_images:
                files = " and ".join(f"{self.means.benchmark}/{name}.parquet" for name in (denoisers[0], denoiser))
                what = "images" if other_images else "noise draws"
                raise UsaidError(f"{files}: not scored on the same {what}; score both denoisers on the same terms")
        images = frozenset.intersection(*(sample.defined for sample in samples))
        return [sample.of(images) for sample in samples]

    def _resamples(self, images: frozenset[str]) -> dict[str, np.ndarray]:
        """Of all wanted denoisers that are defined for some images: scores of resamples of them, mean over draws (B,).

        A denoiser's scores are made once for all pairs, and all see the same resamples.
        """
        if images not in self._resampled:
            names = {name for pair in self.wanted for name in _names(pair)}
            denoisers = sorted({denoiser for name in names for denoiser in self._denoisers(name).values()})
            whole = [name for name in denoisers if not self._fault_of(name) and images <= self._sample(name).defined]
            scores = [_mean_over_draws(self._sample(name).of(images).resampled) for name in whole]
            _, resampled = bootstrap_values(scores, len(images))
            self._resampled[images] = dict(zip(whole, resampled, strict=True))
        return self._resampled[images]

    def _scores_by_seed(self, name: str) -> dict[int, float]:
        """Training seed -> mean over images and draws."""
        places = {seed: self._place(denoiser) for seed, denoiser in self.members.get(name, {}).items()}
        values = {
            seed: self.means.values[place].value
            for seed, place in places.items()
            if place in self.means.values and not self.means.is_apart(place)
        }
        return {seed: value for seed, value in values.items() if math.isfinite(value)}


def _names(pair: Pair) -> tuple[str, ...]:
    return tuple(name for name in pair if name is not None)


def _mean_over_draws(resampled: Resampled) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weights: resampled(weights).mean(axis=1)


def _tested(values: Sequence[np.ndarray], over: Over) -> Estimate:
    """The estimate of one score a unit, (n,), or of its paired difference from a second one."""
    if len(values) == 1:
        return inference.score(values[0], over)
    return inference.paired(difference_of(*values), over)


def _difference(scores: Sequence[np.ndarray], sides: int) -> np.ndarray:
    """The first side's scores, less the second's if there are two: of all denoisers -> (denoisers of a side, ...)."""
    first, *other = np.split(np.stack(scores), sides)
    return difference_of(first, other[0]) if other else first


def _not_testable(over: Over, reason: str) -> Estimate:
    return Estimate(over, "", {}, math.nan, not_testable=reason)


def _with_units(estimate: Estimate, units: Mapping[str, int]) -> Estimate:
    """The same, also naming what was averaged over beside what was tested."""
    return replace(estimate, units={**estimate.units, **units})
