"""Recipes: how a denoiser is trained, as data with a name (``recipes.yaml``, which explains every key)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from usaid.errors import UsaidError

Method = Literal["cdncnn_b", "s_said", "u_said"]
METHODS: tuple[Method, ...] = get_args(Method)
"""The denoisers that can be trained."""


@dataclass(frozen=True)
class Recipe:
    """How a denoiser is trained (paper section III; PROTOCOL section 1); ``recipes.yaml`` explains every key.

    Attributes:
        recipe: name of the recipe, or path of the file, that the keys come from.
    """

    recipe: str
    depth: int
    features: int
    images: str
    patch: int
    batch: int
    patches_per_image: float
    patches_drawn: Literal["each_step", "once"]
    flip: bool
    sigma_range: tuple[float, float]
    epochs: float
    steps: int | None
    learning_rate: float
    milestones: tuple[float, ...]
    mse_reduction: Literal["half_sum", "mean"]
    mse_weight: float
    segmentation_weight: float
    segmentation_loss: Literal["entropy", "focal"]
    focal_gamma: float
    loss_stride: Literal[1, 4]
    gradient: Literal["attached", "detached"]
    head: Literal["learnable", "frozen"]
    classes: int
    encoder: str
    encoder_weights: str | None
    segmenter_clamp: bool
    segmenter_mean: tuple[float, float, float] | None
    segmenter_std: tuple[float, float, float] | None
    segmenter_batchnorm: Literal["running", "batch"]
    precision: Literal["float32", "bfloat16"]
    channels_last: bool
    compile: bool
    seed: int


@dataclass(frozen=True)
class MLPRecipe:
    """How MLPs are trained (after Burger et al. 2012; where this differs, it is our choice).

    The authors took hundreds of millions of patches of grey-scale images and stochastic gradient descent, its learning
    rate in a layer being 0.1 divided by the number of the layer's inputs. Ours are patches of a single colour channel,
    since that is what the network is applied to, and the optimiser is Adam, because few machines have the time for
    as many steps.

    Attributes:
        images: ``<data set>/<split>``.
        sigmas: noise levels, 0-255 scale; each gets a network of its own.
        hidden: units of each hidden layer.
        input_side: side of the noisy patches in pixels.
        output_side: side of the clean patches in pixels.
        batch: patches in a step.
        steps: for each network.
        learning_rate: Adam's, at the start.
        milestones: where it falls to a tenth: fractions of the run (below 1), or steps.
        precision: ``float32``, or ``bfloat16``: autocast of the forward pass.
        seed: of initialisation, patches and noise.
    """

    images: str = "voc2012/train"
    sigmas: Sequence[float] = (25,)
    hidden: Sequence[int] = (3072, 3072, 2559, 2047)
    input_side: int = 39
    output_side: int = 17
    batch: int = 128
    steps: int = 1_000_000
    learning_rate: float = 3e-4
    milestones: Sequence[float] = (0.7, 0.9)
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0


_SEGMENTATION_KEYS = frozenset(
    (
        *("segmentation_weight", "segmentation_loss", "focal_gamma", "loss_stride", "gradient", "head", "classes"),
        *("encoder", "encoder_weights", "segmenter_clamp", "segmenter_mean", "segmenter_std", "segmenter_batchnorm"),
        "mse_weight",
    )
)


def recipe_from(**keys: Any) -> Recipe:
    """The recipe of a name with some keys changed: ``recipe_from(recipe="paper", steps=1000)``.

    Raises:
        UsaidError: as :func:`all_keys`.
    """
    return Recipe(**{key: _hashable(value) for key, value in all_keys(keys).items()})


def facts_of(recipe: Recipe, method: Method) -> dict[str, Any]:
    """The keys that a training of ``method`` depends on: CDnCNN-B has no segmenter."""
    unused = _SEGMENTATION_KEYS if method == "cdncnn_b" else {"segmentation_loss"} if method == "s_said" else set()
    return {"method": method} | {key: value for key, value in asdict(recipe).items() if key not in unused | {"recipe"}}


def all_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the keys that are not given from the recipe that ``keys["recipe"]`` names (default: ``paper``).

    Values are not checked here: :func:`usaid.experiment.checked_experiment` does, against its schema.

    Raises:
        UsaidError: no such recipe, or a key that recipes do not have.
    """
    name = str(keys.get("recipe", "paper"))
    complete = {"recipe": name, **named_recipe(name), **keys}
    known = [field.name for field in fields(Recipe)]
    if unknown := sorted(complete.keys() - set(known)):
        raise UsaidError(f"recipe {name}: unknown key {unknown[0]!r}; allowed: {', '.join(known)}")
    return complete


def named_recipe(name: str) -> dict[str, Any]:
    """All keys of a recipe: one of ours by name, or a YAML file of a user's own.

    Raises:
        UsaidError: neither, or a file that is no mapping of a recipe's keys.
    """
    if name in _shipped():
        return dict(_shipped()[name])
    if not Path(name).is_file():
        raise UsaidError(f"recipe {name!r}: must be one of {', '.join(_shipped())}, or a YAML file of your own")
    try:
        own = yaml.safe_load(Path(name).read_text())
    except yaml.YAMLError as error:
        raise UsaidError(f"{name}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(own, dict):
        raise UsaidError(f"{name}: must be a mapping of keys to values")
    if "recipe" in own:
        raise UsaidError(f"{name}: key 'recipe' belongs into an experiment; what this file leaves out is as in paper")
    return _shipped()["paper"] | own


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    content: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("recipes.yaml").read_text())
    return content


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
