"""A segmentation benchmark's entry in an experiment, and how the network that judges is trained."""

from typing import Annotated, Literal

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
    Optimizer,
    Positive,
    Precision,
    ScaleRange,
    Seed,
    Settings,
    Sha256,
    never,
    refuse,
)


class SegmenterRecipe(Settings):
    """How a segmenter is trained; the defaults are for ResNet-101 on the 1,464 training images of VOC 2012.

    The paper says only that its networks are trained on clean images. The defaults are those of Zhao et al. ("Pyramid
    Scene Parsing Network", CVPR 2017, section 5.1: SGD with 0.01, momentum 0.9, weight decay 1e-4, decay of power 0.9,
    batches of 16, scales 0.5 to 2, mirrored or not; also those of DeepLab's line of work, but for details), with
    crops of a multiple of 32. They train 30,000 steps on 10,582 images; 80 epochs, so 7,320 steps, are what
    semi-supervised work gives the 1,464 images (Yang et al., "ST++", CVPR 2022).
    """

    crop: Annotated[Integer, Field(ge=32, multiple_of=32)] = 512
    """Side of the crops in pixels, a multiple of 32."""
    batch: Annotated[Integer, Field(ge=2)] = 16
    """Crops in a step."""
    steps: Count = 7320
    """Length of the run."""
    optimizer: Optimizer = "sgd"
    """`sgd`, or `adamw`, which needs a smaller `learning_rate`."""
    learning_rate: Positive = 0.01
    """Of all layers, at the start."""
    power: NotNegative = 0.9
    """The learning rate falls as `(1 - progress) ** power`."""
    momentum: Fraction = 0.9
    """Of SGD."""
    weight_decay: NotNegative = 1e-4
    """Of all parameters."""
    scale_range: ScaleRange = (0.5, 2.0)
    """How much an image is enlarged, at random."""
    flip: Flag = True
    """Mirror half of the crops left to right."""
    batchnorm: Literal["batch", "frozen"] = "batch"
    """What the encoder's BatchNorm uses: statistics of the `batch`, or ImageNet's, `frozen`."""
    precision: Precision = "float32"
    """`float32`, `tf32` (a GPU rounds factors to 10 bits), or `bfloat16`: autocast of the forward pass."""
    seed: Seed = 0
    """Of the decoder's first weights, order, crops and dropout."""


class SegmenterSettings(EncoderSettings):
    """Which network segments: a `checkpoint` that this suite trained, or `network` with `train`."""

    model_config = never(checkpoint={"type": "string"}, train={"type": "object"})

    network: Literal["fpn", "pspnet"] | None = None
    """`fpn` (the paper's for VOC; levels concatenated) or `pspnet` (the paper's for ISIC and DeepGlobe; depth 5, output
    stride 8), of segmentation-models-pytorch."""
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
        return self


class SegmentationSettings(BenchmarkSettings):
    """How denoised images are segmented."""

    segmenter: SegmenterSettings
    """The network that judges."""

    @property
    def given_file(self) -> str | None:
        return self.segmenter.checkpoint

    @property
    def is_trained(self) -> bool:
        return self.segmenter.train is not None

    @property
    def encoder(self) -> EncoderSettings | None:
        return self.segmenter
