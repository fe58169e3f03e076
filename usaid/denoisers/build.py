"""Makes a denoiser ready to call: from the name of its method, from a user's file, or from a network in hand."""

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from usaid.cards import Facts, Method
from usaid.checkpoints import check_state, load_state
from usaid.denoisers.adapters import FromCallable, adapted
from usaid.denoisers.base import Denoiser
from usaid.denoisers.code import code_of
from usaid.denoisers.facts import TOLD_SIGMA, can_be_called, facts_of_code, name_of
from usaid.errors import UsaidError, is_signal
from usaid.own_files import described
from usaid.registries import load_object, method_of

if TYPE_CHECKING:
    from usaid.experiment.adapt import Adapt

Network = str | Denoiser | nn.Module | Callable[..., Any] | torch.export.ExportedProgram
"""What a denoiser can be made of."""


def build_denoiser(
    method: Network,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    options: Mapping[str, Any] | None = None,
    adapt: "Adapt | Mapping[str, Any] | None" = None,
) -> Denoiser:
    """Make a denoiser ready to call.

    Args:
        method: a name of :data:`usaid.registries.METHODS`; ``file.py:Name`` or ``module:Name`` of a user's own; or in
            Python the thing itself. It is a :class:`Denoiser`, a ``torch.nn.Module`` or a class that can be called,
            each a class or an instance, or a function on batches. A class is called with those of ``facts`` (of the
            card, if there is one), ``weights``, ``device`` and ``precision`` that its constructor names, and with the
            options; a function with a batch and the options.
        weights: file of the network's weights. It is loaded into an ``nn.Module`` whose constructor does not name it.
        device: where to compute.
        precision: ``float32``, ``tf32``, ``bfloat16`` or ``auto``.
        options: further keyword arguments.
        adapt: how a network is called that does not follow the suite's conventions, or the keys that say it.

    Raises:
        UsaidError: unknown method or option, a missing option, weights that are missing, wrong or not taken, a package
            that is not installed, a file, module or name that does not exist, something that cannot be called, or
            whatever it raises when it is made.
    """
    name = method if isinstance(method, str) else name_of(method)
    card = method_of(method) if isinstance(method, str) else Method(name, None, "")
    if card.needs_weights and weights is None:
        raise UsaidError(f"method {name!r} needs weights; name their file")
    own = {key for key in (options or {}) if key in _GIVEN}
    if own:
        raise UsaidError(f"method {name!r}: option {min(own)!r} is not for 'options' to give; {_SAID_ELSEWHERE}")
    settings = _checked_adapt(adapt)
    with chdir("."):  # a stranger's code may change the working folder
        code = code_of(method, card.denoiser) if isinstance(method, str) else method
        made = _Making(name, card.facts, weights, device, precision, dict(options or {})).made(code)
    return made if settings is None else adapted(made, settings)


def load_class(method: str) -> type[Denoiser]:
    """The :class:`Denoiser` that implements a method; nothing of it is called.

    Raises:
        UsaidError: it cannot be imported, is no :class:`Denoiser`, or is an abstract one.
    """
    denoiser_class = code_of(method, method_of(method).denoiser)
    if not (isinstance(denoiser_class, type) and issubclass(denoiser_class, Denoiser)):
        raise UsaidError(
            f"method {method!r}: is no subclass of usaid.denoisers.base.Denoiser; derive the class from it"
        )
    _refuse_abstract(method, denoiser_class)
    return denoiser_class


_GIVEN = ("weights", "device", "precision", "facts")
_SAID_ELSEWHERE = "the experiment's keys weights, device and precision, and the class itself, say it"


@dataclass
class _Making:
    """A denoiser in the making: what is given for it, as :func:`build_denoiser` has it."""

    name: str
    facts: Facts | None
    weights: str | Path | None
    device: torch.device | str
    precision: str
    options: dict[str, Any] = field(default_factory=dict)

    def made(self, code: Any) -> Denoiser:
        """A denoiser of a class, function or object."""
        if isinstance(code, type):
            return self._of_class(code)
        if not callable(code) and not isinstance(code, torch.export.ExportedProgram):
            cure = "name a function on batches, a torch.nn.Module or a Denoiser"
            raise UsaidError(f"method {self.name!r}: is a {type(code).__name__}, which cannot denoise; {cure}")
        if isinstance(code, Denoiser | nn.Module | torch.export.ExportedProgram):
            if self.options:
                made = "it is made already, and its class was told what it takes"
                raise UsaidError(f"method {self.name!r} has no option {min(self.options)!r}; {made}")
            return self._of_object(code)
        return self._of_function(code)

    def _of_class(self, code: type) -> Denoiser:
        _refuse_abstract(self.name, code)
        if issubclass(code, Denoiser):
            denoiser: Denoiser = self._constructed(code)
            return denoiser
        if issubclass(code, nn.Module):
            return self._of_object(self._constructed(code, loads_weights=True))
        if not can_be_called(code):
            cure = "derive the class from torch.nn.Module or usaid.denoisers.base.Denoiser, or give it __call__"
            raise UsaidError(f"method {self.name!r}: is a class whose objects cannot be called; {cure}")
        return self._adapted(self._constructed(code))

    def _of_object(self, code: Any) -> Denoiser:
        if self.weights is not None and not isinstance(code, nn.Module):
            raise UsaidError(f"method {self.name!r} takes no weights; drop 'weights': it is made already")
        if isinstance(code, Denoiser):
            return code
        if self.weights is not None:
            code = copy.deepcopy(code)  # another may be made of it, with other weights
            load_weights(code, self.weights)
        return self._adapted(code.module() if isinstance(code, torch.export.ExportedProgram) else code)

    def _of_function(self, code: Callable[..., Any]) -> Denoiser:
        if self.weights is not None:
            raise UsaidError(
                f"method {self.name!r} takes no weights; drop 'weights', or read them in the function's file"
            )
        try:
            signature = inspect.signature(code)
        except ValueError:  # it is written in C
            return self._adapted(code, self.options)
        known = dict([*signature.parameters.items()][1:])
        known.pop(TOLD_SIGMA, None)  # which it is told in each call
        self._check_options(known, ())
        try:
            signature.bind_partial(None, **self.options)
        except TypeError as error:
            cure = "if it makes a network, write `network = ...()` below it, and name file.py:network"
            raise UsaidError(
                f"method {self.name!r}: cannot be called with a batch of images ({error}); {cure}"
            ) from None
        return self._adapted(code, self.options)

    def _adapted(self, code: Any, options: Mapping[str, Any] | None = None) -> Denoiser:
        facts = self.facts or facts_of_code(code, self.name.rpartition(":")[2])
        return FromCallable(code, facts, self.device, self.precision, options)

    def _constructed(self, code: type, loads_weights: bool = False) -> Any:
        """An object of a class; if it ``loads_weights`` and its constructor does not name them, they are loaded."""
        signature = inspect.signature(code)
        known = signature.parameters
        offered = {"weights": self.weights, "device": self.device, "precision": self.precision, "facts": self.facts}
        offered = {key: value for key, value in offered.items() if key != "facts" or value is not None}
        self._check_options(known, offered)
        names_weights = "weights" in known
        if self.weights is not None and not (names_weights or loads_weights):
            cure = "drop 'weights', or let its constructor name them"
            raise UsaidError(f"method {self.name!r} takes no weights; {cure}")
        arguments = {key: value for key, value in offered.items() if key in known} | self.options
        try:
            signature.bind(**arguments)
        except TypeError as error:
            cure = "name it under 'options' (--options KEY=VALUE)"
            raise UsaidError(f"method {self.name!r}: {error}; {cure}, or {_MAKE_IT}") from None
        try:
            made = code(**arguments)
        except UsaidError:
            raise
        except (Exception, SystemExit) as error:  # a stranger's code raises anything
            if is_signal(error):
                raise
            raise UsaidError(f"method {self.name!r}: cannot be made ({described(error)})") from error
        if loads_weights and names_weights:
            self.weights = None
        return made

    def _check_options(self, known: Mapping[str, inspect.Parameter], offered: Iterable[str]) -> None:
        any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
        if unknown := [] if any_name else sorted(self.options.keys() - known.keys()):
            options = [name for name, parameter in known.items() if name not in offered and parameter.kind in _BY_NAME]
            names = ", ".join(options) or "none"
            raise UsaidError(f"method {self.name!r} has no option {unknown[0]!r}; its options: {names}")


_MAKE_IT = "make the object in the file and name file.py:object"
"""What is left where options, which are plain values, cannot give what a class wants."""
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Load a file's state into a network.

    Args:
        network: any; its own state says what the file has to hold.
        path: as :func:`usaid.checkpoints.load_state` reads it.

    Raises:
        UsaidError: an unreadable file, or the state of another network: names the first tensor that differs.
    """
    complaint = f"{path}: not the weights of {type(network).__name__}"
    expected = network.state_dict()
    state = _of_attribute(load_state(path), expected)
    network.load_state_dict(check_state(state, expected, complaint))


def _of_attribute(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state as it is, or that of its one attribute (``model.``, ``net.``) if this is the network that is expected."""
    prefix = next(iter(state)).partition(".")[0] + "."
    inner = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return inner if len(inner) == len(state) and inner.keys() == expected.keys() else dict(state)


def _refuse_abstract(method: str, kind: type) -> None:
    if inspect.isabstract(kind):
        missing = ", ".join(sorted(getattr(kind, "__abstractmethods__", ())))
        raise UsaidError(f"method {method!r}: is abstract; give the class {missing}")


def _checked_adapt(adapt: "Adapt | Mapping[str, Any] | None") -> "Adapt | None":
    if not isinstance(adapt, Mapping):
        return adapt
    check, settings = load_object("usaid.experiment.reading:checked_settings"), load_object(_ADAPT)
    checked: Adapt = check(settings, adapt, "adapt")
    return checked


_ADAPT = "usaid.experiment.adapt:Adapt"
"""Loaded where keys are given: what an experiment says is values, which no hash of code follows."""
