"""``usaid evaluate``: one's own denoiser beside the paper's, from a shell."""

from pathlib import Path

import pytest

import usaid_cli
from usaid.datasets.miniature import kodak
from usaid.datasets.miniature.writer import write
from usaid.scores.files import read_scores

OWN = """
def denoise(noisy):
    return noisy.clamp(0, 1)


def all_noise(noisy):
    return noisy - 0.5


def failing(noisy):
    raise ValueError("no such luck")
"""


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    for name, content in kodak.draw(seed=0):
        write(root / name, content)
    return root


@pytest.fixture
def evaluate(tmp_path, data_root, monkeypatch, capsys):
    """What the command prints in a folder with data and ``mine.py``."""
    (tmp_path / "data").symlink_to(data_root)
    (tmp_path / "mine.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)

    def run(network: str, *arguments: str) -> str:
        usaid_cli.main(["evaluate", network, "--benchmark", "kodak_quality", "--data-root", "data", *arguments])
        return capsys.readouterr().out

    return run


def test_a_table_and_what_its_numbers_are(evaluate):
    header, _, *lines = evaluate("mine.py:denoise", "--images", "3").splitlines()
    assert [column.strip() for column in header.split("|")[1:4]] == ["σ", "denoiser", "PSNR (dB) ↑"]
    assert [line.split("|")[1].strip() for line in lines if "| denoise " in line] == ["15", "25", "35"]
    assert lines[lines.index("") + 1].startswith("Kodak, 3 of 24 images; ")


def test_images_by_name_a_sigma_and_a_score_file(evaluate):
    last = evaluate(
        *("mine.py:denoise", "--images", "kodim02", "kodim05", "--sigma", "25", "50", "--output", "out/mine.parquet"),
        *("--title", "My own", "--told-sigma", "25", "--draws", "2"),
    ).splitlines()[-1]
    assert last == "out/mine.parquet written"
    scores = read_scores("out/mine.parquet")
    assert scores.rows["image_id"].unique().tolist() == ["kodim02", "kodim05"]
    assert scores.rows["sigma"].unique().tolist() == [25, 50]
    assert scores.rows["draw"].unique().tolist() == [0, 1]
    assert scores.provenance["title"] == "My own"


def test_a_method_of_the_suite(evaluate):
    assert "| Noisy " in evaluate("noisy", "--images", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py:failing", "--images", "1", "--sigma", "25"], "image kodim01: .*no such luck"),
        (["mine.py:denoise", "--images", "-2"], "images = -2: must be a number > 0"),
        (["mine.py:denoise", "--images", "kodim99"], "images: 'kodim99' is not among those of kodak"),
        (["mine.py:denoise", "--told-sigma", "truth"], "--told-sigma truth: must be oracle, or a noise level"),
        (["mine.py:denoise", "--sigma", "-1"], "evaluate: .*sigmas.*must be >= 0"),
        (["nothing"], "'nothing'"),
        (["u_said"], "method 'u_said' needs weights"),
    ],
)
def test_bad_input_is_one_line(evaluate, arguments, message):
    with pytest.raises(SystemExit, match=f"^error: {message}") as caught:
        evaluate(*arguments)
    assert "\n" not in str(caught.value.code)


def test_options_are_the_classs_arguments(evaluate, tmp_path):
    (tmp_path / "opt.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Conv2d):\n    def __init__(self, side, *, bias):\n"
        "        super().__init__(3, 3, side, padding=side // 2, bias=bias)\n"
    )
    assert "| Net " in evaluate("opt.py:Net", "--images", "1", "--sigma", "25", "--options", "side=3", "bias=false")
    with pytest.raises(SystemExit, match=r"missing a required argument: 'side'; name it under 'options' \(--options"):
        evaluate("opt.py:Net", "--images", "1", "--sigma", "25")


def test_help_says_percents_once(capsys):
    with pytest.raises(SystemExit):
        usaid_cli.main(["evaluate", "--help"])
    assert "95 % intervals" in capsys.readouterr().out.replace("\n", " ")
