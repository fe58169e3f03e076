"""What an experiment may ask beside denoisers on benchmarks: Table II's ablation, Table X's draws, Figure 2."""

from typing import Annotated

from pydantic import Field

from usaid.experiment.model import (
    Count,
    EncoderSettings,
    FilePath,
    Integer,
    Positive,
    Precision,
    Seed,
    Settings,
    SeveralClasses,
    Text,
    Unique,
)


class Ablation(Settings):
    """Table II: a U-SAID is trained once for each number of classes K and scored at the table's sigma."""

    denoiser: Text
    """Name of a denoiser that is trained; its recipe is varied in K alone."""
    classes: SeveralClasses
    """Numbers of classes K. The one that the denoiser has itself is not trained again."""


class Draws(Settings):
    """Table X: its benchmarks are scored again with other noise, at the table's sigma."""

    draws: Annotated[Integer, Field(ge=2)] = 10
    """Noise draws in all, those of the benchmark's own `draws` among them; the paper has 10."""
    denoisers: Annotated[tuple[Text, ...], Field(min_length=1), Unique()] | None = None
    """Names of the denoisers; default: all but the noisy and the clean images and Table IV's non-blind methods, which
    the paper leaves out too."""
    subsets: dict[Text, FilePath] = Field(default_factory=dict)
    """Benchmark -> list of ids, as in `subsets`: its further draws are scored on these of its images alone, and Table X
    is of them."""


class Convergence(EncoderSettings):
    """Figure 2: how fast the USA module learns true label maps, and permuted ones.

    The paper names the encoder and the images; the rest is our choice.
    """

    crop: Annotated[Integer, Field(ge=32, multiple_of=2)] = 224
    """Side in pixels, even, of the square in the middle of each image that it is trained on; smaller images are left
    out. Always the same square: the experiment asks how fast given maps are fitted, and in crops at random places
    permuted maps hardly can be."""
    batch: Count = 8
    """Crops a step."""
    steps: Count = 2000
    """Optimiser steps of each of the three runs."""
    learning_rate: Positive = 1e-4
    """Adam's, constant: a decay would bend the curves. Ten times as much is unstable, since the pyramid has no norm."""
    precision: Precision = "float32"
    """`float32`, `tf32` (a GPU rounds factors to 10 bits), or `bfloat16`: autocast of the forward pass."""
    seed: Seed = 0
    """Of the first weights, the permutations and the crops; the same for all three supervisions."""
