"""The denoisers by name: facts about every method of the paper, and how to build those that exist here."""

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from usaid.denoisers.base import Denoiser, Facts
from usaid.errors import UsaidError

_DNCNN = "Zhang et al., Beyond a Gaussian denoiser, TIP 2017"
_USAID = "Wang et al., Segmentation-aware image denoising without knowing true segmentation, 2019"

FACTS: dict[str, Facts] = {
    "noisy": Facts("Noisy", True, False, False, False, "MIT", "none"),
    "clean": Facts("Clean", True, False, False, False, "MIT", "none"),
    "cdncnn_b": Facts("CDnCNN-B", True, True, False, False, "MIT", _DNCNN),
    "s_said": Facts("S-SAID", True, True, True, True, "MIT", "Liu et al., When image denoising meets..., IJCAI 2018"),
    "u_said": Facts("U-SAID", True, True, True, False, "MIT", _USAID),
    "mlp": Facts("MLP", False, True, False, False, "MIT", "Burger et al., CVPR 2012"),
    "mc_wnnm": Facts("MC-WNNM", False, False, False, False, "MIT", "Xu et al., ICCV 2017"),
    "cbm3d": Facts("CBM3D", False, False, False, False, "non-commercial (bm3d)", "Dabov et al., ICIP 2007"),
}
"""Facts about every method that the paper compares (Table III), by method name."""

CLASSES = {
    "noisy": "usaid.denoisers.identity.denoiser:Noisy",
    "clean": "usaid.denoisers.identity.denoiser:Clean",
    "cdncnn_b": "usaid.denoisers.dncnn.denoiser:DnCNNDenoiser",
    "s_said": "usaid.denoisers.dncnn.denoiser:DnCNNDenoiser",
    "u_said": "usaid.denoisers.dncnn.denoiser:DnCNNDenoiser",
    "mlp": "usaid.denoisers.mlp.denoiser:MLPDenoiser",
    "mc_wnnm": "usaid.denoisers.mc_wnnm.denoiser:MCWNNMDenoiser",
    "cbm3d": "usaid.denoisers.cbm3d.denoiser:CBM3DDenoiser",
}
"""The class that implements each method built here, as ``module:Class``."""

NEED_WEIGHTS = ("cdncnn_b", "s_said", "u_said", "mlp")
"""The methods that are networks."""


def module_of(method: str) -> str:
    """Name of the module that implements a method: one of :data:`CLASSES`, or the user's own ``module:Class``.

    Raises:
        UsaidError: the method is not built here and is no ``module:Class``.
    """
    return _class_of(method).split(":")[0]


def build_denoiser(
    method: str,
    weights: str | Path | None = None,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    options: dict[str, Any] | None = None,
) -> Denoiser:
    """Make a denoiser ready to call.

    Args:
        method: a name of :data:`CLASSES`, or ``module:Class`` of a :class:`Denoiser` of the user's own. The class is
            called with those of ``facts`` (of ours), ``weights``, ``device`` and ``precision`` that its constructor
            names, and with the options.
        weights: file of the network's weights; the methods in :data:`NEED_WEIGHTS` cannot do without.
        device: where to compute.
        precision: ``float32`` or ``bfloat16``.
        options: further keyword arguments of the class.

    Raises:
        UsaidError: unknown method or option, weights missing or wrong, package not installed, module or class that
            does not exist.
    """
    denoiser_class = _imported_class(_class_of(method))
    if method in NEED_WEIGHTS and weights is None:
        raise UsaidError(f"method {method!r} needs weights; name their file")
    offered = {"facts": FACTS.get(method), "weights": weights, "device": device, "precision": precision}
    if ":" in method:
        del offered["facts"]
    known = inspect.signature(denoiser_class).parameters
    options = options or {}
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    if unknown := [] if any_name else sorted(options.keys() - known.keys()):
        raise UsaidError(f"method {method!r} has no option {unknown[0]!r}; its options: {_names(known, offered)}")
    own: Denoiser = denoiser_class(**{key: value for key, value in offered.items() if key in known} | options)
    return own


def facts_of(method: str) -> Facts:
    """Facts about a method by name, or of a user's own ``module:Class``.

    Raises:
        UsaidError: the class cannot be imported or has no facts.
    """
    if ":" not in method:
        return FACTS[method]
    facts = getattr(_imported_class(method), "facts", None)
    if not isinstance(facts, Facts):
        raise UsaidError(f"method {method!r}: the class has no attribute 'facts' of type usaid.denoisers.base.Facts")
    return facts


def _class_of(method: str) -> str:
    """``module:Class`` of a method."""
    if ":" in method:
        return method
    if method not in CLASSES:
        raise UsaidError(f"method {method!r} is not built; one of {', '.join(CLASSES)}, or your own as module:Class")
    return CLASSES[method]


def _imported_class(name: str) -> Any:
    module_name, class_name = name.split(":")
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise UsaidError(f"method {name!r} cannot be imported ({error})") from None


def _names(known: Mapping[str, Any], offered: Mapping[str, Any]) -> str:
    return ", ".join(name for name in known if name not in offered) or "none"
