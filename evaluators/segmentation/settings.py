"""A segmentation benchmark's entry in an experiment, and how the network that judges is trained."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import yaml
from pydantic import Field, model_validator

from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.model import (
    Count,
    EncoderSettings,
    FilePath,
    Flag,
    Fraction,
    Integer,
    NotNegative,
    OneOf,
    Optimizer,
    Positive,
    Precision,
    Rgb,
    RgbDeviation,
    ScaleRange,
    Seed,
    Settings,
    Sha256,
    never,
    refuse,
)
from usaid.registries import load_object

if TYPE_CHECKING:
    from usaid.datasets.base import View

RESIZED = "usaid.datasets.views:Resized"
"""The view behind `input_size`."""

RECIPE = "paper"
"""The recipe that counts where none is named."""

UNSEEN = ("recipe", "seed")
"""Keys that are no part of a recipe as somebody published it."""


class SegmenterRecipe(Settings):
    """How a segmenter is trained; ``recipe`` names where the keys come from that are not given.

    The paper says only that its networks are trained on clean images: `paper` has what was usual (Zhao et al., "Pyramid
    Scene Parsing Network", CVPR 2017, section 5.1), on the 1,464 training images of VOC 2012. `released_code` is what
    the authors' training script does (PROTOCOL section 5).
    """

    recipe: Annotated[str, OneOf(lambda: _shipped())]
    """`paper` (default) or `released_code`."""
    sample: Literal["crop", "whole"]
    """What a square shows: a part of an image, scaled at random (`crop`), or the `whole` image, resized whatever its
    shape: bilinear without antialiasing, labels by nearest neighbour."""
    crop: Annotated[Integer, Field(ge=32)]
    """Side of the squares in pixels; a multiple of 32 for `fpn` and `pspnet`."""
    batch: Count
    """Squares that BatchNorm sees together."""
    accumulate: Count
    """So many batches make a step; the mean of their losses is minimised."""
    steps: Count
    """Length of the run."""
    optimizer: Optimizer
    """`sgd`, or `adamw`, which needs a smaller `learning_rate`."""
    learning_rate: Positive
    """Of all layers, at the start."""
    power: NotNegative
    """The learning rate falls as `(1 - progress) ** power`."""
    momentum: Fraction
    """Of SGD."""
    weight_decay: NotNegative
    """Of all parameters."""
    scale_range: ScaleRange
    """How much a `crop` is enlarged, at random."""
    flip: Flag
    """Mirror half of the squares left to right."""
    loss: Literal["cross_entropy", "focal"]
    """With the labels, the mean over pixels that have one."""
    focal_gamma: NotNegative
    """Exponent of the focal loss."""
    void: Literal["left_out", "background"]
    """Pixels without a class: `left_out`, or learnt as class 0, the `background`."""
    train_mean: Rgb | None
    """Subtracted from the images of the training, RGB on the [0, 1] scale; null: what the encoder was trained with."""
    test_mean: Rgb | None
    """Subtracted from denoised images; null: as in training."""
    std: RgbDeviation | None
    """Both are divided by it; null: what the encoder was trained with."""
    batchnorm: Literal["batch", "frozen"]
    """What the encoder's BatchNorm uses: statistics of the `batch`, or ImageNet's, `frozen`."""
    precision: Precision
    """`float32`, `tf32` (a GPU rounds factors to 10 bits), or `bfloat16`: autocast of the forward pass."""
    seed: Seed
    """Of the decoder's first weights, order, squares and dropout."""

    @classmethod
    def by_name(cls) -> Mapping[str, Mapping[str, Any]]:
        """Recipes that come with the suite: name -> all their keys."""
        return _shipped()

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, keys: Any) -> Any:
        """Take the keys that are not given from the recipe that ``recipe`` names."""
        if not isinstance(keys, Mapping):
            return keys
        name = keys.get("recipe", RECIPE)
        return {
            **_shipped().get(str(name), _shipped()[RECIPE]),
            **keys,
            "recipe": name,
        }  # a wrong name is refused later

    def deviations(self) -> list[str]:
        """How it differs from the published recipe that it names, one sentence without its subject; from the default,
        which nobody published, nothing does."""
        if self.recipe == RECIPE:
            return []
        own = self.model_dump(mode="json")
        published = {key: value for key, value in _shipped()[self.recipe].items() if key not in UNSEEN}
        changed = [f"{key} {own[key]} in place of {value}" for key, value in published.items() if own[key] != value]
        return [f"trained by {self.recipe}, but for {', '.join(changed)}"] if changed else []

    @model_validator(mode="after")
    def _statistics(self) -> "SegmenterRecipe":
        if self.batchnorm == "batch" and self.batch == 1 and self.crop <= COARSEST:
            raise refuse(f"batch = 1 with crop = {self.crop}: one pixel has no statistics; raise 'batch' or 'crop'")
        return self


COARSEST = 32
"""The encoders' stride: from a larger square on, BatchNorm sees several pixels of each image."""


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    content: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("recipes.yaml").read_text(encoding="utf-8"))
    return content


class SegmenterSettings(EncoderSettings):
    """Which network segments: a `checkpoint` that this suite trained, or `network` with `train`."""

    model_config = never(checkpoint={"type": "string"}, train={"type": "object"})

    network: Literal["fpn", "fpn_plain", "pspnet"] | None = None
    """`fpn` (the paper's for VOC; levels concatenated), `fpn_plain` (the same as the released code builds it: plain
    convolutions, any size, and classes told at stride 4, then resized by nearest neighbour), or `pspnet` (the paper's
    for ISIC and DeepGlobe; depth 5, output stride 8); of segmentation-models-pytorch, `fpn_plain` but for its
    encoder ours."""
    checkpoint: FilePath | None = None
    """Trained weights, below `data_root` (`.safetensors`, which name their network and normalisation)."""
    sha256: Sha256 | None = None
    """Expected hash of the checkpoint."""
    train: SegmenterRecipe | None = None
    """Train it on the clean training images of the data set."""

    @model_validator(mode="after")
    def _one_of_two(self) -> "SegmenterSettings":
        if (self.checkpoint is None) == (self.train is None) or (self.train is not None and self.network is None):
            raise refuse("give either 'checkpoint', or 'network' with 'train'")
        if self.train is not None and self.network != "fpn_plain" and self.train.crop % COARSEST:
            raise refuse(
                f"train.crop = {self.train.crop}: {self.network} needs a multiple of {COARSEST}, fpn_plain none"
            )
        return self


Side = Annotated[Integer, Field(ge=32, le=4096)]
"""Pixels."""


class SegmentationSettings(BenchmarkSettings):
    """How denoised images are segmented."""

    model_config = never(longest_side={"type": "integer"}, input_size={"type": "array"})

    of_scoring: ClassVar[frozenset[str]] = frozenset({"input_size", "noise_on", "void"})

    segmenter: SegmenterSettings
    """The network that judges."""
    input_size: tuple[Side, Side] | None = None
    """Width and height in pixels that scored images are resized to whatever their shape, where `noise_on` says; null:
    as stored. Training has sizes of its own."""
    noise_on: Literal["stored", "network_input"] = "network_input"
    """With `input_size`: what noise is added to and denoised. `network_input`: the resized image; its label map is
    resized with it, by nearest neighbour. `stored`: the image as it is; what is denoised is clamped and then resized,
    bilinearly with antialiasing, and the class map comes back to the label map's size by nearest neighbour."""
    void: Literal["left_out", "background"] = "left_out"
    """Pixels of the true label maps without a class: `left_out` of the score, or counted as class 0, the `background`,
    as the released code does."""

    @model_validator(mode="after")
    def _one_size(self) -> "SegmentationSettings":
        if self.input_size is not None and self.longest_side is not None:
            raise refuse("give 'longest_side' or 'input_size', not both")
        if self.noise_on == "stored" and self.input_size is None:
            raise refuse("'noise_on: stored' needs 'input_size'; give it, or drop 'noise_on'")
        return self

    @property
    def view(self) -> "View | None":
        if self.input_size is None or self.noise_on == "stored":
            return super().view
        return load_object(RESIZED)(*self.input_size)

    @property
    def segmenter_size(self) -> tuple[int, int] | None:
        """Width and height in pixels that the segmenter resizes denoised images to; None: it takes them as they are."""
        return self.input_size if self.noise_on == "stored" else None

    @property
    def given_file(self) -> str | None:
        return self.segmenter.checkpoint

    @property
    def is_trained(self) -> bool:
        return self.segmenter.train is not None

    @property
    def encoder(self) -> EncoderSettings | None:
        return self.segmenter
