"""The notebook runs from the first cell to the last, and is kept as it ran."""

import os
import re
import sys
from itertools import islice
from pathlib import Path

import pytest

from evaluators import evaluate
from usaid.datasets.miniature import kodak
from usaid.datasets.miniature.writer import write

pytest.importorskip("skimage", reason="needs scikit-image")
pytest.importorskip("ipykernel", reason="needs ipykernel")
nbformat = pytest.importorskip("nbformat", reason="needs nbclient")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient")

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "own_denoiser.ipynb"


def outputs_of(notebook) -> list[dict]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text_of(notebook) -> str:
    """All that it prints and shows as text."""
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs_of(notebook))


def test_it_ends_in_a_picture_and_a_row(tmp_path, monkeypatch):
    for name, content in islice(kodak.draw(seed=0), 3):
        write(tmp_path / "images" / name, content)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path / "images"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(NOTEBOOK.open(encoding="utf-8"), as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()

    (picture,) = [output for output in outputs_of(notebook) if "image/png" in output.get("data", {})]
    assert len(picture["data"]["image/png"]) > 10_000
    method = f"{EXAMPLES}/non_blind.py:non_local_means"
    same = evaluate(method, "kodak_quality", data_root=tmp_path / "images", sigmas=25, compare_with=None)
    (row,) = re.findall(r"^\| mine \| (\S+) \[", text_of(notebook), flags=re.MULTILINE)
    assert float(row) == pytest.approx(same["psnr_rgb_float"].mean(), abs=0.006)
    assert rf"mine & \shortstack{{{row} \\" in text_of(notebook)


def test_it_is_kept_with_what_it_gave_on_kodak():
    notebook = nbformat.read(NOTEBOOK.open(encoding="utf-8"), as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)], "run from the first cell to the last"
    shown = text_of(notebook)
    assert "mine - U-SAID" in shown
    assert "Kodak, 3 of 24 images" in shown
    assert not [output for output in outputs_of(notebook) if output.output_type == "error"]
    assert not re.search(r"/(home|root|tmp|Users|mnt)/", shown), "paths of a machine"
    assert NOTEBOOK.stat().st_size < 300_000
