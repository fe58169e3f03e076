"""Tests of usaid.report.figures.figure_2: the verdict on Figure 2, and files that are the same each time."""

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from usaid.errors import UsaidError
from usaid.report.figures.figure_2 import ordering, read_curves, write_figure_2
from usaid.segmentation.supervisions import SUPERVISIONS, record_beside

STEPS = 200
SETTINGS = {"encoder": "efficientnet_lite0", "crop": 96, "steps": STEPS, "seed": 0}


def curve_table(**levels: float) -> pd.DataFrame:
    """Curves that fall from 3 to a level each, a row every other step."""
    steps = np.arange(2, STEPS + 1, 2)
    parts = [
        pd.DataFrame({"supervision": name, "step": steps, "loss": level + (3 - level) * np.exp(-steps / 30)})
        for name, level in levels.items()
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def curves(tmp_path: Path) -> dict[str, Path]:
    """Curves and records as three trainings in the paper's order leave them."""
    table = curve_table(ground_truth=0.3, quarters=0.7, pixels=0.9)
    paths = {name: tmp_path / "runs" / f"convergence_{name}.csv" for name in SUPERVISIONS}
    (tmp_path / "runs").mkdir()
    for name, path in paths.items():
        one = table[table["supervision"] == name].assign(learning_rate=1e-4)
        one[["step", "learning_rate", "loss"]].to_csv(path, index=False, float_format="%.9g")
        record = {"settings": SETTINGS, "supervision": name, "n_images": 24, "n_left_out": 2, "subset": None}
        record |= {"data_source": "miniature", "images_sha256": "a", "encoder_sha256": "b", "seconds": len(name)}
        record_beside(path).write_text(json.dumps(record))
    return paths


def changed_record(curve: Path, **changes: object) -> None:
    record = json.loads(record_beside(curve).read_text())
    record_beside(curve).write_text(json.dumps(record | changes))


def test_order_of_the_paper_holds():
    found = ordering(curve_table(ground_truth=0.3, quarters=0.7, pixels=0.9))
    assert found.holds
    assert found.last_tenth["ground_truth"] == pytest.approx(0.3, abs=0.02)
    assert found.all_steps["ground_truth"] > found.last_tenth["ground_truth"] + 0.2
    assert list(found.last_tenth) == list(found.all_steps) == list(SUPERVISIONS)


@pytest.mark.parametrize("levels", [(0.7, 0.3, 0.9), (0.3, 0.9, 0.7), (0.9, 0.7, 0.3), (0.3, 0.7, 0.7)])
def test_any_other_order_does_not(levels):
    assert not ordering(curve_table(**dict(zip(SUPERVISIONS, levels, strict=True)))).holds


def test_order_has_to_hold_over_all_steps_and_over_the_last():
    table = curve_table(ground_truth=0.3, quarters=0.7, pixels=0.9)
    early = table["step"] <= 0.9 * STEPS
    quarters = table["supervision"] == "quarters"
    high_before, high_after = table.copy(), table.copy()
    high_before.loc[early & quarters, "loss"] += 1
    high_after.loc[~early & quarters, "loss"] += 1
    assert ordering(high_before).last_tenth == ordering(table).last_tenth
    assert not ordering(high_before).holds
    assert ordering(high_after).all_steps["quarters"] < ordering(high_after).all_steps["pixels"]
    assert not ordering(high_after).holds


def test_rows_count_by_their_steps():
    one = pd.DataFrame({"step": [10, 17, 20], "loss": [3.0, 2.0, 1.0]})
    found = ordering(pd.concat([one.assign(supervision=name) for name in SUPERVISIONS]))
    assert found.all_steps["pixels"] == pytest.approx((10 * 3 + 7 * 2 + 3 * 1) / 20)
    assert found.last_tenth["pixels"] == pytest.approx(1)
    wide = pd.DataFrame({"step": [95, 100], "loss": [3.0, 1.0]})  # steps 91 to 95 are in the first row
    found = ordering(pd.concat([wide.assign(supervision=name) for name in SUPERVISIONS]))
    assert found.last_tenth["pixels"] == pytest.approx(2)


def test_missing_curve_is_named(curves, tmp_path):
    with pytest.raises(UsaidError, match="no learning curve of supervision 'quarters'"):
        ordering(curve_table(ground_truth=0.3, pixels=0.9))
    del curves["pixels"]
    with pytest.raises(UsaidError, match="no learning curve of supervision 'pixels'"):
        write_figure_2(curves, tmp_path)


def test_files_of_the_figure(curves, tmp_path):
    write_figure_2(curves, tmp_path / "figures")
    files = {path.suffix: path for path in (tmp_path / "figures").iterdir()}
    assert set(files) == {".csv", ".png", ".pdf", ".json"}
    table = pd.read_csv(files[".csv"])
    assert list(table.columns) == ["supervision", "step", "loss"]
    assert list(dict.fromkeys(table["supervision"])) == list(SUPERVISIONS)
    assert len(table) == 3 * STEPS / 2
    pd.testing.assert_frame_equal(table, read_curves(curves))
    verdict = json.loads(files[".json"].read_text())
    found = ordering(table)
    assert verdict["ordering_holds"] is found.holds is True
    assert verdict["mean_loss"] == {"last_tenth": found.last_tenth, "all_steps": found.all_steps}
    assert (verdict["n_images"], verdict["n_official"], verdict["n_left_out"]) == (24, 1464, 2)
    assert verdict["settings"] == SETTINGS
    assert {name: facts["seconds"] for name, facts in verdict["provenance"].items()} == {
        "ground_truth": 12,
        "quarters": 8,
        "pixels": 6,
    }
    assert files[".pdf"].read_bytes().startswith(b"%PDF")
    with Image.open(files[".png"]) as image:
        assert min(image.size) > 600
        colours = {colour for count, colour in image.convert("RGB").getcolors(1 << 20) if count > 200}
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0), (0, 0x9E, 0x73)} <= colours, "three lines, each in its colour"


def test_same_curves_give_the_same_bytes_and_leave_no_global_state(curves, tmp_path):
    before = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    for folder in ("once", "twice"):
        write_figure_2(curves, tmp_path / folder)
    for path in (tmp_path / "once").iterdir():
        assert path.read_bytes() == (tmp_path / "twice" / path.name).read_bytes(), path.name
    assert (dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules) == before


@pytest.mark.parametrize("key", ["settings", "images_sha256", "encoder_sha256"])
def test_curves_of_different_runs_are_not_drawn_together(curves, tmp_path, key):
    changed_record(curves["pixels"], **{key: "other"})
    with pytest.raises(
        UsaidError, match=f"convergence_ground_truth.json and convergence_pixels.json differ in '{key}'"
    ):
        write_figure_2(curves, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"step,loss\n",
        b"step\n2\n",
        b"step,loss\n2,x\n",
        b"step,loss\n2,\n",
        b"a\n1,2,3\n1,2,3,4\n",
    ],
)
def test_damaged_curve_is_named(curves, tmp_path, content):
    curves["quarters"].write_bytes(content)
    with pytest.raises(UsaidError, match=r"convergence_quarters\.csv: .*; delete it, and train it again$"):
        write_figure_2(curves, tmp_path)


def test_unfinished_curve_is_refused(curves, tmp_path):
    lines = curves["quarters"].read_text().splitlines(keepends=True)
    curves["quarters"].write_text("".join(lines[:-1]))
    with pytest.raises(UsaidError, match=r"convergence_quarters\.csv: ends at step 198, its record says 200"):
        write_figure_2(curves, tmp_path)
    record_beside(curves["quarters"]).unlink()
    with pytest.raises(UsaidError, match=r"convergence_quarters\.json: missing, so convergence_quarters\.csv may be"):
        write_figure_2(curves, tmp_path)
