"""Which images are kept: rules worked by hand, figures' images, and what happens where scores or data are missing."""

from pathlib import Path
from typing import Any

import pytest
from score_files import PSNR, made_scores

from evaluators.keeping.choose import Choice, choose_images, choose_images_to_file, read_choice
from usaid.errors import UsaidError
from usaid.failures import Failure, write_marker
from usaid.scores.files import write_scores

IDS = [f"kodim{number:02}" for number in range(1, 6)]

THEIRS = [30.0, 30.0, 30.0, 30.0, 30.0]

OURS = [30.5, 29.0, 30.2, 30.3, 31.0]
"""Differences 0.5, -1.0, 0.2, 0.3, 1.0: the median is the fourth image's, the worst the second's."""


def write(folder: Path, name: str, values: list[float], **changed: Any) -> None:
    scores = made_scores(name, {PSNR: [values]}, **{"ids": IDS, "sigmas": (15.0, 25.0, 35.0)} | changed)
    write_scores(folder / f"scores/kodak_quality/{name}.parquet", scores)


@pytest.fixture
def scored(folder: Path) -> Path:
    write(folder, "u_said", OURS)
    write(folder, "cdncnn_b", THEIRS)
    return folder / "scores"


def by_image(chosen: list[Choice]) -> dict[str, tuple[str, ...]]:
    """Why each image was chosen, at the middle sigma."""
    return {choice.image_id: choice.why for choice in chosen if choice.sigma == 25}


def chosen_by(folder: Path, experiment: Any) -> dict[str, tuple[str, ...]]:
    return by_image([*choose_images(experiment, folder).images])


def test_first_median_and_worst_by_hand_at_all_sigmas(scored, experiment):
    chosen = choose_images(experiment(), scored)
    assert [(choice.image_id, choice.sigma, choice.why) for choice in chosen.images] == [
        (name, sigma, (rule,))
        for name, rule in (("kodim01", "first"), ("kodim04", "median"), ("kodim02", "worst"))
        for sigma in (15, 25, 35)
    ]
    assert chosen.left_out == {}
    assert not any(choice.whole or choice.centre for choice in chosen.images)


def test_the_middle_sigma_decides(folder, scored, experiment):
    rows = [30.5, 29.0, 30.2, 30.3, 31.0]
    write(folder, "u_said", rows, sigmas=(15.0, 35.0))
    left_out = choose_images(experiment(), scored).left_out["kodak_quality"]
    assert left_out == "only the first image is kept: u_said has no scores at sigma 25"
    lost = [{"sigma": 25.0, "told_sigma": None, "reason": "image kodim01: boom"}]
    write(folder, "u_said", rows, sigmas=(15.0, 35.0), failed_levels=lost)
    left_out = choose_images(experiment(), scored).left_out["kodak_quality"]
    assert left_out.endswith("u_said has no scores at sigma 25 (image kodim01: boom)")


def test_of_an_even_number_the_lower_median(folder, scored, experiment):
    write(folder, "u_said", [30.5, 29.0, 30.2, 30.3], ids=IDS[:4])
    assert chosen_by(scored, experiment()) == {"kodim01": ("first",), "kodim03": ("median",), "kodim02": ("worst",)}


def test_ties_go_to_the_earlier_image(folder, scored, experiment):
    write(folder, "u_said", THEIRS)
    assert chosen_by(scored, experiment()) == {"kodim01": ("first", "worst"), "kodim03": ("median",)}


def test_images_without_a_finite_difference_are_not_ranked(folder, scored, experiment):
    inf = float("inf")
    write(folder, "u_said", [30.5, inf, 30.2, 30.3, inf])
    assert chosen_by(scored, experiment()) == {"kodim01": ("first",), "kodim04": ("median",), "kodim03": ("worst",)}


def test_only_the_rules_that_are_asked_for(scored, experiment):
    assert chosen_by(scored, experiment(keep_images={"rules": ["worst"]})) == {"kodim02": ("worst",)}
    assert chosen_by(scored, experiment(keep_images={"rules": ["first"]})) == {"kodim01": ("first",)}


def test_another_difference(folder, scored, experiment):
    write(folder, "noisy", [20.0, 20.0, 35.0, 20.1, 20.2])
    keep = {"difference": ["cdncnn_b", "noisy"], "rules": ["worst"]}
    assert chosen_by(scored, experiment(keep_images=keep)) == {"kodim03": ("worst",)}


def test_mean_iou_of_each_image_where_there_is_no_psnr(folder, experiment):
    right, half, wrong = [10, 0, 0, 10], [10, 0, 5, 5], [0, 10, 10, 0]
    for name, values in (("u_said", [right, half, wrong]), ("cdncnn_b", [right, wrong, half])):
        scores = made_scores(name, {"confusion": [values]}, ids=IDS[:3])
        write_scores(folder / f"scores/kodak_quality/{name}.parquet", scores)
    benchmarks = {"kodak_quality": {"sigmas": [25]}}
    found = chosen_by(folder / "scores", experiment(benchmarks=benchmarks))
    assert found == {"kodim01": ("first", "median"), "kodim03": ("worst",)}


class TestWithoutScores:
    """The first image is kept all the same, and the choice says why it is alone."""

    def reason(self, folder: Path, experiment: Any) -> str:
        chosen = choose_images(experiment, folder / "scores")
        assert by_image([*chosen.images]) == {"kodim01": ("first",)}
        return chosen.left_out["kodak_quality"]

    def test_no_file(self, folder, experiment):
        assert self.reason(folder, experiment()) == "only the first image is kept: u_said has no scores"

    def test_one_denoiser_failed(self, folder, scored, experiment):
        write(folder, "cdncnn_b", THEIRS, failure="it broke")
        assert self.reason(folder, experiment()) == "only the first image is kept: cdncnn_b has no scores (it broke)"

    def test_a_marker_in_place_of_the_file(self, folder, scored, experiment):
        write_marker(scored / "kodak_quality/u_said.parquet", Failure("score kodak_quality/u_said", "it broke"))
        assert "u_said has no scores (score kodak_quality/u_said failed: it broke)" in self.reason(folder, experiment())

    def test_a_damaged_file(self, folder, scored, experiment):
        (scored / "kodak_quality/u_said.parquet").write_bytes(b"PAR1")
        assert "u_said.parquet: not a readable score file" in self.reason(folder, experiment())

    def test_without_the_rule_first_too(self, folder, experiment):
        self.reason(folder, experiment(keep_images={"rules": ["worst"]}))

    def test_nothing_finite(self, folder, scored, experiment):
        write(folder, "u_said", [float("inf")] * 5)
        assert "no image has a difference in psnr_rgb_float at sigma 25" in self.reason(folder, experiment())


FIGURES = {
    "figure_4": {"image": "kodim04", "sigma": 25, "zoom": [10, 20, 8, 6]},
    "figure_5": {"images": {"15": "kodim05", "50": "kodim01"}},
}


class TestFigures:
    def test_at_their_own_sigmas_and_whole(self, folder, experiment):
        chosen = choose_images(experiment(keep_images=None, figures=FIGURES), folder / "scores")
        assert chosen.images == (
            Choice("kodak_quality", "kodim04", 25, ("figure_4",), True, (14, 23)),
            Choice("kodak_quality", "kodim05", 15, ("figure_5",), True),
            Choice("kodak_quality", "kodim01", 50, ("figure_5",), True),
        )

    def test_an_image_that_a_rule_chose_too_is_kept_once(self, scored, experiment):
        chosen = choose_images(experiment(figures=FIGURES), scored)
        (one,) = (c for c in chosen.images if c.image_id == "kodim04" and c.sigma == 25)
        assert (one.why, one.whole, one.centre) == (("median", "figure_4"), True, (14, 23))
        keys = [(choice.image_id, choice.sigma) for choice in chosen.images]
        assert len(keys) == len(set(keys)) == 3 * 3 + 2

    def test_an_unknown_image_is_one_line_with_the_nearest(self, folder, experiment):
        figures = {"figure_5": {"images": {"15": "kodim5"}}}
        with pytest.raises(UsaidError) as raised:
            choose_images(experiment(figures=figures), folder)
        nearest = "'kodim5' is not among the 5 images of kodak_quality, such as kodim05, "
        assert str(raised.value).startswith(f"figures.figure_5: {nearest}")
        assert str(raised.value).endswith("; name one of them, or write figure_5: null")


def test_missing_data_cost_their_benchmark(scored, experiment):
    benchmarks = {"voc_quality": {"sigmas": [25]}, "kodak_quality": {"sigmas": [15, 25, 35]}}
    chosen = choose_images(experiment(benchmarks=benchmarks), scored)
    assert {choice.benchmark for choice in chosen.images} == {"kodak_quality"}
    assert "VOC2012" in chosen.left_out["voc_quality"]


def test_the_file_has_it_all_and_the_same_bytes(scored, experiment, tmp_path):
    asked = experiment(figures=FIGURES)
    choose_images_to_file(asked, scored, tmp_path / "images/choice.json")
    first = (tmp_path / "images/choice.json").read_bytes()
    choose_images_to_file(asked, scored, tmp_path / "images/choice.json")
    assert (tmp_path / "images/choice.json").read_bytes() == first
    assert read_choice(tmp_path / "images/choice.json") == choose_images(asked, scored)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"images": [{"benchmark": 1}], "left_out": {}}'])
def test_a_damaged_choice_is_one_line(content, tmp_path):
    (tmp_path / "choice.json").write_text(content)
    with pytest.raises(UsaidError, match=r"choice\.json: no choice of images \(.*\); delete it, and run again"):
        read_choice(tmp_path / "choice.json")
