"""From p-values of parts to verdicts: hand-worked conjunctions, Holm's correction, and every word."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from usaid.paper.claims import Claim, read_claim
from usaid.report.claims.findings import OF_FACTS, Finding
from usaid.report.claims.sentences import needed_text, p_text, reason
from usaid.report.claims.verdicts import GENERATED, JudgedClaim, judge
from usaid.report.statistics.estimates import Estimate

NORMAL = 1e9
"""Degrees of freedom at which Student's t is the normal distribution."""

MISSING = None


def claim_of(n: int = 1, name: str = "made_up", metric: str = "psnr", by: Any = 0, **keys: Any) -> Claim:
    """A claim of up to three parts: U-SAID is better than S-SAID on Kodak at so many sigmas."""
    groups = [15, 25, 35][:n]
    part = {"table": 6, "metric": metric, "groups": groups, "better": "u_said", "than": "s_said", "by": by}
    return read_claim({"id": name, "where": "here", "quote": "q", "says": "s.", "parts": [part], **keys})


def over_draws(by: Any = 0, **keys: Any) -> Claim:
    part = {"table": 10, "metric": "miou", "groups": "voc", "better": "u_said", "than": "s_said", "by": by}
    record = {"id": "draws", "where": "here", "quote": "q", "says": "s.", "parts": [part], "chance": "draws"}
    return read_claim({**record, **keys})


def estimate_of(value: float, error: float = 1.0) -> Estimate:
    half = 1.96 * error
    return Estimate("images", "z", {"images": 24}, value, value - half, value + half, None, error, NORMAL)


def judged(claims: Sequence[Claim], z: Mapping[str, Sequence[float | None]], **keys: Any) -> dict[str, JudgedClaim]:
    """Verdicts on claims whose parts are so many standard errors, of 1, on the side of the first denoiser."""
    found = {}
    for claim in claims:
        for part, value in zip(claim.parts, z[claim.id], strict=True):
            sign = part.sign
            missing = None if value is not None else "not in this experiment"
            estimate = None if value is None else estimate_of(sign * value)
            found[id(part)] = Finding(part, estimate, missing, **keys)
    results = judge(claims, lambda part: found[id(part)], lambda part, effect: {"images": round(100 * effect)})
    return {result.claim.id: result for result in results}


def one(claim: Claim, *z: float | None, **keys: Any) -> JudgedClaim:
    return judged([claim], {claim.id: z}, **keys)[claim.id]


def z_of(p_value: float) -> float:
    return float(norm.isf(p_value))


def test_all_parts_together_are_as_sure_as_the_weakest() -> None:
    result = one(claim_of(3), z_of(0.001), z_of(0.02), z_of(0.0001))
    assert result.p == pytest.approx(0.02)
    assert result.p_corrected == pytest.approx(0.02)
    assert result.verdict == "holds"
    assert result.decisive is not None
    assert result.decisive.part.group == "25"


def test_most_of_three_are_two() -> None:
    result = one(claim_of(3, needs="most"), z_of(0.001), z_of(0.02), -5.0)
    assert result.p == pytest.approx(2 * 0.02)  # (3 - 2 + 1) p_(2)
    assert result.verdict == "holds"
    assert result.decisive is not None
    assert result.decisive.part.group == "25"


def test_one_part_that_fails_refutes_all_of_three() -> None:
    result = one(claim_of(3), 5.0, 5.0, -z_of(0.01))
    assert result.p == pytest.approx(3 * 0.01)  # any of three may fail: k q_(1)
    assert result.verdict == "does not hold"
    assert result.decisive is not None
    assert result.decisive.part.group == "35"


def test_two_parts_have_to_fail_to_refute_most_of_three() -> None:
    assert one(claim_of(3, needs="most"), 0.0, 0.0, -9.0).verdict == "not certain"
    result = one(claim_of(3, needs="most"), 9.0, -z_of(0.01), -9.0)
    assert result.p == pytest.approx(2 * 0.01)  # k q_(2)
    assert result.verdict == "does not hold"


def test_neither_is_not_certain() -> None:
    result = one(claim_of(2), 1.0, 3.0)
    assert result.verdict == "not certain"
    assert result.p == pytest.approx(norm.sf(1.0))
    assert result.n_as_claimed == 2


def test_lower_niqe_is_as_claimed() -> None:
    result = one(claim_of(1, metric="niqe"), 4.0)
    assert result.verdict == "holds"
    assert result.decisive is not None
    assert result.decisive.effect == pytest.approx(4.0)
    assert result.decisive.estimate is not None
    assert result.decisive.estimate.value == pytest.approx(-4.0)
    assert result.decisive.interval == pytest.approx((4 - 1.96, 4 + 1.96))


def test_margin_moves_what_is_tested() -> None:
    assert one(claim_of(1, by=-3), -1.0).p == pytest.approx(norm.sf(2.0))
    assert one(claim_of(1, by=3), 4.0).p == pytest.approx(norm.sf(1.0))
    assert one(claim_of(1, metric="niqe", by=3), 4.0).p == pytest.approx(norm.sf(1.0))


def test_holm_over_the_claims_in_each_direction() -> None:
    claims = [claim_of(1, name) for name in ("a", "b", "c")]
    z = {"a": [z_of(0.01)], "b": [z_of(0.03)], "c": [-z_of(0.001)]}
    results = judged(claims, z)
    assert results["a"].p_corrected == pytest.approx(0.03)  # 3 * 0.01
    assert results["b"].p_corrected == pytest.approx(0.06)  # 2 * 0.03
    assert results["c"].p_corrected == pytest.approx(0.003)  # of the three opposites
    assert [results[name].verdict for name in "abc"] == ["holds", "not certain", "does not hold"]
    assert {result.family_size for result in results.values()} == {3}


def test_a_missing_part_leaves_it_open_unless_the_others_decide() -> None:
    open_, refuted = one(claim_of(3), 9.0, 9.0, MISSING), one(claim_of(3), 9.0, -9.0, MISSING)
    assert (open_.verdict, refuted.verdict) == ("not tested", "does not hold")
    assert open_.p is None
    assert open_.p_of_tested == pytest.approx(norm.sf(9.0))
    assert "σ = 35 (not in this experiment)" in reason(open_)
    assert "of 2 tested parts 2 as claimed" in reason(open_)
    assert one(claim_of(3, needs="most"), 9.0, 9.0, MISSING).verdict == "holds"
    assert one(claim_of(3, needs="most"), 9.0, MISSING, MISSING).verdict == "not tested"


def test_what_cannot_be_decided_is_not_in_the_family() -> None:
    claims = [claim_of(3, "a"), claim_of(3, "b", needs="most")]
    results = judged(claims, {"a": [9.0, 9.0, MISSING], "b": [z_of(0.01), z_of(0.01), MISSING]})
    assert results["b"].p == pytest.approx(0.02)
    assert results["b"].p_corrected == pytest.approx(0.02)
    assert results["b"].family_size == 1


def test_nothing_tested_has_no_numbers() -> None:
    result = one(claim_of(2), MISSING, MISSING)
    assert (result.verdict, result.p, result.decisive, result.p_of_tested) == ("not tested", None, None, None)
    assert reason(result) == "missing: σ = 15, 25 (not in this experiment)"


def test_generated_images_are_not_comparable_and_not_in_the_family() -> None:
    claims = [claim_of(1, "a"), claim_of(1, "b")]
    found = {claim.id: Finding(claim.parts[0], estimate_of(z_of(0.03))) for claim in claims}
    found["a"] = Finding(claims[0].parts[0], estimate_of(9.0), differs=(f"{GENERATED} (miniature)",))
    by_part = {id(claim.parts[0]): found[claim.id] for claim in claims}
    results = judge(claims, lambda part: by_part[id(part)], lambda part, effect: {})
    assert [result.verdict for result in results] == ["not comparable", "holds"]
    assert results[0].p_corrected is None
    assert results[1].p_corrected == pytest.approx(0.03)


def test_facts_hold_or_not_without_a_p_value() -> None:
    parts = [{"table": 3, "metric": "semantic_aware", "better": "u_said", "than": ["cdncnn_b", "mlp"]}]
    claim = read_claim({"id": "facts", "where": "here", "quote": "q", "says": "s.", "parts": parts})

    def facts(*values: float) -> JudgedClaim:
        found = {
            part: Finding(part, Estimate("all", OF_FACTS, {}, value, error=0.0, df=1.0))
            for part, value in zip(claim.parts, values, strict=True)
        }
        return judge([claim], found.__getitem__, lambda part, effect: {})[0]

    assert [facts(1.0, 1.0).verdict, facts(1.0, 0.0).verdict] == ["holds", "does not hold"]
    assert facts(1.0, 1.0).p is None


def test_a_sentence_on_p_values_is_two_sided_in_its_direction() -> None:
    result = one(over_draws(), z_of(0.01))
    assert result.p == pytest.approx(0.02)
    assert result.verdict == "holds"
    assert one(over_draws(), z_of(0.03)).verdict == "not certain"
    assert one(over_draws(), -z_of(0.01)).verdict == "does not hold"


@pytest.mark.parametrize(
    ("z", "margin", "verdict"),
    [(0.5, 4, "holds"), (0.5, 2, "not certain"), (3.0, 9, "does not hold"), (-3.0, 9, "does not hold")],
)
def test_no_significant_difference_holds_within_the_margin_only(z: float, margin: float, verdict: str) -> None:
    assert one(over_draws(by=-margin, significant=False), z).verdict == verdict


def test_how_many_units_is_asked_of_the_distance_to_the_margin() -> None:
    result = one(claim_of(2, by=-0.5), 0.25, 3.0)
    assert (result.verdict, result.needed) == ("not certain", {"images": 75})
    assert needed_text(result) == "80 % power to find the observed effect takes 75 images"


def test_an_effect_the_wrong_way_needs_no_number() -> None:
    result = one(claim_of(1), -0.5)
    assert (result.verdict, result.needed) == ("not certain", {})
    assert "not on the claimed side" in needed_text(result)


def test_more_than_a_million_is_said_so() -> None:
    claim = claim_of(1)
    finding = Finding(claim.parts[0], estimate_of(0.001))
    (result,) = judge([claim], lambda part: finding, lambda part, effect: {"images": 1_000_000})
    assert needed_text(result) == "80 % power to find the observed effect takes more than a million images"


def test_tiny_p_values_are_not_written_out() -> None:
    assert [p_text(p) for p in (None, 0.0, 3e-16, 0.0123)] == ["", "< 1e-15", "< 1e-15", "0.012"]


def test_the_weakest_is_told_where_all_p_values_are_zero() -> None:
    result = one(claim_of(3), 60.0, 50.0, 70.0)
    assert result.p == 0.0
    assert result.decisive is not None
    assert result.decisive.part.group == "25"


def test_a_false_sentence_is_held_in_one_of_twenty_cases() -> None:
    """One part is true beyond doubt, the two others have no effect: that most of the three hold is wrong."""
    claim = claim_of(3, needs="most")
    random = np.random.default_rng(0).normal(size=(600, 2))
    held = sum(one(claim, 40.0, *pair).verdict == "holds" for pair in random)
    assert held / len(random) == pytest.approx(0.05, abs=0.02)
