"""How often 95 % intervals hold the true value of synthetic scores: 1,000 repetitions, as the benchmark of it."""

from functools import partial

import numpy as np
import pytest

from benchmarks.coverage_of_intervals import (
    DIFFERENCE,
    TRUE_DIFFERENCE,
    TRUE_SCORE,
    Case,
    Shares,
    coverage,
    draw_bootstrap,
    draw_paired,
    draw_score,
    draw_unpaired,
    hierarchical_case,
    true_value,
)

MIOU = "mIoU, 4 classes"


@pytest.mark.parametrize(
    "case",
    [
        Case("paired t-test", "difference", "24 images", TRUE_DIFFERENCE, partial(draw_paired, n=24)),
        Case("Student's t", "score", "24 images", TRUE_SCORE, partial(draw_score, n=24)),
        Case("two-sample t-test", "difference", "10 draws", TRUE_DIFFERENCE, partial(draw_unpaired, n=10)),
        hierarchical_case((3, 24, 1), Shares(images=1), resamples=300),
        hierarchical_case((1, 80, 10), Shares(images=4, images_draws=1), resamples=200),
    ],
    ids=lambda case: f"{case.interval}, {case.of}, {case.sample}",
)
def test_an_interval_holds_the_true_value_in_93_to_97_percent_of_cases(case: Case) -> None:
    assert 93 <= coverage(case) <= 97


def test_the_bootstrap_interval_of_a_miou_difference_holds_the_true_one_in_93_to_97_percent_of_cases() -> None:
    draw = partial(draw_bootstrap, n=80, name=MIOU, sides=DIFFERENCE, resamples=300)
    assert 93 <= coverage(Case("bootstrap", MIOU, "80 images", true_value(MIOU, DIFFERENCE), draw)) <= 97


@pytest.mark.parametrize("seeds", [2, 3])
def test_few_seeds_make_intervals_that_are_too_wide_rather_than_too_narrow(seeds: int) -> None:
    """Four fifths of the variance are between seeds: a mix in which degrees of freedom are easily too many."""
    assert coverage(hierarchical_case((seeds, 24, 1), Shares(seeds=4, images=1), resamples=200)) >= 95


def test_the_range_of_three_seeds_covers_far_too_little() -> None:
    """All three are above the true value in 1 / 8 of cases, all three below it in another 1 / 8."""

    def range_of_seeds(rng: np.random.Generator) -> tuple[float, float]:
        by_seed = rng.normal(0, 1, 3)
        return by_seed.min(), by_seed.max()

    assert coverage(Case("range", "difference", "3 seeds", 0, range_of_seeds)) == pytest.approx(75, abs=3)
