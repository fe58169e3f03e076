"""The segmentation judge: counts as a loop over pixels makes them, and the facts that its scores are made with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators import segmentation
from evaluators.segmentation.judge import SegmentationJudge, confusion_counts
from usaid.checkpoints import write_weights
from usaid.errors import UsaidError
from usaid.experiment.experiment import checked_experiment

CPU = torch.device("cpu")


def random_maps(images: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions, and labels of which a tenth is void."""
    generator = torch.Generator().manual_seed(seed)
    predicted, labels = torch.randint(classes, (2, images, 5, 7), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = 255
    return predicted, labels.to(torch.uint8)


class Brightness:
    """A segmenter of two classes: dark and bright."""

    classes = 2

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return (images.mean(dim=1) > 0.5).long()


def judge(**changed: Any) -> SegmentationJudge:
    settings = {"class_names": ("dark", "bright"), "left_out": (), "facts": {"encoder": "none"}, "deviations": ["d"]}
    return SegmentationJudge(Brightness(), **(settings | changed))


@pytest.mark.parametrize("classes", [2, 7, 21])
def test_counts_are_those_of_a_loop_over_pixels(classes):
    predicted, labels = random_maps(4, classes)
    expected = np.zeros((4, classes, classes), int)
    for image, row, column in np.ndindex(labels.shape):
        if labels[image, row, column] != 255:
            expected[image, labels[image, row, column], predicted[image, row, column]] += 1
    counts = confusion_counts(predicted, labels, classes)
    assert counts.dtype == torch.int64
    assert np.array_equal(counts.numpy(), expected.reshape(4, -1))


def test_rows_are_true_classes():
    truth, predicted = torch.tensor([[[0, 0, 1]]], dtype=torch.uint8), torch.tensor([[[0, 1, 1]]])
    assert confusion_counts(predicted, truth, 2).tolist() == [[1, 1, 0, 1]]


def test_an_image_without_labels_has_no_counts_and_shifts_no_other():
    predicted, labels = random_maps(3, 2)
    labels[1] = 255
    counts = confusion_counts(predicted, labels, 2)
    assert counts[1].tolist() == [0, 0, 0, 0]
    assert torch.equal(counts[2:], confusion_counts(predicted[2:], labels[2:], 2))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**16), st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(2, 21))
def test_counts_do_not_depend_on_the_batches(seed, sizes, classes):
    predicted, labels = random_maps(sum(sizes), classes, seed)
    parts = zip(predicted.split(sizes), labels.split(sizes), strict=True)
    apart = torch.cat([confusion_counts(*part, classes) for part in parts])
    assert torch.equal(apart, confusion_counts(predicted, labels, classes))


def test_labels_of_another_data_set_are_refused():
    labels = torch.tensor([[[0, 255, 6]]], dtype=torch.uint8)
    with pytest.raises(UsaidError, match=r"^label map holds class 6, the network knows 2; correct the data set$"):
        confusion_counts(torch.zeros(1, 1, 3, dtype=torch.int64), labels, 2)


def test_a_batch_is_looked_at_and_then_counted():
    denoised = torch.tensor([[0.1, 0.9], [0.9, 0.9]]).view(2, 1, 1, 2).expand(2, 3, 1, 2)
    targets = [np.array([[0, 1]], np.uint8), np.array([[0, 255]], np.uint8)]
    seen = judge().look(denoised)
    assert judge().score(seen, denoised, denoised, targets)["confusion"].tolist() == [[1, 0, 0, 1], [0, 1, 0, 0]]


def test_facts_hold_what_the_mean_is_made_with():
    found = judge(left_out=("dark",))
    assert found.facts == {"encoder": "none", "class_names": ["dark", "bright"], "left_out": ["dark"]}
    assert (found.metrics, found.deviations) == (("confusion",), ["d"])


def test_a_segmenter_of_another_data_set_is_refused():
    with pytest.raises(UsaidError, match="segmenter: knows 2 classes, the data set has 3; give weights"):
        judge(class_names=("a", "b", "c"))


# From an experiment


def made_judge(folder: Path, monkeypatch: pytest.MonkeyPatch, benchmark: str, classes: int, **settings: Any) -> Any:
    """The judge of a benchmark whose segmenter (which is not run) says that it saw all or some training images."""
    facts = {"architecture": "pspnet", "encoder": "resnet101", "n_images": 454} | settings.pop("facts", {})
    write_weights(torch.nn.Linear(1, 1), folder / "net.safetensors", facts)
    network = Brightness()
    network.classes = classes
    monkeypatch.setattr(segmentation, "load_segmenter", lambda *_: network)
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": str(folder),
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {benchmark: {"sigmas": [25], "segmenter": {"checkpoint": "net.safetensors"}, **settings}},
        }
    )
    return segmentation.make_judge(benchmark, experiment, folder / "net.safetensors", CPU)


def test_deepglobe_leaves_unknown_out_and_the_papers_network_deviates_in_nothing(tmp_path, monkeypatch):
    found = made_judge(tmp_path, monkeypatch, "deepglobe_segmentation", 7)
    assert found.deviations == []
    assert found.facts["left_out"] == ["unknown"]
    assert found.facts["class_names"][-2:] == ["barren", "unknown"]
    assert len(found.facts["weights_sha256"]) == 64


def test_deviations_name_the_stand_in_the_part_and_the_size(tmp_path, monkeypatch):
    facts = {"encoder": "efficientnet_lite0", "n_images": 1000}
    found = made_judge(tmp_path, monkeypatch, "isic_segmentation", 2, facts=facts, longest_side=512)
    assert found.facts["left_out"] == []
    assert found.deviations == [
        "segmenter trained on 1,000 of the 2,594 images of isic2018/train",
        "segmenter: efficientnet_lite0 in place of resnet101",
        "images with a side longer than 512 pixels were made smaller before noise was added",
    ]
