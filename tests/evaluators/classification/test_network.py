"""Tests of the CIFAR ResNets that judge: their shapes, their checkpoints, and how they are trained."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from evaluators import cifar_training
from evaluators.classification.network import Classifier, cifar_resnet, folded, load_classifier
from evaluators.classification.training import ClassifierRecipe, augmented_batch, channel_statistics, train_cifar_classifier
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.training.patches import PatchSampler

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)


def trained_looking(depth: int = 8, classes: int = 10, seed: int = 0) -> nn.Module:
    """A network whose BatchNorms do something."""
    torch.manual_seed(seed)
    network = cifar_resnet(depth, classes)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values, std=0.2)
    return network.eval()


@pytest.mark.parametrize(("depth", "millions"), [(20, "0.27"), (32, "0.46"), (44, "0.66"), (56, "0.85"), (110, "1.7")])
def test_parameter_counts_are_those_of_he_et_al(depth, millions):
    """He et al. 2016, table 6 (CIFAR-10), whose shortcuts have no parameters."""
    network = cifar_resnet(depth, classes=10)
    shortcuts = [layer.downsample for layer in network.modules() if getattr(layer, "downsample", None) is not None]
    in_shortcuts = sum(value.numel() for shortcut in shortcuts for value in shortcut.parameters())
    count = sum(value.numel() for value in network.parameters()) - in_shortcuts
    assert in_shortcuts == 2752
    assert f"{count / 1e6:.{len(millions) - 2}f}" == millions
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) - 2 + 1 == depth


def test_keys_are_those_of_public_checkpoints():
    keys = cifar_resnet(56).state_dict().keys()
    blocks = {key.rsplit(".", 2)[0] for key in keys if key.startswith("layer")}
    assert {f"layer{stage}.{block}" for stage in (1, 2, 3) for block in range(9)} <= blocks
    assert {key.split(".downsample")[0] for key in keys if "downsample" in key} == {"layer2.0", "layer3.0"}
    expected = {"conv1.weight", "bn1.running_var", "layer1.8.conv2.weight", "layer2.0.downsample.1.bias", "fc.bias"}
    assert expected <= keys
    assert len(keys) == 344


@pytest.mark.parametrize("depth", [2, 7, 18, 57])
def test_depth_outside_the_family_is_refused(depth):
    with pytest.raises(UsaidError, match=f"depth = {depth}: a CIFAR ResNet has 6 n"):
        cifar_resnet(depth)


def test_stages_halve_the_resolution():
    network = trained_looking()
    sizes = []
    for stage in (network.layer1, network.layer2, network.layer3):
        stage.register_forward_hook(lambda _, __, output: sizes.append(tuple(output.shape)))
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert sizes == [(2, 16, 32, 32), (2, 32, 16, 16), (2, 64, 8, 8)]


def test_folding_keeps_the_logits():
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected = trained_looking(20)(images)
        network = folded(trained_looking(20))
        found = network(images)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_classifier_clamps_and_then_normalises():
    images = torch.randn(4, 3, 32, 32)
    clamped = images.clamp(0, 1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    with torch.no_grad():
        expected = trained_looking()((clamped - mean) / std)
    classifier = Classifier(trained_looking(), MEAN, STD, CPU)
    torch.testing.assert_close(classifier(images), expected, rtol=1e-4, atol=1e-4)
    assert classifier.classes == 10


@pytest.mark.parametrize("form", ["pth", "safetensors", "parallel"])
def test_checkpoints_load_in_each_form(tmp_path, form):
    state = trained_looking().state_dict()
    path = tmp_path / f"net.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        save_file(state, path)
    else:
        torch.save({f"module.{key}" if form == "parallel" else key: value for key, value in state.items()}, path)
    images = torch.rand(2, 3, 32, 32)
    classifier = load_classifier(8, path, sha256_of_file(path), MEAN, STD)
    assert torch.equal(classifier(images), Classifier(trained_looking(), MEAN, STD, CPU)(images))


def test_wrong_checkpoints_name_the_file_and_the_first_wrong_key(tmp_path):
    path = tmp_path / "net.pth"
    state = trained_looking().state_dict()

    def refusal(depth: int = 8, changed: dict | None = None, **options) -> str:
        merged = state | (changed or {})
        torch.save({key: value for key, value in merged.items() if value is not None}, path)
        with pytest.raises(UsaidError) as error:
            load_classifier(depth, path, **({"mean": MEAN, "std": STD} | options))
        assert "\n" not in str(error.value)
        assert str(error.value).startswith(f"{path}: ")
        return str(error.value)

    assert "not a checkpoint of ResNet-8: key 'bn1.weight' is missing" in refusal(changed={"bn1.weight": None})
    assert "ResNet-20: key 'layer1.1.conv1.weight' is missing" in refusal(depth=20)
    extra = {"layer1.1.conv1.weight": torch.zeros(1)}
    assert "key 'layer1.1.conv1.weight' does not belong to it" in refusal(changed=extra)
    narrow = {"conv1.weight": torch.zeros(8, 3, 3, 3)}
    assert "'conv1.weight' has shape (8, 3, 3, 3), not (16, 3, 3, 3)" in refusal(changed=narrow)
    assert "key 'fc.bias' is missing" in refusal(changed={"fc.bias": None})
    assert "SHA-256" in refusal(sha256="0" * 64)
    assert "give 'mean' and 'std'" in refusal(mean=None, std=None)


def test_safetensors_without_our_metadata_need_mean_and_std(tmp_path):
    save_file(trained_looking().state_dict(), tmp_path / "net.safetensors")
    with pytest.raises(UsaidError, match=r"net\.safetensors: does not say how images are normalised; give 'mean'"):
        load_classifier(8, tmp_path / "net.safetensors")


# Training


def coloured_images(count: int = 45) -> tuple[np.ndarray, np.ndarray]:
    """Noisy red, green and blue pictures: classes 0, 1 and 2."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = generator.integers(0, 120, (count, 32, 32, 3))
    images[np.arange(count), :, :, labels] += 80
    return images.astype(np.uint8), labels


def test_statistics_are_those_of_all_pixels():
    images, _ = coloured_images()
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((images / 255).mean(axis=(0, 1, 2)))
    assert std == pytest.approx((images / 255).std(axis=(0, 1, 2)))


def numbered_images(count: int) -> tuple[PatchSampler, torch.Tensor]:
    """Padded images whose pixels are all ``label + 1``."""
    labels = torch.arange(count)
    inner = np.broadcast_to((np.arange(count, dtype=np.uint8) + 1)[:, None, None, None], (count, 32, 32, 3))
    padded = np.pad(inner, ((0, 0), (4, 4), (4, 4), (0, 0)))
    return PatchSampler(((str(index), image) for index, image in enumerate(padded)), 32, CPU), labels


def test_every_epoch_shows_every_image_once_in_a_new_order():
    padded, labels = numbered_images(50)
    recipe = ClassifierRecipe(batch=16)
    epochs = [[augmented_batch(padded, labels, recipe, 4 * epoch + step) for step in (1, 2, 3, 4)] for epoch in (0, 1)]
    assert [len(batch.labels) for batch in epochs[0]] == [16, 16, 16, 2]
    orders = [torch.cat([batch.labels for batch in epoch]) for epoch in epochs]
    for order in orders:
        assert torch.equal(order.sort().values, labels)
    assert not torch.equal(orders[0], orders[1])
    for batch in epochs[1]:
        assert torch.equal((batch.images.amax(dim=(1, 2, 3)) * 255).round().long(), batch.labels + 1)


def test_crops_shift_by_up_to_four_pixels():
    padded, labels = numbered_images(200)
    images = augmented_batch(padded, labels, ClassifierRecipe(batch=200), step=1).images[:, 0]
    rows = Counter((image.amax(dim=1) > 0).sum().item() for image in images)
    columns = Counter((image.amax(dim=0) > 0).sum().item() for image in images)
    for visible in (rows, columns):  # nine shifts of -4 to 4: 32 pixels stay visible for one of them, 28 for two
        assert set(visible) == {28, 29, 30, 31, 32}
        assert visible[32] < visible[28]


def test_trained_classifier_knows_its_normalisation_and_its_classes(tmp_path):
    images, labels = coloured_images()
    weights = tmp_path / "cifar.safetensors"
    recipe = ClassifierRecipe(batch=15, epochs=6, learning_rate=0.05)
    train_cifar_classifier(images, labels, 8, recipe, weights, classes=3, log=tmp_path / "curve.csv")
    with safe_open(weights, framework="pt") as file:
        facts = json.loads(file.metadata()["training"])
    assert (facts["mean"], facts["std"]) == channel_statistics(images)
    assert (facts["depth"], facts["epochs"], facts["weight_decay"]) == (8, 6, 1e-4)
    classifier = load_classifier(8, weights)
    logits = classifier(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
    assert torch.equal(logits.argmax(dim=1), torch.from_numpy(labels))
    assert (tmp_path / "curve.csv").read_text().startswith("step,learning_rate,loss,top1\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar.json", "cifar.safetensors", "curve.csv"]


def test_interrupted_training_writes_the_same_file(tmp_path, monkeypatch):
    images, labels = coloured_images()
    recipe = ClassifierRecipe(batch=20, epochs=2)
    whole, interrupted = tmp_path / "whole.safetensors", tmp_path / "interrupted.safetensors"
    train_cifar_classifier(images, labels, 8, recipe, whole, classes=3, checkpoint_every=2)

    def augmented_until_step_5(*args):
        if args[3] == 5:
            raise KeyboardInterrupt
        return augmented_batch(*args)

    with monkeypatch.context() as patch:
        patch.setattr(cifar_training, "augmented_batch", augmented_until_step_5)
        with pytest.raises(KeyboardInterrupt):
            train_cifar_classifier(images, labels, 8, recipe, interrupted, classes=3, checkpoint_every=2)
    train_cifar_classifier(images, labels, 8, recipe, interrupted, classes=3, checkpoint_every=2)
    assert interrupted.read_bytes() == whole.read_bytes()


def test_wrong_data_is_refused(tmp_path):
    images, labels = coloured_images()
    cases = [
        (images.astype(np.float32), labels, "float32 (45, 32, 32, 3), not uint8 (N, 32, 32, 3)"),
        (images[:, :28], labels, "uint8 (45, 28, 32, 3), not uint8 (N, 32, 32, 3)"),
        (images, labels[1:], "45 images but 44 labels"),
        (images, labels + 1, "labels go from 1 to 3, not 0 to 2"),
        (images[:0], labels[:0], "no images to train on"),
    ]
    for wrong_images, wrong_labels, complaint in cases:
        with pytest.raises(UsaidError) as error:
            train_cifar_classifier(
                wrong_images, wrong_labels, 8, ClassifierRecipe(), tmp_path / "net.safetensors", classes=3
            )
        assert complaint in str(error.value)
