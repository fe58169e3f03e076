"""The registries: which modules offer the cards of each kind. Adding a thing is one line here, or an entry point.

An installed package adds its cards by an entry point of the group named beside each registry: its value is a module
that offers ``CARDS``, its name is free. Code hashes (:mod:`usaid.code_hash`) stop at this module: a new line changes no
job but those of the new thing.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cached_property, reduce
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from usaid.cards import Benchmark, DataSet, Method, Metric
from usaid.errors import UsaidError, is_signal
from usaid.own_files import NOTEBOOKS, described, import_file, is_own, names_file

_NAME = "[a-z][a-z0-9_]*"
_CODE = ("denoiser", "recipe", "training", "importer", "reader", "judge", "settings", "cost")
"""Fields of cards that name code."""


class Card(Protocol):
    """What all cards have."""

    @property
    def name(self) -> str:
        """Unique among the cards of its kind."""
        ...


AnyCard = TypeVar("AnyCard", bound=Card)


class Registry(Mapping[str, AnyCard], Generic[AnyCard]):
    """The cards of one kind by name, read when they are first asked for: the suite's own, then those of packages."""

    def __init__(self, kind: type[AnyCard], group: str, modules: tuple[str, ...]) -> None:
        """
        Args:
            kind: class of the cards.
            group: entry points that add modules.
            modules: the suite's own, each with a tuple ``CARDS``.
        """
        self.kind, self.group, self.modules = kind, group, modules

    @cached_property
    def own(self) -> Mapping[str, AnyCard]:
        """The suite's own cards."""
        cards = (card for module in self.modules for card in _cards_in(importlib.import_module(module)))
        return MappingProxyType({card.name: card for card in cards})

    @cached_property
    def all(self) -> dict[str, AnyCard]:
        """The suite's own cards and those of installed packages.

        Raises:
            UsaidError: an entry point that cannot be read, offers something else, or takes a name that is taken.
        """
        cards = dict(self.own)
        for entry in sorted(entry_points(group=self.group)):
            place = f"entry point {entry.name!r} of {self.group} ({entry.value})"
            try:
                offered = _cards_in(entry.load())
            except (Exception, SystemExit) as error:  # a stranger's module raises anything
                reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise UsaidError(f"{place}: cannot be read ({reason}); mend it or uninstall it") from error
            for card in offered:
                self._check(card, place)
                if cards.setdefault(card.name, card) != card:
                    raise UsaidError(f"{place}: the name {card.name!r} is taken; choose another")
        return cards

    def _check(self, card: Any, place: str) -> None:
        """Refuse what an installed package cannot offer.

        Raises:
            UsaidError: no card of this kind, a name that files cannot have, or one that is given the clean images.
        """
        if not isinstance(card, self.kind):
            raise UsaidError(f"{place}: offers {card!r}; it must be a usaid.cards.{self.kind.__name__}")
        for field in fields(card):  # type: ignore[arg-type]
            if field.name in _CODE and not _names_code(getattr(card, field.name), may_lack=field.default is None):
                value = getattr(card, field.name)
                raise UsaidError(f"{place}: {card.name!r} has {field.name} = {value!r}; it must be like 'module:name'")
        if not re.fullmatch(_NAME, str(card.name)):
            raise UsaidError(f"{place}: the name {card.name!r} must be like {_NAME}; choose another")
        if getattr(card, "given_clean", False):
            raise UsaidError(
                f"{place}: {card.name!r} says given_clean, which only the suite's own methods may; drop it"
            )

    def __getitem__(self, name: str) -> AnyCard:
        return self.all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)


METHODS = Registry(
    Method,
    "usaid.denoisers",
    (
        "usaid.denoisers.identity",
        "usaid.denoisers.dncnn",
        "usaid.denoisers.ffdnet",
        "usaid.denoisers.drunet",
        "usaid.denoisers.mlp",
        "usaid.denoisers.mc_wnnm",
        "usaid.denoisers.cbm3d",
        "usaid.denoisers.torchscript",
        "usaid.denoisers.torch_export",
        "usaid.denoisers.onnx",
    ),
)

DATASETS = Registry(
    DataSet,
    "usaid.datasets",
    (
        "usaid.datasets.voc2012",
        "usaid.datasets.kodak",
        "usaid.datasets.isic2018",
        "usaid.datasets.deepglobe",
        "usaid.datasets.cifar100",
        "usaid.datasets.coco",
    ),
)

BENCHMARKS = Registry(
    Benchmark,
    "usaid.benchmarks",
    ("evaluators.quality", "evaluators.segmentation", "evaluators.classification", "evaluators.detection"),
)

METRICS = Registry(Metric, "usaid.metrics", ("evaluators.metrics",))


def method_of(name: str) -> Method:
    """The card of a method, or one that is made for what a user brings: ``module:Name``, or ``file.py:Name``.

    Such a class or function says of itself what a card says of a method (:mod:`usaid.denoisers.facts`); a method
    ``train`` of the class trains it. Its weights are handed to it as a path, or loaded into it.

    Raises:
        UsaidError: no method has this name.
    """
    if ":" in name:
        return Method(name, None, name, recipe="usaid.experiment.model:OwnRecipe", training=f"{name}.train")
    if name not in METHODS:
        raise UsaidError(f"method {name!r}: must be one of {', '.join(METHODS)}, or your own as {YOUR_OWN}")
    return METHODS[name]


YOUR_OWN = "file.py:Name or package.module:Name"
"""How a method of a user's own is named."""


def load_object(name: str) -> Any:
    """What a card's ``"module:name"``, or ``"file.py:name"``, stands for; the name may have dots.

    Raises:
        UsaidError: the module cannot be imported, or has nothing of this name; says where in a user's file it ended.
    """
    place, _, attributes = name.rpartition(":")
    try:
        if place.endswith(".ipynb"):
            raise UsaidError(NOTEBOOKS)
        module = import_file(name) if names_file(name) else importlib.import_module(place)
        return reduce(_member, attributes.split("."), module)
    except (Exception, SystemExit) as error:  # a user's own module raises anything
        if is_signal(error):
            raise
        file = Path(place.replace(".", "/") + ".py")
        cure = f"; a file is named {file}:{attributes}" if isinstance(error, ImportError) and file.is_file() else ""
        raise UsaidError(f"{name} cannot be imported ({described(error)}){cure}") from error


def _member(thing: Any, name: str) -> Any:
    """A module's or class's attribute; what a module that lacks it has instead is said."""
    try:
        return getattr(thing, name)
    except AttributeError as error:
        module, members = getattr(thing, "__name__", None), getattr(thing, "__dict__", {})
        own = [key for key, value in members.items() if key[0] != "_" and getattr(value, "__module__", None) == module]
        has = f"; it has {', '.join(own[:5])}" if own and is_own(module or "") else ""
        raise AttributeError(f"{error}{has}") from None


def _names_code(value: Any, may_lack: bool) -> bool:
    """Whether a card's field names code, or names none where it may."""
    return (value is None and may_lack) or (
        isinstance(value, str) and re.fullmatch(r"[\w.]+:[\w.]+", value) is not None
    )


def _cards_in(module: Any) -> tuple[Any, ...]:
    return tuple(module.CARDS)
