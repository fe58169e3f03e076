"""What tables say of a denoiser that a user brings: what its code states, else what shows in it. Needs no torch."""

import inspect
from typing import Any

from usaid.cards import Facts

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
    """
    stated = getattr(code, "facts", None)
    if isinstance(stated, Facts):
        return stated
    return DerivedFacts(name, blind=not hears_told_sigma(code), deep_learning=is_network(code))


def hears_told_sigma(code: Any) -> bool:
    """Whether what is called has a parameter ``told_sigma``."""
    called = getattr(code, "forward", None) if is_network(code) else code
    if isinstance(called, type):
        called = called.__call__
    try:
        return TOLD_SIGMA in inspect.signature(called or code).parameters
    except (ValueError, TypeError):  # of what is written in C, nothing is known
        return False


def title_of(title: str | None, facts: Facts | None, name: str) -> str:
    """What tables call a denoiser: what its entry says, else its facts, else its name in the experiment."""
    stated = None if facts is None or isinstance(facts, DerivedFacts) else facts.title
    return title or stated or name


def is_network(code: Any) -> bool:
    """Whether it is a ``torch.nn.Module``, or a class of them."""
    kinds = (code if isinstance(code, type) else type(code)).__mro__
    return any(kind.__module__ == "torch.nn.modules.module" and kind.__name__ == "Module" for kind in kinds)


def name_of(code: Any) -> str:
    """What a class, function or network is called."""
    return str(getattr(code, "__name__", None) or type(code).__name__)
