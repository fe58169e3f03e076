"""A denoiser's entry in an experiment."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import (
    Field,
    JsonValue,
    SerializeAsAny,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from usaid.cards import Method
from usaid.experiment.adapt import Adapt
from usaid.experiment.model import (
    FilePath,
    OneOf,
    Settings,
    Sha256,
    Sigmas,
    Title,
    TrainingRecipe,
    must_be,
    never,
    refuse,
)
from usaid.registries import BENCHMARKS, METHODS, YOUR_OWN, load_object, method_of

SigmaText = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
FileOfEachSigma = Annotated[dict[SigmaText, FilePath], Field(min_length=1)]
BenchmarkName = Annotated[str, OneOf(lambda: BENCHMARKS)]
OWN_CLASS = r"^([A-Za-z_][A-Za-z0-9_.]*|.*[^/]\.py):[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
"""A method of a user's own: a class, function or network as ``package.module:Name`` or ``file.py:Name``."""
OF_OWN_NETWORK = "usaid.denoisers.training.recipe:OwnNetworkRecipe"
"""By which the suite trains a user's own network: the recipe of a ``train`` with the keys ``recipe`` and ``loss``."""
_OF_OWN_CLASS = "usaid.experiment.model:OwnRecipe"
_ADAPT_IN_TRAINING = {"predicts", "value_range", "channels"}
"""The keys of ``adapt`` that a trained network depends on: patches are not tiled or padded, and nothing is told."""


class DenoiserEntry(Settings):
    """A denoiser: a column of the tables."""

    model_config = never(weights={"type": ["string", "object"]}, train={"type": "object"})

    method: str
    """What denoises: a method of the suite or of an installed package by name, or your own as `file.py:Name` or
    `package.module:Name`: a function on batches, a `torch.nn.Module`, a `usaid.denoisers.base.Denoiser`."""
    title: Title | None = None
    """Its name in tables; default: the method's."""
    weights: FilePath | FileOfEachSigma | None = None
    """A checkpoint below `data_root` (`.pth` as released, or `.safetensors`); for some methods also the files of
    several noise levels, as `{25: weights/mlp/weights_cvpr.mat}`. A class of your own is handed the path; a
    `torch.nn.Module` whose constructor does not name `weights` is loaded with the state in it."""
    sha256: Sha256 | None = None
    """Expected hash of the checkpoint; another file is refused."""
    train: SerializeAsAny[TrainingRecipe] | None = None
    """Train it, by a recipe whose keys may be changed here. A network of your own is trained by the suite, as
    `{recipe: paper, loss: unsupervised}` says; or its class trains itself, by keys of its own."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments of the class or function: of your own, or of a method that has some (`config/README.md` lists
    them). A file that one names counts: when it changes, scores are made anew; what is in a folder does not."""
    adapt: Adapt | None = None
    """How a network is called that does not follow the suite's conventions: noise out, 8-bit range, grey, tiles ..."""
    scores_from: FilePath | None = None
    """Take its scores of the same images, noise and judge from an earlier run, under the same name: a results folder,
    or `released` for the one that comes with the suite. What cannot be taken is a dash with the reason."""
    benchmarks: Annotated[tuple[BenchmarkName, ...], Field(min_length=1)] | None = None
    """Score it on these benchmarks only; default: all."""
    sigmas: Sigmas | None = None
    """Score it at these noise levels only; default: all of each benchmark."""

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        if method not in METHODS and not re.fullmatch(OWN_CLASS, method):
            raise must_be(f"one of {', '.join(METHODS)}, or your own as {YOUR_OWN}")
        return method

    @field_validator("weights", mode="wrap")
    @classmethod
    def _one_file_or_several(cls, weights: Any, _: Any, info: ValidationInfo) -> Any:
        method = info.data.get("method")
        several = [name for name, card in METHODS.items() if card.weights_by_sigma]
        if isinstance(weights, Mapping) and (method is None or method in several):
            return _SEVERAL.validate_python(weights)
        if isinstance(weights, Mapping):
            raise must_be(f"of type string; only {', '.join(several)} can have a file for each noise level")
        return None if weights is None else _ONE.validate_python(weights)

    @field_validator("train", mode="plain")
    @classmethod
    def _by_the_methods_recipe(cls, train: Any, info: ValidationInfo) -> TrainingRecipe | None:
        method = info.data.get("method")
        if train is None or method is None or isinstance(train, TrainingRecipe):
            return train
        kind = recipe_of(method, train if isinstance(train, Mapping) else ())
        if kind is None:
            trained = ", ".join(name for name, card in METHODS.items() if card.recipe)
            raise refuse(f"only {trained} can be trained")
        return kind.model_validate(train)

    @model_validator(mode="after")
    def _consistent(self) -> "DenoiserEntry":
        if self.weights is not None and self.train is not None:
            raise refuse("give either 'weights' or 'train', not both")
        if self.sha256 is not None and not isinstance(self.weights, str):
            raise refuse("'sha256' needs 'weights' that are a single file")
        if self.scores_from is not None and (given := [key for key in _OF_SCORING if getattr(self, key)]):
            raise refuse(f"'scores_from' takes scores as they are; drop {given[0]!r}")
        if self.scores_from is None and self.card.needs_weights and self.weights is None and self.train is None:
            raise refuse(f"method {self.method!r} needs 'weights' or 'train'")
        return self

    @property
    def card(self) -> Method:
        """The method's card."""
        return method_of(self.method)

    @property
    def has_weights(self) -> bool:
        """Whether it is scored with weights that are imported or trained."""
        return self.weights is not None or self.train is not None

    @property
    def network(self) -> dict[str, Any]:
        """What a training of the suite's makes of the entry's network, beside its recipe: JSON-able."""
        adapt = None if self.adapt is None else self.adapt.model_dump(include=_ADAPT_IN_TRAINING, exclude_defaults=True)
        return {key: value for key, value in (("options", self.options), ("adapt", adapt)) if value}

    def as_record(self) -> dict[str, Any]:
        """The entry as JSON-able values, as score files record it: the keys that it has, its recipe in full."""
        record = self.model_dump(mode="json", exclude={"train"}, exclude_none=True)
        if not record["options"]:
            del record["options"]
        if self.adapt is not None:
            record["adapt"] = self.adapt.as_record()
        return record | ({"train": self.train.model_dump(mode="json")} if self.train is not None else {})


_OF_SCORING = ("weights", "train", "options", "adapt")
"""Keys of how a denoiser is made."""

_ONE, _SEVERAL = TypeAdapter(FilePath), TypeAdapter(FileOfEachSigma)


def recipe_of(method: str, keys: Iterable[str]) -> type[TrainingRecipe] | None:
    """What the ``train`` of a method is checked against: that of a user's own class depends on its keys.

    Args:
        method: as in an entry.
        keys: of ``train``.

    Returns:
        None: the method is not trained.

    Raises:
        UsaidError: no such method.
    """
    recipe = method_of(method).recipe
    if recipe is None:
        return None
    by_the_suite = recipe == _OF_OWN_CLASS and {"recipe", "loss"} <= {*keys}
    kind: type[TrainingRecipe] = load_object(OF_OWN_NETWORK if by_the_suite else recipe)
    return kind
