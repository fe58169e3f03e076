"""Every training from images to the loss of its first step; the way back needs a real GPU."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from fake_gpu import CUDA, outside
from torch._subclasses.fake_tensor import FakeTensor

from evaluators.classification import training as classification
from evaluators.classification.settings import ClassificationSettings
from evaluators.detection import training as detection
from evaluators.detection.darknet.cfg import read_cfg
from evaluators.detection.darknet.network import Darknet
from evaluators.detection.settings import DetectionSettings
from evaluators.segmentation import training as segmentation
from evaluators.segmentation.settings import SegmentationSettings
from usaid.datasets.base import Sample
from usaid.datasets.coco import Instance
from usaid.denoisers.dncnn import training as dncnn
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.mlp import training as mlp
from usaid.denoisers.mlp.recipe import MLPRecipe
from usaid.denoisers.training import training as denoising
from usaid.experiment.studies import Convergence
from usaid.segmentation import convergence, encoders
from usaid.segmentation.usa_module import USAModule
from usaid.tensors import Normalisation
from usaid.training.loop import Run, Task

SMALL = {"depth": 4, "features": 8, "patch": 32, "batch": 2, "steps": 3, "classes": 5, "milestones": []}


@dataclass
class FirstStep:
    """Takes the place of the step loop: the forward pass of the first step of each task, and the values it gives."""

    losses: list[torch.Tensor] = field(default_factory=list)
    precisions: list[str] = field(default_factory=list)

    def __call__(self, task: Task[Any], *_: Any, **__: Any) -> None:
        loss, parts = task.loss(task.network.train(), task.batches(1))
        learnt = [*task.network.state_dict().values()]
        learnt += [parameter for group in task.optimizer.param_groups for parameter in group["params"]]
        for value in (loss, *parts.values(), *learnt):
            assert value.device.type == "cuda"
        assert loss.shape == ()
        assert all(part.shape == () for part in parts.values())
        if not isinstance(loss, FakeTensor):
            loss.backward()
        self.losses.append(loss)
        self.precisions.append(task.precision)


def run(name: str, folder: Path) -> Run:
    """A training on the GPU that is not there."""
    return Run(folder / "weights.safetensors", CUDA, name, name, folder)


@pytest.fixture
def first_step(monkeypatch: pytest.MonkeyPatch) -> FirstStep:
    step = FirstStep()
    for module in (denoising, classification, segmentation, detection):
        monkeypatch.setattr(module, "train", step)
    for module in (mlp, convergence):
        monkeypatch.setattr(module, "fit", step)
    return step


DNCNN = [
    ("cdncnn_b", {}),
    ("cdncnn_b", {"precision": "bfloat16", "patches_drawn": "once", "patches_per_image": 5}),
    ("cdncnn_b", {"channels_last": False, "mse_reduction": "mean", "precision": "tf32"}),
    ("s_said", {"loss_stride": 4}),
    ("u_said", {"precision": "bfloat16", "segmenter_clamp": True, "segmenter_batchnorm": "batch"}),
    ("u_said", {"segmentation_loss": "focal", "gradient": "detached", "head": "frozen"}),
]
"""(method, keys of its recipe)."""


@pytest.mark.parametrize(("method", "keys"), DNCNN)
def test_dncnn(photos, tmp_path, first_step, cuda, method, keys):
    recipe = Recipe.model_validate({"encoder": "efficientnet_lite0", **SMALL, **keys})
    dncnn.train_dncnn(photos, recipe, run(method, tmp_path))
    assert first_step.precisions == [recipe.precision]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_mlp(photos, tmp_path, first_step, cuda, precision, monkeypatch):
    small = {"hidden": (16,), "input_side": 9, "output_side": 5, "batch": 8, "steps": 3}
    recipe = MLPRecipe(**small, sigmas=(15, 25), precision=precision)
    monkeypatch.setattr(mlp.pd, "read_csv", lambda _: pd.DataFrame({"step": []}))
    monkeypatch.setattr(mlp, "finish", lambda *_: None)
    monkeypatch.setattr(Path, "unlink", lambda *_: None)
    mlp.train_mlp(photos, recipe, run("mlp", tmp_path))
    assert first_step.precisions == [precision, precision]


def test_convergence(photos, tmp_path, first_step, cuda, monkeypatch):
    monkeypatch.setattr(convergence, "finish", lambda *_: None)
    settings = Convergence(encoder="efficientnet_lite0", crop=32, batch=2, steps=3, precision="bfloat16")
    convergence.train_convergence(photos, "quarters", settings, run("quarters", tmp_path), {})
    assert len(first_step.losses) == 1


def test_usa_module_on_the_papers_encoder(random_resnet101, cuda):
    encoder = outside(encoders.build_encoder)("resnet101", None, random_resnet101)
    usa = USAModule(encoder, 5, seed=0).to(cuda)
    logits = usa(Normalisation(encoder.mean, encoder.std, cuda)(torch.rand(2, 3, 64, 48, device=cuda)))
    assert (logits.device.type, logits.shape) == ("cuda", (2, 5, 16, 12))


def test_classifier(tmp_path, first_step, cuda):
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8), np.arange(12) % 3
    samples = SimpleNamespace(images=images, labels=labels, class_names=("a", "b", "c"))
    classifier = {"network": "resnet8", "train": {"batch": 4, "epochs": 1}}
    settings = ClassificationSettings.model_validate({"sigmas": [25], "classifier": classifier})
    classification.train_classifier(samples, settings, run("classifier", tmp_path))
    assert len(first_step.losses) == 1


class Pictures(list[Sample]):
    """Photos as a data set whose card names three classes."""

    card = SimpleNamespace(classes=("sky", "sea", "sand"))


@pytest.mark.parametrize("architecture", ["fpn", "pspnet"])
def test_segmenter(photos, tmp_path, first_step, cuda, architecture):
    recipe = {"crop": 32, "batch": 2, "steps": 3, "precision": "bfloat16"}
    segmenter = {"network": architecture, "encoder": "efficientnet_lite0", "train": recipe}
    settings = SegmentationSettings.model_validate({"sigmas": [25], "segmenter": segmenter})
    segmentation.train_segmenter(Pictures(photos), settings, run("segmenter", tmp_path))
    assert len(first_step.losses) == 1


class Photos(list[Sample]):
    """Photos with objects of as many categories as the miniature detector knows."""

    categories: ClassVar = {number: str(number) for number in range(1, 1 + Darknet(read_cfg("miniature")).classes)}


def test_detector(photos, tmp_path, first_step, cuda):
    objects = [Instance(1, (4.0, 5.0, 30.0, 20.0), iscrowd=False, area=600.0)]
    samples = Photos(Sample(photo.id, photo.image, objects) for photo in photos)
    detector = {"network": "darknet:miniature", "train": {"batch": 2, "steps": 3}}
    settings = DetectionSettings.model_validate({"sigmas": [25], "detector": detector})
    detection.train_detector(samples, settings, run("detector", tmp_path))
    assert len(first_step.losses) == 1
