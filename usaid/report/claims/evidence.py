"""From score files to findings: which scores speak of a comparison, over which source of chance, and what differs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from usaid.paper.claims import Claim, Part, title_of
from usaid.paper.layouts import TABLES
from usaid.report.claims.findings import OF_FACTS, Finding
from usaid.report.claims.verdicts import Units
from usaid.report.statistics.estimates import Estimate, Over
from usaid.report.statistics.inference import units_needed
from usaid.report.statistics.sections import ScoreFiles, groups_of, sound_panels
from usaid.report.statistics.sources import estimates_of, intervals_of
from usaid.report.tables.categories import facts_of
from usaid.report.tables.cells import Place
from usaid.report.tables.means import Means
from usaid.report.tables.verdicts import convention_differs, what_differs
from usaid.scores.draws import score_file_name
from usaid.scores.files import GENERATED

_TRAINED_HERE = "trained by this suite"
"""A denoiser that deviates so has not the weights that its authors published, and the paper used."""

_SINGLE_SOURCES: tuple[Over, ...] = ("images", "draws", "seeds")

_Request = tuple[int, str, str, Over, bool]
"""Table, group, metric, source of chance, with a margin or not: what one call of the statistics is about."""


class Evidence:
    """The score files of an experiment, asked for what the claims compare."""

    def __init__(self, files: ScoreFiles, claims: Sequence[Claim]) -> None:
        """Estimate every comparison of the claims, those that share resamples together.

        Scores that do not belong in one table leave the comparisons of their benchmark in it without numbers.

        Args:
            files: of one experiment.
            claims: all that will be asked for.
        """
        self._files = files
        self._parts = [part for claim in claims for part in claim.parts if TABLES[part.table].benchmarks]
        self._missing = {part: self._why_missing(part) for part in dict.fromkeys(self._parts)}
        self._sources = {part: self._source_of(part) for part, why in self._missing.items() if why is None}
        self._estimates = self._all_estimates()

    def finding(self, part: Part) -> Finding:
        """What the scores, or the facts on the methods' cards, say of a comparison."""
        if not TABLES[part.table].benchmarks:
            return _of_facts(part)
        if (why := self._missing[part]) is not None:
            return Finding(part, missing=why)
        own = self._estimates[part]
        effect = own if part.sign > 0 else own.negated
        of_both = (self._files_of(part), self._differs(part), self._convention(part))
        return Finding(part, effect, own.not_testable, self._why_not_comparable(part), *of_both)

    def units_needed(self, part: Part, effect: float, level: float) -> dict[Over, Units]:
        """How many units of each source would find an effect with 80 % power, from their observed spread.

        Args:
            part: a comparison that is tested.
            effect: in the unit of its metric.
            level: below which a two-sided p-value finds it.

        Returns:
            source of chance -> number of units, as :func:`usaid.report.statistics.inference.units_needed` counts, were
            it the only source; of the sources that the part is over, and that have a spread.
        """
        own = self._sources[part]
        needed: dict[Over, Units] = {}
        for over in _SINGLE_SOURCES if own == "all" else (own,):
            estimate = self._estimated(part, over)
            if estimate.error:
                known = estimate.units[over]
                number = units_needed(effect, estimate.error, known, level=level)
                needed |= {over: Units(number, known)} if number is not None else {}
        return needed

    # ------------------------------------------------------------------------------------------------ scores

    @cached_property
    def _panels(self) -> Mapping[int, tuple[list[Means], dict[str, str]]]:
        """Number of the table -> what it shows of each of its benchmarks, with all metrics that the claims speak of.

        With the reason for each benchmark that it shows nothing of since its scores do not belong together.
        """
        metrics: dict[int, dict[str, None]] = {}
        for part in self._parts:
            metrics.setdefault(part.table, dict.fromkeys(TABLES[part.table].metrics))[part.metric] = None
        specs = {number: replace(TABLES[number], metrics=tuple(names)) for number, names in metrics.items()}
        return {number: sound_panels(spec, self._files) for number, spec in specs.items()}

    @cached_property
    def _members(self) -> Mapping[int, dict[str, Mapping[int, str]]]:
        """Number of the table -> denoiser -> those that are trained as it is, by seed."""
        return {
            number: {name: group for group in groups_of(panels).values() for name in group.values()}
            for number, (panels, _) in self._panels.items()
        }

    def _means(self, part: Part) -> Means:
        panels, _ = self._panels[part.table]
        return next(own for own in panels if own.group in (None, part.group))

    def _why_missing(self, part: Part) -> str | None:
        """Why there is no number of one of the two; None: there are both."""
        means, (_, left_out) = self._means(part), self._panels[part.table]
        if means.benchmark in left_out:
            return left_out[means.benchmark]
        for place in _places(part):
            if place.denoiser not in means.scores and self._has_too_few_draws(part, place.denoiser):
                return f"{title_of(place.denoiser)}: fewer than two noise draws at sigma {means.sigma:g}"
            if (missing := means.why_missing(place)) is not None:
                is_of_one = missing.mark.denoiser is not None
                return f"{title_of(place.denoiser)}: {missing.reason}" if is_of_one else missing.reason
        return None

    def _has_too_few_draws(self, part: Part, denoiser: str) -> bool:
        """Whether a denoiser that Table X does not show was scored."""
        return TABLES[part.table].over_draws and denoiser in self._files.main.get(self._means(part).benchmark, {})

    def _source_of(self, part: Part) -> Over:
        """All sources, where both denoisers have several seeds or draws; else images. Table X is of draws."""
        if TABLES[part.table].over_draws:
            return "draws"
        means, members = self._means(part), self._members[part.table]
        seeds = [members.get(name, {}).keys() for name in (part.better, part.than)]
        draws = (len(means.grid(part.group, name).draws) for name in (part.better, part.than))
        return "all" if len(seeds[0] & seeds[1]) > 1 or min(draws) > 1 else "images"

    def _all_estimates(self) -> dict[Part, Estimate]:
        requests: dict[_Request, list[Part]] = {}
        for part, over in self._sources.items():
            requests.setdefault((part.table, part.group, part.metric, over, part.by != 0), []).append(part)
        return {part: own for request in requests.values() for part, own in self._estimated_together(request)}

    def _estimated_together(self, parts: Sequence[Part]) -> Iterable[tuple[Part, Estimate]]:
        """The estimates of parts of one request; one call, since its pairs share resamples.

        The permutation test says nothing about a margin.
        """
        first = parts[0]
        pairs = [*dict.fromkeys((part.better, part.than) for part in parts)]
        members = self._members[first.table]
        place = (self._means(first), first.group, first.metric)
        estimated = intervals_of if first.by else estimates_of
        found = estimated(*place, pairs, self._sources[first], members)
        return ((part, found[part.better, part.than]) for part in parts)

    def _estimated(self, part: Part, over: Over) -> Estimate:
        """The estimate of a part over one source of chance."""
        if over == self._sources[part]:
            return self._estimates[part]
        pair = (part.better, part.than)
        members = self._members[part.table]
        return intervals_of(self._means(part), part.group, part.metric, [pair], over, members)[pair]

    def _denoisers(self, part: Part) -> list[str]:
        """The columns of the table whose scores a part is made from: of all seeds, if it is over them."""
        members = self._members[part.table] if self._sources[part] == "all" else {}
        names = (part.better, part.than)
        return [*dict.fromkeys(own for name in names for own in members.get(name, {0: name}).values())]

    def _files_of(self, part: Part) -> tuple[str, ...]:
        means = self._means(part)
        provenances = [means.judged[name].provenance for name in self._denoisers(part) if name in means.judged]
        names = [score_file_name(own) for own in provenances]
        further = self._files.draws.get(means.benchmark, {}) if TABLES[part.table].over_draws else {}
        names += [score_file_name(further[own].provenance) for own in (part.better, part.than) if own in further]
        return tuple(names)

    def _differs(self, part: Part) -> tuple[str, ...]:
        means, spec = self._means(part), TABLES[part.table]
        return tuple(dict.fromkeys(text for place in _places(part) for text in what_differs(spec, means, place)))

    def _convention(self, part: Part) -> str:
        means = self._means(part)
        ours = means.convention_name(part.metric)
        return ours if ours != means.papers_convention(part.metric) else ""

    def _why_not_comparable(self, part: Part) -> str | None:
        """Why a comparison says nothing about the paper; None: it does.

        A margin is a number in the paper's convention; which of two is better is asked in any.
        """
        if GENERATED in self._differs(part):
            return "the images are generated"
        means = self._means(part)
        for name in (part.better, part.than):
            if any(_TRAINED_HERE in text for text in means.deviations(name, None)):
                return f"{title_of(name)} was {_TRAINED_HERE}"
        differs = dict.fromkeys(text for place in _places(part) for text in convention_differs(means, place))
        return "; ".join(differs) if part.by and differs else None


def _places(part: Part) -> tuple[Place, Place]:
    """The cells that a part compares."""
    return Place(part.group, part.better, part.metric), Place(part.group, part.than, part.metric)


def _of_facts(part: Part) -> Finding:
    """A comparison of facts: yes is 1, no is 0."""
    yes = [bool(getattr(facts_of(name), part.metric)) for name in (part.better, part.than)]
    return Finding(part, Estimate("all", OF_FACTS, {}, float(yes[0] - yes[1]), error=0.0, df=1.0))
