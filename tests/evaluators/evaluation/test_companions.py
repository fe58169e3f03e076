"""The paper's denoisers beside one's own: only scores of the same images, noise and judge, or what is printed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from score_files import made_scores

from evaluators.evaluation.companions import companions_of, result_folders
from evaluators.evaluation.frames import Evaluation
from evaluators.evaluation.numbers import numbers_of
from usaid.cards import Convention
from usaid.errors import UsaidError
from usaid.experiment.earlier_scores import EarlierScores
from usaid.paper.published import published
from usaid.registries import BENCHMARKS, METRICS
from usaid.report.statistics.compare import compare
from usaid.scores.files import Scores, write_scores

RANDOM = np.random.default_rng(0)
PSNR, SSIM, NIQE = (RANDOM.uniform(*ends, (4, 2, 6)).tolist() for ends in ((28, 32), (0.8, 0.9), (2, 5)))
"""By denoiser, draw and image."""
JUDGE = {"niqe": "niqe_live", "niqe_model_sha256": "a", "code": "c0de"}


def made(denoiser: str, index: int, images: int = 6, draws: int = 1, **changed) -> Scores:
    """Scores of some images; ``told`` is what the denoiser was told."""
    told = changed.pop("told", float("nan"))
    columns = {"psnr_rgb_float": PSNR, "ssim_skimage7": SSIM, "niqe_live": NIQE}
    columns = {name: [draw[:images] for draw in own[index][:draws]] for name, own in columns.items()}
    scores = made_scores(denoiser, columns, **({"judge": JUDGE, "title": denoiser} | changed))
    return Scores(scores.rows.assign(told_sigma=told), scores.provenance)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with results of an experiment that is called ``other``."""
    monkeypatch.chdir(tmp_path)
    for index, denoiser in enumerate(("cdncnn_b", "s_said", "u_said")):
        place(made(denoiser, index + 1))
    return tmp_path


def place(scores: Scores, results: str = "results/other") -> None:
    path = Path(results, "scores/kodak_quality", f"{scores.provenance['denoiser']}.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scores(path, scores)


def beside(mine: Scores, compare_with="other") -> Evaluation:
    return Evaluation.of(mine, *companions_of(mine, result_folders(compare_with)))


def shown(evaluation: Evaluation) -> dict[tuple[str, str], float]:
    numbers = numbers_of(evaluation.scores, evaluation.companions)
    return {(number.denoiser, number.metric): number.value for number in numbers}


def test_scores_are_cut_to_the_evaluated_images(folder):
    evaluation = beside(made("mine", 0, images=4))
    values = shown(evaluation)
    assert values["U-SAID", "psnr"] == pytest.approx(np.mean(PSNR[3][0][:4]))
    assert values["CDnCNN-B", "niqe"] == pytest.approx(np.mean(NIQE[1][0][:4]))
    notes = evaluation.summary().attrs["notes"]
    assert "CDnCNN-B, S-SAID, U-SAID: scores of the same images and noise in results/other." in notes
    assert not any("another version" in note for note in notes)


def test_the_difference_is_the_paired_one_of_usaid_compare(folder):
    mine = made("mine", 0)
    numbers = numbers_of(mine, beside(mine).companions)
    (number,) = (one for one in numbers if one.is_difference and one.metric == "psnr")
    expected = compare(mine, "results/other/scores/kodak_quality/u_said.parquet", "psnr").estimate
    assert number.denoiser == "mine - U-SAID"
    assert (number.value, number.low, number.high) == pytest.approx((expected.value, expected.low, expected.high))
    (line,) = (line for line in beside(mine).summary().to_dict("records") if line["denoiser"] == "mine - U-SAID")
    assert line["PSNR (dB) ↑"] == f"{expected.value:+.3f} [{expected.low:+.3f}, {expected.high:+.3f}]"


def test_a_difference_is_over_the_draws_that_both_have(folder):
    values = shown(beside(made("mine", 0, draws=2)))
    assert values["mine", "psnr"] == pytest.approx(np.mean(PSNR[0]))
    assert values["mine - U-SAID", "psnr"] == pytest.approx(np.mean(PSNR[0][0]) - np.mean(PSNR[3][0]))


def test_files_of_earlier_versions_are_taken_and_it_is_said(folder):
    old = made("u_said", 3, judge={"niqe": "niqe_live", "niqe_model_sha256": "a"})
    place(Scores(old.rows.drop(columns="told_sigma"), old.provenance))
    evaluation = beside(made("mine", 0))
    assert ("mine - U-SAID", "niqe") in shown(evaluation)
    assert any(note.startswith("U-SAID: scored by another version") for note in evaluation.summary().attrs["notes"])


def test_another_model_of_niqe_leaves_psnr_and_ssim(folder):
    place(made("u_said", 3, judge=JUDGE | {"niqe_model_sha256": "b"}))
    evaluation = beside(made("mine", 0))
    assert ("U-SAID", "psnr") in shown(evaluation)
    assert ("U-SAID", "niqe") not in shown(evaluation)
    (line,) = (line for line in evaluation.summary().to_dict("records") if line["denoiser"] == "U-SAID")
    assert line["NIQE ↓"] == "–"
    assert "NIQE of U-SAID: –, since another network or model judged there." in evaluation.summary().attrs["notes"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"noise_version": 2}, "their noise_version is 2, not 1"),
        ({"ids": [f"other_{index}" for index in range(6)]}, "they are of 0 of the 6 images; not of 'image_00'"),
        ({"sigmas": (50,)}, "they have not all of these images at any of these noise levels"),
        ({"images": 3}, "they are of 3 of the 6 images; not of 'image_03'"),
        ({"failure": "out of memory"}, "they were not scored: out of memory"),
        ({"pixels": "other"}, "image 'image_00' has other pixels there"),
    ],
)
def test_what_is_not_of_the_same_images_and_noise_gives_way_to_print(folder, changed, reason):
    pixels = changed.get("pixels")
    scores = made("u_said", 3, **{key: value for key, value in changed.items() if key != "pixels"})
    place(Scores(scores.rows.assign(image_sha256=pixels) if pixels else scores.rows, scores.provenance))
    evaluation = beside(made("mine", 0))
    assert len(evaluation.remarks) == 1
    assert evaluation.remarks[0].startswith("results/other, u_said: ")
    assert reason in evaluation.remarks[0]
    values = shown(evaluation)
    assert values["U-SAID (printed)", "psnr"] == published(6, "25", "psnr", "u_said")
    assert ("mine - U-SAID", "psnr") not in values
    assert any(
        note.startswith("(printed): the paper's Table VI, all 24") for note in evaluation.summary().attrs["notes"]
    )


def test_the_first_folder_that_can_be_compared_counts(folder):
    place(made("u_said", 3, noise_version=2), "results/a")
    place(made("u_said", 3), "results/reference/a")
    evaluation = beside(made("mine", 0), "a")
    assert evaluation.companions["u_said"].source == "results/reference/a"
    assert not evaluation.remarks


def test_levels_that_nobody_has_show_mine_alone(folder):
    evaluation = beside(made("mine", 0, sigmas=(25, 60)))
    lines = [line["denoiser"] for line in evaluation.summary().to_dict("records") if line["σ"] == "60"]
    assert lines == ["mine"]
    assert any(note.startswith("σ = 60: the paper has no numbers") for note in evaluation.summary().attrs["notes"])


def test_told_another_level_than_the_truth(folder):
    values = shown(beside(made("mine", 0, told=40.0)))
    assert ("mine", "psnr") in values
    assert ("mine - U-SAID", "psnr") in values


def test_a_denoiser_with_the_title_of_one_of_the_paper_s(folder):
    values = shown(beside(made("mine", 3, title="U-SAID")))
    assert values["U-SAID (this run) - U-SAID", "psnr"] == 0


def test_one_image_has_no_interval(folder):
    summary = beside(made("mine", 0, images=1)).summary()
    assert "[" not in summary.to_string()
    assert "so without an interval" in summary.attrs["notes"][0]


def test_of_another_package_or_file_only_the_metric_that_reads_it_is_left_out(folder):
    own = made("mine", 0)
    theirs = made("u_said", 3)
    for scores, version in ((own, "1"), (theirs, "2")):
        scores.provenance["metrics"].append("fsim_pyiqa")
        scores.rows["fsim_pyiqa"] = 0.5
        scores.provenance["judge"] = {**JUDGE, "packages": {"pyiqa": version}}
    place(theirs)
    companion = companions_of(own, result_folders("other"))[0]["u_said"]
    assert companion.left_out == ("fsim",)
    assert {"psnr_rgb_float", "niqe_live"} < {*companion.scores.rows}
    assert "fsim_pyiqa" not in companion.scores.rows


def test_a_name_that_has_no_results(folder):
    with pytest.raises(UsaidError, match="compare_with = 'none_such': no folder 'scores' in any folder"):
        result_folders("none_such")
    assert result_folders(None) == []
    assert result_folders("results/other") == [EarlierScores("results/other", Path("results/other"))]


def test_a_results_folder_is_named_without_a_machines_path(folder, tmp_path_factory, monkeypatch):
    given = str(folder / "results/other")
    assert result_folders(given) == [EarlierScores("results/other", Path(given))]
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    evaluation = beside(made("mine", 0), given)
    assert {number.source for number in numbers_of(evaluation.scores, evaluation.companions)} == {
        *("this run", f".../{folder.name}/results/other", f"this run; .../{folder.name}/results/other")
    }


class TestVariantsAndConventions:
    """What an evaluation shows beside a variant, and of further conventions of a printed metric."""

    @pytest.fixture(autouse=True)
    def cards(self, monkeypatch):
        convention = Convention("psnr_of_halves")
        half = replace(METRICS["psnr"], name="psnr_half", conventions=(convention,), printed_as="psnr")
        small = replace(BENCHMARKS["kodak_quality"], name="kodak_quality_small", variant_of="kodak_quality")
        monkeypatch.setitem(METRICS.all, half.name, half)
        monkeypatch.setitem(BENCHMARKS.all, small.name, replace(small, metrics=(*small.metrics, half.name)))

    def values(self, **columns) -> dict[tuple[str, str], float]:
        columns = {"psnr_rgb_float": PSNR[0][:1], "ssim_skimage7": SSIM[0][:1], "niqe_live": NIQE[0][:1]} | columns
        scores = made_scores("mine", columns, benchmark="kodak_quality_small", title="mine")
        rows = scores.rows.assign(told_sigma=float("nan"))
        return {(n.denoiser, n.metric): n.value for n in numbers_of(Scores(rows, scores.provenance), {})}

    def test_print_stands_beside_a_variant_and_a_convention_that_was_scored(self):
        values = self.values(psnr_of_halves=[[20.0] * 6])
        assert values["mine", "psnr_half"] == pytest.approx(20)
        for metric in ("psnr", "psnr_half"):
            assert values["U-SAID (printed)", metric] == published(6, "25", "psnr", "u_said")

    def test_a_convention_that_was_not_scored_has_no_column(self):
        values = self.values()
        assert {metric for _, metric in values} == {"psnr", "ssim", "niqe"}
        assert values["U-SAID (printed)", "psnr"] == published(6, "25", "psnr", "u_said")
