"""What tables say of a denoiser that a user brings: what its code states, else what shows in it. Needs no torch."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from usaid.cards import Facts
from usaid.errors import UsaidError

TOLD_SIGMA = "told_sigma"
"""A parameter of this name is told the noise level, 0-255 scale."""


class DerivedFacts(Facts):
    """Facts that nobody stated. Their title is the code's name; one that the user gives goes before it."""


def facts_of_code(code: Any, name: str) -> Facts:
    """The facts of a class, function or network.

    Args:
        code: what a user brings. Its attribute ``facts`` is taken, if it is of :class:`usaid.cards.Facts`.
        name: what the code is called.

    Returns:
        What is stated; else facts that call it blind unless it has a parameter ``told_sigma``.

    Raises:
        UsaidError: a class that states none and has to, a :class:`usaid.denoisers.base.Denoiser`, or cannot denoise.
    """
    stated = getattr(code, "facts", None)
    if isinstance(stated, Facts):
        return stated
    if isinstance(code, type) and not is_network(code):
        if _derives_from(code, "usaid.denoisers.base", "Denoiser"):
            raise UsaidError(f"{name}: has no attribute 'facts' of type usaid.cards.Facts; write it in the class")
        if not can_be_called(code):
            raise UsaidError(f"{name}: is a class whose objects cannot be called; give it __call__")
    return DerivedFacts(name, blind=not hears_told_sigma(code), deep_learning=is_network(code))


def facts_of_training(facts: Facts, loss: str | None) -> Facts:
    """Facts, with what the loss that the suite trained a network with tells, unless the network's code states its own.

    Args:
        facts: of the network's code.
        loss: ``"mse"`` alone; or with a segmenter, ``"supervised"`` by label maps, or ``"unsupervised"``. None: not
            known.
    """
    if loss is None or not isinstance(facts, DerivedFacts):
        return facts
    return replace(facts, semantic_aware=loss != "mse", segmentation_annotation=loss == "supervised")


def hears_told_sigma(code: Any) -> bool:
    """Whether what is called has a parameter ``told_sigma``."""
    return TOLD_SIGMA in parameters_of(code)


def parameters_of(code: Any) -> Mapping[str, inspect.Parameter]:
    """The parameters of what is called: of a network its ``forward``, of a class those of its objects."""
    called = getattr(code, "forward", None) if is_network(code) else code
    if isinstance(called, type):
        called = called.__call__
    try:
        return inspect.signature(called or code).parameters
    except (ValueError, TypeError):  # of what is written in C, nothing is known
        return {}


def title_of(title: str | None, facts: Facts | None, name: str) -> str:
    """What tables call a denoiser: what its entry says, else its facts, else its name in the experiment."""
    stated = None if facts is None or isinstance(facts, DerivedFacts) else facts.title
    return title or stated or name


def is_network(code: Any) -> bool:
    """Whether it is a ``torch.nn.Module``, or a class of them."""
    return _derives_from(code if isinstance(code, type) else type(code), "torch.nn.modules.module", "Module")


def can_be_called(kind: type) -> bool:
    """Whether the objects of a class can be called, and are no classes themselves."""
    return not issubclass(kind, type) and any("__call__" in vars(each) for each in kind.__mro__)


def _derives_from(kind: type, module: str, name: str) -> bool:
    """As ``issubclass``, of a class that need not be imported."""
    return any((each.__module__, each.__name__) == (module, name) for each in kind.__mro__)


def name_of(code: Any) -> str:
    """What a class, function or network is called."""
    return str(getattr(code, "__name__", None) or type(code).__name__)
