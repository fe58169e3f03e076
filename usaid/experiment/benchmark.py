"""A benchmark's entry in an experiment: what the settings of all benchmarks have, and what jobs ask of them."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import ValidationError

from usaid.experiment.model import (
    Count,
    EncoderSettings,
    FilePath,
    Integer,
    Sentence,
    Settings,
    Sigmas,
    ToldSigma,
    Unique,
    must_be,
)
from usaid.registries import load_object

if TYPE_CHECKING:
    from usaid.datasets.base import View


def _checked_told(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError:
        raise must_be("oracle, or a noise level > 0 (at most 255)") from None


Told = Annotated[Literal["oracle"] | ToldSigma, WrapValidator(_checked_told)]


MOST_SHARDS = 1000
"""Of a benchmark; the largest has 5,000 images, and each shard reads all of them."""

OF_WORK = ("shards",)
"""Keys of a benchmark that say how it is worked on, and change no score."""

SHRUNK = "usaid.datasets.views:Shrunk"
"""The view behind `longest_side`."""


class Places(NamedTuple):
    """Where an experiment has its files.

    Attributes:
        results: folder of what it makes.
        data_root: folder of data sets and weights.
        niqe: the variant of NIQE that it uses.
    """

    results: str
    data_root: str
    niqe: str


class BenchmarkSettings(Settings):
    """How a benchmark is run; the settings of a judge extend it by what says which network judges."""

    of_scoring: ClassVar[frozenset[str]] = frozenset()
    """Keys of a judge's settings that change scores but not the network that is trained for it."""

    sigmas: Sigmas
    """Noise levels, standard deviation on the 0-255 scale."""
    draws: Count = 1
    """Noise realisations of each image and sigma."""
    told_sigmas: Annotated[tuple[Told, ...], Field(min_length=1), Unique()] = ("oracle",)
    """What non-blind methods are told: `oracle` (the true sigma) or noise levels. Table IV needs `[oracle, 25]`, its
    settings II and I; equal cells are computed once, other tables show `oracle`, and blind methods are told nothing."""
    subset: FilePath | None = None
    """List of ids, as in `subsets`, that this benchmark alone is scored on."""
    longest_side: Annotated[Integer, Field(ge=32)] | None = None
    """Images with a longer side are made smaller, before noise is added and in training; null: as stored. For data sets
    with label maps."""
    notes: tuple[Sentence, ...] = ()
    """Sentences for the footnotes of this benchmark's tables."""
    shards: Annotated[Integer, Field(ge=1, le=MOST_SHARDS)] = 1
    """How many jobs a denoiser's scores are made by, each of a part of the images; for many images on several machines.
    Scores are the same, whatever the number."""

    def of_scores(self, exclude: Iterable[str] = ()) -> dict[str, Any]:
        """What scores depend on, JSON-able: all keys but some, and not how many jobs share the work."""
        return self.model_dump(mode="json", exclude={*exclude, *OF_WORK})

    @property
    def view(self) -> "View | None":
        """What is made of an image that is scored, before noise is added; None: it stays as stored."""
        return self.training_view

    @property
    def training_view(self) -> "View | None":
        """What is made of the images that the judge's network is trained on; None: they stay as stored."""
        return None if self.longest_side is None else load_object(SHRUNK)(self.longest_side)

    @property
    def is_trained(self) -> bool:
        """Whether the experiment trains the network that judges."""
        return False

    @property
    def given_file(self) -> str | None:
        """What the judge reads that is not made by the experiment, below ``data_root``; None: nothing."""
        return None

    def judge_file(self, benchmark: str, places: Places) -> str | None:
        """Where the judge finds what it needs from disk: its network's weights, NIQE's pristine model; None: nothing.

        Args:
            benchmark: name of this entry.
            places: of the experiment that it is part of.
        """
        if self.is_trained:
            return f"{places.results}/weights/{benchmark}.safetensors"
        return None if self.given_file is None else os.path.join(places.data_root, self.given_file)

    @property
    def encoder(self) -> EncoderSettings | None:
        """The encoder whose weights that training starts from; None: it needs none."""
        return None

    @property
    def package_data(self) -> tuple[str, ...]:
        """Files of the suite that the judge reads, as ``"package:file"``."""
        return ()

    @property
    def user_files(self) -> tuple[str, ...]:
        """Files of the user's that the judge reads beside :meth:`judge_file`, below ``data_root``."""
        return ()

    @property
    def further_metrics(self) -> tuple[str, ...]:
        """Metrics that the judge computes beside those on the benchmark's card."""
        return ()
