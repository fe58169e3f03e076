"""Builds a table: our numbers beside the paper's, in the paper's layout, ranked and annotated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from usaid.datasets import DATASETS
from usaid.errors import UsaidError
from usaid.paper.published import K_METHOD, paper_caption, paper_groups, paper_methods, published
from usaid.report.tables.cells import Cell, Layout, Mark, Place, Table
from usaid.scores.comparable import ScoresLike, check_comparable
from usaid.report.tables.footnotes import footnotes_of_means, grouped_by_text, notes_on_print
from usaid.report.tables.means import NOT_IN_EXPERIMENT, Means, Missing, one_line, sigma_name
from usaid.report.tables.numbers import as_printed
from usaid.paper.layouts import CATEGORIES, FACTS_TABLE, NOT_BUILT, REFERENCES, SCORE_TABLES, TITLES, Metric, TableSpec

if TYPE_CHECKING:
    from usaid.denoisers.base import Facts

NOT_IN_PAPER = "not in the paper"


def build_table(number: int, *scores: Mapping[str, ScoresLike]) -> Table:
    """Make a table from score files.

    The columns are ``noisy``, the paper's methods, every other denoiser in the order of ``scores``, and ``clean``; in
    Table II the paper's numbers of classes and those of ``scores``, ascending.

    Args:
        number: the paper's number, one of :func:`usaid.report.tables.built_tables` except Table III's.
        scores: for each benchmark of the table (Table VII has two), denoiser -> its scores; empty for a benchmark that
            the experiment lacks. The paper's methods that are missing get dashes.

    Raises:
        UsaidError: the table is not built from scores, or the scores do not belong in one table; in Table II also a
            denoiser that is no U-SAID trained for a number of classes, or two of one number.
    """
    spec = _spec(number)
    panels = []
    for (benchmark, group), found in zip(spec.benchmarks.items(), scores, strict=True):
        found = {name: one for name, one in found.items() if _method_of(one) not in spec.left_out}
        check_comparable(benchmark, found, spec.sigma)
        found = _by_classes(benchmark, found) if spec.by_classes else found
        panels.append(Means(benchmark, spec.metrics, found, spec.sigma, group, spec.settings))
    layout = _layout(number, panels)
    places = [Place(g, m, metric.name) for g in layout.groups for m in layout.methods for metric in spec.metrics]
    panel_of = {panel.group: panel for panel in panels}
    means = {place: panel_of[place.group if place.group in panel_of else None] for place in places}
    missing = {place: reason for place in places if (reason := means[place].why_missing(place)) is not None}
    cells = [_cell(number, place, means[place], missing.get(place)) for place in places]
    footnotes = footnotes_of_means(number, panels, missing.values(), layout.methods)
    return Table(number, paper_caption(number), tuple(_ranked(cells, spec.metrics)), layout, tuple(footnotes))


def build_facts_table(facts: Mapping[str, "Facts"]) -> Table:
    """Make Table III (categories of the compared methods) from the facts of the methods.

    Args:
        facts: method -> its facts; ``noisy`` and ``clean`` are left out. The paper's methods that are missing get
            dashes.
    """
    number = FACTS_TABLE
    (group,) = paper_groups(number)
    names = dict.fromkeys([*paper_methods(number), *(name for name in facts if name not in REFERENCES)])
    titles = distinct({name: facts[name].title if name in facts else TITLES[name] for name in names})
    cells = [_category(group, name, metric, facts.get(name)) for name in names for metric in CATEGORIES]
    sources = [(_source(facts.get(name)), Mark(method=name)) for name in names]
    layout = Layout({group: group}, CATEGORIES, titles, rows="methods")
    footnotes = [*grouped_by_text(sources), *notes_on_print(number)]
    return Table(number, paper_caption(number), tuple(cells), layout, tuple(footnotes))


def _spec(number: int) -> TableSpec:
    if number in NOT_BUILT:
        raise UsaidError(NOT_BUILT[number])
    if number not in SCORE_TABLES:
        raise UsaidError(f"table {number} is not made from scores; those that are: {', '.join(map(str, SCORE_TABLES))}")
    return SCORE_TABLES[number]


def _by_classes(benchmark: str, scores: Mapping[str, ScoresLike]) -> dict[str, ScoresLike]:
    """The scores by Table II's columns: the numbers of classes that the U-SAIDs were trained with, ascending."""
    denoisers: dict[int, str] = {}
    for denoiser, one in scores.items():
        file, entry = f"{benchmark}/{denoiser}.parquet", one.provenance["entry"]
        classes = entry.get("train", {}).get("classes")
        if entry.get("method") != "u_said" or classes is None:
            cure = "give score files of method u_said with train.classes only"
            raise UsaidError(f"{file}: {denoiser} is no U-SAID trained for a number of classes K; {cure}")
        if classes in denoisers:
            raise UsaidError(f"{file}: K = {classes}, as {benchmark}/{denoisers[classes]}.parquet; give one for each K")
        denoisers[classes] = denoiser
    return {f"{K_METHOD}{classes}": scores[denoiser] for classes, denoiser in sorted(denoisers.items())}


def _method_of(scores: ScoresLike) -> str | None:
    """The method of a denoiser."""
    method: str | None = scores.provenance.get("entry", {}).get("method")
    return method


def _layout(number: int, panels: Sequence[Means]) -> Layout:
    """Metrics down and methods across, group by group; in Table IV methods down and sigmas across, in each setting."""
    spec, groups, titles = SCORE_TABLES[number], _groups(number, panels), _titles(number, panels)
    if spec.settings is None:
        return Layout(groups, spec.metrics, titles)
    told = {name: "true σ" if level is None else f"σ = {level:g}" for name, level in spec.settings.items()}
    blocks = {f"Told {told[name]}": {f"{name}/{sigma}": title for sigma, title in groups.items()} for name in told}
    in_settings = {name: f"{block}; {title}" for block, of in blocks.items() for name, title in of.items()}
    return Layout(in_settings, spec.metrics, titles, rows="methods", side_by_side=blocks)


def _groups(number: int, panels: Sequence[Means]) -> dict[str, str]:
    """The groups of rows, name -> title: data sets, or the sigmas of the paper and of the experiment, ascending."""
    if panels[0].group is not None:
        return {panel.group: DATASETS[panel.group].title for panel in panels if panel.group is not None}
    one, paper = panels[0].sigma, [float(group.split("/")[-1]) for group in paper_groups(number)]
    sigmas = sorted({*paper, *panels[0].sigmas}) if one is None else [one]
    return {sigma_name(sigma): f"σ = {sigma_name(sigma)}" for sigma in sigmas}


def _titles(number: int, panels: Sequence[Means]) -> dict[str, str]:
    """The columns in order: name -> title."""
    scores = {name: one for panel in panels for name, one in panel.scores.items()}
    names = dict.fromkeys([*paper_methods(number), *scores])
    if SCORE_TABLES[number].by_classes:
        return {f"{K_METHOD}{k}": f"K = {k}" for k in sorted(int(name.removeprefix(K_METHOD)) for name in names)}
    first, last = [name for name in names if name == "noisy"], [name for name in names if name == "clean"]
    order = [*first, *(name for name in names if name not in REFERENCES), *last]
    return distinct({name: scores[name].provenance["title"] if name in scores else TITLES[name] for name in order})


def distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """The titles on one line each, with the name behind those that two methods share."""
    lines = {name: one_line(title) for name, title in titles.items()}
    everything = list(lines.values())
    return {name: f"{line} ({name})" if everything.count(line) > 1 else line for name, line in lines.items()}


def _cell(number: int, place: Place, means: Means, missing: Missing | None) -> Cell:
    paper = published(number, place.group, place.metric, place.method)
    remarks = [NOT_IN_PAPER] if paper is None else []
    if missing is not None:
        return Cell(place, None, paper, note="; ".join([missing.reason, *remarks]))
    mean, dataset = means.values[place], means.judged[place.method].provenance["dataset"]
    if dataset["n"] != dataset["n_official"]:
        remarks.append(f"n = {dataset['n']} of {dataset['n_official']}")
    if undefined := means.undefined_text(place):
        remarks.append(undefined)
    deviations = means.deviations(place.method, place.metric) + means.deviations(place.method, None)
    note = "; ".join([means.convention_text(place.metric), *remarks, *deviations])
    return Cell(place, mean.value, paper, mean.n, note)


def _category(group: str, method: str, metric: Metric, facts: "Facts | None") -> Cell:
    ours = None if facts is None else float(getattr(facts, metric.name))
    paper = published(FACTS_TABLE, group, metric.name, method)
    notes = [NOT_IN_EXPERIMENT] * (ours is None) + [NOT_IN_PAPER] * (paper is None)
    return Cell(Place(group, method, metric.name), ours, paper, note="; ".join(notes))


def _source(facts: "Facts | None") -> str:
    """Citation and licence of a method, as the footnote of its row."""
    return NOT_IN_EXPERIMENT if facts is None else f"{facts.citation}; our implementation: {facts.licence}"


def _ranked(cells: Sequence[Cell], metrics: Sequence[Metric]) -> list[Cell]:
    """The cells with best and second best ranked, for each group and metric; equal as printed is equal in rank.

    Noisy and clean do not compete, and nothing is ranked where fewer than two denoisers have a value.
    """
    by_name = {metric.name: metric for metric in metrics}
    rivals: dict[tuple[str, str], dict[Place, float]] = {}
    for place, ours in ((cell.place, cell.ours) for cell in cells):
        if ours is not None and place.method not in REFERENCES:
            printed = as_printed(ours, by_name[place.metric].digits)
            rivals.setdefault((place.group, place.metric), {})[place] = printed
    ranks: dict[Place, int] = {}
    for (_, metric), values in rivals.items():
        order = sorted(set(values.values()), reverse=not by_name[metric].lower_is_better)
        if len(values) > 1:
            ranks |= {place: order.index(value) + 1 for place, value in values.items() if value in order[:2]}
    return [replace(cell, rank=ranks.get(cell.place)) for cell in cells]
