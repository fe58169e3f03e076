"""Two score files against each other: what comes out, which files go together, and what is refused."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from score_files import PSNR, made_scores

from usaid import report
from usaid.code_hash import modules_behind
from usaid.errors import UsaidError
from usaid.registries import METRICS
from usaid.report.statistics.compare import compare, compare_all
from usaid.report.statistics.render_text import render_text
from usaid.scores.files import Scores, write_scores

A, B = [30.0, 31, 32, 35], [29.0, 30.5, 31, 33]


def a(values: Sequence[float] = A, **options: Any) -> Scores:
    return made_scores("a", {PSNR: [values], "ssim_skimage7": [[v / 100 for v in values]]}, **options)


def b(values: Sequence[float] = B, **options: Any) -> Scores:
    return made_scores("b", {PSNR: [values], "ssim_skimage7": [[v / 100 for v in values]]}, **options)


def written(folder: Path, **scores: Scores) -> list[Path]:
    """The files of some scores, named as the keywords."""
    paths = [folder / f"{name}.parquet" for name in scores]
    for path, own in zip(paths, scores.values(), strict=True):
        write_scores(path, own)
    return paths


def further_draws(main: Scores, values: Sequence[Sequence[float]]) -> Scores:
    """Scores of draws 1, 2 ... of the denoiser of a main score file."""
    draws = made_scores(main.provenance["denoiser"], {PSNR: values})
    rows = draws.rows.assign(draw=draws.rows["draw"] + 1)
    return Scores(rows, main.provenance | {"draws": sorted(rows["draw"].unique().tolist())})


# ------------------------------------------------------------------------------------------------------- what comes out


def test_the_difference_of_two_files_is_the_first_minus_the_second(tmp_path):
    for one, other in ((a(), b()), written(tmp_path, a=a(), b=b()), map(str, written(tmp_path, a=a(), b=b()))):
        found = report.compare(one, other, "psnr")
        assert (found.denoiser, found.other, found.group) == ("a", "b", "25")
        assert (found.metric, found.convention, found.benchmark) == (METRICS["psnr"], PSNR, "kodak_quality")
        assert found.estimate.value == pytest.approx(1.125)
        assert found.estimate.p == pytest.approx(stats.ttest_rel(A, B).pvalue)
        assert (found.estimate.test, found.estimate.units) == ("paired t-test", {"images": 4})
        assert (found.family, found.family_size, found.p_corrected) == ("this comparison", 1, found.estimate.p)
        assert found.verdict == "differ"


def test_the_sigma_may_be_left_out_where_there_is_one_in_all_files():
    three = a(sigmas=(15, 25, 35))
    assert compare(three, b(), "psnr").group == "25"
    assert compare(three, b(sigmas=(25, 35)), "psnr", sigma=35).group == "35"
    with pytest.raises(
        UsaidError, match=r"several sigmas are in all files \(.*a\.parquet has 15, 25, 35; .*b\.parquet"
    ):
        compare(three, b(sigmas=(25, 35)), "psnr")
    with pytest.raises(
        UsaidError, match=r"sigma 50 is not in all files \(.*a\.parquet has 15, 25, 35; .*b\.parquet has 25\)"
    ):
        compare(three, b(), "psnr", sigma=50)
    with pytest.raises(UsaidError, match=r"no sigma is in all files \(.*a\.parquet has 15; .*b\.parquet has 25\)"):
        compare(a(sigmas=(15,)), b(), "psnr")


def test_a_metric_is_taken_in_the_first_convention_that_both_hold():
    both = {"niqe_matlab": [[3.0, 4, 5]], "niqe_live": [[3.5, 4.5, 5.6]]}
    live = {"niqe_live": [[3.0, 4, 4]]}
    one, other = made_scores("a", both), made_scores("b", live)
    assert compare(one, one, "niqe").convention == "niqe_matlab"
    assert compare(one, other, "niqe").convention == "niqe_live"
    assert compare(one, one, "niqe_live").convention == "niqe_live"
    with pytest.raises(UsaidError, match=r"niqe_matlab: .*a\.parquet has niqe_matlab; .*b\.parquet has none"):
        compare(one, other, "niqe_matlab")
    with pytest.raises(UsaidError, match=r"niqe: no convention is in all files \(.*a\.parquet has niqe_matlab; "):
        compare(made_scores("a", {"niqe_matlab": [[3.0, 4, 5]]}), other, "niqe")
    with pytest.raises(UsaidError, match=r"metric 'x\[31mss': must be one of psnr, .*niqe_live"):
        compare(one, other, "x[31mss")


def test_everything_that_both_have_is_one_family():
    found = compare_all(a(sigmas=(15, 25)), b(sigmas=(25, 15, 35)))
    differences = [one for one in found if one.other is not None]
    assert [(one.group, one.metric.name) for one in differences] == [
        ("15", "psnr"), ("15", "ssim"), ("25", "psnr"), ("25", "ssim"),
    ]  # fmt: skip
    assert {(one.family, one.family_size) for one in differences} == {("these comparisons", 4)}
    p = differences[0].estimate.p
    assert p is not None
    assert differences[0].p_corrected == pytest.approx(4 * p)
    assert [(one.denoiser, one.other) for one in found[:3]] == [("a", None), ("b", None), ("a", "b")]
    assert len(compare_all(a(), b(), metric="psnr", sigma=25)) == 3
    with pytest.raises(UsaidError, match="metrics: no convention is in all files"):
        compare_all(a(), made_scores("c", {"niqe_live": [[3.0, 4, 5, 6]]}))


def test_non_blind_methods_are_told_the_truth():
    told = a(sigmas=(15, 25))
    rows = told.rows.assign(told_sigma=25.0)
    found = compare_all(Scores(rows, told.provenance), b(sigmas=(15, 25)), metric="psnr")
    by_group = {one.group: one.estimate.not_testable for one in found if one.other is not None}
    assert by_group == {"15": "a: not scored at this sigma, as told, in this experiment", "25": None}


# -------------------------------------------------------------------------------------------------------- several files


def test_two_denoisers_of_one_name_are_told_apart_by_their_experiments(tmp_path):
    one, other = a(experiment="released"), a(B, experiment="mine")
    found = compare(one, other, "psnr")
    assert (found.denoiser, found.other) == ("a (released)", "a (mine)")
    assert found.estimate.value == pytest.approx(1.125)
    (path,) = written(tmp_path, a=one)
    found = compare(path, path, "psnr")
    assert (found.denoiser, found.other) == ("a (released) (1)", "a (released) (2)")
    assert (found.estimate.not_testable, found.verdict) == ("no image differs", "not testable")
    with pytest.raises(UsaidError, match=r"^released/scores/kodak_quality/a\.parquet and mine/scores/kodak_quality/a"):
        compare(one, a(B, experiment="mine", noise_version=2), "psnr")


def test_further_draws_are_joined_to_the_main_file_in_any_order(tmp_path):
    draws = np.random.default_rng(0).normal(30, 1, (2, 3, 4))
    first, other = draws[0].tolist(), (draws[1] - 1).tolist()
    main, subtracted = (made_scores(n, {PSNR: v[:1]}, sigmas=(15, 25)) for n, v in (("a", first), ("b", other)))
    files = written(tmp_path, a=main, a_draws=further_draws(main, first[1:]))
    others = [further_draws(subtracted, other[1:]), subtracted]
    found = compare(files, others, "psnr", over="draws")
    assert found.group == "25", "only there are all draws"
    assert found.estimate.units == {"draws": 3, "images": 4}
    expected = stats.ttest_rel(draws[0].mean(axis=1), draws[1].mean(axis=1) - 1)
    assert found.estimate.p == pytest.approx(expected.pvalue)
    assert compare(files, others, "psnr").estimate.units == {"images": 4, "draws": 3}
    alone = compare(files[1], others[0], "psnr", over="draws")
    assert alone.estimate.units == {"draws": 2, "images": 4}


def test_a_denoiser_that_lacks_a_draw_is_refused_naming_both(tmp_path):
    main, other = (made_scores(name, {PSNR: [values]}) for name, values in (("a", A), ("b", B)))
    files = written(tmp_path, a=main, a_1=further_draws(main, [B]), b=other)
    with pytest.raises(
        UsaidError, match=r"a\.parquet and .*b\.parquet: image 'image_00' at sigma 25, draw 1 is only in"
    ):
        compare(files[:2], files[2], "psnr", over="draws")
    with pytest.raises(
        UsaidError, match=r"a_1\.parquet: further draws of another denoiser than .*b\.parquet; give its"
    ):
        compare([files[2], files[1]], files[0], "psnr", over="draws")


def trained(name: str, psnr: Sequence[float], **options: Any) -> list[Scores]:
    return [
        made_scores(f"{name}_{s}", {PSNR: [[v - 0.5, v + 0.5]]}, s, method=name, **options) for s, v in enumerate(psnr)
    ]


def test_several_seeds_are_a_sequence(tmp_path):
    first, other = trained("a", (30.0, 30.2, 30.1)), trained("b", (29.9, 30.2, 29.9))
    paths = written(tmp_path, **{own.provenance["denoiser"]: own for own in first})
    found = compare(paths, other, "psnr", over="seeds")
    assert (found.denoiser, found.other) == ("a_0", "b_0")
    assert found.estimate.units == {"seeds": 3, "images": 2}
    assert (found.estimate.low, found.estimate.high) == pytest.approx((-0.1484, 0.3484), abs=1e-4)
    assert compare(paths, other, "psnr", over="all").estimate.units == {"seeds": 3, "images": 2, "draws": 1}
    same_names = trained("a", (29.9, 30.2, 29.9), experiment="other")
    found = compare(first, same_names, "psnr", over="seeds")
    assert (found.denoiser, found.other, found.estimate.units["seeds"]) == ("a_0 (made)", "a_0 (other)", 3)


def test_files_of_one_side_must_be_of_one_denoiser(tmp_path):
    files = written(tmp_path, **{own.provenance["denoiser"]: own for own in (*trained("a", (30, 31)), a(), b())})
    for over in ("images", "draws"):
        with pytest.raises(UsaidError, match=r"a_0\.parquet and .*a_1\.parquet: several training seeds; compare over"):
            compare(files[:2], files[3], "psnr", over)
    with pytest.raises(
        UsaidError, match=r"a\.parquet and .*b\.parquet: of one side, but not trained alike but for the"
    ):
        compare(files[2:], files[0], "psnr", "seeds")
    twin = made_scores("twin", {PSNR: [[1, 2]]}, 1, method="a")
    with pytest.raises(UsaidError, match=r"a_1\.parquet and made/.*twin\.parquet: both trained with seed 1; give one"):
        compare([*files[:2], twin], files[0], "psnr", "all")
    with pytest.raises(UsaidError, match="one of the two sides has no score file"):
        compare([], files[0], "psnr")


# ------------------------------------------------------------------------------------------------------ what is refused

OTHER_LIST = {"name": "kodak", "split": "all", "n": 4, "n_official": 24, "subset": "l.txt", "ids_sha256": "1"}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another version of the evaluator": ({"judge": {"code": "1"}}, "judge.code is '0' in the first and '1' in"),
    "another judge": ({"judge": {"code": "0", "niqe": "x"}}, "judge.niqe is None in the first and 'x' in"),
    "another list of images": ({"dataset": OTHER_LIST}, "4 images each, other lists; score both"),
    "other noise": ({"noise_version": 2}, "noise_version is 1 in the first and 2 in the second"),
    "other images": ({"ids": ["image_00", "image_01", "image_02", "x"]}, "image 'image_03' at sigma 25, draw 0 is"),
    "another benchmark": ({"benchmark": "voc_quality"}, "scores of kodak_quality and of voc_quality; give those"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_files_that_do_not_belong_together_are_refused_naming_both(tmp_path, what):
    changed, message = REFUSED[what]
    judge = {"judge": {"code": "0"}}
    one, other = written(tmp_path, one=a(**judge), other=b(**(judge | changed)))
    with pytest.raises(UsaidError) as caught:
        compare(one, other, "psnr")
    assert str(caught.value).startswith(f"{one} and {other}: {message}")


def test_a_level_that_one_lacks_is_no_level_of_both():
    lost = [{"sigma": 50.0, "told_sigma": None, "reason": "image image_00: boom"}]
    partial = a(sigmas=[15, 25], failed_levels=lost)
    found = compare(partial, b(sigmas=[15, 25, 50]), "psnr", sigma=25)
    assert (found.group, found.estimate.value) == ("25", pytest.approx(1.125))
    assert {one.group for one in compare_all(partial, b(sigmas=[15, 25, 50]))} == {"15", "25"}


def test_what_cannot_be_compared_is_refused(tmp_path):
    broken = a(failure="out of memory")
    with pytest.raises(UsaidError, match=r"made/scores/kodak_quality/a\.parquet: not scored: out of memory; score"):
        compare(broken, b(), "psnr")
    with pytest.raises(UsaidError, match=r"absent\.parquet: score file is missing"):
        compare(tmp_path / "absent.parquet", b(), "psnr")
    with pytest.raises(UsaidError, match="over 'time': must be one of draws, images, seeds, all"):
        compare(a(), b(), "psnr", over="time")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "other", "over", "reason"),
    [
        ([1], [2], "images", "one image"),
        (A, B, "draws", "one draw"),
        (A, A, "images", "no image differs"),
        ([1, 2, 3], [2, 3, 4], "images", "all differences are equal"),
        (A, B, "seeds", "a: one training at most; give files of several seeds"),
        ([1, math.inf], [1, 2], "images", "a: a score is infinite"),
        ([math.nan, math.nan], [1, 2], "images", f"a: {PSNR} is undefined for every image"),
    ],
)
def test_what_says_nothing_is_not_testable(first, other, over, reason):
    found = compare(a(first), b(other), "psnr", over)
    assert (found.estimate.not_testable, found.p_corrected, found.verdict) == (reason, None, "not testable")
    assert not math.isinf(found.estimate.value)
    text = render_text(compare_all(a(first), b(other), over))
    assert f"not testable: {reason}" in text
    assert "nan" not in text
    assert "inf" not in text.replace("infinite", "")


# -------------------------------------------------------------------------------------------------------------- as text


def test_the_text_has_a_line_for_each_difference_and_says_how_to_read_it():
    lines = render_text(compare_all(a(), b())).splitlines()
    assert [" ".join(line.split()) for line in lines[:2]] == [
        "sigma metric convention a b difference 95 % interval p corrected p verdict",
        "25 PSNR (dB) psnr_rgb_float 32.000 30.875 +1.125 [+0.124, +2.126] 0.037 0.075 no difference found",
    ]
    columns = [line.index(word) for line, word in zip(lines, ("95 %", "[+0.124", "[+0.001"), strict=False)]
    assert len({*columns}) == 1, "aligned"
    assert stats.ttest_rel(A, B).pvalue == pytest.approx(0.0374, abs=1e-4)
    assert lines[3] == ""
    assert lines[4].startswith("a - b on kodak_quality, over images (4 images; paired t-test): an interval is where")
    assert "corrected by Holm's method for 2 comparisons" in lines[4]
    niqe = made_scores("a", {"niqe_live": [[3.0, 4, 5]]})
    assert "lower is better for NIQE" in render_text(compare_all(niqe, made_scores("b", {"niqe_live": [[3.0, 4, 4]]})))


def test_of_one_training_a_side_the_text_says_what_to_give():
    (one,), (other,) = trained("a", (30.0,)), trained("b", (29.9,))
    assert "not testable: a_0: one training at most; give files of several seeds" in render_text(
        compare_all(one, other, "seeds")
    )


def test_a_single_training_is_no_number_of_seeds():
    (one,) = trained("a", (30.0,))
    text = render_text(compare_all(one, made_scores("b", {PSNR: [[29.0, 30.7]]}), "all"))
    assert "over all (2 images, 1 draw; " in text


def test_a_p_value_that_is_too_small_to_write_out_has_a_floor():
    first = np.arange(40.0)
    lines = render_text(compare_all(a(list(first + 1 + 1e-9 * np.sin(first))), b(list(first)), metric="psnr"))
    assert " < 1e-15  < 1e-15 " in lines


def test_hostile_names_and_ids_stay_on_their_line():
    ids = ["\x1b[31m", "a\nb", "|", "../x"]
    one = made_scores("evil\n\x1b[31m| name", {PSNR: [A]}, ids=ids)
    text = render_text(compare_all(one, made_scores("$(rm)", {PSNR: [B]}, ids=ids)))
    assert len(text.splitlines()) == 4
    assert "evil | name" in text
    assert "\x1b" not in text


# --------------------------------------------------------------------------------------------------------- as an import


def test_who_asks_the_report_for_a_figure_imports_no_statistics():
    code = "import sys, usaid.report.figures, usaid.report.text_files; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in loaded if name.startswith(("scipy", "pandas", "usaid.report.statistics"))]
    assert report.compare is compare
    with pytest.raises(AttributeError, match=r"module 'usaid\.report' has no attribute 'compares'"):
        _ = report.compares
    for module in ("usaid.report.figures.figure_2", "usaid.report"):
        assert not [name for name in modules_behind(module) if "statistics" in name]
