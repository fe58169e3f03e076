"""A network of a user's own that the suite trains by each of the three losses, and is then scored with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from usaid.checkpoints import load_state, stored_record
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.dncnn.training import initialise_dncnn, train_dncnn
from usaid.denoisers.training import training
from usaid.denoisers.training.batches import Batches
from usaid.denoisers.training.own import called_as
from usaid.denoisers.training.recipe import OwnNetworkRecipe
from usaid.denoisers.weights import train_denoiser
from usaid.errors import UsaidError
from usaid.experiment.adapt import Adapt
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.model import OwnRecipe
from usaid.experiment.reading import checked_settings
from usaid.files import sha256_of_file
from usaid.segmentation.encoders import default_weights
from usaid.training.loop import Run

CPU = torch.device("cpu")
LOSSES = ("mse", "supervised", "unsupervised")
EXAMPLE = f"{Path(__file__).parents[3] / 'examples/small_unet.py'}:SmallUNet"
TRAIN = {"recipe": "paper", "batch": 4, "patch": 32, "steps": 4, "encoder": "efficientnet_lite0", "learning_rate": 0.01}


class Denoising(nn.Module):
    """Three convolutions, with dropout and BatchNorm: an image or the noise in it, by what it learns."""

    def __init__(self, features: int = 8, channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, features, 3, padding=1)
        self.norm = nn.BatchNorm2d(features)
        self.drop = nn.Dropout(0.1)
        self.last = nn.Conv2d(features, channels, 3, padding=1)

    def forward(self, noisy: Tensor) -> Tensor:
        return self.last(self.drop(torch.relu(self.norm(self.first(noisy)))))


class Plain(nn.Module):
    """DnCNN's layers under other names."""

    def __init__(self, features: int = 8) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, features, 3, padding=1, bias=False), nn.ReLU()]
        layers += [nn.Conv2d(features, features, 3, padding=1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]
        self.mine = nn.Sequential(*layers, nn.Conv2d(features, 3, 3, padding=1, bias=False))
        initialise_dncnn(self, 0)

    def forward(self, noisy: Tensor) -> Tensor:
        return self.mine(noisy)


def entry_of(loss: str = "mse", method: type | str = Denoising, **keys) -> DenoiserEntry:
    name = method if isinstance(method, str) else f"{__name__}:{method.__name__}"
    train = TRAIN | {"loss": loss} | keys.pop("train", {})
    return checked_settings(DenoiserEntry, {"method": name, "train": train, **keys}, "mine")


def run_of(folder: Path, entry: DenoiserEntry, name: str = "mine", **keys) -> Run:
    return Run(folder / f"{name}.safetensors", CPU, name, entry.method, **keys)


def trained(folder: Path, samples, entry: DenoiserEntry, **keys) -> dict[str, Tensor]:
    train_denoiser(entry, samples, run_of(folder, entry, **keys))
    return load_state(folder / "mine.safetensors")


# The entry


def test_recipe_and_loss_together_are_the_suites_and_all_else_is_the_classes_own():
    assert isinstance(entry_of().train, OwnNetworkRecipe)
    for keys in ({"recipe": "mine"}, {"loss": "mse", "width": 3}, {}):
        entry = checked_settings(DenoiserEntry, {"method": "nets.py:Net", "train": keys}, "mine")
        assert isinstance(entry.train, OwnRecipe)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"loss": "l1"}, r'^mine: train\.loss = "l1": must be one of mse, supervised, unsupervised$'),
        ({"depth": 5}, r"^mine: unknown key 'train\.depth' .*; allowed: batch, .*steps$"),
        ({"recipe": "papr"}, r"^mine: .*recipe 'papr': must be one of paper, released_code, or a YAML file"),
    ],
)
def test_bad_keys_are_one_line(keys, message):
    with pytest.raises(UsaidError, match=message) as error:
        entry_of(train=keys)
    assert "\n" not in str(error.value)


def test_only_two_losses_need_an_encoder_and_each_depends_on_its_own_keys():
    recipes = {loss: entry_of(loss).train for loss in LOSSES}
    assert [recipe.encoder_for("any") is not None for recipe in recipes.values()] == [False, True, True]
    keys = {loss: recipe.keys_of("any").keys() for loss, recipe in recipes.items()}
    assert not {"encoder", "head", "mse_weight"} & keys["mse"]
    assert keys["unsupervised"] - keys["supervised"] == {"segmentation_loss"}
    assert {recipe.keys_of("any")["loss"] for recipe in recipes.values()} == {*LOSSES}


# What is trained


@pytest.mark.parametrize("loss", LOSSES)
def test_the_example_learns_by_each_loss_and_is_scored_with_what_it_learnt(loss, samples, tmp_path):
    options = {"features": 8, "levels": 2}
    entry = entry_of(
        loss, EXAMPLE, options=options, train={"batch": 6, "steps": 40, "learning_rate": 0.02, "milestones": [60, 90]}
    )
    trained(tmp_path, samples, entry)
    denoiser = build_denoiser(EXAMPLE, tmp_path / "mine.safetensors", options=options)
    recipe = entry.train.model_copy(update={"sigma_range": (25, 25), "seed": 1})
    images = ((sample.id, sample.image) for sample in samples)
    batch = Batches(training.PatchSampler(images, 32, CPU), recipe)(1)
    remaining = denoiser(batch.clean + batch.noise) - batch.clean
    assert 10 * torch.log10(batch.noise.square().mean() / remaining.square().mean()) > 1
    odd = denoiser(torch.rand(1, 3, 37, 51))
    assert odd.shape == (1, 3, 37, 51)


def test_the_record_says_network_recipe_images_and_encoder(samples, tmp_path):
    entry = entry_of(
        "unsupervised", options={"features": 4}, adapt={"predicts": "noise", "tile": 64, "tile_overlap": 8}
    )
    trained(tmp_path, samples, entry, code_hash="abc")
    record = json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))["training"]
    assert record == stored_record(tmp_path / "mine.safetensors")
    assert (record["method"], record["loss"], record["options"]) == (entry.method, "unsupervised", {"features": 4})
    assert record["adapt"] == {"predicts": "noise"}, "tiles change nothing in a training"
    assert (record["recipe"], record["steps"], record["n_images"], record["code_hash"]) == ("paper", 4, 6, "abc")
    assert record["encoder_sha256"] == sha256_of_file(default_weights("efficientnet_lite0", "data"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "mine.json", "mine.safetensors"]


@pytest.mark.parametrize(("loss", "method"), [*zip(LOSSES, ("cdncnn_b", "s_said", "u_said"), strict=True)])
def test_a_dncnn_of_ones_own_learns_what_the_papers_does(loss, method, tiny, samples, tmp_path):
    """The three losses are those of CDnCNN-B, S-SAID and U-SAID, to the bit."""
    entry = entry_of(loss, Plain, adapt={"predicts": "noise"})
    mine = trained(tmp_path, samples, entry)
    recipe = tiny(**{key: value for key, value in TRAIN.items() if key != "recipe"})
    train_dncnn(samples, recipe, Run(tmp_path / "paper.safetensors", CPU, method, method))
    papers = load_state(tmp_path / "paper.safetensors")
    assert [key.removeprefix("mine.") for key in mine] == [key.removeprefix("dncnn.") for key in papers]
    assert all(torch.equal(mine[f"mine.{key.removeprefix('dncnn.')}"], value) for key, value in papers.items())


def test_first_weights_are_the_networks_own_by_seed(samples, tmp_path):
    torch.manual_seed(5)
    expected = Denoising().state_dict()
    entry = entry_of(train={"steps": 1, "learning_rate": 1e-30, "seed": 5})
    state = trained(tmp_path, samples, entry)
    assert torch.allclose(state["first.weight"], expected["first.weight"], atol=1e-7)
    assert not torch.equal(state["norm.running_mean"], expected["norm.running_mean"]), "BatchNorm saw the batch"


@pytest.mark.parametrize("loss", LOSSES)
def test_interrupted_training_writes_the_same_file(loss, samples, tmp_path):
    """Dropout draws on where it was."""
    entry = entry_of(loss)
    train_denoiser(entry, samples, run_of(tmp_path, entry, "whole", checkpoint_every=2))

    def stop(row):
        if row["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_denoiser(entry, samples, run_of(tmp_path, entry, checkpoint_every=1, watch=stop))
    torch.rand(7)
    train_denoiser(entry, samples, run_of(tmp_path, entry, checkpoint_every=2))
    assert (tmp_path / "mine.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_another_network_does_not_go_on_from_a_checkpoint(samples, tmp_path):
    def stop(row):
        if row["step"] == 2:
            raise KeyboardInterrupt

    entry = entry_of(adapt={"predicts": "noise"})
    with pytest.raises(KeyboardInterrupt):
        train_denoiser(entry, samples, run_of(tmp_path, entry, checkpoint_every=1, watch=stop))
    with pytest.raises(UsaidError, match=r"checkpoint of another training: adapt \(.*noise.* there, None here\)"):
        train_denoiser(entry_of(), samples, run_of(tmp_path, entry))


# How it is called


def test_what_the_network_expects_and_returns():
    noisy = torch.rand(2, 3, 8, 8)
    seen = []

    def network(batch):
        seen.append(batch)
        return batch * 0.25

    assert torch.equal(called_as(None)(network, noisy), noisy * 0.25)
    assert torch.equal(called_as(Adapt(predicts="noise"))(network, noisy), noisy - noisy * 0.25)
    wide = called_as(Adapt(value_range=255, predicts="noise"))(network, noisy)
    assert torch.allclose(wide, noisy * 0.75)
    assert torch.equal(seen[-1], noisy * 255)
    assert torch.equal(called_as(Adapt(channels="grey"))(network, noisy), noisy * 0.25)
    assert seen[-1].shape == (6, 1, 8, 8)
    assert torch.equal(seen[-1][:3, 0], noisy[0])


def test_a_grey_network_is_trained_and_scored_channel_by_channel(samples, tmp_path):
    adapt = {"channels": "grey", "predicts": "noise"}
    entry = entry_of(options={"channels": 1}, adapt=adapt, train={"steps": 1})
    state = trained(tmp_path, samples, entry)
    assert state["first.weight"].shape == (8, 1, 3, 3)
    denoiser = build_denoiser(entry.method, tmp_path / "mine.safetensors", options=entry.options, adapt=adapt)
    assert denoiser(torch.rand(1, 3, 9, 9)).shape == (1, 3, 9, 9)


# Bad input


class Told(Denoising):
    def forward(self, noisy, sigma):
        return noisy


class Hears(Denoising):
    def forward(self, noisy, told_sigma=None):
        return super().forward(noisy)


class Shrinks(Denoising):
    def forward(self, noisy):
        return super().forward(noisy)[..., 1:]


class ShrinksInTraining(Denoising):
    def forward(self, noisy):
        denoised = super().forward(noisy)
        return denoised[..., 1:] if self.training else denoised


class Detached(Denoising):
    def forward(self, noisy):
        return super().forward(noisy).detach()


class WithMore(Denoising):
    def get_extra_state(self):
        return {"version": 1}


class Tied(nn.Module):
    """One layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.last = self.first

    def forward(self, noisy):
        return noisy - self.last(torch.relu(self.first(noisy)))


class Nothing(nn.Module):
    def forward(self, noisy):
        return noisy


def function(noisy):
    return noisy


@pytest.mark.parametrize(
    ("method", "keys", "message"),
    [
        (
            f"{__name__}:function",
            {},
            r"function': is no torch\.nn\.Module class, so no recipe trains it; name the class",
        ),
        (
            Denoising,
            {"options": {"width": 3}},
            r"Denoising': cannot be made \(TypeError: .*'width'.*\); see its 'options'",
        ),
        (Told, {}, r"mine: the network fails on a patch \(TypeError: .*sigma.*\); it is called with nothing but the"),
        (Hears, {}, r"mine: the network has a parameter told_sigma; only blind .* say adapt: \{told_as: nothing\}"),
        (Shrinks, {}, r"mine: the network makes \(2, 3, 32, 31\) of patches of \(2, 3, 32, 32\); it has to keep"),
        (ShrinksInTraining, {}, r"mine: the network makes \(2, 3, 32, 31\) of patches of"),
        (Detached, {}, r"mine: no gradient reaches the network's parameters; compute without no_grad and detach"),
        (WithMore, {}, r"mine: the network's state holds more than tensors \('_extra_state'\)"),
        (Nothing, {}, r"mine: the network has no parameters to learn"),
        (Denoising, {"adapt": {"told_as": "map"}}, r"mine: adapt says told_as = map; only blind networks are trained"),
        (Denoising, {"adapt": {"divisible_by": 24}}, r"mine: adapt says divisible_by = 24; set 'patch' = 48, not 32"),
    ],
)
def test_what_cannot_be_trained_is_one_line(method, keys, message, samples, tmp_path):
    with pytest.raises(UsaidError, match=message) as error:
        trained(tmp_path, samples, entry_of(method=method, **keys))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_layers_may_share_their_weights(samples, tmp_path):
    entry = entry_of(method=Tied)
    state = trained(tmp_path, samples, entry)
    assert torch.equal(state["first.weight"], state["last.weight"])
    build_denoiser(entry.method, tmp_path / "mine.safetensors")


def test_the_supervised_loss_needs_labels_and_says_what_to_do_without(samples, tmp_path):
    unlabelled = [replace(sample, target=None) for sample in samples]
    with pytest.raises(
        UsaidError, match=r"no label map, .* 'loss' = supervised; name labelled 'images' .*unsupervised"
    ):
        trained(tmp_path, unlabelled, entry_of("supervised"))
