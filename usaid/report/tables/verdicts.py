"""Whether the printed numbers hold: a verdict on each number that the paper prints, with its reason.

The words are ``holds``, ``does not hold``, ``not comparable`` (what differs) and ``not tested`` (why not). First it is
asked whether there is a number of ours, then whether it is of the same thing, and only then whether the two agree.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from usaid.paper.layouts import MEANS_TIMES, TableSpec
from usaid.paper.published import paper_denoisers
from usaid.registries import METHODS, METRICS, load_object
from usaid.report.statistics.estimates import LEVEL
from usaid.report.tables.cells import Cell, Place
from usaid.report.tables.means import Means
from usaid.report.tables.titles import one_line
from usaid.report.verdict_words import DOES_NOT_HOLD, HOLDS, NOT_COMPARABLE, NOT_TESTED

WORDS = (HOLDS, DOES_NOT_HOLD, NOT_COMPARABLE, NOT_TESTED)

ENOUGH = 0.99
"""From this fraction of the official images on, a sample counts as the paper's: an image that cannot be had does not
move a mean by as much as any tolerance."""

INSIDE = "inside our 95 % interval over noise draws"
"""What the reason says of a number that holds by the interval alone."""

_ROUNDING = 1e-9
"""Differences of decimal fractions come out of binary ones with so much error."""


class Verdict(NamedTuple):
    """What we say of a printed number: one of :data:`WORDS`, and its reason, without a final stop."""

    word: str
    why: str


def with_verdict(cell: Cell, differing: Iterable[str], rule: Callable[[Cell], Verdict]) -> Cell:
    """A cell with the verdict on its printed number; the same cell if the paper prints none.

    * ``not tested``: there is no number of ours; the reason is that of the dash.
    * ``not comparable``: ours is of something else; the reason says what differs.
    * Else what ``rule`` says of the two numbers.

    Args:
        cell: any.
        differing: in what ours differs from what the paper measured (:func:`what_differs`).
        rule: one of those below.
    """
    if cell.paper is None:
        return cell
    if cell.ours is None:
        return replace(cell, verdict=NOT_TESTED, why=cell.note)
    found = "; ".join(dict.fromkeys(differing))
    verdict = Verdict(NOT_COMPARABLE, found) if found else rule(cell)
    return replace(cell, verdict=verdict.word, why=verdict.why)


# ------------------------------------------------------------------------------------------------ rules


def within(
    tolerance: float | None, over_draws: tuple[float | None, float | None] = (None, None)
) -> Callable[[Cell], Verdict]:
    """The rule of a score: it holds if ours, unrounded, differs by no more than the tolerance, or if the printed value
    lies inside our interval over noise draws.

    Of the paper's own images nothing but the draw is left to chance: an interval over other images would be the milder
    the fewer the images are.

    Args:
        tolerance: of the metric, in the unit of the cell; None: it has none, and only the interval can tell.
        over_draws: ends of the interval, in the unit of the cell; None: there is one draw.
    """

    def rule(cell: Cell) -> Verdict:
        ours, paper = _numbers(cell)
        off = abs(ours - paper)
        distance = f"off by {off:.2g}"
        if tolerance is not None:
            distance += f", tolerance {tolerance:g}"
            if off <= tolerance + _ROUNDING:
                return Verdict(HOLDS, distance)
        return _by_interval(paper, over_draws, distance)

    return rule


def inside_interval(cell: Cell) -> Verdict:
    """The rule of a variance over draws: it holds if the printed one lies inside the interval of ours."""
    ours, paper = _numbers(cell)
    distance = f"ours is {ours / paper:.2g} times the printed one" if paper else "the printed one is 0"
    return _by_interval(paper, (cell.low, cell.high), distance)


def same_side(cell: Cell) -> Verdict:
    """The rule of a p-value: it holds if ours says the same of the difference, at 0.05."""
    ours, paper = _numbers(cell)
    sides = ["below" if p < LEVEL else "not below" for p in (ours, paper)]
    return Verdict(HOLDS if len({*sides}) == 1 else DOES_NOT_HOLD, f"ours {sides[0]}, printed {sides[1]} {LEVEL}")


def same_finding(ours: float, paper: float) -> Callable[[Cell], Verdict]:
    """The rule of a p-value, as :func:`same_side`; but of two differences that are both found (below 0.05) also the
    signs are to be the same.

    Args:
        ours: the difference that our p-value is of; only its sign counts, 0 or NaN: it has none.
        paper: the printed one.
    """

    def rule(cell: Cell) -> Verdict:
        if max(_numbers(cell)) < LEVEL and ours * paper < 0:
            return Verdict(DOES_NOT_HOLD, "the difference is the other way round")
        return same_side(cell)

    return rule


def equal(cell: Cell) -> Verdict:
    """The rule of a check mark: it holds if ours is the same."""
    ours, paper = _numbers(cell)
    return Verdict(HOLDS, "the same") if ours == paper else Verdict(DOES_NOT_HOLD, "not the same")


def tolerance_of(metric: str) -> float | None:
    """The tolerance of a metric, in the unit of print; None: it has none.

    Args:
        metric: as :class:`usaid.paper.published.Published` calls it: ``"psnr"``, ``"miou_mean"``, ``"miou_variance"``.
    """
    if metric in METRICS:
        return METRICS[metric].tolerance
    name, _, statistic = metric.rpartition("_")
    tolerance = METRICS[name].tolerance if statistic == "mean" and name in METRICS else None
    return None if tolerance is None else tolerance * MEANS_TIMES.get(name, 1)


def _by_interval(paper: float, interval: tuple[float | None, float | None], distance: str) -> Verdict:
    low, high = interval
    if low is None or high is None:
        return Verdict(DOES_NOT_HOLD, distance)
    if low <= paper <= high:
        return Verdict(HOLDS, f"{distance}, but {INSIDE}")
    return Verdict(DOES_NOT_HOLD, f"{distance}, and not {INSIDE}")


def _numbers(cell: Cell) -> tuple[float, float]:
    assert cell.ours is not None
    assert cell.paper is not None
    return cell.ours, cell.paper


# ------------------------------------------------------------------------------------------------ what differs


def what_differs(spec: TableSpec, means: Means, place: Place) -> list[str]:
    """In what a number of ours differs from what the paper measured, in a few words each; none: they compare.

    Args:
        spec: the table.
        means: the scores behind the number.
        place: a cell with a number of ours.
    """
    return [
        *_sample(means, place),
        *convention_differs(means, place),
        *_unclamped(spec, means, place),
        *_deviations(means, place),
        *_denoiser(spec, means, place),
    ]


def _sample(means: Means, place: Place) -> Iterable[str]:
    """Fewer images than the official split has."""
    n, official = means.values[place].n, means.judged[place.denoiser].provenance["dataset"]["n_official"]
    if n < ENOUGH * official:
        yield f"{n:,} of {official:,} images"


def convention_differs(means: Means, place: Place) -> list[str]:
    """The metric is computed in another way, or its convention otherwise than by the paper."""
    ours, papers = means.convention_name(place.metric), means.papers_convention(place.metric)
    return [f"{ours} in place of {papers}"] if ours != papers else means.deviations(place.denoiser, place.metric)


def _unclamped(spec: TableSpec, means: Means, place: Place) -> Iterable[str]:
    """Printed PSNR and SSIM of the noisy images are of the unclamped ones (PROTOCOL section 2); ours are clamped."""
    is_printed = place.denoiser == "noisy" and "noisy" in paper_denoisers(spec.number)
    if is_printed and not means.metrics[place.metric].by_network:
        yield "the noisy images are clamped; the paper's are not"


NETWORKS = ("classifier", "segmenter", "detector")
"""What deviations begin with that are about the network of the judge alone."""


def _deviations(means: Means, place: Place) -> Iterable[str]:
    """What provenance says of data, notes and denoiser; and of the judge's network where it makes the number."""
    by_network = means.metrics[place.metric].by_network
    texts = means.deviations(place.denoiser, None)
    return [text for text in texts if by_network or not text.startswith(NETWORKS)]


# ------------------------------------------------------------------------------------------------ how it was trained

INCIDENTAL = ("seed", "channels_last", "compile", "encoder_weights")
"""Keys of a recipe that change how a training is run, not what is trained."""


def _denoiser(spec: TableSpec, means: Means, place: Place) -> Iterable[str]:
    """Another method than the column's, or one that was trained otherwise than by a recipe of ours."""
    entry: Mapping[str, Any] = means.judged[place.denoiser].provenance.get("entry", {})
    method = entry.get("method")
    if method is None:
        return
    if method != (spec.ablated or place.denoiser):
        yield one_line(f"method {method}")
    left_out = INCIDENTAL if spec.ablated is None else (*INCIDENTAL, "classes")
    if changes := changed_keys(method, entry.get("train") or {}, left_out):
        yield one_line(f"trained with {', '.join(changes)}")


def changed_keys(method: str, train: Mapping[str, Any], left_out: Sequence[str] = INCIDENTAL) -> list[str]:
    """The keys of a training that differ from the recipe that it names, each with the recipe's: ``"batch 8 (16)"``.

    The recipes that come with a method (the paper's text, the released code) may each have made the printed numbers. Of
    a user's own file the keys are compared with the first of them; of a method without such recipes there are none.

    Args:
        method: its name.
        train: as recorded in an entry; empty: it was not trained here.
        left_out: keys that do not count.
    """
    card = METHODS.own.get(method)
    recipe = None if card is None or card.recipe is None else load_object(card.recipe)
    if not train or recipe is None or not recipe.by_name():
        return []
    named = train.get("recipe")
    keys = recipe(recipe=named if named in recipe.by_name() else next(iter(recipe.by_name()))).keys_of(method)
    changed = [key for key in keys if key in train and key not in left_out and train[key] != keys[key]]
    return [f"{key} {_text(train[key])} ({_text(keys[key])})" for key in changed]


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
