"""`usaid denoise`: files, folders, demonstrations and what is refused."""

import os
import re
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
from usaid.denoisers.pictures import Picture, read_picture, write_picture
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
    outcome = denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out")
    written = outcome.written
    assert str(outcome) == f"2 images written to {tmp_path / 'out'}, 1 skipped: no image by their suffix (notes.txt)"
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
        denoise_files(build_denoiser("noisy"), image_folder / "a.png", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_refusals(image_folder, tmp_path):
    noisy = build_denoiser("noisy")
    with pytest.raises(UsaidError, match="sigma = -5"):
        denoise_files(noisy, image_folder, tmp_path / "out", added_sigma=-5)
    with pytest.raises(UsaidError, match="no such file or folder"):
        denoise_files(noisy, tmp_path / "absent", tmp_path / "out")
    with pytest.raises(UsaidError, match="written as PNG"):
        denoise_files(noisy, image_folder / "a.png", tmp_path / "out.jpg")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image_folder / "a.jpg")
    with pytest.raises(UsaidError, match=r"a\.jpg and a\.png would both become a\.png; rename one"):
        denoise_files(noisy, image_folder, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda noisy: noisy * float("nan"), "Bad: returned values that are not finite"),
        (lambda noisy: noisy[..., 1:], r"Bad: returned shape \(1, 3, 40, 55\) for a batch of \(1, 3, 40, 56\)"),
        (lambda noisy: noisy.byte(), "Bad: returned torch.uint8"),
    ],
)
def test_what_is_no_image_names_denoiser_and_file_and_is_not_written(image_folder, tmp_path, capsys, change, message):
    class Bad(Halver):
        facts = Facts("Bad", True, False, False, False, "MIT", "none")
        images = 0

        def __call__(self, noisy, told_sigma=None):
            self.images += 1
            return change(noisy) if self.images == 2 else noisy

    (reason,) = denoise_files(Bad(), image_folder, tmp_path / "out", added_sigma=10).failed
    assert re.search(rf"b\.png: {message}", reason)
    assert capsys.readouterr().err.splitlines() == [f"failed: {reason}"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.noisy.png", "a.png"]


def test_what_a_denoiser_refuses_names_the_file(image_folder, tmp_path):
    denoiser = build_denoiser("mc_wnnm")
    Image.fromarray(np.zeros((4, 40, 3), np.uint8)).save(image_folder / "a.png")
    with pytest.raises(UsaidError, match=r"a\.png: image of 40x4 pixels: MC-WNNM needs at least 6x6$"):
        denoise_files(denoiser, image_folder / "a.png", tmp_path / "out.png", told_sigma=25)
    assert not (tmp_path / "out.png").exists()


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


def bytes_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def save(path, pixels, **options):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("images", "images"),
        ("images", "images/../images"),
        ("images", "link_to_images"),
        ("images/a.png", "images/a.png"),
        ("images/a.png", "images"),
        ("images/a.png", "hard.png"),
        ("images/a.png", "soft.png"),
        ("soft.png", "images/a.png"),
        ("images/a.png", "images/b.png"),  # another original
        ("images/a.png", "text.png"),
        ("images/a.png", "folder.png/a.png/b.png"),
        ("images", "out_with_another"),
    ],
)
def test_no_file_but_an_earlier_output_is_replaced(image_folder, tmp_path, source, destination):
    (tmp_path / "link_to_images").symlink_to(image_folder)
    os.link(image_folder / "a.png", tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to(image_folder / "a.png")
    (tmp_path / "text.png").write_text("mine", encoding="utf-8")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "a.png").write_bytes(b"a file, not a folder")
    (tmp_path / "out_with_another").mkdir()
    (tmp_path / "out_with_another" / "b.png").write_bytes((image_folder / "a.png").read_bytes())
    before = bytes_of(tmp_path)
    with pytest.raises(
        UsaidError, match=r"is the input|is the folder of the inputs|is there already|cannot be written"
    ):
        denoise_files(Halver(), tmp_path / source, tmp_path / destination, told_sigma=1)
    assert bytes_of(tmp_path) == before


def test_the_noisy_image_replaces_nothing_either(image_folder, tmp_path):
    save(tmp_path / "x.noisy.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UsaidError, match=r"x\.noisy\.png: is there already and is not of usaid denoise"):
        denoise_files(build_denoiser("noisy"), image_folder / "a.png", tmp_path / "x.png", added_sigma=3)
    save(image_folder / "a.noisy.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UsaidError, match=r"a\.noisy\.png and a\.png would both become a\.noisy\.png"):
        denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out", added_sigma=3)


def test_an_earlier_output_is_replaced_but_not_where_it_is_the_input(image_folder, tmp_path):
    for factor in (0.5, 0.25):
        denoise_files(Halver(factor), image_folder, tmp_path / "out", told_sigma=1)
    assert read_rgb(tmp_path / "out" / "a.png").max() == round(0.25 * int(read_rgb(image_folder / "a.png").max()))
    with pytest.raises(UsaidError, match="is the input"):
        denoise_files(Halver(), tmp_path / "out" / "a.png", tmp_path / "out", told_sigma=1)


@pytest.mark.parametrize("twin", ["A.png", "a.TIFF"])
def test_two_outputs_of_one_name_are_refused_before_any_is_written(image_folder, tmp_path, twin):
    save(image_folder / twin, np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(UsaidError, match=r"a\.png.* would both become|would both become a\.png"):
        denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_folder_holds_is_written_skipped_or_failed(image_folder, tmp_path, smooth_image, capsys):
    (image_folder / "._a.png").write_bytes(b"\0\5\x16\7 of macOS")
    (image_folder / ".DS_Store").write_bytes(b"")
    (image_folder / "below").mkdir()
    (image_folder / "empty.png").write_bytes(b"")
    (image_folder / "link.png").symlink_to("nowhere")
    os.mkfifo(image_folder / "pipe.png")
    for name, kind in [("c.JPG", "JPEG"), ("d.jfif", "JPEG"), ("e.pgm", "PPM"), ("f.gif", "GIF"), ("g.WebP", "WEBP")]:
        save(image_folder / name, smooth_image[..., 0] if kind == "PPM" else smooth_image, format=kind)
    outcome = denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{name}.png" for name in "abcdefg"]
    assert str(outcome) == (
        f"7 images written to {tmp_path / 'out'}, 5 skipped: hidden (.DS_Store, ._a.png); folders (below); "
        "no image by their suffix (notes.txt); no regular files (pipe.png), "
        "2 failed: empty.png, link.png (why is said above)"
    )
    reasons = capsys.readouterr().err.splitlines()
    assert [reason.rpartition("/")[2] for reason in reasons] == [
        "empty.png: does not decode as an image (an empty file); fetch or copy this file again",
        "link.png: no such image file",
    ]


@pytest.mark.parametrize("method", ["noisy", "mc_wnnm", "cbm3d"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_depth_colours_and_alpha_are_the_images(tmp_path, smooth_image, method, channels, depth):
    white = np.iinfo(depth).max
    colours = (smooth_image[..., :channels] * (white / 255)).astype(depth)
    alpha = np.linspace(0, white, colours[..., :1].size).astype(depth).reshape(*colours.shape[:2], 1)
    write_picture(tmp_path / "x.png", Picture(colours, alpha, ((b"gAMA", b"\0\1\x86\xa0"),)))
    denoise_files(build_denoiser(method), tmp_path / "x.png", tmp_path / "out.png", told_sigma=2)
    result = read_picture(tmp_path / "out.png")
    assert (result.colours.dtype, result.colours.shape) == (depth, colours.shape)
    assert np.array_equal(result.alpha, alpha)
    assert result.colour_chunks == ((b"gAMA", b"\0\1\x86\xa0"),)
    difference = abs(result.colours.astype(float) - colours) / white
    assert difference.max() == 0 if method == "noisy" else difference.mean() < 0.01


def test_grey_gets_one_noise_in_its_own_depth(tmp_path):
    save(tmp_path / "x.png", np.full((64, 64), 30000, np.uint16))
    denoise_files(build_denoiser("noisy"), tmp_path / "x.png", tmp_path / "out.png", added_sigma=10)
    noisy = read_picture(tmp_path / "out.noisy.png").colours
    assert noisy.shape == (64, 64, 1)
    assert noisy.std() == pytest.approx(10 * 257, rel=0.05)
    assert len(np.unique(noisy)) > 2000


def test_what_does_not_fit_in_memory_names_the_file(image_folder, tmp_path, monkeypatch):
    def too_much(*arguments):
        raise MemoryError

    monkeypatch.setattr("usaid.denoisers.denoise_files.gaussian_noise", too_much)
    with pytest.raises(UsaidError, match=r"a\.png: 56x40 pixels do not fit in memory; cut it into parts"):
        denoise_files(build_denoiser("noisy"), image_folder / "a.png", tmp_path / "out.png", added_sigma=1)


def test_grey_images_of_a_network_are_told(image_folder, tmp_path, smooth_image, weights):
    save(image_folder / "grey.png", smooth_image[..., 0])
    network = build_denoiser("u_said", weights)
    told = "(1 grey: a network trained on colour noise may leave their noise)"
    assert f"3 images written to {tmp_path / 'out'} {told}" in str(
        denoise_files(network, image_folder, tmp_path / "out")
    )
    assert "grey:" not in str(denoise_files(network, image_folder / "a.png", tmp_path / "out.png"))
    assert "grey:" not in str(denoise_files(build_denoiser("noisy"), image_folder, tmp_path / "out"))
