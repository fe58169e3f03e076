"""Experiment files: what the schema refuses, in one line, and which defaults it fills in."""

import copy
from pathlib import Path

import pytest
import yaml

from usaid.errors import UsaidError
from usaid.experiment.experiment import (
    checked_experiment,
    checked_training,
    columns_of_ablation,
    denoisers_of,
    entry_of,
    hash_of_config,
    read_experiment,
    settings_of,
    variants,
)
from usaid.denoisers.dncnn.recipe import MLPRecipe, all_keys, recipe_from

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


@pytest.mark.parametrize("name", ["paper", "released", "released_code", "smoke"])
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


def segmentation(**segmenter: object) -> dict:
    return {"sigmas": [25], "segmenter": segmenter}


def detection(network: str, **detector: object) -> dict:
    return {"sigmas": [25], "detector": {"network": network, **detector}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sigmma", 3, "unknown key 'sigmma'; allowed: ablation, benchmarks"),
        (
            "denoisers/u_said/wieghts",
            "x",
            "unknown key 'denoisers.u_said.wieghts'; allowed: benchmarks, method, options",
        ),
        ("data_root", None, "key 'data_root' is missing"),
        ("data_root", "", 'data_root = "": must be not empty'),
        ("niqe", "brisque", 'niqe = "brisque": must be one of niqe_live, niqe_matlab, niqe_fitted'),
        ("benchmarks/kodak_quality/sigmas", [15, -1], "benchmarks.kodak_quality.sigmas.1 = -1: must be >= 0"),
        ("benchmarks/kodak_quality/sigmas", [], "must be a list of at least 1"),
        ("benchmarks/kodak_quality/sigmas", [25, 25], "without repeated values"),
        ("benchmarks/kodak_quality/sigmas", "25", 'sigmas = "25": must be of type array'),
        ("benchmarks/kodak_quality/draws", 0, "benchmarks.kodak_quality.draws = 0: must be >= 1"),
        ("benchmarks/kodak_quality/told_sigmas", ["oracle", 0], "told_sigmas.1: must be oracle, or a noise level > 0"),
        ("benchmarks/kodak_quality/told_sigmas", ["truth"], "told_sigmas.0: must be oracle, or a noise level > 0"),
        ("benchmarks/kodak_quality/told_sigmas", [], "must be a list of at least 1"),
        ("denoisers/u_said/benchmarks", ["kodak"], 'benchmarks.0 = "kodak": must be one of voc_quality'),
        ("denoisers/u_said/sigmas", [15], "denoisers.u_said.sigmas = [15]: none is among kodak_quality's [25]"),
        ("benchmarks/imagenet", {}, "unknown key 'benchmarks.imagenet'"),
        ("denoisers/u_said/method", "bm4d", "denoisers.u_said.method = 'bm4d': must be one of noisy, clean"),
        ("denoisers/u_said/sha256", "abc", r"denoisers.u_said.sha256 = \"abc\": must be like"),
        ("denoisers/u_said/train", {}, "denoisers.u_said: give either 'weights' or 'train', not both"),
        ("denoisers/U-SAID", {"method": "noisy"}, '"U-SAID": must be like'),
        ("subsets", {"voc/val": "x"}, "unknown key 'subsets.voc/val'"),
        ("experiment", "../evil", "experiment = "),
        ("benchmarks/cifar100_classification/classifier/network", "vgg", "must be one of resnet8, resnet20"),
        ("benchmarks/cifar100_classification/classifier/mean", None, "give either 'checkpoint' with 'mean' and 'std'"),
        (
            "benchmarks/voc_segmentation",
            segmentation(network="fpn"),
            "segmenter: give either 'checkpoint', or 'network'",
        ),
        ("benchmarks/voc_segmentation", segmentation(checkpoint="f", train={}), "give either 'checkpoint', or"),
        ("benchmarks/voc_segmentation", segmentation(network="unet", train={}), "must be one of fpn, pspnet"),
        ("benchmarks/isic_segmentation", segmentation(network="pspnet", train={"crop": 33}), "a multiple of 32"),
        ("benchmarks/coco_detection", detection("yolov5"), 'detector.network = "yolov5": must be like'),
        (
            "benchmarks/coco_detection",
            detection("darknet:my.cfg"),
            "give either 'yolov3u' or 'darknet:<cfg>,<weights>'",
        ),
        ("benchmarks/coco_detection", detection("yolov3u", train={}), "or 'darknet:<cfg>' with 'train'"),
    ],
)
def test_refused_in_one_line(path, value, message):
    with pytest.raises(UsaidError) as error:
        checked_experiment(set_at(path, value), "my.yaml")
    text = str(error.value)
    assert text.startswith("my.yaml: ")
    assert message.replace('\\"', '"') in text
    assert "\n" not in text


def test_judges_by_name_and_their_defaults():
    config = set_at("benchmarks/voc_segmentation", segmentation(network="fpn", train={}))
    config["benchmarks"]["coco_detection"] = detection("darknet:yolov3,weights/yolov3.weights")
    checked = checked_experiment(config)["benchmarks"]
    assert checked["voc_segmentation"]["longest_side"] is None
    assert checked["voc_segmentation"]["segmenter"]["encoder"] == "resnet101"
    assert checked["coco_detection"]["detector"]["letterbox"] is True
    config["benchmarks"]["coco_detection"] = detection("darknet:miniature", train={"steps": 3})
    config["benchmarks"]["voc_segmentation"] = segmentation(checkpoint="mine.safetensors")
    assert checked_experiment(config)["benchmarks"]["coco_detection"]["detector"]["train"] == {"steps": 3}


def mlp(**entry: object) -> dict:
    """The minimal experiment with an MLP."""
    config = copy.deepcopy(MINIMAL)
    config["denoisers"]["mlp"] = {"method": "mlp", **entry}
    return config


def test_mlp_has_a_recipe_of_its_own_or_the_authors_files():
    filled = checked_experiment(mlp(train={}))["denoisers"]["mlp"]["train"]
    assert filled["hidden"] == [3072, 3072, 2559, 2047]
    assert MLPRecipe(**filled) == MLPRecipe(hidden=[3072, 3072, 2559, 2047], sigmas=[25], milestones=[0.7, 0.9])
    train = {"sigmas": [15, 25.5], "hidden": [64], "input_side": 9, "output_side": 5, "steps": 10}
    assert checked_experiment(mlp(train=train))["denoisers"]["mlp"]["train"].items() >= train.items()
    weights = {"25": "weights/mlp/weights_cvpr.mat", "12.5": "weights/mlp/other.mat"}
    assert checked_experiment(mlp(weights=weights))["denoisers"]["mlp"]["weights"] == weights
    assert checked_experiment(mlp(weights="weights/mlp.safetensors"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "denoisers.mlp: method 'mlp' needs 'weights' or 'train'"),
        ({"train": {"patch": 48}}, "unknown key 'denoisers.mlp.train.patch'; allowed: batch, hidden, images"),
        ({"train": {"sigmas": [0]}}, "denoisers.mlp.train.sigmas.0 = 0: must be > 0"),
        ({"train": {"hidden": []}}, "must be a list of at least 1"),
        ({"weights": {"big": "x.mat"}}, "must be like ^[0-9]+"),
        ({"weights": {}}, "must be not empty"),
        ({"weights": {"25": "x"}, "sha256": "0" * 64}, "'sha256' needs 'weights' that are a single file"),
        ({"weights": "x", "train": {}}, "give either 'weights' or 'train', not both"),
    ],
)
def test_bad_mlp_entries(entry, message):
    with pytest.raises(UsaidError) as error:
        checked_experiment(mlp(**entry), "my.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_only_mlp_has_a_file_for_each_sigma():
    config = copy.deepcopy(MINIMAL)
    config["denoisers"]["u_said"]["weights"] = {"25": "x.pth"}
    with pytest.raises(UsaidError, match=r"weights = .*: must be of type string"):
        checked_experiment(config)


def test_a_denoiser_may_be_scored_on_some_benchmarks_and_sigmas_only():
    config = copy.deepcopy(MINIMAL)
    config["benchmarks"] = {
        "kodak_quality": {"sigmas": [15, 25], "told_sigmas": ["oracle", 25]},
        "voc_quality": {"sigmas": [15]},
    }
    config["denoisers"] |= {"slow": {"method": "cbm3d", "benchmarks": ["kodak_quality"], "sigmas": [25, 50]}}
    checked = checked_experiment(config)
    assert denoisers_of(checked, "kodak_quality") == [*checked["denoisers"]]
    assert denoisers_of(checked, "voc_quality") == [name for name in checked["denoisers"] if name != "slow"]
    assert settings_of(checked, "kodak_quality", "slow")["sigmas"] == [25]
    assert settings_of(checked, "kodak_quality", "u_said")["sigmas"] == [15, 25]
    assert settings_of(checked, "kodak_quality", "slow")["told_sigmas"] == ["oracle", 25]


def trained(method: str = "u_said", **keys: object) -> dict:
    """The minimal experiment with a denoiser that is trained."""
    config = copy.deepcopy(MINIMAL)
    config["denoisers"]["mine"] = {"method": method, "train": keys}
    return config


def test_only_networks_can_be_trained():
    for method in ("noisy", "clean"):
        with pytest.raises(
            UsaidError, match=r"denoisers\.mine\.train: only cdncnn_b, s_said, u_said, mlp can be trained"
        ):
            checked_experiment(trained(method))


@pytest.mark.parametrize("method", ["cdncnn_b", "s_said", "u_said"])
def test_all_keys_of_the_recipe_are_filled_in(method):
    assert checked_experiment(trained(method))["denoisers"]["mine"]["train"] == all_keys({})
    keys = {"recipe": "released_code", "batch": 8, "sigma_range": [25, 25]}
    filled = checked_experiment(trained(method, **keys))
    assert filled["denoisers"]["mine"]["train"] == all_keys(keys)
    assert recipe_from(**filled["denoisers"]["mine"]["train"]) == recipe_from(**keys)
    assert checked_experiment(filled) == filled, "a checked experiment is checked again by the workflow's jobs"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bach": 16}, "bach'; allowed: batch, channels_last, classes"),
        ({"classes": 1}, "classes = 1: must be >= 2"),
        ({"batch": 0}, "batch = 0: must be >= 1"),
        ({"batch": "16"}, 'batch = "16": must be of type integer'),
        ({"patch": 4}, "patch = 4: must be >= 8"),
        ({"learning_rate": 0}, "learning_rate = 0: must be > 0"),
        ({"gradient": "none"}, 'gradient = "none": must be one of attached, detached'),
        ({"segmentation_loss": "dice"}, 'segmentation_loss = "dice": must be one of entropy, focal'),
        ({"loss_stride": 2}, "loss_stride = 2: must be one of 1, 4"),
        ({"encoder": "vgg16"}, 'encoder = "vgg16": must be one of resnet101, efficientnet_lite0'),
        ({"images": "voc2012"}, 'images = "voc2012": must be like ^(voc2012|'),
        ({"sigma_range": [0, 25, 55]}, "sigma_range = [0, 25, 55]: must be a list of at most 2"),
        ({"segmenter_mean": [0.4, 0.5]}, "segmenter_mean = [0.4, 0.5]: must be a list of at least 3"),
        ({"milestones": [10, -1]}, "milestones.1 = -1: must be > 0"),
        ({"recipe": "papr"}, "recipe 'papr': must be one of paper, released_code, or a YAML file of your own"),
    ],
)
def test_bad_training_is_one_line_with_its_place(keys, message):
    with pytest.raises(UsaidError) as error:
        checked_experiment(trained(**keys), "my.yaml")
    text = str(error.value)
    assert message in text
    assert "\n" not in text
    if "recipe" not in keys:
        assert f"denoisers.mine.train.{next(iter(keys))}" in text
    with pytest.raises(UsaidError) as error:
        checked_training(keys)
    assert message in str(error.value)


@pytest.mark.parametrize(("text", "message"), [("classes: 1", "classes = 1: must be >= 2"), ("bach: 3", "unknown key")])
def test_recipe_file_is_checked_like_the_experiment(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text("classes: 2")
    assert checked_training({"recipe": str(path)}) == all_keys({}) | {"recipe": str(path), "classes": 2}
    path.write_text(text)
    with pytest.raises(UsaidError, match=message) as error:
        checked_experiment(trained(recipe=str(path)), "my.yaml")
    assert "\n" not in str(error.value)


# Table II's ablation over K


def ablated(denoiser: str = "mine", classes: object = (2, 21, 60)) -> dict:
    """An experiment that varies K of a U-SAID that is trained with K = 21."""
    config = trained()
    config["benchmarks"]["voc_quality"] = {"sigmas": [15, 50], "draws": 3}
    config["ablation"] = {"denoiser": denoiser, "classes": list(classes)}
    return config


def test_the_ablation_adds_a_variant_for_each_further_k():
    experiment = checked_experiment(ablated())
    own = experiment["denoisers"]["mine"]
    found = variants(experiment)
    assert list(found) == ["mine_k2", "mine_k60"]
    assert found["mine_k60"] == {"method": "u_said", "title": "K = 60", "train": own["train"] | {"classes": 60}}
    assert own["train"]["classes"] == 21, "the entry itself stays as it is"
    assert columns_of_ablation(experiment) == {2: "mine_k2", 21: "mine", 60: "mine_k60"}
    assert variants(checked_experiment(trained())) == {}


def test_entry_of_finds_denoisers_and_variants():
    experiment = checked_experiment(ablated())
    assert entry_of(experiment, "u_said") == {"method": "u_said", "weights": "released/USAID.pth"}
    assert entry_of(experiment, "mine_k2")["train"]["classes"] == 2
    with pytest.raises(KeyError):
        entry_of(experiment, "mine_k21")


def test_variants_are_run_at_the_one_sigma_of_table_ii():
    experiment = checked_experiment(ablated())
    assert settings_of(experiment, "voc_quality", "mine") == {
        "sigmas": [15, 50],
        "draws": 3,
        "told_sigmas": ["oracle"],
        "notes": [],
    }
    assert settings_of(experiment, "voc_quality", "mine_k2")["sigmas"] == [25]
    assert experiment["benchmarks"]["voc_quality"]["sigmas"] == [15, 50]


@pytest.mark.parametrize(
    ("denoiser", "classes", "message"),
    [
        ("u_said", [2], "ablation.denoiser = \"u_said\": must be a denoiser of method u_said with 'train'"),
        ("absent", [2], "ablation.denoiser = \"absent\": must be a denoiser of method u_said with 'train'"),
        ("mine", [2, 1], "ablation.classes.1 = 1: must be >= 2"),
        ("mine", [], "ablation.classes = []: must be a list of at least 1"),
        ("mine", [2, 2], "ablation.classes = [2, 2]: must be without repeated values"),
    ],
)
def test_impossible_ablations_are_refused_in_one_line(denoiser, classes, message):
    with pytest.raises(UsaidError) as error:
        checked_experiment(ablated(denoiser, classes), "my.yaml")
    assert str(error.value) == f"my.yaml: {message}"


def test_the_ablation_is_of_u_said():
    config = ablated()
    config["denoisers"]["mine"]["method"] = "s_said"
    with pytest.raises(UsaidError, match=r'ablation\.denoiser = "mine": must be a denoiser of method u_said'):
        checked_experiment(config)


def test_the_ablation_needs_the_benchmark_of_table_ii():
    config = ablated()
    del config["benchmarks"]["voc_quality"]
    with pytest.raises(UsaidError, match=r"ablation: Table II is made from benchmark voc_quality; add it"):
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
    networks = (schema["$defs"][name] for name in ("classifier", "segmenter", "detector"))
    groups = [schema, *schema["$defs"].values(), *(network["properties"]["train"] for network in networks)]
    keys = {key for group in groups for key in group.get("properties", {})}
    assert {key for key in keys if f"`{key}`" not in text} == set()


def test_hash_ignores_the_order_of_keys():
    assert hash_of_config({"a": 1, "b": 2}) == hash_of_config({"b": 2, "a": 1}) != hash_of_config({"a": 1, "b": 3})
