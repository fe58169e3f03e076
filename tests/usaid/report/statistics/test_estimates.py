"""When two denoisers differ, and which comparisons are one test."""

import math
from dataclasses import replace

import pytest
from score_files import PSNR

from usaid.registries import METRICS
from usaid.report.statistics.estimates import PERMUTATION, Comparison, Estimate, distinct
from usaid.report.statistics.render_text import render_text

AP50 = Estimate("images", PERMUTATION, {"images": 177}, 0.011, -0.003, 0.025, p=0.01, error=0.007, df=176)
"""Of COCO's sample: p and interval contradict each other."""


def comparison(
    estimate: Estimate, p_corrected: float | None = None, group: str = "25", sigma: float = 25
) -> Comparison:
    place = ("kodak_quality", group, sigma, METRICS["psnr"], PSNR)
    return Comparison(*place, "a", "b", estimate, "mine", 1, p_corrected)


@pytest.mark.parametrize(
    ("low", "high", "p", "verdict"),
    [
        (0.003, 0.025, 0.01, "differ"),
        (-0.025, -0.003, 0.01, "differ"),
        (0.003, 0.025, 0.05, "no difference found"),
        (-0.003, 0.025, 0.01, "no difference found"),
        (0.0, 0.025, 0.01, "no difference found"),
        (-0.025, 0.0, 0.01, "no difference found"),
        (None, None, None, "not testable"),
    ],
)
def test_two_differ_where_p_is_below_5_percent_and_the_interval_leaves_out_0(low, high, p, verdict):
    assert comparison(replace(AP50, low=low, high=high), p).verdict == verdict


def test_the_text_says_why_p_alone_is_not_enough():
    line, _, reading = render_text([comparison(AP50, 0.01), *scores()]).splitlines()[1:]
    assert line.endswith("0.01  0.01         no difference found: interval includes 0")
    assert (
        "the two differ where p is below 0.05 and the interval leaves out 0 (the permutation test keeps these images, "
        "the bootstrap also varies which classes occur), and no difference"
    ) in reading
    assert (comparison(AP50, 0.01).reason, comparison(AP50, 0.2).reason) == ("interval includes 0", "")
    of_means = render_text([comparison(replace(AP50, test="paired t-test"), 0.01), *scores()])
    assert "is below 0.05, and no difference" in of_means


def scores() -> list[Comparison]:
    return [replace(comparison(replace(AP50, p=None)), denoiser=name, other=None) for name in "ab"]


def test_what_two_groups_show_of_the_same_noise_level_is_one_test():
    same = comparison(replace(AP50), group="median_sigma/25"), comparison(replace(AP50), group="oracle_sigma/25")
    others = comparison(AP50, group="15", sigma=15), comparison(replace(AP50, p=0.02)), replace(same[0], other="c")
    assert len(distinct(same)) == 1
    assert len(distinct([*same, *others])) == 4
    missing = [comparison(Estimate("images", "", {}, value, not_testable="x")) for value in (math.nan, float("nan"))]
    assert len(distinct(missing)) == 1


def test_a_difference_the_other_way_round_has_the_same_test() -> None:
    own = Estimate("images", "paired t-test", {"images": 9}, 0.5, -0.1, 1.1, p=0.09, error=0.3, df=8)
    turned = own.negated
    assert (turned.value, turned.low, turned.high) == (-0.5, -1.1, 0.1)
    assert (turned.p, turned.error, turned.df, turned.units) == (own.p, own.error, own.df, own.units)
    assert turned.p_above(0.2) == pytest.approx(own.p_below(-0.2))
    assert turned.negated == own


def test_what_has_no_interval_has_none_the_other_way_round() -> None:
    turned = Estimate("seeds", "", {}, 2.0, not_testable="one seed").negated
    assert (turned.value, turned.low, turned.high, turned.not_testable) == (-2.0, None, None, "one seed")
