"""What all settings of an experiment share: their base class, and the types of their values."""

import difflib
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from usaid.registries import DATASETS


class Settings(BaseModel):
    """Settings, checked when they are made and never changed; unknown keys are refused.

    Each key is a field: its type, default and bounds stand beside it, and the docstring below it explains it. Numbers
    and flags are taken as they are: no text is a number, no number a flag.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, keys: Any) -> Any:
        if isinstance(keys, Mapping) and cls.model_config.get("extra") == "forbid":
            for key in keys:
                if key not in cls.model_fields:
                    raise unknown_key(key, sorted(cls.model_fields))
        return keys


# ------------------------------------------------------------------------------------------------ errors of validators


def refuse(message: str) -> PydanticCustomError:
    """An error of a validator; the key that it is about is put before the message."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def must_be(allowed: str) -> PydanticCustomError:
    """An error of a validator of one value; key and value are put before what is allowed."""
    return PydanticCustomError("must_be", "{allowed}", {"allowed": allowed})


def unknown_key(key: str, allowed: Collection[str]) -> PydanticCustomError:
    """An error of a validator of settings: they have a key that they cannot have."""
    nearest = difflib.get_close_matches(str(key), allowed, n=1)
    context = {"key": str(key), "allowed": ", ".join(allowed), "nearest": nearest[0] if nearest else ""}
    return PydanticCustomError("unknown_key", "{key} {allowed} {nearest}", context)


# ------------------------------------------------------------------------------------------------ types


class OneOf:
    """Marks a type whose values are some only, which may be known no earlier than a value is checked (registries)."""

    def __init__(self, values: Callable[[], Iterable[Any]]) -> None:
        self.values = values

    def check(self, value: Any) -> Any:
        allowed = list(self.values())
        if value not in allowed:
            raise must_be(f"one of {', '.join(map(str, allowed))}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.values())}


class Unique:
    """Marks a list whose values differ."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}

    @staticmethod
    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len({json.dumps(value) for value in values}) < len(values):
            raise must_be("without repeated values")
        return values


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(following <= value for value, following in pairwise(values)):
        raise must_be("in ascending order, without repeated values")
    return values


def _low_to_high(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise must_be("the lower end first, then the upper one")
    return values


def _printable(text: str) -> str:
    if not text.isprintable():
        raise must_be("one line, without control characters")
    return text


def expanded(path: str) -> str:
    """A path with what ``~`` and ``$NAME`` stand for.

    Raises:
        PydanticCustomError: it cannot be a path, or names a user or a variable that there is not.
    """
    _printable(path)
    if any(len(os.fsencode(part)) > 255 for part in path.split("/")):
        raise must_be("a path whose parts have at most 255 bytes each")
    whole = os.path.expanduser(os.path.expandvars(path))
    if unknown := re.search(r"\$(\w+|\{[^}]*\})", whole):
        raise must_be(f"a path; {unknown[0]} is not set: set it, or write the path in full")
    if whole.startswith("~"):
        raise must_be(f"a path; nobody is called {whole.partition('/')[0]}: write the path in full")
    return whole


def recorded(path: str) -> str:
    """A path as records have it: below the home folder it starts with ``~``, whoever's that is; :func:`expanded` undoes
    it."""
    home = os.path.expanduser("~")
    return f"~{path.removeprefix(home)}" if path.startswith(f"{home}/") and Path(home) != Path("/") else path


def never(**values: dict[str, Any]) -> ConfigDict:
    """For editors: keys whose values (as JSON Schema) exclude each other. What decides is the validator beside it."""
    excluded: dict[str, Any] = {"required": [*values], "properties": values}
    return ConfigDict(json_schema_extra={"not": excluded})


def image_lists() -> list[str]:
    """All ``<data set>/<split>``."""
    return [f"{card.name}/{split}" for card in DATASETS.values() for split in card.splits]


Text = Annotated[str, Field(min_length=1)]
Title = Annotated[Text, AfterValidator(_printable)]
"""One line."""
Sentence = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
"""Line breaks become spaces."""
FilePath = Annotated[Text, AfterValidator(expanded), PlainSerializer(recorded, return_type=str, when_used="json")]
"""Of a file or folder. ``~`` and ``$NAME`` are expanded once, when settings are made."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Sigma = Annotated[Number, Field(ge=0, le=255)]
"""Noise standard deviation on the 0-255 scale."""
ToldSigma = Annotated[Number, Field(gt=0, le=255)]
"""What a non-blind method can be told, 0-255 scale."""
Integer = Annotated[int, Field(strict=True)]
Count = Annotated[Integer, Field(ge=1)]
Seed = Annotated[Integer, Field(ge=0)]
Classes = Annotated[Integer, Field(ge=2)]
"""Number of classes K."""
Sigmas = Annotated[tuple[Sigma, ...], Field(min_length=1), Unique()]
ToldSigmas = Annotated[tuple[ToldSigma, ...], Field(min_length=1), Unique()]
SeveralClasses = Annotated[tuple[Classes, ...], Field(min_length=1), Unique()]
Milestones = Annotated[tuple[Positive, ...], AfterValidator(_ascending)]
"""Where a learning rate falls, in order. Those past the end of a run have no effect: the released code has some."""
Snapshots = Annotated[tuple[Count, ...], AfterValidator(_ascending)]
"""Steps of a training, in order."""
SigmaRange = Annotated[tuple[Sigma, Sigma], AfterValidator(_low_to_high)]
ScaleRange = Annotated[tuple[Positive, Positive], AfterValidator(_low_to_high)]
Rgb = tuple[Fraction, Fraction, Fraction]
_Deviation = Annotated[Number, Field(gt=0, le=1)]
RgbDeviation = tuple[_Deviation, _Deviation, _Deviation]
"""What channels are divided by."""
Precision = Literal["float32", "tf32", "bfloat16"]
"""Of a training; see :data:`usaid.devices.PRECISIONS`."""
DenoisingPrecision = Literal["float32", "tf32", "bfloat16", "auto"]
"""Of trained networks; see :data:`usaid.devices.PRECISIONS`."""
Optimizer = Literal["sgd", "adamw"]
Images = Annotated[str, OneOf(image_lists)]
"""``<data set>/<split>``."""


# ------------------------------------------------------------------------------------------------ shared settings


class EncoderSettings(Settings):
    """Settings of a network that starts from an encoder with ImageNet weights."""

    encoder: Literal["resnet101", "efficientnet_lite0"] = "resnet101"
    """ImageNet encoder: the paper's ResNet-101, or EfficientNet-Lite0, whose weights come as a package."""
    encoder_weights: FilePath | None = None
    """File of its weights below `data_root`; null: where `usaid data fetch resnet101` puts it, or the package."""


class TrainingRecipe(Settings):
    """How a denoiser is trained: what the recipes of all methods have."""

    training: ClassVar[str | None] = None
    """``"module:function"`` that trains by it, whichever the method: (entry, samples, recipe, run). None: what the
    method's card names: (samples, recipe, run)."""

    images: Images = "voc2012/train"
    """`<data set>/<split>` to train on."""
    seed: Seed = 0
    """Of initialisation, patches and noise."""

    def encoder_for(self, method: str) -> EncoderSettings | None:
        """The encoder whose weights the training of a method starts from; None: it needs none."""
        return None

    def keys_of(self, method: str) -> dict[str, Any]:
        """The keys that the training of a method depends on, as JSON-able values: all of them."""
        return self.model_dump(mode="json")

    @classmethod
    def by_name(cls) -> Mapping[str, Mapping[str, Any]]:
        """Recipes that come with the method: name -> all their keys. None: the defaults are the one there is."""
        return {}


class OwnRecipe(TrainingRecipe):
    """The recipe of a class that trains itself: any keys beside those that all recipes have; its ``train`` takes them.

    The keys `recipe` and `loss` together are the suite's, which then trains the network.
    """

    model_config = ConfigDict(extra="allow")
