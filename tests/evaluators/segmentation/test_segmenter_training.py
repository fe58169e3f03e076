"""Training of the segmentation networks: crops and their labels, the loss, runs that stop, and the demo's recipes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from evaluators.segmentation.networks import build_segmenter, load_segmenter
from evaluators.segmentation.settings import SegmentationSettings, SegmenterRecipe
from evaluators.segmentation.training import (
    Crops,
    LabelledCrops,
    SegmenterLoss,
    focal,
    polynomially_decayed,
    train_segmenter,
)
from usaid.cards import DataSet
from usaid.datasets.base import Sample
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_settings
from usaid.tensors import Normalisation
from usaid.training import loop
from usaid.training.loop import Run

CPU = torch.device("cpu")
GREY = (0.5, 0.5, 0.5)
TINY = SegmenterRecipe(crop=32, batch=2, steps=4, learning_rate=0.01)


def labelled(count: int = 6, height: int = 48, width: int = 40, classes: int = 5) -> list[Sample]:
    """Images of random classes in blocks of 4x4 pixels; the value of a pixel is 40 times its class."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, classes, (count, height // 4, width // 4), dtype=np.uint8)
    maps = blocks.repeat(4, axis=1).repeat(4, axis=2)
    return [Sample(f"image{number}", np.stack([40 * labels] * 3, -1), labels) for number, labels in enumerate(maps)]


def crops(samples: list[Sample] | None = None, **keys: Any) -> Crops:
    recipe = SegmenterRecipe(**({"crop": 32, "batch": 4, "scale_range": (1.0, 1.0)} | keys))
    return Crops(samples or labelled(), 5, recipe, GREY, CPU)


# Batches


def test_batches_are_a_function_of_the_step():
    one, other = crops(scale_range=(0.5, 2.0)), crops(scale_range=(0.5, 2.0))
    later = one(7)
    one(3)
    for part, again in zip(later, other(7), strict=True):
        assert torch.equal(part, again)
    assert not torch.equal(later.images, one(8).images)
    assert not torch.equal(later.images, crops(scale_range=(0.5, 2.0), seed=1)(7).images)


def test_torchs_global_generator_is_left_alone():
    state = torch.get_rng_state()
    crops(scale_range=(0.5, 2.0))(1)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_epoch_takes_every_image_once_in_a_new_order():
    found = crops(batch=4)  # 6 images: the second batch takes two of one epoch and two of the next
    numbers = [number for step in (1, 2, 3) for number in found._numbers(step)]
    assert sorted(numbers[:6]) == sorted(numbers[6:]) == [0, 1, 2, 3, 4, 5]
    assert numbers[:6] != numbers[6:]
    assert crops(batch=16).images_of(1) == [f"image{number}" for number in dict.fromkeys(crops(batch=16)._numbers(1))]


@pytest.mark.parametrize("flip", [True, False])
def test_images_and_labels_are_cropped_and_mirrored_alike(flip):
    samples = labelled()
    found = crops(samples, batch=64, flip=flip)
    batch = found(1)
    assert (batch.images.shape, batch.labels.dtype) == ((64, 3, 32, 32), torch.int64)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(batch.images[:, 1] * 255, 40.0 * batch.labels)
    mirrored = 0
    for number, crop in zip(found._numbers(1), batch.labels.numpy(), strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(samples[number].target, (32, 32)).reshape(-1, 32, 32)
        plain, reversed_ = ((windows == side).all(axis=(1, 2)).any() for side in (crop, crop[:, ::-1]))
        assert plain or reversed_
        mirrored += not plain
    assert (16 < mirrored < 48) if flip else mirrored == 0


def test_crops_lie_everywhere():
    samples = [Sample("ramp", np.zeros((34, 35, 3), np.uint8), np.zeros((34, 35), np.uint8))]
    samples[0].target[0], samples[0].target[:, 0] = 1, 2  # a crop holds row 0 in one of 3 cases, column 0 in one of 4
    batch = crops(samples, batch=240, flip=False)(1)
    tops = (batch.labels[:, 0, 1] == 1).float().mean().item()
    lefts = (batch.labels[:, 1, 0] == 2).float().mean().item()
    assert tops == pytest.approx(1 / 3, abs=0.1)
    assert lefts == pytest.approx(1 / 4, abs=0.1)


def test_small_images_are_filled_up_with_the_mean_colour_and_have_no_labels_there():
    batch = crops(labelled(height=20, width=24), flip=False)(1)
    outside = torch.ones(32, 32, dtype=torch.bool)
    outside[:20, :24] = False
    assert (batch.labels[:, outside] == 255).all()
    assert (batch.images[:, :, outside] == 0.5).all()
    assert (batch.labels[:, ~outside] < 5).all()


@pytest.mark.parametrize(("scale", "side"), [(0.5, 8), (2.0, 32)])
def test_images_are_scaled_and_labels_stay_classes(scale, side):
    """Images of 16x16 in crops of 32: half as large, or twice."""
    samples = labelled(height=16, width=16)
    batch = crops(samples, scale_range=(scale, scale), flip=False)(1)
    inside = batch.labels[:, :side, :side]
    assert (inside < 5).all()
    assert (batch.labels != 255).sum() == inside.numel()
    for number, labels in zip(crops(samples)._numbers(1), inside.numpy(), strict=True):
        target = samples[number].target
        expected = target[1::2, 1::2] if scale < 1 else target.repeat(2, axis=0).repeat(2, axis=1)
        assert np.array_equal(labels, expected)


def test_scales_spread_over_their_range():
    samples = [Sample("one", np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8))]
    batch = crops(samples, crop=96, batch=100, scale_range=(0.5, 2.0))(1)
    sides = (batch.labels[:, 0] != 255).sum(dim=1)
    assert 18 <= sides.min() <= 24
    assert 70 <= sides.max() <= 82
    assert sides.float().mean().item() == pytest.approx(50, abs=5)


def test_the_hash_is_of_pixels_labels_and_ids():
    samples = labelled(2)
    hashes = {crops(samples).sha256, crops(samples[::-1]).sha256}
    for changed in ("image", "target"):
        arrays = {"image": samples[0].image.copy(), "target": samples[0].target.copy()}
        arrays[changed].flat[0] ^= 1
        hashes.add(crops([Sample("image0", **arrays), samples[1]]).sha256)
    hashes.add(crops([Sample("other", samples[0].image, samples[0].target), samples[1]]).sha256)
    assert len(hashes) == 5


def test_labels_that_do_not_fit_name_their_image():
    image = np.zeros((40, 40, 3), np.uint8)
    cases = [
        (None, "image 'a' has no label map, which a segmenter learns from; name a labelled split"),
        (7, "image 'a' has no label map, which a segmenter learns from; name a labelled split"),
        (np.zeros((40, 39), np.uint8), "image 'a' has no label map, which a segmenter learns from; name a labelled"),
        (np.full((40, 40), 5, np.uint8), "image 'a' has label 5, its data set 5 classes; correct its map"),
    ]
    for target, complaint in cases:
        with pytest.raises(UsaidError) as error:
            crops([Sample("a", image, target)])
        assert str(error.value).startswith(complaint)
    with pytest.raises(UsaidError, match="no images to train on"):
        Crops([], 5, TINY, GREY, CPU)
    assert crops([Sample("a", image, np.full((40, 40), 255, np.uint8))])(1).labels.min() == 255


# As the released code does it


def released(samples: list[Sample], **keys: Any) -> Crops:
    return Crops(samples, 5, SegmenterRecipe(recipe="released_code", **keys), GREY, CPU)


def test_the_released_recipe_is_what_the_protocol_says():
    recipe = SegmenterRecipe(recipe="released_code")
    assert (recipe.sample, recipe.crop, recipe.batch, recipe.accumulate, recipe.steps) == ("whole", 300, 1, 2, 10_000)
    assert (recipe.optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay) == ("sgd", 1e-3, 0.9, 2e-5)
    assert (recipe.power, recipe.loss, recipe.focal_gamma, recipe.void) == (0.9, "focal", 2, "background")
    assert recipe.train_mean == recipe.test_mean[::-1], "the order of the channels, and the other"
    assert recipe.test_mean == pytest.approx((0.4811, 0.4575, 0.4079), abs=1e-4)
    assert (recipe.std, recipe.batchnorm, recipe.flip) == ((1, 1, 1), "batch", True)


def test_what_is_changed_in_a_published_recipe_is_a_deviation():
    assert SegmenterRecipe(recipe="released_code", seed=3).deviations() == []
    changed = SegmenterRecipe(recipe="released_code", steps=900, precision="bfloat16")
    text = "trained by released_code, but for steps 900 in place of 10000, precision bfloat16 in place of float32"
    assert changed.deviations() == [text]
    assert TINY.deviations() == [], "the default recipe is nobody's"


def test_unknown_recipes_and_statistics_of_one_pixel_are_refused():
    for keys, message in (
        ({"recipe": "mine"}, r'segmenter\.train\.recipe = "mine": must be one of paper, released_code'),
        ({"batch": 1, "crop": 32}, r"segmenter\.train: batch = 1 with crop = 32: one pixel has no statistics; raise"),
    ):
        segmenter = {"network": "fpn_plain", "train": keys}
        with pytest.raises(UsaidError, match=f"^settings: {message}"):
            checked_settings(SegmentationSettings, {"sigmas": [25], "segmenter": segmenter}, "settings")
    assert SegmenterRecipe(batch=1, crop=32, batchnorm="frozen").crop == 32


def test_batchnorm_learns_of_a_single_square_as_small_as_the_recipe_allows():
    torch.manual_seed(0)
    network = build_segmenter("fpn_plain", "efficientnet_lite0", 5, None, "data").train()
    recipe = SegmenterRecipe(recipe="released_code", crop=33)
    crops = Crops(labelled(), 5, recipe, GREY, CPU)
    SegmenterLoss(recipe, Normalisation(GREY, GREY, CPU), torch.channels_last)(network, crops(1))[0].backward()
    assert all(value.grad.isfinite().all() for value in network.parameters())


def test_whole_images_are_squeezed_without_antialiasing_and_void_is_background():
    """Half as high, a third as wide: the mean of two rows of the middle column, the label of the first of the six."""
    sample = labelled(1, 80, 120)[0]
    sample.target[:4, :4] = 255
    batch = released([sample], crop=40, flip=False, batch=3)(1)
    assert batch.images.shape == (6, 3, 40, 40), "as many as two batches have"
    assert np.array_equal(batch.labels[0].numpy(), np.where(sample.target == 255, 0, sample.target)[::2, ::3])
    rows = sample.image[:, 1::3, 0].astype(float)
    np.testing.assert_allclose(batch.images[0, 0].numpy() * 255, (rows[::2] + rows[1::2]) / 2, atol=1e-3)
    assert (released([sample], crop=40, void="left_out")(1).labels == 255).any()


def test_whole_images_are_mirrored_with_their_labels():
    sample = labelled(1, 64, 64)[0]
    batch = released([sample], crop=64, batch=30)(1)
    plain = (batch.labels == torch.from_numpy(sample.target.astype(np.int64))).all(dim=(1, 2))
    assert 15 < plain.sum() < 45
    torch.testing.assert_close(batch.images[:, 1] * 255, 40.0 * batch.labels)
    assert torch.equal(batch.labels[~plain][0], batch.labels[plain][0].flip(1))


def test_a_step_takes_the_mean_of_its_batches_which_batchnorm_sees_one_by_one():
    """Two squares apart have other statistics than together; the gradient is the mean of theirs."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5)).train()
    recipe = SegmenterRecipe(recipe="released_code", crop=64)
    loss = SegmenterLoss(recipe, Normalisation(GREY, GREY, CPU), torch.channels_last)
    batch = LabelledCrops(torch.rand(2, 3, 16, 16), torch.randint(5, (2, 16, 16)))
    total, _ = loss(network, batch)
    total.backward()
    found, running = network[0].weight.grad.clone(), network[1].running_mean.clone()
    network.zero_grad()
    network[1].reset_running_stats()
    for image, labels in zip(batch.images, batch.labels, strict=True):
        logits = network((image[None] - 0.5) / 0.5)
        p = logits.softmax(dim=1).gather(1, labels[None, None])
        (-((1 - p) ** 2) * p.log()).mean().div(2).backward()
    torch.testing.assert_close(found, network[0].weight.grad)
    torch.testing.assert_close(running, network[1].running_mean)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_the_focal_loss_by_hand(gamma):
    logits = torch.tensor([np.log(3.0), 0.0]).view(1, 2, 1, 1).repeat(1, 1, 1, 4)
    labels = torch.tensor([[[0, 0, 1, 255]]])
    expected = -(2 * 0.25**gamma * np.log(0.75) + 0.75**gamma * np.log(0.25)) / 3
    assert focal(logits, labels, gamma).item() == pytest.approx(expected)
    assert focal(logits, torch.full((1, 1, 4), 255), gamma).item() == 0


def test_labels_are_brought_to_logits_that_are_smaller():
    labels = torch.arange(64).view(1, 8, 8) % 2 + 0
    labels[0, ::4, ::4] = 1
    batch = LabelledCrops(torch.rand(1, 3, 8, 8), labels)
    network = nn.Sequential(nn.AvgPool2d(4), Always([np.log(3.0), 0.0]))
    loss = SegmenterLoss(TINY, Normalisation(GREY, GREY, CPU), torch.channels_last)
    assert loss(network, batch)[0].item() == pytest.approx(-np.log(1 / 4)), "the upper left of each 4x4 pixels"


def test_a_released_training_tells_its_means_and_its_deviations(tmp_path):
    weights = trained(tmp_path, network="fpn_plain", recipe="released_code", crop=64, steps=1)
    with safe_open(weights, framework="pt") as file:
        training = json.loads(file.metadata()["training"])
    assert training["mean"] == training["test_mean"] == training["train_mean"][::-1]
    assert training["std"] == [1, 1, 1]
    text = "trained by released_code, but for crop 64 in place of 300, steps 1 in place of 10000"
    assert training["deviations"] == [text]
    assert load_segmenter(weights)(torch.rand(1, 3, 41, 50)).shape == (1, 41, 50)


# Loss and learning rate


def test_learning_rates_fall_to_almost_nothing():
    rate = polynomially_decayed(0.1, 0.9, 100)
    assert rate(1) == 0.1
    assert rate(51) == pytest.approx(0.1 * 0.5**0.9)
    assert rate(100) == pytest.approx(0.1 * 0.01**0.9)
    assert polynomially_decayed(0.1, 1, 4)(2) == pytest.approx(0.075)


class Always(nn.Module):
    """Gives every pixel the same logits."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, images: Tensor) -> Tensor:
        batch, _, height, width = images.shape
        return self.logits.view(1, -1, 1, 1).expand(batch, -1, height, width)


def test_pixels_without_labels_are_not_learnt_from():
    labels = torch.full((2, 8, 8), 255)
    labels[0, 0, 0], labels[0, 0, 4], labels[1, 4, 4], labels[1, 1, 1] = 0, 1, 0, 1
    batch = LabelledCrops(torch.rand(2, 3, 8, 8), labels)
    loss = SegmenterLoss(TINY, Normalisation(GREY, GREY, CPU), torch.channels_last)
    total, parts = loss(Always([np.log(3.0), 0.0]), batch)
    assert total.item() == pytest.approx(-(2 * np.log(3 / 4) + 2 * np.log(1 / 4)) / 4)
    assert parts["accuracy"].item() == pytest.approx(2 / 3)  # of the three labelled pixels that are looked at


@pytest.mark.parametrize("batchnorm", ["batch", "frozen"])
def test_frozen_statistics_stay_imagenets_and_their_layers_learn(batchnorm):
    torch.manual_seed(0)
    network = build_segmenter("pspnet", "efficientnet_lite0", 5, None, "data").train()
    before = {key: value.clone() for key, value in network.state_dict().items() if "running" in key}
    loss = SegmenterLoss(SegmenterRecipe(batchnorm=batchnorm), Normalisation(GREY, GREY, CPU), torch.channels_last)
    loss(network, crops()(1))[0].backward()
    after = network.state_dict()
    changed = Counter(key.split(".")[0] for key, value in before.items() if not torch.equal(after[key], value))
    assert (changed["encoder"] == 0) == (batchnorm == "frozen")
    assert changed["decoder"] > 0
    assert all(value.grad is not None for value in network.parameters())


# Whole runs


class Pictures(list[Sample]):
    """Samples with the card of a data set of one's own, as its reader has it."""

    card = DataSet("blocks", "Blocks", "somewhere:Blocks", {"train": 6}, classes=("a", "b", "c", "d", "e"))


def settings(network: str = "fpn", **recipe: Any) -> SegmentationSettings:
    """Of a benchmark whose segmenter is trained."""
    train = recipe if "recipe" in recipe else TINY.model_dump() | recipe
    keys = {"network": network, "encoder": "efficientnet_lite0", "train": train}
    return SegmentationSettings.model_validate({"sigmas": [25], "segmenter": keys})


def trained(
    folder: Path, name: str = "net", samples: list[Sample] | None = None, every: int | None = None, **recipe: Any
) -> Path:
    """Weights of a training with a recipe like ``TINY``."""
    weights = folder / f"{name}.safetensors"
    run = Run(weights, CPU, "demo", "blocks_masks", checkpoint_every=every)
    train_segmenter(Pictures(samples or labelled()), settings(**recipe), run)
    return weights


def test_a_trained_segmenter_knows_its_network_and_its_recipe(tmp_path):
    generator = torch.get_rng_state()
    weights = trained(tmp_path)
    assert torch.equal(torch.get_rng_state(), generator)
    with safe_open(weights, framework="pt") as file:
        training = json.loads(file.metadata()["training"])
    expected = {"architecture": "fpn", "encoder": "efficientnet_lite0", "classes": 5, "crop": 32, "steps": 4}
    assert training | expected | {"n_images": 6, "images_sha256": crops().sha256} == training
    record = json.loads((tmp_path / "net.json").read_text())
    assert record["training"]["encoder_sha256"] == training["encoder_sha256"]
    assert "git" in record
    assert load_segmenter(weights)(torch.rand(1, 3, 40, 50)).shape == (1, 40, 50)
    assert (tmp_path / "net.csv").read_text().startswith("step,learning_rate,loss,accuracy\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.csv", "net.json", "net.safetensors"]


def test_the_whole_network_learns_and_starts_from_imagenet(tmp_path):
    """After one step of a tiny rate, the encoder is almost what it was, and every layer has moved."""
    weights = trained(tmp_path, steps=1, optimizer="adamw", learning_rate=1e-6)
    learnt = load_segmenter(weights).network.state_dict()
    imagenet = build_segmenter("fpn", "efficientnet_lite0", 5, None, "data").state_dict()
    for key, value in imagenet.items():
        if key.startswith("encoder") and key.endswith("weight"):
            assert torch.allclose(learnt[key], value, atol=1e-5), key
    moved = [key for key, value in imagenet.items() if key.endswith("weight") and not torch.equal(learnt[key], value)]
    assert len(moved) > 0.9 * sum(key.endswith("weight") for key in imagenet)


def test_an_interrupted_training_writes_the_same_file_whatever_the_global_generator(tmp_path, monkeypatch):
    whole = trained(tmp_path, "whole", every=2)

    def crops_until_step_4(self: Crops, step: int) -> Any:
        if step == 4:
            raise KeyboardInterrupt
        return call(self, step)

    call = Crops.__call__
    torch.manual_seed(99)
    with monkeypatch.context() as patch:
        patch.setattr(Crops, "__call__", crops_until_step_4)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, "interrupted", every=2)
    torch.manual_seed(7)
    assert trained(tmp_path, "interrupted", every=2).read_bytes() == whole.read_bytes()


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path)
    with pytest.raises(UsaidError, match=r"net\.checkpoint\.pt: checkpoint of another training: seed \(0 there, 1 her"):
        trained(tmp_path, seed=1)


def test_runs_that_go_wrong_say_where(tmp_path):
    with pytest.raises(UsaidError, match=r"^demo: the loss is nan at step \d \(images image\d, image\d\); lower"):
        trained(tmp_path, steps=6, learning_rate=1e30)
    segmenter = {"network": "fpn", "train": {"crop": 40}}
    with pytest.raises(
        UsaidError, match=r"^settings: segmenter: train\.crop = 40: fpn needs a multiple of 32, fpn_plai"
    ):
        checked_settings(SegmentationSettings, {"sigmas": [25], "segmenter": segmenter}, "settings")
    plain = [Sample("photo", np.zeros((40, 40, 3), np.uint8), 3)]
    with pytest.raises(UsaidError, match="image 'photo' has no label map, which a segmenter learns from"):
        trained(tmp_path, samples=plain)
    assert not (tmp_path / "net.safetensors").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_few_steps_learn(tmp_path, optimizer):
    """Bright and dark halves."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 200
    samples = [Sample("halves", image, (image[..., 0] > 0).astype(np.uint8))]
    rate = 0.05 if optimizer == "sgd" else 0.001
    trained(tmp_path, samples=samples, crop=64, steps=12, optimizer=optimizer, learning_rate=rate)
    rows = [row.split(",") for row in (tmp_path / "net.csv").read_text().splitlines()[1:]]
    assert float(rows[-1][2]) < 0.5 * float(rows[0][2])
