"""The script for GPU machines runs on a CPU in its smallest setting, says what failed, and goes on where it was."""

import argparse
import json
import sys
import time
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ("rates", "noise", "mc_wnnm", "training")


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch):
    """The script as a module, whose calls are timed for a moment only; it imports its neighbours."""
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    import on_gpu
    import on_gpu_sections

    seconds = on_gpu_sections.seconds
    monkeypatch.setattr(on_gpu_sections, "seconds", lambda call, device, most=0: seconds(call, device, 0.02))
    yield on_gpu
    for name in ("on_gpu", "on_gpu_sections", "on_gpu_images", "on_gpu_jobs", "training"):
        sys.modules.pop(name, None)


def run(on_gpu, monkeypatch, output: Path, *sections: str) -> tuple[dict, object]:
    """What the file holds after a run, and how the script ends: 0, or a line on the sections that failed."""
    command = ["on_gpu.py", "--small", "--output", str(output), "--train-seconds", "0.3", "--patience", "20"]
    monkeypatch.setattr(sys, "argv", [*command, "--sections", *sections])
    with pytest.raises(SystemExit) as end:
        on_gpu.main()
    return json.loads(output.read_text()), end.value.code


def test_sections_have_their_numbers(on_gpu, monkeypatch, tmp_path):
    content, end = run(on_gpu, monkeypatch, tmp_path / "on_gpu.json", *QUICK)
    assert end == 0
    assert set(content) == {"machine", "small", *QUICK}
    assert content["machine"]["torch"] == torch.__version__
    assert content["rates"].keys() == {"float32", "bfloat16", "seconds"}
    assert content["noise"]["kodak_like"]["share_of_values_that_differ"] == 0
    assert content["noise"]["cifar_like"]["mpixel_per_s"] > 0
    assert content["mc_wnnm"].keys() == {"height", "width", "quarter", "whole", "seconds"}
    assert content["training"]["steps"] >= 10
    assert content["training"]["psnr_db"]["noisy_25"] == pytest.approx(20.2, abs=0.3)
    assert [path.name for path in tmp_path.iterdir()] == ["on_gpu.json"]


def test_it_goes_on_where_it_was(on_gpu, monkeypatch, tmp_path):
    output = tmp_path / "on_gpu.json"
    output.write_text(json.dumps({"rates": {"float32": -1.0}, "mc_wnnm": {"error": "of another day"}}))
    content, end = run(on_gpu, monkeypatch, output, "rates", "mc_wnnm")
    assert end == 0
    assert content["rates"] == {"float32": -1.0}
    assert "error" not in content["mc_wnnm"]


def test_a_failure_is_its_own_sections(on_gpu, monkeypatch, tmp_path):
    import on_gpu_sections

    def fails(options: argparse.Namespace, device: torch.device) -> dict:
        raise ModuleNotFoundError("No module named 'pydantic'\nand more")

    def sleeps(options: argparse.Namespace, device: torch.device) -> dict:
        time.sleep(30)
        return {}

    monkeypatch.setattr(on_gpu_sections, "equality", fails)
    monkeypatch.setattr(on_gpu_sections, "noise", sleeps)
    monkeypatch.setattr(on_gpu, "BUDGETS", {"equality": 1, "noise": 0.01, "mc_wnnm": 1})
    content, end = run(on_gpu, monkeypatch, tmp_path / "on_gpu.json", "equality", "noise", "mc_wnnm")
    assert end == "failed: equality, noise"
    assert content["equality"]["error"] == "ModuleNotFoundError: No module named 'pydantic'"
    assert content["equality"]["where"].startswith("test_on_gpu.py:")
    assert content["noise"]["error"] == "OutOfTime: took longer than 0.2 s"
    assert content["mc_wnnm"]["whole"] > 0
