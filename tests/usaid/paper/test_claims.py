"""The paper's sentences: they name what is printed, and those that do not follow from print are the known ones."""

from typing import Any

import pytest

from usaid.errors import UsaidError
from usaid.paper.claims import (
    Claim,
    all_claims,
    as_in_print,
    closest_to_margin,
    margins,
    read_claim,
    title_of_group,
    verdict_of_print,
)
from usaid.paper.published import published

SIGMAS = ("15", "25", "35")
CLAIMS = {claim.id: claim for claim in all_claims()}


def claim_of(*parts: dict[str, Any], **keys: Any) -> Claim:
    return read_claim({"id": "made_up", "where": "here", "quote": "q", "says": "s", "parts": parts, **keys})


def against(claim_id: str) -> list[str]:
    return [as_in_print(part) for part in verdict_of_print(CLAIMS[claim_id]).against]


def test_every_table_and_the_abstract_have_claims() -> None:
    assert len(CLAIMS) == len(all_claims()) >= 24
    assert {table for claim in CLAIMS.values() for table in claim.tables} == set(range(1, 11))
    assert sum(claim.where == "abstract" for claim in CLAIMS.values()) == 3


def test_claims_on_several_tables_come_first_then_table_by_table() -> None:
    tables = [claim.tables for claim in all_claims()]
    assert tables == sorted(tables, key=lambda names: (len(names) == 1, names if len(names) == 1 else ()))


def test_no_claim_has_a_part_twice_and_every_sentence_is_one_line() -> None:
    for claim in all_claims():
        assert len(set(claim.parts)) == len(claim.parts)
        assert "\n" not in claim.quote + claim.says + claim.where
        assert claim.says.endswith(".")


def test_sentences_that_do_not_follow_from_print() -> None:
    verdicts = {claim.id: verdict_of_print(claim).verdict for claim in all_claims()}
    refuted = {name for name, verdict in verdicts.items() if verdict == "does not hold"}
    by_margin = {name for name in refuted if verdict_of_print(CLAIMS[name]).by_margin_only}
    assert refuted - by_margin == {
        "abstract_segmentation",
        "k_increase",
        "k_niqe_trend",
        "best_if_told_the_median",
        "kodak_s_said_best_niqe",
    }
    assert by_margin == {
        "abstract_quality",
        "voc_niqe_margin",
        "k_mild",
        "voc_cdncnn_b_fails",
        "voc_remarkably_higher_miou",
        "cifar_second_best",
        "cifar_good_margin",
    }
    assert {name for name, verdict in verdicts.items() if verdict == "not tested"} == {
        "k_decrease",
        "another_network",
    }


def test_every_margin_reads_a_word_of_its_sentence() -> None:
    for claim in all_claims():
        assert bool(claim.word) == any(part.by for part in claim.parts), claim.id
        assert claim.word in claim.quote, claim.id


def test_the_wrong_order_is_no_matter_of_margins() -> None:
    part = {"table": 5, "metric": "miou", "groups": 25, "better": "cdncnn_b", "than": "u_said"}  # 0.4003, 0.4047
    by_margin = [verdict_of_print(claim_of({**part, "by": by})).by_margin_only for by in (0, "clearly", -0.004)]
    assert by_margin == [False, False, True]
    turned = {**part, "better": "u_said", "than": "cdncnn_b", "by": "clearly"}
    assert verdict_of_print(claim_of(turned)).by_margin_only is True


def test_s_said_has_not_the_best_niqe_on_kodak_at_sigma_15() -> None:
    assert against("kodak_s_said_best_niqe") == ["Table VI, σ = 15: NIQE of S-SAID 2.6288, of U-SAID 2.5690"]


def test_the_abstract_says_the_opposite_of_table_5() -> None:
    assert against("abstract_segmentation") == [
        "Table V, σ = 15: mIoU of U-SAID 0.4336, of S-SAID 0.4349",
        "Table V, σ = 25: mIoU of U-SAID 0.4047, of S-SAID 0.4084",
        "Table V, σ = 35: mIoU of U-SAID 0.3785, of S-SAID 0.3802",
    ]


def test_psnr_in_table_2_falls_from_15_to_20() -> None:
    assert against("k_increase") == ["Table II: PSNR of K = 20 30.99, of K = 15 31.06"]


def test_a_margin_is_named_with_what_is_printed() -> None:
    assert against("k_mild") == [
        "Table II: NIQE of K = 25 4.1139, of K = 21 3.8975, worse by 0.2164 where 0.2 is allowed"
    ]
    assert against("voc_niqe_margin") == [
        "Table I, σ = 25: NIQE of U-SAID 3.8975, of CDnCNN-B 4.2247, better by 0.3272 where more than 0.35 is asked for"
    ]


@pytest.mark.parametrize(
    ("claim_id", "text"),
    [
        ("voc_close_to_cdncnn_b", "Table I, σ = 35: PSNR of U-SAID 29.59, of CDnCNN-B 29.65, worse by 0.06"),
        ("kodak_close_to_cdncnn_b", "Table VI, σ = 25: PSNR of U-SAID 32.17, of CDnCNN-B 32.27, worse by 0.10"),
        ("cifar_second_best", "Table VIII: PSNR of U-SAID 28.98, of CDnCNN-B 29.13, worse by 0.15"),
        ("draws_voc_s_said", "Table X, VOC: mIoU of S-SAID 0.4019, of U-SAID 0.4035, worse by 0.0016"),
    ],
)
def test_closest_to_the_margin_is_the_weakest_that_is_needed(claim_id: str, text: str) -> None:
    """The second needs four of six: the two weaker ones, PSNR at σ = 15 and 35, do not decide."""
    part = closest_to_margin(CLAIMS[claim_id])
    assert part is not None
    assert as_in_print(part) == f"{text} where {-part.by:g} is allowed"


def test_how_close_print_is_to_a_margin_fits_the_verdict() -> None:
    for claim in all_claims():
        part = closest_to_margin(claim)
        assert (part is None) == (not claim.word), claim.id
        if part is not None:
            assert part.holds_in_print == (verdict_of_print(claim).verdict == "holds"), claim.id


def test_margins_are_where_the_page_says_that_they_come_from() -> None:
    def distances(table: int, metric: str, denoiser: str) -> list[float]:
        numbers = ((published(table, group, metric, name) or 0 for name in ("cdncnn_b", denoiser)) for group in SIGMAS)
        return [round(first - second, 4) for first, second in numbers]

    assert distances(1, "psnr", "u_said") == [0.06, 0.05, 0.06]
    assert distances(1, "psnr", "s_said") == [0.16, 0.17, 0.18]
    ratios = [
        ssim / psnr
        for name in ("u_said", "s_said")
        for ssim, psnr in zip(distances(6, "ssim", name), distances(6, "psnr", name), strict=True)
    ]
    assert [round(0.1 * end(ratios), 4) for end in (min, max)] == [0.0012, margins()["ssim"]] == [0.0012, 0.0025]


def test_notes_quote_what_is_printed() -> None:
    note = CLAIMS["best_if_told_the_median"].note
    numbers = [published(4, f"{setting}/25", "niqe", "cbm3d") for setting in ("median_sigma", "oracle_sigma")]
    for value in (*numbers, published(6, "25", "niqe", "u_said")):
        assert f"{value:.4f}" in note


def test_u_said_in_table_4_is_that_of_table_6() -> None:
    assert against("best_if_told_the_median") == [
        "Table IV, σ = 25 (told 25): NIQE of U-SAID 2.6355, of CBM3D 2.6152"
    ]  # told the truth, the same experiment, CBM3D is printed 2.6620


def test_ssim_of_table_2_is_not_printed() -> None:
    decrease = verdict_of_print(CLAIMS["k_decrease"])
    assert decrease.verdict == "not tested"
    assert decrease.against == ()
    assert {part.metric for part in decrease.lacking} == {"ssim"}


def test_an_order_is_each_better_than_the_next() -> None:
    claim = claim_of({"table": 9, "metric": "map", "groups": 15, "order": ["u_said", "cdncnn_b", "s_said"]})
    assert [(part.better, part.than) for part in claim.parts] == [("u_said", "cdncnn_b"), ("cdncnn_b", "s_said")]
    assert verdict_of_print(claim).verdict == "holds"  # 0.5590, 0.5573, 0.5565


def test_lower_niqe_is_better() -> None:
    (part,) = claim_of({"table": 1, "metric": "niqe", "groups": 25, "better": "s_said", "than": "u_said"}).parts
    assert part.effect_in_print == pytest.approx(3.8975 - 3.8508)
    assert part.sign == -1


def test_what_is_printed_alike_is_not_better_but_comparable() -> None:
    same = {"table": 4, "metric": "psnr", "groups": "median_sigma/25", "better": "cbm3d", "than": "cbm3d"}
    assert verdict_of_print(claim_of(same)).verdict == "does not hold"
    assert verdict_of_print(claim_of({**same, "by": "comparable"})).verdict == "holds"


def test_a_difference_as_large_as_the_margin_is_none() -> None:
    part = {"table": 6, "metric": "psnr", "groups": 25, "better": "cdncnn_b", "than": "s_said"}  # 32.27, 32.07
    turned = {**part, "better": "s_said", "than": "cdncnn_b"}
    assert verdict_of_print(claim_of({**part, "by": 0.2})).verdict == "does not hold"
    assert verdict_of_print(claim_of({**part, "by": 0.19})).verdict == "holds"
    assert verdict_of_print(claim_of({**turned, "by": -0.2})).verdict == "holds"
    assert verdict_of_print(claim_of({**turned, "by": -0.19})).verdict == "does not hold"


def test_mild_is_meant_both_ways() -> None:
    pairs = {(part.metric, part.better, part.than) for part in CLAIMS["k_mild"].parts}
    assert pairs == {(metric, than, better) for metric, better, than in pairs}


@pytest.mark.parametrize(("needs", "verdict"), [("all", "does not hold"), ("most", "holds")])
def test_most_is_more_than_half(needs: str, verdict: str) -> None:
    part = {"table": 6, "metric": "niqe", "better": "s_said", "than": "u_said"}  # not at 15
    assert verdict_of_print(claim_of(part, needs=needs)).verdict == verdict


def test_half_is_not_most() -> None:
    part = {"table": 6, "metric": "niqe", "groups": [15, 25], "better": "s_said", "than": "u_said"}
    assert verdict_of_print(claim_of(part, needs="most")).verdict == "does not hold"


def test_a_p_value_decides_with_the_order_of_the_means() -> None:
    part = {"table": 10, "metric": "miou", "groups": "voc", "better": "u_said", "than": "s_said", "by": "comparable"}
    assert verdict_of_print(claim_of(part, chance="draws", significant=False)).verdict == "holds"  # 0.0744
    assert verdict_of_print(claim_of(part, chance="draws")).verdict == "does not hold"
    turned = {"table": 10, "metric": "niqe", "groups": "kodak", "better": "u_said", "than": "s_said"}
    assert verdict_of_print(claim_of(turned, chance="draws")).verdict == "does not hold"  # 0.0068, for S-SAID


def test_miou_of_table_10_is_a_fraction_as_in_table_5() -> None:
    (part,) = CLAIMS["draws_voc_cdncnn_b"].parts
    assert part.printed == pytest.approx((0.4035, 0.3946))
    assert part.p_value_in_print == 1.7305e-9


def test_a_category_is_a_comparison_of_yes_and_no() -> None:
    claim = claim_of({"table": 3, "metric": "semantic_aware", "better": "cdncnn_b", "than": "u_said"})
    assert verdict_of_print(claim).verdict == "does not hold"
    (part,) = claim.parts
    assert as_in_print(part) == "Table III: semantic aware of CDnCNN-B no, of U-SAID yes"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"table": 11}, "claim made_up: table 11: the paper has no such table"),
        ({"groups": 26}, "group '26' is not in Table VI; known: 15, 25, 35"),
        ({"metric": "fid"}, "metric 'fid' is not in Table VI"),
        ({"better": "noisy"}, "denoiser 'noisy' is not in Table VI; known: cdncnn_b, s_said, u_said"),
        ({"than": "bm3d"}, "other denoiser 'bm3d' is not in Table VI"),
    ],
)
def test_what_is_not_printed_is_refused(changed: dict[str, Any], message: str) -> None:
    part = {"table": 6, "metric": "niqe", "better": "s_said", "than": "u_said", "groups": 15} | changed
    with pytest.raises(UsaidError, match="claim made_up: ") as raised:
        claim_of(part)
    assert message in str(raised.value)


def test_comparable_and_clearly_take_the_margin_both_ways() -> None:
    part = {"table": 5, "metric": "miou", "groups": 15, "better": "u_said", "than": "s_said"}
    by = [claim_of({**part, "by": word}).parts[0].by for word in ("comparable", "clearly", 0.01)]
    assert by == [-margins()["miou"], margins()["miou"], 0.01]


def test_groups_on_the_page() -> None:
    titles = [title_of_group(*place) for place in ((1, "25"), (2, "25"), (3, "categories"), (4, "oracle_sigma/35"))]
    assert titles == ["σ = 25", "", "", "σ = 35 (told the truth)"]
    assert [title_of_group(*place) for place in ((7, "deepglobe"), (10, "voc"))] == ["DeepGlobe", "VOC"]
