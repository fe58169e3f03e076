"""Experiment files: what is refused, in one line, and which defaults are filled in."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from snakemake.utils import update_config

from usaid.denoisers.dncnn.recipe import Recipe
from usaid.denoisers.mlp.recipe import MLPRecipe
from usaid.errors import UsaidError
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.experiment import Experiment
from usaid.experiment.model import Settings
from usaid.experiment.reading import as_config, checked_experiment, checked_settings, read_experiment
from usaid.experiment.seeds import without_seed
from usaid.registries import METHODS

CONFIGS = Path(__file__).parents[3] / "config"

MINIMAL: dict[str, Any] = {
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


SHIPPED = (
    *("paper", "released", "released_code", "smoke", "subset", "mine"),
    *("reference_table_4", "reference_metrics"),
)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_experiments_are_valid(name):
    assert read_experiment(CONFIGS / f"{name}.yaml").experiment.split("/")[-1] == name.removeprefix("reference_")


def test_the_demo_with_all_packages_has_one_column_more():
    demo, with_all = (
        read_experiment(*(CONFIGS / f"{name}.yaml" for name in names)) for names in (("smoke",), ("smoke", "smoke_all"))
    )
    assert {*with_all.denoisers} - {*demo.denoisers} == {"cbm3d"}
    assert with_all.model_copy(update={"denoisers": demo.denoisers}) == demo


def test_later_files_override_key_by_key():
    experiment = read_experiment(CONFIGS / "released.yaml", CONFIGS / "reference_released.yaml")
    classifier = experiment.benchmarks["cifar100_classification"].classifier
    assert experiment.experiment == "reference/released"
    assert classifier.network == "resnet56"
    assert classifier.mean == (0.5070, 0.4865, 0.4409)
    assert experiment.benchmarks["kodak_quality"].sigmas == (15, 25, 35)


def test_defaults():
    experiment = checked_experiment(MINIMAL)
    assert experiment.niqe == "niqe_live"
    assert experiment.benchmarks["kodak_quality"].draws == 1
    assert experiment.benchmarks["kodak_quality"].told_sigmas == ("oracle",)
    assert MINIMAL["benchmarks"]["kodak_quality"] == {"sigmas": [25]}


def test_an_experiment_is_never_changed():
    experiment = checked_experiment(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        experiment.niqe = "niqe_matlab"
    with pytest.raises(ValidationError, match="frozen"):
        experiment.benchmarks["kodak_quality"].draws = 2


ABSENT: Any = object()


def set_at(path: str, value: object) -> dict[str, Any]:
    """The minimal experiment with one key changed or, if the value is ABSENT, removed."""
    config = copy.deepcopy(MINIMAL)
    *parents, last = path.split("/")
    place = config
    for key in parents:
        place = place[key]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return config


def refusal(config: dict[str, Any]) -> str:
    """The one line that refuses an experiment."""
    with pytest.raises(UsaidError) as error:
        checked_experiment(config, "my.yaml")
    text = str(error.value)
    assert text.startswith("my.yaml: ")
    assert "\n" not in text
    return text.removeprefix("my.yaml: ")


def segmentation(**segmenter: object) -> dict[str, Any]:
    return {"sigmas": [25], "segmenter": segmenter}


def detection(network: str, **detector: object) -> dict[str, Any]:
    return {"sigmas": [25], "detector": {"network": network, **detector}}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sigmma", 3, "unknown key 'sigmma'; allowed: ablation, allow_failures, benchmarks"),
        ("precison", "float32", "unknown key 'precison' (nearest: 'precision'); allowed: ablation, allow_failures"),
        (
            "denoisers/u_said/wieghts",
            "x",
            "unknown key 'denoisers.u_said.wieghts' (nearest: 'weights'); allowed: adapt, benchmarks, method, options",
        ),
        (
            "benchmarks/kodak_quality/sigmma",
            [25],
            "unknown key 'benchmarks.kodak_quality.sigmma' (nearest: 'sigmas'); allowed: draws",
        ),
        ("data_root", ABSENT, "key 'data_root' is missing"),
        ("benchmarks/kodak_quality", {}, "key 'benchmarks.kodak_quality.sigmas' is missing"),
        ("benchmarks/cifar100_classification", {"sigmas": [25]}, "cifar100_classification.classifier' is missing"),
        ("data_root", "", 'data_root = "": must be not empty'),
        ("niqe", "brisque", 'niqe = "brisque": must be one of niqe_live, niqe_matlab, niqe_fitted'),
        ("benchmarks/kodak_quality/sigmas", [15, -1], "benchmarks.kodak_quality.sigmas.1 = -1: must be >= 0"),
        ("benchmarks/kodak_quality/sigmas", [], "must be a list of at least 1"),
        ("benchmarks/kodak_quality/sigmas", [25, 25], "without repeated values"),
        ("benchmarks/kodak_quality/sigmas", "25", 'sigmas = "25": must be of type array'),
        ("benchmarks/kodak_quality/draws", 0, "benchmarks.kodak_quality.draws = 0: must be >= 1"),
        (
            "benchmarks/kodak_quality/told_sigmas",
            ["oracle", 0],
            "told_sigmas.1 = 0: must be oracle, or a noise level > 0",
        ),
        (
            "benchmarks/kodak_quality/told_sigmas",
            ["truth"],
            'told_sigmas.0 = "truth": must be oracle, or a noise level > 0',
        ),
        ("benchmarks/kodak_quality/told_sigmas", [256], "told_sigmas.0 = 256: must be oracle, or a noise level > 0"),
        ("benchmarks/kodak_quality/told_sigmas", [25, 25.0], "without repeated values"),
        ("benchmarks/kodak_quality/sigmas", [256], "benchmarks.kodak_quality.sigmas.0 = 256: must be <= 255"),
        ("benchmarks/kodak_quality/subset", "", 'benchmarks.kodak_quality.subset = "": must be not empty'),
        ("benchmarks/kodak_quality/notes", "a sentence", 'notes = "a sentence": must be of type array'),
        ("benchmarks/kodak_quality/longest_side", 31, "benchmarks.kodak_quality.longest_side = 31: must be >= 32"),
        ("benchmarks/kodak_quality/shards", 0, "benchmarks.kodak_quality.shards = 0: must be >= 1"),
        ("benchmarks/kodak_quality/shards", 10**9, "benchmarks.kodak_quality.shards = 1000000000: must be <= 1000"),
        ("benchmarks/kodak_quality/shards", 2.0, "benchmarks.kodak_quality.shards = 2.0: must be of type integer"),
        ("benchmarks/kodak_quality/longest_side", 64, "longest_side: only images with label maps are made smaller"),
        ("benchmarks/kodak_quality/metrics", ["mse"], 'kodak_quality.metrics.0 = "mse": must be one of psnr, ssim'),
        ("benchmarks/kodak_quality", 3, "benchmarks.kodak_quality = 3: must be of type object"),
        ("benchmarks", {}, "benchmarks = {}: must be not empty"),
        ("benchmarks", [], "benchmarks = []: must be of type object"),
        ("denoisers", {}, "denoisers = {}: must be not empty"),
        ("denoisers", [], "denoisers = []: must be of type object"),
        ("denoisers/u_said", "u_said", 'denoisers.u_said = "u_said": must be of type object'),
        ("denoisers/u_said/benchmarks", [], "denoisers.u_said.benchmarks = []: must be a list of at least 1"),
        ("denoisers/u_said/sigmas", [], "denoisers.u_said.sigmas = []: must be a list of at least 1"),
        ("denoisers/u_said/options", [1], "denoisers.u_said.options = [1]: must be of type object"),
        ("denoisers/u_said/title", "", 'denoisers.u_said.title = "": must be not empty'),
        ("denoisers/u_said/weights", 3, "denoisers.u_said.weights = 3: must be of type string"),
        ("denoisers/u_said/weights", "", 'denoisers.u_said.weights = "": must be not empty'),
        ("denoisers/u_said/method", ABSENT, "key 'denoisers.u_said.method' is missing"),
        ("denoisers/u_said/method", "U SAID", 'denoisers.u_said.method = "U SAID": must be one of noisy, clean'),
        ("denoisers/u_said/method", "my module:Own", "or your own as file.py:Name"),
        ("notes", [1], "notes.0 = 1: must be of type string"),
        ("device", "gpu", 'device = "gpu": must be like ^(auto|cpu|cuda'),
        ("precision", "float16", 'precision = "float16": must be one of float32, tf32, bfloat16, auto'),
        ("data_source", "real", 'data_source = "real": must be one of official, miniature'),
        ("data_source", "miniature", 'data_root = "data": must lie below results/ with data_source miniature'),
        ("subsets", {"voc2012/val": ""}, 'subsets.voc2012/val = "": must be not empty'),
        ("subsets", {"voc2012/test": "x"}, "unknown key 'subsets.voc2012/test' (nearest: 'voc2012/train'); allowed:"),
        ("ablation", {"denoiser": "u_said"}, "key 'ablation.classes' is missing"),
        ("convergence", {"crop": 31}, "convergence.crop = 31: must be"),
        ("convergence", {"crop": 30}, "convergence.crop = 30: must be >= 32"),
        ("convergence", {"crop": 33}, "convergence.crop = 33: must be a multiple of 2"),
        ("convergence", {"batch": 0}, "convergence.batch = 0: must be >= 1"),
        ("convergence", {"steps": 0}, "convergence.steps = 0: must be >= 1"),
        ("convergence", {"learning_rate": 0}, "convergence.learning_rate = 0: must be > 0"),
        ("convergence", {"precision": "half"}, 'precision = "half": must be one of float32, tf32, bfloat16'),
        ("convergence", {"seed": -1}, "convergence.seed = -1: must be >= 0"),
        ("convergence", {"encoder": "vgg"}, 'encoder = "vgg": must be one of resnet101, efficientnet_lite0'),
        ("convergence", {"encoder_weights": ""}, 'convergence.encoder_weights = "": must be not empty'),
        ("benchmarks/kodak_quality/told_sigmas", [], "must be a list of at least 1"),
        ("denoisers/u_said/benchmarks", ["kodak"], 'benchmarks.0 = "kodak": must be one of voc_quality'),
        ("denoisers/u_said/sigmas", [15], "denoisers.u_said.sigmas = [15]: none is among kodak_quality's [25]"),
        ("benchmarks/imagenet", {}, "unknown key 'benchmarks.imagenet'"),
        ("denoisers/u_said/method", "bm4d", 'denoisers.u_said.method = "bm4d": must be one of noisy, clean'),
        ("denoisers/u_said/sha256", "abc", r"denoisers.u_said.sha256 = \"abc\": must be like"),
        ("denoisers/u_said/train", {}, "denoisers.u_said: give either 'weights' or 'train', not both"),
        ("denoisers/U-SAID", {"method": "noisy"}, '"U-SAID": must be like'),
        ("subsets", {"voc/val": "x"}, "unknown key 'subsets.voc/val'"),
        ("experiment", "../evil", "experiment = "),
        ("benchmarks/cifar100_classification/classifier/network", "vgg", "must be one of resnet8, resnet20"),
        (
            "benchmarks/cifar100_classification/classifier/mean",
            ABSENT,
            "give either 'checkpoint' with 'mean' and 'std'",
        ),
        ("benchmarks/cifar100_classification/classifier/mean", [0, 0], "mean = [0, 0]: must be a list of at least 3"),
        ("benchmarks/cifar100_classification/classifier/std", [1, 1, 2], "classifier.std.2 = 2: must be <= 1"),
        ("benchmarks/cifar100_classification/classifier/train", {}, "give either 'checkpoint' with 'mean' and 'std'"),
        ("benchmarks/cifar100_classification/classifier/train", {"epochs": 0}, "train.epochs = 0: must be >= 1"),
        ("benchmarks/cifar100_classification/classifier/train", {"optimizer": "adam"}, "must be one of sgd, adamw"),
        (
            "benchmarks/voc_segmentation",
            segmentation(network="fpn"),
            "segmenter: give either 'checkpoint', or 'network'",
        ),
        ("benchmarks/voc_segmentation", segmentation(checkpoint="f", train={}), "give either 'checkpoint', or"),
        (
            "benchmarks/voc_segmentation",
            segmentation(network="unet", train={}),
            "must be one of fpn, fpn_plain, pspnet",
        ),
        ("benchmarks/isic_segmentation", segmentation(network="pspnet", train={"crop": 33}), "a multiple of 32"),
        (
            "benchmarks/isic_segmentation",
            segmentation(network="pspnet", train={"crop": 0}),
            "train.crop = 0: must be >= 32",
        ),
        ("benchmarks/isic_segmentation", segmentation(network="pspnet", train={"batch": 0}), "batch = 0: must be >= 1"),
        (
            "benchmarks/isic_segmentation",
            segmentation(network="pspnet", train={"momentum": 2}),
            "momentum = 2: must be <= 1",
        ),
        (
            "benchmarks/isic_segmentation",
            segmentation(network="pspnet", train={"power": -1}),
            "power = -1: must be >= 0",
        ),
        ("benchmarks/isic_segmentation", segmentation(network="pspnet", train={"scale_range": [1, 0]}), "must be > 0"),
        ("benchmarks/isic_segmentation", segmentation(network="pspnet", train={"scale_range": [1]}), "at least 2"),
        ("benchmarks/isic_segmentation", segmentation(train={}), "give either 'checkpoint', or 'network' with 'train'"),
        ("benchmarks/coco_detection", detection("yolov5"), 'detector.network = "yolov5": must be like'),
        (
            "benchmarks/coco_detection",
            detection("darknet:my.cfg"),
            "give either 'yolov3u' or 'darknet:<cfg>,<weights>'",
        ),
        ("benchmarks/coco_detection", detection("yolov3u", train={}), "or 'darknet:<cfg>' with 'train'"),
        ("benchmarks/coco_detection", detection("darknet:m", train={"jitter": 0.5}), "jitter = 0.5: must be < 0.5"),
        ("benchmarks/coco_detection", detection("darknet:m", train={"colour": -1}), "colour = -1: must be >= 0"),
        (
            "benchmarks/coco_detection",
            detection("darknet:m", train={"milestones": [0]}),
            "milestones.0 = 0: must be > 0",
        ),
    ],
)
def test_refused_in_one_line(path, value, message):
    assert message.replace('\\"', '"') in refusal(set_at(path, value))


NUMBERS = {
    "batch: 16.5": "batch = 16.5: must be of type integer",
    "batch: 16.0": "batch = 16.0: must be of type integer",
    "batch: true": "batch = true: must be of type integer",
    'batch: "16"': 'batch = "16": must be of type integer; write it without quotes',
    "learning_rate: true": "learning_rate = true: must be of type number",
    "learning_rate: 2e1": 'learning_rate = "2e1": must be of type number; YAML takes it for text: write 20.0 or 2.0e+1',
    "learning_rate: 1e-5": 'learning_rate = "1e-5": must be of type number; YAML takes it for text: write 1.0e-5',
    "learning_rate: fast": 'learning_rate = "fast": must be of type number',
    "learning_rate: nan": 'learning_rate = "nan": must be of type number',
    "learning_rate: .nan": "learning_rate = nan: must be a finite number",
    "learning_rate: .inf": "learning_rate = inf: must be a finite number",
    "flip: 1": "flip = 1: must be of type boolean",
    'flip: "true"': 'flip = "true": must be of type boolean',
    "loss_stride: true": "loss_stride = true: must be of type integer",
    "loss_stride: 1.0": "loss_stride = 1.0: must be of type integer",
    "recipe: 2026-01-01": "recipe = 2026-01-01: YAML takes it for a date; put it in quotes",
    "yes: 1": "True: YAML takes this key for true; put it in quotes",
    "null: 1": "None: YAML takes this key for null; put it in quotes",
    "2026-01-01: 1": '2026-01-01: YAML takes this key for "2026-01-01"; put it in quotes',
    "1: 1": "1'; allowed: batch, channels_last",
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_and_flags_are_taken_as_yaml_has_them(text):
    line = refusal(
        trained(**{"keys": ...}) | {"denoisers": {"mine": {"method": "u_said", "train": yaml.safe_load(text)}}}
    )
    assert line.removeprefix("unknown key '").startswith("denoisers.mine.train.")
    assert line.endswith(NUMBERS[text]) or NUMBERS[text] in line


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_option_is_infinite(value):
    assert refusal(set_at("denoisers/u_said/options", {"a": [value]})) == (
        f"denoisers.u_said.options.a.0 = {value}: must be a finite number"
    )


class Several(Settings):
    """Settings as an installed package may have them: a key that is of several types."""

    value: int | list[int] | dict[str, int] | MLPRecipe


@pytest.mark.parametrize("value", ["x", [1.5], {"a": "x"}, None, {"steps": "many"}, [[1]]])
def test_no_message_shows_how_types_are_called_inside(value):
    with pytest.raises(UsaidError) as error:
        checked_settings(Several, {"value": value}, "my.yaml")
    line = str(error.value)
    assert re.match(r"my\.yaml: (unknown key 'value\.\w+'|value(\.\w+)* = .*: must be \w)", line)
    assert not re.search(r"dict\[|list\[|MLPRecipe|union|valid", line)


def test_a_long_value_is_cut_short():
    line = refusal(set_at("benchmarks/kodak_quality/sigmas", "x" * 1000))
    assert len(line) < 200
    assert line.endswith("...: must be of type array")


def test_judges_by_name_and_their_defaults():
    config = set_at("benchmarks/voc_segmentation", segmentation(network="fpn", train={}))
    config["benchmarks"]["coco_detection"] = detection("darknet:yolov3,weights/yolov3.weights")
    checked = checked_experiment(config).benchmarks
    assert checked["voc_segmentation"].longest_side is None
    assert checked["voc_segmentation"].segmenter.encoder == "resnet101"
    assert checked["voc_segmentation"].segmenter.train.steps == 7320
    assert checked["coco_detection"].detector.letterbox is True
    config["benchmarks"]["coco_detection"] = detection("darknet:miniature", train={"steps": 3})
    config["benchmarks"]["voc_segmentation"] = segmentation(checkpoint="mine.safetensors")
    assert checked_experiment(config).benchmarks["coco_detection"].detector.train.steps == 3


def test_what_a_judge_reads_from_disk():
    config = set_at("benchmarks/voc_segmentation", segmentation(network="fpn", train={}))
    config["benchmarks"]["coco_detection"] = detection("darknet:yolov3,weights/yolov3.weights")
    config["benchmarks"]["isic_segmentation"] = segmentation(checkpoint="mine.safetensors")
    experiment = checked_experiment(config)
    assert {name: entry.judge_file(name, experiment.places) for name, entry in experiment.benchmarks.items()} == {
        "kodak_quality": "data/niqe/niqe_live_pris_params.npz",
        "cifar100_classification": "data/c.pth",
        "voc_segmentation": "results/mine/weights/voc_segmentation.safetensors",
        "coco_detection": "data/weights/yolov3.weights",
        "isic_segmentation": "data/mine.safetensors",
    }
    assert [name for name, entry in experiment.benchmarks.items() if entry.is_trained] == ["voc_segmentation"]
    assert (
        checked_experiment(config | {"niqe": "niqe_fitted"})
        .benchmarks["kodak_quality"]
        .judge_file("kodak_quality", checked_experiment(config | {"niqe": "niqe_fitted"}).places)
        == "results/mine/weights/niqe_fitted.npz"
    )


# What null says in a later file


def layered(tmp_path: Path, later: str, earlier: dict[str, Any] | None = None) -> Experiment:
    """The minimal experiment under a later file."""
    (tmp_path / "first.yaml").write_text(yaml.safe_dump(earlier or ablated()), encoding="utf-8")
    (tmp_path / "later.yaml").write_text(later, encoding="utf-8")
    return read_experiment(tmp_path / "first.yaml", tmp_path / "later.yaml")


def test_null_removes_an_entry(tmp_path):
    whole = layered(tmp_path, "convergence: {}")
    assert {"u_said", "mine"} == set(whole.denoisers)
    assert whole.ablation is not None
    assert whole.convergence is not None
    fewer = layered(tmp_path, "{denoisers: {u_said: null}, benchmarks: {kodak_quality: null}, ablation: null}")
    assert list(fewer.denoisers) == ["mine"]
    assert list(fewer.benchmarks) == ["cifar100_classification", "voc_quality"]
    assert fewer.ablation is None
    config = ablated() | {"convergence": {}, "subsets": {"voc2012/val": "x.txt"}}
    assert layered(tmp_path, "convergence: null", config).convergence is None
    assert layered(tmp_path, "subsets: {voc2012/val: null}", config).subsets == {}


def test_null_removes_an_entry_when_snakemake_lays_the_files_over_one_another():
    merged = ablated()
    update_config(merged, {"denoisers": {"u_said": None}, "benchmarks": {"voc_quality": None}, "ablation": None})
    experiment = checked_experiment(merged)
    assert list(experiment.denoisers) == ["mine"]
    assert "voc_quality" not in experiment.benchmarks
    assert experiment.ablation is None


def test_null_removes_a_key_of_an_entry(tmp_path):
    entry = layered(tmp_path, "denoisers: {u_said: {weights: null, train: {recipe: paper}}}").denoisers["u_said"]
    assert entry.weights is None
    assert entry.train is not None


@pytest.mark.parametrize(
    "null", ["denoisers: {absent: null}", "benchmarks: {coco_detection: null}", "ablation: null", "draws: null"]
)
def test_null_may_remove_what_is_not_there(tmp_path, null):
    assert layered(tmp_path, null, MINIMAL) == checked_experiment(MINIMAL)


def test_null_is_a_value_where_it_means_something(tmp_path):
    config = ablated()
    config["benchmarks"]["isic_segmentation"] = {"longest_side": 512} | segmentation(network="pspnet", train={})
    later = "{benchmarks: {isic_segmentation: {longest_side: null, segmenter: {encoder_weights: null}}}}"
    settings = layered(tmp_path, later, config).benchmarks["isic_segmentation"]
    assert (settings.longest_side, settings.segmenter.encoder_weights) == (None, None)


@pytest.mark.parametrize("key", ["data_root", "experiment", "niqe", "device", "denoisers", "benchmarks"])
def test_null_does_not_stand_for_what_has_to_be_there(key):
    assert refusal(MINIMAL | {key: None}).startswith(f"{key} = null: must be ")


def test_null_removes_an_unknown_benchmark_no_more_than_it_adds_one():
    assert "unknown key 'benchmarks.imagenet'" in refusal(set_at("benchmarks/imagenet", None))


def mlp(**entry: object) -> dict[str, Any]:
    """The minimal experiment with an MLP."""
    config = copy.deepcopy(MINIMAL)
    config["denoisers"]["mlp"] = {"method": "mlp", **entry}
    return config


def test_mlp_has_a_recipe_of_its_own_or_the_authors_files():
    recipe = checked_experiment(mlp(train={})).denoisers["mlp"].train
    assert recipe == MLPRecipe(hidden=[3072, 3072, 2559, 2047], sigmas=[25], milestones=[0.7, 0.9])
    train = {"sigmas": [15, 25.5], "hidden": [64], "input_side": 9, "output_side": 5, "steps": 10}
    assert checked_experiment(mlp(train=train)).denoisers["mlp"].train.model_dump(mode="json").items() >= train.items()
    weights = {"25": "weights/mlp/weights_cvpr.mat", "12.5": "weights/mlp/other.mat"}
    assert checked_experiment(mlp(weights=weights)).denoisers["mlp"].weights == weights
    numbers = {25: "weights/mlp/weights_cvpr.mat", 12.5: "weights/mlp/other.mat"}
    assert checked_experiment(mlp(weights=numbers)).denoisers["mlp"].weights == weights
    assert checked_experiment(mlp(weights="weights/mlp.safetensors"))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "denoisers.mlp: method 'mlp' needs 'weights' or 'train'"),
        (
            {"train": {"patch": 48}},
            "unknown key 'denoisers.mlp.train.patch' (nearest: 'batch'); allowed: batch, hidden",
        ),
        ({"train": {"sigmas": [0]}}, "denoisers.mlp.train.sigmas.0 = 0: must be > 0"),
        ({"train": {"hidden": []}}, "must be a list of at least 1"),
        ({"weights": {"big": "x.mat"}}, "must be like ^[0-9]+"),
        ({"weights": {}}, "must be not empty"),
        ({"weights": {"25": 3}}, "denoisers.mlp.weights.25 = 3: must be of type string"),
        ({"weights": []}, "denoisers.mlp.weights = []: must be of type string"),
        ({"train": {"sigmas": [25, 25]}}, "must be without repeated values"),
        ({"train": {"input_side": 0}}, "denoisers.mlp.train.input_side = 0: must be >= 1"),
        ({"train": {}, "sha256": "0" * 64}, "denoisers.mlp: 'sha256' needs 'weights'"),
        ({"weights": {"25": "x"}, "sha256": "0" * 64}, "'sha256' needs 'weights' that are a single file"),
        ({"weights": "x", "train": {}}, "give either 'weights' or 'train', not both"),
    ],
)
def test_bad_mlp_entries(entry, message):
    assert message in refusal(mlp(**entry))


def test_only_mlp_has_a_file_for_each_sigma():
    config = copy.deepcopy(MINIMAL)
    config["denoisers"]["u_said"]["weights"] = {"25": "x.pth"}
    assert refusal(config) == (
        'denoisers.u_said.weights = {"25": "x.pth"}: must be of type string; '
        "only mlp can have a file for each noise level"
    )
    config["denoisers"]["u_said"]["method"] = "mine:Own"
    assert "must be of type string" in refusal(config)


def test_a_denoiser_may_be_scored_on_some_benchmarks_and_sigmas_only():
    config = copy.deepcopy(MINIMAL)
    config["benchmarks"] = {
        "kodak_quality": {"sigmas": [15, 25], "told_sigmas": ["oracle", 25]},
        "voc_quality": {"sigmas": [15]},
    }
    config["denoisers"] |= {"slow": {"method": "cbm3d", "benchmarks": ["kodak_quality"], "sigmas": [25, 50]}}
    checked = checked_experiment(config)
    assert checked.denoisers_of("kodak_quality") == [*checked.denoisers]
    assert checked.denoisers_of("voc_quality") == [name for name in checked.denoisers if name != "slow"]
    assert checked.settings_of("kodak_quality", "slow").sigmas == (25,)
    assert checked.settings_of("kodak_quality", "u_said").sigmas == (15, 25)
    assert checked.settings_of("kodak_quality", "slow").told_sigmas == ("oracle", 25)


def test_sigmas_are_compared_as_numbers_and_shown_as_written():
    config = set_at("denoisers/u_said/sigmas", [15, 12.5])
    cure = "add one there, or name the 'benchmarks' that have them"
    assert refusal(config) == f"denoisers.u_said.sigmas = [15, 12.5]: none is among kodak_quality's [25]; {cure}"
    config["denoisers"]["u_said"]["sigmas"] = [25.0]
    assert checked_experiment(config).settings_of("kodak_quality", "u_said").sigmas == (25,)


def test_a_benchmark_of_other_sigmas_is_left_out_unless_it_is_asked_for():
    config = copy.deepcopy(MINIMAL)
    config["benchmarks"] |= {"voc_quality": {"sigmas": [15, 25]}}
    config["denoisers"]["u_said"]["sigmas"] = [15]
    experiment = checked_experiment(config)
    assert experiment.denoisers_of("voc_quality") == [*experiment.denoisers]
    assert "u_said" not in experiment.denoisers_of("kodak_quality")
    config["denoisers"]["u_said"]["benchmarks"] = ["voc_quality", "kodak_quality"]
    assert "none is among kodak_quality's [25]; add one there, or name the 'benchmarks'" in refusal(config)


FROM_EARLIER = {
    "experiment": "mine",
    "data_root": "data",
    "compare_with": "released",
    "denoisers": {"mine": {"method": "cbm3d"}},
    "benchmarks": {"kodak_quality": {"sigmas": [25]}},
}


def test_compare_with_adds_the_papers_columns_before_ones_own():
    experiment = checked_experiment(FROM_EARLIER)
    assert [*experiment.denoisers] == ["noisy", "cdncnn_b", "s_said", "u_said", "clean", "mine"]
    assert {entry.scores_from for entry in experiment.denoisers.values()} == {"released", None}
    assert checked_experiment(as_config(experiment)) == experiment
    assert "scores_from" not in experiment.denoisers["mine"].as_record()


def test_ones_own_entry_stands_in_place_of_an_earlier_one_and_null_leaves_it_out():
    own = {"u_said": {"method": "u_said", "weights": "USAID.pth"}, "s_said": None, "mine": {"method": "cbm3d"}}
    experiment = checked_experiment(FROM_EARLIER | {"denoisers": own})
    assert [*experiment.denoisers] == ["noisy", "cdncnn_b", "clean", "u_said", "mine"]
    assert experiment.denoisers["u_said"].scores_from is None
    assert experiment.left_out == ("s_said",)
    assert checked_experiment(as_config(experiment)) == experiment


def test_earlier_scores_are_taken_as_they_are():
    entry = {"method": "u_said", "scores_from": "released", "weights": "USAID.pth"}
    config = FROM_EARLIER | {"denoisers": {"u_said": entry}}
    assert "'scores_from' takes scores as they are; drop 'weights'" in refusal(config)
    draws = FROM_EARLIER | {"draws": {"denoisers": ["u_said"]}}
    assert "has its scores from an earlier run, which are of no further draws; drop it" in refusal(draws)


def test_a_list_of_ids_is_of_a_split_or_of_one_benchmark():
    config = MINIMAL | {"subsets": {"kodak/all": "few.txt"}}
    experiment = checked_experiment(config)
    assert experiment.subset_of("kodak", "all") == experiment.subset_of("kodak", "all", "kodak_quality") == "few.txt"
    config = copy.deepcopy(config)
    config["benchmarks"]["kodak_quality"]["subset"] = "fewer.txt"
    experiment = checked_experiment(config)
    assert experiment.subset_of("kodak", "all") == "few.txt"
    assert experiment.subset_of("kodak", "all", "kodak_quality") == "fewer.txt"
    assert experiment.subset_of("cifar100", "train", "cifar100_classification") is None


def test_require_names_what_there_is():
    experiment = checked_experiment(MINIMAL)
    experiment.require("denoisers", "u_said")
    with pytest.raises(UsaidError, match=r"^'mlp' is not among the experiment's denoisers: u_said$"):
        experiment.require("denoisers", "mlp")
    with pytest.raises(
        UsaidError, match="'voc_quality' is not among the experiment's benchmarks: kodak_quality, cifar"
    ):
        experiment.require("benchmarks", "voc_quality")


def trained(method: str = "u_said", **keys: object) -> dict[str, Any]:
    """The minimal experiment with a denoiser that is trained."""
    config = copy.deepcopy(MINIMAL)
    config["denoisers"]["mine"] = {"method": method, "train": keys}
    return config


def test_only_networks_can_be_trained():
    for method in ("noisy", "clean", "cbm3d"):
        networks = ", ".join(name for name, card in METHODS.items() if card.recipe)
        message = f"denoisers.mine.train: only {networks} can be trained"
        assert refusal(trained(method)) == message


def test_an_own_class_may_be_trained_by_keys_of_its_own():
    entry = checked_experiment(trained("my.module:Own", width=3, seed=1)).denoisers["mine"]
    assert entry.train.model_dump() == {"images": "voc2012/train", "seed": 1, "width": 3}
    assert entry.card.training == "my.module:Own.train"
    assert "denoisers.mine.train.seed = -1: must be >= 0" in refusal(trained("my.module:Own", seed=-1))
    assert "denoisers.mine.train.images = " in refusal(trained("my.module:Own", images="mine/train"))


@pytest.mark.parametrize("method", ["cdncnn_b", "s_said", "u_said"])
def test_all_keys_of_the_recipe_are_filled_in(method):
    assert checked_experiment(trained(method)).denoisers["mine"].train == Recipe(recipe="paper")
    keys = {"recipe": "released_code", "batch": 8, "sigma_range": [25, 25]}
    experiment = checked_experiment(trained(method, **keys))
    recipe = experiment.denoisers["mine"].train
    assert recipe == Recipe(**keys)
    assert (recipe.batch, recipe.sigma_range, recipe.segmentation_loss) == (8, (25, 25), "focal")
    assert checked_experiment(as_config(experiment)) == experiment, "it is checked again by the workflow's jobs"


def test_shards_are_about_work_and_not_for_jobs_that_score_whole_data_sets():
    config = set_at("benchmarks/kodak_quality/shards", 4)
    experiment = checked_experiment(config)
    assert experiment.sha256 == checked_experiment(MINIMAL).sha256
    assert "shards" not in experiment.benchmarks["kodak_quality"].of_scores()
    assert checked_experiment(as_config(experiment)).benchmarks["kodak_quality"].shards == 4
    assert refusal(config | {"score_jobs": "data_set"}).endswith(
        "benchmarks.kodak_quality.shards = 4: one job makes all score files of a data set (score_jobs: data_set); "
        "drop one of the two keys"
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_a_checked_experiment_is_checked_again_by_the_workflows_jobs(name):
    experiment = read_experiment(CONFIGS / f"{name}.yaml")
    again = checked_experiment(as_config(experiment))
    assert again == experiment
    assert again.sha256 == experiment.sha256


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bach": 16}, "bach' (nearest: 'batch'); allowed: batch, channels_last, classes"),
        ({"depth": 2}, "depth = 2: must be >= 3"),
        ({"features": 0}, "features = 0: must be >= 1"),
        ({"patches_per_image": 0}, "patches_per_image = 0: must be > 0"),
        ({"patches_drawn": "twice"}, 'patches_drawn = "twice": must be one of each_step, once'),
        ({"sigma_range": [0, 256]}, "sigma_range.1 = 256: must be <= 255"),
        ({"epochs": 0}, "epochs = 0: must be > 0"),
        ({"steps": 0}, "steps = 0: must be >= 1"),
        ({"mse_reduction": "sum"}, 'mse_reduction = "sum": must be one of half_sum, mean'),
        ({"mse_weight": -1}, "mse_weight = -1: must be >= 0"),
        ({"segmentation_weight": -1}, "segmentation_weight = -1: must be >= 0"),
        ({"focal_gamma": -1}, "focal_gamma = -1: must be >= 0"),
        ({"head": "fixed"}, 'head = "fixed": must be one of learnable, frozen'),
        ({"encoder_weights": ""}, 'encoder_weights = "": must be not empty'),
        ({"segmenter_std": [1, 1, 1.5]}, "segmenter_std.2 = 1.5: must be <= 1"),
        ({"segmenter_batchnorm": "frozen"}, 'segmenter_batchnorm = "frozen": must be one of running, batch'),
        ({"precision": "float16"}, 'precision = "float16": must be one of float32, tf32, bfloat16'),
        ({"compile": "no"}, 'compile = "no": must be of type boolean'),
        ({"seed": -1}, "seed = -1: must be >= 0"),
        ({"images": "imagenet/train"}, 'images = "imagenet/train": must be one of voc2012/train'),
        ({"classes": 1}, "classes = 1: must be >= 2"),
        ({"batch": 0}, "batch = 0: must be >= 1"),
        ({"batch": "16"}, 'batch = "16": must be of type integer'),
        ({"patch": 4}, "patch = 4: must be >= 8"),
        ({"learning_rate": 0}, "learning_rate = 0: must be > 0"),
        ({"gradient": "none"}, 'gradient = "none": must be one of attached, detached'),
        ({"segmentation_loss": "dice"}, 'segmentation_loss = "dice": must be one of entropy, focal'),
        ({"loss_stride": 2}, "loss_stride = 2: must be one of 1, 4"),
        ({"encoder": "vgg16"}, 'encoder = "vgg16": must be one of resnet101, efficientnet_lite0'),
        ({"images": "voc2012"}, 'images = "voc2012": must be one of voc2012/train, voc2012/val'),
        ({"sigma_range": [0, 25, 55]}, "sigma_range = [0, 25, 55]: must be a list of at most 2"),
        ({"segmenter_mean": [0.4, 0.5]}, "segmenter_mean = [0.4, 0.5]: must be a list of at least 3"),
        ({"milestones": [10, -1]}, "milestones.1 = -1: must be > 0"),
        ({"recipe": "papr"}, "recipe 'papr': must be one of paper, released_code, or a YAML file of your own"),
    ],
)
def test_bad_training_is_one_line_with_its_place(keys, message):
    text = refusal(trained(**keys))
    assert message in text
    if "recipe" not in keys:
        assert f"denoisers.mine.train.{next(iter(keys))}" in text
    with pytest.raises(UsaidError) as error:
        checked_settings(Recipe, keys, "train")
    assert message in str(error.value)


@pytest.mark.parametrize(("text", "message"), [("classes: 1", "classes = 1: must be >= 2"), ("bach: 3", "unknown key")])
def test_recipe_file_is_checked_like_the_experiment(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text("classes: 2")
    expected = Recipe(recipe="paper").model_dump() | {"recipe": str(path), "classes": 2}
    assert checked_settings(Recipe, {"recipe": str(path)}, "train").model_dump() == expected
    path.write_text(text)
    line = refusal(trained(recipe=str(path)))
    assert message in line
    assert line.startswith("denoisers.mine.train") or f"'denoisers.mine.train.{text.split(':')[0]}'" in line


# Table II's ablation over K


def ablated(denoiser: str = "mine", classes: tuple[int, ...] | list[int] = (2, 21, 60)) -> dict[str, Any]:
    """An experiment that varies K of a U-SAID that is trained with K = 21."""
    config = trained()
    config["benchmarks"]["voc_quality"] = {"sigmas": [15, 25, 50], "draws": 3}
    config["ablation"] = {"denoiser": denoiser, "classes": list(classes)}
    return config


def test_the_ablation_adds_a_variant_for_each_further_k():
    experiment = checked_experiment(ablated())
    own = experiment.denoisers["mine"]
    assert list(experiment.variants) == ["mine_k2", "mine_k60"]
    recipe = own.train.model_dump(mode="json") | {"classes": 60}
    assert experiment.variants["mine_k60"].as_record() == {"method": "u_said", "title": "K = 60", "train": recipe}
    assert own.train.classes == 21, "the entry itself stays as it is"
    assert experiment.columns_of_ablation == {2: "mine_k2", 21: "mine", 60: "mine_k60"}
    assert checked_experiment(trained()).variants == {}
    assert checked_experiment(trained()).columns_of_ablation == {}


def test_entries_are_denoisers_and_variants():
    experiment = checked_experiment(ablated())
    assert experiment.entries["u_said"].as_record() == {"method": "u_said", "weights": "released/USAID.pth"}
    assert experiment.entries["mine_k2"].train.classes == 2
    assert "mine_k21" not in experiment.entries


def test_variants_are_run_at_the_one_sigma_of_table_ii():
    experiment = checked_experiment(ablated())
    assert experiment.settings_of("voc_quality", "mine") == experiment.benchmarks["voc_quality"]
    assert experiment.benchmarks["voc_quality"].model_dump(mode="json") == {
        "sigmas": [15, 25, 50],
        "draws": 3,
        "told_sigmas": ["oracle"],
        "subset": None,
        "longest_side": None,
        "notes": [],
        "shards": 1,
        "metrics": [],
    }
    assert experiment.settings_of("voc_quality", "mine_k2").sigmas == (25,)
    assert experiment.benchmarks["voc_quality"].sigmas == (15, 25, 50)


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
    assert refusal(ablated(denoiser, classes)) == message


def test_the_ablation_needs_its_denoiser_at_the_sigma_of_table_ii():
    config = ablated()
    config["benchmarks"]["voc_quality"]["sigmas"] = [15, 50]
    message = "ablation: Table II is of sigma 25, at which mine is not scored on voc_quality; add it to 'sigmas'"
    assert refusal(config) == message
    config["ablation"]["classes"] = [2, 60]
    assert list(checked_experiment(config).variants) == ["mine_k2", "mine_k60"], "its own K is no column"


def test_a_denoiser_cannot_have_the_name_of_a_column_that_it_is_not():
    config = ablated()
    config["denoisers"]["mine_k2"] = {"method": "noisy"}
    assert refusal(config).startswith(
        "denoisers.mine_k2: has the name of the column K = 2 of Table II, but not trained as"
    )
    config["denoisers"]["mine_k2"] = {"method": "u_said", "train": {"classes": 2}}
    assert list(checked_experiment(config).variants) == ["mine_k60"]


def test_a_denoiser_cannot_have_the_weights_of_a_judge():
    config = set_at("benchmarks/voc_segmentation", segmentation(network="fpn", train={}))
    config["denoisers"]["voc_segmentation"] = {"method": "u_said", "weights": "w.pth"}
    assert "its weights and those of the judge of that name are one file" in refusal(config)


def test_the_ablation_is_of_u_said():
    config = ablated()
    config["denoisers"]["mine"]["method"] = "s_said"
    assert refusal(config).startswith('ablation.denoiser = "mine": must be a denoiser of method u_said')


def test_the_ablation_needs_the_benchmark_of_table_ii():
    config = ablated()
    del config["benchmarks"]["voc_quality"]
    assert refusal(config) == "ablation: Table II is made from benchmark voc_quality; add it"


# Table X's draws


def with_draws(own: dict[str, Any] | None = None, **draws: object) -> dict[str, Any]:
    """An experiment with all kinds of denoisers that is asked for Table X.

    Args:
        own: further keys of ``kodak_quality``.
        draws: of the key.
    """
    config = copy.deepcopy(MINIMAL)
    config["denoisers"] |= {
        "noisy": {"method": "noisy"},
        "clean": {"method": "clean"},
        "cbm3d": {"method": "cbm3d", "benchmarks": ["kodak_quality"]},
        "mine": {"method": "mine:Mine", "benchmarks": ["kodak_quality"]},
        "elsewhere": {"method": "mine:Mine", "sigmas": [15], "benchmarks": ["kodak_quality"]},
    }
    config["benchmarks"]["kodak_quality"] = {"sigmas": [15, 25], "told_sigmas": [25, "oracle"], **(own or {})}
    config["benchmarks"]["voc_quality"] = {"sigmas": [25]}
    return config | {"draws": draws}


def test_table_x_takes_the_papers_denoisers_and_own_ones_at_its_sigma():
    experiment = checked_experiment(with_draws())
    assert experiment.draws is not None
    assert experiment.draws.draws == 10
    assert experiment.draw_denoisers_of("kodak_quality") == ["u_said", "mine"]
    assert experiment.draw_denoisers_of("cifar100_classification") == ["u_said"]
    for not_of_it in ("voc_quality", "voc_segmentation"):
        assert experiment.draw_denoisers_of(not_of_it) == []
        assert experiment.further_draws(not_of_it) == range(0)


def test_without_the_key_there_are_no_further_draws():
    experiment = checked_experiment(MINIMAL)
    assert experiment.draws is None
    assert experiment.draw_denoisers_of("kodak_quality") == []
    assert experiment.further_draws("kodak_quality") == range(0)


def test_denoisers_that_table_x_leaves_out_are_in_it_where_they_are_named():
    experiment = checked_experiment(with_draws(denoisers=["cbm3d", "noisy"]))
    assert experiment.draw_denoisers_of("kodak_quality") == ["noisy", "cbm3d"]
    assert experiment.draw_denoisers_of("cifar100_classification") == ["noisy"]


@pytest.mark.parametrize(
    ("own", "asked", "further"), [(1, 10, (1, 10)), (3, 4, (3, 4)), (4, 4, (4, 4)), (6, 2, (6, 6))]
)
def test_further_draws_are_those_that_the_benchmarks_own_lack(own, asked, further):
    assert checked_experiment(with_draws({"draws": own}, draws=asked)).further_draws("kodak_quality") == range(*further)


def test_further_draws_are_scored_at_one_sigma_and_told_the_truth():
    experiment = checked_experiment(with_draws())
    settings = experiment.settings_of_draws("kodak_quality", "u_said")
    assert (settings.sigmas, settings.told_sigmas) == ((25,), ("oracle",))
    assert experiment.settings_of("kodak_quality", "u_said").sigmas == (15, 25)


def test_further_draws_may_be_of_a_list_of_their_own():
    experiment = checked_experiment(with_draws({"subset": "some.txt"}, subsets={"kodak_quality": "few.txt"}))
    assert experiment.subset_of("kodak", "all", "kodak_quality") == "some.txt"
    assert experiment.subset_of("kodak", "all", "kodak_quality", of_draws=True) == "few.txt"
    assert experiment.images_of("kodak_quality") != experiment.images_of("kodak_quality", of_draws=True)
    without = checked_experiment(with_draws({"subset": "some.txt"}))
    assert without.subset_of("kodak", "all", "kodak_quality", of_draws=True) == "some.txt"
    assert checked_experiment(with_draws()).subset_of("kodak", "all", "kodak_quality", of_draws=True) is None


@pytest.mark.parametrize(
    ("draws", "message"),
    [
        (
            {"subsets": {"voc_quality": "few.txt"}},
            "draws.subsets.voc_quality: must be one of kodak_quality, cifar100_classification",
        ),
        ({"draws": 1}, "draws.draws = 1: must be >= 2"),
        ({"draws": 2.5}, "draws.draws = 2.5: must be of type integer"),
        ({"drawss": 3}, "unknown key 'draws.drawss' (nearest: 'draws'); allowed: denoisers, draws, subsets"),
        ({"denoisers": []}, "draws.denoisers = []: must be a list of at least 1"),
        ({"denoisers": ["mine", "mine"]}, 'draws.denoisers = ["mine", "mine"]: must be without repeated values'),
        (
            {"denoisers": ["mine", 'a"b']},
            'draws.denoisers.1 = "a\\"b": must be one of u_said, noisy, clean, cbm3d, mine, elsewhere',
        ),
        ({"denoisers": ["clean"]}, 'draws.denoisers.0 = "clean": sees no noise, so that all draws are one; drop it'),
        (
            {"denoisers": ["elsewhere"]},
            'draws.denoisers.0 = "elsewhere": is not scored at sigma 25 on kodak_quality or cifar100_classification; '
            "widen its 'benchmarks' or 'sigmas', or drop it",
        ),
    ],
)
def test_impossible_draws_are_refused_in_one_line(draws, message):
    assert refusal(with_draws(**draws)) == message


def test_draws_need_a_benchmark_of_table_x_at_its_sigma():
    message = (
        "draws: Table X is made from voc_segmentation or kodak_quality or cifar100_classification at sigma 25; add one "
        "of them, with 25 among its 'sigmas', or drop 'draws'"
    )
    config = with_draws({"sigmas": [15]})
    del config["benchmarks"]["cifar100_classification"]
    assert refusal(config) == message
    del config["benchmarks"]["kodak_quality"]
    assert refusal(config) == message


def test_draws_need_a_denoiser_that_table_x_shows():
    config = with_draws()
    config["denoisers"] = {"noisy": {"method": "noisy"}}
    assert refusal(config) == (
        "draws: none that Table X shows by itself is scored at sigma 25 on kodak_quality or cifar100_classification; "
        "name 'denoisers'"
    )
    config["draws"] = {"denoisers": ["noisy"]}
    assert checked_experiment(config).draw_denoisers_of("kodak_quality") == ["noisy"]


def test_networks_need_weights():
    message = "denoisers.u_said: method 'u_said' needs 'weights' or 'train'"
    assert refusal(set_at("denoisers/u_said/weights", ABSENT)) == message
    assert refusal(set_at("denoisers/u_said/weights", None)) == message


def test_unreadable_files(tmp_path):
    with pytest.raises(UsaidError, match="no such experiment file"):
        read_experiment(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1, 2")
    with pytest.raises(UsaidError, match=r"bad\.yaml: not YAML"):
        read_experiment(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UsaidError, match="must be a mapping"):
        read_experiment(tmp_path / "list.yaml")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsaidError, match=r": is a folder; name a file$"):
        read_experiment(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("notes: [Bäume]".encode("latin-1"))
    with pytest.raises(UsaidError, match=r"latin\.yaml: is not UTF-8 text") as error:
        read_experiment(tmp_path / "latin.yaml")
    assert "\n" not in str(error.value)


# Hashes and seeds


def test_hash_ignores_the_order_of_keys_but_not_their_values():
    reordered = checked_experiment(dict(reversed(MINIMAL.items())))
    assert reordered.sha256 == checked_experiment(MINIMAL).sha256
    assert reordered.sha256 != checked_experiment(set_at("benchmarks/kodak_quality/draws", 2)).sha256
    assert reordered.sha256 == checked_experiment(set_at("benchmarks/kodak_quality/draws", 1)).sha256


def test_entries_that_differ_in_title_and_seed_are_seeds_of_one_training():
    config = trained()
    config["denoisers"]["other"] = {"method": "u_said", "title": "Other", "train": {"seed": 1}}
    config["denoisers"]["longer"] = {"method": "u_said", "title": "Other", "train": {"seed": 1, "batch": 8}}
    denoisers = checked_experiment(config).denoisers
    mine, other, longer = (without_seed(denoisers[name].as_record()) for name in ("mine", "other", "longer"))
    assert mine == other != longer


# Paths, and what would go on quietly


def test_tilde_and_variables_are_expanded_once_and_recorded_short(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MY_DISK", str(tmp_path / "disk"))
    config = set_at("benchmarks/cifar100_classification/classifier/checkpoint", "~/c.pth")
    config |= {"data_root": "$MY_DISK/data", "subsets": {"kodak/all": "${HOME}/few.txt"}}
    config["benchmarks"]["kodak_quality"]["subset"] = "~/fewer.txt"
    config["benchmarks"]["voc_segmentation"] = segmentation(checkpoint="~/s.safetensors")
    config["benchmarks"]["coco_detection"] = detection("darknet:~/my.cfg,~/my.weights")
    config["denoisers"]["u_said"]["weights"] = "~/u.pth"
    config["denoisers"]["mlp"] = {"method": "mlp", "weights": {25: "~/25.mat"}}
    (tmp_path / "mine.yaml").write_text("encoder_weights: ~/e.pth", encoding="utf-8")
    config["denoisers"]["trained"] = {"method": "u_said", "train": {"recipe": "~/mine.yaml"}}
    experiment = checked_experiment(config)
    benchmarks, entries = experiment.benchmarks, experiment.denoisers
    assert experiment.data_root == f"{tmp_path}/disk/data"
    assert experiment.subsets == {"kodak/all": f"{tmp_path}/few.txt"}
    assert benchmarks["kodak_quality"].subset == f"{tmp_path}/fewer.txt"
    judged = {name: settings.judge_file(name, experiment.places) for name, settings in benchmarks.items()}
    assert judged["cifar100_classification"] == f"{tmp_path}/c.pth"
    assert judged["voc_segmentation"] == f"{tmp_path}/s.safetensors"
    assert judged["coco_detection"] == f"{tmp_path}/my.weights"
    assert benchmarks["coco_detection"].detector.cfg("data") == tmp_path / "my.cfg"
    assert (entries["u_said"].weights, entries["mlp"].weights) == (f"{tmp_path}/u.pth", {"25": f"{tmp_path}/25.mat"})
    assert entries["trained"].train.encoder_weights == f"{tmp_path}/e.pth"
    assert entries["u_said"].as_record()["weights"] == "~/u.pth"
    assert as_config(experiment)["data_root"] == "~/disk/data"
    assert str(tmp_path) not in experiment.model_dump_json()
    assert checked_experiment(as_config(experiment)) == experiment


@pytest.mark.parametrize("path", ["data", "/data", "../data", "./a b/ü", "a$", "data/~x"])
def test_other_paths_stay_as_they_are(path):
    assert checked_experiment(MINIMAL | {"data_root": path}).data_root == path


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("~nobody_at_all/x", "must be a path; nobody is called ~nobody_at_all: write the path in full"),
        ("$NOT_SET/x", "must be a path; $NOT_SET is not set: set it, or write the path in full"),
        ("a\nb", "must be one line, without control characters"),
        ("a\0b", "must be one line, without control characters"),
        ("x" * 256, "must be a path whose parts have at most 255 bytes each"),
        ("", "must be not empty"),
    ],
)
def test_what_is_no_path(value, message, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    for path in ("data_root", "denoisers/u_said/weights", "benchmarks/cifar100_classification/classifier/checkpoint"):
        assert refusal(set_at(path, value)).endswith(message)
    assert refusal(set_at("subsets", {"kodak/all": value})).endswith(message)
    assert refusal(trained(encoder_weights=value)).endswith(message)
    assert refusal(trained(recipe=value)).endswith(message)
    if value:
        config = set_at("benchmarks/coco_detection", detection(f"darknet:yolov3,{value}"))
        assert message in refusal(config) or "must be like" in refusal(config)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("experiment", "mine\n", "must be like"),
        ("experiment", "results/../../x", "must be like"),
        ("experiment", "x" * 201, "must be of at most 200 characters"),
        ("denoisers/mine\n", {"method": "noisy"}, "must be like"),
        (f"denoisers/{'x' * 101}", {"method": "noisy"}, "must be of at most 100 characters"),
        ("denoisers/u_said/method", "mine:Own\n", "or your own as file.py:Name"),
        ("denoisers/u_said/sha256", "0" * 64 + "\n", "must be like"),
        ("device", "cuda:0\n", "must be like"),
        ("device", "mps", "must be like"),
        ("denoisers/u_said/title", "a\nb", "must be one line, without control characters"),
        ("denoisers/u_said/title", 750, "title = 750: must be of type string; put it in quotes"),
        ("denoisers/u_said/title", True, "title = true: must be of type string; put it in quotes"),
        ("benchmarks/kodak_quality/draws", "2e1", "must be of type integer; YAML takes it for text: write 20"),
        ("benchmarks/kodak_quality/sigmas", [10**400], "sigmas.0: the number is too large; write a smaller one"),
        ("benchmarks/cifar100_classification/classifier/std", [0, 1, 1], "classifier.std.0 = 0: must be > 0"),
        ("benchmarks/cifar100_classification/classifier/std", [1, -1, 1], "classifier.std.1 = -1: must be > 0"),
        (
            "benchmarks/voc_segmentation",
            segmentation(network="fpn", train={"scale_range": [2, 0.5]}),
            "scale_range = [2, 0.5]: must be the lower end first, then the upper one",
        ),
        (
            "benchmarks/coco_detection",
            detection("darknet:m", train={"milestones": [0.9, 0.8]}),
            "milestones = [0.9, 0.8]: must be in ascending order, without repeated values",
        ),
    ],
)
def test_what_used_to_be_taken(path, value, message):
    head, slash, rest = path.partition("/")
    config = copy.deepcopy(MINIMAL)
    if slash and "/" not in rest:
        config[head][rest] = value
    else:
        config = set_at(path, value)
    assert message in refusal(config)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sigma_range": [55, 0]}, "sigma_range = [55, 0]: must be the lower end first, then the upper one"),
        ({"segmenter_std": [0.1, 0, 0.1]}, "segmenter_std.1 = 0: must be > 0"),
        ({"milestones": [40, 10]}, "milestones = [40, 10]: must be in ascending order, without repeated values"),
        ({"milestones": [10, 10]}, "milestones = [10, 10]: must be in ascending order, without repeated values"),
        ({"snapshots": [20, 10]}, "snapshots = [20, 10]: must be in ascending order, without repeated values"),
        ({"snapshots": [0, 10]}, "snapshots.0 = 0: must be >= 1"),
        ({"learning_rate": float("inf")}, "learning_rate = inf: must be a finite number"),
        ({"seed": 2**64}, "seed: the number is too large; write a smaller one"),
    ],
)
def test_recipes_that_used_to_be_taken(keys, message):
    assert message in refusal(trained(**keys))


def test_milestones_past_the_end_are_taken_since_the_released_code_has_some():
    recipe = checked_experiment(trained(recipe="released_code")).denoisers["mine"].train
    assert recipe.milestones[-1] > recipe.epochs


@pytest.mark.parametrize("place", ["results/../../x", "results/..", "results", "elsewhere/results/x", "/results/x"])
def test_generated_data_lie_below_results(place):
    config = MINIMAL | {"data_source": "miniature", "data_root": place}
    assert "must lie below results/ with data_source miniature" in refusal(config)


def test_notes_are_one_line_each():
    assert checked_experiment(MINIMAL | {"notes": ["two\nlines\n"]}).notes == ("two lines",)


def test_options_are_data():
    with pytest.raises(ValidationError):
        DenoiserEntry(method="mine:Own", options={"a": print})
    assert DenoiserEntry(method="mine:Own", options={"a": [1, {"b": None}]}).options == {"a": [1, {"b": None}]}


def test_a_list_of_ids_that_nothing_reads_is_known():
    lists = dict.fromkeys(("kodak/all", "voc2012/train", "isic2018/val", "cifar100/train"), "x.txt")
    assert checked_experiment(MINIMAL | {"subsets": lists}).unread_subsets == [
        *("voc2012/train", "isic2018/val", "cifar100/train")
    ]
    config = trained() | {"subsets": lists}
    config["benchmarks"]["cifar100_classification"]["classifier"] = {"network": "resnet8", "train": {}}
    assert checked_experiment(config).unread_subsets == ["isic2018/val"]
    for further in ({"convergence": {}}, {"niqe": "niqe_fitted"}):
        assert "voc2012/train" not in checked_experiment(MINIMAL | {"subsets": lists} | further).unread_subsets
