"""Statistics over training seeds: against scipy, a case worked by hand, and score files that must not be compared."""

import csv
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.registries import BENCHMARKS, METRICS
from usaid.report.statistics.seeds import compare_seeds, estimate, write_seeds
from usaid.scores.files import Scores, read_scores, write_scores

A = (30.0, 30.2, 30.1)
B = (29.9, 30.2, 29.9)
"""Means over images of two methods at seeds 0, 1, 2. Differences 0.1, 0, 0.2: mean 0.1, standard deviation 0.1, and
with the tabulated t(0.975, 2 degrees of freedom) = 4.3027 the half width 4.3027 * 0.1 / sqrt(3) = 0.2484."""


def score_file(folder: Path, name: str, psnr: float, train: dict[str, Any] | None, **provenance: Any) -> Path:
    """Scores of two images at sigma 15 (1 dB more) and 25; PSNR ``psnr`` and SSIM ``psnr / 100`` on average."""
    benchmark = provenance.get("benchmark", "kodak_quality")
    rows = pd.DataFrame([{"image_id": i, "image_sha256": i, "sigma": s, "draw": 0} for s in (15.0, 25.0) for i in "ab"])
    rows["psnr_rgb_float"] = psnr + (rows["sigma"] == 15) + rows["image_id"].map({"a": -0.5, "b": 0.5})
    rows["ssim_skimage7"], rows["niqe_live"] = psnr / 100, 3.0
    train_entry = {} if train is None else {"train": {"gradient": "attached", "classes": 21} | train}
    everything = {
        "experiment": "subset", "benchmark": benchmark, "denoiser": name, "title": name.upper(),
        "entry": {"method": "u_said", "title": name.upper()} | train_entry, "deviations": ["toy data"], "judge": {},
        "metrics": ["psnr_rgb_float", "ssim_skimage7", "niqe_live"], "weights_sha256": None, "code_hash": "0",
        "dataset": {"name": "kodak", "split": "all", "n": 2, "n_official": 24, "subset": "two.txt", "ids_sha256": "0"},
        "config_sha256": "0", "noise_version": 1, "git": {"commit": None, "dirty": None}, "packages": {},
        "python": "3", "platform": "p", "device": "cpu", "precision": "float32", "seconds": {}, "pixels": 10,
        "pixels_per_second": 7, "failure": None,
    } | provenance  # fmt: skip
    path = folder / benchmark / f"{name}.parquet"
    write_scores(path, Scores(rows if everything["failure"] is None else rows[:0], everything))
    return path


def method(
    folder: Path, name: str, psnr: Sequence[float], seeds: Sequence[int] = (0, 1, 2), **train: Any
) -> list[Path]:
    """One denoiser for each seed, ``name_0`` ..."""
    return [score_file(folder, f"{name}_{s}", p, {"seed": s} | train) for s, p in zip(seeds, psnr, strict=True)]


def two_methods(folder: Path) -> list[Path]:
    return method(folder, "a", A) + method(folder, "b", B, gradient="detached")


def lines_of(files: Sequence[Path], folder: Path) -> list[dict[str, str]]:
    """What ``seeds.csv`` says."""
    write_seeds(files, folder)
    with open(folder / "seeds.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_estimate_is_the_paired_t_test_of_scipy(n: int) -> None:
    one, other = np.random.default_rng(n).normal([[30.1], [30.0]], 0.1, (2, n))
    ours, theirs = estimate([*map(float, one - other)]), stats.ttest_rel(one, other)
    interval = theirs.confidence_interval(0.95)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert ours.sd == pytest.approx(np.std(one - other, ddof=1), rel=1e-9)
    assert ours.differs == (theirs.pvalue < 0.05)


@pytest.mark.parametrize(("value", "p_value"), [(0.1, 0), (-0.1, 0), (0.0, 1)])
def test_equal_values_have_an_interval_without_width(value: float, p_value: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert estimate([value] * 3) == (value, value, value, 0, p_value, 3)
        assert estimate([value] * 3).differs == (value != 0)


def test_case_worked_by_hand(tmp_path: Path) -> None:
    lines = lines_of(two_methods(tmp_path), tmp_path)
    assert ",".join(lines[0]) == (
        "benchmark,sigma,metric,kind,denoiser,other,value,low,high,p_value,n_seeds,verdict,sd,convention"
    )
    assert len(lines) == 2 * 3 * (2 + 1)
    found = {(line["sigma"], line["metric"], line["denoiser"], line["other"]): line for line in lines}
    mean = found["25", "psnr", "a_0", ""]
    assert (mean["kind"], mean["value"], mean["sd"], mean["n_seeds"]) == ("mean", "30.1000", "0.1000", "3")
    assert (mean["low"], mean["high"], mean["p_value"], mean["verdict"]) == ("29.8516", "30.3484", "", "")
    assert found["15", "psnr", "a_0", ""]["value"] == "31.1000"
    difference = found["25", "psnr", "a_0", "b_0"]
    assert (difference["kind"], difference["value"], difference["sd"]) == ("difference", "0.1000", "0.1000")
    assert (difference["low"], difference["high"]) == ("-0.1484", "0.3484")
    assert difference["verdict"] == "no difference found"
    assert float(difference["p_value"]) == pytest.approx(stats.ttest_rel(A, B).pvalue, rel=0.005)
    niqe = found["25", "niqe", "a_0", "b_0"]
    assert (niqe["value"], niqe["low"], niqe["high"], niqe["p_value"]) == ("0.000000", "0.000000", "0.000000", "1")
    assert niqe["convention"] == "niqe_live"


def test_a_difference_hidden_by_the_seeds_is_found_in_pairs(tmp_path: Path) -> None:
    files = method(tmp_path, "a", (30.0, 31.0, 32.0)) + method(tmp_path, "b", (29.9, 30.89, 31.91), gradient="detached")
    lines = lines_of(files, tmp_path)
    (line,) = [one for one in lines if (one["sigma"], one["metric"], one["kind"]) == ("25", "psnr", "difference")]
    assert (line["verdict"], line["value"]) == ("differ", "0.1000")
    assert stats.ttest_ind((30.0, 31.0, 32.0), (29.9, 30.89, 31.91)).pvalue > 0.9


def test_only_common_seeds_are_paired(tmp_path: Path) -> None:
    files = method(tmp_path, "a", (30.0, 30.2, 99.0), seeds=(0, 1, 2))
    files += method(tmp_path, "b", (29.0, 29.9, 29.9), seeds=(7, 1, 0), gradient="detached")
    files += method(tmp_path, "c", (30.0, 30.0), seeds=(2, 3), gradient="none")
    rows = [row for row in compare_seeds(files).rows["kodak_quality"] if (row.sigma, row.metric.name) == (25, "psnr")]
    (difference,) = [row for row in rows if row.other is not None]  # c has one seed with a, and none with b
    assert (difference.denoiser, difference.other) == ("a_0", "b_7")
    assert difference.estimate[:2] == pytest.approx(estimate([0.1, 0.3])[:2])
    assert difference.estimate.n_seeds == 2
    assert [row.estimate.n_seeds for row in rows if row.other is None] == [3, 3, 2]


def test_markdown(tmp_path: Path) -> None:
    files = two_methods(tmp_path) + method(tmp_path, "c", (29.0, 29.2, 29.1), classes=10)
    files += [score_file(tmp_path, "noisy", 20.0, None), *method(tmp_path, "once", [30.0], [0], gradient="none")]
    write_seeds(files, tmp_path)
    text = (tmp_path / "seeds.md").read_text(encoding="utf-8")
    assert (
        "**Reading.** A_0 has higher PSNR (σ = 15, 25), higher SSIM (σ = 15, 25) than C_0; "
        "B_0 has higher PSNR (σ = 15, 25), higher SSIM (σ = 15, 25) than C_0; "
        "no difference found in 10 of 18 comparisons."
    ) in text
    assert "| Mean over seeds | seeds | PSNR (dB) | SSIM | NIQE (niqe_live) |" in text
    assert "| A_0 | 3 | 30.100 [29.852, 30.348], sd 0.100 |" in text
    assert "| A_0 − B_0 | 3 | +0.100 [-0.148, +0.348], p = 0.23 |" in text
    assert "| A_0 − C_0 | 3 | **+1.000 [+1.000, +1.000]**, p =" in text
    assert "n = 2 of 24 images of kodak, split all (subset two.txt); 1 noise draw" in text
    assert "Deviation from the paper: toy data." in text
    assert "not corrected for the number of comparisons, 18 on this page" in text
    assert "variation over training seeds" in text
    assert "Left out, since not trained with two seeds: `noisy`, `once_0`." in text


def test_benchmarks_are_compared_each_by_itself(tmp_path: Path) -> None:
    files = two_methods(tmp_path)
    files += [score_file(tmp_path, f"a_{s}", A[s], {"seed": s}, benchmark="voc_quality") for s in (0, 1)]
    lines = lines_of(files, tmp_path)
    assert {(line["benchmark"], line["kind"]) for line in lines} == {
        *(("kodak_quality", kind) for kind in ("mean", "difference")),
        ("voc_quality", "mean"),
    }
    text = (tmp_path / "seeds.md").read_text(encoding="utf-8")
    assert "**Reading.** Nothing to compare: no two methods have scores of the same two seeds." in text


def test_a_failed_or_undefined_seed_leaves_the_others(tmp_path: Path) -> None:
    files = two_methods(tmp_path)
    score_file(tmp_path, "a_2", 0, {"seed": 2}, failure="out of\nmemory.")
    score_file(tmp_path, "b_0", math.nan, {"seed": 0, "gradient": "detached"})
    comparison = compare_seeds(files)
    psnr = [row for row in comparison.rows["kodak_quality"] if (row.sigma, row.metric.name) == (25, "psnr")]
    assert [(row.denoiser, row.other, row.estimate.n_seeds) for row in psnr] == [("a_0", None, 2), ("b_0", None, 2)]
    notes = comparison.notes["kodak_quality"]
    assert "a_2: evaluator failed: out of memory" in notes


def test_a_seed_over_fewer_images_is_left_out_and_said(tmp_path: Path) -> None:
    files = two_methods(tmp_path)
    own = read_scores(files[0])
    rows = own.rows.assign(psnr_rgb_float=own.rows["psnr_rgb_float"].where(own.rows["image_id"] == "a"))
    write_scores(files[0], Scores(rows, own.provenance))
    n_seeds = {(line["metric"], line["denoiser"], line["other"]): line["n_seeds"] for line in lines_of(files, tmp_path)}
    assert (n_seeds["psnr", "a_0", ""], n_seeds["psnr", "b_0", ""], n_seeds["psnr", "a_0", "b_0"]) == ("2", "3", "2")
    assert n_seeds["ssim", "a_0", "b_0"] == "3"
    page = (tmp_path / "seeds.md").read_text(encoding="utf-8")
    assert "psnr of a_0: left out where it is a mean over fewer images than that of others." in page


def test_methods_that_share_a_title_are_told_apart(tmp_path: Path) -> None:
    files = [
        score_file(tmp_path, f"{name}_{seed}", 30.0 + seed, {"seed": seed, "classes": classes}, title="U-SAID")
        for name, classes in (("a", 21), ("b", 10))
        for seed in (0, 1)
    ]
    groups = compare_seeds(files).groups
    assert [group.title for group in groups] == ["U-SAID (a_0)", "U-SAID (b_0)"]
    assert groups[0].members == {0: "a_0", 1: "a_1"}


def test_a_further_metric_is_compared_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Metric("sharpness", "Sharpness", "", "lower", digits=1, conventions=(Convention("sharp_v2"),))
    monkeypatch.setitem(METRICS.all, "sharpness", card)
    for path in two_methods(tmp_path):
        scores = read_scores(path)
        metrics = [*scores.provenance["metrics"], "sharp_v2"]
        rows = scores.rows.assign(sharp_v2=scores.rows["psnr_rgb_float"])
        write_scores(path, Scores(rows, scores.provenance | {"metrics": metrics}))
    files = sorted(tmp_path.glob("kodak_quality/*.parquet"))
    lines = lines_of(files, tmp_path)
    values = {
        line["metric"]: float(line["value"]) for line in lines if (line["sigma"], line["kind"]) == ("25", "difference")
    }
    assert set(values) == {"psnr", "ssim", "niqe", "sharpness"}
    assert values["sharpness"] == pytest.approx(values["psnr"])
    text = (tmp_path / "seeds.md").read_text(encoding="utf-8")
    assert "Lower is better for NIQE, Sharpness, higher for everything else." in text
    monkeypatch.setitem(BENCHMARKS.all, "kodak_quality", replace(BENCHMARKS["kodak_quality"], metrics=("gone",)))
    with pytest.raises(UsaidError, match="metric 'gone': must be one of psnr, ssim"):
        compare_seeds(files)


def test_no_two_seeds(tmp_path: Path) -> None:
    files = method(tmp_path, "a", [30.0], [0]) + method(tmp_path, "b", [30.0], [1], gradient="detached")
    files += [score_file(tmp_path, name, 30.0, None) for name in ("released", "released_2")]
    with pytest.raises(UsaidError, match=r"no denoiser was trained with two seeds; train one with another train\.seed"):
        write_seeds(files, tmp_path)
    assert not (tmp_path / "seeds.csv").exists()


def test_files_that_cannot_be_compared(tmp_path: Path) -> None:
    files = two_methods(tmp_path)
    with pytest.raises(UsaidError, match=r"a_0\.parquet: a second score file of a_0 on kodak_quality"):
        compare_seeds([*files, files[0]])
    twin = score_file(tmp_path, "twin", 30.0, {"seed": 1})
    with pytest.raises(UsaidError, match=r"kodak_quality/twin\.parquet: trained as a_1 is, seed and all"):
        compare_seeds([*files, twin])
    other_noise = score_file(tmp_path, "a_3", 30.0, {"seed": 3}, noise_version=2)
    with pytest.raises(UsaidError, match="noise_version is 1 in the first and 2 in the second"):
        compare_seeds([*files[:3], other_noise])
    retrained = score_file(tmp_path, "a_0", 30.0, {"seed": 5}, benchmark="voc_quality")
    with pytest.raises(UsaidError, match=r"voc_quality/a_0\.parquet: not the a_0 of another benchmark"):
        compare_seeds([*files, retrained])
    foreign = score_file(tmp_path, "a_0", 30.0, {"seed": 0}, benchmark="imagenet_quality")
    with pytest.raises(UsaidError, match=r"a_0\.parquet: scores of imagenet_quality; give those of"):
        compare_seeds([*files, foreign])
