"""How the CIFAR ResNets that judge are trained: what they see, and what is left of a training."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from evaluators.classification import training
from evaluators.classification.network import load_classifier
from evaluators.classification.settings import ClassificationSettings, ClassifierRecipe
from evaluators.classification.training import augmented_batch, channel_statistics, train_classifier
from usaid.checkpoints import stored_record
from usaid.errors import UsaidError
from usaid.training.loop import Run
from usaid.training.patches import PatchSampler

CPU = torch.device("cpu")


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


def samples(images: np.ndarray, labels: np.ndarray) -> SimpleNamespace:
    """A data set of three classes, held in memory as CIFAR-100's reader holds it."""
    return SimpleNamespace(images=images, labels=labels, class_names=("red", "green", "blue"))


def settings(**recipe) -> ClassificationSettings:
    classifier = {"network": "resnet8", "train": recipe}
    return ClassificationSettings.model_validate({"sigmas": [25], "classifier": classifier})


def run(weights: Path, **options) -> Run:
    return Run(weights, CPU, title="classifier", name="cifar100_classification", **options)


def test_trained_classifier_knows_its_normalisation_and_its_classes(tmp_path):
    images, labels = coloured_images()
    weights = tmp_path / "cifar.safetensors"
    train_classifier(samples(images, labels), settings(batch=15, epochs=6, learning_rate=0.05), run(weights))
    record = stored_record(weights)
    assert (record["mean"], record["std"]) == channel_statistics(images)
    assert (record["depth"], record["classes"], record["epochs"], record["weight_decay"]) == (8, 3, 6, 1e-4)
    assert record["n_images"] == 45
    classifier = load_classifier(8, weights)
    logits = classifier(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
    assert torch.equal(logits.argmax(dim=1), torch.from_numpy(labels))
    assert (tmp_path / "cifar.csv").read_text().startswith("step,learning_rate,loss,top1\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar.csv", "cifar.json", "cifar.safetensors"]


def test_interrupted_training_writes_the_same_file(tmp_path, monkeypatch):
    data, recipe = samples(*coloured_images()), settings(batch=20, epochs=2)
    whole, interrupted = tmp_path / "whole.safetensors", tmp_path / "interrupted.safetensors"
    train_classifier(data, recipe, run(whole, checkpoint_every=2))

    def augmented_until_step_5(*args):
        if args[3] == 5:
            raise KeyboardInterrupt
        return augmented_batch(*args)

    with monkeypatch.context() as patch:
        patch.setattr(training, "augmented_batch", augmented_until_step_5)
        with pytest.raises(KeyboardInterrupt):
            train_classifier(data, recipe, run(interrupted, checkpoint_every=2))
    assert run(interrupted).checkpoint.exists()
    train_classifier(data, recipe, run(interrupted, checkpoint_every=2))
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
            train_classifier(samples(wrong_images, wrong_labels), settings(), run(tmp_path / "net.safetensors"))
        assert complaint in str(error.value)
