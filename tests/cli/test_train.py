"""`usaid train`: any trainable method, what it writes, and one-line errors."""

import json
from pathlib import Path

import pytest

import usaid_cli
from evaluators.dag.code import code_of_training
from usaid.checkpoints import load_state
from usaid.datasets.miniature.writer import write_miniature
from usaid.denoisers.dncnn.network import dncnn_from_state
from usaid.experiment.denoiser_entry import DenoiserEntry

SMALL = ["depth=3", "features=4", "batch=4", "patch=16", "steps=3", "encoder=efficientnet_lite0"]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("miniature")
    write_miniature(root)
    (root / "five.txt").write_text("".join(f"2012_{number:06d}\n" for number in range(1, 6)))
    return root


@pytest.fixture
def train(data_root, tmp_path, monkeypatch):
    """Runs `usaid train` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> None:
        usaid_cli.main(["train", "--data-root", str(data_root), "--subset", "five.txt", "--device", "cpu", *arguments])

    return run


def test_writes_weights_curve_provenance_and_tensorboard_logs(train, tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train("--denoiser", "u_said", "--recipe", "released_code", "--set", *SMALL, "--tensorboard", "logs")
    weights = tmp_path / "results/released_code/weights/u_said.safetensors"
    assert capsys.readouterr().out.strip() == f"{weights.relative_to(tmp_path)} written"
    assert len(dncnn_from_state(load_state(weights), "trained").dncnn) == 2 + 3 + 1
    header, *rows = weights.with_suffix(".csv").read_text().splitlines()
    assert header == "step,learning_rate,loss,mse,psnr,segmentation"
    record = json.loads(weights.with_suffix(".json").read_text())["training"]
    assert (record["recipe"], record["gradient"], record["steps"]) == ("released_code", "detached", 3)

    logged = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert set(logged.Tags()["scalars"]) == set(header.split(",")[1:])
    loss = logged.Scalars("loss")[-1]
    assert loss.step == 3
    assert loss.value == pytest.approx(float(rows[-1].split(",")[2]), rel=1e-6)


def test_mlp_is_trained_by_its_own_recipe(train, tmp_path, data_root):
    keys = ["sigmas=[25]", "hidden=[8]", "input_side=9", "output_side=5", "batch=4", "steps=2"]
    train("--denoiser", "mlp", "--set", *keys)
    weights = tmp_path / "results/mlp/weights/mlp.safetensors"
    assert weights.with_suffix(".csv").read_text().startswith("sigma,step")
    record = json.loads(weights.with_suffix(".json").read_text())["training"]
    entry = DenoiserEntry.model_validate({"method": "mlp", "train": {}})
    assert record["code_hash"] == code_of_training(entry, [data_root / "five.txt"])


OWN = """
import torch
from usaid.cards import Facts
from usaid.denoisers.base import Denoiser
from usaid.training.loop import finish

class Dimmer(Denoiser):
    facts = Facts("Dimmer", True, True, False, False, "MIT", "none")

    def __call__(self, noisy, told_sigma=None):
        return noisy

    @staticmethod
    def train(samples, recipe, run):
        network = torch.nn.Linear(1, 1)
        network.bias.data.fill_(sum(sample.image.mean() for sample in samples) / recipe.divisor)
        run.curve.write_text("step,loss\\n")
        finish(run, network, {})
"""


def test_an_own_class_is_trained_by_its_own_function(train, tmp_path, monkeypatch):
    (tmp_path / "own_dimmer.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    train("--denoiser", "own_dimmer:Dimmer", "--set", "divisor=1000", "--experiment", "mine")
    assert 0 < load_state(tmp_path / "results/mine/weights/Dimmer.safetensors")["bias"] < 2


UNET = f"{Path(__file__).parents[2] / 'examples/small_unet.py'}:SmallUNet"


def test_a_network_of_ones_own_is_trained_by_a_loss_of_the_papers(train, tmp_path):
    keys = ["batch=4", "patch=16", "steps=3", "encoder=efficientnet_lite0"]
    for loss in ("mse", "unsupervised"):
        train("--denoiser", UNET, "--loss", loss, "--options", "features=4", "levels=2", "--set", *keys)
    records = {
        loss: json.loads((tmp_path / f"results/paper/weights/SmallUNet_{loss}.json").read_text())["training"]
        for loss in ("mse", "unsupervised")
    }
    assert {loss: record["loss"] for loss, record in records.items()} == {name: name for name in records}
    assert records["mse"]["options"] == {"features": 4, "levels": 2}
    assert load_state(tmp_path / "results/paper/weights/SmallUNet_mse.safetensors")["last.weight"].shape[1] == 4


def test_flags_say_what_the_network_predicts_and_whose_recipe_it_is(train, tmp_path):
    (tmp_path / "mine.yaml").write_text("batch: 4\npatch: 16\nsteps: 2\n")
    train(
        "--denoiser", UNET, "--loss", "mse", "--recipe", "mine.yaml", "--predicts", "noise", "--options", "features=4"
    )
    record = json.loads((tmp_path / "results/mine/weights/SmallUNet_mse.json").read_text())["training"]
    assert (record["adapt"], record["recipe"], record["batch"]) == ({"predicts": "noise"}, "mine.yaml", 4)


def test_finished_training_is_not_overwritten(train):
    train("--denoiser", "cdncnn_b", "--set", *SMALL)
    with pytest.raises(SystemExit, match=r"^error: results/paper/weights/cdncnn_b.safetensors: is trained already"):
        train("--denoiser", "cdncnn_b", "--set", *SMALL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "stepps=3"], r"^error: --set: unknown key 'stepps' \(nearest: 'steps'\); allowed: batch"),
        (["--set", "classes=1"], r"^error: --set: classes = 1: must be >= 2$"),
        (["--set", "batch=many"], r'^error: --set: batch = "many": must be of type integer$'),
        (["--recipe", "best"], r"^error: --recipe: recipe 'best': must be one of paper, released_code, or a YAML file"),
        (["--set", *SMALL, "batch=6"], r"^error: 5 images, fewer than 'batch' = 6; lower it, or add images$"),
        (["--set", *SMALL, "patch=200"], r"smaller than 'patch' = 200; leave it out$"),
        (["--set", "batch=4", "patch=16"], r"ImageNet weights of ResNet-101 are missing; `usaid data fetch"),
    ],
)
def test_bad_recipes_are_one_line(train, arguments, message):
    with pytest.raises(SystemExit, match=message) as error:
        train("--denoiser", "u_said", *arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--denoiser", "mc_wnnm"], "^error: --denoiser: 'mc_wnnm': must be one of cdncnn_b, s_said, u_said, mlp"),
        (
            ["--denoiser", "u_sad"],
            "^error: --denoiser: 'u_sad': must be one of cdncnn_b, s_said, u_said, mlp",
        ),
        (
            ["--denoiser", "mlp", "--recipe", "paper"],
            "^error: --recipe: mlp has one recipe; change its keys",
        ),
        (["--denoiser", "u_said", "--loss", "mse"], "^error: --loss: u_said has its own; it is for networks of"),
        (["--denoiser", UNET, "--recipe", "paper"], "^error: --recipe: needs --loss, too, to train a network of your"),
        (
            ["--denoiser", UNET, "--loss", "mse", "--option", "features"],
            "^error: --option 'features': must be KEY=VAL",
        ),
        (["--denoiser", UNET, "--loss", "mse", "--options", "depth=2", "--set", "batch=4"], "^error: method .*'depth'"),
        (["--denoiser", UNET, "--loss", "mse", "--set", "depth=2"], "^error: --set: unknown key 'depth'"),
        (["--denoiser", "no_such_module:Mine"], r"^error: method 'no_such_module:Mine': cannot be imported"),
    ],
)
def test_bad_methods_are_one_line(train, arguments, message):
    with pytest.raises(SystemExit, match=message) as error:
        train(*arguments)
    assert "\n" not in str(error.value)
