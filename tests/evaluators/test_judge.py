"""What all judges share: where their files lie, their own code alone, and what was trained on a part of the images."""

import pickle

import numpy as np
import pytest
import torch

from evaluators.judge import trained_on_a_part
from evaluators.judge_training import train_judge
from usaid.checkpoints import stored_record, write_weights
from usaid.code_hash import modules_behind
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment
from usaid.registries import BENCHMARKS

TRAINED = "results/x/weights/{}.safetensors"
NORMALISATION = {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}


def judge_file(benchmark: str, niqe: str = "niqe_live", **settings) -> str:
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": "data",
            "niqe": niqe,
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {benchmark: {"sigmas": [25], **settings}},
        }
    )
    return experiment.benchmarks[benchmark].judge_file(benchmark, experiment.places)


@pytest.mark.parametrize(
    ("niqe", "path"),
    [
        ("niqe_live", "data/niqe/niqe_live_pris_params.npz"),
        ("niqe_matlab", "data/niqe/niqe_matlab_params.mat"),
        ("niqe_fitted", "results/x/weights/niqe_fitted.npz"),
    ],
)
def test_a_pristine_model_lies_with_the_data_unless_it_is_fitted(niqe, path):
    assert judge_file("kodak_quality", niqe) == path


@pytest.mark.parametrize(
    ("benchmark", "settings"),
    [
        ("voc_segmentation", {"segmenter": {"network": "fpn", "train": {}}}),
        ("cifar100_classification", {"classifier": {"network": "resnet8", "train": {}}}),
        ("coco_detection", {"detector": {"network": "darknet:miniature", "train": {}}}),
    ],
)
def test_a_judge_that_is_trained_lies_with_the_results(benchmark, settings):
    assert judge_file(benchmark, **settings) == TRAINED.format(benchmark)


@pytest.mark.parametrize(
    ("benchmark", "settings", "path"),
    [
        ("voc_segmentation", {"segmenter": {"checkpoint": "mine.safetensors"}}, "mine.safetensors"),
        (
            "cifar100_classification",
            {"classifier": {"network": "resnet8", "checkpoint": "nets/mine.pth", **NORMALISATION}},
            "nets/mine.pth",
        ),
        (
            "coco_detection",
            {"detector": {"network": "darknet:yolov3,weights/yolov3.weights"}},
            "weights/yolov3.weights",
        ),
        ("coco_detection", {"detector": {"network": "darknet:nets/my.cfg,nets/my.weights"}}, "nets/my.weights"),
        ("coco_detection", {"detector": {"network": "yolov3u"}}, "weights/yolov3u.pt"),
    ],
)
def test_a_judge_that_is_given_lies_with_the_data(benchmark, settings, path):
    assert judge_file(benchmark, **settings) == f"data/{path}"


def test_training_on_a_part_of_the_images_is_told(tmp_path):
    network = torch.nn.Linear(1, 1)
    for n, sentences in ((311, ["trained on 311 of the 1,464 images of voc2012/train"]), (1464, [])):
        write_weights(network, tmp_path / "w.safetensors", {"n_images": n, "images": "voc2012/train"})
        assert trained_on_a_part(tmp_path / "w.safetensors") == sentences
    assert trained_on_a_part(tmp_path / "w.safetensors", "isic2018/train") != []
    for silent in ({}, {"n_images": 3}, {"images": "voc2012/train"}):
        write_weights(network, tmp_path / "w.safetensors", silent)
        assert trained_on_a_part(tmp_path / "w.safetensors") == []


def test_a_judge_depends_on_no_other_judges_code():
    rooms = {card.judge: card.judge.split(".")[1] for card in BENCHMARKS.values()}
    assert len(set(rooms.values())) == 4
    for judge, room in rooms.items():
        others = {f"evaluators.{other}" for other in rooms.values() if other != room}
        assert not [m for m in modules_behind(judge) if m.rsplit(".", 1)[0] in others]


@pytest.mark.parametrize("module", ["evaluators.scoring.job", "evaluators.judge_training"])
def test_what_runs_a_job_depends_on_no_judge_method_or_settings(module):
    """They are reached by their cards, so that an edit of one reruns its own jobs alone."""
    rooms = ("usaid.experiment", "usaid.paper", "usaid.report", "evaluators.dag", "evaluators.metrics")
    methods = ("usaid.denoisers.dncnn", "usaid.denoisers.mlp", "usaid.denoisers.cbm3d", "usaid.datasets.kodak")
    judges = tuple(f"evaluators.{room}" for room in ("quality", "segmentation", "classification", "detection"))
    assert [m for m in modules_behind(module) if m.startswith((*rooms, *methods, *judges))] == []


def test_only_a_network_with_a_recipe_is_trained(tmp_path):

    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": str(tmp_path),
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {
                "kodak_quality": {"sigmas": [25]},
                "voc_segmentation": {"sigmas": [25], "segmenter": {"checkpoint": "mine.safetensors"}},
            },
        }
    )
    for benchmark in experiment.benchmarks:
        with pytest.raises(UsaidError, match=f"benchmarks.{benchmark}: has no network with 'train'"):
            train_judge(experiment, benchmark, tmp_path / "judge.safetensors")
    with pytest.raises(UsaidError, match="'coco_detection' is not among the experiment's benchmarks: kodak"):
        train_judge(experiment, "coco_detection", tmp_path / "judge.safetensors")


def test_the_network_of_an_experiment_is_trained_on_its_data(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    generator = np.random.default_rng(0)
    data = {"data": generator.integers(0, 256, (30, 3072), np.uint8), "fine_labels": [n % 100 for n in range(30)]}
    (folder / "train").write_bytes(pickle.dumps(data))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": [f"thing {n}" for n in range(100)]}))
    classifier = {"network": "resnet8", "train": {"batch": 15, "epochs": 1}}
    experiment = checked_experiment(
        {
            "experiment": "x",
            "data_root": str(tmp_path),
            "device": "cpu",
            "denoisers": {"noisy": {"method": "noisy"}},
            "benchmarks": {"cifar100_classification": {"sigmas": [25], "classifier": classifier}},
        }
    )
    weights = tmp_path / "weights/judge.safetensors"
    train_judge(experiment, "cifar100_classification", weights, code_hash="c0de")
    record = stored_record(weights)
    assert (record["code_hash"], record["n_images"], record["classes"], record["batch"]) == ("c0de", 30, 100, 15)
    assert trained_on_a_part(weights, "cifar100/train") == ["trained on 30 of the 50,000 images of cifar100/train"]
    assert sorted(path.suffix for path in weights.parent.iterdir()) == [".csv", ".json", ".safetensors"]
