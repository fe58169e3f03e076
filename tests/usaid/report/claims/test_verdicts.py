"""From p-values of parts to verdicts: hand-worked conjunctions, Holm's correction, and every word."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from usaid.paper.claims import Claim, Part, read_claim
from usaid.report.claims.findings import OF_FACTS, Finding
from usaid.report.claims.in_print import margin_text, why_not_text
from usaid.report.claims.sentences import (
    differs_in_short,
    effect_text,
    in_short,
    needed_text,
    p_of_sentence,
    reason,
    samples,
    verdict_text,
)
from usaid.report.claims.verdicts import JudgedClaim, Units, judge
from usaid.report.statistics.estimates import Estimate, Over
from usaid.report.tables.numbers import p_text

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
            missing = None if value is not None else "not in this experiment"
            estimate = None if value is None else estimate_of(value)
            found[id(part)] = Finding(part, estimate, missing, **keys)
    results = judge(claims, lambda part: found[id(part)], one_source)
    return {result.claim.id: result for result in results}


def one_source(part: Part, effect: float, level: float) -> dict[Over, Units]:
    return {"images": Units(round(100 * effect), 24)}


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


def test_margin_moves_what_is_tested() -> None:
    assert one(claim_of(1, by=-3), -1.0).p == pytest.approx(norm.sf(2.0))
    assert one(claim_of(1, by=3), 4.0).p == pytest.approx(norm.sf(1.0))


def test_an_order_is_no_surer_than_by_its_own_test_of_zero() -> None:
    """The permutation test's p is two-sided; a margin is not tested by it."""

    def p_of(value: float, by: float = 0) -> float | None:
        claim = claim_of(1, by=by)
        own = replace(estimate_of(value), p=0.1)
        (result,) = judge([claim], lambda part: Finding(part, own), one_source)
        return result.p

    assert p_of(3.0) == pytest.approx(0.05)
    assert p_of(-3.0) == pytest.approx(norm.sf(-3.0))  # t is the larger one
    assert p_of(3.0, by=-0.5) == pytest.approx(norm.sf(3.5))
    assert Finding(claim_of().parts[0], replace(estimate_of(-3.0), p=0.1)).p_against(claim_of()) == pytest.approx(0.05)


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


def with_one_not_comparable(claim: Claim, *z: float | None) -> JudgedClaim:
    """The first part has another convention."""
    found = {
        part: Finding(part, None, "not here") if value is None else Finding(part, estimate_of(value))
        for part, value in zip(claim.parts, z, strict=True)
    }
    found[claim.parts[0]] = replace(found[claim.parts[0]], not_comparable="niqe_live in place of niqe_matlab")
    return judge([claim], found.__getitem__, one_source)[0]


def test_what_is_not_comparable_has_no_p_value_and_is_not_in_the_family() -> None:
    result = with_one_not_comparable(claim_of(1), 9.0)
    assert (result.verdict, result.p, result.p_corrected, result.tested) == ("not comparable", None, None, [])
    assert result.decisive is result.findings[0]
    assert in_short(result) == "niqe_live in place of niqe_matlab"
    assert reason(result) == "not comparable: niqe_live in place of niqe_matlab"


def test_a_sentence_that_is_decided_without_what_is_not_comparable_keeps_its_verdict() -> None:
    assert with_one_not_comparable(claim_of(3), 9.0, 9.0, 9.0).verdict == "not comparable"
    assert with_one_not_comparable(claim_of(3), 9.0, 9.0, MISSING).verdict == "not comparable"
    assert with_one_not_comparable(claim_of(3), 9.0, 9.0, -9.0).verdict == "does not hold"
    most = claim_of(3, needs="most")
    assert with_one_not_comparable(most, -9.0, 9.0, 9.0).verdict == "holds"
    assert with_one_not_comparable(most, 9.0, 9.0, MISSING).verdict == "not tested"
    assert with_one_not_comparable(most, 9.0, 9.0, 0.1).verdict == "not certain"


def test_facts_hold_or_not_without_a_p_value() -> None:
    parts = [{"table": 3, "metric": "semantic_aware", "better": "u_said", "than": ["cdncnn_b", "mlp"]}]
    claim = read_claim({"id": "facts", "where": "here", "quote": "q", "says": "s.", "parts": parts})

    def facts(*values: float) -> JudgedClaim:
        found = {
            part: Finding(part, Estimate("all", OF_FACTS, {}, value, error=0.0, df=1.0))
            for part, value in zip(claim.parts, values, strict=True)
        }
        return judge([claim], found.__getitem__, one_source)[0]

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
    assert (result.verdict, result.lacking) == ("not certain", {"images": 75})
    assert needed_text(result) == (
        "80 % power to find the observed effect of the part that decides at p < 0.05 takes 75 images"
    )


def text_of(needed: Mapping[Over, Units]) -> str:
    claim = claim_of(1)
    (result,) = judge([claim], lambda part: Finding(part, estimate_of(0.5)), lambda part, effect, level: needed)
    return needed_text(result).partition("at p < 0.05")[2]


def test_of_several_sources_each_number_is_a_least_one_and_what_there_is_enough_of_is_left_out() -> None:
    alone = "(each if the others were no source of chance)"
    assert (
        text_of({"images": Units(30, 24), "seeds": Units(9, 3)})
        == f" takes at least 30 images and at least 9 seeds {alone}"
    )
    assert text_of({"images": Units(3, 24), "seeds": Units(4, 3)}) == f" takes at least 4 seeds {alone}"
    assert text_of({"images": Units(24, 24), "seeds": Units(2, 3)}) == ", were it the only one; together they have not"
    assert text_of({"images": Units(30, 24)}) == " takes 30 images"


def test_units_are_asked_for_at_the_level_that_the_sentence_faced() -> None:
    levels = {}

    def units(part: Part, effect: float, level: float) -> dict[Over, Units]:
        levels[part.table] = level
        return {}

    claims = [claim_of(1, "a"), claim_of(1, "b"), over_draws()]
    results = judge(claims, lambda part: Finding(part, estimate_of(0.5)), units)
    assert {result.family_size for result in results} == {3}
    assert levels == pytest.approx({6: 2 * 0.05 / 3, 10: 0.05 / 3})  # a one-sided test is a two-sided one at twice it


def test_an_effect_the_wrong_way_needs_no_number() -> None:
    result = one(claim_of(1), -0.5)
    assert (result.verdict, result.needed) == ("not certain", {})
    assert "not on the claimed side" in needed_text(result)


def test_an_effect_short_of_the_margin_is_not_called_the_wrong_way() -> None:
    texts = [needed_text(one(claim_of(1, by=by), z)) for by, z in ((2.0, 0.5), (2.0, -0.5), (-0.5, -0.6))]
    assert texts[0].startswith("the observed effect is on the claimed side, but not above the margin that is asked for")
    assert texts[1].startswith("the observed effect is not on the claimed side")
    assert texts[2].startswith("the observed effect is larger than the margin allows")


def test_a_verdict_names_the_conventions_that_it_rests_on() -> None:
    claim = claim_of(2)

    def verdict(*z: float | None) -> tuple[str, str]:
        """The first part has the paper's convention."""
        found = {}
        for part, value, convention in zip(claim.parts, z, ("", "niqe_live"), strict=True):
            effect = None if value is None else estimate_of(value)
            found[part] = Finding(part, effect, "one image" if value is None else None, convention=convention)
        return verdict_text(judge([claim], found.__getitem__, one_source)[0])

    assert verdict(9.0, 9.0) == ("holds", " (niqe_live)")
    assert verdict(9.0, -9.0) == ("does not hold", " (niqe_live)")
    assert verdict(-9.0, 9.0) == ("does not hold", "")
    assert verdict(9.0, None) == ("not tested", ": 1 of 1 tested part as claimed")
    assert verdict(None, 9.0) == ("not tested", ": 1 of 1 tested part as claimed")


def test_the_p_value_of_an_open_sentence_is_marked() -> None:
    assert p_of_sentence(one(claim_of(2), z_of(0.02), MISSING)) == "0.02 (tested parts, not corrected)"
    assert p_of_sentence(one(claim_of(2), 40.0, MISSING)) == "< 1e-15 (tested parts, not corrected)"
    assert p_of_sentence(one(claim_of(2), z_of(0.02), 9.0)) == "0.02"
    assert p_of_sentence(one(claim_of(1), MISSING)) == ""


def test_differences_of_percentages_are_in_points() -> None:
    part = {"table": 8, "metric": "top1", "better": "u_said", "than": "s_said"}
    claim = read_claim({"id": "x", "where": "here", "quote": "q", "says": "s.", "parts": [part]})
    assert effect_text(Finding(claim.parts[0], estimate_of(1.0))) == "+1.00 points [-0.96, +2.96]"
    assert effect_text(Finding(claim_of().parts[0], estimate_of(1.0))) == "+1.00 dB [-0.96, +2.96]"


def test_of_what_differs_the_sample_is_told_from_other_counts_of_images() -> None:
    texts = ("321 of 1,449 images", "segmenter trained on 311 of the 1,464 images of voc2012/train", "a")
    assert samples(one(claim_of(1), 9.0, differs=texts)) == ["321 of 1,449 images"]


def test_more_than_a_million_is_said_so() -> None:
    claim = claim_of(1)
    finding = Finding(claim.parts[0], estimate_of(0.001))
    (result,) = judge([claim], lambda part: finding, lambda part, effect, level: {"images": Units(1_000_000, 24)})
    assert needed_text(result).endswith(" takes more than a million images")


def test_how_many_tested_parts_are_as_claimed_stands_beside_the_verdict() -> None:
    assert in_short(one(claim_of(3), 9.0, 9.0, MISSING)) == "2 of 2 tested parts as claimed"
    assert in_short(one(claim_of(3), 9.0, MISSING, MISSING)) == "1 of 1 tested part as claimed"
    assert in_short(one(claim_of(3), 9.0, 9.0, 9.0)) == in_short(one(claim_of(1), MISSING)) == ""


def test_deviations_are_cut_at_their_first_comma_or_bracket_and_said_once() -> None:
    texts = (
        "MLP: trained by this suite, with Adam",
        "trained with batch 8 (16)",
        "trained with batch 8 (32)",
        "1,464 x",
    )
    result = one(claim_of(1), 9.0, differs=(*texts, "a" * 9 + " b" * 99))
    assert differs_in_short(result, 3) == "MLP: trained by this suite; trained with batch 8; 1,464 x; 1 more"
    assert differs_in_short(result, 1) == "MLP: trained by this suite; 3 more"
    last = differs_in_short(result).split("; ")[3]
    assert last.endswith(" …")
    assert len(last) <= 70


def test_the_convention_of_one_part_is_not_behind_all_that_differs_in_another() -> None:
    claim = claim_of(2)
    texts = (("321 of 1,449 images", "a", "b", "c"), ("321 of 1,449 images", "niqe_live in place of niqe_matlab"))
    found = {part: Finding(part, estimate_of(9.0), differs=own) for part, own in zip(claim.parts, texts, strict=True)}
    (result,) = judge([claim], found.__getitem__, one_source)
    assert result.differs == ("321 of 1,449 images", "a", "niqe_live in place of niqe_matlab", "b", "c")


def test_print_says_whose_reading_speaks_against_it() -> None:
    part = {"table": 6, "metric": "psnr", "groups": 15, "better": "u_said", "than": "cdncnn_b", "by": -0.1}
    claim = read_claim(
        {"id": "x", "where": "here", "quote": "very close", "says": "s.", "word": "very close", "parts": [part]}
    )
    assert why_not_text(one(claim, 9.0)).startswith(
        "by our reading of “very close”: Table VI, σ = 15: PSNR of U-SAID 34.62"
    )


def test_a_margin_is_shown_beside_print_and_an_order_has_none() -> None:
    assert margin_text(one(claim_of(3, by=-0.1, word="q"), 9.0, 9.0, 9.0)) == (
        "in print, by our margin for “q”: "
        "Table VI, σ = 35: PSNR of U-SAID 30.50, of S-SAID 30.48, better by 0.02 where 0.1 worse is allowed"
    )
    assert margin_text(one(claim_of(3), 9.0, 9.0, 9.0)) == ""


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
