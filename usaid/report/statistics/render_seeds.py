"""Statistics over training seeds as tidy CSV and as a Markdown page."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from usaid.report.statistics.old_estimates import SeedComparison, SeedRow
from usaid.report.tables.numbers import printed, printed_difference
from usaid.report.tables.render_markdown import DASH, escaped, table_line
from usaid.report.tables.titles import heading, sigma_name

COLUMNS = (
    *("benchmark", "sigma", "metric", "kind", "denoiser", "other", "value", "low", "high", "p_value", "n_seeds"),
    *("verdict", "sd", "convention"),
)

VERDICTS = {True: "differ", False: "no difference found"}
"""By whether the interval of a difference excludes 0."""

# Seeds differ by less than the last digit that the paper prints.
PAGE_DIGITS = 1
CSV_DIGITS = 2


def render_seeds_csv(comparison: SeedComparison) -> str:
    """One mean or difference a line, with two digits more than the paper prints; a mean has no p-value and verdict."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in (row for rows in comparison.rows.values() for row in rows):
        of_row, digits = row.estimate, row.metric.digits + CSV_DIGITS
        numbers = (of_row.value, of_row.low, of_row.high, of_row.sd)
        value, low, high, sd = (printed(number, digits) for number in numbers)
        kind, p_value, verdict = ("mean", "", "")
        if row.other is not None:
            kind, p_value, verdict = ("difference", f"{of_row.p_value:.3g}", VERDICTS[of_row.differs])
        place = [row.benchmark, sigma_name(row.sigma), row.metric.name, kind, row.denoiser, row.other or ""]
        writer.writerow([*place, value, low, high, p_value, of_row.n_seeds, verdict, sd, row.convention])
    return stream.getvalue()


def render_seeds_markdown(comparison: SeedComparison) -> str:
    """A section for each benchmark: what differs, the tables of each sigma, and notes."""
    titles = {group.name: escaped(group.title) for group in comparison.groups}
    parts = ["# Training seeds"]
    for benchmark, rows in comparison.rows.items():
        parts += [f"## {benchmark}", f"**Reading.** {_reading(rows, titles)}."]
        for sigma, of_sigma in groupby(rows, key=lambda row: row.sigma):
            same_sigma = list(of_sigma)
            means = [row for row in same_sigma if row.other is None]
            differences = [row for row in same_sigma if row.other is not None]
            parts += [f"### {benchmark}, σ = {sigma_name(sigma)}", _table("Mean over seeds", means, titles)]
            parts += [_table("Difference", differences, titles)] if differences else []
        notes = "  \n".join(f"{escaped(note)}." for note in comparison.notes[benchmark])
        parts += [notes] if notes else []
    return "\n\n".join([*parts, "## How to read this", _explanation(comparison)]) + "\n"


def _reading(rows: Sequence[SeedRow], titles: Mapping[str, str]) -> str:
    """What differs, in one line, without its stop."""
    differences = [row for row in rows if row.other is not None]
    if not differences:
        return "Nothing to compare: no two methods have scores of the same two seeds"
    differing: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in (row for row in differences if row.estimate.differs):
        pair = (titles[row.denoiser], titles[str(row.other)])
        what = f"{'higher' if row.estimate.value > 0 else 'lower'} {row.metric.title.partition(' (')[0]}"
        differing.setdefault(pair, {}).setdefault(what, []).append(sigma_name(row.sigma))
    statements = []
    for (first, second), sigmas_of in differing.items():
        what = ", ".join(f"{what} (σ = {', '.join(sigmas)})" for what, sigmas in sigmas_of.items())
        statements.append(f"{first} has {what} than {second}")
    n_same = sum(not row.estimate.differs for row in differences)
    return "; ".join([*statements, f"no difference found in {n_same} of {len(differences)} comparisons"])


def _label(row: SeedRow, titles: Mapping[str, str]) -> str:
    return " − ".join(titles[name] for name in (row.denoiser, row.other) if name is not None)


def _table(title: str, rows: Iterable[SeedRow], titles: Mapping[str, str]) -> str:
    """Methods or pairs of them down, metrics across."""
    cells: dict[str, dict[str, SeedRow]] = {}
    headings = {}
    for row in rows:
        cells.setdefault(_label(row, titles), {})[row.metric.name] = row
        several = len(row.metric.conventions) > 1
        headings[row.metric.name] = f"{row.metric.title} ({row.convention})" if several else heading(row.metric)
    lines = [table_line([title, "seeds", *headings.values()]), table_line(["---", "---:", *[":---:"] * len(headings)])]
    for label, by_metric in cells.items():
        counts = sorted({row.estimate.n_seeds for row in by_metric.values()})
        entries = [_cell(by_metric[metric]) if metric in by_metric else DASH for metric in headings]
        lines.append(table_line([label, "–".join(map(str, counts)), *entries]))
    return "\n".join(lines)


def _cell(row: SeedRow) -> str:
    of_row, digits = row.estimate, row.metric.digits + PAGE_DIGITS
    if row.other is None:
        interval = f"[{printed(of_row.low, digits)}, {printed(of_row.high, digits)}]"
        return f"{printed(of_row.value, digits)} {interval}, sd {printed(of_row.sd, digits)}"
    low, value, high = (printed_difference(number, digits) for number in (of_row.low, of_row.value, of_row.high))
    text = f"{value} [{low}, {high}]"
    return f"{f'**{text}**' if of_row.differs else text}, p = {of_row.p_value:.2g}"


def _explanation(comparison: SeedComparison) -> str:
    n = sum(row.other is not None for rows in comparison.rows.values() for row in rows)
    members = (f"{escaped(group.title)} is {_names(group.members.values())}" for group in comparison.groups)
    sentences = [
        "A method is one way of training, with one denoiser for each seed: " + "; ".join(members),
        "An entry is the mean over seeds of the mean over images, its 95 % interval of Student's t over the seeds, and "
        f"the standard deviation over them (sd). {_better(comparison)}",
        "A difference is taken seed by seed, over the seeds that both methods have: the same seed is the same "
        "initialisation, patches and noise, as far as the recipes agree on these. In bold: the interval excludes 0",
        "The intervals speak about the variation over training seeds, on the images and the noise named above; they "
        "say nothing about other images",
        f"p-values are of two-sided paired t-tests and not corrected for the number of comparisons, {n} on this page: "
        "at 95 %, one in twenty excludes 0 where nothing differs",
        "With few seeds only large differences are found: no difference found does not mean equal",
    ]
    if comparison.left_out:
        sentences.append(f"Left out, since not trained with two seeds: {_names(comparison.left_out)}")
    return "\n".join(f"- {sentence}." for sentence in sentences)


def _better(comparison: SeedComparison) -> str:
    """Which values are better, of the metrics on the page."""
    metrics = [row.metric for rows in comparison.rows.values() for row in rows]
    lower = [*dict.fromkeys(escaped(metric.title) for metric in metrics if metric.better == "lower")]
    return f"Lower is better for {', '.join(lower)}, higher for everything else" if lower else "Higher is better"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
