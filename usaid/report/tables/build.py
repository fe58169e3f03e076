"""Builds a table: our numbers beside the paper's, in the paper's layout, ranked and annotated."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.paper.layouts import REFERENCES, TABLES, TITLES, TableSpec
from usaid.paper.published import COLUMN_OF_K, paper_caption, paper_denoisers, paper_groups, published
from usaid.registries import BENCHMARKS, DATASETS
from usaid.report.statistics.estimates import Estimate
from usaid.report.statistics.families import comparisons_of_table
from usaid.report.statistics.sources import estimates_of
from usaid.report.tables.cells import Cell, Layout, Place, Table
from usaid.report.tables.draws_table import build_draws_table
from usaid.report.tables.footnotes import NOT_IN_PAPER, footnotes_of_means
from usaid.report.tables.means import Means, Missing
from usaid.report.tables.metrics import further_metrics, metrics_named, metrics_of, other_conventions
from usaid.report.tables.ranks import ranked
from usaid.report.tables.specs import spec_of
from usaid.report.tables.titles import distinct, sigma_name
from usaid.report.tables.verdicts import tolerance_of, what_differs, with_verdict, within
from usaid.scores.comparable import ScoresLike, check_comparable


def build_table(table: int | str, *scores: Mapping[str, ScoresLike], left_out: Collection[str] = ()) -> Table:
    """Make a table from score files.

    The columns are ``noisy``, the paper's denoisers, every other in the order of ``scores``, and ``clean``; in Table II
    the paper's numbers of classes and those of ``scores``, ascending. Below each of the paper's metrics stand its other
    conventions, below all of them the further metrics, as far as the score files hold them.

    Args:
        table: as :func:`spec_of` takes it, but not Table III's.
        scores: for each benchmark of the table (Table VII has two), denoiser -> its scores; empty for a benchmark that
            the experiment lacks. The paper's denoisers that are missing get dashes.
        left_out: but for these, which get no column then.

    Raises:
        UsaidError: the table is not built from scores, or the scores do not belong in one table; in Table II also a
            denoiser that was not trained for a number of classes as the table's are, or two of one number.
    """
    spec = spec_of(table)
    if not spec.benchmarks:
        from_scores = ", ".join(str(number) for number, known in TABLES.items() if known.benchmarks)
        raise UsaidError(f"table {table} is not made from scores; those that are: {from_scores}")
    panels = panels_of(spec, scores)
    if spec.over_draws:
        return build_draws_table(spec, panels, _titles(spec, panels, left_out))
    metrics = tuple(panels[0].metrics.values())
    layout = _layout(spec, metrics, panels, _titles(spec, panels, left_out))
    places = [Place(g, d, metric.name) for g in layout.groups for d in layout.denoisers for metric in metrics]
    panel_of = {panel.group: panel for panel in panels}
    means = {place: panel_of[place.group if place.group in panel_of else None] for place in places}
    missing = {place: reason for place in places if (reason := means[place].why_missing(place)) is not None}
    comparisons = comparisons_of_table(spec, panels, over="images", with_scores=True)
    sure = {Place(one.group, one.denoiser, one.metric.name): one.estimate for one in comparisons if one.other is None}
    cells = [_cell(spec, place, means[place], missing.get(place), sure.get(place)) for place in places]
    footnotes = footnotes_of_means(spec, panels, missing.values(), layout.denoisers)
    images = {place: means[place].values[place].images for place in places if place not in missing}
    return ranked(Table(spec, _caption(spec), tuple(cells), layout, tuple(footnotes)), comparisons, images)


def panels_of(spec: TableSpec, scores: Sequence[Mapping[str, ScoresLike]]) -> list[Means]:
    """What a table that is made from scores shows of each of its benchmarks; arguments and errors as above."""
    shown = [_shown(spec, *panel) for panel in zip(spec.benchmarks, scores, strict=True)]
    metrics = _metrics(spec, shown)
    return [
        Means(benchmark, _of_panel(spec, benchmark, metrics), columns, spec.sigma, group, spec.settings)
        for (benchmark, group), columns in zip(spec.benchmarks.items(), shown, strict=True)
    ]


def _caption(spec: TableSpec) -> str:
    if spec.number is not None:
        other = f"; benchmark {', '.join(spec.benchmarks)}, with settings of its own" if spec.variant else ""
        return paper_caption(spec.number) + other
    card = BENCHMARKS[spec.name]
    return f"{DATASETS[card.dataset].title}, split {card.split}; {NOT_IN_PAPER}"


def _shown(spec: TableSpec, benchmark: str, scores: Mapping[str, ScoresLike]) -> Mapping[str, ScoresLike]:
    """The columns that a table shows of a benchmark: name -> scores."""
    chosen = {name: own for name, own in scores.items() if _is_shown(spec, own)}
    check_comparable(benchmark, chosen, spec.sigma)
    return chosen if spec.ablated is None else _by_classes(spec.ablated, benchmark, chosen)


def _is_shown(spec: TableSpec, scores: ScoresLike) -> bool:
    """Whether a table shows a denoiser: Table X also those that it leaves out by itself, if they have several draws.

    What failed has none, and a footnote that says why.
    """
    named = scores.provenance["failure"] is not None or scores.rows["draw"].nunique() > 1
    return _method_of(scores) not in spec.left_out or (spec.over_draws and named)


def _metrics(spec: TableSpec, shown: Iterable[Mapping[str, ScoresLike]]) -> tuple[Metric, ...]:
    """The paper's metrics, each followed by its other conventions, and further ones that some score files hold."""
    panels = [*zip(spec.benchmarks, shown, strict=True)]
    other = [metric for name, columns in panels for metric in other_conventions(name, columns.values())]
    further = [metric for name, columns in panels for metric in further_metrics(name, columns.values())]
    metrics = [
        row
        for metric in metrics_named(spec.metrics)
        if metric.printed_as not in spec.metrics
        for row in (metric, *(own for own in other if own.printed_as == metric.name))
    ]
    return tuple(dict.fromkeys([*metrics, *further]))


def _of_panel(spec: TableSpec, benchmark: str, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics that are shown of a benchmark: all; in Table X, whose data sets have their own, those of its card."""
    return metrics if not spec.over_draws else tuple(m for m in metrics_of(benchmark) if m.name in spec.metrics)


def _by_classes(ablated: str, benchmark: str, scores: Mapping[str, ScoresLike]) -> dict[str, ScoresLike]:
    """The scores by Table II's columns: the numbers of classes that its method was trained with, ascending."""
    denoisers: dict[int, str] = {}
    for denoiser, own in scores.items():
        file, entry = f"{benchmark}/{denoiser}.parquet", own.provenance["entry"]
        classes = entry.get("train", {}).get("classes")
        if entry.get("method") != ablated or classes is None:
            what = f"no {TITLES[ablated]} trained for a number of classes K"
            cure = f"give score files of method {ablated} with train.classes only"
            raise UsaidError(f"{file}: {denoiser} is {what}; {cure}")
        if classes in denoisers:
            raise UsaidError(f"{file}: K = {classes}, as {benchmark}/{denoisers[classes]}.parquet; give one for each K")
        denoisers[classes] = denoiser
    return {f"{COLUMN_OF_K}{classes}": scores[denoiser] for classes, denoiser in sorted(denoisers.items())}


def _method_of(scores: ScoresLike) -> str | None:
    """The method of a denoiser."""
    method: str | None = scores.provenance.get("entry", {}).get("method")
    return method


def _layout(spec: TableSpec, metrics: tuple[Metric, ...], panels: Sequence[Means], titles: Mapping[str, str]) -> Layout:
    """Metrics down and denoisers across, group by group; in Table IV denoisers down, sigmas across, in each setting."""
    groups = _groups(spec, panels)
    if spec.settings is None:
        return Layout(groups, metrics, titles)
    told = {name: "true σ" if level is None else f"σ = {level:g}" for name, level in spec.settings.items()}
    blocks = {f"Told {told[name]}": {f"{name}/{sigma}": title for sigma, title in groups.items()} for name in told}
    in_settings = {name: f"{block}; {title}" for block, of in blocks.items() for name, title in of.items()}
    return Layout(in_settings, metrics, titles, rows="denoisers", side_by_side=blocks)


def _groups(spec: TableSpec, panels: Sequence[Means]) -> dict[str, str]:
    """The groups of rows, name -> title: data sets, or the sigmas of the paper and of the experiment, ascending."""
    if panels[0].group is not None:
        return {panel.group: DATASETS[panel.group].title for panel in panels if panel.group is not None}
    paper = [float(group.split("/")[-1]) for group in paper_groups(spec.number)]
    sigmas = sorted({*paper, *panels[0].sigmas}) if spec.sigma is None else [spec.sigma]
    return {sigma_name(sigma): f"σ = {sigma_name(sigma)}" for sigma in sigmas}


def _titles(spec: TableSpec, panels: Sequence[Means], left_out: Collection[str]) -> dict[str, str]:
    """The columns in order: name -> title."""
    scores = {name: own for panel in panels for name, own in panel.scores.items()}
    scores |= {name: own for panel in panels for name, own in panel.judged.items()}  # they know their titles
    printed = [name for name in paper_denoisers(spec.number) if name not in left_out]
    names = dict.fromkeys([*printed, *scores])
    if spec.ablated is not None:
        return {f"{COLUMN_OF_K}{k}": f"K = {k}" for k in sorted(int(name.removeprefix(COLUMN_OF_K)) for name in names)}
    first, last = [name for name in names if name == "noisy"], [name for name in names if name == "clean"]
    order = [*first, *(name for name in names if name not in REFERENCES), *last]
    return distinct({name: scores[name].provenance["title"] if name in scores else TITLES[name] for name in order})


def _cell(spec: TableSpec, place: Place, means: Means, missing: Missing | None, sure: Estimate | None) -> Cell:
    """A number with its interval over images and the verdict on the printed one; or why there is none.

    A further convention of a printed metric stands beside that one's number, without a verdict.
    """
    printed_as = means.metrics[place.metric].printed_as
    paper = published(spec.number, place.group, printed_as or place.metric, place.denoiser)
    remarks, files = [NOT_IN_PAPER] if paper is None else [], means.files(place.denoiser)
    if missing is not None:
        cell = Cell(place, None, paper, note="; ".join([missing.reason, *remarks]), files=files)
        return cell if printed_as else with_verdict(cell, (), within(None))
    mean, note = means.values[place], "; ".join([means.convention_text(place.metric), *remarks, *means.remarks(place)])
    low, high = (None, None) if sure is None else (sure.low, sure.high)
    cell = Cell(place, mean.value, paper, mean.n, note, apart=means.is_apart(place), low=low, high=high)
    cell = replace(cell, convention=means.convention_name(place.metric), files=files)
    if paper is None or printed_as:
        return cell
    rule = within(tolerance_of(place.metric), _over_draws(means, place))
    return with_verdict(cell, what_differs(spec, means, place), rule)


def _over_draws(means: Means, place: Place) -> tuple[float | None, float | None]:
    """The interval of a number over noise draws; None, None: it is of one draw, which most are."""
    if len(means.grid(place.group, place.denoiser).draws) < 2:
        return None, None
    pair = (place.denoiser, None)
    drawn = estimates_of(means, place.group, place.metric, [pair], "draws")[pair]
    return drawn.low, drawn.high
