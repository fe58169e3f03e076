"""What a page of statistics is made of: the comparisons of each table of a benchmark, over each source of chance."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from usaid.errors import UsaidError
from usaid.paper.layouts import TableSpec
from usaid.paper.published import COLUMN_OF_K
from usaid.report.statistics.estimates import Comparison, Over, identity
from usaid.report.statistics.families import OTHER_CONVENTIONS, comparisons_of_table
from usaid.report.statistics.sources import training_groups
from usaid.report.tables.build import panels_of
from usaid.report.tables.means import Means
from usaid.report.tables.specs import tables_with
from usaid.report.tables.titles import distinct, sigma_name
from usaid.scores.comparable import ScoresLike
from usaid.scores.draws import with_further_draws
from usaid.scores.files import Scores

ScoresOf = Mapping[str, Mapping[str, Scores]]
"""Benchmark -> denoiser -> its scores."""


@dataclass(frozen=True)
class ScoreFiles:
    """The score files that a page of statistics is made from.

    Attributes:
        main: those of the denoisers that tables show.
        draws: those of further noise draws, of denoisers that ``main`` has.
        ablation: Table II's columns.
    """

    main: ScoresOf
    draws: ScoresOf = field(default_factory=dict)
    ablation: ScoresOf = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """The comparisons of a table that are of one benchmark, over one source of chance: one family's.

    Attributes:
        spec: the table.
        over: the source of chance.
        means: what the table shows of the benchmark.
        comparisons: scores and differences, group by group and metric by metric.
        groups: over seeds and all, denoisers by training seed, of each name that stands for several seeds.
    """

    spec: TableSpec
    over: Over
    means: Means
    comparisons: tuple[Comparison, ...]
    groups: Mapping[str, Mapping[int, str]]

    @property
    def title(self) -> str:
        """Table, source of chance, and the test where a source has two: the name of the family."""
        if self.differences:
            return self.differences[0].family
        other = OTHER_CONVENTIONS * all(row.metric.printed_as is not None for row in self.comparisons)
        return f"{self.spec.title}{other}, over {self.over}"

    @cached_property
    def differences(self) -> list[Comparison]:
        """The comparisons of two denoisers."""
        return [row for row in self.comparisons if row.other is not None]

    @cached_property
    def titles(self) -> dict[str, str]:
        """Denoiser -> its title, told apart."""
        if self.spec.ablated is not None:
            return {name: f"K = {name.removeprefix(COLUMN_OF_K)}" for name in self.means.scores}
        scores = self.means.scores
        members = {name: (name, *self.groups.get(name, {}).values()) for row in self.comparisons for name in row.names}
        shown = {name: next((known for known in own if known in scores), None) for name, own in members.items()}
        return distinct({n: n if known is None else scores[known].provenance["title"] for n, known in shown.items()})

    @cached_property
    def first_seeds(self) -> dict[str, str]:
        """Trained denoiser -> the first of those that are trained alike but for the seed, itself perhaps."""
        groups = groups_of([self.means])
        return {name: first for first, members in groups.items() for name in members.values()}

    @cached_property
    def blocks(self) -> dict[str, list[Comparison]]:
        """The comparisons by the noise level that they are of, as a text: ``"25"``, ``"15 told 25"``.

        Groups that say the same are one block: Table IV's two settings, where what is told is the same or nothing.
        """
        by_group: dict[str, list[Comparison]] = {}
        for row in self.comparisons:
            by_group.setdefault(row.group, []).append(row)
        alike: dict[str, list[str]] = {}
        for group, rows in by_group.items():
            said = [(row.denoiser, row.other, row.metric.name, row.estimate, row.p_corrected) for row in rows]
            alike.setdefault(f"{self.means.groups[group].sigma} {said}", []).append(group)
        return {self._level(groups): by_group[groups[0]] for groups in alike.values()}

    def _level(self, groups: Sequence[str]) -> str:
        """The noise level of groups that say the same, and what was told if it is not all of the settings."""
        shown = [self.means.groups[group] for group in groups]
        sigma = sigma_name(shown[0].sigma)
        if len(shown) == len(self.spec.settings or [None]):
            return sigma
        told = ["the truth" if own.told_sigma is None else sigma_name(own.told_sigma) for own in shown]
        return f"{sigma} told {' or '.join(told)}"


def repeated(sections: Sequence[Section]) -> dict[int, Section]:
    """Index of a section whose scores and differences all stand in another one -> that one, the largest of those.

    Table IV without a non-blind method says what Table VI says. Of two that say the same, the first is not repeated.
    """
    rows = [{identity(_in_one_order(row)) for row in section.comparisons} for section in sections]
    found = {}
    for index, own in enumerate(rows):
        others = [n for n, other in enumerate(rows) if own < other or (own == other and n < index)]
        if others:
            found[index] = sections[max(others, key=lambda n: len(rows[n]))]
    return found


def _in_one_order(row: Comparison) -> Comparison:
    """The same difference in whichever order a table has its columns: of two names the later minus the earlier."""
    if row.other is None or row.denoiser > row.other:
        return row
    return replace(row, denoiser=row.other, other=row.denoiser, estimate=row.estimate.negated)


def sections_of(benchmark: str, files: ScoreFiles) -> tuple[list[Section], list[str]]:
    """The statistics of a benchmark: table by table, source of chance by source of chance.

    Every table that shows the benchmark is a family of comparisons for each source, those of its other benchmarks
    among them, as far as there are score files of them; further conventions of printed metrics are a family of their
    own. Over images always; over draws, seeds, and all of them, where
    there are several.

    Returns:
        the sections, and sentences, without their stops, on what is left out since its scores do not belong in one
        table: that costs a table its benchmark, nothing else.

    Raises:
        UsaidError: scores do not belong in one table, and there is no other.
    """
    sections: list[Section] = []
    left_out: list[str] = []
    problems: list[str] = []
    for spec in tables_with(benchmark):
        panels, why = sound_panels(spec, files)
        if benchmark in why:
            problems.append(why[benchmark])
            left_out.append(f"{spec.title}: left out: {why[benchmark]}")
        elif own := [*_sections_of_table(benchmark, spec, panels)]:
            sections += own
            left_out += [f"{spec.title}: {other} left out: {reason}" for other, reason in why.items()]
    if problems and not sections:
        raise UsaidError(problems[0])
    return sections, left_out


def sound_panels(spec: TableSpec, files: ScoreFiles) -> tuple[list[Means], dict[str, str]]:
    """What a table shows of each of its benchmarks, nothing of one whose scores do not belong together.

    Returns:
        as :func:`usaid.report.tables.build.panels_of`, and for each benchmark that is left out the reason.
    """
    try:
        return _panels_of(spec, files), {}
    except UsaidError as error:
        # Which benchmark it is shows when each is alone.
        why = _problems(spec, files) if len(spec.benchmarks) > 1 else dict.fromkeys(spec.benchmarks, str(error))
    return _panels_of(spec, files, without=why), why


def _problems(spec: TableSpec, files: ScoreFiles) -> dict[str, str]:
    """The benchmarks of a table whose scores do not belong together -> why."""
    why: dict[str, str] = {}
    for name in spec.benchmarks:
        try:
            _panels_of(spec, files, without={*spec.benchmarks} - {name})
        except UsaidError as error:
            why[name] = str(error)
    return why


def _panels_of(spec: TableSpec, files: ScoreFiles, without: Collection[str] = ()) -> list[Means]:
    return panels_of(spec, [{} if name in without else columns_of(spec, name, files) for name in spec.benchmarks])


def _sections_of_table(benchmark: str, spec: TableSpec, panels: Sequence[Means]) -> Iterator[Section]:
    (means,) = (panel for panel in panels if panel.benchmark == benchmark)
    if not means.scores or (spec.over_draws and not _has_several_draws(panels)):
        return
    groups = groups_of(panels)
    several = {name: members for name, members in groups.items() if len(members) > 1}
    for over, paired in _sources(spec, _has_several_draws(panels), bool(several)):
        rows = comparisons_of_table(spec, panels, over, groups, with_scores=True, paired=paired)
        for is_other in (False, True):
            own = (row for row in rows if (row.metric.printed_as is not None) == is_other)
            if of_family := tuple(row for row in own if row.benchmark == benchmark):
                yield Section(spec, over, means, of_family, several if over in ("seeds", "all") else {})


def columns_of(spec: TableSpec, benchmark: str, files: ScoreFiles) -> Mapping[str, Scores]:
    """The score files of a benchmark for a table, as :func:`usaid.report.tables.build.panels_of` takes them.

    Of Table X those with several draws at its sigma.
    """
    main, draws = files.main.get(benchmark, {}), files.draws.get(benchmark, {})
    if spec.ablated is not None:
        return files.ablation.get(benchmark, {})
    if spec.over_draws:
        joined = {name: with_further_draws(main[name], further) for name, further in draws.items()} if draws else main
        return {name: own for name, own in joined.items() if _is_over_draws(spec, own)}
    return main


def _is_over_draws(spec: TableSpec, scores: Scores) -> bool:
    """Whether Table X has something to say of a denoiser: it has several draws at its sigma, or failed."""
    rows = scores.rows
    return scores.provenance["failure"] is not None or rows["draw"][rows["sigma"] == spec.sigma].nunique() > 1


def _sources(spec: TableSpec, several_draws: bool, several_seeds: bool) -> Iterator[tuple[Over, bool]]:
    """The sources of chance that a table has several units of, and whether draws are paired."""
    if several_draws:
        yield "draws", True
    if several_draws and spec.over_draws:
        yield "draws", False
    yield "images", True
    if several_seeds:
        yield "seeds", True
    if several_draws or several_seeds:
        yield "all", True


def _has_several_draws(panels: Sequence[Means]) -> bool:
    return any(
        len(panel.grid(group, denoiser).draws) > 1
        for panel in panels
        for group in panel.groups
        for denoiser in panel.judged
    )


def groups_of(panels: Sequence[Means]) -> dict[str, dict[int, str]]:
    """The trained denoisers, those of one seed too: name of the first of those trained alike -> seed -> denoiser.

    None where seeds cannot be told apart (:func:`why_no_groups`): that costs what is said over seeds, nothing else.
    """
    scores = [item for panel in panels for item in panel.scores.items()]
    if why_no_groups(scores):
        return {}
    return training_groups(scores)


def why_no_groups(scores: Iterable[tuple[str, ScoresLike]]) -> str | None:
    """Why training seeds cannot be told apart: two denoisers are trained alike, seed and all. None: they can."""
    try:
        training_groups(scores)
    except UsaidError as error:
        return str(error)
    return None
