"""The judge of image quality: its columns by hand, its deviations, and the further metrics that are asked for."""

import math
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch
from kinds.judges import Batch, JudgeTests

from evaluators.judge import Judge
from evaluators.metrics.niqe import PristineModel, niqe, save_pristine_model
from evaluators.quality import judge as quality
from evaluators.quality.judge import QualityJudge, make_judge
from usaid.cards import Convention, Metric
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.files import sha256_of_file

CPU = torch.device("cpu")
MODEL = PristineModel("niqe_live", torch.linspace(0.1, 1, 36).double(), torch.eye(36).double())


def images() -> torch.Tensor:
    """Three images of two blocks of 96x96 pixels, which NIQE needs at least."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(3, 3, 12, 24, generator=generator)
    return torch.nn.functional.interpolate(coarse, (96, 195), mode="bilinear")


class TestQualityJudge(JudgeTests):
    benchmarks = ("voc_quality", "kodak_quality")
    best = {"psnr_rgb_float": math.inf, "ssim_skimage7": 1.0}  # noqa: RUF012 - as the base class declares it

    def make(self) -> Judge:
        return QualityJudge(MODEL, "0" * 64)

    def batch(self) -> Batch:
        return Batch(images(), [None] * 3)

    def test_a_case_worked_by_hand(self):
        """Grey levels: an error of 0.1 everywhere, SSIM's luminance term, and no contrast for NIQE to look at."""
        clean = torch.full((2, 3, 96, 192), 0.5)
        columns = self.make().judged(clean + 0.1, clean, [None, None])
        luminance = (2 * 0.5 * 0.6 + 1e-4) / (0.5**2 + 0.6**2 + 1e-4)
        assert columns["psnr_rgb_float"].tolist() == pytest.approx([20, 20], abs=1e-5)
        assert columns["ssim_skimage7"].tolist() == pytest.approx([luminance] * 2, abs=1e-6)
        assert columns["niqe_live"].isnan().all()


@pytest.mark.parametrize(
    ("name", "told"),
    [("niqe_live", "LIVE release"), ("niqe_fitted", "fitted to this experiment's own"), ("niqe_matlab", None)],
)
def test_a_pristine_model_that_is_not_the_papers_is_told(name, told):
    judge = QualityJudge(PristineModel(name, MODEL.mean, MODEL.covariance), "0" * 64)
    assert judge.metrics == ("psnr_rgb_float", "ssim_skimage7", name)
    assert judge.record == {"niqe": name, "niqe_model_sha256": "0" * 64}
    assert [told in text for text in judge.deviations] == ([True] if told else [])


# Further metrics


def experiment(**settings):
    return checked_experiment(
        {
            "experiment": "x",
            "data_root": "data",
            "niqe": "niqe_fitted",
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {"kodak_quality": {"sigmas": [25], **settings}},
        }
    )


def worst_pixel(denoised: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """The largest error of each image."""
    return (denoised - clean).abs().flatten(1).max(dim=1).values


@pytest.fixture
def add_metric(monkeypatch):
    """Gives the judge a metric ``further``, computed by a function in a module of a stranger's."""

    def add(function) -> None:
        module = ModuleType("strangers_metric")
        module.compute = function
        monkeypatch.setitem(sys.modules, "strangers_metric", module)
        convention = Convention("further_max", "strangers_metric:compute")
        card = Metric("further", "Further", "", "lower", 3, (convention,))
        monkeypatch.setattr(quality, "METRICS", {**quality.METRICS, "further": card})

    return add


def judge_with(settings, folder, has_model=True) -> Judge:
    path = folder / "niqe_fitted.npz"
    save_pristine_model(path, MODEL)
    checked = experiment().benchmarks["kodak_quality"].model_copy(update=settings)
    whole = experiment().model_copy(update={"benchmarks": {"kodak_quality": checked}, "data_root": str(folder)})
    return make_judge("kodak_quality", whole, path if has_model else None, CPU)


def test_the_judge_of_an_experiment_reads_its_pristine_model(tmp_path):
    judge = judge_with({}, tmp_path)
    assert judge.record["niqe_model_sha256"] == sha256_of_file(tmp_path / "niqe_fitted.npz")
    columns = judge.judged(images() + 0.1, images(), [None] * 3)
    assert columns["niqe_fitted"].tolist() == niqe(images() + 0.1, MODEL).tolist()


def test_a_further_metric_has_a_column_of_its_conventions_name(tmp_path, add_metric):
    add_metric(worst_pixel)
    judge = judge_with({"metrics": ("further",)}, tmp_path)
    assert judge.metrics == ("psnr_rgb_float", "ssim_skimage7", "niqe_fitted", "further_max")
    columns = judge.judged(images() - 0.25, images(), [None] * 3)
    np.testing.assert_allclose(columns["further_max"], 0.25, atol=1e-6)


def test_without_a_pristine_model_there_is_no_niqe(tmp_path, add_metric):
    add_metric(worst_pixel)
    judge = judge_with({"metrics": ("further",)}, tmp_path, has_model=False)
    assert judge.metrics == ("psnr_rgb_float", "ssim_skimage7", "further_max")
    assert judge.record == {"unavailable": {"niqe_fitted": "no pristine model was given"}}
    assert judge.deviations == ()
    noisy, clean = images() + 0.1, images()
    of_both = judge_with({"metrics": ("further",)}, tmp_path).judged(noisy, clean, [None] * 3)
    columns = judge.judged(noisy, clean, [None] * 3)
    assert {name: column.tolist() for name, column in columns.items()} == {
        name: of_both[name].tolist() for name in judge.metrics
    }


def test_a_metric_that_reads_files_is_made_of_them(tmp_path, add_metric, monkeypatch):
    """The files of its convention, below ``data_root``, and their hashes in the record."""

    class Threshold:
        def made(self, files, device):
            level = float(files[0].read_text())
            return lambda denoised, clean: (denoised > level).flatten(1).float().mean(dim=1)

    add_metric(Threshold())
    card = quality.METRICS["further"]
    conventions = (replace(card.conventions[0], files=("levels/one.txt",), smallest_side=97),)
    monkeypatch.setitem(quality.METRICS, "further", replace(card, conventions=conventions))
    without = judge_with({"metrics": ("further",)}, tmp_path)
    assert without.record["unavailable"] == {
        "further_max": "place levels/one.txt below data_root; files of metrics are not fetched"
    }
    (tmp_path / "levels").mkdir()
    (tmp_path / "levels/one.txt").write_text("0.5")
    judge = judge_with({"metrics": ("further",)}, tmp_path)
    assert judge.record["files"] == {"levels/one.txt": sha256_of_file(tmp_path / "levels/one.txt")}
    grown = torch.nn.functional.pad(images(), (0, 0, 0, 1))
    expected = (grown > 0.5).flatten(1).float().mean(dim=1)
    torch.testing.assert_close(judge.judged(grown, grown, [None] * 3)["further_max"], expected)
    assert judge.judged(images(), images(), [None] * 3)["further_max"].isnan().all()


def test_a_metric_that_is_there_already_has_one_column(tmp_path):
    assert judge_with({"metrics": ("ssim", "psnr")}, tmp_path).metrics == judge_with({}, tmp_path).metrics


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda denoised, clean: 1 / 0, "metric further_max: ZeroDivisionError: division by zero$"),
        (lambda denoised, clean: denoised, r"metric further_max: returned \(3, 3, 96, 195\), not a number for each"),
        (lambda denoised, clean: 0.5, "metric further_max: returned float, not a number for each of 3 images"),
    ],
)
def test_a_further_metric_that_fails_names_itself(tmp_path, add_metric, answer, complaint):
    add_metric(answer)
    judge = judge_with({"metrics": ("further",)}, tmp_path)
    with pytest.raises(UsaidError, match=complaint):
        judge.judged(images(), images(), [None] * 3)


def test_a_further_metric_that_is_not_there_costs_its_column_alone(tmp_path, add_metric):
    add_metric(worst_pixel)
    del sys.modules["strangers_metric"].compute
    judge = judge_with({"metrics": ("further",)}, tmp_path)
    assert judge.metrics == judge_with({}, tmp_path).metrics
    (reason,) = judge.record["unavailable"].values()
    assert "strangers_metric:compute cannot be imported" in reason


def test_a_metric_of_whole_data_sets_is_no_further_metric():
    with pytest.raises(UsaidError, match=r'"miou": must be one of psnr, ssim'):
        experiment(metrics=["miou"])
