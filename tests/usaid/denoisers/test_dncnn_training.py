"""Training CDnCNN-B, S-SAID and U-SAID from images to a file of weights."""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from usaid.checkpoints import load_state, stored_record
from usaid.code_hash import modules_behind
from usaid.datasets.base import Sample
from usaid.denoisers.dncnn import CARDS
from usaid.denoisers.dncnn.network import DnCNN, dncnn_from_state
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.dncnn.training import initialise_dncnn, train_dncnn
from usaid.denoisers.training.batches import Batch, Batches
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.provenance import git_state
from usaid.segmentation.encoders import default_weights
from usaid.training.loop import Run
from usaid.training.patches import PatchSampler, labelled_images

CPU = torch.device("cpu")
SEGMENTATION_AWARE = ["s_said", "u_said"]
METHODS = ["cdncnn_b", *SEGMENTATION_AWARE]


def train_denoiser(samples: Iterable[Sample], method: str, recipe: Recipe, weights: Path, **options) -> None:
    """Train on the CPU; options are the run's."""
    train_dncnn(samples, recipe, Run(weights, CPU, method, method, **options))


def checkpoint_of(weights: Path) -> Path:
    return Run(weights, CPU, "", "").checkpoint


def test_initialisation_is_that_of_the_protocol():
    networks = [DnCNN() for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        initialise_dncnn(network, seed)
    for key, value in networks[0].state_dict().items():
        assert torch.equal(value, networks[1].state_dict()[key]), key
    assert not torch.equal(networks[0].dncnn[0].weight, networks[2].dncnn[0].weight)
    inner = networks[0].dncnn[2].weight.detach()
    assert float(inner.std()) == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    gains = torch.cat([layer.weight.detach() for layer in networks[0].dncnn if isinstance(layer, nn.BatchNorm2d)])
    assert float(gains.abs().max()) == pytest.approx(0.025)
    clamped = (gains.abs() >= 0.0249).float().mean()  # |N(0, 0.0589)| is above 0.025 in 67 of 100
    assert float(clamped) == pytest.approx(0.67, abs=0.05)


@pytest.mark.parametrize(("method", "steps", "decibels"), [("cdncnn_b", 120, 6), ("s_said", 20, 1), ("u_said", 20, 1)])
def test_trained_denoiser_removes_noise(tiny, samples, tmp_path, method, steps, decibels):
    weights = tmp_path / "weights" / f"{method}.safetensors"
    recipe = tiny(batch=6, steps=steps, learning_rate=0.02, milestones=[60, 90])
    train_denoiser(samples, method, recipe, weights)
    network = dncnn_from_state(load_state(weights), "trained")
    harder = recipe.model_copy(update={"sigma_range": (25, 25), "seed": 1})
    batch = Batches(PatchSampler([(each.id, each.image) for each in samples], 32, CPU), harder)(1)
    with torch.no_grad():
        remaining = batch.noise - network(batch.clean + batch.noise)
    gain = 10 * torch.log10(batch.noise.square().mean() / remaining.square().mean())
    assert gain > decibels


# The file of weights, and what lies beside it


@pytest.mark.parametrize("method", METHODS)
def test_weights_and_provenance_say_how_they_came_to_be(tiny, samples, tmp_path, method):
    weights = tmp_path / "weights" / "mine.safetensors"
    recipe = tiny(recipe="released_code", batch=4, steps=3)
    train_denoiser(samples, method, recipe, weights)

    provenance = json.loads(weights.with_suffix(".json").read_text())
    record = provenance["training"]
    images = labelled_images(samples, 21) if method == "s_said" else ((sample.id, sample.image) for sample in samples)
    assert record == stored_record(weights)
    assert record["images_sha256"] == PatchSampler(images, 32, CPU).sha256
    assert (record["method"], record["recipe"], record["steps"], record["n_images"]) == (method, "released_code", 3, 6)
    assert (record["depth"], record["patches_drawn"], record["milestones"]) == (3, "once", [10, 40, 80, 120, 140])
    if method == "cdncnn_b":
        assert not {"encoder", "encoder_sha256", "classes", "gradient"} & record.keys()
    else:
        assert record["encoder_sha256"] == sha256_of_file(default_weights("efficientnet_lite0", "data"))
        assert (record["gradient"], record["head"], record["classes"]) == ("detached", "frozen", 21)
    assert provenance["git"]["commit"] == git_state()["commit"]
    assert provenance["packages"]["torch"] == version("torch")
    assert record["torch"] == torch.__version__
    assert 0 <= provenance["seconds"] < 60
    files = sorted(path.name for path in weights.parent.iterdir())
    assert files == ["mine.csv", "mine.json", "mine.safetensors"], "the checkpoint is gone once the weights are safe"


def test_only_the_denoiser_is_written_in_float32(tiny, samples, tmp_path):
    weights = tmp_path / "weights.safetensors"
    train_denoiser(samples, "u_said", tiny(steps=2, precision="bfloat16"), weights)
    state = load_state(weights)
    assert state.keys() == DnCNN(3, 8).state_dict().keys()
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("method", ["cdncnn_b", "u_said"])
def test_snapshots_are_denoisers_and_change_neither_weights_nor_record(method, tiny, samples, tmp_path):
    folder = {name: tmp_path / name / "weights.safetensors" for name in ("with", "without", "short")}
    train_denoiser(samples, method, tiny(steps=4, milestones=[], snapshots=[2]), folder["with"])
    train_denoiser(samples, method, tiny(steps=4, milestones=[]), folder["without"])
    assert folder["with"].read_bytes() == folder["without"].read_bytes()

    snapshot = folder["with"].with_name("weights.2.safetensors")
    train_denoiser(samples, method, tiny(steps=2, milestones=[]), folder["short"])
    taken, short = load_state(snapshot), load_state(folder["short"])
    assert taken.keys() == short.keys() == DnCNN(3, 8).state_dict().keys()
    assert all(torch.equal(taken[key], short[key]) for key in short)
    assert stored_record(snapshot)["step"] == 2


def test_watch_sees_each_row_of_the_curve(tiny, samples, tmp_path):
    rows = []
    recipe = tiny(steps=7)
    options = {"checkpoint_every": 3, "watch": rows.append}
    train_denoiser(samples, "u_said", recipe, tmp_path / "weights.safetensors", **options)
    lines = [line.split(",") for line in (tmp_path / "weights.csv").read_text().splitlines()]
    assert lines[0] == ["step", "learning_rate", "loss", "mse", "psnr", "segmentation"]
    assert [row["step"] for row in rows] == [3, 6, 7]
    for row, line in zip(rows, lines[1:], strict=True):
        assert [row[name] for name in lines[0]] == pytest.approx([float(value) for value in line])
        assert row["loss"] == pytest.approx(row["mse"] + row["segmentation"], rel=1e-5)


@pytest.mark.parametrize(
    ("keys", "decays"),
    [
        ({"steps": 10}, [0, 1, 1, 1, 2, 2, 2, 2, 3, 3]),
        (
            {"steps": 8},
            [1, 1, 1, 2, 2, 2, 3, 3],
        ),  # the first milestone, 0.8 steps, is past by the end of the first step
        ({"steps": 4, "milestones": [50, 120]}, [0, 0, 1, 1]),
        ({"steps": None, "epochs": 5, "patches_per_image": 1, "milestones": [2, 4]}, [0, 0, 1, 1, 2]),
    ],
)
def test_milestones_are_epochs_also_where_steps_sets_the_length_of_the_run(tiny, samples, tmp_path, keys, decays):
    rows = []
    recipe = tiny(**keys)
    options = {"checkpoint_every": 1, "watch": rows.append}
    train_denoiser(samples, "cdncnn_b", recipe, tmp_path / "weights.safetensors", **options)
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3 / 10**power for power in decays])


# What its code hash follows


def test_an_edit_of_the_denoiser_or_of_settings_trains_nothing_again():
    for card in (card for card in CARDS if card.training is not None):
        modules = modules_behind(card.training)
        assert {"usaid.denoisers.dncnn.network", "usaid.segmentation.usa_module", "usaid.training.loop"} <= modules
        assert "usaid.denoisers.dncnn.denoiser" not in modules
        assert not {name for name in modules if name.startswith("usaid.experiment") or name.endswith(".recipe")}
        assert "usaid.denoisers.dncnn.training" not in modules_behind(card.denoiser, card.importer)


# Killed and continued


@pytest.mark.parametrize(
    ("method", "recipe"),
    [("cdncnn_b", "released_code"), ("s_said", "paper"), ("u_said", "paper"), ("u_said", "released_code")],
)
def test_interrupted_training_writes_the_same_file(tiny, samples, tmp_path, monkeypatch, method, recipe):
    keys = tiny(recipe=recipe, batch=4, steps=8)
    whole, interrupted = tmp_path / "whole.safetensors", tmp_path / "interrupted.safetensors"
    train_denoiser(samples, method, keys, whole, checkpoint_every=4)

    make = Batches.__call__

    def make_until_step_6(batches: Batches, step: int) -> Batch:
        if step == 6:
            raise KeyboardInterrupt
        return make(batches, step)

    with monkeypatch.context() as patch:
        patch.setattr(Batches, "__call__", make_until_step_6)
        with pytest.raises(KeyboardInterrupt):
            train_denoiser(samples, method, keys, interrupted, checkpoint_every=4)
    assert torch.load(checkpoint_of(interrupted), weights_only=True)["step"] == 4
    assert not interrupted.exists()

    steps_taken = []
    monkeypatch.setattr(Batches, "__call__", lambda batches, step: steps_taken.append(step) or make(batches, step))
    train_denoiser(samples, method, keys, interrupted, checkpoint_every=4)
    assert steps_taken == [5, 6, 7, 8]
    assert interrupted.read_bytes() == whole.read_bytes()
    assert (tmp_path / "interrupted.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_checkpoint_of_another_recipe_is_refused_with_the_keys_that_differ(tiny, samples, tmp_path):
    weights = tmp_path / "weights.safetensors"

    def stop(row: object) -> None:
        if row["step"] == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_denoiser(samples, "u_said", tiny(), weights, checkpoint_every=4, watch=stop)
    with pytest.raises(UsaidError) as error:
        train_denoiser(samples, "u_said", tiny(learning_rate=0.002, gradient="detached", head="frozen"), weights)
    differing = "gradient (attached there, detached here), head (learnable there, frozen here)"
    expected = f"checkpoint of another training: {differing}, learning_rate (0.001 there, 0.002 here); delete it"
    assert str(error.value).startswith(f"{checkpoint_of(weights)}: {expected}")
    with pytest.raises(UsaidError, match=r"another training: images_sha256 \(\w{64} there, \w{64} here\); delete it"):
        train_denoiser(samples[1:], "u_said", tiny(), weights)
    with pytest.raises(UsaidError, match=r"method \(u_said there, s_said here\)"):
        train_denoiser(samples, "s_said", tiny(), weights)
    assert not weights.exists()


# What the released code learns


def trained(tmp_path, samples: list[Sample], method: str, recipe) -> Tensor:
    """All weights of a trained denoiser in one vector."""
    weights = tmp_path / f"{method}_{recipe.gradient}.safetensors"
    train_denoiser(samples, method, recipe, weights)
    return torch.cat([value.flatten() for key, value in load_state(weights).items() if key.endswith("weight")])


@pytest.mark.parametrize("method", SEGMENTATION_AWARE)
def test_by_the_released_code_a_segmentation_aware_denoiser_is_cdncnn_b(tiny, samples, tmp_path, method):
    """Its segmentation loss is detached and its head frozen: what is left is half the MSE.

    Adam divides the slope by its own size, so half a loss takes the same steps as the whole one, up to the 1e-8 that
    Adam adds to the divisor. S-SAID and U-SAID can differ from CDnCNN-B only by seed, patches and noise; only a
    gradient that is attached makes another denoiser of them.
    """
    recipe = tiny(recipe="released_code", batch=4, steps=6, milestones=[])
    start = DnCNN(recipe.depth, recipe.features)
    initialise_dncnn(start, recipe.seed)
    first = torch.cat([each.flatten() for key, each in start.state_dict().items() if key.endswith("weight")])

    plain = trained(tmp_path, samples, "cdncnn_b", recipe)
    detached = trained(tmp_path, samples, method, recipe)
    attached = trained(tmp_path, samples, method, recipe.model_copy(update={"gradient": "attached"}))

    way = (plain - first).norm()
    assert way > 0.1
    assert (detached - plain).norm() < 1e-4 * way
    assert (attached - plain).norm() > 0.1 * way


# Bad input


@pytest.mark.parametrize("method", METHODS)
def test_images_smaller_than_a_patch_are_refused(tiny, samples, tmp_path, method):
    with pytest.raises(UsaidError, match=r"image 'wave0' is 64x56: smaller than 'patch' = 57"):
        train_denoiser(samples, method, tiny(patch=57), tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_fewer_images_than_a_batch_are_refused(tiny, samples, tmp_path):
    with pytest.raises(UsaidError, match="6 images, fewer than 'batch' = 7"):
        train_denoiser(samples, "u_said", tiny(batch=7), tmp_path / "weights.safetensors")


def test_s_said_needs_labels_and_says_what_to_do_without(tiny, samples, tmp_path):
    unlabelled = [replace(sample, target=None) for sample in samples]
    with pytest.raises(
        UsaidError, match=r"image 'wave0' has no label map, which S-SAID needs, .*; name labelled 'images'"
    ):
        train_denoiser(unlabelled, "s_said", tiny(), tmp_path / "weights.safetensors")
    train_denoiser(unlabelled, "u_said", tiny(steps=1), tmp_path / "weights.safetensors")


def test_labels_from_classes_on_are_refused(tiny, samples, tmp_path):
    with pytest.raises(UsaidError, match=r"image 'wave3' has label 10; 'classes' = 10 is too small"):
        train_denoiser(samples, "s_said", tiny(classes=10), tmp_path / "weights.safetensors")


def test_missing_weights_of_the_encoder_stop_the_training_before_it_starts(tiny, samples, tmp_path):
    with pytest.raises(UsaidError, match=r"weights of ResNet-101 are missing; `usaid data fetch resnet101"):
        train_denoiser(samples, "u_said", tiny(encoder="resnet101"), tmp_path / "w.safetensors", data_root=tmp_path)
    assert not list(tmp_path.iterdir())
    train_denoiser(samples, "cdncnn_b", tiny(encoder="resnet101", steps=1), tmp_path / "w.safetensors")


def test_loss_that_is_not_finite_names_step_and_images(tiny, samples, tmp_path):
    recipe = tiny(learning_rate=1e30, milestones=[], batch=2)
    batches = Batches(PatchSampler([(each.id, each.image) for each in samples], 32, CPU), recipe)
    images = ", ".join(batches.images_of(2))
    with pytest.raises(UsaidError, match=rf"^mine: the loss is (nan|inf) at step 2 \(images {images}\); lower"):
        train_dncnn(samples, recipe, Run(tmp_path / "weights.safetensors", CPU, title="mine", name="u_said"))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.csv"]


def test_labels_of_no_pixel_still_train(tiny, samples, tmp_path):
    void = [replace(sample, target=np.full((56, 64), 255, np.uint8)) for sample in samples]
    rows = []
    train_denoiser(void, "s_said", tiny(steps=2), tmp_path / "weights.safetensors", watch=rows.append)
    assert rows[-1]["segmentation"] == 0
    assert math.isfinite(rows[-1]["loss"])


def test_statistics_of_a_single_pixel_are_refused(tiny, samples, tmp_path):
    keys = {"segmenter_batchnorm": "batch", "batch": 1, "steps": 1}
    with pytest.raises(UsaidError, match=r"'segmenter_batchnorm' = batch: one pixel has no statistics; raise 'batch'"):
        train_denoiser(samples, "u_said", tiny(**keys), tmp_path / "weights.safetensors")
    train_denoiser(samples, "u_said", tiny(**keys, patch=33), tmp_path / "weights.safetensors")
