"""The first steps with a denoiser of one's own, on README and its page, run as they are printed, on small pictures."""

import io
import re
import runpy
from itertools import islice
from pathlib import Path

import pytest
import torch
from doc_pages import blocks_of, prose_of
from PIL import Image
from printed_commands import psnr_in, run_printed

from usaid.datasets.miniature import kodak
from usaid.experiment.reading import read_experiment

PAGES = (Path("README.md"), Path("docs/how-to/my-denoiser.md"))


def block(language: str, content: str) -> str:
    """The block of a language that has a text in it; where both pages show it, they show the same."""
    texts = {own.text for page in PAGES for own in blocks_of(page, language) if content in own.text}
    (text,) = texts
    return text


def command(beginning: str) -> str:
    """The first line of the shell blocks that begins so, without its remark; a backslash joins lines."""
    lines = [
        line for page in PAGES for own in blocks_of(page, "sh") for line in own.text.replace("\\\n", "").splitlines()
    ]
    return next(line.partition("  #")[0] for line in lines if line.startswith(beginning))


@pytest.fixture(autouse=True)
def folder(tmp_path, small_dncnn, monkeypatch) -> Path:
    """A working folder with README's ``mine.py``, three pictures of 96x64 pixels, and a small checkpoint."""
    for name, content in islice(kodak.draw(seed=0), 3):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(content)).crop((0, 0, 96, 64)).save(tmp_path / "data" / name)
    (tmp_path / "data/released").mkdir()
    torch.save(small_dncnn.state_dict(), tmp_path / "data/released/USAID.pth")
    (tmp_path / "mine.py").write_text(block("python", "# mine.py"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_the_shell_and_python_give_the_same_table(capsys):
    first = command("usaid evaluate mine.py:denoise")
    assert first == "usaid evaluate mine.py:denoise --benchmark kodak_quality --data-root data --images 3"
    run_printed(first)
    by_shell = psnr_in(capsys.readouterr().out)
    assert {sigma for sigma, denoiser in by_shell if denoiser == "denoise"} == {"15", "25", "35"}

    Path("call.py").write_text(block("python", "from evaluators import evaluate"), encoding="utf-8")
    runpy.run_path("call.py")
    assert psnr_in(capsys.readouterr().out) == by_shell


def test_check_says_what_it_is_shown_to_say(capsys):
    """That nothing failed, and the names of checks in their order, and how each ended; times are a machine's own."""
    run_printed(command("usaid check mine.py:denoise"))
    *findings, last = capsys.readouterr().out.splitlines()
    assert last.startswith(f"mine.py:denoise: {len(findings)} findings, 0 failed")
    said = [line.split()[:2] for line in [*findings, last]]
    shown = [line.split()[:2] for line in block("text", "mine.py:denoise: ").splitlines() if line != "..."]
    assert len(shown) > 3
    assert shown == [line for line in said if line in shown]


def test_the_experiment_says_what_there_is(folder):
    (folder / "my.yaml").write_text(block("yaml", "# my.yaml"), encoding="utf-8")
    experiment = read_experiment("my.yaml")
    assert [*experiment.denoisers] == ["noisy", "cdncnn_b", "s_said", "u_said", "clean", "mine", "net"]
    assert experiment.denoisers["net"].adapt.predicts == "noise"


def test_files_are_denoised(folder):
    Image.open("data/kodak/kodim01.png").save("photo.png")
    (printed,) = re.findall(r"`(usaid denoise photo\.png [^`]*)`", "".join(prose_of(page) for page in PAGES))
    run_printed(printed)
    assert Image.open("out.png").size == (96, 64)
