"""The benchmarks of conventions: each on small images made by hand, and pages that come out of their CSV files."""

import csv
import importlib
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity

from evaluators.metrics import niqe
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from usaid.errors import UsaidError
from usaid.paper.published import published
from usaid.scores.files import read_scores

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results/reference/conventions"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Import a script by its name; scripts import their neighbours."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module


def textured(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """An image (1, 3, H, W) in [0, 1] with structure at more than one scale."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth + 0.1 * torch.randn(1, 3, height, width, generator=generator)).clamp(0, 1)


def model(seed: int = 0) -> niqe.PristineModel:
    """A pristine model of no photographs."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(36, 36, generator=generator, dtype=torch.float64)
    return niqe.PristineModel("niqe_live", torch.ones(36, dtype=torch.float64), root @ root.mT / 36)


# ------------------------------------------------------------------------------------------------ NIQE


def test_without_a_change_niqe_is_the_suites(script):
    variants, image = script("niqe_variants"), textured(200, 300)
    scores = variants.niqe_scores(image, {"ours": variants.Convention()}, model())
    assert scores["ours"] == pytest.approx(niqe.niqe(image, model()).item(), rel=1e-12)


def test_every_convention_has_a_number_and_the_strong_ones_another(script):
    conventions = {name: own for name, (_, own) in script("niqe_conventions").CONVENTIONS.items()}
    fading = textured(200, 300) * torch.linspace(0.2, 1, 300)
    scores = script("niqe_variants").niqe_scores(fading, conventions, model())
    assert all(map(math.isfinite, scores.values()))
    same = {name for name, value in scores.items() if value == pytest.approx(scores["ours"], rel=1e-9)}
    assert same == {"ours", "imresize", "whole_blocks", "inverse"}


def test_halving_by_the_definition_of_imresize_is_the_suites(script):
    grey = textured(96, 192)[:, 0].double() * 255
    halved = script("niqe_variants").imresize_halved(grey)
    assert halved.shape == (1, 48, 96)
    torch.testing.assert_close(halved, niqe._halved(grey), rtol=0, atol=1e-10)


def test_halving_without_antialiasing_interpolates_between_the_middle_pixels(script):
    ramp = torch.arange(16, dtype=torch.float64).expand(1, 16, 16)
    halved = script("niqe_variants").plain_halved(ramp)
    assert halved[0, 3, 1:-1].tolist() == [2.5, 4.5, 6.5, 8.5, 10.5, 12.5]


def test_a_transposed_image_is_read_the_other_way_round(script):
    variants, image = script("niqe_variants"), textured(96, 192)
    turned, _ = variants.features_and_sharpness(image, variants.Convention(is_transposed=True))
    straight, _ = variants.features_and_sharpness(image.mT, variants.Convention())
    torch.testing.assert_close(turned, straight, rtol=0, atol=0)


def test_grey_by_weights_rounding_and_range(script):
    variants = script("niqe_variants")
    red = torch.zeros(1, 3, 1, 1)
    red[:, 0] = 1
    own = variants.Convention(weights=variants.RGB2GRAY)
    assert variants.grey_of(red, own).item() == 76
    exact = replace(own, is_grey_rounded=False)
    assert variants.grey_of(red, exact).item() == pytest.approx(255 * 0.298936021293775)
    assert variants.grey_of(red, replace(exact, white=1.0)).item() == pytest.approx(0.298936021293775)
    assert sum(variants.RGB2GRAY) == pytest.approx(1)


def test_an_image_of_8_bits_is_not_changed_by_storing_it(script):
    variants = script("niqe_variants")
    image = (textured(96, 192) * 255).round() / 255
    ours, stored = (variants.Convention(is_stored=is_stored) for is_stored in (False, True))
    expected = variants.features_and_sharpness(image, ours)[0]
    torch.testing.assert_close(variants.features_and_sharpness(image, stored)[0], expected, rtol=0, atol=0)


def test_a_window_meets_zeros_or_repeated_pixels_at_the_border(script):
    variants, grey = script("niqe_variants"), torch.full((1, 9, 9), 10.0, dtype=torch.float64)
    exact = variants.Convention(has_exact_window=True)
    torch.testing.assert_close(variants.window_mean(grey, exact), grey, rtol=0, atol=1e-12)
    zeros = variants.window_mean(grey, replace(exact, padding="constant"))[0]
    assert zeros[4, 4].item() == pytest.approx(10)
    assert zeros[0, 0].item() < 5


def test_blocks_and_covariance_are_chosen_as_asked(script):
    """Against the formula in NumPy, on features made by hand."""
    variants, pristine = script("niqe_variants"), model()
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 36))
    sharpness = np.linspace(0.5, 1, 50)
    features[3, 7] = np.nan

    def expected(of_mean, of_covariance, ddof=1):
        difference = pristine.mean.numpy() - np.nanmean(of_mean, axis=0)
        covariance = (pristine.covariance.numpy() + np.cov(of_covariance.T, ddof=ddof)) / 2
        return math.sqrt(difference @ np.linalg.inv(covariance) @ difference)

    def found(**changes):
        blocks = torch.from_numpy(features)[None], torch.from_numpy(sharpness)[None]
        return variants.distance(*blocks, variants.Convention(**changes), pristine)

    whole = np.delete(features, 3, axis=0)
    assert found() == pytest.approx(expected(features, whole))
    assert found(invert=torch.linalg.inv) == pytest.approx(expected(features, whole))
    assert found(has_whole_blocks_only=True) == pytest.approx(expected(whole, whole))
    assert found(divisor_less=0) == pytest.approx(expected(features, whole, ddof=0))
    sharp = features[sharpness > 0.75]
    assert found(sharper_than=0.75) == pytest.approx(expected(sharp, sharp))


def test_parameters_are_fitted_as_the_suite_fits_them(script):
    images = [textured(288, 480, seed) for seed in range(8)]
    variants = script("niqe_variants")
    blocks = [variants.features_and_sharpness(image, variants.Convention()) for image in images]
    fitted = script("niqe_conventions").fit(blocks, 0.75)
    expected = niqe.fit_pristine_model([image[0] for image in images], 0.75)
    torch.testing.assert_close(fitted.mean, expected.mean)
    torch.testing.assert_close(fitted.covariance, expected.covariance)


# ------------------------------------------------------------------------------------------------ SSIM and PSNR


def test_ours_is_the_suites_and_the_others_are_scikit_images(script):
    conventions, clean = script("ssim_conventions"), textured(40, 48)
    output = clean + 0.1 * torch.randn(1, 3, 40, 48, generator=torch.Generator().manual_seed(1))
    scores = conventions.scored(output, clean)
    assert scores["ssim_ours"] == ssim_skimage7(output, clean).item()
    assert scores["psnr_ours"] == psnr_rgb_float(output, clean).item()
    pair = [image[0].permute(1, 2, 0).double().numpy() for image in (output.clamp(0, 1), clean)]
    assert conventions.similarity(pair, {}) == pytest.approx(scores["ssim_ours"], abs=1e-12)
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "win_size": 11}
    expected = structural_similarity(*pair, channel_axis=2, data_range=1.0, **gaussian)
    assert scores["ssim_gaussian"] == pytest.approx(expected, abs=1e-12)
    assert {*scores} == {*conventions.COLUMNS}
    assert scores["ssim_range_2"] > scores["ssim_ours"]


def test_psnr_of_an_error_of_a_tenth(script):
    clean = torch.full((1, 3, 16, 16), 0.5)
    scores = script("ssim_conventions").scored(clean + 0.1, clean)
    for name in ("ours", "not_clamped", "grey", "middle"):
        assert scores[f"psnr_{name}"] == pytest.approx(20, abs=1e-5)
    assert scores["psnr_luma"] == pytest.approx(20 - 20 * math.log10(219 / 255), abs=1e-4)
    assert scores["psnr_rounded"] == pytest.approx(20, abs=0.01)


def test_outputs_are_clamped_rounded_and_cut(script):
    conventions = script("ssim_conventions")
    output, clean = np.full((4, 4, 3), 1.25), np.zeros((4, 4, 3))
    assert conventions.clamped(output, clean)[0].max() == 1
    assert conventions.as_it_is(output, clean)[0].max() == 1.25
    assert conventions.rounded(output * 0.1, clean)[0][0, 0, 0] == 32 / 255
    assert conventions.of_luma(output, clean)[0][0, 0] == pytest.approx(235 / 255)
    assert conventions.of_luma(output, clean)[1][0, 0] == pytest.approx(16 / 255)
    large = np.arange(512 * 768 * 3).reshape(512, 768, 3) / 1e9
    cut, _ = conventions.of_middle(large, large)
    assert cut.shape == (500, 500, 3)
    assert (cut == large[6:506, 134:634]).all()


# ------------------------------------------------------------------------------------------------ Table I's sample


def test_half_width_is_that_of_a_finite_population(script):
    sample = script("table_1_sample")
    assert sample.half_width(2.0, sample.POPULATION) == 0
    t = stats.t.ppf(0.975, 320)
    assert sample.half_width(2.0, 321) == pytest.approx(t * 2.0 * math.sqrt(1 / 321 - 1 / 1449))


def test_the_interval_holds_the_mean_of_the_population_in_95_of_100_draws(script):
    sample = script("table_1_sample")
    rng = np.random.default_rng(0)
    population = rng.normal(30, 2.5, sample.POPULATION)
    held = 0
    for _ in range(2000):
        drawn = rng.choice(population, 321, replace=False)
        held += abs(drawn.mean() - population.mean()) <= sample.half_width(drawn.std(ddof=1), 321)
    assert 0.935 < held / 2000 < 0.965


def test_the_others_make_up_for_what_the_mean_lacks(script):
    sample = script("table_1_sample")
    others = sample.rest(31.0, 321, 30.0)
    assert (321 * 31.0 + 1128 * others) / 1449 == pytest.approx(30.0)


def test_rows_are_of_each_and_of_each_two(script):
    sample = script("table_1_sample")
    rng = np.random.default_rng(0)
    level = rng.normal(31, 2.5, 321)
    shift = {"cdncnn_b": 0.0, "s_said": -0.16, "u_said": -0.07}
    values = {(25.0, "psnr", name): level + own + rng.normal(0, 0.05, 321) for name, own in shift.items()}
    rows = {(row["denoiser"], row["other"]): row for row in sample.rows_of(values)}
    assert [*rows][:3] == [("cdncnn_b", ""), ("s_said", ""), ("u_said", "")]
    two = rows["u_said", "s_said"]
    assert float(two["mean"]) == pytest.approx(0.09, abs=0.02)
    assert float(two["print"]) == pytest.approx(31.13 - 31.01)
    assert float(two["half_unit"]) == pytest.approx(0.01)
    assert float(two["half_width_unpaired"]) > 30 * float(two["half_width"])
    assert sample.is_inside({"mean": "1.00", "half_width": "0.10", "half_unit": "0.01", "print": "1.105"})
    assert not sample.is_inside({"mean": "1.00", "half_width": "0.10", "half_unit": "0.00", "print": "1.105"})


# ------------------------------------------------------------------------------------------------ what they share


def test_a_journal_goes_on_where_it_ended_and_starts_again_with_other_columns(script, tmp_path):
    journal_of, path = script("released_outputs").Journal, tmp_path / "scores.csv"
    journal = journal_of(path, ("image", "denoiser"), ("a", "b"))
    journal.add({("two", "x"): (1.0, 2.0)})
    journal.add({("one", "x"): (3.0, math.nan)})
    assert path.read_text() == "image,denoiser,a,b\none,x,3.000000,nan\ntwo,x,1.000000,2.000000\n"
    again = journal_of(path, ("image", "denoiser"), ("a", "b"))
    assert not again.lacks("two", "x")
    assert again.lacks("two", "y")
    assert journal_of(path, ("image", "denoiser"), ("a", "c")).lacks("two", "x")


def test_orders_intervals_and_print(script):
    shared = script("released_outputs")
    means = {"cdncnn_b": 2.8, "s_said": 2.6, "u_said": 2.7}
    assert shared.order(means, is_lower_better=True) == "S < U < C"
    assert shared.order(means, is_lower_better=False) == "C > U > S"
    assert shared.differences(np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0])) == "+1.333 [-2.461, +5.128]"
    assert shared.differences(np.ones(3), np.ones(3)) == "+0.000"
    assert shared.differences(np.array([math.nan, 2.0, 4.0]), np.ones(3)).endswith("] (n = 2)")
    assert shared.printed(6, 25.0, "niqe")["u_said"] == published(6, "25", "niqe", "u_said") == 2.6355
    assert shared.table(["a", "b"], [["x", "1"]]) == "| a | b |\n|---|---:|\n| x | 1 |\n"


# ------------------------------------------------------------------------------------------------ committed pages


@pytest.mark.parametrize("name", ["niqe_conventions", "ssim_conventions"])
def test_a_committed_page_comes_out_of_its_csv_file_byte_by_byte(script, name):
    text = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    commit = re.search(r"Made by commit (\w+) with", text)
    assert commit, "a page is of one commit, without changes beside it"
    assert script(name).page(script(name).read(RESULTS / f"{name}.csv"), commit[1]) == text


def test_the_csv_files_have_every_image_and_denoiser():
    for name, rows in (("niqe_conventions", 24 * (3 * 4 + 1)), ("ssim_conventions", (3 * 24 + 41) * 4)):
        with open(RESULTS / f"{name}.csv", newline="", encoding="utf-8") as file:
            assert len([*csv.DictReader(file)]) == rows


def test_the_page_of_the_sample_comes_out_of_the_committed_scores(script, monkeypatch):
    monkeypatch.chdir(ROOT)
    sample = script("table_1_sample")
    rows = [*sample.rows_of(sample.values_of(sample.RELEASED_RUN))]
    with open(RESULTS / "table_1_sample.csv", newline="", encoding="utf-8") as file:
        assert [*csv.DictReader(file)] == rows
    page = (RESULTS / "table_1_sample.md").read_text(encoding="utf-8")
    assert sample.page(rows, str(sample.RELEASED_RUN)) == page


def test_ours_is_what_the_committed_run_has(script):
    """PSNR, SSIM and NIQE of the same images in the score files of Tables I and VI."""
    niqe_scores = script("niqe_conventions").read(RESULTS / "niqe_conventions.csv")
    ssim_scores = script("ssim_conventions").read(RESULTS / "ssim_conventions.csv")
    for denoiser in script("released_outputs").RELEASED:
        rows = read_scores(ROOT / f"results/reference/released/scores/kodak_quality/{denoiser}.parquet").rows
        own = rows[(rows["sigma"] == 25) & (rows["draw"] == 0)].sort_values("image_id")
        assert np.abs(niqe_scores["25", denoiser]["ours"] - own["niqe_live"]).max() < 5e-3
        assert np.abs(ssim_scores["kodak", 25, denoiser]["ssim_ours"] - own["ssim_skimage7"]).max() < 2e-6
        assert np.abs(ssim_scores["kodak", 25, denoiser]["psnr_ours"] - own["psnr_rgb_float"]).max() < 2e-4


def test_what_the_page_on_conventions_says_is_in_the_csv_files(script):
    text = " ".join((ROOT / "docs/conventions.md").read_text(encoding="utf-8").split())
    ssim, of_niqe = script("ssim_conventions"), script("niqe_conventions")
    scores = ssim.read(RESULTS / "ssim_conventions.csv")

    def farthest(name):
        return max(
            abs(ssim.means_of(scores, "kodak", f"ssim_{name}", sigma)[denoiser] - value)
            for sigma in ssim.SIGMAS
            for denoiser, value in ssim.print_of("kodak", "ssim", sigma).items()
        )

    assert f"within {farthest('ours'):.4f} of all nine SSIM of Table VI" in text
    assert f"8 bits is nearer ({farthest('rounded'):.4f})" in text
    voc, paper = ssim.means_of(scores, "voc2012", "ssim_ours"), ssim.print_of("voc2012", "ssim")
    assert f"print is {np.mean([voc[name] - paper[name] for name in paper]):.3f} lower than ours" in text
    niqe_scores = of_niqe.read(RESULTS / "niqe_conventions.csv")
    low, high = (number.lstrip("+") for number in of_niqe.summary(niqe_scores)["change"].split(" to "))
    assert f"{float(low):.2f} to {float(high):.2f} higher, so further from Table VI" in text
    lines = of_niqe.orders(niqe_scores).splitlines()
    of_matlab = lines[3 : 3 + 11]
    assert "the same, image rounded" in of_matlab[-1]
    assert all(line.count("U < S < C") == 3 for line in of_matlab)


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("name", ["niqe_conventions", "ssim_conventions"])
def test_a_page_of_a_run_that_was_stopped_is_refused(script, monkeypatch, tmp_path, name):
    conventions, path = script(name), tmp_path / "own.csv"
    monkeypatch.setattr("sys.argv", [f"{name}.py", "--page", "--csv", str(path)])
    with pytest.raises(UsaidError, match=r"own\.csv: missing, of which --page makes the page; run without --page"):
        conventions.main()
    whole = RESULTS / f"{name}.csv"
    header, *rows = whole.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *rows[4:]]))
    path.with_suffix(".md").write_text("Made by commit 0123\n")
    with pytest.raises(UsaidError, match=r"own\.csv: holds a part of the rows of its page"):
        conventions.main()


def test_an_empty_file_is_a_journal_without_rows(script, tmp_path):
    (tmp_path / "own.csv").touch()
    journal = script("released_outputs").Journal(tmp_path / "own.csv", ["image"], ["ours"])
    assert journal.lacks("kodim01")


def test_bad_input_ends_a_script_with_one_line(script):
    with pytest.raises(SystemExit, match=r"^error: data: missing$"), script("one_line").one_line_errors():
        raise UsaidError("data: missing")
