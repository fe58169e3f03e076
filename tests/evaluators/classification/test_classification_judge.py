"""The judge of classification: top-1 and top-5 by hand, and what it says of its network."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from kinds.judges import Batch, JudgeTests
from torch import nn

from evaluators.classification.judge import ClassificationJudge, make_judge
from evaluators.classification.network import Classifier, cifar_resnet
from evaluators.classification.shown import shown
from evaluators.judge import Judge
from usaid.checkpoints import write_weights
from usaid.experiment.experiment import Experiment
from usaid.experiment.reading import checked_experiment
from usaid.files import sha256_of_file

CPU = torch.device("cpu")
MEAN, STD = [0.5, 0.4, 0.3], [0.3, 0.2, 0.1]


def network(classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return cifar_resnet(8, classes).eval()


class TestClassificationJudge(JudgeTests):
    benchmarks = ("cifar100_classification",)
    best = {"psnr_rgb_float": math.inf, "ssim_skimage7": 1.0}  # noqa: RUF012 - as the base class declares it

    def make(self) -> Judge:
        record = {"network": "resnet8", "weights_sha256": "0" * 64}
        return ClassificationJudge(Classifier(network(), MEAN, STD, CPU), record, ["classifier: a stand-in"])

    def batch(self) -> Batch:
        return Batch(torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)), [3, 0, 9])

    def test_a_case_worked_by_hand(self):
        """The red, green and blue of an image's mean are the logits of classes 0 to 2; three more never win."""

        def logits(images: torch.Tensor) -> torch.Tensor:
            colours = images.mean(dim=(2, 3))
            return torch.hstack([colours, -1 - torch.arange(3.0).expand(len(images), 3)])

        clean = torch.full((4, 3, 8, 8), 0.2)
        denoised = clean.clone()
        denoised[:, 1] += 0.1  # class 1 is on top, 0 and 2 are equal, then 3, 4, 5
        judge = ClassificationJudge(logits, {}, [])
        columns = judge.judged(denoised, clean, [1, 2, 4, 5])
        assert columns["top1"].tolist() == [1, 0, 0, 0]
        assert columns["top5"].tolist() == [1, 1, 1, 0]
        assert columns["psnr_rgb_float"].tolist() == pytest.approx([-10 * np.log10(0.01 / 3)] * 4, abs=1e-4)


def experiment(**classifier) -> Experiment:
    return checked_experiment(
        {
            "experiment": "x",
            "data_root": "data",
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {"cifar100_classification": {"sigmas": [25], "classifier": classifier}},
        }
    )


def test_the_judge_of_an_experiment_says_what_it_is(tmp_path):
    path = tmp_path / "net.safetensors"
    write_weights(network(100), path, {"mean": MEAN, "std": STD, "n_images": 2000})
    judge = make_judge("cifar100_classification", experiment(network="resnet8", train={}), path, CPU)
    assert judge.record == {"network": "resnet8", "weights_sha256": sha256_of_file(path)}
    assert judge.deviations == [
        "classifier: ResNet-8 stands in for the paper's ResNet-110",
        "classifier trained on 2,000 of the 50,000 images of cifar100/train",
    ]


def test_the_papers_network_trained_on_all_images_is_no_deviation(tmp_path):
    path = tmp_path / "net.safetensors"
    write_weights(cifar_resnet(110), path, {"n_images": 50_000})
    settings = {"network": "resnet110", "checkpoint": "net.safetensors", "mean": MEAN, "std": STD}
    assert make_judge("cifar100_classification", experiment(**settings), path, CPU).deviations == []


def test_shown_are_the_class_with_its_probability_and_the_true_one():
    names = SimpleNamespace(class_names=("cat", "dog", "fox"))
    logits = torch.log(torch.tensor([[0.1, 0.7, 0.2]]))
    seen, truth = shown(ClassificationJudge(lambda images: logits, {}, []), names, logits, 2)
    assert (seen.text, truth.text) == ("dog (0.70)", "fox")
