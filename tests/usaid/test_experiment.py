"""Experiment files: what the schema refuses, in one line, and which defaults it fills in."""

import copy
from pathlib import Path

import pytest
import yaml

from usaid.errors import UsaidError
from usaid.experiment import checked_experiment, hash_of_config, read_experiment

CONFIGS = Path(__file__).parents[2] / "config"

MINIMAL = {
    "experiment": "mine",
    "data_root": "data",
    "denoisers": {"u_said": {"method": "u_said", "weights": "released/USAID.pth"}},
    "benchmarks": {
        "kodak_quality": {"sigmas": [25]},
        "cifar100_classification": {
            "sigmas": [25],
            "classifier": {"network": "resnet56", "checkpoint": "c.pth", "mean": [0, 0, 0], "std": [1, 1, 1]},
        },
    },
}


@pytest.mark.parametrize("name", ["paper", "released", "smoke"])
def test_shipped_experiments_are_valid(name):
    assert read_experiment(CONFIGS / f"{name}.yaml")["experiment"] == name


def test_later_files_override_key_by_key():
    config = read_experiment(CONFIGS / "released.yaml", CONFIGS / "reference_released.yaml")
    classifier = config["benchmarks"]["cifar100_classification"]["classifier"]
    assert config["experiment"] == "reference/released"
    assert classifier["network"] == "resnet56"
    assert classifier["mean"] == [0.5070, 0.4865, 0.4409]
    assert config["benchmarks"]["kodak_quality"]["sigmas"] == [15, 25, 35]


def test_defaults():
    config = checked_experiment(MINIMAL)
    assert config["niqe"] == "niqe_live"
    assert config["benchmarks"]["kodak_quality"]["draws"] == 1
    assert MINIMAL["benchmarks"]["kodak_quality"] == {"sigmas": [25]}


def set_at(path: str, value: object) -> dict:
    config = copy.deepcopy(MINIMAL)
    *parents, last = path.split("/")
    place = config
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sigmma", 3, "unknown key 'sigmma'; allowed: benchmarks, data_root"),
        ("denoisers/u_said/wieghts", "x", "unknown key 'denoisers.u_said.wieghts'; allowed: method, options"),
        ("data_root", None, "key 'data_root' is missing"),
        ("data_root", "", 'data_root = "": must be not empty'),
        ("niqe", "brisque", 'niqe = "brisque": must be one of niqe_live, niqe_matlab, niqe_fitted'),
        ("benchmarks/kodak_quality/sigmas", [15, -1], "benchmarks.kodak_quality.sigmas.1 = -1: must be >= 0"),
        ("benchmarks/kodak_quality/sigmas", [], "must be a list of at least 1"),
        ("benchmarks/kodak_quality/sigmas", [25, 25], "without repeated values"),
        ("benchmarks/kodak_quality/sigmas", "25", 'sigmas = "25": must be of type array'),
        ("benchmarks/kodak_quality/draws", 0, "benchmarks.kodak_quality.draws = 0: must be >= 1"),
        ("benchmarks/imagenet", {}, "unknown key 'benchmarks.imagenet'"),
        ("denoisers/u_said/method", "bm4d", "denoisers.u_said.method = 'bm4d': must be one of noisy, clean"),
        ("denoisers/u_said/sha256", "abc", r"denoisers.u_said.sha256 = \"abc\": must be like"),
        ("denoisers/u_said/train", {}, "denoisers.u_said: give either 'weights' or 'train', not both"),
        ("denoisers/U-SAID", {"method": "noisy"}, '"U-SAID": must be like'),
        ("subsets", {"voc/val": "x"}, "unknown key 'subsets.voc/val'"),
        ("experiment", "../evil", "experiment = "),
        ("benchmarks/cifar100_classification/classifier/network", "vgg", "must be one of resnet8, resnet20"),
        ("benchmarks/cifar100_classification/classifier/mean", None, "give either 'checkpoint' with 'mean' and 'std'"),
    ],
)
def test_refused_in_one_line(path, value, message):
    with pytest.raises(UsaidError) as error:
        checked_experiment(set_at(path, value), "my.yaml")
    text = str(error.value)
    assert text.startswith("my.yaml: ")
    assert message.replace('\\"', '"') in text
    assert "\n" not in text


def test_segmentation_aware_training_is_refused_until_it_is_built():
    config = set_at("denoisers/u_said/weights", None)
    config["denoisers"]["u_said"]["train"] = {}
    with pytest.raises(UsaidError, match=r"denoisers\.u_said\.train: only cdncnn_b can be trained so far"):
        checked_experiment(config)


def test_networks_need_weights():
    with pytest.raises(UsaidError, match=r"denoisers\.u_said: method 'u_said' needs 'weights' or 'train'"):
        checked_experiment(set_at("denoisers/u_said/weights", None))


def test_unreadable_files(tmp_path):
    with pytest.raises(UsaidError, match="no such experiment file"):
        read_experiment(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1, 2")
    with pytest.raises(UsaidError, match=r"bad\.yaml: not YAML"):
        read_experiment(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UsaidError, match="must be a mapping"):
        read_experiment(tmp_path / "list.yaml")


def test_every_key_is_explained():
    schema = yaml.safe_load((CONFIGS.parent / "usaid/schemas/experiment.schema.yaml").read_text())
    text = (CONFIGS / "README.md").read_text()
    groups = [schema, *schema["$defs"].values(), schema["$defs"]["classifier"]["properties"]["train"]]
    keys = {key for group in groups for key in group.get("properties", {})}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_hash_ignores_the_order_of_keys():
    assert hash_of_config({"a": 1, "b": 2}) == hash_of_config({"b": 2, "a": 1}) != hash_of_config({"a": 1, "b": 3})
