"""Recipes: that they hold what the protocol says, and how a user's own are read."""

import json
from typing import Any

import pytest

from usaid.denoisers.dncnn import CARDS
from usaid.denoisers.dncnn.recipe import Recipe
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_settings

METHODS = [card.name for card in CARDS if card.recipe is not None]
SHIPPED = Recipe.by_name()

# The table of PROTOCOL section 1: (paper text, released code).
PROTOCOL = {
    "depth": (20, 20),
    "features": (64, 64),
    "images": ("voc2012/train", "voc2012/train"),
    "patch": (48, 48),
    "batch": (16, 64),
    "patches_per_image": (150, 0.001),
    "patches_drawn": ("each_step", "once"),
    "flip": (True, True),
    "sigma_range": ([0, 55], [0, 55]),
    "epochs": (100, 100),
    "learning_rate": (1e-3, 1e-3),
    "milestones": ([10, 40, 80], [10, 40, 80, 120, 140]),
    "mse_reduction": ("half_sum", "half_sum"),
    "mse_weight": (1, 0.5),
    "segmentation_weight": (1, 0.5),
    "segmentation_loss": ("entropy", "focal"),
    "focal_gamma": (2, 2),
    "loss_stride": (1, 4),
    "gradient": ("attached", "detached"),
    "head": ("learnable", "frozen"),
    "classes": (21, 21),
    "encoder": ("resnet101", "resnet101"),
    "segmenter_clamp": (False, True),
    "segmenter_mean": (None, [0.4811, 0.4575, 0.4079]),
    "segmenter_std": (None, [1, 1, 1]),
    "segmenter_batchnorm": ("running", "batch"),
    "precision": ("float32", "float32"),
}


def recipe_from(**keys: Any) -> Recipe:
    return checked_settings(Recipe, keys, "train")


def altered(original: Recipe, **changes: Any) -> Recipe:
    return original.model_copy(update=changes)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_has_every_key_and_no_other(name):
    assert SHIPPED[name].keys() | {"recipe"} == Recipe.model_fields.keys()


@pytest.mark.parametrize("key", PROTOCOL)
def test_the_recipes_are_those_of_the_protocol(key):
    assert (SHIPPED["paper"][key], SHIPPED["released_code"][key]) == PROTOCOL[key]


def test_the_run_is_counted_in_epochs():
    assert (SHIPPED["paper"]["steps"], SHIPPED["released_code"]["steps"]) == (None, None)


def test_paper_is_the_default():
    assert recipe_from() == recipe_from(recipe="paper")
    assert recipe_from(batch=5) == altered(recipe_from(), batch=5)


def test_keys_of_an_experiment_make_the_same_recipe_again():
    for name in SHIPPED:
        recipe = recipe_from(recipe=name, batch=5, sigma_range=[5, 10])
        stored = json.loads(json.dumps(recipe.model_dump(mode="json")))
        assert stored == {**SHIPPED[name], "recipe": name, "batch": 5, "sigma_range": [5, 10]}
        assert recipe_from(**stored) == recipe == recipe_from(recipe=name, batch=5, sigma_range=(5, 10))


def test_unknown_key_is_one_line_with_those_allowed():
    with pytest.raises(UsaidError, match=r"^train: unknown key 'bach' \(nearest: 'batch'\); allowed: batch, .*steps$"):
        recipe_from(bach=16)


def test_unknown_recipe_is_one_line_with_those_there_are():
    with pytest.raises(UsaidError, match=r"^train: recipe 'papr': must be one of paper, released_code, or a YAML file"):
        recipe_from(recipe="papr")


@pytest.mark.parametrize("name", [3, None, ["paper"]])
def test_a_recipe_is_called_by_a_text(name):
    with pytest.raises(UsaidError, match=r"^train: recipe = .*: must be of type string"):
        recipe_from(recipe=name)


@pytest.fixture
def write(tmp_path):
    """Write a recipe file and give its path as an experiment would."""

    def written(text: str) -> str:
        (tmp_path / "my_recipe.yaml").write_text(text)
        return str(tmp_path / "my_recipe.yaml")

    return written


def test_what_a_recipe_file_leaves_out_comes_from_paper(write):
    path = write("batch: 64\nsigma_range: [10, 20]\nloss_stride: 4\n")
    expected = altered(recipe_from(), recipe=path, batch=64, sigma_range=(10, 20), loss_stride=4)
    assert recipe_from(recipe=path) == expected
    assert recipe_from(recipe=path, batch=7) == altered(expected, batch=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bach: 3", "unknown key 'bach' (nearest: 'batch'); allowed: batch, channels_last"),
        ("batch: [1, 2", "not YAML"),
        ("a: b: c\n\n- d", "not YAML"),
        ("- batch", "must be a mapping of keys to values"),
        ("", "must be a mapping of keys to values"),
        ("recipe: released_code", "key 'recipe' belongs into an experiment; what this file leaves out is as in paper"),
    ],
)
def test_bad_recipe_file_is_one_line_with_its_name(write, text, message):
    path = write(text)
    with pytest.raises(UsaidError) as error:
        recipe_from(recipe=path)
    assert f"{path}: {message}" in str(error.value)
    assert "\n" not in str(error.value)


def test_shipped_recipes_cannot_be_changed_by_their_readers():
    Recipe.named("paper")["batch"] = 1
    assert recipe_from().batch == 16


# What a training depends on


def test_cdncnn_b_does_not_depend_on_the_segmenter_but_u_said_does():
    one = recipe_from()
    other = recipe_from(
        segmentation_weight=2, head="frozen", classes=5, encoder="efficientnet_lite0", gradient="detached"
    )
    assert one.keys_of("cdncnn_b") == other.keys_of("cdncnn_b")
    changed = {key for key, value in one.keys_of("u_said").items() if other.keys_of("u_said")[key] != value}
    assert changed == {"segmentation_weight", "head", "classes", "encoder", "gradient"}


def test_only_a_segmentation_aware_training_needs_an_encoder():
    recipe = recipe_from(encoder="efficientnet_lite0", encoder_weights="mine.pth")
    assert recipe.encoder_for("cdncnn_b") is None
    for method in ("s_said", "u_said"):
        settings = recipe.encoder_for(method)
        assert (settings.encoder, settings.encoder_weights) == ("efficientnet_lite0", "mine.pth")


def test_s_said_does_not_depend_on_the_unsupervised_loss():
    one, other = recipe_from(), recipe_from(segmentation_loss="focal")
    assert one.keys_of("s_said") == other.keys_of("s_said")
    assert one.keys_of("u_said") != other.keys_of("u_said")


@pytest.mark.parametrize("method", METHODS)
def test_equal_keys_are_the_same_training_whatever_the_recipe_is_called(method, write):
    keys = recipe_from().keys_of(method)
    assert recipe_from(recipe=write("{}")).keys_of(method) == keys
    assert recipe_from(seed=1).keys_of(method) != keys
    assert json.loads(json.dumps(keys)) == keys
