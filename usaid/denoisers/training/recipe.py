"""Recipes: how a blind denoising network is trained, as data with a name (``recipes.yaml``)."""

import difflib
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

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
    Snapshots,
    TrainingRecipe,
    expanded,
    refuse,
)
from usaid.experiment.yaml_files import read_mapping

Loss = Literal["mse", "supervised", "unsupervised"]
"""What a denoiser learns from beside the clean images: nothing, as CDnCNN-B; a segmenter that is held against label
maps, as S-SAID; or one that needs none, as U-SAID."""


class NetworkRecipe(TrainingRecipe, EncoderSettings):
    """How a blind denoiser is trained, whichever network it is (paper section III; PROTOCOL section 1).

    ``recipe`` names where the keys come from that are not given. A subclass adds the keys of its network, with the
    paper's as defaults, and says which of the three losses a method has.
    """

    recipe: FilePath
    """`paper` (default), `released_code`, or a YAML file of your own, whose missing keys are the paper's."""
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
    snapshots: Snapshots
    """Steps after which the weights so far are kept, as `weights/<name>.<step>.safetensors`."""

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, keys: Any) -> Any:
        """Take the keys that are not given from the recipe that ``recipe`` names."""
        if not isinstance(keys, Mapping):
            return keys
        name = keys.get("recipe", "paper")
        base = cls.named(name if isinstance(name, str) and name else "paper")  # what it is is checked later
        return {**base, **keys, "recipe": name}

    @classmethod
    def by_name(cls) -> Mapping[str, Mapping[str, Any]]:
        of_network = {key: field.default for key, field in cls.model_fields.items() if not field.is_required()}
        return {name: of_network | keys for name, keys in _shipped().items()}

    @classmethod
    def named(cls, name: str) -> dict[str, Any]:
        """All keys of a recipe: one of ours by name, or a YAML file of a user's own.

        Raises:
            PydanticCustomError: neither, or a file that is no mapping of a recipe's keys.
        """
        ours = cls.by_name()
        return dict(ours[name]) if name in ours else {**ours["paper"], **_of_file(name, cls.model_fields.keys())}

    def loss_of(self, method: str) -> Loss:
        """The loss that a method is trained with."""
        raise NotImplementedError

    def encoder_for(self, method: str) -> EncoderSettings | None:
        return None if self.loss_of(method) == "mse" else self

    def keys_of(self, method: str) -> dict[str, Any]:
        """The keys that the weights of a method depend on: with the MSE alone there is no segmenter."""
        unused = _UNUSED[self.loss_of(method)]
        return self.model_dump(mode="json", exclude={*unused, "recipe", "snapshots"})


class OwnNetworkRecipe(NetworkRecipe):
    """How the suite trains a network of your own, a blind `torch.nn.Module`, by one of the paper's three losses.

    Chosen by the keys `recipe` and `loss`, both of which have to be given. The entry's `options` are the network's
    constructor arguments; its first weights are its own, drawn after `torch.manual_seed(seed)`.
    """

    training: ClassVar[str | None] = "usaid.denoisers.training.own:train_own_network"

    loss: Loss
    """`mse` alone, as CDnCNN-B; with a `supervised` segmenter, as S-SAID, or an `unsupervised` one, as U-SAID."""

    def loss_of(self, method: str) -> Loss:
        return self.loss


_SEGMENTATION_KEYS = {
    *("segmentation_weight", "segmentation_loss", "focal_gamma", "loss_stride", "gradient", "head", "classes"),
    *("encoder", "encoder_weights", "segmenter_clamp", "segmenter_mean", "segmenter_std", "segmenter_batchnorm"),
    "mse_weight",
}
_UNUSED: Mapping[Loss, set[str]] = {
    "mse": _SEGMENTATION_KEYS,
    "supervised": {"segmentation_loss"},
    "unsupervised": set(),
}


def _of_file(name: str, known: Collection[str]) -> dict[str, Any]:
    """The keys of a user's own file.

    Raises:
        PydanticCustomError: there is no such file, or it is no mapping of ``known`` keys.
    """
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
        if key not in known:
            nearest = difflib.get_close_matches(str(key), known, n=1)
            hint = f" (nearest: {nearest[0]!r})" if nearest else ""
            raise refuse(f"{name}: unknown key {str(key)!r}{hint}; allowed: {', '.join(sorted(known))}")
    return own


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    content: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("recipes.yaml").read_text(encoding="utf-8"))
    return content
