"""What stands below a table of means: n, conventions, missing cells, deviations and where the numbers come from."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from usaid.paper.layouts import TABLES, TableSpec
from usaid.paper.published import paper_denoisers, paper_notes, published
from usaid.report.tables.cells import Footnote, Mark, Place
from usaid.report.tables.means import Means, Missing
from usaid.report.tables.numbers import counted

NOT_IN_PAPER = "not in the paper"
DEVIATION = "Deviation from the paper: "
"""What footnotes on deviations begin with."""

Marked = Iterable[tuple[str, Mark | Place]]
"""Text of a footnote and one of the things that it is about."""


def footnotes_of_means(
    spec: TableSpec, panels: Sequence[Means], missing: Iterable[Missing], titles: Mapping[str, str]
) -> list[Footnote]:
    """The footnotes of a table made from score files, in order.

    Args:
        spec: the table.
        panels: what it shows, for each of its benchmarks.
        missing: the reasons of its dashes.
        titles: denoiser -> title.
    """
    shared = _deviations_of_all_panels(panels)
    marked = [(dash.reason, dash.mark) for dash in missing]
    for means in panels:
        marked += _failures(means)
        marked += [*_conventions(means), *_undefined(means), *_deviations_of_some(means), *_noisy(spec, means)]
        marked += [(text, Mark(group=means.group)) for text in _deviations_of_all(means) if text not in shared]
        marked += [*_told(spec, means), *_further(spec, means)]
    marked += _printed_twice(spec, titles)
    marked.sort(key=lambda pair: _reading_order(pair[1], list(titles)))
    general = [text for means in panels for text in (*_origins(means, titles), *_weights(means, titles))]
    trainings = [text for means in panels if spec.ablated is not None for text in _trainings(means, titles)]
    return [
        *(Footnote(text) for means in panels for text in _sample(means, draws_first=spec.over_draws)),
        *grouped_by_text(marked),
        *map(Footnote, dict.fromkeys([*shared, *trainings, *general])),
        *_variant(spec),
        *notes_on_print(spec.number),
    ]


def plain_footnotes(panels: Sequence[Means]) -> list[str]:
    """What has to stand below any page made from means: as below a table, but naming denoisers instead of marking.

    Each text once. A deviation names the denoisers that have it, if not all of all panels do.
    """
    texts: list[str] = []
    for means in panels:
        failed = [f"{name}: {why}" for name in means.scores if (why := means.why_failed(name))]
        conventions = [text for text, _ in _conventions(means)]
        undefined = [f"{mark.denoiser}, sigma {mark.group}: {text}" for text, mark in _undefined(means)]
        texts += [*_sample(means), *failed, *conventions, *undefined]
    judged = dict.fromkeys(name for means in panels for name in means.judged)
    having: dict[str, dict[str, None]] = {}
    for means in panels:
        for name in means.judged:
            for text in means.deviations(name, None):
                having.setdefault(f"{DEVIATION}{text}", {})[name] = None
    named = [text if {*names} == {*judged} else f"{', '.join(names)}: {text}" for text, names in having.items()]
    origins = [text for means in panels for text in _origins(means, {name: name for name in means.scores})]
    return [*dict.fromkeys([*texts, *named, *origins])]


def grouped_by_text(marked: Marked) -> list[Footnote]:
    """One footnote for each text, with all its marks."""
    marks: dict[str, dict[Mark | Place, None]] = {}
    for text, mark in marked:
        marks.setdefault(text, {})[mark] = None
    return [Footnote(text, tuple(places)) for text, places in marks.items()]


def notes_on_print(number: int | None) -> list[Footnote]:
    """Where the print of the paper's table is ambiguous."""
    notes = paper_notes(number)
    return [] if notes is None else [Footnote(f"On the print: {notes.strip().removesuffix('.')}")]


def _reading_order(mark: Mark | Place, denoisers: list[str]) -> tuple[bool, bool, int]:
    """Headings of columns from left to right, then metrics, groups and single cells."""
    return (mark.group is not None, mark.metric is not None, denoisers.index(mark.denoiser) if mark.denoiser else 0)


def _sample(means: Means, draws_first: bool = False) -> Iterable[str]:
    """``n = ... of ...``, the sigma of a table that has only one, the draws, and the conventions."""
    for scores in list(means.judged.values())[:1]:
        dataset, draws = scores.provenance["dataset"], scores.rows["draw"].nunique()
        subset = f" (subset {dataset['subset']})" if dataset["subset"] else ""
        n = f"{dataset['n']:,} of {dataset['n_official']:,} images"
        images = f"{n} of {dataset['name']}, split {dataset['split']}{subset}"
        own = {name: used for name, used in means.conventions.items() if means.metrics[name].printed_as is None}
        used = [convention for convention in own.values() if convention is not None]  # others have footnotes of theirs
        averaged = [convention.name for convention in used if not convention.of_whole_set]
        whole = [convention.name for convention in used if convention.of_whole_set]
        columns = [f"means of {', '.join(averaged)}"] * bool(averaged)
        columns += [f"{', '.join(whole)} of all images together"] * bool(whole)
        sigma = "" if means.sigma is None else f"; sigma {means.sigma:g}"
        noise = counted(draws, "noise draws")
        sample = f"{noise}; {images}{sigma}" if draws_first else f"{images}{sigma}; {noise}"
        yield f"n = {sample}; {'; '.join(columns)}"


def _failures(means: Means) -> Marked:
    """Denoisers without any number, also where no cell stands for them: nothing was scored at all."""
    for denoiser in means.scores:
        if (reason := means.why_failed(denoiser)) is not None:
            yield from ((reason, means.mark(denoiser, metric)) for metric in means.metrics)


def _conventions(means: Means) -> Marked:
    """Metrics whose convention is not the paper's; a deviation that names the convention says it better."""
    for metric, convention in means.conventions.items():
        texts = {text: None for denoiser in means.judged for text in means.deviations(denoiser, metric)}
        if not texts and convention not in (None, means.metrics[metric].conventions[0]):
            texts = {means.convention_text(metric): None}
        yield from ((text, Mark(metric=metric)) for text in texts)


def _further(spec: TableSpec, means: Means) -> Marked:
    """Metrics that the experiment asked for beside the paper's, and other conventions of the paper's."""
    for name, metric in means.metrics.items():
        if metric.printed_as is not None:
            used = means.conventions[name]
            how = "" if used is None else f", {used.name}"
            printed = (
                means.metrics[metric.printed_as].title if metric.printed_as in means.metrics else metric.printed_as
            )
            yield f"{printed} in another convention{how}, beside the same print: without verdicts", Mark(metric=name)
        elif name not in spec.metrics:
            yield NOT_IN_PAPER, Mark(metric=name)


def _variant(spec: TableSpec) -> Iterable[Footnote]:
    """Whose printed numbers stand beside those of a variant."""
    if spec.variant is not None and spec.number is not None:
        printed = TABLES[spec.number].title
        yield Footnote(f"The printed numbers are {printed}'s, which alone judges them: no verdict here is counted")


def _undefined(means: Means) -> Marked:
    for place, mean in means.values.items():
        if mean.n and (text := means.undefined_text(place)):
            yield text, place


def _noisy(spec: TableSpec, means: Means) -> Marked:
    """Where the paper prints a PSNR of the noisy images, it is theirs before clamping (PROTOCOL section 2)."""
    if "noisy" in means.judged and "noisy" in paper_denoisers(spec.number) and "psnr" in means.metrics:
        text = "the paper's PSNR and SSIM of the noisy images are of the unclamped ones (20 log10(255 / sigma)); "
        yield text + "ours are clamped to the range of an image, as all outputs are", Mark(denoiser="noisy")


def _told(spec: TableSpec, means: Means) -> Marked:
    """What the denoisers were told, where it matters."""
    for denoiser in means.judged:
        if spec.settings is None and means.is_told(denoiser):
            yield "non-blind: told the true sigma", Mark(denoiser=denoiser)
        if spec.settings is not None and not means.is_told(denoiser):
            yield "blind: not told any sigma, so the settings do not differ", Mark(denoiser=denoiser)


def _printed_twice(spec: TableSpec, titles: Mapping[str, str]) -> Marked:
    """Where the paper prints two values of one experiment: what is told in one setting is the truth of the other."""
    settings = spec.settings or {}
    for metric, denoiser in product(spec.metrics, titles):
        for sigma in {level for level in settings.values() if level is not None}:
            alike = [f"{name}/{sigma:g}" for name, level in settings.items() if level in (None, sigma)]
            values = [published(spec.number, group, metric, denoiser) for group in alike]
            known = [value for value in values if value is not None]
            if len({*_rounded_alike(known)}) > 1:
                twice = " and ".join(map(str, known))
                text = f"the paper prints two values of this one experiment (the true σ is told): {twice}"
                yield from ((text, Place(group, denoiser, metric)) for group in alike)


def _rounded_alike(values: Sequence[float]) -> list[float]:
    """The values with as many digits after the point as the shortest of them is printed with."""
    digits = min((len(str(value).partition(".")[2]) for value in values), default=0)
    return [round(value, digits) for value in values]


def _deviations_of_all(means: Means) -> list[str]:
    """Those that all denoisers have."""
    by_denoiser = [means.deviations(denoiser, None) for denoiser in means.judged]
    common = [text for text in by_denoiser[0] if all(text in texts for texts in by_denoiser)] if by_denoiser else []
    return [f"{DEVIATION}{text}" for text in common]


def _deviations_of_all_panels(panels: Sequence[Means]) -> list[str]:
    """Those that all denoisers have on all benchmarks that were scored."""
    by_panel = [_deviations_of_all(means) for means in panels if means.judged]
    return [text for text in by_panel[0] if all(text in texts for texts in by_panel)] if by_panel else []


def _deviations_of_some(means: Means) -> Marked:
    common = _deviations_of_all(means)
    for denoiser in means.judged:
        for text in (f"{DEVIATION}{text}" for text in means.deviations(denoiser, None)):
            if text not in common:
                yield from ((text, means.mark(denoiser, metric)) for metric in means.metrics)


def _origins(means: Means, titles: Mapping[str, str]) -> Iterable[str]:
    """Provenance that may differ between the score files of a table, but not silently; of earlier scores it is told
    where they are from."""
    for what, read in _ORIGINS.items():
        titles_by_origin: dict[str, list[str]] = {}
        for name, scores in means.judged.items():
            if scores.provenance.get("borrowed_from") is None:
                titles_by_origin.setdefault(read(scores.provenance), []).append(titles[name])
        if len(titles_by_origin) > 1:
            values = (f"{value}: {', '.join(own)}" for value, own in titles_by_origin.items())
            yield f"Scored with different {what}: {'; '.join(values)}"
    yield from _borrowed(means, titles)


def _borrowed(means: Means, titles: Mapping[str, str]) -> Iterable[str]:
    """Scores that were taken from an earlier run."""
    titles_by_text: dict[str, list[str]] = {}
    for name, scores in means.judged.items():
        if (origin := scores.provenance.get("borrowed_from")) is not None:
            code = origin.get("judge_code")
            version = "an unknown version" if code is None else f"version {code}"
            by = "" if origin.get("is_same_evaluator") else f", judged by {version} of the evaluator"
            of_it = "; ".join([f"code {_ORIGINS['code'](scores.provenance)}", _ORIGINS["devices"](scores.provenance)])
            titles_by_text.setdefault(f"Taken from {origin['folder']} ({of_it}){by}", []).append(titles[name])
    yield from (f"{text}: {', '.join(own)}" for text, own in titles_by_text.items())


_ORIGINS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "experiments": lambda provenance: str(provenance.get("experiment")),
    "code": lambda provenance: str(provenance.get("git", {}).get("commit"))[:12],
    "devices": lambda provenance: re.sub(r"\b1 threads\b", "1 thread", str(provenance.get("device"))),
    "precision": lambda provenance: str(provenance.get("precision")),
}


def _trainings(means: Means, titles: Mapping[str, str]) -> Iterable[str]:
    """Keys of the recipe that differ between the columns of an ablation, besides the one that it is about."""
    recipes = {titles[name]: scores.provenance["entry"]["train"] for name, scores in means.judged.items()}
    for key in dict.fromkeys(key for recipe in recipes.values() for key in recipe if key != "classes"):
        columns_by_value: dict[str, list[str]] = {}
        for title, recipe in recipes.items():
            columns_by_value.setdefault(str(recipe.get(key)), []).append(title)
        if len(columns_by_value) > 1:
            values = (f"{value} ({', '.join(columns)})" for value, columns in columns_by_value.items())
            yield f"Trained with different {key}: {', '.join(values)}"


def _weights(means: Means, titles: Mapping[str, str]) -> Iterable[str]:
    """Hashes of the checkpoints that were given, or of the weights that were trained."""
    hashes: dict[str, Any] = {
        titles[name]: scores.provenance.get("entry", {}).get("sha256") or scores.provenance["weights_sha256"]
        for name, scores in means.judged.items()
    }
    if known := [f"{title} {digest[:12]}" for title, digest in hashes.items() if digest]:
        yield f"SHA-256 of the weights: {', '.join(known)}"
