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


def settings(**recipe: Any) -> SegmentationSettings:
    """Of a benchmark whose segmenter is trained."""
    keys = {"network": "fpn", "encoder": "efficientnet_lite0", "train": TINY.model_dump() | recipe}
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
    with pytest.raises(UsaidError, match=r"^settings: segmenter\.train\.crop = 40: must be a multiple of 32$"):
        checked_settings(SegmentationSettings, {"sigmas": [25], "segmenter": {"train": {"crop": 40}}}, "settings")
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
