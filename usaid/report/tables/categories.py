"""Table III: to which categories the compared methods belong, from their facts."""

from collections.abc import Collection, Mapping

from usaid.cards import Facts, Metric
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
    titles: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
) -> Table:
    """Make Table III (categories of the compared methods) from the facts of the methods.

    Args:
        facts: method, or denoiser of a user's own class -> its facts; ``noisy`` and ``clean`` are left out. The paper's
            methods that are missing get dashes.
        own_methods: denoiser -> its method, as :func:`facts_of_rows` takes them: a row of the paper's that is of
            another method is not comparable.
        titles: denoiser -> what the experiment calls it, if not what its facts do.
        left_out: methods of the paper's that have no row.
    """
    (group,) = paper_groups(NUMBER)
    wanted = [*paper_denoisers(NUMBER), *(name for name in facts if name not in REFERENCES)]
    names = [name for name in dict.fromkeys(wanted) if name not in left_out]
    known = TITLES | {name: own.title for name, own in facts.items()} | dict(titles or {})
    heads = distinct({name: known[name] for name in names})
    methods = {name: (own_methods or {}).get(name, name) for name in names}
    cells = [
        _cell(Place(group, name, category.name), facts.get(name), methods[name])
        for name in names
        for category in CATEGORIES
    ]
    sources = [(_source(facts.get(name)), Mark(denoiser=name)) for name in names]
    layout = Layout({group: group}, CATEGORIES, heads, rows="denoisers", number_formats=_FORMATS, legend=_LEGEND)
    footnotes = [*grouped_by_text(sources), *notes_on_print(NUMBER)]
    return Table(TABLES[NUMBER], paper_caption(NUMBER), tuple(cells), layout, tuple(footnotes))


def facts_of_rows(own_methods: Mapping[str, str]) -> dict[str, Facts]:
    """The facts that Table III is made from: of the methods in print, and of an experiment's others.

    Args:
        own_methods: denoiser -> its method, ``module:Class`` of a user's own, or a card's of an installed package. One
            whose facts cannot be read has no row (other tables give the reason).
    """
    facts = {name: facts_of(name) for name in paper_denoisers(NUMBER) if name in METHODS}
    for denoiser, method in own_methods.items():
        try:
            facts[denoiser] = facts_of(method)
        except UsaidError as error:
            print(f"Table III has no row for {denoiser}: {error}")
    return facts


def facts_of(method: str) -> Facts:
    """The facts of a method: those on its card, or what its class says of itself.

    Raises:
        UsaidError: no such method, or its class cannot be imported or has no facts.
    """
    card = method_of(method)
    facts = card.facts or getattr(load_object(card.denoiser), "facts", None)
    if not isinstance(facts, Facts):
        raise UsaidError(f"method {method!r}: the class has no attribute 'facts' of type usaid.cards.Facts")
    return facts


def _cell(place: Place, facts: Facts | None, method: str) -> Cell:
    ours = None if facts is None else float(getattr(facts, place.metric))
    paper = published(NUMBER, place.group, place.metric, place.denoiser)
    notes = [NOT_IN_EXPERIMENT] * (ours is None) + [NOT_IN_PAPER] * (paper is None)
    differing = [one_line(f"method {method}")] * (method != place.denoiser)
    return with_verdict(Cell(place, ours, paper, note="; ".join(notes)), differing, equal)


def _source(facts: Facts | None) -> str:
    """Citation and licence of a method, as the footnote of its row."""
    return NOT_IN_EXPERIMENT if facts is None else f"{facts.citation}; our implementation: {facts.licence}"
