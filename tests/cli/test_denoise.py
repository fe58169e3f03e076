"""`usaid denoise` at the shell: what it prints, its exit status, and what stays."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import usaid_cli


def denoise(*arguments):
    usaid_cli.main(["denoise", *map(str, arguments), "--method", "noisy", "--device", "cpu"])


def test_one_line_says_what_was_written_and_skipped(image_folder, tmp_path, capsys):
    (image_folder / "._a.png").write_bytes(b"of macOS")
    denoise(image_folder, tmp_path / "out")
    assert capsys.readouterr().out == (
        f"2 images written to {tmp_path / 'out'}, 2 skipped: hidden (._a.png); no image by their suffix (notes.txt)\n"
    )


def test_one_image(image_folder, tmp_path, capsys):
    denoise(image_folder / "a.png", tmp_path / "out.png")
    assert capsys.readouterr().out == f"1 image written to {tmp_path / 'out.png'}\n"


def test_a_failure_is_exit_status_1_and_the_others_are_written(image_folder, tmp_path):
    (image_folder / "a.png").write_bytes(b"")
    arguments = ["denoise", image_folder, tmp_path / "out", "--method", "noisy", "--device", "cpu"]
    done = subprocess.run([sys.executable, "-m", "usaid_cli", *arguments], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    reason, summary = done.stderr.strip().splitlines()
    assert reason.startswith(f"failed: {image_folder / 'a.png'}: does not decode")
    assert summary == (
        f"error: 1 image written to {tmp_path / 'out'}, 1 skipped: no image by their suffix (notes.txt), "
        "1 failed: a.png (why is said above)"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


@pytest.mark.parametrize(("source", "destination"), [("", ""), ("a.png", ""), ("a.png", "a.png")])
def test_originals_stay(image_folder, source, destination):
    before = {path.name: path.read_bytes() for path in image_folder.iterdir()}
    with pytest.raises(SystemExit, match=r"^error: .*is the (input|folder of the inputs).*; give another"):
        denoise(image_folder / source, image_folder / destination)
    assert {path.name: path.read_bytes() for path in image_folder.iterdir()} == before


def test_a_photograph_of_a_phone_comes_out_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "x.jpg", exif=exif)
    denoise(tmp_path / "x.jpg", tmp_path / "y.png")
    assert Image.open(tmp_path / "y.png").size == (48, 64)


def test_16_bits_come_out_as_16_bits(tmp_path):
    ramp = (np.arange(64, dtype=np.uint16) * 1000)[None].repeat(48, 0)
    Image.fromarray(ramp).save(tmp_path / "x.tif")
    denoise(tmp_path / "x.tif", tmp_path / "y.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "y.png")), ramp)


MINE = "def noise(batch):\n    return batch * 51\n\ndef cropped(batch):\n    return batch[..., 1:]\n"


def test_a_function_of_a_file_with_its_conventions(image_folder, tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MINE)
    arguments = ["denoise", image_folder / "a.png", tmp_path / "out.png", "--method", f"{tmp_path}/mine.py:noise"]
    flags = [
        "--predicts",
        "noise",
        "--value-range",
        "255",
        "--divisible-by",
        "8",
        "--tile",
        "40",
        "--tile-overlap",
        "4",
    ]
    usaid_cli.main([*map(str, arguments), "--device", "cpu", *flags])
    before, after = (np.asarray(Image.open(path)) for path in (image_folder / "a.png", tmp_path / "out.png"))
    assert before.shape == after.shape
    assert after.max() == 0, "51 times its image is subtracted"


def test_a_cropped_image_is_not_written(image_folder, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    arguments = ["denoise", image_folder / "a.png", tmp_path / "out.png", "--method", f"{tmp_path}/mine.py:cropped"]
    with pytest.raises(SystemExit, match=r"^error: .*a.png: cropped: returned shape .*--divisible-by 8"):
        usaid_cli.main([*map(str, arguments), "--device", "cpu"])
    assert not (tmp_path / "out.png").exists()


def test_flags_that_cannot_be_are_one_line(image_folder, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: .*'tile' = 32 is all overlap: give more than 64"):
        denoise(image_folder / "a.png", tmp_path / "out.png", "--tile", 32)


class Scaled(torch.nn.Module):
    def __init__(self, by: float = 1.0) -> None:
        super().__init__()
        self.by = by

    def forward(self, noisy):
        return self.by * noisy


def test_the_method_is_a_name_own_code_or_a_networks_file(image_folder, tmp_path):
    """With the arguments of the class; the file of a network tells its method by its content."""
    image = image_folder / "a.png"
    (tmp_path / "mine.py").write_text("def scaled(noisy, by=1.0, up=0.0):\n    return by * noisy + up\n")
    torch.jit.script(Scaled(0.5)).save(tmp_path / "net.bin")
    for number, arguments in enumerate(
        [
            [f"{tmp_path / 'mine.py'}:scaled", "--option", "by=0.25", "--option", "up=0.25"],
            [f"{tmp_path / 'mine.py'}:scaled", "--options", "by=0.5", "up=0.0"],
            [tmp_path / "net.bin"],
        ]
    ):
        output = tmp_path / f"{number}.png"
        usaid_cli.main(["denoise", *map(str, [image, output, "--method", *arguments, "--device", "cpu"])])
    original = np.asarray(Image.open(image)).astype(float)
    first, second, third = (np.asarray(Image.open(tmp_path / f"{number}.png")).astype(float) for number in range(3))
    assert abs(first - (original / 4 + 63.75)).max() <= 1
    assert abs(second - original / 2).max() <= 1
    assert (second == third).all()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--method", "absent.onnx"], "'absent.onnx': is no method .* and no file that is there"),
        (["--method", "noisy", "--option", "depth"], "--option 'depth': must be KEY=VALUE"),
        (["--method", "noisy", "--option", "depth=1"], "method 'noisy' has no option 'depth'"),
    ],
)
def test_what_no_method_takes(image_folder, tmp_path, arguments, complaint):
    with pytest.raises(SystemExit, match=f"^error: {complaint}"):
        usaid_cli.main(["denoise", str(image_folder), str(tmp_path / "out"), *arguments, "--device", "cpu"])
    assert not (tmp_path / "out").exists()
