"""One call: the numbers of the workflow's score files, from whatever form a denoiser has."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from evaluators import evaluate
from evaluators.metrics.niqe import PristineModel, save_pristine_model
from evaluators.scoring.job import score_to_file
from evaluators.scoring.score_job import ScoreJob
from usaid import progress
from usaid.datasets.miniature import kodak
from usaid.datasets.miniature.writer import write
from usaid.errors import UsaidError
from usaid.experiment.reading import read_experiment
from usaid.report.statistics.compare import compare
from usaid.scores.files import read_scores, write_scores

EXPERIMENT = {
    "experiment": "tiny",
    "data_root": "data",
    "niqe": "niqe_fitted",
    "subsets": {"kodak/all": "two.txt"},
    "denoisers": {"noisy": {"method": "noisy"}},
    "benchmarks": {"kodak_quality": {"sigmas": [15, 25], "draws": 2}},
}
COLUMNS = ["image_id", "image_sha256", "sigma", "draw", "told_sigma", "psnr_rgb_float", "ssim_skimage7"]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    for name, content in kodak.draw(seed=0):
        write(root / name, content)
    (root / "two.txt").write_text("kodim01\nkodim02\n")
    save_pristine_model(root / "niqe.npz", PristineModel("niqe_fitted", torch.zeros(36), torch.eye(36)))
    return root


@pytest.fixture
def folder(tmp_path, data_root, monkeypatch) -> Path:
    """A working folder with data and an experiment."""
    (tmp_path / "data").symlink_to(data_root)
    (tmp_path / "two.txt").touch()
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def smoothed(noisy: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(noisy, 3, 1, 1)


def quality(network, **asked):
    """On the first two images, at sigma 25, beside nothing."""
    return evaluate(network, "kodak_quality", **{"images": 2, "sigmas": 25, "compare_with": None} | asked)


# ------------------------------------------------------------------------------------------------ the numbers


def test_the_rows_are_those_of_the_workflow_s_score_file(folder):
    experiment = read_experiment("tiny.yaml")
    score_to_file(ScoreJob(experiment, "kodak_quality", "noisy", folder / "noisy.parquet", folder / "data/niqe.npz"))
    expected = read_scores("noisy.parquet")
    scores = evaluate(
        lambda noisy: noisy, "kodak_quality", experiment="tiny.yaml", draws=2, judge_file="data/niqe.npz",
        compare_with=None, output="mine.parquet",
    )  # fmt: skip
    pd.testing.assert_frame_equal(pd.DataFrame(scores), expected.rows, check_exact=True)
    written = read_scores("mine.parquet")
    pd.testing.assert_frame_equal(written.rows, expected.rows, check_exact=True)
    assert written.provenance == scores.attrs
    assert {key for key, value in expected.provenance.items() if scores.attrs[key] != value} <= {
        *("experiment", "denoiser", "title", "entry", "config_sha256", "code_hash", "seconds", "pixels_per_second")
    }


def test_the_example_of_the_readme(folder):
    scores = evaluate(lambda noisy: noisy.clamp(0, 1), "kodak_quality", data_root="data", images=3)
    assert [*scores.columns] == COLUMNS
    assert scores["image_id"].unique().tolist() == ["kodim01", "kodim02", "kodim03"]
    assert scores["sigma"].unique().tolist() == [15, 25, 35], "the paper's"
    assert (scores.attrs["dataset"]["n"], scores.attrs["dataset"]["n_official"]) == (3, 24)
    printed = repr(scores.summary())
    assert printed.splitlines()[0].startswith("| σ  | denoiser")
    assert "| 25 | mine " in printed
    assert "| 25 | U-SAID (printed) " in printed
    assert "NIQE: –, since its parameters are missing (data/niqe/niqe_live_pris_params.npz)" in printed


def test_a_summary_has_the_means_of_the_rows(folder):
    scores = quality(smoothed, images=3)
    (line,) = scores.summary().to_dict("records")[:1]
    assert line["denoiser"] == "smoothed"
    assert line["PSNR (dB) ↑"].startswith(f"{scores['psnr_rgb_float'].mean():.2f} [")
    assert line["n"] == "3"
    assert float(line["s / image"]) > 0
    number = scores.numbers().query("metric == 'ssim' and source == 'this run'").iloc[0]
    assert number["value"] == pytest.approx(scores["ssim_skimage7"].mean(), abs=1e-12)
    assert number["low"] < number["value"] < number["high"]


def test_what_adds_errors_is_said_to(folder):
    def complaints(network):
        return [note for note in quality(network).summary().attrs["notes"] if "worse than the noisy images" in note]

    assert complaints(smoothed) == complaints(lambda noisy: noisy) == []
    (note,) = complaints(lambda noisy: noisy - smoothed(noisy))
    assert "at σ = 25 (20.17 dB)" in note


def test_a_level_as_text_is_one_level(folder):
    assert set(quality(smoothed, sigmas="25")["sigma"]) == {25.0}


def test_images_by_name_come_in_the_data_set_s_order(folder):
    scores = quality(smoothed, images=["kodim03", "kodim01"])
    assert scores["image_id"].tolist() == ["kodim01", "kodim03"]
    assert quality(smoothed, images=["kodim03"])["image_id"].tolist() == ["kodim03"]
    assert quality(smoothed, images=4).attrs["dataset"]["subset"] is not None


def test_what_a_non_blind_denoiser_is_told(folder):
    told: list[float] = []

    def listening(noisy, told_sigma):
        told.append(told_sigma)
        return noisy

    scores = quality(listening, sigmas=[15, 25])
    assert sorted(told) == [15, 25], "two images of one size are a batch"
    assert (scores["told_sigma"] == scores["sigma"]).all()
    scores = quality(listening, sigmas=[15, 25], told_sigma=20)
    assert set(scores["told_sigma"]) == {20.0}
    summary = repr(scores.summary())
    assert "listening was told σ = 20" in summary
    assert "| 15 | listening" in summary


# ------------------------------------------------------------------------------------------------ the forms


def test_a_module_a_name_and_an_output_that_other_commands_read(folder):
    module = quality(torch.nn.Identity(), output="a.parquet")
    named = quality("noisy", output="b.parquet")
    assert module["psnr_rgb_float"].tolist() == named["psnr_rgb_float"].tolist()
    assert (module.attrs["title"], named.attrs["title"]) == ("Identity", "Noisy")
    assert (module.attrs["denoiser"], named.attrs["denoiser"]) == ("identity", "noisy")
    assert compare("a.parquet", "b.parquet", "psnr").estimate.value == 0
    assert named.attrs["entry"]["method"] == "noisy"


def test_clean_images_are_handed_to_the_suite_s_own_method_alone(folder):
    assert quality("clean")["psnr_rgb_float"].min() > 100


def test_a_title(folder):
    assert quality(smoothed, title="My net (v2)").attrs["denoiser"] == "my_net_v2"


def test_a_title_with_a_bar_is_one_cell_of_the_table(folder):
    summary = quality(smoothed, title="a | b").summary()
    assert summary["denoiser"].tolist() == ["a | b"]
    head, rule, line, *_ = repr(summary).splitlines()
    assert r"| a \| b " in line
    assert head.count("|") == rule.count("|") == line.replace(r"\|", "").count("|")


def test_beside_nobody(folder):
    summary = quality(smoothed, compare_with=None, sigmas=[25, 40]).summary()
    assert summary["denoiser"].tolist() == ["smoothed", "smoothed"]
    assert "paper" not in "".join(summary.attrs["notes"])


def test_frames_keep_their_provenance(folder):
    scores = quality(smoothed)
    assert json.loads(json.dumps(scores.attrs)) == scores.attrs
    again = pickle.loads(pickle.dumps(scores))
    assert repr(again.summary()) == repr(scores.summary())
    assert scores.copy().attrs == scores.attrs
    assert type(scores[scores["sigma"] == 25]) is pd.DataFrame
    scores.to_parquet("frame.parquet")
    assert pd.read_parquet("frame.parquet").attrs == scores.attrs
    write_scores("file.parquet", scores.scores)
    assert scores.summary()._repr_html_().count("<li>") == len(scores.summary().attrs["notes"])


# ------------------------------------------------------------------------------------------------ what goes wrong


def test_a_denoiser_that_fails_ends_the_call_and_names_the_image(folder):
    told = []

    def failing(noisy, told_sigma):
        told.append(told_sigma)
        if told_sigma == 15:
            raise RuntimeError("out of luck")
        return noisy

    with pytest.raises(UsaidError, match=r"image kodim0\d.*out of luck"):
        quality(failing, sigmas=[15, 25], images=3, output="scores.parquet")
    assert not Path("scores.parquet").exists()
    assert {*told} == {15}, "nothing is computed in vain"


def test_a_noise_level_may_be_a_text(folder):
    assert set(quality(smoothed, sigmas="25")["sigma"]) == {25.0}


def test_a_denoiser_that_changes_the_process_leaves_it_as_it_was(folder, tmp_path):
    def careless(noisy):
        os.chdir("/")
        torch.set_default_dtype(torch.float64)
        return smoothed(noisy)

    scores = quality(careless, images=3, output="scores.parquet")
    assert (Path.cwd(), torch.get_default_dtype()) == (tmp_path, torch.float32)
    assert len(read_scores("scores.parquet").rows) == 3
    pd.testing.assert_frame_equal(pd.DataFrame(scores), pd.DataFrame(quality(smoothed, images=3)))


@pytest.mark.parametrize(
    ("benchmark", "asked", "message"),
    [
        ("kodak", {}, "benchmark 'kodak': must be one of voc_quality, kodak_quality"),
        ("cifar100_classification", {}, "cifar100_classification: .*classifier.*experiment='config/released.yaml'"),
        ("kodak_quality", {"data_root": "nowhere"}, "nowhere"),
        ("kodak_quality", {"images": 0}, "images = 0: must be a number > 0"),
        ("kodak_quality", {"images": ["kodim99"]}, "images: 'kodim99' is not among those of kodak: kodim01"),
        ("kodak_quality", {"images": []}, "images: an empty list"),
        ("kodak_quality", {"sigmas": "loud"}, "sigmas = 'loud': must be noise levels"),
        ("kodak_quality", {"images": 2.0}, "images = 2.0: must be a number > 0"),
        ("kodak_quality", {"sigmas": True}, "sigmas = True: must be noise levels"),
        ("kodak_quality", {"sigmas": [300]}, r"sigmas.0 = 300.0: must be <= 255"),
        ("kodak_quality", {"draws": 0}, "draws = 0: must be >= 1"),
        ("kodak_quality", {"told_sigma": "truth"}, "told_sigmas.0 .*oracle"),
        ("kodak_quality", {"device": "tpu"}, "device"),
        ("kodak_quality", {"predict": "noise"}, "evaluate: .*predict"),
        ("kodak_quality", {"judge_file": "no.npz"}, "no.npz: what judges kodak_quality is missing"),
        ("kodak_quality", {"experiment": "no.yaml"}, "no.yaml"),
        ("kodak_quality", {"options": [1]}, r"options = \[1\]: must be keyword arguments by name"),
        ("kodak_quality", {"options": {1: 2}}, "options = {1: 2}: must be keyword arguments by name"),
        ("kodak_quality", {"compare_with": "nothing"}, "compare_with = 'nothing': no folder 'scores'"),
        ("kodak_quality", {"weights": "no.pth"}, "no.pth: weights are missing"),
        ("kodak_quality", {"output": "."}, "is a folder"),
        ("kodak_quality", {"output": "mine.csv"}, "mine.csv: score files are Parquet; call it mine.parquet"),
        ("kodak_quality", {"output": "two.txt/mine.parquet"}, "cannot be written there .*; name another place"),
        ("voc_segmentation", {"experiment": "tiny.yaml"}, "'voc_segmentation' is not among the experiment's"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_before_anything_is_scored(folder, benchmark, asked, message):
    def untouched(noisy):
        raise AssertionError

    with pytest.raises(UsaidError, match=message) as caught:
        evaluate(untouched, benchmark, **asked)
    assert "\n" not in str(caught.value)


def test_a_network_that_judges_is_missing(folder):
    experiment = EXPERIMENT | {"benchmarks": {"voc_segmentation": {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}}}}  # fmt: skip  # noqa: E501
    (folder / "judged.yaml").write_text(yaml.safe_dump(experiment))
    with pytest.raises(UsaidError, match=r"weights/voc_segmentation.safetensors: what judges .*--judge-file"):
        evaluate(smoothed, "voc_segmentation", experiment="judged.yaml")


# ------------------------------------------------------------------------------------------------ on the way


def test_without_a_terminal_progress_is_lines(folder, capsys, monkeypatch):
    quality(smoothed)
    assert capsys.readouterr().err == "", "what takes no time says nothing"
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    quality(smoothed)
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("kodak: 100% 2/2 [")
    assert "image/s" in last or "s/image" in last


def test_evaluators_wait_with_torch():
    code = "import evaluators, sys; print('torch' in sys.modules, hasattr(evaluators, 'nothing'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
