"""What statistics say, in sentences: which denoiser is better than which, in what and where."""

from collections.abc import Container, Mapping, Sequence

from usaid.paper.layouts import REFERENCES
from usaid.report.statistics.estimates import Comparison, distinct
from usaid.report.statistics.sections import Section
from usaid.report.tables.render_markdown import escaped

MOST_PAIRS = 21
"""Pairs that people are shown at one noise level: those of seven denoisers are not too many."""

ANCHORS = ("u_said", "cdncnn_b")
"""The paper's denoiser and its baseline: where there are more pairs, those with one of them are shown."""

Pair = tuple[str, str]
"""A denoiser and the one that is subtracted from it."""


def shown_pairs(section: Section) -> list[Pair]:
    """The pairs of denoisers that people are shown.

    All of them, or where they are too many those of the first seed of each training; or where these are, too, those of
    them with the paper's two denoisers, or if the table has neither with the first that competes.
    """
    pairs = [*dict.fromkeys((row.denoiser, str(row.other)) for row in section.differences)]
    if len(pairs) > MOST_PAIRS:
        first = section.first_seeds
        pairs = [pair for pair in pairs if all(first.get(name, name) == name for name in pair)]
    if len(pairs) > MOST_PAIRS:
        competing = [name for name in section.titles if name not in REFERENCES]
        anchors = [name for name in competing if name in ANCHORS] or competing[:1]
        pairs = [pair for pair in pairs if not {*pair}.isdisjoint(anchors)]
    return pairs


def reading(section: Section) -> list[str]:
    """What a section says of the pairs that it shows, in lines of Markdown without their stops.

    First how many comparisons find nothing, then a line for each pair that differs. That a denoiser is better than the
    noisy images is not said: only what competes is.
    """
    titles = {name: escaped(title) for name, title in section.titles.items()}
    pairs = [pair for pair in shown_pairs(section) if {*pair}.isdisjoint(REFERENCES)]
    differing = _differing(section, pairs)
    statements = [
        "; ".join(
            f"{titles[better]} has {_in_words(differing[better, worse], section)} than {titles[worse]}"
            for better, worse in (pair, pair[::-1])
            if (better, worse) in differing
        )
        for pair in pairs
    ]
    counts = _counts([*distinct(row for row in section.differences if (row.denoiser, row.other) in pairs).values()])
    return ["; ".join(counts) or "nothing to compare", *filter(None, statements)]


def _differing(section: Section, pairs: Container[Pair]) -> dict[Pair, dict[str, list[str]]]:
    """(better, worse) -> ``"lower NIQE"`` -> the noise levels where it is."""
    where: dict[Pair, dict[str, list[str]]] = {}
    for level, rows in section.blocks.items():
        for row in rows:
            pair = (row.denoiser, str(row.other))
            if row.differs and pair in pairs:
                is_better = (row.estimate.value > 0) == (row.metric.better == "higher")
                what = f"{row.metric.better} {escaped(row.metric.title.partition(' (')[0])}"
                where.setdefault(pair if is_better else pair[::-1], {}).setdefault(what, []).append(level)
    return where


def _in_words(levels_of: Mapping[str, Sequence[str]], section: Section) -> str:
    """``"higher PSNR and lower NIQE (σ = 15, 25), higher SSIM (σ = 25)"``."""
    together: dict[str, list[str]] = {}
    for what, levels in levels_of.items():
        is_everywhere = section.spec.settings is not None and len(levels) == len(section.blocks)
        where = "everywhere" if is_everywhere else f"σ = {', '.join(levels)}"
        together.setdefault(where, []).append(what)
    return ", ".join(f"{' and '.join(what)} ({where})" for where, what in together.items())


def _counts(differences: Sequence[Comparison]) -> list[str]:
    tested = [row for row in differences if row.p_corrected is not None]
    same = sum(not row.differs for row in tested)
    all_differ = f"all {len(tested)} differ" if len(tested) > 1 else "the only comparison differs"
    counts = [f"no difference found in {same} of {len(tested)} comparisons" if same else all_differ] * bool(tested)
    untested = len(differences) - len(tested)
    return counts + [f"{untested} comparison{'s' * (untested > 1)} not testable"] * bool(untested)
