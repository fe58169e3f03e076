"""The summary of an evaluation: one line a noise level and denoiser, and sentences on what its numbers are."""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from evaluators.evaluation.companions import Companion
from evaluators.evaluation.numbers import MINE, PRINTED, THIS_RUN, Number, metrics_of, titles_of
from usaid.cards import Metric
from usaid.errors import one_line
from usaid.registries import BENCHMARKS, DATASETS, METRICS
from usaid.report.tables.numbers import FURTHER_DIGITS, printed, printed_difference
from usaid.report.tables.render_markdown import DASH, table_line
from usaid.report.tables.titles import heading, sigma_name
from usaid.scores.files import Scores

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T", bound=Hashable)

TIME = "s / image"
_ARROWS = {"higher": "↑", "lower": "↓"}


def table_of(
    scores: Scores, numbers: Sequence[Number], companions: Mapping[str, Companion] | None
) -> list[dict[str, str]]:
    """The lines of the summary: column -> text, columns the same in all.

    Args:
        scores: of the evaluation.
        numbers: :func:`evaluators.evaluation.numbers.numbers_of` it.
        companions: the paper's denoisers on the same images; None: nobody stands beside it.
    """
    seconds, metrics = seconds_an_image(scores, companions or {}), metrics_of(scores)
    lines = []
    for (sigma, denoiser), group in groupby(numbers, key=lambda number: (number.sigma, number.denoiser)):
        by_metric = {number.metric: number for number in group}
        most = max(by_metric.values(), key=lambda number: number.n)
        lines.append(
            {
                "σ": sigma_name(sigma),
                "denoiser": denoiser,
                **{column_of(metric): _text(by_metric.get(metric.name), most.n) for metric in metrics},
                "n": f"{most.n:,}",
                TIME: _seconds(seconds.get(denoiser)),
            }
        )
    return lines


def column_of(metric: Metric) -> str:
    """``"PSNR (dB) ↑"``."""
    return f"{heading(metric)} {_ARROWS[metric.better]}"


def seconds_an_image(scores: Scores, companions: Mapping[str, Companion]) -> dict[str, float]:
    """Title -> seconds that the denoiser alone took for an image of the mean size of these, as far as it is known."""
    titles, pixels = titles_of(scores), scores.provenance["pixels"] / max(1, len(scores.rows))
    seconds = {titles[name]: own.time[0] * pixels for name, own in companions.items() if own.time is not None}
    return {titles[MINE]: scores.provenance["seconds"].get("denoiser", 0.0) / max(1, len(scores.rows)), **seconds}


def _text(number: Number | None, n_of_line: int) -> str:
    """``"29.83 [27.10, 32.56]"``; with its own n where it averages fewer images than the others of its line."""
    if number is None or math.isnan(number.value):
        return DASH
    digits = METRICS[number.metric].digits + FURTHER_DIGITS * number.is_difference
    write = printed_difference if number.is_difference else printed
    value, low, high = (write(each, digits) for each in (number.value, number.low, number.high))
    interval = "" if math.isnan(number.low) else f" [{low}, {high}]"
    return f"{value}{interval}".replace("inf", "∞") + f" (n = {number.n:,})" * (number.n < n_of_line)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


# ------------------------------------------------------------------------------------------------ what they are


def notes_of(scores: Scores, numbers: Sequence[Number], companions: Mapping[str, Companion] | None) -> list[str]:
    """What has to be known of the numbers, a sentence each; arguments as of :func:`table_of`."""
    provenance = scores.provenance
    dataset, n = provenance["dataset"], provenance["dataset"]["n"]
    title = DATASETS[BENCHMARKS[provenance["benchmark"]].dataset].title
    draws = scores.rows["draw"].nunique()
    drawn = f", {draws} noise draws of each" if draws > 1 else ""
    what = "mean over images [95 % interval over images]" if n > 1 else "of one image, so without an interval"
    lines = [
        f"{title}, {n:,} of {dataset['n_official']:,} images{drawn}; σ: noise level on the 0-255 scale; {what}; "
        "↑: higher is better, ↓: lower is better"
    ]
    conventions = {number.metric: number.convention for number in numbers if number.convention}
    lines.append(_listed(f"{METRICS[name].title}: {convention}" for name, convention in conventions.items()))
    whole = [METRICS[name] for name in conventions if any(own.of_whole_set for own in METRICS[name].conventions)]
    if whole:
        lines.append(f"{_listed(metric.title for metric in whole)}: a score of all images together, no mean")
    lines += _of_worse_than_noisy(scores, numbers)
    lines += _of_what_was_told(scores)
    lines += _of_differences(numbers)
    if companions is not None:
        lines += _of_companions(scores, companions)
        lines += _of_print(numbers)
        lines += _of_mine_alone(numbers)
    lines.append(_of_time(scores, companions or {}))
    lines += [one_line(text).removesuffix(".") for text in provenance["deviations"]]
    return [f"{line}." for line in lines]


def _of_worse_than_noisy(scores: Scores, numbers: Iterable[Number]) -> Iterable[str]:
    """That a denoiser adds errors: most often it is not called as it has to be."""
    title = titles_of(scores)[MINE]
    for number in numbers:
        noisy = 20 * math.log10(255 / number.sigma)  # the least that noisy images have: clamping only helps
        if (number.denoiser, number.metric) == (title, "psnr") and number.value < noisy:
            why = "the noise in place of the image, another range, or no weights? `usaid check` tells"
            yield f"{title} is worse than the noisy images at σ = {sigma_name(number.sigma)} ({noisy:.2f} dB): {why}"


def _of_what_was_told(scores: Scores) -> Iterable[str]:
    told = sorted(scores.rows["told_sigma"].dropna().unique())
    if told:
        is_true = (scores.rows["told_sigma"] == scores.rows["sigma"]).all()
        level = "the true σ" if is_true else f"σ = {', '.join(map(sigma_name, told))}"
        yield f"{titles_of(scores)[MINE]} was told {level}"


def _of_differences(numbers: Iterable[Number]) -> Iterable[str]:
    for name in dict.fromkeys(number.denoiser for number in numbers if number.is_difference):
        yield f"{name}: difference on the same images and noise; where its interval leaves out 0, the two differ"


def _of_companions(scores: Scores, companions: Mapping[str, Companion]) -> Iterable[str]:
    titles = titles_of(scores)
    for source, names in _by({name: own.source for name, own in companions.items()}).items():
        yield f"{_listed(titles[name] for name in names)}: scores of the same images and noise in {source}"
    if others := [titles[name] for name, own in companions.items() if own.other_code]:
        what = "another version of the evaluator, or one that is not recorded"
        yield f"{_listed(others)}: scored by {what}, so that the last digits may differ for that"
    for left_out, names in _by({name: own.left_out for name, own in companions.items() if own.left_out}).items():
        metrics, who = _listed(METRICS[name].title for name in left_out), _listed(titles[name] for name in names)
        yield f"{metrics} of {who}: {DASH}, since another network or model judged there"


def _of_print(numbers: Iterable[Number]) -> Iterable[str]:
    tables = dict.fromkeys((number.source, number.n) for number in numbers if number.denoiser.endswith(f"({PRINTED})"))
    for source, n in tables:
        yield f"({PRINTED}): the paper's {source}, all {n:,} images; compare with a run of all images only"


def _of_mine_alone(numbers: Iterable[Number]) -> Iterable[str]:
    sources: dict[float, set[str]] = {}
    for number in numbers:
        sources.setdefault(number.sigma, set()).add(number.source)
    if alone := [sigma_name(sigma) for sigma, own in sources.items() if own == {THIS_RUN}]:
        yield f"σ = {_listed(alone)}: the paper has no numbers, and no scores of its denoisers are at hand"


def _of_time(scores: Scores, companions: Mapping[str, Companion]) -> str:
    titles = titles_of(scores)
    devices = {name: own.time[1] for name, own in companions.items() if own.time is not None}
    others = [
        f"of {_listed(titles[name] for name in names)} as recorded ({device})" for device, names in _by(devices).items()
    ]
    return "; ".join([f"{TIME}: the denoiser alone, {THIS_RUN} on {scores.provenance['device']}", *others])


def _by(values: Mapping[str, T]) -> dict[T, list[str]]:
    """Names by their value."""
    return {value: [name for name, own in values.items() if own == value] for value in dict.fromkeys(values.values())}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


# ------------------------------------------------------------------------------------------------ as text


def text_of(table: "pd.DataFrame", notes: Iterable[str]) -> str:
    """A table in Markdown whose columns are aligned, and its notes."""
    rows = [[*table.columns], *table.itertuples(index=False)]
    lines = [[one_line(text).replace("|", r"\|") for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [table_line(map(str.ljust, line, widths)) for line in lines]
    rule = table_line("-" * width for width in widths)
    return "\n".join([padded[0], rule, *padded[1:], "", *notes])
