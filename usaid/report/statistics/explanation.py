"""How to read a page of statistics: what its intervals speak of, its tests and families, and what deviates."""

from collections.abc import Iterable, Iterator, Sequence

from usaid.report.statistics.estimates import BOTH_NEEDED, PERMUTATION
from usaid.report.statistics.resampling import PERMUTATIONS, RESAMPLES
from usaid.report.statistics.sections import Section
from usaid.report.statistics.sources import BOOTSTRAP_T, MOST_SWAPPED
from usaid.report.tables.footnotes import plain_footnotes
from usaid.report.tables.render_markdown import escaped

_SOURCES = {
    "draws": "**Over draws** an interval speaks of other noise, on these images and from these trainings: it says "
    "nothing of what another training would do. The paired t-test takes the difference draw by draw, since a draw is "
    "the same noise for both; the two-sample t-test, which the paper's Table X uses, does not",
    "images": "**Over images** an interval speaks of other images of this kind, with these draws of the noise and from "
    "these trainings. Means over images are compared image by image (paired t-test)",
    "seeds": "**Over seeds** an interval speaks of other trainings by the same recipe, on these images and with these "
    "draws. A score is the mean over seeds; a difference is taken seed by seed (paired t-test), over the seeds that "
    "both have: the same seed is the same initialisation, patches and noise, as far as the recipes agree on these. "
    "With few seeds only large differences are found",
    "all": "**Over all** an interval speaks of other images, draws and trainings at once, as far as there are several: "
    "images are resampled, the variance of a mean over n seeds or draws is s²/n, and these variances add up "
    "(hierarchical bootstrap). Two trained denoisers are compared over the seeds that both have",
}

_OF_DATA_SET = (
    f"A score of all images together (mIoU, AP) is made again from {RESAMPLES:,} resamples of the images, which give "
    "the interval (bootstrap), and with the two denoisers swapped image by image, "
    f"{PERMUTATIONS:,} times, which gives p (permutation test). Two differ where p is below 0.05 and the interval "
    f"leaves out 0: {BOTH_NEEDED}. With more than {MOST_SWAPPED:,} images Student's t on the bootstrap's standard "
    "error takes the place of the swaps",
    "Where classes are rare, intervals of mIoU and AP are somewhat too short: on synthetic scores of 80 classes in 177 "
    "images, or 21 in 80, they hold the true difference in 92 to 93 % of samples, the true score in 86 to 91 %",
)
"""What a page with such scores says of them. The numbers are from ``benchmarks/coverage_of_intervals.py``."""


def explanation(sections: Sequence[Section], left_out: Sequence[str]) -> str:
    """How to read the sections, as a Markdown list.

    Args:
        sections: those of the page.
        left_out: sentences, without their stops, on what is not there.
    """
    sentences = [
        "A score is followed by its 95 % interval, a difference by its 95 % interval and its two-sided p-value, with "
        "the one after Holm's correction in parentheses where it is another. Differences are in the metric's unit",
        *_better(sections),
        "In bold: two that differ, p < 0.05 after the correction. No difference found does not mean equal",
        "A family is all pairs of a table's columns, in all of its groups and metrics, over one source of chance; "
        "clean images are compared with nothing, and what two groups share is one comparison. Intervals are not "
        "corrected, so one may exclude 0 where the corrected p does not tell the two apart",
        *(text for over, text in _SOURCES.items() if any(section.over == over for section in sections)),
        *_of_data_sets(sections),
        *_methods(sections),
        *_trained_once(sections),
        *map(escaped, left_out),
        *map(escaped, _footnotes(sections)),
    ]
    return "\n".join(f"- {sentence}." for sentence in sentences)


def _better(sections: Sequence[Section]) -> Iterator[str]:
    """Which values are better, of the metrics on the page."""
    metrics = {row.metric.name: row.metric for section in sections for row in section.comparisons}
    lower = [escaped(metric.title) for metric in metrics.values() if metric.better == "lower"]
    if metrics:
        yield f"Lower is better for {', '.join(lower)}, higher for everything else" if lower else "Higher is better"


def _of_data_sets(sections: Sequence[Section]) -> Sequence[str]:
    """What there is to say of scores of all images together, if there are any."""
    tests = {row.estimate.test for section in sections for row in section.comparisons}
    return _OF_DATA_SET if {PERMUTATION, BOOTSTRAP_T} & tests else ()


def _methods(sections: Sequence[Section]) -> Iterator[str]:
    """What a name stands for over seeds, and who is not among them."""
    groups = {name: members for section in sections for name, members in section.groups.items()}
    if not groups:
        return
    titles = {name: title for section in sections if section.groups for name, title in section.titles.items()}
    members = (f"{escaped(titles[name])} is {_names(own.values())}" for name, own in groups.items() if name in titles)
    yield "Over seeds a method is one way of training, with one denoiser for each seed: " + "; ".join(members)
    several = {denoiser for own in groups.values() for denoiser in own.values()}
    scored = dict.fromkeys(name for section in sections if section.groups for name in section.means.scores)
    if others := [name for name in scored if name not in several]:
        yield f"Left out over seeds, since not trained with two seeds: {_names(others)}"
    for text in dict.fromkeys(text for section in sections if section.over == "seeds" for text in _apart(section)):
        yield f"Left out over seeds: {text}"


def _trained_once(sections: Sequence[Section]) -> Iterator[str]:
    """Whose training is not among what varies over all sources."""
    scores = {name: own for section in sections if section.over == "all" for name, own in section.means.scores.items()}
    several = {name for section in sections for members in section.groups.values() for name in members.values()}
    entries = {name: own.provenance.get("entry", {}) for name, own in scores.items() if name not in several}
    if once := [name for name, entry in entries.items() if "train" in entry or "weights" in entry]:
        yield f"Of each of these there is one training, and no interval says what another would do: {_names(once)}"


def _apart(section: Section) -> Iterator[str]:
    """Scores that are no part of a mean over seeds."""
    means, members = section.means, {denoiser for own in section.groups.values() for denoiser in own.values()}
    for metric in means.metrics.values():
        of_metric = [place for place in means.values if place.metric == metric.name and place.denoiser in members]
        if names := dict.fromkeys(place.denoiser for place in of_metric if means.is_apart(place)):
            yield f"{escaped(metric.title)} of {_names(names)}: a mean over fewer images than that of others"


def _footnotes(sections: Iterable[Section]) -> list[str]:
    """Samples, failures, conventions and deviations, each once."""
    panels = {id(section.means): section.means for section in sections}
    return plain_footnotes([*panels.values()])


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(escaped, names))
