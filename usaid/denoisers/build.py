"""Makes a denoiser ready to call, from the name of its method."""

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from usaid.denoisers.base import Denoiser
from usaid.denoisers.code import code_of
from usaid.errors import UsaidError
from usaid.registries import method_of


def build_denoiser(
    method: str,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    options: Mapping[str, Any] | None = None,
    adapt: object = None,
) -> Denoiser:
    """Make a denoiser ready to call.

    Args:
        method: a name of :data:`usaid.registries.METHODS`, or ``module:Class`` of a user's own :class:`Denoiser`. The
            class is called with those of ``facts`` (of the card, if there is one), ``weights``, ``device`` and
            ``precision`` that its constructor names, and with the options.
        weights: file of the network's weights.
        device: where to compute.
        precision: ``float32``, ``tf32``, ``bfloat16`` or ``auto``.
        options: further keyword arguments of the class.

    Raises:
        UsaidError: unknown method or option, a missing option, weights that are missing, wrong or not taken, a package
            that is not installed, a module or class that does not exist, a class that is no denoiser, or whatever the
            class raises when it is called.
    """
    card = method_of(method)
    if card.needs_weights and weights is None:
        raise UsaidError(f"method {method!r} needs weights; name their file")
    denoiser_class = load_class(method)
    signature = inspect.signature(denoiser_class)
    known, options = signature.parameters, dict(options or {})
    offered: dict[str, Any] = {"weights": weights, "device": device, "precision": precision, "facts": card.facts}
    if own := [name for name in options if name in offered]:
        raise UsaidError(f"method {method!r}: option {own[0]!r} is not for 'options' to give; {_GIVEN}")
    if card.facts is None:
        del offered["facts"]
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    if unknown := [] if any_name else sorted(options.keys() - known.keys()):
        raise UsaidError(f"method {method!r} has no option {unknown[0]!r}; its options: {_names(known, offered)}")
    if weights is not None and "weights" not in known:
        raise UsaidError(f"method {method!r} takes no weights; drop 'weights', or let its constructor name them")
    arguments = {key: value for key, value in offered.items() if key in known} | options
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UsaidError(f"method {method!r}: {error}; name it under 'options'") from None
    try:
        return denoiser_class(**arguments)
    except UsaidError:
        raise
    except (Exception, SystemExit) as error:  # a stranger's code raises anything
        raise UsaidError(f"method {method!r}: cannot be made ({type(error).__name__}: {error})") from error


def load_class(method: str) -> type[Denoiser]:
    """The class that implements a method; nothing of it is called.

    Raises:
        UsaidError: it cannot be imported, is no :class:`Denoiser`, or is an abstract one.
    """
    denoiser_class = code_of(method, method_of(method).denoiser)
    if not (isinstance(denoiser_class, type) and issubclass(denoiser_class, Denoiser)):
        raise UsaidError(
            f"method {method!r}: is no subclass of usaid.denoisers.base.Denoiser; derive the class from it"
        )
    if inspect.isabstract(denoiser_class):
        missing = ", ".join(sorted(denoiser_class.__abstractmethods__))
        raise UsaidError(f"method {method!r}: is abstract; give the class {missing}")
    return denoiser_class


_GIVEN = "the experiment's keys weights, device and precision, and the class itself, say it"


def _names(known: Iterable[str], offered: Mapping[str, Any]) -> str:
    return ", ".join(name for name in known if name not in offered) or "none"
