"""What a non-blind method cannot be told."""

import pytest
import torch

from evaluators.scoring.conditions import conditions_of, refused
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.errors import UsaidError


class Told(Denoiser):
    """Non-blind."""

    facts = Facts("Told", False, False, False, False, "MIT", "none")

    def __call__(self, noisy: torch.Tensor, told_sigma: float | None = None) -> torch.Tensor:
        return noisy


def test_a_class_without_facts_is_refused():
    class Unknown(Told):
        facts = None

    with pytest.raises(UsaidError, match="Unknown: has no attribute 'facts'"):
        conditions_of(Unknown(), [25], [0], ["oracle"])


def test_a_told_sigma_of_zero_is_refused_and_no_other():
    conditions = conditions_of(Told(), [0, 25], [0], ["oracle", 25])
    ((condition, error),) = refused(Told(), conditions)
    assert (condition.sigma, condition.told) == (0, (0,))
    assert str(error) == "told sigma = 0: must be a finite number > 0, on the 0-255 scale"
    assert len(conditions) == 3
    assert not [*refused(build_denoiser("noisy"), conditions_of(build_denoiser("noisy"), [0], [0], ["oracle"]))]


def test_conditions_that_are_told_the_same_share_what_is_computed():
    oracle, both = (conditions_of(Told(), [15, 25], [0, 1], told) for told in (["oracle"], ["oracle", 25]))
    assert {condition.computed for condition in oracle} < {condition.computed for condition in both}
    assert len({condition.computed for condition in both}) == 2 * 3
