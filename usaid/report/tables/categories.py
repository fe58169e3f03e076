"""Table III: to which categories the compared methods belong, from their facts."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from usaid.cards import Facts, Metric
from usaid.denoisers.facts import facts_of_code, facts_of_training, title_of
from usaid.errors import UsaidError
from usaid.paper.layouts import REFERENCES, TABLES, TITLES
from usaid.paper.published import paper_caption, paper_denoisers, paper_groups, published
from usaid.registries import METHODS, load_object, method_of
from usaid.report.tables.cells import Cell, Layout, Mark, Place, Table
from usaid.report.tables.footnotes import NOT_IN_PAPER, grouped_by_text, notes_on_print
from usaid.report.tables.means import NOT_IN_EXPERIMENT
from usaid.report.tables.numbers import CHECK_MARK
from usaid.report.tables.titles import distinct, one_line
from usaid.report.tables.verdicts import equal, with_verdict

(NUMBER,) = (number for number, spec in TABLES.items() if not spec.benchmarks)
"""The table that is made from the facts of the methods."""

_TITLES = {
    "deep_learning": "Deep learning",
    "semantic_aware": "Semantic-aware",
    "segmentation_annotation": "Segmentation annotation",
}

CATEGORIES = tuple(Metric(name, _TITLES[name], "", "higher", digits=0) for name in TABLES[NUMBER].metrics)
"""Its columns; the names are those of :class:`usaid.cards.Facts`."""

_FORMATS = {category.name: CHECK_MARK for category in CATEGORIES}
_LEGEND = "Our facts (the paper's)."


def build_facts_table(
    facts: Mapping[str, Facts],
    own_methods: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> Table:
    """Make Table III (categories of the compared methods) from the facts of the methods.

    Args:
        facts: method, or denoiser of a user's own class -> its facts; ``noisy`` and ``clean`` are left out. The paper's
            methods that are missing get dashes.
        own_methods: denoiser -> its method, as :func:`facts_of_rows` takes them: a row of the paper's that is of
            another method is not comparable.
        left_out: methods of the paper's that have no row.
    """
    (group,) = paper_groups(NUMBER)
    wanted = [*paper_denoisers(NUMBER), *(name for name in facts if name not in REFERENCES)]
    names = [name for name in dict.fromkeys(wanted) if name not in left_out]
    titles = distinct({name: facts[name].title if name in facts else TITLES[name] for name in names})
    methods = {name: (own_methods or {}).get(name, name) for name in names}
    cells = [
        _cell(Place(group, name, category.name), facts.get(name), methods[name])
        for name in names
        for category in CATEGORIES
    ]
    sources = [(_source(facts.get(name)), Mark(denoiser=name)) for name in names]
    sources = [(source, mark) for source, mark in sources if source]
    layout = Layout({group: group}, CATEGORIES, titles, rows="denoisers", number_formats=_FORMATS, legend=_LEGEND)
    footnotes = [*grouped_by_text(sources), *notes_on_print(NUMBER)]
    return Table(TABLES[NUMBER], paper_caption(NUMBER), tuple(cells), layout, tuple(footnotes))


def facts_of_rows(
    own_methods: Mapping[str, str],
    titles: Mapping[str, str] | None = None,
    losses: Mapping[str, str] | None = None,
) -> dict[str, Facts]:
    """The facts that Table III is made from: of the methods in print, and of an experiment's others.

    Args:
        own_methods: denoiser -> its method, ``module:Class`` of a user's own, or a card's of an installed package. One
            whose facts cannot be read has no row (other tables give the reason).
        titles: denoiser -> the title that its entry gives it.
        losses: denoiser -> the loss that the suite trained it with; it tells the categories of a network of a user's
            own, whose code states none.
    """
    facts = {name: facts_of(name) for name in paper_denoisers(NUMBER) if name in METHODS}
    for denoiser, method in own_methods.items():
        try:
            of_method = facts_of_training(facts_of(method), (losses or {}).get(denoiser))
            title = title_of((titles or {}).get(denoiser), of_method, denoiser)
            facts[denoiser] = replace(of_method, title=title)
        except UsaidError as error:
            print(f"Table III has no row for {denoiser}: {error}")
    return facts


def facts_of(method: str) -> Facts:
    """The facts of a method: those on its card, or what its class says of itself.

    Raises:
        UsaidError: no such method, or its code cannot be imported, or is a denoiser's class that has no facts.
    """
    card = method_of(method)
    return card.facts or facts_of_code(load_object(card.denoiser), method.rpartition(":")[2])


def _cell(place: Place, facts: Facts | None, method: str) -> Cell:
    ours = None if facts is None else float(getattr(facts, place.metric))
    paper = published(NUMBER, place.group, place.metric, place.denoiser)
    notes = [NOT_IN_EXPERIMENT] * (ours is None) + [NOT_IN_PAPER] * (paper is None)
    differing = [one_line(f"method {method}")] * (method != place.denoiser)
    return with_verdict(Cell(place, ours, paper, note="; ".join(notes)), differing, equal)


def _source(facts: Facts | None) -> str:
    """Citation and licence of a method, as far as they are known, as the footnote of its row."""
    if facts is None:
        return NOT_IN_EXPERIMENT
    licence = f"our implementation: {facts.licence}" if facts.licence else ""
    return "; ".join(filter(None, (facts.citation, licence)))
