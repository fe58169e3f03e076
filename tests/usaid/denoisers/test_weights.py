"""Weights of an experiment's denoisers: imported by the card's importer, or trained by the card's training."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from usaid.cards import Facts
from usaid.checkpoints import stored_record
from usaid.datasets.base import Sample
from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.mlp.models import write_models
from usaid.denoisers.mlp.network import MLP
from usaid.denoisers.weights import import_weights, train_denoiser, training_of
from usaid.errors import UsaidError
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.model import OwnRecipe
from usaid.files import sha256_of_file
from usaid.training.loop import Run, Task, train

SAMPLES = [Sample("grey", np.full((12, 12, 3), 128, np.uint8), None)]
TINY_MLP = {"hidden": [4], "input_side": 9, "output_side": 5, "batch": 4, "steps": 2}


class Factor(Denoiser):
    """A denoiser of a user's own: it multiplies by a number that it learns."""

    facts = Facts("Factor", True, False, False, False, "MIT", "none")

    def __init__(self, weights) -> None:
        self.factor = load_file(weights)["weight"]

    def __call__(self, noisy, told_sigma=None):
        return noisy * self.factor

    @classmethod
    def train(cls, samples, recipe, run):
        """Multiplies grey images by a number until they have the level of the recipe."""
        grey = torch.tensor([[sample.image.mean() / 255] for sample in samples], dtype=torch.float32)

        def loss(network, batch):
            error = (network(batch) - recipe.level).square().mean()
            return error, {"error": error}

        network = torch.nn.Linear(1, 1, bias=False)
        optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
        task = Task(network, lambda step: grey, loss, optimizer, lambda step: 1.0, recipe.steps, log_every=10)
        train(task, run, {"class": cls.__name__, **recipe.model_dump(mode="json")}, n_images=len(grey))


class WithoutTraining(Denoiser):
    facts = Factor.facts

    def __call__(self, noisy, told_sigma=None):
        return noisy


class TrainedByAnInstance(WithoutTraining):
    def train(self, samples, recipe, run):
        pytest.fail("was called")


class WritesSome(WithoutTraining):
    @staticmethod
    def train(samples, recipe, run):
        for path in (run.weights, run.curve, run.record)[: recipe.files]:
            path.touch()


def entry_of(method: type | str, **keys) -> DenoiserEntry:
    name = method if isinstance(method, str) else f"{__name__}:{method.__name__}"
    return DenoiserEntry.model_validate({"method": name, **keys})


def run_of(folder: Path, name: str = "mine") -> Run:
    return Run(folder / f"{name}.safetensors", torch.device("cpu"), name, name, code_hash="abc")


# Imported


def test_weights_are_imported_by_the_cards_importer(tmp_path):
    ours, output = tmp_path / "ours.safetensors", tmp_path / "imported.safetensors"
    write_models({25.0: MLP(9, (6,), 5)}, ours, {"origin": "published", "sources": {"25": {}}})
    entry = entry_of("mlp", weights="ours.safetensors", sha256=sha256_of_file(ours))
    import_weights(entry, {"": ours}, output)
    assert build_denoiser("mlp", output).models[25].output_side == 5
    assert stored_record(output) == stored_record(ours)


def test_another_file_than_the_hash_says_is_not_imported(tmp_path):
    ours, output = tmp_path / "ours.safetensors", tmp_path / "imported.safetensors"
    write_models({25.0: MLP(9, (6,), 5)}, ours, {})
    with pytest.raises(UsaidError, match=r"ours\.safetensors: SHA-256 is .*, expected 000"):
        import_weights(entry_of("mlp", weights="ours.safetensors", sha256="0" * 64), {"": ours}, output)
    assert not output.exists()


def test_weights_of_an_own_class_are_not_imported(tmp_path):
    entry = entry_of(Factor, weights="w.pt")
    with pytest.raises(
        UsaidError, match=r"Factor': has no importer; its weights are handed over as they are, as a path"
    ):
        import_weights(entry, {"": tmp_path / "w.pt"}, tmp_path / "imported.safetensors")


# Trained


def test_a_method_is_trained_by_the_cards_training(tmp_path):
    train_denoiser(entry_of("mlp", train=TINY_MLP), SAMPLES, run_of(tmp_path, "mlp"))
    record = json.loads((tmp_path / "mlp.json").read_text(encoding="utf-8"))["training"]
    assert (record["method"], record["steps"], record["code_hash"]) == ("mlp", 2, "abc")
    assert list(build_denoiser("mlp", tmp_path / "mlp.safetensors").models) == [25]


def test_an_own_class_is_trained_by_its_own_train_and_gets_the_weights_as_a_path(tmp_path):
    entry = entry_of(Factor, train={"level": 0.25, "steps": 40, "seed": 3})
    assert isinstance(entry.train, OwnRecipe)
    train_denoiser(entry, SAMPLES, run_of(tmp_path))
    denoiser = build_denoiser(entry.method, tmp_path / "mine.safetensors")
    assert float(denoiser(torch.full((1, 3, 4, 4), 128 / 255)).mean()) == pytest.approx(0.25, abs=1e-3)
    record = json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))["training"]
    assert (record["class"], record["level"], record["seed"], record["n_images"]) == ("Factor", 0.25, 3, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "mine.json", "mine.safetensors"]


def test_own_class_with_a_train_of_its_own_is_not_trained_by_the_suite(tmp_path):
    """Also by keys that are the suite's."""
    keys = {"recipe": "paper", "loss": "mse"}
    assert training_of(entry_of(WritesSome, train=keys)) == WritesSome.train


class NoDenoiser:
    @staticmethod
    def train(samples, recipe, run):
        pytest.fail("was called")


def test_what_is_no_denoiser_trains_nothing(tmp_path):
    with pytest.raises(UsaidError, match=r"NoDenoiser': is no subclass of usaid\.denoisers\.base\.Denoiser; derive"):
        train_denoiser(entry_of(NoDenoiser, train={}), SAMPLES, run_of(tmp_path))


@pytest.mark.parametrize("kind", [WithoutTraining, TrainedByAnInstance])
def test_own_class_that_cannot_be_trained(kind, tmp_path):
    message = (
        rf"{kind.__name__}: has no static or class method 'train'; give the class one \(.*\), or name its 'weights'$"
    )
    with pytest.raises(UsaidError, match=message) as error:
        train_denoiser(entry_of(kind, train={}), SAMPLES, run_of(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("files", "missing"), [(0, "safetensors"), (1, "csv"), (2, "json")])
def test_a_file_that_a_training_does_not_write_is_named(files, missing, tmp_path):
    message = rf"WritesSome': its training wrote no .*mine\.{missing}; it has to write weights, curve and record"
    with pytest.raises(UsaidError, match=message):
        train_denoiser(entry_of(WritesSome, train={"files": files}), SAMPLES, run_of(tmp_path))


def test_entry_without_a_recipe(tmp_path):
    with pytest.raises(UsaidError, match=r"^mine: has no recipe; add 'train' to its entry$"):
        train_denoiser(entry_of("noisy"), SAMPLES, run_of(tmp_path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [("1 / 0\n", "ZeroDivisionError: division by zero"), ("def broken(:\n", "SyntaxError"), ("", "no attribute 'Own'")],
)
def test_whatever_an_own_module_raises_is_one_line(content, reason, tmp_path, monkeypatch):
    (tmp_path / "own_module_that_fails.py").write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsaidError, match=rf"^method 'own_module_that_fails:Own': .*{reason}") as error:
        train_denoiser(entry_of("own_module_that_fails:Own", train={}), SAMPLES, run_of(tmp_path))
    assert "\n" not in str(error.value)


def test_needs_no_torch_until_it_is_called():
    code = "import sys, usaid.denoisers.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
