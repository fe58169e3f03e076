"""Metrics by pyiqa: each as every metric, without weights, and our own PSNR, SSIM and NIQE beside pyiqa's."""

import os
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.io
import torch
from kinds.metrics import MetricTests, NoReferenceMetricTests
from opencv import require_opencv
from skimage import data
from skimage.metrics import structural_similarity
from torch import Tensor

from evaluators.metrics import BY_PYIQA
from evaluators.metrics.niqe import PristineModel, load_pristine_model, niqe
from evaluators.metrics.psnr_ssim import psnr_rgb_float, ssim_skimage7
from evaluators.metrics.pyiqa import MetricOfPyiqa
from evaluators.quality import further
from evaluators.quality.further import Further, further_metrics
from evaluators.quality.settings import PRISTINE_FILES, QualitySettings
from usaid.errors import UsaidError
from usaid.images import read_rgb
from usaid.registries import METRICS
from usaid.tensors import to_unit_range

require_opencv()
pyiqa = pytest.importorskip("pyiqa")

CPU = torch.device("cpu")
CONVENTIONS = {metric.name: metric.conventions[0] for metric in BY_PYIQA}
WITHOUT_FILES = [name for name, convention in CONVENTIONS.items() if not convention.files]


class FullReference(MetricTests):
    """A metric whose best value is reached up to float32."""

    size: ClassVar[tuple[int, int]] = (48, 64)

    def test_the_image_itself_has_the_best_value(self) -> None:
        clean = self.clean()
        assert self.compute(clean, clean).tolist() == pytest.approx([self.best] * 3, abs=1e-6)
        assert bool(((self.compute(self.noisy(15), clean) - self.best).abs() > 1e-3).all())


class TestMsSsim(FullReference):
    convention, best, size = "ms_ssim_pyiqa", 1, (161, 163)


class TestCwSsim(FullReference):
    convention, best, size = "cw_ssim_pyiqa", 1, (64, 72)


class TestFsim(FullReference):
    convention, best = "fsim_pyiqa", 1


class TestVsi(FullReference):
    convention, best = "vsi_pyiqa", 1


class TestGmsd(FullReference):
    convention, best = "gmsd_pyiqa", 0


class TestNlpd(FullReference):
    convention, best = "nlpd_pyiqa", 0


class TestVif(FullReference):
    convention, best, size = "vif_pyiqa", 1, (33, 48)


class TestMad(FullReference):
    convention, best, size = "mad_pyiqa", 0, (40, 56)


class TestPiqe(NoReferenceMetricTests):
    convention, size = "piqe_pyiqa", (96, 128)


def test_a_metric_that_needs_no_file_has_its_tests_here():
    tested = {own.convention for own in globals().values() if isinstance(own, type) and hasattr(own, "convention")}
    assert tested == {CONVENTIONS[name].name for name in WITHOUT_FILES}


@pytest.mark.parametrize("card", BY_PYIQA, ids=lambda card: card.name)
def test_a_card_says_what_pyiqa_says(card):
    known = pyiqa.default_model_configs.DEFAULT_CONFIGS[card.name]
    assert card.better == ("lower" if known.get("lower_better", False) else "higher")
    assert card.conventions[0].name == f"{card.name}_pyiqa"
    assert card.tolerance is None


# Beside our own


def pictures() -> dict[str, Tensor]:
    """Photographs that scikit-image brings, and all of Kodak where it is at hand: name -> (1, 3, H, W)."""
    bundled = {"astronaut": data.astronaut(), "chelsea": data.chelsea(), "coffee": data.coffee()}
    found = {name: to_unit_range(image) for name, image in bundled.items()}
    root = os.environ.get("USAID_DATA_ROOT")
    paths = sorted(Path(root, "kodak").glob("*.png")) if root else []
    return found | {path.stem: to_unit_range(read_rgb(path)) for path in paths}


PICTURES = pictures()


def with_noise(image: Tensor) -> Tensor:
    """With Gaussian noise of sigma 25; it leaves [0, 1]."""
    return image + 25 / 255 * torch.randn(image.shape, generator=torch.Generator().manual_seed(4))


def by_pyiqa(name: str, *pair: Tensor, **options) -> float:
    value = pyiqa.create_metric(name, device=CPU, **options)(*(image.clamp(0, 1) for image in pair))
    return float(value)


@pytest.mark.parametrize("name", PICTURES)
def test_our_psnr_is_pyiqas(name):
    """Up to the 1e-8 that pyiqa adds to a mean square of 0.009, which is 5e-6 dB, and its sums in float32: 1e-5."""
    noisy, clean = with_noise(PICTURES[name]), PICTURES[name]
    assert psnr_rgb_float(noisy, clean).item() == pytest.approx(by_pyiqa("psnr", noisy, clean), abs=5e-5)


@pytest.mark.parametrize("name", PICTURES)
def test_pyiqas_ssim_is_scikit_images_with_the_gaussian_window_and_ours_has_the_uniform_one(name):
    """pyiqa: luma of whole numbers, Gaussian window of 11 pixels, valid windows. That is no convention of the paper.

    With scikit-image's own Gaussian (cut at the same 5 pixels) on the same luma the two agree to the last digits of
    float64. Ours, the paper's, differs: a uniform window of 7 pixels and the mean of three channels, which hold more
    noise than their weighted sum; lower by 0.05 to 0.3 on these pictures at sigma 25.
    """
    clean = PICTURES[name][..., :256, :320]
    noisy = with_noise(clean)
    theirs = by_pyiqa("ssim", noisy, clean)
    weights = torch.tensor([0.299, 0.587, 0.114])
    lumas = [(image.clamp(0, 1)[0] * weights[:, None, None]).sum(0).mul(255).round() for image in (noisy, clean)]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255, "full": True}
    _, whole = structural_similarity(*(luma.double().numpy() for luma in lumas), **options)
    assert np.clip(whole, 0, None)[5:-5, 5:-5].mean() == pytest.approx(theirs, abs=1e-4)
    assert 0.05 < theirs - ssim_skimage7(noisy, clean).item() < 0.3


def write_for_pyiqa(model: PristineModel, path: Path) -> Path:
    """A pristine model's file as pyiqa reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"mu_prisparam": model.mean.numpy()[None], "cov_prisparam": model.covariance.numpy()})
    return path


def pristine_model() -> PristineModel:
    """The LIVE parameters where they are at hand, else a model that is plausible enough to compare with."""
    root = os.environ.get("USAID_DATA_ROOT")
    if root and (path := Path(root, PRISTINE_FILES["niqe_live"])).is_file():
        return load_pristine_model("niqe_live", path)
    return PristineModel("niqe_live", torch.linspace(0.1, 1, 36).double(), torch.eye(36).double())


@pytest.mark.parametrize("name", PICTURES)
def test_our_niqe_is_pyiqas(name, tmp_path):
    """Given the same parameters: up to a luma that float32 rounds the other way in a few pixels (0.002; see ours)."""
    model = pristine_model()
    path = write_for_pyiqa(model, tmp_path / "model.mat")
    for image in (PICTURES[name], with_noise(PICTURES[name])):
        theirs = by_pyiqa("niqe", image, pretrained_model_path=str(path))
        assert niqe(image, model).item() == pytest.approx(theirs, abs=2e-3)


# What cannot be had


@pytest.fixture
def offline(monkeypatch):
    """Counts what would reach for the network, and lets none of it."""
    asked = []

    def refuse(*arguments, **options):
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    return asked


def asked_for(root: Path, *names: str) -> Further:
    return further_metrics([CONVENTIONS[name] for name in names], root, CPU)


def test_what_lacks_its_files_costs_its_own_column_and_asks_no_network(tmp_path, offline):
    found = asked_for(tmp_path, "fsim", "lpips", "niqe_matlab", "dists")
    assert [*found.metrics] == ["fsim_pyiqa"]
    assert found.record["packages"] == {"pyiqa": further.version("pyiqa")}
    assert found.unavailable == {
        "lpips_pyiqa": "place pyiqa/LPIPS_v0.1_alex-df73285e.pth and pyiqa/checkpoints/alexnet-owt-7be5be79.pth "
        "below data_root; files of metrics are not fetched",
        "niqe_matlab_pyiqa": "place niqe/niqe_matlab_params.mat below data_root; files of metrics are not fetched",
        "dists_pyiqa": "place pyiqa/DISTS_weights-f5e65c96.pth and pyiqa/checkpoints/vgg16-397923af.pth "
        "below data_root; files of metrics are not fetched",
    }
    assert offline == []


@pytest.mark.parametrize("name", ["lpips", "dists", "niqe_matlab"])
def test_what_pyiqa_would_fetch_is_refused(name, tmp_path, offline, monkeypatch):
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr("pyiqa.utils.download_util.DEFAULT_CACHE_DIR", str(tmp_path / "hub/pyiqa"))
    with pytest.raises(UsaidError, match=r"pyiqa would fetch .*; place it yourself"):
        MetricOfPyiqa(name).made((), CPU)
    assert offline == []
    assert torch.hub.get_dir() == str(tmp_path / "hub")


def test_without_pyiqa_all_of_its_metrics_are_missing(tmp_path, monkeypatch):
    def not_there(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(further, "version", not_there)
    found = asked_for(tmp_path, "fsim", "lpips")
    assert found.unavailable == dict.fromkeys(
        ["fsim_pyiqa", "lpips_pyiqa"], "pyiqa is not installed: pip install 'usaid[pyiqa]'"
    )
    assert found.record == {"unavailable": found.unavailable}


def test_a_pyiqa_that_does_not_import_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    assert "pyiqa does not import" in asked_for(tmp_path, "fsim").unavailable["fsim_pyiqa"]


def test_matlabs_parameters_are_used_where_they_are_placed(tmp_path, offline):
    model = pristine_model()
    path = write_for_pyiqa(model, tmp_path / CONVENTIONS["niqe_matlab"].files[0])
    found = asked_for(tmp_path, "niqe_matlab")
    image = with_noise(PICTURES["chelsea"])
    value = found.metrics["niqe_matlab_pyiqa"](image, PICTURES["chelsea"]).item()
    assert value == pytest.approx(niqe(image, model).item(), abs=2e-3)
    assert [*found.record["files"]] == ["niqe/niqe_matlab_params.mat"]
    assert offline == []
    path.write_bytes(b"junk")
    (reason,) = asked_for(tmp_path, "niqe_matlab").unavailable.values()
    assert reason.startswith("pyiqa cannot make niqe_matlab (")
    assert reason.endswith("try another pyiqa and niqe_matlab_params.mat")


def place_weights(root: Path, name: str) -> None:
    """Files that have the keys and shapes which LPIPS and DISTS want; zeros, which take no room."""
    from torchvision import models

    own, of_network = (root / file for file in CONVENTIONS[name].files)
    of_network.parent.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        network = models.alexnet() if name == "lpips" else models.vgg16()
    state = {key: torch.zeros(1).expand(value.shape) for key, value in network.state_dict().items()}
    torch.save(state, of_network)
    torch.save({}, own)


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_weights_are_read_where_they_are_placed(name, tmp_path, offline):
    place_weights(tmp_path, name)
    before = torch.hub.get_dir()
    found = asked_for(tmp_path, name)
    assert found.unavailable == {}
    clean = PICTURES["chelsea"][..., :64, :80]
    assert found.metrics[f"{name}_pyiqa"](clean, clean).tolist() == pytest.approx([0], abs=1e-6)
    assert [*found.files] == [*CONVENTIONS[name].files]
    assert torch.hub.get_dir() == before
    assert offline == []


def test_a_file_that_is_more_than_tensors_is_never_unpickled(tmp_path):
    place_weights(tmp_path, "dists")
    torch.save({"alpha": Harmful(tmp_path / "harm")}, tmp_path / CONVENTIONS["dists"].files[0])
    (reason,) = asked_for(tmp_path, "dists").unavailable.values()
    assert reason == "DISTS_weights-f5e65c96.pth: holds no weights (UnpicklingError); place the file again"
    assert not (tmp_path / "harm").exists()


class Harmful:
    """Writes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_images_that_are_too_small_have_no_number(tmp_path):
    found = asked_for(tmp_path, *WITHOUT_FILES)
    clean = PICTURES["chelsea"][..., :32, :32].expand(2, -1, -1, -1)
    undefined = {name for name, metric in found.metrics.items() if metric(with_noise(clean), clean).isnan().all()}
    assert undefined == {"ms_ssim_pyiqa", "cw_ssim_pyiqa", "vif_pyiqa"}


def test_an_entry_names_the_files_that_its_metrics_read():
    settings = QualitySettings(sigmas=(25,), metrics=("fsim", "dists", "niqe_matlab"))
    assert settings.user_files == (*METRICS["dists"].conventions[0].files, "niqe/niqe_matlab_params.mat")
