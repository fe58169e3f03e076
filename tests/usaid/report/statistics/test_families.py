"""All pairs of a table as one family: which they are, what the family is called, and what does not count in it."""

import math

import numpy as np
import pandas as pd
import pytest
from score_files import PSNR, made_scores, means_of

from usaid.cards import Benchmark
from usaid.errors import UsaidError
from usaid.paper.layouts import TABLES, TableSpec
from usaid.report.statistics.estimates import Comparison, Estimate
from usaid.report.statistics.families import comparisons_of_table, corrected
from usaid.report.statistics.inference import holm
from usaid.report.tables.means import Means
from usaid.report.tables.metrics import metrics_named
from usaid.scores.files import Scores


def quality(name: str, mean: float, seed: int = 1, **options: object) -> Scores:
    """PSNR and SSIM of six images at sigma 15 and 25."""
    values = np.random.default_rng(seed).normal(mean, 0.5, (1, 6))
    columns = {PSNR: values, "ssim_skimage7": values / 100}
    return made_scores(name, columns, **({"sigmas": (15, 25)} | options))  # type: ignore[arg-type]


def of_table_6(*scores: Scores) -> Means:
    return means_of(*scores, metrics=["psnr", "ssim", "niqe"])


def pairs_of(comparisons: list[Comparison]) -> list[tuple[str, str | None]]:
    return list(dict.fromkeys((one.denoiser, one.other) for one in comparisons))


def test_every_pair_of_the_columns_but_clean_later_minus_earlier_in_all_groups_and_metrics():
    names = ["mine", "clean", "u_said", "noisy", "cdncnn_b"]
    means = of_table_6(*(quality(name, 30 + n, seed=n) for n, name in enumerate(names)))
    found = comparisons_of_table(TABLES[6], [means])
    order = [("cdncnn_b", "noisy"), ("u_said", "noisy"), ("mine", "noisy"), ("u_said", "cdncnn_b")]
    assert pairs_of(found) == [*order, ("mine", "cdncnn_b"), ("mine", "u_said")]
    assert [(one.group, one.metric.name) for one in found[::6]] == [
        ("15", "psnr"), ("15", "ssim"), ("25", "psnr"), ("25", "ssim"),
    ]  # fmt: skip
    assert {(one.family, one.family_size) for one in found} == {("Table VI, over images", 24)}
    assert {(one.benchmark, one.convention) for one in found} == {
        ("kodak_quality", PSNR),
        ("kodak_quality", "ssim_skimage7"),
    }
    assert found[3].estimate.value == pytest.approx(
        float(means.judged["u_said"].rows[PSNR].mean() - means.judged["cdncnn_b"].rows[PSNR].mean())
    )


def test_the_correction_is_holms_over_all_of_the_table():
    means = of_table_6(*(quality(name, 30 + n / 10, seed=n) for n, name in enumerate(("noisy", "a", "b"))))
    found = comparisons_of_table(TABLES[6], [means])
    ordered = sorted(found, key=lambda one: one.estimate.p or 0)
    largest = 0.0
    for rank, one in enumerate(ordered):
        assert one.estimate.p is not None
        largest = max(largest, min(1.0, (len(found) - rank) * one.estimate.p))
        assert one.p_corrected == pytest.approx(largest)


def test_scores_come_first_and_are_no_part_of_the_family():
    means = of_table_6(quality("clean", 40), quality("a", 30), quality("b", 31, seed=2))
    found = comparisons_of_table(TABLES[6], [means], with_scores=True)
    assert pairs_of(found) == [("a", None), ("b", None), ("clean", None), ("b", "a")]
    scores = [one for one in found if one.other is None]
    assert {one.denoiser for one in scores} == {"a", "b", "clean"}
    assert {(one.family, one.p_corrected, one.verdict) for one in scores} == {("", None, "")}
    assert {one.family_size for one in found if one.other is not None} == {4}


def test_what_cannot_be_tested_is_there_and_does_not_count():
    broken = quality("broken", 1, failure="out of memory")
    means = of_table_6(quality("a", 30), quality("b", 31, seed=2), broken, quality("c", 30))
    found = comparisons_of_table(TABLES[6], [means])
    assert len(found) == 4 * 6
    not_testable = [one for one in found if one.estimate.not_testable]
    assert {one.estimate.not_testable for one in not_testable} == {
        "broken: not scored: out of memory",
        "no image differs",
    }
    assert {(one.verdict, one.p_corrected) for one in not_testable} == {("not testable", None)}
    assert {one.family_size for one in found} == {4 * 2}


def trained(name: str, mean: float, seeds: range) -> list[Scores]:
    """A denoiser for each seed, of two images."""
    values = {seed: mean + seed / 10 + mean * seed**2 / 1000 for seed in seeds}
    return [made_scores(f"{name}_{s}", {PSNR: [[v, v + 1]]}, s, method=name) for s, v in values.items()]


def test_over_seeds_the_columns_are_those_of_two_seeds_or_more():
    scores = [*trained("a", 30, range(3)), *trained("once", 31, range(1)), *trained("b", 32, range(1, 4))]
    means = of_table_6(*scores, made_scores("noisy", {PSNR: [[20, 21]]}))
    found = comparisons_of_table(TABLES[6], [means], "seeds")
    assert pairs_of(found) == [("b_1", "a_0")]
    assert (found[0].family, found[0].family_size) == ("Table VI, over seeds", 1)
    assert found[0].estimate.units == {"seeds": 2, "images": 2}
    everything = comparisons_of_table(TABLES[6], [means], "all")
    assert pairs_of(everything)[:3] == [("a_0", "noisy"), ("once_0", "noisy"), ("b_1", "noisy")]
    named = comparisons_of_table(TABLES[6], [means], "seeds", {"x": {0: "a_0", 1: "a_1"}, "y": {0: "a_2", 1: "b_1"}})
    assert pairs_of(named) == [("y", "x")]


def test_seeds_that_are_trained_twice_are_refused():
    means = of_table_6(*trained("a", 30, range(2)), made_scores("twin", {PSNR: [[1, 2]]}, 1, method="a"))
    with pytest.raises(UsaidError, match="trained as a_1 is, seed and all"):
        comparisons_of_table(TABLES[6], [means], "seeds")
    assert len(comparisons_of_table(TABLES[6], [means], "images")) == 3


def test_over_draws_a_family_says_whether_it_is_paired():
    values = np.random.default_rng(0).normal(30, 1, (2, 3, 4))
    means = of_table_6(*(made_scores(name, {PSNR: draws}) for name, draws in zip("ab", values, strict=True)))
    for paired, family in ((True, "Table VI, over draws"), (False, "Table VI, over draws, not paired")):
        (found,) = comparisons_of_table(TABLES[6], [means], "draws", paired=paired)
        assert found.family == family
        assert found.estimate.p is not None
    assert found.estimate.test == "two-sample t-test"


def test_the_benchmarks_of_a_table_are_one_family():
    counts = {name: [[[50 + n, k, n, 60] for n in range(5)]] for k, name in enumerate(("noisy", "a", "b"))}
    isic, deepglobe = (
        [made_scores(name, {"confusion": own}, benchmark=benchmark) for name, own in counts.items()]
        for benchmark in ("isic_segmentation", "deepglobe_segmentation")
    )
    miou = metrics_named(["miou"])
    panels = [
        Means(benchmark, miou, {own.provenance["denoiser"]: own for own in scores}, 25.0, group)
        for (benchmark, group), scores in zip(TABLES[7].benchmarks.items(), (isic, deepglobe[1:]), strict=True)
    ]
    found = comparisons_of_table(TABLES[7], panels)
    assert [(one.group, one.denoiser, one.other) for one in found] == [
        ("isic2018", "a", "noisy"), ("isic2018", "b", "noisy"), ("isic2018", "b", "a"), ("deepglobe", "b", "a"),
    ]  # fmt: skip
    assert {(one.family, one.family_size) for one in found} == {("Table VII, over images", 4)}
    empty = [panels[0], Means("deepglobe_segmentation", miou, {}, 25.0, "deepglobe")]
    assert len(comparisons_of_table(TABLES[7], empty)) == 3


def test_a_benchmark_without_a_number_names_its_family():
    card = Benchmark("dots_brightness", dataset="dots", split="test", judge="a:b", settings="a:c", metrics=("psnr",))
    means = means_of(*(quality(name, 30, seed=n, benchmark=card.name) for n, name in enumerate("ab")))
    found = comparisons_of_table(TableSpec(None, {card.name: None}, card.metrics), [means])
    assert {one.family for one in found} == {"Benchmark dots_brightness, over images"}


def test_one_column_has_no_pairs():
    assert comparisons_of_table(TABLES[6], [of_table_6(quality("a", 30), quality("clean", 40))]) == []


def test_corrected_takes_what_is_given_as_one_family():
    metric = metrics_named(["psnr"])[0]

    def comparison(p: float | None, other: str | None = "b") -> Comparison:
        estimate = Estimate("images", "t", {"images": 2}, math.nan, p=p)
        return Comparison("kodak_quality", "25", 25.0, metric, PSNR, "a", other, estimate)

    found = corrected([comparison(0.04), comparison(0.01), comparison(None), comparison(None, other=None)], "mine")
    assert [one.p_corrected for one in found] == [0.04, 0.02, None, None]
    assert [one.family for one in found] == ["mine", "mine", "mine", ""]
    assert found[0].family_size == 2


def test_a_test_that_two_settings_show_counts_once():
    """Table IV: the blind denoisers' are the same in both settings, the told ones' where what is told is the truth."""
    spec, by_name = TABLES[4], {name: quality(name, 30, seed=n) for n, name in enumerate(("noisy", "blind", "told"))}
    own = by_name["told"]
    truth = own.rows.assign(told_sigma=own.rows["sigma"])
    misled = truth[truth["sigma"] == 15].assign(told_sigma=25.0)
    misled[PSNR] = np.random.default_rng(9).normal(29, 0.5, len(misled))
    by_name["told"] = Scores(pd.concat([truth, misled], ignore_index=True), own.provenance)
    means = Means("kodak_quality", metrics_named(["psnr"]), by_name, settings=spec.settings)
    found = comparisons_of_table(spec, [means])
    assert len(found) == 3 * 4
    assert {one.family_size for one in found} == {3 * 2 + 2}, "at 15, two more are of what was misled"
    tested = {(one.group, one.denoiser, one.other): one for one in found}
    for pair, sigma in ((("blind", "noisy"), 15), (("blind", "noisy"), 25), (("told", "blind"), 25)):
        median, oracle = (tested[f"{setting}/{sigma}", *pair] for setting in ("median_sigma", "oracle_sigma"))
        assert median.p_corrected == oracle.p_corrected is not None
    each = [one for one in found if one.group != "oracle_sigma/25" and (one.group, one.denoiser) != (
        "oracle_sigma/15", "blind")]  # fmt: skip
    assert [one.p_corrected for one in each] == holm([one.estimate.p for one in each])


def test_hostile_names_are_carried_as_they_are():
    means = of_table_6(quality("| a\n*b*", 30), quality("\\textbf{c}<script>", 31, seed=2))
    assert pairs_of(comparisons_of_table(TABLES[6], [means])) == [("\\textbf{c}<script>", "| a\n*b*")]
