"""``usaid row``: a leaderboard row of the committed runs."""

import csv
import io
from pathlib import Path

import pytest

import usaid_cli

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "results/reference/released"


@pytest.fixture
def row(capsys):
    def run(*arguments: str) -> str:
        usaid_cli.main(["row", *arguments, "--results", str(RELEASED)])
        return capsys.readouterr().out

    return run


def test_markdown_has_all_benchmarks_of_the_run_at_sigma_25(row):
    header, _, line, blank, *notes = row("u_said").splitlines()
    assert header.count("σ = 25") == header.count("<br>") / 2 == 16
    assert line.startswith("| U-SAID | ")
    assert "| 32.19 [" in line
    assert not blank
    assert "Kodak: psnr_rgb_float, ssim_skimage7, niqe_live; n = 24 of 24." in [note.rstrip() for note in notes]


def test_others_beside_it_and_other_sigmas(row):
    lines = row("u_said", "--with", "noisy,u_said,cbm3d", "--sigma", "15", "35").splitlines()
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| U-SAID", "| Noisy", "| CBM3D"]
    assert "Kodak<br>PSNR (dB) ↑<br>σ = 35" in lines[0]
    assert "Kodak<br>PSNR (dB) ↑<br>σ = 25" not in lines[0]
    assert len(row("u_said", "--sigma", "all")) > len(row("u_said"))


def test_csv_and_latex(row):
    numbers = list(csv.DictReader(io.StringIO(row("u_said", "--format", "csv"))))
    assert [number["metric"] for number in numbers].index("seconds") == 16 == len(numbers) - 1
    assert {number["sigma"] for number in numbers[:16]} == {"25"}
    assert row("u_said", "--format", "latex", "--no-header").startswith("U-SAID & ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["usaid"], "denoiser 'usaid': has no scores in .*; must be one of noisy, cdncnn_b, s_said, u_said, clean"),
        (["u_said", "--sigma", "much"], "--sigma much: must be noise levels"),
        (["u_said", "--sigma", "nan"], "--sigma nan: "),
        (["u_said", "--format", "html"], "--format html: must be one of markdown, latex, csv"),
    ],
)
def test_bad_input_is_one_line(row, arguments, message):
    with pytest.raises(SystemExit, match=rf"^error: {message}"):
        row(*arguments)
