"""The segmentation judge: counts as a loop over pixels makes them, and the record that its scores are made with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds.judges import Batch, JudgeTests
from torch import nn

from evaluators.segmentation import judge as segmentation_judge
from evaluators.segmentation.judge import SegmentationJudge, confusion_counts, make_judge
from evaluators.segmentation.networks import Segmenter
from usaid.cards import DataSet
from usaid.checkpoints import write_weights
from usaid.errors import UsaidError
from usaid.experiment.experiment import benchmarks_model
from usaid.experiment.reading import checked_experiment
from usaid.registries import BENCHMARKS, DATASETS, load_object

CPU = torch.device("cpu")


def random_maps(images: int, classes: int, seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Predictions, and labels of which a tenth is void."""
    generator = torch.Generator().manual_seed(seed)
    predicted, labels = torch.randint(classes, (2, images, 5, 7), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = 255
    return predicted, labels.to(torch.uint8).numpy()


class Brightness(nn.Module):
    """A network of two classes, dark and bright."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Identity()
        self.encoder.output_stride = 8

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images.mean(dim=1) - 0.5
        return torch.stack([-bright, bright], dim=1)


def segmenter(classes: int = 2, input_size: tuple[int, int] | None = None) -> Segmenter:
    return Segmenter(Brightness(), classes, (0.0,) * 3, (1.0,) * 3, CPU, input_size)


def judge(**changed: Any) -> SegmentationJudge:
    keys = {"class_names": ("dark", "bright"), "left_out": (), "record": {"encoder": "none"}, "deviations": ["d"]}
    return SegmentationJudge(**({"segmenter": segmenter()} | keys | changed))


class TestSegmentationJudge(JudgeTests):
    benchmarks = ("voc_segmentation", "isic_segmentation", "deepglobe_segmentation")

    def make(self) -> SegmentationJudge:
        return judge()

    def batch(self) -> Batch:
        generator = torch.Generator().manual_seed(1)
        labels = torch.randint(2, (3, 12, 21), generator=generator, dtype=torch.uint8)
        clean = (0.2 + 0.6 * labels[:, None]).repeat(1, 3, 1, 1)
        labels[0, :2] = 255
        return Batch(clean, [*labels.numpy()])

    def test_a_case_worked_by_hand(self) -> None:
        denoised = torch.tensor([[0.1, 0.9], [0.9, 0.9]]).view(2, 1, 1, 2).expand(2, 3, 1, 2)
        targets = [np.array([[0, 1]], np.uint8), np.array([[0, 255]], np.uint8)]
        seen = judge().look(denoised)
        columns = judge().score(seen, denoised, denoised, targets)
        assert {name: entries.tolist() for name, entries in columns.items()} == {
            "confusion": [[1, 0, 0, 1], [0, 1, 0, 0]]
        }


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
    assert confusion_counts(predicted, truth.numpy(), 2).tolist() == [[1, 1, 0, 1]]


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
    maps = np.split(labels, np.cumsum(sizes)[:-1])
    parts = zip(predicted.split(sizes), maps, strict=True)
    apart = torch.cat([confusion_counts(*part, classes) for part in parts])
    assert torch.equal(apart, confusion_counts(predicted, labels, classes))


def test_labels_of_another_data_set_are_refused():
    labels = np.array([[[0, 255, 6]]], np.uint8)
    with pytest.raises(UsaidError, match=r"^label map holds class 6, the network knows 2; correct the data set$"):
        confusion_counts(torch.zeros(1, 1, 3, dtype=torch.int64), labels, 2)


def test_the_record_holds_what_the_mean_is_made_with():
    made = judge(left_out=("dark",))
    assert made.record == {"encoder": "none", "class_names": ["dark", "bright"], "left_out": ["dark"]}
    assert (made.metrics, made.deviations) == (("confusion",), ["d"])


def test_a_segmenter_of_another_data_set_is_refused():
    with pytest.raises(UsaidError, match="segmenter: knows 2 classes, the data set has 3; give weights"):
        judge(class_names=("a", "b", "c"))


# From an experiment


def made_judge(folder: Path, monkeypatch: pytest.MonkeyPatch, benchmark: str, classes: int, **keys: Any) -> Any:
    """The judge of a benchmark whose segmenter (which is not run) says that it saw all or some training images."""
    training = {"architecture": "pspnet", "encoder": "resnet101", "n_images": 454} | keys.pop("training", {})
    write_weights(nn.Linear(1, 1), folder / "net.safetensors", training)
    monkeypatch.setattr(segmentation_judge, "load_segmenter", lambda *given: segmenter(classes, given[3]))
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": str(folder),
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {benchmark: {"sigmas": [25], "segmenter": {"checkpoint": "net.safetensors"}, **keys}},
        }
    )
    return make_judge(benchmark, experiment, folder / "net.safetensors", CPU)


def test_deepglobe_leaves_unknown_out_and_the_papers_network_deviates_in_nothing(tmp_path, monkeypatch):
    made = made_judge(tmp_path, monkeypatch, "deepglobe_segmentation", 7)
    assert made.deviations == []
    assert made.record["left_out"] == ["unknown"]
    assert made.record["class_names"][-2:] == ["barren", "unknown"]
    assert len(made.record["weights_sha256"]) == 64
    assert [*made.record] == ["architecture", "encoder", "weights_sha256", "class_names", "left_out"]


def test_deviations_name_the_stand_in_the_part_and_the_size(tmp_path, monkeypatch):
    training = {"encoder": "efficientnet_lite0", "n_images": 1000}
    made = made_judge(tmp_path, monkeypatch, "isic_segmentation", 2, training=training, longest_side=512)
    assert made.record["left_out"] == []
    assert made.deviations == [
        "segmenter trained on 1,000 of the 2,594 images of isic2018/train",
        "segmenter: efficientnet_lite0 in place of resnet101",
        "images with a side longer than 512 pixels were made smaller before noise was added",
    ]


def test_the_released_codes_fpn_is_the_papers_and_its_training_tells_how_it_differs(tmp_path, monkeypatch):
    training = {"architecture": "fpn_plain", "n_images": 1464, "deviations": ["trained by mine"]}
    made = made_judge(
        tmp_path, monkeypatch, "voc_segmentation", 21, training=training, void="background", input_size=[500, 400]
    )
    assert made.deviations == [
        "segmenter trained by mine",
        "images resized to 500x400 pixels before noise was added",
        "pixels without a class count as background",
    ]
    assert made.record["void"] == "background"
    assert "input_size" not in made.record
    assert made.segmenter.input_size is None


def test_void_counts_as_the_first_class_where_the_settings_say_so():
    denoised = torch.full((1, 3, 1, 3), 0.9)
    targets = [np.array([[0, 1, 255]], np.uint8)]
    own = judge(record={"void": "background"})
    assert own.judged(denoised, denoised, targets)["confusion"].tolist() == [[0, 2, 0, 1]]
    assert judge().judged(denoised, denoised, targets)["confusion"].tolist() == [[0, 1, 0, 1]]
    assert targets[0].tolist() == [[0, 1, 255]]


def test_noise_on_stored_images_is_told_and_recorded(tmp_path, monkeypatch):
    keys = {"noise_on": "stored", "input_size": [500, 400], "training": {"architecture": "fpn", "n_images": 1464}}
    made = made_judge(tmp_path, monkeypatch, "voc_segmentation", 21, **keys)
    assert made.deviations == ["segmenter sees denoised images resized to 500x400 pixels"]
    assert made.record["input_size"] == [500, 400]
    assert made.segmenter.input_size == (500, 400)


def test_label_maps_stay_as_stored_where_the_segmenter_sees_resized_images():
    denoised = torch.tensor([0.1, 0.9]).repeat_interleave(4).expand(1, 3, 6, 8)
    labels = (denoised[0, 0] > 0.5).to(torch.uint8).numpy()
    labels[0] = 255
    own = judge(segmenter=segmenter(input_size=(32, 48)))
    assert own.judged(denoised, denoised, [labels])["confusion"].tolist() == [[20, 0, 0, 20]]


def test_the_papers_network_is_the_one_on_the_card(tmp_path, monkeypatch):
    made = made_judge(tmp_path, monkeypatch, "voc_segmentation", 21, training={"n_images": 1464})
    assert made.deviations == ["segmenter: pspnet in place of fpn"]


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A data set of one's own, and a benchmark on it that the paper does not have."""
    classes = ("ground", "cell", "artefact")
    card = DataSet("cells", "Cells", "somewhere:Cells", {"train": 30, "test": 9}, classes, left_out=("artefact",))
    benchmark = replace(BENCHMARKS["voc_segmentation"], name="cells_masks", dataset="cells", split="test", network=None)
    monkeypatch.setitem(DATASETS.all, card.name, card)
    monkeypatch.setitem(BENCHMARKS.all, benchmark.name, benchmark)
    benchmarks_model.cache_clear()
    yield
    benchmarks_model.cache_clear()


@pytest.mark.usefixtures("cells")
def test_another_data_set_needs_its_card_alone(tmp_path, monkeypatch):
    made = made_judge(tmp_path, monkeypatch, "cells_masks", 3, training={"n_images": 12})
    assert made.record["class_names"] == ["ground", "cell", "artefact"]
    assert made.record["left_out"] == ["artefact"]
    assert made.deviations == ["segmenter trained on 12 of the 30 images of cells/train"]
    with pytest.raises(UsaidError, match="segmenter: knows 7 classes, the data set has 3; give weights"):
        made_judge(tmp_path, monkeypatch, "cells_masks", 7)


def test_shown_are_the_label_maps_with_the_names_of_classes():
    images = torch.zeros(1, 3, 4, 6)
    images[:, :, :, 3:] = 1
    truth = np.array([[0, 1, 255]] * 4, np.uint8).repeat(2, axis=1)
    own = judge()
    seen, true = load_object(str(BENCHMARKS["voc_segmentation"].shown))(own, None, own.look(images), truth)
    assert seen.labels.dtype == np.uint8
    assert seen.labels.tolist() == [[0, 0, 0, 1, 1, 1]] * 4
    assert np.array_equal(true.labels, truth)
    assert seen.classes == true.classes == ("dark", "bright")
