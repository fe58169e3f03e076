"""The JSON Schema for editors and the page of all keys: current, complete, and as strict as the models."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from snakemake.utils import update_config

from usaid.errors import UsaidError
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.denoiser_entry import DenoiserEntry
from usaid.experiment.experiment import Experiment
from usaid.experiment.model import Settings
from usaid.experiment.reading import checked_experiment
from usaid.experiment.reference import json_schema, key_reference
from usaid.experiment.sight import Figures, KeepImages
from usaid.experiment.studies import Ablation, Convergence, Draws
from usaid.registries import BENCHMARKS, DATASETS, METHODS, load_object

CONFIGS = Path(__file__).parents[3] / "config"

WHOLE = """
experiment: mine
data_root: data
denoisers:
  noisy: {method: noisy}
  u_said: {method: u_said, train: {recipe: paper, encoder_weights: null}}
  mlp: {method: mlp, weights: {"25": a.mat}}
  own: {method: "my.module:Own", train: {width: 3}, options: {anything: [1]}}
benchmarks:
  kodak_quality: {sigmas: [15, 25.5], told_sigmas: [oracle, 25]}
  isic_segmentation: {sigmas: [25], longest_side: null, segmenter: {network: pspnet, train: {}}}
  cifar100_classification: {sigmas: [25], classifier: {network: resnet8, train: {}}}
  coco_detection: {sigmas: [25], detector: {network: yolov3u}}
draws: {draws: 3, denoisers: [noisy, own]}
convergence: {}
keep_images: {}
figures:
  figure_4: {image: kodim10, zoom: [0, 0, 9, 9]}
  figure_5: {images: {"15": kodim15}}
"""


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_files_are_current():
    text = (CONFIGS / "experiment.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == json_schema(), "run: usaid config schema > config/experiment.schema.json"
    page = (CONFIGS / "KEYS.md").read_text(encoding="utf-8")
    assert page.rstrip() == key_reference().rstrip(), "run: usaid config keys > config/KEYS.md"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_files_are_valid_and_name_the_schema(path, validator):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=experiment.schema.json\n")
    validator.validate(yaml.safe_load(text))


def test_the_example_is_valid(validator):
    config = yaml.safe_load(WHOLE)
    validator.validate(config)
    checked_experiment(config)


def test_null_removes_entries(validator):
    nulls = {
        "denoisers": {"mlp": None},
        "benchmarks": {"voc_quality": None},
        "subsets": {"voc2012/val": None},
        "ablation": None,
        "draws": None,
        "convergence": None,
        "keep_images": None,
        "figures": {"figure_3": None},
    }
    validator.validate(nulls)


REFUSED = [
    ("", {"sigmma": 3}),
    ("", {"experiment": "../evil"}),
    ("", {"data_root": ""}),
    ("", {"device": "gpu"}),
    ("", {"precision": "float16"}),
    ("", {"subsets": {"voc/val": "x"}}),
    ("", {"ablation": {"denoiser": "u_said", "classes": [1]}}),
    ("", {"ablation": {"denoiser": "u_said", "classes": [2, 2]}}),
    ("", {"draws": {"draws": 1}}),
    ("", {"draws": {"draws": "10"}}),
    ("", {"draws": {"denoisers": []}}),
    ("", {"draws": {"denoisers": ["own", "own"]}}),
    ("", {"convergence": {"crop": 33}}),
    ("", {"convergence": {"encoder": "vgg"}}),
    ("keep_images", {"window": 8}),
    ("keep_images", {"rules": ["best"]}),
    ("keep_images", {"rules": ["first", "first"]}),
    ("keep_images", {"difference": ["noisy"]}),
    ("keep_images", {"benchmarks": []}),
    ("figures", {"figure_2": {}}),
    ("figures/figure_4", {"sigma": 0}),
    ("figures/figure_4", {"zoom": [0, 0, 9]}),
    ("figures/figure_4", {"zoom": [0, 0, 0, 9]}),
    ("figures/figure_5", {"images": {}}),
    ("figures/figure_5", {"images": {"big": "kodim15"}}),
    ("denoisers", {"U-SAID": {"method": "noisy"}}),
    ("denoisers/noisy", {"wieghts": "x"}),
    ("denoisers/noisy", {"method": "bm4d"}),
    ("denoisers/noisy", {"method": "my module:Own"}),
    ("denoisers/noisy", {"train": {}}),
    ("denoisers/noisy", {"benchmarks": ["kodak"]}),
    ("denoisers/noisy", {"sigmas": []}),
    ("denoisers/noisy", {"weights": {"25": "a.pth"}}),
    ("denoisers/own", {"weights": {"25": "a.pth"}, "train": None}),
    ("denoisers/own", {"train": {"seed": -1}}),
    ("denoisers/mlp", {"sha256": "abc"}),
    ("denoisers/mlp", {"weights": {"big": "a.mat"}}),
    ("denoisers/mlp", {"weights": {}}),
    ("denoisers/mlp", {"weights": None, "train": {"patch": 48}}),
    ("denoisers/mlp", {"train": {}}),
    ("denoisers/u_said/train", {"bach": 16}),
    ("denoisers/u_said/train", {"classes": 1}),
    ("denoisers/u_said/train", {"batch": "16"}),
    ("denoisers/u_said/train", {"batch": True}),
    ("denoisers/u_said/train", {"loss_stride": 2}),
    ("denoisers/u_said/train", {"images": "voc2012"}),
    ("denoisers/u_said/train", {"sigma_range": [0, 25, 55]}),
    ("denoisers/u_said/train", {"segmenter_mean": [0.4, 0.5]}),
    ("benchmarks", {"imagenet": {}}),
    ("benchmarks/kodak_quality", {"sigmas": [25, 25]}),
    ("benchmarks/kodak_quality", {"sigmas": [-1]}),
    ("benchmarks/kodak_quality", {"told_sigmas": ["truth"]}),
    ("benchmarks/kodak_quality", {"draws": 0}),
    ("benchmarks/kodak_quality", {"metrics": ["mse"]}),
    ("benchmarks/kodak_quality", {"segmenter": {}}),
    ("benchmarks/isic_segmentation", {"longest_side": 16}),
    ("benchmarks/isic_segmentation/segmenter", {"train": {"crop": 31}}),
    ("benchmarks/isic_segmentation/segmenter", {"checkpoint": "mine.safetensors"}),
    ("benchmarks/cifar100_classification/classifier", {"network": "vgg"}),
    ("benchmarks/cifar100_classification/classifier", {"checkpoint": "c.pth"}),
    ("benchmarks/coco_detection/detector", {"network": "yolov5"}),
    ("benchmarks/coco_detection/detector", {"train": {}}),
]


@pytest.mark.parametrize(("place", "change"), REFUSED, ids=lambda value: json.dumps(value))
def test_the_schema_refuses_what_the_models_refuse(place, change, validator):
    config: dict[str, Any] = yaml.safe_load(WHOLE)
    entry = config
    for key in filter(None, place.split("/")):
        entry = entry[key]
    entry |= change
    with pytest.raises(UsaidError):
        checked_experiment(config)
    assert not validator.is_valid(config)


def kinds() -> set[type[Settings]]:
    """All settings that an experiment may hold."""
    pending: list[type[Settings]] = [Experiment, DenoiserEntry, BenchmarkSettings, Ablation, Draws, Convergence]
    pending += [KeepImages, Figures]
    pending += [load_object(card.settings) for card in BENCHMARKS.values()]
    pending += [load_object(card.recipe) for card in METHODS.values() if card.recipe]
    reached: set[type[Settings]] = set()
    while pending:
        if (kind := pending.pop()) not in reached:
            reached.add(kind)
            for field in kind.model_fields.values():
                parts = (field.annotation, *getattr(field.annotation, "__args__", ()))
                pending += [part for part in parts if isinstance(part, type) and issubclass(part, Settings)]
    return reached


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_key_is_explained(kind):
    assert kind.__doc__
    assert [key for key, field in kind.model_fields.items() if not field.description] == []


def rows() -> list[list[str]]:
    """The cells of each row of the page's tables."""
    lines = [line for line in key_reference().splitlines() if line.startswith("| ")]
    return [line.replace(r"\|", "").strip("| ").split(" | ") for line in lines]


def test_the_page_has_a_row_for_every_key():
    headings = [line.strip("#` ").split(".")[-1] for line in key_reference().splitlines() if line.startswith("### `")]
    page = [*(row[0].strip("`") for row in rows()), *headings]
    assert {key for kind in kinds() for key in kind.model_fields} <= set(page)
    for name in (*METHODS, *BENCHMARKS, *DATASETS):
        assert name in page


def test_no_key_has_two_rows_in_one_table():
    for section in key_reference().split("\n#"):
        keys = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
        assert len(set(keys)) == len(keys)


def test_recipes_stand_side_by_side_with_bounds():
    table = {row[0]: row for row in rows() if len(row) == 5}
    assert table["key"][1:] == ["value", "paper", "released_code", "meaning"]
    batches = [row[1:4] for row in rows() if len(row) == 5 and row[0] == "`batch`"]
    assert ["integer >= 1", "`16`", "`64`"] in batches, "of denoisers"
    assert ["integer >= 1", "`16`", "`1`"] in batches, "of segmenters"
    assert table["`segmenter_mean`"][1:4] == [
        "list of 3: number >= 0, <= 1 or `null`",
        "`null`",
        "`[0.4811, 0.4575, 0.4079]`",
    ]
    assert table["`gradient`"][1:4] == ["`attached`, `detached`", "`attached`", "`detached`"]


def test_values_are_written_as_yaml_has_them():
    for row in rows():
        for cell in row[2:-1]:
            if cell.startswith("`") and cell != "`weights` or `train`" and cell.count("`") == 2:
                yaml.safe_load(cell.strip("`"))
    defaults = {row[0]: row[2] for row in rows() if len(row) == 4}
    assert isinstance(yaml.safe_load(defaults["`weight_decay`"].strip("`")), float)
    assert defaults["`letterbox`"] == "`true`"
    assert defaults["`told_sigmas`"] == "`[oracle]`"


def test_the_examples_of_the_page_are_valid(validator):
    text = (CONFIGS.parent / "docs/experiments.md").read_text(encoding="utf-8")
    whole, own, lists, overrides = (yaml.safe_load(part.split("```")[0]) for part in text.split("```yaml\n")[1:])
    for config in (whole, own, lists, overrides):
        validator.validate(config)
    checked_experiment(whole)
    released = yaml.safe_load((CONFIGS / "released.yaml").read_text(encoding="utf-8"))
    update_config(released, overrides)
    experiment = checked_experiment(released)
    assert "cbm3d" not in experiment.denoisers
    assert experiment.denoisers["u_said"].train is not None
