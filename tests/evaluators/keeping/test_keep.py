"""What is kept of an image: the pixels and scores that a score job has, windows, judges' views, and failures apart."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evaluators.keeping import keep
from evaluators.keeping.choose import Choice, Chosen, choose_images_to_file
from evaluators.keeping.keep import Judges, keep_images, keep_images_to_files
from evaluators.scoring.job import score_to_file
from evaluators.scoring.score_job import ScoreJob
from usaid.datasets.loading import load_for
from usaid.denoisers.build import build_denoiser
from usaid.errors import UsaidError
from usaid.experiment import experiment as experiment_module
from usaid.failures import Failure, write_marker
from usaid.noise import gaussian_noise
from usaid.registries import BENCHMARKS
from usaid.scores.files import read_scores
from usaid.scores.kept_images import KeptImages, Picture, Seen, Window, read_kept
from usaid.tensors import to_uint8, to_unit_range

NIQE = Path("niqe.npz")

FILES = {"kodak_quality": NIQE}

ONE = Choice("kodak_quality", "kodim03", 25.0, ("first",))

Keep = Callable[..., tuple[KeptImages, KeptImages]]


@pytest.fixture
def kept(experiment) -> Keep:
    """Keeps images of a denoiser: by default one."""

    def made(denoiser: str, *choices: Choice, files: Mapping[str, Path | None] = FILES, **keys: Any):
        asked = experiment(**keys)
        return keep_images(asked, denoiser, Chosen(choices or (ONE,)), None, Judges(asked, files))

    return made


def only(of_readers: tuple[KeptImages, KeptImages]) -> Picture:
    """The one picture of the viewer's archive."""
    (picture,) = of_readers[0].pictures
    return picture


def denoised(experiment: Any, method: str, image_id: str, sigma: float, told: float | None = None) -> np.ndarray:
    """The whole output of a denoiser, as pixels."""
    sample = load_for(experiment, "kodak", "all")[image_id]
    height, width, _ = sample.image.shape
    noisy = to_unit_range(sample.image) + gaussian_noise("kodak", image_id, sigma, 0, height, width)
    return to_uint8(build_denoiser(f"own_denoisers:{method}")(noisy, told_sigma=told).float())[0]


def test_a_window_of_the_output_clamped_and_rounded(kept, experiment):
    picture = only(kept("u_said"))
    left, top, width, height = picture.window
    assert (picture.size, (width, height)) == ((40, 48), (16, 16))
    whole = denoised(experiment(), "Scaled", "kodim03", 25)
    assert np.array_equal(picture.pixels, whole[top : top + 16, left : left + 16])


def test_the_noise_of_the_first_draw_clamped(kept, experiment):
    picture = only(kept("noisy", keep_images={"window": None}))
    sample = load_for(experiment(), "kodak", "all")["kodim03"]
    noise = gaussian_noise("kodak", "kodim03", 25.0, 0, 48, 40)
    assert np.array_equal(picture.pixels, to_uint8(to_unit_range(sample.image) + noise)[0])
    assert picture.window == Window(0, 0, 40, 48)


def test_all_denoisers_have_the_same_window_and_a_figures_zoom_decides(kept):
    windows = {only(kept(name)).window for name in ("u_said", "noisy", "clean", "told")}
    assert len(windows) == 1
    centred = replace(ONE, centre=(20, 30))
    assert only(kept("noisy", centred)).window == Window(12, 22, 16, 16)


def test_a_method_that_is_not_blind_is_told_the_truth(kept, experiment):
    picture = only(kept("told", keep_images={"window": None}))
    assert picture.told_sigma == 25
    assert np.array_equal(picture.pixels, denoised(experiment(), "Told", "kodim03", 25, told=25))
    assert only(kept("u_said")).told_sigma is None


def test_scores_are_those_of_the_score_file(kept, experiment, folder):
    output = folder / "scores/told.parquet"
    score_to_file(ScoreJob(experiment(), "kodak_quality", "told", output, NIQE))
    rows = read_scores(output).rows.set_index(["image_id", "sigma", "told_sigma"])
    picture = only(kept("told"))
    assert [*picture.scores] == ["psnr_rgb_float", "ssim_skimage7", "niqe_fitted"]
    for name, score in picture.scores.items():
        expected = rows.loc[("kodim03", 25.0, 25.0), name]
        assert score is None if np.isnan(expected) else score == pytest.approx(expected, rel=1e-6)


class TestClean:
    def test_it_is_kept_though_the_experiment_lacks_it(self, kept, experiment):
        picture = only(kept("clean", keep_images={"window": None}))
        assert np.array_equal(picture.pixels, load_for(experiment(), "kodak", "all")["kodim03"].image)
        assert picture.scores["psnr_rgb_float"] == np.inf
        assert picture.overview is not None
        assert only(kept("noisy")).overview is None

    def test_it_is_kept_where_its_entry_is_not_scored(self, kept):
        denoisers = {"clean": {"method": "clean", "benchmarks": ["kodak_quality"], "sigmas": [15]}}
        assert only(kept("clean", denoisers=denoisers)).sigma == 25


def test_whole_images_are_those_of_figures(kept):
    choices = [ONE, replace(ONE, image_id="kodim01", whole=True, why=("figure_4",))]
    viewer, figures = kept("noisy", *choices)
    assert [picture.image_id for picture in viewer.pictures] == ["kodim03", "kodim01"]
    (whole,) = figures.pictures
    assert (whole.image_id, whole.pixels.shape, whole.window) == ("kodim01", (40, 48, 3), Window(0, 0, 48, 40))


def test_a_denoiser_is_kept_where_it_may_be_scored(kept):
    denoisers = {"noisy": {"method": "noisy", "sigmas": [15]}}
    viewer, _ = kept("noisy", ONE, replace(ONE, sigma=15.0), denoisers=denoisers)
    assert [picture.sigma for picture in viewer.pictures] == [15]


def test_provenance(kept):
    viewer, figures = kept("told")
    assert (viewer.denoiser, viewer.title, figures.pictures) == ("told", "Told", ())
    said = viewer.provenance
    assert {"git", "packages", "device", "config_sha256", "noise_version"} <= said.keys()
    assert said["entry"] == {"method": "own_denoisers:Told"}
    assert said["judges"]["kodak_quality"]["niqe"] == "niqe_fitted"
    assert said["deviations"]["kodak_quality"][0] == "a trial"
    assert (said["weights_sha256"], said["left_out"]) == (None, {})


def test_no_images_at_all(experiment, folder):
    (folder / "data/kodak/kodim01.png").unlink()
    choose_images_to_file(experiment(subsets={"kodak/all": "absent.txt"}), "scores", "choice.json")
    asked = experiment()
    keep_images_to_files(asked, "noisy", "choice.json", None, Judges(asked, FILES), "images/a.zip", "figures/a.zip")
    viewer = read_kept("images/a.zip")
    assert viewer.pictures == ()
    assert "absent.txt: list of ids is missing" in viewer.provenance["left_out"]["kodak_quality"]


def test_the_same_bytes_when_made_twice(experiment):
    asked = experiment()
    choose_images_to_file(asked, "scores", "choice.json")
    archives = []
    for name in ("one", "two"):
        keep_images_to_files(asked, "told", "choice.json", None, Judges(asked, FILES), f"{name}/v.zip", f"{name}/f.zip")
        archives.append([Path(name, file).read_bytes() for file in ("v.zip", "f.zip")])
    assert archives[0] == archives[1]
    assert len(read_kept("one/v.zip").pictures) == 3


# ------------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("denoiser", "reason"),
    [
        ("broken", "image kodim03: this denoiser is broken"),
        ("dividing", "image kodim03: dividing: returned values that are not finite (NaN or infinity)"),
    ],
)
def test_a_denoiser_that_fails_has_no_archive(denoiser, reason, kept):
    with pytest.raises(UsaidError) as raised:
        kept(denoiser)
    assert str(raised.value) == reason


def test_missing_weights_name_their_file(experiment):
    asked = experiment()
    with pytest.raises(UsaidError, match=r"absent\.safetensors"):
        keep_images(asked, "u_said", Chosen((ONE,)), Path("absent.safetensors"), Judges(asked, FILES))


def test_a_denoiser_leaves_the_process_as_it_was(kept):
    kept("careless")
    assert torch.get_default_dtype() == torch.float32


class Grey:
    """A judge whose PSNR is the brightness of what it is shown, which it then spoils."""

    metrics = ("psnr_rgb_float", "confusion", "detections")
    record: Mapping[str, Any] = {"class_names": ["dark", "bright"], "left_out": ["dark"]}
    deviations = ()

    def look(self, output: torch.Tensor) -> str:
        return "seen"

    def score(self, seen: str, output: torch.Tensor, clean: torch.Tensor, targets: Any) -> dict[str, Any]:
        value = output.mean(dim=(1, 2, 3))
        output.zero_()
        return {"psnr_rgb_float": value, "confusion": torch.tensor([[4, 1, 2, 1]]), "detections": [[[1.0]]]}

    def finish(self, columns: dict[str, Any], targets: Any) -> dict[str, Any]:
        assert not any(isinstance(v, torch.Tensor) and v.is_cuda for v in columns.values())
        return columns


def make_grey(*_: Any) -> Grey:
    return Grey()


def show_grey(judge: Grey, dataset: Any, look: str, target: Any) -> tuple[Seen, Seen]:
    return Seen(text=f"{look} of {dataset.name}"), Seen(text="truth")


def make_none(*_: Any) -> None:
    raise ValueError("no such\nnetwork")


@pytest.fixture
def two(monkeypatch, experiment) -> Callable[..., tuple[KeptImages, KeptImages]]:
    """Keeps one image of two benchmarks that see the same images, with judges of the test's."""

    def made(denoiser: str, judge: Callable[..., Any], shown: bool = True) -> tuple[KeptImages, KeptImages]:
        card = replace(BENCHMARKS["kodak_quality"], judge="grey", shown="shown" if shown else None)
        cards = {**BENCHMARKS, "kodak_quality": BENCHMARKS["kodak_quality"], "voc_quality": card}
        asked = experiment(benchmarks={"kodak_quality": {"sigmas": [25]}, "voc_quality": {"sigmas": [25]}})
        of_keep = {"grey": judge, "shown": show_grey}
        load = keep.load_object
        for module in (keep, experiment_module):
            monkeypatch.setattr(module, "BENCHMARKS", cards)
        monkeypatch.setattr(keep, "load_object", lambda name: of_keep.get(name) or load(name))
        choices = (ONE, replace(ONE, benchmark="voc_quality"))
        return keep_images(asked, denoiser, Chosen(choices), None, Judges(asked, FILES | {"voc_quality": None}))

    return made


def test_an_image_is_denoised_once_for_all_benchmarks_that_keep_it(two, monkeypatch):
    calls = []
    once = keep.denoised
    monkeypatch.setattr(keep, "denoised", lambda *arguments: calls.append(arguments) or once(*arguments))
    viewer, _ = two("noisy", make_grey)
    assert [picture.benchmark for picture in viewer.pictures] == ["kodak_quality", "voc_quality"]
    assert len(calls) == 1
    first, second = viewer.pictures
    assert np.array_equal(first.pixels, second.pixels)
    assert second.pixels.any()


def test_numbers_are_scores_and_what_is_none_is_left_out(two):
    _, picture = two("noisy", make_grey)[0].pictures
    assert [*picture.scores] == ["psnr_rgb_float", "miou_per_image"]
    assert picture.scores["miou_per_image"] == 1 / 4


def test_what_the_judge_sees_and_of_clean_what_is_true(two):
    _, picture = two("noisy", make_grey)[0].pictures
    assert (picture.seen, picture.truth) == (Seen(text="seen of kodak"), None)
    _, picture = two("clean", make_grey)[0].pictures
    assert (picture.seen, picture.truth) == (Seen(text="seen of kodak"), Seen(text="truth"))
    _, picture = two("clean", make_grey, shown=False)[0].pictures
    assert (picture.seen, picture.truth) == (None, None)


def test_a_judge_that_fails_costs_its_benchmark(two):
    viewer, _ = two("noisy", make_none)
    assert [picture.benchmark for picture in viewer.pictures] == ["kodak_quality"]
    assert viewer.provenance["left_out"] == {"voc_quality": "ValueError: no such network"}
    assert [*viewer.provenance["judges"]] == ["kodak_quality"]


def test_a_judge_that_was_not_made_says_why(kept, folder):
    write_marker(folder / "judge.safetensors", Failure("fit_niqe", "no images"))
    viewer, _ = kept("noisy", files={"kodak_quality": folder / "judge.safetensors"})
    assert viewer.pictures == ()
    assert viewer.provenance["left_out"] == {"kodak_quality": "fit_niqe failed: no images"}


def test_an_image_that_does_not_decode_costs_its_benchmark(kept, folder):
    (folder / "data/kodak/kodim03.png").write_bytes(b"no image")
    viewer, _ = kept("noisy", ONE, replace(ONE, image_id="kodim01"))
    assert viewer.pictures == ()
    assert "kodim03.png" in viewer.provenance["left_out"]["kodak_quality"]
