"""Scores and differences by source of chance: against scipy and cases worked by hand, and what cannot be tested."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from score_files import PSNR, made_scores, means_of

from usaid.errors import UsaidError
from usaid.report.statistics import sources
from usaid.report.statistics.estimates import Estimate
from usaid.report.statistics.sources import estimates_of, training_groups
from usaid.scores import whole_set
from usaid.scores.files import Scores

A, B = (30.0, 30.2, 30.1), (29.9, 30.2, 29.9)
"""Scores of two methods at seeds 0, 1, 2. Differences 0.1, 0, 0.2: mean 0.1, standard deviation 0.1, and with the
tabulated t(0.975, 2 degrees of freedom) = 4.3027 the half width 4.3027 * 0.1 / sqrt(3) = 0.2484."""


def difference(first: Scores, other: Scores, over: Any = "images", metric: str = "psnr", **options: Any) -> Estimate:
    """First minus other at sigma 25."""
    pair = (first.provenance["denoiser"], other.provenance["denoiser"])
    means = means_of(first, other, metrics=[metric])
    return estimates_of(means, "25", metric, [pair], over, **options)[pair]


def score_of(scores: Scores, over: Any = "images", metric: str = "psnr", **options: Any) -> Estimate:
    name = scores.provenance["denoiser"]
    return estimates_of(means_of(scores, metrics=[metric]), "25", metric, [(name, None)], over, **options)[name, None]


def noisy_numbers(seed: int, mean: float = 30.0, shape: tuple[int, int] = (2, 5)) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, shape)


def random_confusions(seed: int, n: int = 8) -> dict[str, Any]:
    """Confusion counts of images and two classes, mostly right."""
    chance = np.random.default_rng(seed)
    right, wrong = chance.integers(50, 100, (n, 2)), chance.integers(0, 30, (n, 2))
    return {"confusion": [np.stack([right[:, 0], wrong[:, 0], wrong[:, 1], right[:, 1]], axis=1).tolist()]}


# ---------------------------------------------------------------------------------------------------------- over images


def test_over_images_a_mean_is_compared_by_the_paired_t_test_of_means_over_draws():
    first, other = noisy_numbers(1), noisy_numbers(2, mean=29)
    found = difference(made_scores("a", {PSNR: first}), made_scores("b", {PSNR: other}))
    expected = stats.ttest_rel(first.mean(axis=0), other.mean(axis=0))
    interval = expected.confidence_interval(0.95)
    assert (found.test, found.over, found.units) == ("paired t-test", "images", {"images": 5, "draws": 2})
    assert found.value == pytest.approx(first.mean() - other.mean())
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_a_difference_is_in_the_unit_of_the_paper():
    first, other = ({"top1": [[float(right) for right in answers]]} for answers in ("1110", "0100"))
    found = difference(made_scores("a", first), made_scores("b", other), metric="top1")
    assert (found.value, found.units) == (50, {"images": 4})
    assert found.error == pytest.approx(100 * math.sqrt(1 / 3) / 2)


def test_a_score_has_an_interval_and_no_p():
    found = score_of(made_scores("a", {PSNR: [[1, 2, 3]]}))
    assert (found.value, found.p, found.error) == (2, None, pytest.approx(1 / math.sqrt(3)))
    assert found.high == pytest.approx(2 + 4.3027 / math.sqrt(3), abs=1e-4)


def test_an_image_that_is_undefined_for_one_of_a_pair_is_left_out_of_that_pair_alone():
    a, b = made_scores("a", {PSNR: [[1, 2, 4, math.nan]]}), made_scores("b", {PSNR: [[0, math.nan, 1, 7]]})
    c = made_scores("c", {PSNR: [[0, 0, 0, 9]]})
    found = estimates_of(means_of(a, b, c), "25", "psnr", [("a", "b"), ("a", "c"), ("b", "c")], "images")
    assert (found["a", "b"].value, found["a", "b"].units) == (2, {"images": 2})
    assert (found["a", "c"].value, found["a", "c"].units) == (pytest.approx(7 / 3), {"images": 3})
    assert (found["b", "c"].value, found["b", "c"].units) == (pytest.approx(-1 / 3), {"images": 3})


@pytest.mark.parametrize(
    ("first", "other", "reason"),
    [
        ([1], [2], "one image"),
        ([1, 2, 3], [1, 2, 3], "no image differs"),
        ([1, 2, 3], [0, 1, 2], "all differences are equal"),
        ([1, math.inf, 3], [1, 2, 2], "a: a score is infinite"),
        ([1, 2, 2], [math.inf, math.inf, 3], "b: a score is infinite"),
        ([math.nan, 2], [1, math.nan], "no images"),
    ],
)
def test_images_that_say_nothing(first, other, reason):
    found = difference(made_scores("a", {PSNR: [first]}), made_scores("b", {PSNR: [other]}))
    assert found.not_testable == reason
    assert (found.low, found.high, found.p, found.error) == (None, None, None, None)


def test_some_ties_are_no_obstacle():
    found = difference(made_scores("a", {PSNR: [[1, 2, 3, 5]]}), made_scores("b", {PSNR: [[1, 2, 3, 4]]}))
    assert found.p == pytest.approx(stats.ttest_rel([1, 2, 3, 5], [1, 2, 3, 4]).pvalue)


def test_what_is_missing_is_not_testable_for_the_reason_that_its_cell_gives():
    a, failed = made_scores("a", {PSNR: [[1, 2]]}), made_scores("broken", {PSNR: [[1, 2]]}, failure="out of\nmemory.")
    means = means_of(a, failed, metrics=["psnr", "ssim"])

    def reason(pair: Any, group: str = "25", metric: str = "psnr", over: Any = "images") -> str | None:
        return estimates_of(means, group, metric, [pair], over)[pair].not_testable

    for over in ("images", "draws"):
        assert reason(("broken", None), over=over) == "not scored: out of memory"
        assert reason(("a", "broken"), over=over) == "broken: not scored: out of memory"
        assert reason(("absent", "a"), over=over) == "absent: not in this experiment"
        assert reason(("a", None), group="50", over=over) == "sigma not in this experiment"
        assert reason(("a", None), metric="ssim", over=over) == "no ssim_skimage7 in the score files"
        assert reason(("a", None), metric="niqe", over=over) == "no niqe in the score files"
    assert reason(("a", "broken"), over="all") == "broken: not scored: out of memory"


def test_nothing_that_is_not_testable_has_a_number_that_is_not_finite_but_a_missing_value():
    a, broken = made_scores("a", {PSNR: [[1, 2]]}), made_scores("b", {PSNR: [[1, 2]]}, failure="broken")
    for over in ("images", "draws", "seeds", "all"):
        found = difference(a, broken, over)
        assert math.isnan(found.value)
        assert (found.low, found.high, found.p, found.units) == (None, None, None, {})


# ------------------------------------------------------------------------------------------------------ whole data sets


def test_a_score_of_the_whole_data_set_is_resampled_and_permuted():
    a, b = made_scores("a", random_confusions(1)), made_scores("b", random_confusions(2))
    means = means_of(a, b, metrics=["miou"])
    found = estimates_of(means, "25", "miou", [("a", None), ("b", None), ("a", "b")], "images")
    own, other, both = found.values()
    assert (own.test, own.p, both.test) == ("bootstrap", None, "permutation test")
    assert own.value == pytest.approx(whole_set.MIOU_DATASET.of_data_set(a.rows, a.provenance["judge"]))
    assert both.value == pytest.approx(own.value - other.value)
    assert both.units == {"images": 8}
    assert both.p is not None
    assert 2 / 256 <= both.p <= 1, "8 images have 256 swaps, all of which are tried"
    assert (both.p * 256) % 1 == pytest.approx(0)
    assert found == estimates_of(means, "25", "miou", list(found), "images"), "the same on every run"
    assert found["a", "b"] == difference(a, b, metric="miou"), "whatever else is asked"


def test_with_very_many_images_student_s_t_on_the_bootstrap_takes_the_place_of_swaps(monkeypatch):
    a, b = made_scores("a", random_confusions(1)), made_scores("b", random_confusions(2))
    swapped = difference(a, b, metric="miou")
    monkeypatch.setattr(sources, "MOST_SWAPPED", 7)
    found = difference(a, b, metric="miou")
    assert (found.test, found.low, found.error) == ("bootstrap t-test", swapped.low, swapped.error)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.value) / found.error, 7))


def test_a_difference_in_all_images_is_found():
    right, wrong = [[50, 10, 10, 50]] * 6, [[40, 20, 20, 40]] * 6
    better = {"confusion": [[[c + n for c in counts] for n, counts in enumerate(right)]]}
    worse = {"confusion": [[[c + n for c in counts] for n, counts in enumerate(wrong)]]}
    found = difference(made_scores("a", better), made_scores("b", worse), metric="miou")
    assert found.p == pytest.approx(2 / 2**6), "no other swap of 6 images gives as much, but that of all"
    assert found.low is not None
    assert found.low > 0


def test_equal_counts_cannot_be_told_apart():
    found = difference(made_scores("a", random_confusions(1)), made_scores("b", random_confusions(1)), metric="miou")
    assert (found.value, found.not_testable) == (0, "no image differs")


def test_one_image_of_a_data_set_is_not_testable():
    a, b = (made_scores(str(seed), random_confusions(seed, n=1)) for seed in (1, 2))
    found = difference(a, b, metric="miou")
    assert (found.not_testable, found.low, found.p) == ("one image", None, None)
    assert math.isfinite(found.value)


def test_the_scores_of_a_denoiser_are_resampled_once_for_all_pairs(monkeypatch):
    seen: list[int] = []

    def counted(rows: Any, judge: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
        assert whole_set.MIOU_DATASET.resampled is not None
        scores = whole_set.MIOU_DATASET.resampled(rows, judge)

        def of_weights(weights: np.ndarray) -> np.ndarray:
            seen.append(len(weights) if weights.shape[1] == 8 else 0)
            return scores(weights)

        return of_weights

    statistic = whole_set.MIOU_DATASET._replace(resampled=counted)
    monkeypatch.setattr("usaid.report.statistics.samples.statistic_of", lambda convention: statistic)
    scores = [made_scores(name, random_confusions(seed)) for seed, name in enumerate("abcd")]
    pairs = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d"), ("a", None)]
    estimates_of(means_of(*scores, metrics=["miou"]), "25", "miou", pairs, "images")
    resamples = 10_000
    assert 4 * resamples <= sum(seen) < 4 * resamples + 100


def test_a_statistic_that_cannot_be_resampled_costs_its_interval(monkeypatch):
    statistic = whole_set.MIOU_DATASET._replace(resampled=None)
    monkeypatch.setattr("usaid.report.statistics.samples.statistic_of", lambda convention: statistic)
    a, b = made_scores("a", random_confusions(1)), made_scores("b", random_confusions(2))
    for over in ("images", "all"):
        assert difference(a, b, over, "miou").not_testable == sources.NOT_RESAMPLED
    assert difference(a, b, "draws", "miou").not_testable == "one draw"


# ----------------------------------------------------------------------------------------------------------- over draws


def test_over_draws_one_score_a_draw_is_compared_paired_or_as_the_paper_does():
    first, other = noisy_numbers(1, shape=(10, 4)), noisy_numbers(2, mean=29.5, shape=(10, 4))
    a, b = made_scores("a", {PSNR: first}), made_scores("b", {PSNR: other})
    by_draw = first.mean(axis=1), other.mean(axis=1)
    paired, pooled = difference(a, b, "draws"), difference(a, b, "draws", paired=False)
    assert (paired.test, pooled.test) == ("paired t-test", "two-sample t-test")
    assert paired.units == pooled.units == {"draws": 10, "images": 4}
    assert paired.p == pytest.approx(stats.ttest_rel(*by_draw).pvalue)
    assert pooled.p == pytest.approx(stats.ttest_ind(*by_draw).pvalue)
    mean = score_of(a, "draws", paired=False)
    assert mean.value == pytest.approx(by_draw[0].mean())
    assert mean.error == pytest.approx(by_draw[0].std(ddof=1) / math.sqrt(10))


def test_over_draws_a_score_of_the_whole_data_set_has_one_value_a_draw():
    a, b = ({"confusion": [random_confusions(s)["confusion"][0] for s in seeds]} for seeds in ((1, 2, 3), (4, 5, 6)))
    values = [
        [whole_set.MIOU_DATASET.of_data_set(made_scores("x", {"confusion": [draw]}).rows, {"class_names": "ab"})
         for draw in own["confusion"]]
        for own in (a, b)
    ]  # fmt: skip
    found = difference(made_scores("a", a), made_scores("b", b), "draws", "miou")
    assert found.p == pytest.approx(stats.ttest_rel(*values).pvalue)
    assert found.units == {"draws": 3, "images": 8}
    over_images = difference(made_scores("a", a), made_scores("b", b), "images", "miou")
    assert over_images.value == pytest.approx(found.value)
    assert over_images.units == {"images": 8, "draws": 3}


def test_one_draw_and_equal_draws_say_nothing():
    a, b = made_scores("a", {PSNR: [[1, 2]]}), made_scores("b", {PSNR: [[2, 2]]})
    for paired in (True, False):
        assert difference(a, b, "draws", paired=paired).not_testable == "one draw"
    a, b = made_scores("a", {PSNR: [[1, 2]] * 3}), made_scores("b", {PSNR: [[2, 4]] * 3})
    assert difference(a, b, "draws").not_testable == "all differences are equal"
    assert difference(a, b, "draws", paired=False).not_testable == "no draw changes a score"
    assert difference(a, a, "draws").not_testable == "no draw differs"
    assert score_of(a, "draws").not_testable == "all scores are equal"


@pytest.mark.parametrize("over", ["images", "draws", "all"])
@pytest.mark.parametrize(("metric", "column"), [("psnr", PSNR), ("miou", "confusion")])
def test_a_denoiser_that_lacks_a_draw_is_refused_naming_both(over, metric, column):
    values = noisy_numbers(1).tolist() if metric == "psnr" else random_confusions(1)["confusion"] * 2
    whole, lacking = made_scores("whole", {column: values}), made_scores("lacking", {column: values[:1]})
    files = r"kodak_quality/whole\.parquet and kodak_quality/lacking\.parquet"
    with pytest.raises(UsaidError, match=f"{files}: not scored on the same noise draws"):
        difference(whole, lacking, over, metric)


def test_scores_of_other_data_sets_are_refused_naming_both():
    one = made_scores("one", random_confusions(1), ids=[*"abcdefgh"])
    other = made_scores("other", random_confusions(2), ids=[*"abcdefgi"])
    with pytest.raises(UsaidError, match=r"one\.parquet and .*other\.parquet: not scored on the same images"):
        difference(one, other, metric="miou")


# ----------------------------------------------------------------------------------------------------------- over seeds


def trained(name: str, psnr: Mapping[int, float]) -> list[Scores]:
    """A denoiser for each seed, of two images 1 dB apart."""
    return [made_scores(f"{name}_{s}", {PSNR: [[v - 0.5, v + 0.5]]}, s, method=name) for s, v in psnr.items()]


def members_of(name: str, scores: list[Scores]) -> dict[str, dict[int, str]]:
    named = [own for own in scores if own.provenance["denoiser"].startswith(name)]
    return {name: {own.provenance["entry"]["train"]["seed"]: own.provenance["denoiser"] for own in named}}


def over_seeds(*scores: Scores, over: Any = "seeds") -> dict[Any, Estimate]:
    members = members_of("a", [*scores]) | members_of("b", [*scores])
    return estimates_of(means_of(*scores), "25", "psnr", [("a", "b"), ("a", None), ("b", None)], over, members)


def test_over_seeds_worked_by_hand():
    found = over_seeds(*trained("a", dict(enumerate(A))), *trained("b", dict(enumerate(B))))
    both, mean = found["a", "b"], found["a", None]
    assert (both.test, both.units) == ("paired t-test", {"seeds": 3, "images": 2})
    assert (both.value, both.low, both.high) == pytest.approx((0.1, -0.1484, 0.3484), abs=1e-4)
    assert both.p == pytest.approx(stats.ttest_rel(A, B).pvalue)
    assert (mean.value, mean.low, mean.high) == pytest.approx((30.1, 29.8516, 30.3484), abs=1e-4)
    assert mean.p is None


def test_only_common_seeds_are_paired():
    found = over_seeds(*trained("a", {0: 30.0, 1: 30.2, 2: 99.0}), *trained("b", {7: 29.0, 1: 29.9, 0: 29.9}))
    assert found["a", "b"].value == pytest.approx(0.2)
    assert found["a", "b"].units["seeds"] == 2
    assert found["b", None].units["seeds"] == 3


def test_seeds_that_say_nothing():
    nothing_common = over_seeds(*trained("a", {0: 30, 1: 31}), *trained("b", {2: 30, 3: 31}))
    assert nothing_common["a", "b"].not_testable == "no training seed that both have"
    one = over_seeds(*trained("a", {0: 30, 1: 31}), *trained("b", {1: 30, 3: 31}))
    assert one["a", "b"].not_testable == "one seed"
    means = means_of(*trained("a", {0: 30, 1: 31}), made_scores("noisy", {PSNR: [[1, 2]]}))
    members = {"a": {0: "a_0", 1: "a_1"}}
    found = estimates_of(means, "25", "psnr", [("a", "noisy")], "seeds", members)["a", "noisy"]
    assert found.not_testable == "noisy: one training at most; give files of several seeds"


def test_a_failed_undefined_infinite_or_smaller_seed_leaves_the_others():
    a, b = trained("a", dict(enumerate((*A, 30.3, 30.4)))), trained("b", dict(enumerate((*B, 30.3, 30.1))))
    a[0] = made_scores("a_0", {PSNR: [[30, 31]]}, 0, method="a", failure="broken")
    a[1] = made_scores("a_1", {PSNR: [[30, math.inf]]}, 1, method="a")
    b[2] = made_scores("b_2", {PSNR: [[30, math.nan]]}, 2, method="b")
    found = over_seeds(*a, *b)
    assert (found["a", "b"].units["seeds"], found["a", "b"].value) == (2, pytest.approx(0.15))
    assert (found["a", None].units["seeds"], found["b", None].units["seeds"]) == (3, 4)


# ------------------------------------------------------------------------------------------------------------- over all


def test_over_all_with_images_alone_is_the_paired_t_test_up_to_its_resamples():
    first, other = noisy_numbers(1, shape=(1, 30)), noisy_numbers(2, shape=(1, 30))
    a, b = made_scores("a", {PSNR: first}), made_scores("b", {PSNR: other})
    everything, images = difference(a, b, "all"), difference(a, b)
    assert everything.test == "hierarchical bootstrap"
    assert everything.units == {"seeds": 1, "images": 30, "draws": 1}
    assert everything.value == pytest.approx(images.value)
    assert everything.error == pytest.approx(images.error, rel=0.03)
    assert everything.p == pytest.approx(images.p, rel=0.1)
    assert score_of(a, "all").p is None


def test_over_all_seeds_and_draws_widen_the_interval():
    chance = np.random.default_rng(5)
    of_seed, of_image = {0: 0.3, 1: -0.3, 2: 0.1}, chance.normal(0, 0.1, 20)
    a = [made_scores(f"a_{s}", {PSNR: 31 + v + chance.normal(0, 0.1, (2, 20))}, s) for s, v in of_seed.items()]
    b = [made_scores(f"b_{s}", {PSNR: 30 + of_image + np.zeros((2, 20))}, s) for s in of_seed]
    found = over_seeds(*a, *b, over="all")
    both, seeds = found["a", "b"], over_seeds(*a, *b)["a", "b"]
    alone = estimates_of(means_of(*a, *b), "25", "psnr", [("a_0", "b_0")], "images")["a_0", "b_0"]
    assert both.units == {"seeds": 3, "images": 20, "draws": 2}
    assert both.value == pytest.approx(seeds.value)
    assert both.error is not None
    assert seeds.error is not None
    assert alone.error is not None
    assert both.error > seeds.error > alone.error
    assert found["a", None].p is None


def test_over_all_a_denoiser_without_a_seed_is_the_same_for_all_seeds():
    a, noisy = trained("a", {0: 30, 1: 31, 2: 35}), made_scores("noisy", {PSNR: [[20, 21.5]]})
    members = members_of("a", a)
    pairs: list[Any] = [("a", "noisy"), ("noisy", "a"), ("noisy", None)]
    found = estimates_of(means_of(*a, noisy), "25", "psnr", pairs, "all", members)
    assert found["a", "noisy"].value == pytest.approx(32 - 20.75)
    assert found["a", "noisy"].units == {"seeds": 3, "images": 2, "draws": 1}
    assert found["noisy", "a"].value == pytest.approx(20.75 - 32)
    assert found["noisy", "a"].p == pytest.approx(found["a", "noisy"].p)
    assert found["noisy", None].units["seeds"] == 1


def test_over_all_failed_seeds_leave_the_others_and_none_in_common_is_said():
    a = trained("a", {0: 30, 1: 31, 2: 32})
    a[1] = made_scores("a_1", {PSNR: [[30, 31]]}, 1, method="a", failure="broken")
    found = over_seeds(*a, *trained("b", {0: 29, 1: 27, 2: 30}), over="all")
    assert (found["a", "b"].units["seeds"], found["a", "b"].value) == (2, pytest.approx(1.5))
    assert (
        over_seeds(*a, *trained("b", {1: 29}), over="all")["a", "b"].not_testable == "no training seed that both have"
    )


def test_over_all_two_of_one_seed_each_are_compared_as_they_are():
    first, other = noisy_numbers(1, shape=(2, 5)), noisy_numbers(2, shape=(2, 5))
    one, two = made_scores("a_0", {PSNR: first}, 0), made_scores("b_7", {PSNR: other}, 7)
    found = over_seeds(one, two, over="all")["a", "b"]
    assert found.units == {"seeds": 1, "images": 5, "draws": 2}
    assert found.value == pytest.approx(np.mean(first) - np.mean(other))
    third = made_scores("a_1", {PSNR: first}, 1, method="a_0")
    assert over_seeds(one, third, two, over="all")["a", "b"].not_testable == "no training seed that both have"


def test_over_all_one_of_everything_says_nothing():
    a, b = made_scores("a", {PSNR: [[1]]}), made_scores("b", {PSNR: [[2]]})
    assert (difference(a, b, "all").not_testable, difference(a, b, "all").value) == ("one image", -1)


def test_over_all_leaves_out_images_that_are_undefined_for_any_seed_of_a_pair():
    a, b = trained("a", {0: 30, 1: 31}), trained("b", {0: 29, 1: 29.5})
    a, b = ([made_scores(own.provenance["denoiser"], {PSNR: [[*own.rows[PSNR], last]]}, own.provenance["entry"]["train"]
            ["seed"], method=own.provenance["entry"]["method"]) for own, last in zip(scores, lasts, strict=True)]
            for scores, lasts in ((a, (40, math.nan)), (b, (20, 20))))  # fmt: skip
    found = over_seeds(*a, *b, over="all")
    assert (found["a", "b"].units["images"], found["b", None].units["images"]) == (2, 3)
    assert found["a", "b"].value == pytest.approx(1.25)


# ------------------------------------------------------------------------------------------------------ groups of seeds


def items(*scores: Scores) -> list[tuple[str, Scores]]:
    return [(own.provenance["denoiser"], own) for own in scores]


def test_training_groups_are_alike_in_all_but_title_and_seed():
    a, b = trained("a", {0: 30, 1: 31}), trained("b", {5: 30})
    groups = training_groups(items(*a, made_scores("noisy", {PSNR: [[1, 2]]}), *b))
    assert groups == {"a_0": {0: "a_0", 1: "a_1"}, "b_5": {5: "b_5"}}


def test_what_was_not_taken_over_on_one_benchmark_is_no_other_denoiser():
    """Of an earlier run's it has the entry of this one: seeds are told apart all the same."""
    a = [made_scores(f"a_{seed}", {PSNR: [[1, 2]]}, seed=seed, method="a") for seed in (0, 1)]
    taken = made_scores("u_said", {PSNR: [[1, 2]]}, borrowed_from={"folder": "e"})
    entry, lacking = {"method": "u_said", "scores_from": "e"}, "e has no scores of it"
    lost = made_scores("u_said", {PSNR: [[1, 2]]}, benchmark="voc_quality", entry=entry, failure=lacking)
    lost = Scores(lost.rows, lost.provenance | {"borrowed_from": {"folder": "e"}})
    assert training_groups(items(*a, taken, lost)) == {"a_0": {0: "a_0", 1: "a_1"}}


def test_training_groups_refuse_twins_and_other_denoisers_of_one_name():
    a = trained("a", {0: 30, 1: 31})
    twin = made_scores("twin", {PSNR: [[1, 2]]}, 1, method="a")
    with pytest.raises(UsaidError, match=r"kodak_quality/twin\.parquet: trained as a_1 is, seed and all"):
        training_groups(items(*a, twin))
    elsewhere = made_scores("a_0", {PSNR: [[1, 2]]}, 3, method="a", benchmark="voc_quality")
    with pytest.raises(UsaidError, match=r"voc_quality/a_0\.parquet: not the a_0 of another benchmark"):
        training_groups(items(*a, elsewhere))


def test_hostile_ids_and_names_are_names_like_others():
    ids = ["../../etc/passwd", "a\nb", "| \\textbf{x} |", "\x1b[31m"]
    a = made_scores("<script>", {PSNR: [[1, 2, 3, 5]]}, ids=ids)
    b = made_scores("$(rm)", {PSNR: [[1, 1, 2, 2]]}, ids=ids)
    assert difference(a, b).units == {"images": 4}
    confusion = random_confusions(1, n=4)
    assert score_of(replace(a, rows=a.rows.assign(confusion=confusion["confusion"][0])), metric="miou").low is not None


@pytest.mark.parametrize("over", ["images", "all"])
def test_scores_that_differ_by_rounding_do_not_differ(over):
    own = noisy_numbers(1)
    found = difference(made_scores("a", {PSNR: np.nextafter(own, 99)}), made_scores("b", {PSNR: own}), over)
    assert (found.value, found.p) == (0, None)
    assert found.not_testable == {"images": "no image differs", "all": "all differences are equal"}[over]
