import csv
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

import usaid_cli
from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.registries import BENCHMARKS, METRICS
from usaid.report.statistics.pages import write_all_statistics, write_statistics
from usaid.report.tables.files import write_index
from usaid.scores.files import Scores, read_scores, write_scores

IMAGES = {"a": -0.6, "b": 0.1, "c": 0.5}
"""Image -> its PSNR beside the mean. With denoisers that differ by a number and these offsets times another one, all
differences can be worked by hand."""

A = (30.0, 30.2, 30.1)
B = (29.9, 30.2, 29.9)
"""Means over images of two methods at seeds 0, 1, 2. Differences 0.1, 0, 0.2: mean 0.1, standard deviation 0.1, and
with the tabulated t(0.975, 2 degrees of freedom) = 4.3027 the half width 4.3027 * 0.1 / sqrt(3) = 0.2484."""


def score_file(
    folder: Path,
    name: str,
    psnr: float,
    train: dict[str, Any] | None = None,
    spread: float = 1.0,
    images: Sequence[str] = tuple(IMAGES),
    noise: Sequence[float] = (0.0,),
    sigmas: Sequence[float] = (25.0,),
    **provenance: Any,
) -> Path:
    """Scores: PSNR ``psnr`` on average (at sigma 15 1 dB more), SSIM a hundredth of it, NIQE 33 less PSNR.

    Args:
        spread: factor to the images' offsets.
        noise: what each noise draw adds; of a file of further ``draws`` they are those.
    """
    benchmark = provenance.get("benchmark", "kodak_quality")
    first = (provenance.get("draws") or [0])[0]
    rows = pd.DataFrame(
        [
            {"image_id": image, "image_sha256": image, "sigma": sigma, "draw": first + draw, "told_sigma": math.nan,
             "psnr_rgb_float": psnr + (sigma == 15) + spread * IMAGES.get(image, 0.0) + more}
            for sigma in sigmas for draw, more in enumerate(noise) for image in images
        ]
    )  # fmt: skip
    rows["ssim_skimage7"], rows["niqe_live"] = rows["psnr_rgb_float"] / 100, 33 - rows["psnr_rgb_float"]
    train_entry = {} if train is None else {"train": {"gradient": "attached", "classes": 21} | train}
    n = len(images)
    everything = {
        "experiment": "small", "benchmark": benchmark, "denoiser": name, "title": name.upper(), "draws": None,
        "entry": {"method": "u_said", "title": name.upper()} | train_entry, "deviations": ["toy data"], "judge": {},
        "metrics": ["psnr_rgb_float", "ssim_skimage7", "niqe_live"], "weights_sha256": None, "code_hash": "0",
        "dataset": {"name": "kodak", "split": "all", "n": n, "n_official": 24, "subset": "few.txt", "ids_sha256": "0"},
        "config_sha256": "0", "noise_version": 1, "git": {"commit": None, "dirty": None}, "packages": {},
        "python": "3", "platform": "p", "device": "cpu", "precision": "float32", "seconds": {}, "pixels": 10,
        "pixels_per_second": 7, "failure": None,
    } | provenance  # fmt: skip
    path = folder / benchmark / ("" if everything["draws"] is None else "draws") / f"{name}.parquet"
    write_scores(path, Scores(rows if everything["failure"] is None else rows[:0], everything))
    return path


def method(
    folder: Path, name: str, psnr: Sequence[float], seeds: Sequence[int] = (0, 1, 2), **train: Any
) -> list[Path]:
    """One denoiser for each seed, ``name_0`` ..."""
    return [score_file(folder, f"{name}_{s}", p, {"seed": s} | train) for s, p in zip(seeds, psnr, strict=True)]


def two_methods(folder: Path) -> list[Path]:
    return method(folder, "a", A) + method(folder, "b", B, gradient="detached")


def page_of(folder: Path, benchmark: str = "kodak_quality") -> str:
    return (folder / f"statistics/{benchmark}.md").read_text(encoding="utf-8")


def lines_of(files: Sequence[Path], folder: Path, benchmark: str = "kodak_quality") -> list[dict[str, str]]:
    """What the CSV file says."""
    write_statistics(benchmark, files, folder / "statistics")
    with open(folder / f"statistics/{benchmark}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def only(lines: Sequence[dict[str, str]], **wanted: str) -> dict[str, str]:
    """The one line that says what is wanted."""
    (line,) = (line for line in lines if wanted.items() <= line.items())
    return line


def chosen(lines: Sequence[dict[str, str]], **wanted: str) -> list[dict[str, str]]:
    return [line for line in lines if wanted.items() <= line.items()]


# ---------------------------------------------------------------------------------------------------- over images


def test_the_columns_are_those_that_are_promised(tmp_path):
    lines = lines_of([score_file(tmp_path, "a", 30)], tmp_path)
    assert ",".join(lines[0]) == (
        "benchmark,table,group,metric,unit,convention,kind,denoiser,other,over,test,units,value,low,high,p,p_corrected,"
        "family,family_size,verdict,reason"
    )


def test_a_case_over_images_worked_by_hand(tmp_path):
    """B - A is 0.4 + 0.5 times the offsets: 0.1, 0.45, 0.65; mean 0.4, sd 0.27839; t(0.975, 2) = 4.3027."""
    files = [score_file(tmp_path, "a", 30.0), score_file(tmp_path, "b", 30.4, spread=1.5)]
    lines = lines_of(files, tmp_path)
    difference = only(lines, table="6", group="25", metric="psnr", kind="difference")
    half = 4.3027 * 0.278388 / math.sqrt(3)
    assert (difference["denoiser"], difference["other"]) == ("b", "a"), "later minus earlier"
    assert (difference["over"], difference["test"], difference["units"]) == ("images", "paired t-test", "images=3")
    assert (difference["unit"], difference["convention"], difference["value"]) == ("dB", "psnr_rgb_float", "0.4000")
    assert float(difference["low"]) == pytest.approx(0.4 - half, abs=1e-4)
    assert float(difference["high"]) == pytest.approx(0.4 + half, abs=1e-4)
    p = stats.ttest_1samp([0.1, 0.45, 0.65], 0).pvalue
    assert difference["p"] == f"{p:.3g}"
    assert (difference["family"], difference["family_size"]) == ("Table VI, over images", "3")
    assert float(difference["p_corrected"]) == pytest.approx(3 * p, rel=0.005), "the three metrics are equal"
    assert (difference["verdict"], difference["reason"]) == ("no difference found", "")
    score = only(lines, table="6", group="25", metric="psnr", kind="score", denoiser="a")
    assert (score["value"], score["p"], score["family"], score["verdict"]) == ("30.0000", "", "", "")
    assert score["test"] == "Student's t"


def test_a_family_is_all_of_a_table_and_no_two_tables_are_one(tmp_path):
    files = [score_file(tmp_path, n, 30 + i, spread=1 + i / 9, sigmas=(15.0, 25.0)) for i, n in enumerate("abc")]
    lines = chosen(lines_of(files, tmp_path), kind="difference")
    assert {(line["family"], line["family_size"]) for line in lines} == {
        ("Table IV, over images", str(3 * 2 * 2)),
        ("Table VI, over images", str(3 * 2 * 3)),
    }
    assert len(chosen(lines, table="4")) == 2 * 3 * 2 * 2, "in both settings, which say the same of blind denoisers"
    for line in lines:
        assert float(line["p"]) <= float(line["p_corrected"]) <= 1
        assert (line["verdict"] == "differ") == (float(line["p_corrected"]) < 0.05)


def test_the_page_says_first_what_differs_and_counts_the_rest(tmp_path):
    sigmas = (15.0, 25.0)
    files = [
        score_file(tmp_path, "noisy", 20.0, spread=0.99, sigmas=sigmas, entry={"method": "noisy"}),
        score_file(tmp_path, "low", 30.0, sigmas=sigmas),
        score_file(tmp_path, "high", 31.0, spread=1.001, sigmas=sigmas),
        score_file(tmp_path, "wild", 30.9, spread=3.0, sigmas=sigmas),
    ]
    write_statistics("kodak_quality", files, tmp_path / "statistics")
    page = page_of(tmp_path)
    assert page.startswith("# Statistics of kodak_quality\n\n**Reading.** ")
    assert (
        "- [Table VI, over images](#table-vi-over-images): no difference found in 12 of 18 comparisons.\n"
        "  - HIGH has higher PSNR and higher SSIM and lower NIQE (σ = 15, 25) than LOW.\n"
    ) in page
    assert "permutation" not in page
    assert "Tests: paired t-test. p-values are corrected for 36 comparisons." in page
    assert "with the one after Holm's correction in parentheses where it is another" in page
    assert "### Table VI, over images, σ = 15" in page
    assert "| Score | n | PSNR (dB) | SSIM | NIQE (niqe_live) |" in page
    assert "| HIGH − LOW | 3 images | **+1.000 [+0.999, +1.001], p = " in page
    assert "| WILD − LOW | 3 images | +0.900 [-1.866, +3.666], p = 0.3 (1) |" in page
    assert "Lower is better for NIQE, higher for everything else." in page
    assert "n = 3 of 24 images of kodak, split all (subset few.txt); 1 noise draw; means of psnr_rgb_float" in page
    assert page.count("- Deviation from the paper: toy data.\n") == 1


def test_a_table_that_repeats_another_one_is_named_only(tmp_path):
    """Table IV shows NIQE and PSNR of what Table VI shows; its comparisons are a family of its own in the CSV file.

    The two tables may have their columns in another order: those of the paper come first.
    """
    names = ("a", "s_said", "cdncnn_b")
    files = [score_file(tmp_path, name, 30, spread=1 + index / 7) for index, name in enumerate(names)]
    assert {line["table"] for line in lines_of(files, tmp_path)} == {"4", "6"}
    page = page_of(tmp_path)
    assert (
        "- Table IV: the same comparisons as Table VI; corrected as its own family [in the CSV file]"
        "(kodak_quality.csv).\n"
    ) in page
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        *("## Table VI, over images", "## How to read this")
    ]


def test_a_pair_that_is_better_in_one_metric_and_worse_in_another_has_one_line(tmp_path):
    files = [score_file(tmp_path, "a", 30.0), score_file(tmp_path, "b", 31.0, spread=1.001)]
    own = read_scores(files[1])
    worse = own.rows["psnr_rgb_float"] / 100 - 0.1 - own.rows["psnr_rgb_float"] / 1e6
    write_scores(files[1], Scores(own.rows.assign(ssim_skimage7=worse), own.provenance))
    lines_of(files, tmp_path)
    assert (
        "(#table-vi-over-images): all 3 differ.\n"
        "  - B has higher PSNR and lower NIQE (σ = 25) than A; A has higher SSIM (σ = 25) than B.\n"
    ) in page_of(tmp_path)


def test_a_p_value_of_nearly_0_has_a_floor_on_the_page_and_is_no_0_in_the_file(tmp_path):
    images = [f"i{index}" for index in range(40)]
    files = [score_file(tmp_path, name, 30.0, images=images) for name in "ab"]
    own = read_scores(files[1])
    more = 1 + 1e-7 * pd.Series([math.sin(index) for index in range(40)])
    write_scores(files[1], Scores(own.rows.assign(psnr_rgb_float=own.rows["psnr_rgb_float"] + more), own.provenance))
    difference = only(lines_of(files, tmp_path), table="6", metric="psnr", kind="difference")
    assert 0 < float(difference["p"]) < 1e-15
    assert "| B − A | 40 images | **+1.000 [+1.000, +1.000], p < 1e-15** |" in page_of(tmp_path)


def test_settings_that_say_the_same_are_one_block(tmp_path):
    files = [score_file(tmp_path, n, 30, spread=s, sigmas=(15.0, 25.0)) for n, s in (("a", 1.0), ("b", 1.5))]
    rows = []
    for path in files:
        own = read_scores(path)
        told = own.rows.assign(told_sigma=25.0, psnr_rgb_float=own.rows["psnr_rgb_float"] - (own.rows["sigma"] == 15))
        rows.append(pd.concat([own.rows.assign(told_sigma=own.rows["sigma"]), told[told["sigma"] == 15]]))
        write_scores(path, Scores(rows[-1], own.provenance))
    lines = lines_of(files, tmp_path)
    assert {line["group"] for line in chosen(lines, table="4")} == {
        *("median_sigma/15", "median_sigma/25", "oracle_sigma/15", "oracle_sigma/25")
    }
    headings = [line for line in page_of(tmp_path).splitlines() if line.startswith("### Table IV, over images")]
    assert [heading.rpartition("σ = ")[2] for heading in headings] == ["15 told 25", "25", "15 told the truth"]


def test_a_benchmark_of_its_own_is_a_family(tmp_path, monkeypatch):
    card = replace(BENCHMARKS["kodak_quality"], name="dots_quality", metrics=("psnr",))
    monkeypatch.setitem(BENCHMARKS.all, "dots_quality", card)
    files = [score_file(tmp_path, name, 30, benchmark="dots_quality", spread=s) for name, s in (("a", 1), ("b", 2))]
    lines = lines_of(files, tmp_path, "dots_quality")
    assert {line["table"] for line in lines} == {"dots_quality"}
    assert {line["family"] for line in chosen(lines, kind="difference")} == {"Benchmark dots_quality, over images"}


def test_benchmarks_of_one_table_are_one_family(tmp_path):
    """Table VII's two data sets: each page has its own comparisons, corrected for those of both."""
    names = ("isic_segmentation", "deepglobe_segmentation")
    counts = {"a": ([9, 1, 1, 9], [8, 2, 2, 8], [9, 1, 3, 7]), "b": ([9, 1, 2, 8], [9, 1, 2, 8], [7, 3, 4, 6])}
    files = []
    for benchmark in names:
        for denoiser, confusions in counts.items():
            path = score_file(tmp_path, denoiser, 30, benchmark=benchmark)
            own = read_scores(path)
            rows = own.rows[own.rows["sigma"] == 25].drop(columns=["psnr_rgb_float", "ssim_skimage7", "niqe_live"])
            judge = {"class_names": ["background", "lesion"]}
            rows = rows.assign(confusion=list(confusions))
            write_scores(path, Scores(rows, own.provenance | {"metrics": ["confusion"], "judge": judge}))
            files.append(path)
    for benchmark in names:
        lines = lines_of(files, tmp_path, benchmark)
        assert {line["benchmark"] for line in lines} == {benchmark}
        difference = only(lines, kind="difference", family="Table VII, over images")
        assert difference["family_size"] == "2"
        assert (difference["test"], difference["units"]) == ("permutation test", "images=3")
        page = page_of(tmp_path, benchmark)
        assert "corrected for 2 comparisons, 1 of them of this benchmark" in page
        assert "A permutation test of 3 images gives no p below 0.25: corrected for 1 such comparison none can" in page
        assert "Two differ where p is below 0.05 and the interval leaves out 0: the permutation test keeps" in page
        assert "Where classes are rare, intervals of mIoU and AP are somewhat too short" in page
    alone = lines_of(files[:2], tmp_path, "isic_segmentation")
    assert only(alone, kind="difference", family="Table VII, over images")["family_size"] == "1"


def test_table_ii_compares_its_columns(tmp_path):
    main = [score_file(tmp_path, "u_said", 30, {"seed": 0}, benchmark="voc_quality")]
    variants = [
        score_file(tmp_path, f"u_said_k{k}", 30 + k / 10, {"seed": 0, "classes": k}, spread=k / 10,
                   benchmark="voc_quality")
        for k in (10, 40)
    ]  # fmt: skip
    write_statistics("voc_quality", main, tmp_path / "statistics", [*variants, *main])
    with open(tmp_path / "statistics/voc_quality.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["denoiser"] for line in chosen(lines, table="1")} == {"u_said"}, "no variant"
    pairs = [(line["denoiser"], line["other"]) for line in chosen(lines, table="2", metric="psnr", kind="difference")]
    assert pairs == [("u_said_k21", "u_said_k10"), ("u_said_k40", "u_said_k10"), ("u_said_k40", "u_said_k21")]
    assert "| K = 40 − K = 21 | 3 images |" in page_of(tmp_path, "voc_quality")


# ---------------------------------------------------------------------------------------------------- many pairs


def test_of_very_many_pairs_the_page_shows_those_with_the_papers_two(tmp_path):
    names = ["cdncnn_b", "s_said", "u_said", *(f"other_{index}" for index in range(5))]
    files = [score_file(tmp_path, name, 30 + index / 9, spread=1 + index / 9) for index, name in enumerate(names)]
    lines = lines_of(files, tmp_path)
    assert len(chosen(lines, table="6", group="25", metric="psnr", kind="difference")) == 28
    page = page_of(tmp_path)
    assert "13 of 28 pairs are shown, [all are in the CSV file](kodak_quality.csv)." in page
    assert "| OTHER_4 − U_SAID |" in page
    assert "| OTHER_4 − S_SAID |" not in page


def test_of_very_many_pairs_further_seeds_go_first(tmp_path):
    files = [path for name in ("a", "b", "c") for path in method(tmp_path, name, A, classes=ord(name))]
    lines_of(files, tmp_path)
    page = page_of(tmp_path)
    assert "3 of 36 pairs are shown" in page
    assert page.count("9 of the 36 pairs in this family are two seeds of one way of training") == 1
    assert "| B_0 − A_0 | 3 images |" in page
    assert "| A_1 − A_0 |" not in page


# ---------------------------------------------------------------------------------------------------- over seeds


def test_a_case_over_seeds_worked_by_hand(tmp_path):
    lines = chosen(lines_of(two_methods(tmp_path), tmp_path), table="6", over="seeds")
    assert len(lines) == 3 * (2 + 1)
    mean = only(lines, group="25", metric="psnr", denoiser="a_0", kind="score")
    assert (mean["value"], mean["low"], mean["high"]) == ("30.1000", "29.8516", "30.3484")
    assert (mean["p"], mean["verdict"], mean["units"]) == ("", "", "seeds=3;images=3")
    difference = only(lines, group="25", metric="psnr", kind="difference")
    assert (difference["denoiser"], difference["other"], difference["value"]) == ("b_0", "a_0", "-0.1000")
    assert (difference["low"], difference["high"]) == ("-0.3484", "0.1484")
    assert float(difference["p"]) == pytest.approx(stats.ttest_rel(A, B).pvalue, rel=0.005)
    assert (difference["verdict"], difference["family_size"]) == ("no difference found", "3")


def test_a_difference_hidden_by_the_seeds_is_found_in_pairs(tmp_path):
    a, b = (30.0, 31.0, 32.0), (29.9, 30.8999, 31.9001)
    files = method(tmp_path, "a", a) + method(tmp_path, "b", b, gradient="detached")
    lines = chosen(lines_of(files, tmp_path), table="6", group="25", metric="psnr", kind="difference")
    difference = only(lines, over="seeds")
    assert (difference["verdict"], difference["value"]) == ("differ", "-0.1000")
    assert stats.ttest_ind(a, b).pvalue > 0.9
    assert (
        "[Table VI, over seeds](#table-vi-over-seeds): all 3 differ.\n"
        "  - A_0 has higher PSNR and higher SSIM and lower NIQE (σ = 25) than B_0.\n"
    ) in page_of(tmp_path)


def test_only_common_seeds_are_paired(tmp_path):
    files = method(tmp_path, "a", (30.0, 30.2, 99.0), seeds=(0, 1, 2))
    files += method(tmp_path, "b", (29.0, 29.9, 29.9), seeds=(7, 1, 0), gradient="detached")
    files += method(tmp_path, "c", (30.0, 30.0), seeds=(2, 3), gradient="none")
    lines = chosen(lines_of(files, tmp_path), table="6", group="25", metric="psnr", over="seeds")
    difference = only(lines, denoiser="b_7", other="a_0")
    assert (difference["value"], difference["units"]) == ("-0.2000", "seeds=2;images=3")
    assert only(lines, denoiser="c_2", other="a_0")["reason"] == "one seed"
    assert only(lines, denoiser="c_2", other="b_7")["reason"] == "no training seed that both have"
    assert {line["verdict"] for line in chosen(lines, denoiser="c_2", kind="difference")} == {"not testable"}


def test_the_page_says_who_stands_for_several_seeds_and_who_is_left_out(tmp_path):
    files = two_methods(tmp_path) + method(tmp_path, "once", [30.0], [0], gradient="none")
    files += [score_file(tmp_path, "noisy", 20.0, entry={"method": "noisy"})]
    write_statistics("kodak_quality", files, tmp_path / "statistics")
    page = page_of(tmp_path)
    assert "one denoiser for each seed: A_0 is a_0, a_1, a_2; B_0 is b_0, b_1, b_2." in page
    assert "Left out over seeds, since not trained with two seeds: once_0, noisy." in page
    assert "**Over seeds** an interval speaks of other trainings by the same recipe" in page


def test_over_all_a_denoiser_of_one_training_is_not_taken_for_one_that_was_not_trained(tmp_path):
    files = two_methods(tmp_path) + method(tmp_path, "once", [30.5], [0], gradient="none")
    files += [score_file(tmp_path, "released", 31.0, entry={"method": "u_said", "weights": "u.pth"}, spread=1.5)]
    files += [score_file(tmp_path, "noisy", 20.0, entry={"method": "noisy"}, spread=0.5)]
    of_psnr = chosen(lines_of(files, tmp_path), table="6", over="all", metric="psnr", kind="difference")
    units = {(line["denoiser"], line["other"]): line["units"].partition(";")[0] for line in of_psnr}
    assert (units["b_0", "a_0"], units["a_0", "noisy"], units["released", "a_0"]) == ("seeds=3",) * 3
    assert units["once_0", "a_0"] == units["once_0", "noisy"] == units["released", "once_0"] == "seeds=1"
    page = page_of(tmp_path)
    sentence = (
        "- Of each of these there is one training, and no interval says what another would do: once_0, released.\n"
    )
    assert page.count(sentence) == 1
    assert " 1 seed" not in page
    assert "| ONCE_0 − A_0 | 3 images, 1 draw |" in page
    assert "A_0 is a_0, a_1, a_2; B_0 is b_0, b_1, b_2." in page


def test_methods_that_share_a_title_are_told_apart(tmp_path):
    files = [
        score_file(tmp_path, f"{name}_{seed}", 30.0 + seed, {"seed": seed, "classes": classes}, title="U-SAID")
        for name, classes in (("a", 21), ("b", 10))
        for seed in (0, 1)
    ]
    write_statistics("kodak_quality", files, tmp_path / "statistics")
    assert "U-SAID (a_0) is a_0, a_1; U-SAID (b_0) is b_0, b_1." in page_of(tmp_path)


def test_without_two_seeds_there_is_nothing_over_seeds(tmp_path):
    files = method(tmp_path, "a", [30.0], [0]) + method(tmp_path, "b", [30.0], [1], gradient="detached")
    lines = lines_of(files, tmp_path)
    assert {line["over"] for line in lines} == {"images"}
    assert "seeds" not in page_of(tmp_path)


def test_two_that_are_trained_alike_cost_what_is_said_over_seeds_alone(tmp_path):
    files = [*two_methods(tmp_path), score_file(tmp_path, "twin", 30.0, {"seed": 1})]
    lines = lines_of(files, tmp_path)
    assert {line["over"] for line in lines} == {"images"}
    assert (
        "- Training seeds are not told apart: kodak_quality/twin.parquet: trained as a_1 is, seed and all; "
        "give only one of the two."
    ) in page_of(tmp_path)


def test_a_failed_or_undefined_seed_leaves_the_others(tmp_path):
    files = two_methods(tmp_path)
    score_file(tmp_path, "a_2", 0, {"seed": 2}, failure="out of\nmemory.")
    own = read_scores(files[3])
    write_scores(files[3], Scores(own.rows.assign(psnr_rgb_float=math.nan), own.provenance))
    lines = chosen(lines_of(files, tmp_path), table="6", group="25", metric="psnr", over="seeds")
    assert {(line["denoiser"], line["units"]) for line in chosen(lines, kind="score")} == {
        *(("a_0", "seeds=2;images=3"), ("b_0", "seeds=2;images=3"))
    }
    assert only(lines, kind="difference")["reason"] == "one seed", "the first has 0 and 1, the second 1 and 2"


def test_a_seed_over_fewer_images_is_left_out_and_said(tmp_path):
    files = two_methods(tmp_path)
    own = read_scores(files[0])
    rows = own.rows.assign(psnr_rgb_float=own.rows["psnr_rgb_float"].where(own.rows["image_id"] == "a"))
    write_scores(files[0], Scores(rows, own.provenance))
    lines = chosen(lines_of(files, tmp_path), table="6", group="25", over="seeds")
    units = {(line["metric"], line["denoiser"], line["other"]): line["units"].partition(";")[0] for line in lines}
    assert (units["psnr", "a_0", ""], units["psnr", "b_0", ""]) == ("seeds=2", "seeds=3")
    assert (units["psnr", "b_0", "a_0"], units["ssim", "b_0", "a_0"]) == ("seeds=2", "seeds=3")
    assert "Left out over seeds: PSNR of a_0: a mean over fewer images than that of others." in page_of(tmp_path)


def test_a_further_metric_is_compared_too(tmp_path, monkeypatch):
    card = Metric("sharpness", "Sharpness", "", "lower", digits=1, conventions=(Convention("sharp_v2"),))
    monkeypatch.setitem(METRICS.all, "sharpness", card)
    files = two_methods(tmp_path)
    for path in files:
        scores = read_scores(path)
        metrics = [*scores.provenance["metrics"], "sharp_v2"]
        rows = scores.rows.assign(sharp_v2=scores.rows["psnr_rgb_float"])
        write_scores(path, Scores(rows, scores.provenance | {"metrics": metrics}))
    lines = lines_of(files, tmp_path)
    for over in ("images", "seeds"):
        rows = chosen(lines, table="6", group="25", over=over, denoiser="b_0", other="a_0")
        values = {row["metric"]: float(row["value"]) for row in rows}
        assert set(values) == {"psnr", "ssim", "niqe", "sharpness"}
        assert values["sharpness"] == pytest.approx(values["psnr"], abs=1e-3)
    assert "Lower is better for NIQE, Sharpness, higher for everything else." in page_of(tmp_path)


# ---------------------------------------------------------------------------------------------------- over draws


def with_draws(folder: Path) -> list[Path]:
    """Two denoisers whose draws 0, 1, 2 are 30, 30.02, 30.01 and 30.1, 30.11, 30.12: Table X's, at sigma 25."""
    return [
        score_file(folder, "a", 30.0),
        score_file(folder, "b", 30.1, spread=1.2),
        score_file(folder, "a", 30.0, noise=(0.02, 0.01), draws=[1, 2]),
        score_file(folder, "b", 30.1, noise=(0.01, 0.02), draws=[1, 2], spread=1.2),
    ]


def test_further_draws_are_table_x_and_nothing_else(tmp_path):
    """Differences 0.1, 0.09, 0.11 in PSNR: in NIQE -0.1, sd 0.01; not paired, both have the variance 0.0001."""
    lines = lines_of(with_draws(tmp_path), tmp_path)
    assert {line["table"] for line in lines if line["over"] in ("draws", "all")} == {"10"}
    assert only(lines, table="6", group="25", metric="niqe", kind="difference")["units"] == "images=3"
    of_x = chosen(lines, table="10", group="kodak", metric="niqe", kind="difference", denoiser="b", other="a")
    paired = only(of_x, test="paired t-test", over="draws")
    half = 4.3027 * 0.01 / math.sqrt(3)
    assert (paired["value"], paired["family"]) == ("-0.100000", "Table X, over draws")
    assert float(paired["low"]) == pytest.approx(-0.1 - half, abs=1e-5)
    as_printed = only(of_x, test="two-sample t-test")
    p = stats.ttest_ind_from_stats(2.9, 0.01, 3, 3.0, 0.01, 3).pvalue
    assert (as_printed["over"], as_printed["p"]) == ("draws", f"{p:.3g}")
    assert as_printed["family"] != paired["family"]
    assert only(of_x, over="images")["units"].startswith("images=3")
    assert only(of_x, over="all")["test"] == "hierarchical bootstrap"
    page = page_of(tmp_path)
    assert page.index("## Table VI, over images") < page.index("## Table X, over draws\n")
    assert "**Over draws** an interval speaks of other noise" in page
    assert "3 noise draws" in page


def test_draws_of_the_main_files_are_of_all_their_tables(tmp_path):
    noise = (0.0, 0.02, 0.01)
    files = [
        score_file(tmp_path, name, 30, spread=spread, noise=noise, sigmas=(15.0,))
        for name, spread in (("a", 1.0), ("b", 1.2))
    ]
    lines = chosen(lines_of(files, tmp_path), kind="difference", metric="psnr")
    assert {(line["table"], line["over"]) for line in lines if line["group"] == "15"} == {
        *(("6", over) for over in ("draws", "images", "all"))
    }
    difference = only(lines, table="6", group="15", over="draws")
    assert (difference["value"], difference["verdict"]) == ("0.0000", "not testable"), "both see the same noise"


def test_a_denoiser_that_lacks_a_draw_costs_table_x_and_both_files_are_named(tmp_path):
    files = with_draws(tmp_path)
    score_file(tmp_path, "b", 30.1, noise=(0.01,), draws=[1], spread=1.2)
    assert {line["table"] for line in lines_of(files, tmp_path)} == {"4", "6"}
    (line,) = (line for line in page_of(tmp_path).splitlines() if line.startswith("- Table X: left out: "))
    assert re.search(r"kodak_quality/a\.parquet and kodak_quality/b\.parquet: .*draw 2", line)


def test_further_draws_without_the_main_file_are_refused(tmp_path):
    with pytest.raises(UsaidError, match=r"kodak_quality/draws/b\.parquet: .* without .*kodak_quality/b\.parquet"):
        write_statistics("kodak_quality", [with_draws(tmp_path)[i] for i in (0, 2, 3)], tmp_path)


def test_draws_that_failed_cost_what_is_said_over_draws(tmp_path):
    files = with_draws(tmp_path)
    score_file(tmp_path, "b", 0, draws=[1, 2], failure="out of memory")
    lines = chosen(lines_of(files, tmp_path), kind="difference", metric="niqe")
    assert only(lines, table="6", group="25")["reason"] == ""
    reason = only(lines, family="Table X, over draws")["reason"]
    assert reason == "b: not scored: kodak_quality/draws/b.parquet: out of memory"


# ---------------------------------------------------------------------------------------------------- bad input


def test_a_failed_denoiser_is_not_testable_and_says_why(tmp_path):
    files = [score_file(tmp_path, name, 30, spread=s) for name, s in (("a", 1), ("b", 1.2))]
    files.append(score_file(tmp_path, "broken", 0, failure="out of\nmemory | <b>*all* of it</b>."))
    lines = chosen(lines_of(files, tmp_path), table="6", group="25", metric="psnr")
    assert only(lines, denoiser="b", other="a")["reason"] == ""
    broken = only(lines, denoiser="broken", other="a")
    assert broken["reason"] == "broken: not scored: out of memory | <b>*all* of it</b>"
    assert (broken["verdict"], broken["value"], broken["p_corrected"]) == ("not testable", "", "")
    assert broken["family_size"] == only(lines, denoiser="b", other="a")["family_size"] == "3"
    page = page_of(tmp_path)
    assert "| BROKEN − A | – | –<sup>2</sup> | –<sup>2</sup> | –<sup>2</sup> |" in page
    assert "<sup>2</sup> Not testable: broken: not scored: out of memory \\| \\<b\\>\\*all\\* of it" in page
    assert "6 comparisons not testable" in page


@pytest.mark.parametrize("images", [("a",), ("a", "b")])
def test_one_image_is_not_testable_and_two_are(tmp_path, images):
    files = [score_file(tmp_path, n, 30, spread=s, images=images) for n, s in (("a", 1.0), ("b", 1.1))]
    lines = lines_of(files, tmp_path)
    assert {line["reason"] for line in lines} == {"one image" if len(images) == 1 else ""}
    assert all(line["value"] for line in lines)
    assert ("Not testable: one image." in page_of(tmp_path)) == (len(images) == 1)


def test_equal_scores_are_not_testable(tmp_path):
    lines = lines_of([score_file(tmp_path, name, 30) for name in ("a", "b")], tmp_path)
    difference = only(lines, table="6", group="25", metric="psnr", kind="difference")
    assert (difference["value"], difference["verdict"], difference["low"], difference["p"]) == (
        *("0.0000", "not testable", "", ""),
    )
    assert difference["reason"]
    assert "nothing to compare" not in page_of(tmp_path)


def test_a_deviation_of_some_denoisers_stands_once_with_their_names(tmp_path):
    files = [
        score_file(tmp_path, name, 30, spread=1 + index / 9, deviations=["toy data", *["bfloat16"] * (index > 0)])
        for index, name in enumerate("abc")
    ]
    lines_of(files, tmp_path)
    page = page_of(tmp_path)
    assert page.count("bfloat16") == 1
    assert "- b, c: Deviation from the paper: bfloat16.\n" in page
    assert "- Deviation from the paper: toy data.\n" in page


def test_no_number_that_is_none_reaches_the_page(tmp_path):
    files = [score_file(tmp_path, "a", 30), score_file(tmp_path, "b", 30.1, spread=1.1)]
    clean = score_file(tmp_path, "clean", 30, entry={"method": "clean"})
    own = read_scores(clean)
    write_scores(clean, Scores(own.rows.assign(psnr_rgb_float=math.inf, niqe_live=math.nan), own.provenance))
    lines = lines_of([*files, clean], tmp_path)
    text = page_of(tmp_path) + (tmp_path / "statistics/kodak_quality.csv").read_text()
    assert not {"nan", "inf", "-inf"} & {*text.replace("[", " ").replace(",", " ").replace("|", " ").split()}
    assert "clean" not in {line["other"] for line in lines}, "it is compared with nothing"
    assert only(lines, table="6", group="25", metric="ssim", denoiser="clean")["value"] == "0.300000"


def test_hostile_titles_and_ids_are_text(tmp_path):
    title = "*<script>alert(1)</script>* | [x](http://y) `z`\n# Heading"
    ids = ("../../etc/passwd", "=cmd()|' /C calc'!A0", "a\tb\n| c |")
    files = [score_file(tmp_path, n, 30, spread=s, images=ids, title=title) for n, s in (("a", 1.0), ("b", 1.1))]
    for index, path in enumerate(files):
        own = read_scores(path)
        more = own.rows["image_id"].map({name: 0.1 * k * index for k, name in enumerate(ids)})
        write_scores(path, Scores(own.rows.assign(psnr_rgb_float=own.rows["psnr_rgb_float"] + more), own.provenance))
    lines = lines_of(files, tmp_path)
    assert {line["units"] for line in lines} == {"images=3"}
    page = page_of(tmp_path)
    assert "<script" not in page.replace("\\<script", "")
    assert "[x](http" not in page
    assert not any(line.startswith("# Heading") for line in page.splitlines())
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {6}, "PSNR, SSIM and NIQE"


def test_files_that_do_not_belong_together(tmp_path):
    files = two_methods(tmp_path)
    with pytest.raises(UsaidError, match=r"a_0\.parquet: a second score file of a_0 on kodak_quality"):
        write_statistics("kodak_quality", [*files, files[0]], tmp_path)
    with pytest.raises(UsaidError, match="statistics of voc_quality: no score file of it"):
        write_statistics("voc_quality", files, tmp_path)
    other_noise = score_file(tmp_path, "a_3", 30.0, {"seed": 3}, noise_version=2)
    with pytest.raises(UsaidError, match="noise_version is 1 in the first and 2 in the second"):
        write_statistics("kodak_quality", [*files[:3], other_noise], tmp_path)
    foreign = score_file(tmp_path, "a_0", 30.0, {"seed": 0}, benchmark="imagenet_quality")
    with pytest.raises(UsaidError, match=r"a_0\.parquet: scores of imagenet_quality; give those of"):
        write_statistics("kodak_quality", [*files, foreign], tmp_path)


@pytest.mark.parametrize("noise", [(0.0,), (0.0, 0.03)], ids=["one draw", "two draws of the benchmark's own"])
def test_a_denoiser_that_was_not_scored_at_table_xs_sigma_costs_nothing(tmp_path, noise):
    both = [
        score_file(tmp_path, name, 30, spread=1 + index / 9, sigmas=(15.0, 25.0), noise=noise)
        for index, name in enumerate("ab")
    ]
    at_25 = chosen(lines_of(both, tmp_path), group="25", kind="score")
    table_x = chosen(lines_of(both, tmp_path), table="10")
    assert bool(table_x) == (len(noise) > 1)
    only_15 = score_file(tmp_path, "low", 29, spread=1.3, sigmas=(15.0,), noise=noise)
    lines = lines_of([*both, only_15], tmp_path)
    assert chosen(lines, table="10") == table_x
    assert [row for row in chosen(lines, group="25", kind="score") if row["denoiser"] != "low"] == at_25
    assert only(lines, table="6", group="15", metric="psnr", kind="score", denoiser="low", over="images")["value"]


def test_a_denoiser_with_one_draw_costs_nothing(tmp_path):
    several = [
        *(score_file(tmp_path, name, 30, spread=s, noise=(0.0, 0.03)) for name, s in (("a", 1), ("b", 1.2))),
        score_file(tmp_path, "broken", 0, failure="out of memory"),
    ]
    table_x = chosen(lines_of(several, tmp_path), table="10")
    assert "broken" in {line["denoiser"] for line in table_x}
    one = score_file(tmp_path, "one", 29, spread=1.3)
    assert chosen(lines_of([*several, one], tmp_path), table="10") == table_x


def test_a_table_whose_files_do_not_belong_together_is_left_out_with_the_reason(tmp_path):
    """Table IV shows CBM3D, Table VI leaves it out."""
    files = [score_file(tmp_path, name, 30, spread=s) for name, s in (("a", 1), ("b", 1.2))]
    files.append(score_file(tmp_path, "cbm3d", 29, entry={"method": "cbm3d"}, noise_version=2))
    assert {line["table"] for line in lines_of(files, tmp_path)} == {"6"}
    assert (
        "- Table IV: left out: kodak_quality/b.parquet and kodak_quality/cbm3d.parquet: noise_version is 1 in the "
        "first and 2 in the second; score both denoisers on the same terms.\n"
    ) in page_of(tmp_path)


def cifar(folder: Path, name: str, right: Sequence[tuple[int, int, int]], **provenance: Any) -> Path:
    """Whether images are right, draw by draw."""
    path = score_file(folder, name, 30, benchmark="cifar100_classification", noise=(0,) * len(right), **provenance)
    own = read_scores(path)
    first = [value for draw in right for value in draw]
    rows = own.rows.drop(columns=["psnr_rgb_float", "ssim_skimage7", "niqe_live"]).assign(top1=first, top5=1.0)
    write_scores(path, Scores(rows.astype({"top1": float}), own.provenance | {"metrics": ["top1", "top5"]}))
    return path


def test_files_of_another_benchmark_that_do_not_belong_together_cost_theirs_only(tmp_path):
    good = with_draws(tmp_path)
    alone = lines_of(good, tmp_path)
    draws = [(1, 0, 1), (1, 1, 0)]
    bad = [cifar(tmp_path, "a", draws), cifar(tmp_path, "b", draws, noise_version=2)]
    assert lines_of([*good, *bad], tmp_path) == alone
    reason = "cifar100_classification/a.parquet and cifar100_classification/b.parquet: noise_version is 1 in the first"
    assert f"- Table X: cifar100_classification left out: {reason}" in page_of(tmp_path)
    with pytest.raises(UsaidError, match="noise_version is 1"):
        write_all_statistics([*bad, *good], tmp_path / "all")
    assert {path.name for path in (tmp_path / "all").iterdir()} == {
        f"kodak_quality.{suffix}" for suffix in ("csv", "html", "md")
    }


def test_the_page_is_the_same_each_time(tmp_path):
    files = with_draws(tmp_path)
    pages = []
    for folder in ("one", "other"):
        write_statistics("kodak_quality", files, tmp_path / folder)
        pages.append([path.read_bytes() for path in sorted((tmp_path / folder).iterdir())])
    assert pages[0] == pages[1]


# ---------------------------------------------------------------------------------------------------- command line


def test_the_command_writes_a_page_for_each_benchmark(tmp_path, capsys):
    files = [
        score_file(tmp_path, name, 30, spread=s, benchmark=benchmark)
        for benchmark in ("kodak_quality", "voc_quality")
        for name, s in (("a", 1.0), ("b", 1.1))
    ]
    usaid_cli.main(["statistics", *map(str, files), "--to", str(tmp_path / "statistics")])
    assert {path.name for path in (tmp_path / "statistics").iterdir()} == {
        *(f"{name}_quality.{suffix}" for name in ("kodak", "voc") for suffix in ("csv", "html", "md"))
    }
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/statistics/{name}_quality.md written" for name in ("kodak", "voc")
    ]


def test_the_command_refuses_in_one_line(tmp_path):
    with pytest.raises(SystemExit, match=r"^error: .*absent\.parquet: score file is missing"):
        usaid_cli.main(["statistics", str(tmp_path / "absent.parquet"), "--to", str(tmp_path)])


def test_all_pages_are_written_from_the_same_files(tmp_path):
    assert write_all_statistics(with_draws(tmp_path), tmp_path / "statistics") == ["kodak_quality"]


def test_the_page_of_the_tables_links_the_statistics_and_says_why_some_failed(tmp_path):
    write_all_statistics(with_draws(tmp_path), tmp_path / "statistics")
    failed = tmp_path / "statistics/voc_quality.csv"
    write_marker(failed, Failure("statistics_page voc_quality", "not enough memory"))
    write_index(tmp_path / "tables/index.md", [], "small", [tmp_path / "statistics/kodak_quality.csv", failed])
    index = (tmp_path / "tables/index.md").read_text(encoding="utf-8")
    link = "- [Statistics of kodak_quality](../statistics/kodak_quality.md) · [CSV](../statistics/kodak_quality.csv)\n"
    assert link in index
    assert "- **Statistics of voc_quality failed:** not enough memory\n" in index


def test_a_page_on_which_all_failed_says_why(tmp_path):
    lines = lines_of([score_file(tmp_path, name, 0, failure=f"no {name}\nthere") for name in ("a", "b")], tmp_path)
    assert lines == []
    page = page_of(tmp_path)
    assert "**Reading.** Nothing was scored that a table shows." in page
    assert "- a: not scored: no a there.\n- b: not scored: no b there.\n" in page
