"""Do denoisers differ by more than their training seeds do? Means and paired differences over seeds, with intervals."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from usaid.cards import Metric
from usaid.errors import UsaidError
from usaid.experiment.seeds import without_seed
from usaid.registries import BENCHMARKS
from usaid.report.statistics.old_estimates import Group, SeedComparison, SeedRow, estimate
from usaid.report.statistics.render_seeds import render_seeds_csv, render_seeds_markdown
from usaid.report.tables.cells import Place
from usaid.report.tables.footnotes import plain_footnotes
from usaid.report.tables.means import Means
from usaid.report.tables.metrics import further_metrics, metrics_of
from usaid.report.tables.titles import distinct, sigma_name
from usaid.report.text_files import write_texts
from usaid.scores.comparable import check_comparable
from usaid.scores.files import Scores, read_scores


def write_seeds(score_files: Iterable[str | Path], folder: str | Path) -> None:
    """Write ``seeds.csv`` and ``seeds.md`` to a folder; as :func:`compare_seeds`.

    The CSV file has the columns benchmark, sigma, metric, kind (``mean`` or ``difference``), denoiser, other, value,
    low, high, p_value, n_seeds, verdict (``differ`` or ``no difference found``), sd, convention.

    Raises:
        UsaidError: as :func:`compare_seeds`.
    """
    comparison = compare_seeds(score_files)
    csv, markdown = render_seeds_csv(comparison), render_seeds_markdown(comparison)
    write_texts({Path(folder) / "seeds.csv": csv, Path(folder) / "seeds.md": markdown})


def compare_seeds(score_files: Iterable[str | Path]) -> SeedComparison:
    """Means over training seeds, and paired differences between denoisers that were trained with the same seeds.

    Denoisers whose entries in the experiment agree in everything but ``title`` and ``train.seed`` are one group. Two
    groups are compared over the seeds that both have: the same seed gives both the same initialisation, patches and
    noise, as far as their recipes agree on these. The intervals are about the variation over training seeds, on the
    images and the noise that were scored.

    Args:
        score_files: of one benchmark or several, one for each denoiser and benchmark.

    Raises:
        UsaidError: no group has two seeds, two denoisers are trained alike with one seed, or the scores of a benchmark
            are not comparable.
    """
    scores = _read(score_files)
    groups = [group for group in _groups(scores) if len(group.members) > 1]
    if not groups:
        cure = "train one with another train.seed and all else the same"
        raise UsaidError(f"score files: no denoiser was trained with two seeds; {cure}")
    compared = [denoiser for group in groups for denoiser in group.members.values()]
    means = {}
    for benchmark, by_denoiser in scores.items():
        chosen = {name: by_denoiser[name] for name in compared if name in by_denoiser}
        check_comparable(benchmark, chosen)
        metrics = [*metrics_of(benchmark), *further_metrics(benchmark, chosen.values())]
        means[benchmark] = Means(benchmark, metrics, chosen)
    names = dict.fromkeys(name for by_denoiser in scores.values() for name in by_denoiser)
    titles = distinct({group.name: group.title for group in groups})
    return SeedComparison(
        tuple(group._replace(title=titles[group.name]) for group in groups),
        {benchmark: tuple(_rows(benchmark, own, groups)) for benchmark, own in means.items()},
        {benchmark: (*plain_footnotes(own), *_left_out(own)) for benchmark, own in means.items()},
        tuple(name for name in names if name not in compared),
    )


def _read(score_files: Iterable[str | Path]) -> dict[str, dict[str, Scores]]:
    """Benchmark -> denoiser -> scores."""
    scores: dict[str, dict[str, Scores]] = {}
    for path in score_files:
        of_file = read_scores(path)
        benchmark, denoiser = of_file.provenance["benchmark"], of_file.provenance["denoiser"]
        if benchmark not in BENCHMARKS:
            raise UsaidError(f"{path}: scores of {benchmark}; give those of {', '.join(BENCHMARKS)}")
        if denoiser in scores.setdefault(benchmark, {}):
            raise UsaidError(f"{path}: a second score file of {denoiser} on {benchmark}; give one")
        scores[benchmark][denoiser] = of_file
    return scores


def _groups(scores: Mapping[str, Mapping[str, Scores]]) -> list[Group]:
    """The trained denoisers, grouped by all of their entries but title and seed."""
    entries: dict[str, dict[str, Any]] = {}
    groups: dict[str, Group] = {}
    for benchmark, by_denoiser in scores.items():
        for denoiser, own in by_denoiser.items():
            entry, file = own.provenance["entry"], f"{benchmark}/{denoiser}.parquet"
            if entries.setdefault(denoiser, entry) != entry:
                raise UsaidError(f"{file}: not the {denoiser} of another benchmark; give files of one experiment")
            if "seed" not in entry.get("train", {}):
                continue
            group = groups.setdefault(without_seed(entry), Group(denoiser, own.provenance["title"], members={}))
            twin = group.members.setdefault(entry["train"]["seed"], denoiser)
            if twin != denoiser:
                raise UsaidError(f"{file}: trained as {twin} is, seed and all; give only one of the two")
    return list(groups.values())


def _rows(benchmark: str, means: Means, groups: Sequence[Group]) -> Iterator[SeedRow]:
    for sigma in means.sigmas:
        for metric in means.metrics.values():
            convention = means.conventions[metric.name]
            if convention is None:
                continue
            row = (benchmark, sigma, metric, convention.name)
            by_seed = {group.name: _by_seed(means, group, sigma, metric) for group in groups}
            for name, values in by_seed.items():
                if len(values) > 1:
                    yield SeedRow(*row, name, None, estimate([*values.values()]))
            for (name, values), (other, subtracted) in combinations(by_seed.items(), 2):
                common = sorted(values.keys() & subtracted.keys())
                if len(common) > 1:
                    yield SeedRow(*row, name, other, estimate([values[seed] - subtracted[seed] for seed in common]))


def _left_out(means: Means) -> Iterator[str]:
    """What is not averaged over seeds, since it is a mean over fewer images than others."""
    for metric in means.metrics:
        of_metric = [place for place in means.values if place.metric == metric and means.is_apart(place)]
        if names := [*dict.fromkeys(place.denoiser for place in of_metric)]:
            yield f"{metric} of {', '.join(names)}: left out where it is a mean over fewer images than that of others"


def _by_seed(means: Means, group: Group, sigma: float, metric: Metric) -> dict[int, float]:
    """Training seed -> mean over images.

    A seed whose evaluator failed, or whose mean is not finite or over fewer images than that of others, is left out.
    """
    places = {seed: Place(sigma_name(sigma), denoiser, metric.name) for seed, denoiser in group.members.items()}
    values = {
        seed: means.values[place].value
        for seed, place in places.items()
        if place in means.values and not means.is_apart(place)
    }
    return {seed: value for seed, value in values.items() if math.isfinite(value)}
