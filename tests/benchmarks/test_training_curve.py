"""The curve over training steps: what is scored, what is kept, and what the page says of what is not there yet."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from usaid.checkpoints import write_weights
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.dncnn.training import initialised_dncnn
from usaid.errors import UsaidError
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import checked_experiment

REPOSITORY = Path(__file__).resolve().parents[2]
TRAIN = {"recipe": "paper", "steps": 40, "milestones": [60, 90], "snapshots": [10, 20]}
IDS = ("kodim01", "kodim02")


@pytest.fixture
def training_curve(monkeypatch: pytest.MonkeyPatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    import training_curve

    yield training_curve
    sys.modules.pop("training_curve", None)


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> Experiment:
    """Two denoisers with snapshots and one without, below the working folder; two pictures."""
    monkeypatch.chdir(tmp_path)
    Path("data/kodak").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for image_id in IDS:
        picture = generator.integers(0, 256, (512, 768, 3), dtype=np.uint8)
        Image.fromarray(picture).resize((768, 512)).save(f"data/kodak/{image_id}.png")
    denoisers = {"noisy": {"method": "noisy"}, "plain": {"method": "cdncnn_b", "train": {"recipe": "paper"}}}
    denoisers |= {name: {"method": name, "train": TRAIN} for name in ("cdncnn_b", "u_said")}
    keys = {"experiment": "curve", "data_root": "data", "denoisers": denoisers}
    return checked_experiment({**keys, "benchmarks": {"kodak_quality": {"sigmas": [25]}}})


def experiment_file(denoisers: str) -> Path:
    """A file of the experiment with other denoisers, given as YAML."""
    path = Path("curve.yaml")
    lines = (
        "experiment: curve",
        "data_root: data",
        f"denoisers: {denoisers}",
        "benchmarks: {kodak_quality: {sigmas: [25]}}",
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def keep(experiment: Experiment, name: str, seed: int = 0) -> Path:
    """Write weights of a run."""
    path = Path(experiment.results, "weights", f"{name}.safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_weights(initialised_dncnn(Recipe.model_validate({"recipe": "paper", "seed": seed})), path, {})
    return path


@pytest.fixture
def calls(training_curve, monkeypatch) -> list[tuple[str, int, str]]:
    """What is scored, in order, in place of the scoring: an image's PSNR is its step plus its place."""
    made: list[tuple[str, int, str]] = []

    def rows_of(experiment, snapshot, sigma, image_ids):
        sha256 = training_curve.sha256_of_file(snapshot.weights)
        for image_id in image_ids:
            made.append((snapshot.denoiser, snapshot.step, image_id))
            psnr = 20 + snapshot.step / 10 + IDS.index(image_id) + 0.5 * (snapshot.denoiser == "u_said")
            values = (snapshot.denoiser, snapshot.step, sha256, sigma, image_id, psnr)
            yield dict(zip(training_curve.COLUMNS, values, strict=True))

    monkeypatch.setattr(training_curve, "rows_of", rows_of)
    return made


def test_snapshots_are_those_that_the_recipes_ask_for_and_the_final_weights(training_curve, experiment):
    found = training_curve.snapshots_of(experiment)
    assert [(one.denoiser, one.step) for one in found] == [
        (name, step) for step in (10, 20, 40) for name in ("cdncnn_b", "u_said")
    ]
    assert [one.weights.name for one in found[::2]] == [
        *("cdncnn_b.10.safetensors", "cdncnn_b.20.safetensors", "cdncnn_b.safetensors")
    ]


def test_only_what_is_missing_is_scored_and_weights_that_changed_again(training_curve, experiment, calls, capsys):
    keep(experiment, "cdncnn_b.10")
    path = Path("curve/psnr.csv")
    rows = training_curve.score_missing(experiment, path, 25.0, IDS[:1])
    assert calls == [("cdncnn_b", 10, "kodim01")]
    assert len(rows) == 1
    assert "cdncnn_b.20.safetensors: not there yet" in capsys.readouterr().err

    calls.clear()
    keep(experiment, "cdncnn_b.20")
    rows = training_curve.score_missing(experiment, path, 25.0, IDS)
    assert calls == [("cdncnn_b", 10, "kodim02"), ("cdncnn_b", 20, "kodim01"), ("cdncnn_b", 20, "kodim02")]
    assert len(rows) == 4

    calls.clear()
    keep(experiment, "cdncnn_b.10", seed=1)
    training_curve.score_missing(experiment, path, 25.0, IDS)
    assert calls == [("cdncnn_b", 10, "kodim01"), ("cdncnn_b", 10, "kodim02")]
    assert len(pd.read_csv(path)) == 4

    calls.clear()
    training_curve.score_missing(experiment, path, 15.0, IDS)
    assert len(calls) == 4
    assert len(pd.read_csv(path)) == 8, "another sigma is kept beside it"


def test_table_has_means_paired_differences_and_the_learning_rate(training_curve, experiment, calls):
    for name in ("cdncnn_b.10", "u_said.10", "cdncnn_b.20", "u_said.20", "cdncnn_b"):
        keep(experiment, name)
    rows = training_curve.score_missing(experiment, Path("psnr.csv"), 25.0, IDS)
    lines = training_curve.table(rows, experiment, {"cdncnn_b": 32.0, "u_said": 31.75})
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[:1] + lines[2:]] == [
        ["step", "learning rate", "CDnCNN-B", "U-SAID", "U-SAID - CDnCNN-B"],
        ["10", "0.001", "21.50", "22.00", "+0.50 [+0.50, +0.50]"],
        ["20", "0.001", "22.50", "23.00", "+0.50 [+0.50, +0.50]"],
        ["40", "1e-05", "24.50", "", ""],
        ["released checkpoints", "", "32.00", "31.75", "-0.25"],
    ]


def test_script_writes_the_page_with_the_psnr_of_the_scores(training_curve, experiment, monkeypatch):
    """A network that predicts no noise leaves the noisy image, whose PSNR is known."""
    network = initialised_dncnn(Recipe.model_validate({"recipe": "paper"}))
    for parameter in [*network.parameters()][-1:]:
        parameter.data.zero_()
    for name in ("cdncnn_b.10", "cdncnn_b.20"):
        write_weights(network, keep(experiment, name), {})
    train = "{recipe: paper, steps: 40, milestones: [60, 90], snapshots: [10, 20]}"
    config = experiment_file(f"{{cdncnn_b: {{method: cdncnn_b, train: {train}}}}}")
    monkeypatch.setattr(sys, "argv", ["training_curve.py", str(config), "--images", "1", "--threads", "1"])
    training_curve.main()
    folder = Path(experiment.results, "curve")
    assert {path.name for path in folder.iterdir()} == {"psnr.csv", "psnr.md", "psnr.png"}
    rows = pd.read_csv(folder / "psnr.csv")
    assert rows["psnr_rgb_float"].between(20.1, 21.5).all()
    assert "1 of 2 Kodak images, sigma 25: kodim01; noise draw 0" in (folder / "psnr.md").read_text()
    with Image.open(folder / "psnr.png") as picture:
        assert picture.width > 900


def test_nothing_to_score_says_what_to_do(training_curve, experiment, monkeypatch):
    config = experiment_file("{noisy: {method: noisy}}")
    monkeypatch.setattr(sys, "argv", ["training_curve.py", str(config), "--threads", "1"])
    with pytest.raises(SystemExit, match=r"results/curve/weights: no snapshots; train denoisers"):
        training_curve.main()


@pytest.mark.parametrize(
    "text", ["", "denoiser,step\nc", "denoiser,step,weights_sha256,sigma,image_id,psnr_rgb_float\na,b"]
)
def test_a_file_of_something_else_is_one_line(training_curve, tmp_path, text):
    (tmp_path / "psnr.csv").write_text(text)
    with pytest.raises(UsaidError, match=r"psnr\.csv: not written by this script; delete it"):
        training_curve.scored(tmp_path / "psnr.csv")
