"""`usaid denoise`: files, folders, demonstrations and what is refused."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

import usaid_cli
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.denoise_files import denoise_files
from usaid.errors import UsaidError
from usaid.images import read_rgb


class Halver(Denoiser):
    """A denoiser of a user's own, not blind."""

    facts = Facts("Halver", False, False, False, False, "MIT", "none")

    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor

    def __call__(self, noisy, told_sigma=None):
        self.told = told_sigma
        return noisy * self.factor


@pytest.fixture
def weights(small_dncnn, tmp_path):
    save_file(small_dncnn.state_dict(), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_folder(image_folder, tmp_path):
    written = denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out")
    assert [path.name for path in written] == ["a.png", "b.png"]
    assert np.array_equal(read_rgb(written[0]), read_rgb(image_folder / "a.png"))


def test_file_with_a_network_from_the_command_line(image_folder, tmp_path, weights):
    arguments = ["denoise", image_folder / "a.png", tmp_path / "out.png", "--weights", weights, "--device", "cpu"]
    usaid_cli.main([str(argument) for argument in arguments])
    assert read_rgb(tmp_path / "out.png").shape == (40, 56, 3)


def test_added_noise_has_the_level_asked_for(image_folder, tmp_path, smooth_image):
    denoise_files(build_denoiser("noisy"), image_folder / "a.png", tmp_path / "out.png", added_sigma=10)
    difference = read_rgb(tmp_path / "out.png").astype(float) - smooth_image
    assert difference[(smooth_image > 60) & (smooth_image < 195)].std() == pytest.approx(10, rel=0.05)
    assert (tmp_path / "out.noisy.png").exists()


def test_non_blind_methods_are_told_sigma(image_folder, tmp_path):
    halver = build_denoiser(f"{__name__}:Halver", options={"factor": 0.25})
    with pytest.raises(UsaidError, match="Halver is not blind: give --told-sigma"):
        denoise_files(halver, image_folder, tmp_path / "out")
    denoise_files(halver, image_folder, tmp_path / "out", added_sigma=12)
    assert halver.told == 12
    denoise_files(halver, image_folder, tmp_path / "out", told_sigma=30, added_sigma=12)
    assert halver.told == 30


def test_empty_folder_is_one_line_on_the_command_line(tmp_path):
    (tmp_path / "empty").mkdir()
    command = [
        sys.executable,
        "-m",
        "usaid_cli",
        "denoise",
        str(tmp_path / "empty"),
        str(tmp_path),
        "--method",
        "noisy",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"error: {tmp_path / 'empty'}: no image in this folder")
    assert len(done.stderr.strip().splitlines()) == 1


def test_truncated_png(image_folder, tmp_path):
    whole = (image_folder / "a.png").read_bytes()
    (image_folder / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsaidError, match=r"a\.png: does not decode as an image"):
        denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out")


def test_refusals(image_folder, tmp_path):
    noisy = build_denoiser("noisy")
    with pytest.raises(UsaidError, match="sigma = -5"):
        denoise_files(noisy, image_folder, tmp_path / "out", added_sigma=-5)
    with pytest.raises(UsaidError, match="no such file or folder"):
        denoise_files(noisy, tmp_path / "absent", tmp_path / "out")
    with pytest.raises(UsaidError, match="written as PNG"):
        denoise_files(noisy, image_folder / "a.png", tmp_path / "out.jpg")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image_folder / "a.jpg")
    with pytest.raises(UsaidError, match="two images differ by suffix only"):
        denoise_files(noisy, image_folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda noisy: noisy * float("nan"), "Bad: returned values that are not finite"),
        (lambda noisy: noisy[..., 1:], r"Bad: returned shape \(1, 3, 40, 55\) for a batch of \(1, 3, 40, 56\)"),
        (lambda noisy: noisy.byte(), "Bad: returned torch.uint8"),
    ],
)
def test_what_is_no_image_names_denoiser_and_file_and_is_not_written(image_folder, tmp_path, change, message):
    class Bad(Halver):
        facts = Facts("Bad", True, False, False, False, "MIT", "none")
        images = 0

        def __call__(self, noisy, told_sigma=None):
            self.images += 1
            return change(noisy) if self.images == 2 else noisy

    with pytest.raises(UsaidError, match=rf"b\.png: {message}") as error:
        denoise_files(Bad(), image_folder, tmp_path / "out", added_sigma=10)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.noisy.png", "a.png"]


def test_what_a_denoiser_refuses_names_the_file(image_folder, tmp_path):
    denoiser = build_denoiser("mc_wnnm")
    Image.fromarray(np.zeros((4, 40, 3), np.uint8)).save(image_folder / "a.png")
    with pytest.raises(UsaidError, match=r"a\.png: image of 40x4 pixels: MC-WNNM needs at least 6x6$"):
        denoise_files(denoiser, image_folder, tmp_path / "out", told_sigma=25)
    assert not (tmp_path / "out").exists()


def test_the_noisy_image_is_written_as_it_was_before_denoising(image_folder, tmp_path, smooth_image):
    class InPlace(Halver):
        def __call__(self, noisy, told_sigma=None):
            return noisy.mul_(0)

    denoise_files(InPlace(), image_folder / "a.png", tmp_path / "out.png", added_sigma=10)
    assert read_rgb(tmp_path / "out.png").max() == 0
    assert abs(read_rgb(tmp_path / "out.noisy.png").astype(float) - smooth_image).mean() < 20


def test_a_class_without_facts_is_one_line(image_folder, tmp_path):
    class Nameless(Denoiser):
        def __call__(self, noisy, told_sigma=None):
            return noisy

    with pytest.raises(UsaidError, match=r"^Nameless: has no attribute 'facts' of type usaid\.cards\.Facts"):
        denoise_files(Nameless(), image_folder, tmp_path / "out")
