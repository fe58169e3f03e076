"""From score files made by hand to findings: numbers over the right source of chance, or why there are none."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from usaid.denoisers.mlp.denoiser import origin_of_weights
from usaid.paper.claims import Claim, read_claim
from usaid.report.claims.evidence import Evidence
from usaid.report.claims.findings import Finding
from usaid.report.claims.verdicts import JudgedClaim, judge
from usaid.report.statistics.inference import units_needed
from usaid.report.statistics.pages import read_files
from usaid.scores.files import GENERATED

ScoreFile = Callable[..., Path]

RANDOM = np.random.default_rng(5)
BASE = 30 + RANDOM.normal(size=24)
NOISE = RANDOM.normal(scale=0.05, size=24)
QUALITY = {"psnr_rgb_float": BASE, "ssim_skimage7": BASE / 100, "niqe_matlab": BASE / 10}
BETTER = {"psnr_rgb_float": BASE + 0.1 + NOISE, "ssim_skimage7": BASE / 100, "niqe_matlab": BASE / 10 + 0.1 + NOISE}


def claim_of(table: int = 6, **part: Any) -> Claim:
    keys = {key: part.pop(key) for key in ("chance", "significant") if key in part}
    part = {"metric": "psnr", "groups": 25, "better": "u_said", "than": "s_said", "table": table} | part
    return read_claim({"id": "made_up", "where": "here", "quote": "q", "says": "s.", "parts": [part], **keys})


def judged(claim: Claim, files: Sequence[Path], ablation: Sequence[Path] = ()) -> JudgedClaim:
    evidence = Evidence(read_files(files, ablation), [claim])
    (result,) = judge([claim], evidence.finding, evidence.units_needed)
    return result


def finding(claim: Claim, files: Sequence[Path], ablation: Sequence[Path] = ()) -> Finding:
    return judged(claim, files, ablation).findings[0]


def effect_of(found: Finding) -> float:
    assert found.estimate is not None
    return found.estimate.value


@pytest.fixture
def two(score_file: ScoreFile) -> list[Path]:
    """U-SAID has a PSNR and a NIQE that are 0.1 higher than S-SAID's, and the same SSIM, on all of Kodak."""
    return [score_file("kodak_quality", "u_said", {25: BETTER}), score_file("kodak_quality", "s_said", {25: QUALITY})]


def test_effect_and_p_value_are_those_of_the_paired_t_test(two: list[Path]) -> None:
    result = judged(claim_of(), two)
    expected = stats.ttest_rel(BETTER["psnr_rgb_float"], QUALITY["psnr_rgb_float"], alternative="greater")
    assert result.verdict == "holds"
    assert result.p == pytest.approx(expected.pvalue)
    assert effect_of(result.findings[0]) == pytest.approx(np.mean(0.1 + NOISE))
    assert result.findings[0].files == ("kodak_quality/u_said.parquet", "kodak_quality/s_said.parquet")
    assert result.findings[0].differs == ()


def test_higher_niqe_is_worse(two: list[Path]) -> None:
    result = judged(claim_of(metric="niqe"), two)
    assert result.verdict == "does not hold"
    own = result.findings[0].estimate
    assert own is not None
    assert own.value == pytest.approx(-np.mean(0.1 + NOISE))
    difference = stats.ttest_rel(QUALITY["niqe_matlab"], BETTER["niqe_matlab"]).confidence_interval()
    assert (own.low, own.high) == pytest.approx((difference.low, difference.high))


def test_scores_that_are_all_equal_are_not_tested(two: list[Path]) -> None:
    result = judged(claim_of(metric="ssim"), two)
    assert (result.verdict, result.findings[0].missing) == ("not tested", "no image differs")


def test_one_image_is_not_tested(score_file: ScoreFile) -> None:
    one = [
        score_file("kodak_quality", name, {25: {"psnr_rgb_float": [v]}}) for name, v in (("u_said", 3), ("s_said", 2))
    ]
    result = judged(claim_of(), one)
    assert (result.verdict, result.findings[0].missing) == ("not tested", "one image")


def test_a_missing_denoiser_is_named(two: list[Path]) -> None:
    result = judged(claim_of(better=["cdncnn_b", "u_said"]), two)
    assert [own.missing for own in result.findings] == ["CDnCNN-B: not in this experiment", None]
    assert result.verdict == "not tested"
    assert result.n_as_claimed == 1


def drawn(values: dict[str, Any], more: float) -> dict[str, Any]:
    """The scores of a noise draw that adds a number to all of them."""
    return {name: own + more for name, own in values.items()}


@pytest.mark.parametrize("draws", [(0,), (0, 1)])
def test_a_denoiser_without_table_xs_sigma_costs_no_other_comparison(
    score_file: ScoreFile, draws: tuple[int, ...]
) -> None:
    files = [
        score_file("kodak_quality", name, {(s, draw): drawn(own, (1 + draw) * off) for s in sigmas for draw in draws})
        for name, own, sigmas, off in (("u_said", BETTER, (15, 25), 0.1), ("s_said", QUALITY, (15, 25), 0.2))
    ]
    files.append(
        score_file("kodak_quality", "cdncnn_b", {(15, draw): QUALITY for draw in draws}, entry={"method": "mine:Mine"})
    )
    claims = [claim_of(), claim_of(10, metric="niqe", groups="kodak"), claim_of(groups=15, than="cdncnn_b")]
    evidence = Evidence(read_files(files), claims)
    found = [evidence.finding(claim.parts[0]) for claim in claims]
    assert [own.missing is None for own in found] == [True, len(draws) > 1, True]
    missing = "U-SAID: fewer than two noise draws at sigma 25"
    assert found[1].missing == (missing if len(draws) == 1 else None)


def test_a_failed_evaluator_is_named(two: list[Path], score_file: ScoreFile) -> None:
    broken = score_file("kodak_quality", "cdncnn_b", {25: QUALITY}, failure="no GPU", dataset={
        "name": "kodak", "split": "all", "n": 0, "n_official": 24, "subset": None, "ids_sha256": None,
    })  # fmt: skip
    assert finding(claim_of(than="cdncnn_b"), [*two, broken]).missing == "CDnCNN-B: not scored: no GPU"


def test_a_missing_sigma_and_a_missing_benchmark_are_told_apart(two: list[Path]) -> None:
    assert finding(claim_of(groups=15), two).missing == "sigma not in this experiment"
    assert finding(claim_of(table=1), two).missing == "not in this experiment"


def test_a_subset_and_another_convention_are_named(score_file: ScoreFile) -> None:
    values = {name: {"niqe_live": of["niqe_matlab"]} for name, of in (("u_said", BETTER), ("s_said", QUALITY))}
    files = [score_file("voc_quality", name, {25: own}, deviations=["toy data"]) for name, own in values.items()]
    assert finding(claim_of(1, metric="niqe"), files).differs == (
        "24 of 1,449 images",
        "niqe_live in place of niqe_matlab",
        "toy data",
    )


def test_units_needed_are_those_of_the_images(two: list[Path]) -> None:
    difference = 0.1 + NOISE
    by = difference.mean() - stats.sem(difference)
    result = judged(claim_of(by=float(by)), two)
    assert result.verdict == "not certain"
    distance = difference.mean() - by
    expected = units_needed(distance, stats.sem(difference), 24, level=2 * 0.05)  # of one sentence, one-sided
    assert result.needed == {"images": (expected, 24)}


def test_a_margin_in_another_convention_is_not_comparable_but_an_order_is(score_file: ScoreFile) -> None:
    values = {name: {"niqe_live": of["niqe_matlab"]} for name, of in (("u_said", QUALITY), ("s_said", BETTER))}
    files = [score_file("kodak_quality", name, {25: own}) for name, own in values.items()]
    margin, order = judged(claim_of(metric="niqe", by="comparable"), files), judged(claim_of(metric="niqe"), files)
    assert margin.verdict == "not comparable"
    assert margin.findings[0].not_comparable == "niqe_live in place of niqe_matlab"
    assert order.verdict == "holds"
    assert order.differs == ("niqe_live in place of niqe_matlab",)


def test_generated_images_are_not_comparable_whatever_is_asked(score_file: ScoreFile) -> None:
    files = [
        score_file("kodak_quality", name, {25: own}, deviations=[GENERATED])
        for name, own in (("u_said", BETTER), ("s_said", QUALITY))
    ]
    result = judged(claim_of(), files)
    assert (result.verdict, result.findings[0].not_comparable) == ("not comparable", "the images are generated")


def test_a_denoiser_trained_here_in_place_of_its_authors_weights_is_not_comparable(
    score_file: ScoreFile, two: list[Path]
) -> None:
    record = {"origin": "trained", "steps": 5, "batch": 2, "n_images": 3}
    texts = [origin_of_weights(record), "MLP: a sliding window of stride 6"]
    files = [*two, score_file("kodak_quality", "mlp", {(25, 0, 25): QUALITY}, deviations=texts)]
    part = {"better": "u_said", "than": ["mlp"], "groups": "median_sigma/25"}
    assert finding(claim_of(4, **part), files).not_comparable == "MLP was trained by this suite"
    files[2] = score_file("kodak_quality", "mlp", {(25, 0, 25): QUALITY}, deviations=texts[1:])
    assert finding(claim_of(4, **part), files).not_comparable is None


def test_the_convention_is_named_where_it_is_not_the_papers(score_file: ScoreFile, two: list[Path]) -> None:
    assert finding(claim_of(metric="niqe"), two).convention == ""
    values = {name: {"niqe_live": of["niqe_matlab"]} for name, of in (("u_said", QUALITY), ("s_said", BETTER))}
    files = [score_file("kodak_quality", name, {25: own}) for name, own in values.items()]
    assert finding(claim_of(metric="niqe"), files).convention == "niqe_live"


def test_several_seeds_are_compared_over_all_sources(score_file: ScoreFile) -> None:
    def trained(name: str, seed: int, gain: float) -> Path:
        entry = {
            "method": name.rstrip("_12"),
            "title": f"{name}, | seed {seed}",
            "train": {"recipe": "paper", "seed": seed},
        }
        return score_file("kodak_quality", name, {25: {"psnr_rgb_float": BASE + gain + NOISE * gain}}, entry=entry)

    names = [("", 0, 0.0), ("_1", 1, 0.02), ("_2", 2, -0.02)]
    files = [trained(f"u_said{end}", seed, 0.5 + shift) for end, seed, shift in names]
    files += [trained(f"s_said{end}", seed, shift / 2) for end, seed, shift in names]
    result = judged(claim_of(), files)
    own = result.findings[0].estimate
    assert own is not None
    assert own.over == "all"
    assert own.units["seeds"] == 3
    assert result.verdict == "holds"
    assert len(result.findings[0].files) == 6
    uncertain = judged(claim_of(by=own.value - 0.0001), files)
    assert uncertain.verdict == "not certain"
    assert {*uncertain.needed} == {"images", "seeds"}


def test_one_seed_of_the_other_leaves_images(score_file: ScoreFile, two: list[Path]) -> None:
    entry = {"method": "cdncnn_b", "train": {"recipe": "paper", "seed": 0}}
    files = [score_file("kodak_quality", "cdncnn_b", {25: QUALITY}, entry=entry)]
    files += [
        score_file(
            "kodak_quality", "cdncnn_b_1", {25: QUALITY}, entry=entry | {"train": {"recipe": "paper", "seed": 1}}
        )
    ]
    own = finding(claim_of(than="cdncnn_b"), [*two, *files]).estimate
    assert own is not None
    assert own.over == "images"


def test_table_10_is_of_draws(score_file: ScoreFile) -> None:
    gains = {"u_said": [-0.3, -0.2, -0.4, -0.3], "s_said": [0.01, 0.0, -0.01, 0.02]}
    files = []
    for name, of_draws in gains.items():
        values = {(25, draw): {"niqe_matlab": BASE / 10 + gain} for draw, gain in enumerate(of_draws)}
        files.append(score_file("kodak_quality", name, {25: values.pop((25, 0))}))
        files.append(score_file("kodak_quality", name, values, draws=[1, 2, 3]))
    part = {"metric": "niqe", "groups": "kodak", "chance": "draws"}
    result = judged(claim_of(10, **part), files)
    assert result.p == pytest.approx(stats.ttest_rel(*gains.values()).pvalue)
    assert result.verdict == "holds"
    assert "kodak_quality/draws/u_said.parquet" in result.files
    assert judged(claim_of(10, **part, significant=False, by="comparable"), files).verdict == "does not hold"


def test_one_draw_is_not_tested(two: list[Path]) -> None:
    claim = claim_of(10, metric="niqe", groups="kodak", chance="draws")
    assert finding(claim, two).missing == "U-SAID: fewer than two noise draws at sigma 25"


def test_table_4_compares_with_what_was_told(score_file: ScoreFile) -> None:
    told = {told: {"psnr_rgb_float": BASE + gain + NOISE} for told, gain in ((25.0, 1.0), (15.0, -1.0))}
    files = [
        score_file("kodak_quality", "mlp", {(15, 0, sigma): values for sigma, values in told.items()}),
        score_file("kodak_quality", "u_said", {15: {"psnr_rgb_float": BASE}}),
    ]
    groups = ("median_sigma/15", "oracle_sigma/15")
    effects = [effect_of(finding(claim_of(4, groups=group, than="mlp"), files)) for group in groups]
    assert effects == pytest.approx([-1 - NOISE.mean(), 1 - NOISE.mean()])


def test_ssim_of_table_2_is_scored_though_not_printed(score_file: ScoreFile) -> None:
    columns = []
    for classes, ssim in ((10, BASE / 100), (21, BASE / 100 + 0.01 + (NOISE - NOISE.mean()) / 100)):
        entry = {"method": "u_said", "train": {"recipe": "paper", "classes": classes, "seed": 0}}
        values = {"psnr_rgb_float": BASE, "ssim_skimage7": ssim, "niqe_matlab": BASE}
        columns.append(score_file("voc_quality", f"mine_k{classes}", {25: values}, entry=entry))
    claim = claim_of(2, metric="ssim", better="u_said_k21", than="u_said_k10")
    own = finding(claim, [], columns)
    assert effect_of(own) == pytest.approx(0.01)
    assert own.missing is None
    assert own.files == ("voc_quality/mine_k21.parquet", "voc_quality/mine_k10.parquet")


def test_facts_are_those_on_the_cards() -> None:
    own = finding(claim_of(3, metric="segmentation_annotation", groups="categories", better="s_said"), [])
    assert own.is_fact is True
    claim = claim_of(3, metric="segmentation_annotation", groups="categories", better="s_said", than="u_said")
    assert judged(claim, []).verdict == "holds"
    turned = claim_of(3, metric="segmentation_annotation", groups="categories", better="u_said", than="s_said")
    assert judged(turned, []).verdict == "does not hold"
