"""Recipes: how a DnCNN is trained, as data with a name (``recipes.yaml`` has the paper's and the released code's)."""

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from usaid.errors import UsaidError
from usaid.experiment.model import (
    Classes,
    Count,
    EncoderSettings,
    FilePath,
    Flag,
    Images,
    Integer,
    Milestones,
    NotNegative,
    OneOf,
    Positive,
    Precision,
    Rgb,
    RgbDeviation,
    Seed,
    SigmaRange,
    TrainingRecipe,
    expanded,
    refuse,
)
from usaid.experiment.yaml_files import read_mapping


class Recipe(TrainingRecipe, EncoderSettings):
    """How a denoiser is trained (paper section III; PROTOCOL section 1).

    ``recipe`` names where the keys come from that are not given.
    """

    recipe: FilePath
    """`paper` (default), `released_code`, or a YAML file of your own, whose missing keys are the paper's."""
    depth: Annotated[Integer, Field(ge=3)]
    """Convolutions of the DnCNN."""
    features: Count
    """Channels of the DnCNN."""
    images: Images
    """`<data set>/<split>` to train on; S-SAID needs label maps (VOC, DeepGlobe, ISIC), the others any images."""
    patch: Annotated[Integer, Field(ge=8)]
    """Side of a patch, pixels."""
    batch: Count
    """Patches a step; not more than there are images."""
    patches_per_image: Positive
    """Patches of an epoch; below 1: this fraction of each image's positions."""
    patches_drawn: Literal["each_step", "once"]
    """Anew at `each_step`, or `once` before the first: then an epoch sees each of them once."""
    flip: Flag
    """Mirror half of the patches left to right."""
    sigma_range: SigmaRange
    """Noise level of a patch, uniform, on the 0-255 scale."""
    epochs: Positive
    """Length: so many passes over the patches, each `patches_per_image` of each image."""
    steps: Count | None
    """A number: the run has so many steps, divided into `epochs` equal parts."""
    learning_rate: Positive
    """Adam's, at the start."""
    milestones: Milestones
    """Epochs after which the learning rate is divided by 10; those past the end have no effect (`released_code` has
    two)."""
    mse_reduction: Literal["half_sum", "mean"]
    """`half_sum`: half the sum of squares of a patch, averaged over the batch; or the `mean` over pixels and
    channels."""
    mse_weight: NotNegative
    """Weight of the MSE (not of CDnCNN-B's, which is alone)."""
    segmentation_weight: NotNegative
    """Weight of the segmentation loss: the paper's gamma."""
    segmentation_loss: Literal["entropy", "focal"]
    """U-SAID's; `focal` is against the network's own arg-max. S-SAID's is cross-entropy with the labels."""
    focal_gamma: NotNegative
    """Exponent of the focal loss."""
    loss_stride: Annotated[Integer, OneOf(lambda: (1, 4))]
    """Segmentation loss on logits resized to the patch (1), or as they leave the head (4)."""
    gradient: Literal["attached", "detached"]
    """Whether the segmentation loss reaches the denoiser."""
    head: Literal["learnable", "frozen"]
    """The K 3x3 convolutions; encoder and pyramid are always frozen."""
    classes: Classes
    """K; for S-SAID more than the highest label."""
    segmenter_clamp: Flag
    """Clamp the denoised patch to [0, 1] before the segmenter."""
    segmenter_mean: Rgb | None
    """Subtracted from it, RGB on the [0, 1] scale; null: what the encoder was trained with."""
    segmenter_std: RgbDeviation | None
    """And divided by; null: the same."""
    segmenter_batchnorm: Literal["running", "batch"]
    """The encoder's BatchNorm: ImageNet's statistics, or the batch's."""
    precision: Precision
    """`float32`, `tf32` (a GPU rounds factors to 10 bits), or `bfloat16`: autocast of the forward pass."""
    channels_last: Flag
    """Memory format."""
    compile: Flag
    """`torch.compile`."""
    seed: Seed
    """Of initialisation, patches and noise."""

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, keys: Any) -> Any:
        """Take the keys that are not given from the recipe that ``recipe`` names."""
        if not isinstance(keys, Mapping):
            return keys
        name = keys.get("recipe", "paper")
        base = named_recipe(name if isinstance(name, str) and name else "paper")  # what it is is checked later
        return {**base, **keys, "recipe": name}

    @classmethod
    def by_name(cls) -> Mapping[str, Mapping[str, Any]]:
        return _shipped()

    def encoder_for(self, method: str) -> EncoderSettings | None:
        return None if method == "cdncnn_b" else self

    def keys_of(self, method: str) -> dict[str, Any]:
        """The keys that the training of a method depends on: CDnCNN-B has no segmenter."""
        unused = {"cdncnn_b": _SEGMENTATION_KEYS, "s_said": {"segmentation_loss"}}.get(method, set())
        return self.model_dump(mode="json", exclude={*unused, "recipe"})


_SEGMENTATION_KEYS = {
    *("segmentation_weight", "segmentation_loss", "focal_gamma", "loss_stride", "gradient", "head", "classes"),
    *("encoder", "encoder_weights", "segmenter_clamp", "segmenter_mean", "segmenter_std", "segmenter_batchnorm"),
    "mse_weight",
}


def named_recipe(name: str) -> dict[str, Any]:
    """All keys of a recipe: one of ours by name, or a YAML file of a user's own.

    Raises:
        PydanticCustomError: neither, or a file that is no mapping of a recipe's keys.
    """
    if name in _shipped():
        return dict(_shipped()[name])
    path = Path(expanded(name))
    if not path.exists():
        raise refuse(f"recipe {name!r}: must be one of {', '.join(_shipped())}, or a YAML file of your own")
    try:
        own = read_mapping(path, "recipe")
    except UsaidError as error:
        raise refuse(str(error)) from None
    if "recipe" in own:
        raise refuse(f"{name}: key 'recipe' belongs into an experiment; what this file leaves out is as in paper")
    for key in own:
        if key not in Recipe.model_fields:
            nearest = difflib.get_close_matches(str(key), Recipe.model_fields, n=1)
            hint = f" (nearest: {nearest[0]!r})" if nearest else ""
            raise refuse(f"{name}: unknown key {str(key)!r}{hint}; allowed: {', '.join(sorted(Recipe.model_fields))}")
    return _shipped()["paper"] | own


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    content: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("recipes.yaml").read_text(encoding="utf-8"))
    return content
